//! A day of the calendar, UTC: what `expires:` means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const SECONDS: u64 = 24 * 3600;
/// Days of 400 years, after which the calendar repeats itself.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// A day, from 1970-01-01 to 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// The day in which this moment lies, a time since 1970-01-01T00:00:00Z.
    pub fn of(unix: Duration) -> Self {
        Day(u32::try_from(unix.as_secs() / SECONDS).unwrap_or(u32::MAX))
    }

    /// The month it lies in, counted from January of the year 0.
    pub fn month(self) -> u32 {
        let (year, month, _) = self.civil();
        u32::try_from(year * 12 + month - 1).unwrap_or(u32::MAX)
    }

    /// When the day after it begins, since 1970-01-01T00:00:00Z.
    pub fn end(self) -> Duration {
        Duration::from_secs((u64::from(self.0) + 1) * SECONDS)
    }

    /// When the month it lies in began.
    pub fn month_start(self) -> Duration {
        let (_, _, day) = self.civil();
        Duration::from_secs((u64::from(self.0) + 1).saturating_sub(u64::try_from(day).unwrap_or(1)) * SECONDS)
    }

    /// Days from `earlier` to this one; none if it is later.
    pub fn since(self, earlier: Day) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl FromStr for Day {
    type Err = ();

    /// `2026-12-31`, and only a day that exists.
    fn from_str(text: &str) -> Result<Self, ()> {
        let shape = text.bytes().map(|it| if it.is_ascii_digit() { b'0' } else { it });
        if !shape.eq("0000-00-00".bytes()) {
            return Err(());
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().map_err(|_| ());
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(());
        }
        // Years begin in March, so that the leap day is the last of its year.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let day_of_year = (153 * month + 2) / 5 + day - 1;
        let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + day_of_year;
        let found = Day(u32::try_from(year / 400 * ERA_DAYS + day_of_era - EPOCH_DAYS).map_err(|_| ())?);
        // A day that does not exist, as 31 April, is another one when it is shown.
        if found.to_string() == text { Ok(found) } else { Err(()) }
    }
}

impl Day {
    /// Year, month from 1, day from 1.
    fn civil(self) -> (i64, i64, i64) {
        let days = i64::from(self.0) + EPOCH_DAYS;
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        (era * 400 + year_of_era + later, month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1970-03-01", 59),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-12-31", 20_818),
            ("2100-02-28", 47_540),
            ("2100-03-01", 47_541),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(text.parse(), Ok(Day(days)), "{text}");
            assert_eq!(Day(days).to_string(), text);
        }
        for days in 0..60_000 {
            assert_eq!(Day(days).to_string().parse(), Ok(Day(days)));
        }
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let day: Day = "1970-01-02".parse().unwrap();
        assert_eq!(Day::of(Duration::from_secs(SECONDS)), day);
        assert_eq!(Day::of(Duration::from_secs(2 * SECONDS - 1)), day);
        assert_eq!(Day::of(Duration::from_secs(2 * SECONDS)).since(day), 1);
    }

    #[test]
    fn months_begin_where_the_calendar_says() {
        let days = [("2026-11-22", "2026-11-01"), ("2026-12-31", "2026-12-01"), ("2028-02-29", "2028-02-01")];
        for (text, first) in days {
            let day: Day = text.parse().unwrap();
            assert_eq!(Day::of(day.month_start()).to_string(), first);
            assert_eq!(Day::of(day.end()).since(day), 1);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-2-3",
            "2026-02-29",
            "2026-04-31",
            "2026-13-01",
            "2026-00-10",
            "1969-12-31",
            "2026/01/01",
            "２026-01-01",
        ] {
            assert_eq!(text.parse::<Day>(), Err(()), "{text}");
        }
    }
}
