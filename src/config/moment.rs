//! A moment to the second, UTC: what `until` means behind the digest of a gateway key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Day;

const DAY_SECONDS: u64 = 24 * 3600;

/// A moment, seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// This moment, a time since 1970-01-01T00:00:00Z; the next second where it lies between two.
    pub fn of(unix: Duration) -> Self {
        Moment(unix.as_secs() + u64::from(unix.subsec_nanos() > 0))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Moment {
    type Err = ();

    /// `2026-12-31T12:00:00Z`, and only a moment that exists.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (day, time) = text.split_once('T').ok_or(())?;
        let day: Day = day.parse()?;
        let shape = time.bytes().map(|it| if it.is_ascii_digit() { b'0' } else { it });
        if !shape.eq("00:00:00Z".bytes()) {
            return Err(());
        }
        let number = |range: std::ops::Range<usize>| time[range].parse::<u64>().map_err(|_| ());
        let (hours, minutes, seconds) = (number(0..2)?, number(3..5)?, number(6..8)?);
        match hours < 24 && minutes < 60 && seconds < 60 {
            true => Ok(Moment(day.end().as_secs() - DAY_SECONDS + hours * 3600 + minutes * 60 + seconds)),
            false => Err(()),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 % DAY_SECONDS;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}T{hours:02}:{minutes:02}:{seconds:02}Z", Day::of(Duration::from_secs(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        for (text, seconds) in [("1970-01-01T00:00:00Z", 0), ("2027-01-15T08:00:01Z", 1_800_000_001)] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!((moment.seconds(), moment.to_string()), (seconds, text.to_owned()));
        }
        assert_eq!(Moment::of(Duration::from_millis(1)).seconds(), 1, "nothing ends before its time");
        for text in [
            "",
            "2027-01-15",
            "2027-01-15T24:00:00Z",
            "2027-02-30T00:00:00Z",
            "2027-01-15T08:00Z",
            "2027-01-15T08:00:01",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
