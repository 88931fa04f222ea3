//! How moments, numbers and names look on pages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::control::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// `2026-11-23 00:18:29`, UTC.
pub(super) fn moment(at_ms: &u64) -> String {
    let at = i64::try_from(*at_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok());
    at.map_or_else(|| "-".to_owned(), |it| it.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// How long ago a moment was, or how long it is to it.
pub(super) fn ago(now_ms: u64, at_ms: u64) -> String {
    let between = now_ms.abs_diff(at_ms);
    let length = match between {
        0..10_000 => return "just now".to_owned(),
        10_000..MINUTE_MS => format!("{} s", between / 1000),
        MINUTE_MS..HOUR_MS => format!("{} min", between / MINUTE_MS),
        HOUR_MS..DAY_MS => format!("{} h", between / HOUR_MS),
        _ if between / DAY_MS == 1 => "1 day".to_owned(),
        _ => format!("{} days", between / DAY_MS),
    };
    if at_ms > now_ms { format!("in {length}") } else { format!("{length} ago") }
}

/// `12 345`, with thin gaps between thousands.
pub(super) fn number(value: &u64) -> String {
    let digits = value.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// `1.2 M`, for where there is little room.
pub(super) fn short(value: &u64) -> String {
    let scaled = |by: u64, unit: &str| {
        let tenths = *value / (by / 10);
        match tenths {
            0..100 if !tenths.is_multiple_of(10) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
            _ => format!("{} {unit}", tenths / 10),
        }
    };
    match *value {
        0..10_000 => number(value),
        10_000..1_000_000 => scaled(1_000, "k"),
        1_000_000..1_000_000_000 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

/// `policy_author` as people write it.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// Whether a list is there with nothing in it, so that it allows nothing, other than one that is not there.
pub(super) fn is_empty_list(list: &Option<Vec<String>>) -> bool {
    list.as_ref().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_numbers_are_short() {
        let now = 1_800_000_000_000;
        let shown = [now, now - 12_000, now - 5 * MINUTE_MS, now + 3 * HOUR_MS, now - DAY_MS, now - 40 * DAY_MS];
        let shown = shown.map(|it| ago(now, it));
        assert_eq!(shown, ["just now", "12 s ago", "5 min ago", "in 3 h", "1 day ago", "40 days ago"]);
        assert_eq!(moment(&now), "2027-01-15 08:00:00");
        assert_eq!(moment(&u64::MAX), "-");
        assert_eq!(number(&1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([9_999, 12_300, 123_456, 2_000_000].map(|it| short(&it)), ["9\u{202f}999", "12 k", "123 k", "2 M"]);
    }
}
