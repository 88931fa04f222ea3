//! Dates as identifiers and birthdays write them. There is no clock here: a birth year is judged by fixed bounds.

/// Birth years that a date with a name (`dob: …`) may have.
const BIRTH_YEARS: std::ops::RangeInclusive<u32> = 1900..=2030;

/// Whether the calendar has the day. `year` matters for 29 February only.
pub(super) fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether a year of two digits and month and day are a date in either century.
pub(super) fn is_short_day(year: u32, month: u32, day: u32) -> bool {
    is_day(1900 + year, month, day) || is_day(2000 + year, month, day)
}

/// Whether `text` is a day on which somebody alive can have been born: `1985-03-12`, `12.03.1985`, `3/12/85`,
/// `12 March 1985`, `March 12, 1985`, `19850312`.
pub(super) fn is_birthday(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let parts: Vec<&str> = text
        .split(|it: char| !it.is_alphanumeric())
        .filter(|it| !it.is_empty() && !matches!(*it, "of" | "de"))
        .collect();
    match parts[..] {
        [whole] if whole.len() == 8 => match (number(&whole[..4]), number(&whole[4..6]), number(&whole[6..])) {
            (Some(year), Some(month), Some(day)) => is_birth(year, month, day),
            _ => false,
        },
        [first, second, third] => is_birthday_of(first, second, third),
        _ => false,
    }
}

fn is_birthday_of(first: &str, second: &str, third: &str) -> bool {
    if let (Some(day), Some(month), Some(year)) = (ordinal(first), month(second), full_year(third)) {
        return is_birth(year, month, day);
    }
    if let (Some(month), Some(day), Some(year)) = (month(first), ordinal(second), full_year(third)) {
        return is_birth(year, month, day);
    }
    let (Some(a), Some(b), Some(c)) = (number(first), number(second), number(third)) else { return false };
    if first.len() == 4 {
        return is_birth(a, b, c);
    }
    full_year(third).is_some_and(|year| is_birth(year, a, b) || is_birth(year, b, a)) && (third.len() != 3) && c < 9999
}

/// A year of four digits, or of two, which stand for the last hundred years.
fn full_year(text: &str) -> Option<u32> {
    match (text.len(), number(text)?) {
        (4, year) => Some(year),
        (2, year @ 0..=30) => Some(2000 + year),
        (2, year) => Some(1900 + year),
        _ => None,
    }
}

fn is_birth(year: u32, month: u32, day: u32) -> bool {
    // Every example of a date format begins with one of these days.
    let sample = matches!((year, month, day), (1900 | 1970 | 2000, 1, 1));
    BIRTH_YEARS.contains(&year) && is_day(year, month, day) && !sample
}

fn number(text: &str) -> Option<u32> {
    let digits = (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// `12`, `12th`, `1st`.
fn ordinal(text: &str) -> Option<u32> {
    number(text.trim_end_matches(|it: char| it.is_ascii_alphabetic())).filter(|day| *day <= 31)
}

/// A month by its first three letters: English, German, French, Spanish, Italian, Portuguese, Dutch, Polish.
fn month(text: &str) -> Option<u32> {
    const NAMES: [&[&str]; 12] = [
        &["jan", "ene", "gen", "sty", "jän"],
        &["feb", "fév", "fev", "lut"],
        &["mar", "mrt", "mär"],
        &["apr", "avr", "abr", "kwi"],
        &["may", "mai", "mag", "mei", "maj"],
        &["jun", "giu", "cze"],
        &["jul", "lug", "lip"],
        &["aug", "aou", "ago", "sie"],
        &["sep", "set", "wrz"],
        &["oct", "okt", "ott", "out", "paz"],
        &["nov", "lis"],
        &["dec", "dez", "dic", "déc", "gru"],
    ];
    let text = text.to_lowercase();
    if text.starts_with("juin") {
        return Some(6);
    }
    let place = NAMES.iter().position(|names| names.iter().any(|name| text.starts_with(name)))?;
    u32::try_from(place + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_birth() {
        for text in [
            "1985-03-12",
            "12.03.1985",
            "12/31/1985",
            "31/12/1985",
            "3/9/85",
            "12 March 1985",
            "March 12, 1985",
            "12th of May 1985",
            "19850312",
            "29-02-2000",
            "7 juin 1960",
            "1. März 1990",
        ] {
            assert!(is_birthday(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_numbers() {
        for text in [
            "",
            "1985",
            "1985-13-12",
            "30.02.1985",
            "1785-03-12",
            "2085-03-12",
            "1970-01-01",
            "12/31/198",
            "99999999",
            "12 foo 1985",
            "1.2.3",
            "31/31/1985",
        ] {
            assert!(!is_birthday(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        assert!(is_day(2024, 2, 29) && !is_day(2023, 2, 29) && !is_day(1900, 2, 29));
        assert!(is_short_day(0, 2, 29) && !is_short_day(1, 2, 29) && !is_short_day(1, 0, 1));
    }
}
