//! Foreign words in alerts: bounded, on one line, and without characters that hide or turn text around.

use jiff::Timestamp;

/// `text` on one line, at most `chars_max` characters, `…` for what was cut.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let mut characters = text.chars().map(|it| if harmful(it) { ' ' } else { it });
    let mut kept: String = characters.by_ref().take(chars_max).collect();
    if characters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// Control characters, line ends, invisible ones, and those that change the direction of writing.
fn harmful(it: char) -> bool {
    let invisible = matches!(it, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let turning = matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}');
    it.is_control() || invisible || turning || matches!(it, '\u{2028}' | '\u{2029}')
}

/// A moment as machines read it: `2026-11-22T14:02:07.123Z`.
pub(super) fn timestamp(unix_ms: u64) -> String {
    format!("{:.3}", moment(unix_ms))
}

/// A moment as people read it: `2026-11-22 14:02 UTC`.
pub(super) fn minute(unix_ms: u64) -> String {
    moment(unix_ms).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn moment(unix_ms: u64) -> Timestamp {
    i64::try_from(unix_ms).ok().and_then(|it| Timestamp::from_millisecond(it).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A path segment in which every byte that means something to an address is escaped.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_stays_on_its_line() {
        assert_eq!(clean("abc", 3), "abc");
        assert_eq!(clean("abcd", 3), "ab…");
        assert_eq!(clean("ä\r\nb\u{202e}c\u{200b}\u{2028}", 9), "ä  b c  ");
        assert_eq!(clean("", 0), "");
        assert_eq!(clean("x", 0), "…");
    }

    #[test]
    fn moments_and_segments_are_written_out() {
        assert_eq!(timestamp(1_764_000_000_007), "2025-11-24T16:00:00.007Z");
        assert_eq!(minute(1_764_000_059_999), "2025-11-24 16:00 UTC");
        assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.000Z");
        assert_eq!(segment("a/b?c=.é"), "a%2Fb%3Fc%3D%2E%C3%A9");
    }
}
