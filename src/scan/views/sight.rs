//! What stands at a place of a text: a character that hides others, an escape of source code or markup, or the joint
//! between two string literals.

/// Bytes that are searched at once.
const WINDOW_BYTES: usize = 256;
/// Longest joint, bytes.
const JOINT_BYTES_MAX: usize = 160;
/// Signs of an operator that joins strings: `+`, `++`, `..`, `<>`, or a continued line.
const JOINT_SIGNS_MAX: usize = 3;
/// Backslashes before one escape: each further level of quoting doubles them.
const BACKSLASHES_MAX: usize = 8;
/// Longest character reference, bytes.
const REFERENCE_BYTES_MAX: usize = 8;

/// What stands at a place where something may be hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nothing of the kind.
    Plain,
    /// So many bytes that stand for this ASCII byte, or for nothing.
    Edit(usize, Option<u8>),
    /// More bytes are needed to tell.
    Unclear,
}

/// Index of the next byte with which something hidden may begin.
pub(super) fn next_suspect(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    for window in text.chunks(WINDOW_BYTES) {
        let found = if window.is_ascii() {
            let first = memchr::memchr3(b'%', b'\\', b'&', window);
            memchr::memchr3(b'"', b'\'', b'`', &window[..first.unwrap_or(window.len())]).or(first)
        } else {
            window.iter().position(|&byte| SUSPECTS[usize::from(byte)])
        };
        if let Some(at) = found {
            return Some(from + at);
        }
        from += window.len();
    }
    None
}

/// What stands at the beginning of `text`, behind the byte `previous`.
pub(super) fn sight(text: &[u8], previous: u8) -> Sight {
    match text.first() {
        Some(b'%') => percent(text),
        Some(b'\\') => escape(text),
        Some(b'&') => reference(text),
        Some(b'"' | b'\'' | b'`') => joint(text, previous),
        _ => character(text),
    }
}

const SUSPECTS: [bool; 256] = {
    let first = b"%\\&\"'`\xC2\xCD\xD8\xE1\xE2\xEF\xF0\xF3";
    let mut suspects = [false; 256];
    let mut index = 0;
    while index < first.len() {
        suspects[first[index] as usize] = true;
        index += 1;
    }
    suspects
};

fn percent(text: &[u8]) -> Sight {
    match *text {
        [_, high, low, ..] => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => Sight::Edit(3, Some(high << 4 | low)),
            _ => Sight::Plain,
        },
        [_, high] if hex(high).is_none() => Sight::Plain,
        _ => Sight::Unclear,
    }
}

/// `\u0041`, `\x41` and a backslash at the end of a line.
fn escape(text: &[u8]) -> Sight {
    let slashes = text.iter().take(BACKSLASHES_MAX + 1).take_while(|&&byte| byte == b'\\').count();
    if slashes > BACKSLASHES_MAX {
        return Sight::Plain;
    }
    match text[slashes..] {
        [] | [b'\r'] => Sight::Unclear,
        [b'\n', ..] => Sight::Edit(slashes + 1, None),
        [b'\r', b'\n', ..] => Sight::Edit(slashes + 2, None),
        [b'u', ref digits @ ..] => escaped(slashes + 1, digits, 4),
        [b'x', ref digits @ ..] => escaped(slashes + 1, digits, 2),
        _ => Sight::Plain,
    }
}

fn escaped(before: usize, digits: &[u8], count: usize) -> Sight {
    let given = &digits[..digits.len().min(count)];
    if !given.iter().all(u8::is_ascii_hexdigit) {
        return Sight::Plain;
    }
    if given.len() < count {
        return Sight::Unclear;
    }
    let code = given.iter().fold(0u32, |code, &digit| code << 4 | u32::from(hex(digit).unwrap_or(0)));
    visible(before + count, code)
}

/// `&#65;` and `&#x41;`.
fn reference(text: &[u8]) -> Sight {
    let given = &text[..text.len().min(REFERENCE_BYTES_MAX)];
    if given.get(1).is_some_and(|&byte| byte != b'#') {
        return Sight::Plain;
    }
    let Some(end) = memchr::memchr(b';', given) else {
        return if given.len() < REFERENCE_BYTES_MAX { Sight::Unclear } else { Sight::Plain };
    };
    let code = match given.get(2..end) {
        Some([b'x' | b'X', digits @ ..]) => number(digits, 16),
        Some(digits) => number(digits, 10),
        None => None,
    };
    code.map_or(Sight::Plain, |code| visible(end + 1, code))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn visible(length: usize, code: u32) -> Sight {
    match u8::try_from(code) {
        Ok(byte @ 0x20..0x7F) => Sight::Edit(length, Some(byte)),
        _ => Sight::Plain,
    }
}

/// `" + "` and its like: the literals on both sides are one text when the program runs.
fn joint(text: &[u8], previous: u8) -> Sight {
    if !is_token(previous) {
        return Sight::Plain;
    }
    let mut signs = 0;
    for (index, &byte) in text.iter().enumerate().take(JOINT_BYTES_MAX).skip(1) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'+' | b'.' | b'&' | b'<' | b'>' | b'|' | b'\\' if signs < JOINT_SIGNS_MAX => signs += 1,
            b'"' | b'\'' | b'`' => {
                return match text.get(index + 1) {
                    None => Sight::Unclear,
                    Some(&next) if is_token(next) => Sight::Edit(index + 1, None),
                    Some(_) => Sight::Plain,
                };
            }
            _ => return Sight::Plain,
        }
    }
    if text.len() < JOINT_BYTES_MAX { Sight::Unclear } else { Sight::Plain }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'+')
}

/// Invisible characters, and other forms of ASCII.
fn character(text: &[u8]) -> Sight {
    match *text {
        [0xC2, 0xAD, ..] | [0xCD, 0x8F, ..] | [0xD8, 0x9C, ..] => Sight::Edit(2, None),
        [0xE1, 0xA0, 0x8E, ..] => Sight::Edit(3, None),
        [0xE2, 0x80, 0x8B..=0x8F | 0xAA..=0xAE, ..] | [0xE2, 0x81, 0xA0..=0xAF, ..] => Sight::Edit(3, None),
        [0xEF, 0xBB, 0xBF, ..] | [0xEF, 0xB8, 0x80..=0x8F, ..] => Sight::Edit(3, None),
        [0xEF, 0xBC, last @ 0x81..=0xBF, ..] => Sight::Edit(3, Some(last - 0x60)),
        [0xEF, 0xBD, last @ 0x80..=0x9E, ..] => Sight::Edit(3, Some(last - 0x20)),
        [0xF0, 0x9D, third, fourth, ..] => mathematical(third, fourth),
        [0xF3, 0xA0, third @ (0x80 | 0x81), fourth, ..] => {
            let ascii = (third & 1) << 6 | (fourth & 0x3F);
            Sight::Edit(4, (0x20..0x7F).contains(&ascii).then_some(ascii))
        }
        [0xF3, 0xA0, 0x84..=0x87, _, ..] => Sight::Edit(4, None),
        [0xC2 | 0xCD | 0xD8] | [0xE1] | [0xE1, 0xA0] | [0xE2 | 0xEF] | [0xE2 | 0xEF, _] => Sight::Unclear,
        [0xF0 | 0xF3] | [0xF0, 0x9D] | [0xF0, 0x9D, _] | [0xF3, 0xA0] | [0xF3, 0xA0, _] => Sight::Unclear,
        _ => Sight::Plain,
    }
}

/// Letters and digits of the mathematical alphabets, U+1D400 on: bold, script, monospace and so on.
fn mathematical(third: u8, fourth: u8) -> Sight {
    let code = 0x1D000 | u32::from(third & 0x3F) << 6 | u32::from(fourth & 0x3F);
    let ascii = match code {
        0x1D400..=0x1D6A3 => match ((code - 0x1D400) % 52) as u8 {
            upper @ 0..26 => b'A' + upper,
            lower => b'a' + lower - 26,
        },
        0x1D7CE..=0x1D7FF => b'0' + ((code - 0x1D7CE) % 10) as u8,
        _ => return Sight::Plain,
    };
    Sight::Edit(4, Some(ascii))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Sight) {
        assert_eq!(sight(text.as_bytes(), b'a'), expected, "{text:?}");
        let Sight::Edit(length, _) = expected else { return };
        for cut in 1..length {
            assert_eq!(sight(&text.as_bytes()[..cut], b'a'), Sight::Unclear, "{cut} bytes of {text:?}");
        }
    }

    #[test]
    fn escapes_and_references() {
        check(r"\u0041K", Sight::Edit(6, Some(b'A')));
        check(r"\\\\u0041K", Sight::Edit(9, Some(b'A')));
        check(r"\x41K", Sight::Edit(4, Some(b'A')));
        check(r"\u00e9", Sight::Plain);
        check(r"\n", Sight::Plain);
        check("\\\nK", Sight::Edit(2, None));
        check("\\\r\nK", Sight::Edit(3, None));
        check("&#65;", Sight::Edit(5, Some(b'A')));
        check("&#x41;", Sight::Edit(6, Some(b'A')));
        check("&amp;", Sight::Plain);
        check("&#;", Sight::Plain);
        check("%41", Sight::Edit(3, Some(b'A')));
        check("%s", Sight::Plain);
    }

    #[test]
    fn joints_stand_between_two_literals_with_text_in_them() {
        for joint in ["\"+\"", "\" + \"", "' + '", "\"\n\t+ \"", "\" .. \"", "\" \"", "\" \\\n  \"", "` ++ `", "\"\""] {
            let text = format!("{joint}K");
            assert_eq!(sight(text.as_bytes(), b'a'), Sight::Edit(joint.len(), None), "{joint:?}");
            assert_eq!(sight(text.as_bytes(), b'='), Sight::Plain, "{joint:?}");
        }
        for other in ["\", \"K", "\" + name", "\" + \"\"", "\": \"K", "'s \"K", "\" ++++ \"K"] {
            check(other, Sight::Plain);
        }
        check(&format!("\"{}", " ".repeat(JOINT_BYTES_MAX)), Sight::Plain);
    }

    #[test]
    fn characters() {
        for invisible in ["\u{ad}", "\u{34f}", "\u{61c}", "\u{200b}", "\u{202e}", "\u{2066}", "\u{fe0f}", "\u{e0100}"] {
            check(invisible, Sight::Edit(invisible.len(), None));
        }
        check("\u{1d468}", Sight::Edit(4, Some(b'A')));
        check("\u{1d7d9}", Sight::Edit(4, Some(b'1')));
        check("\u{1f600}", Sight::Plain);
        check("\u{ff21}", Sight::Edit(3, Some(b'A')));
        check("“", Sight::Plain);
    }

    #[test]
    fn suspects_are_found_in_every_window() {
        for before in [0, 1, 255, 256, 257, 1000] {
            for sign in ["%", "\"", "\u{200b}", "é\u{ad}"] {
                let text = format!("{}{sign}", "a".repeat(before));
                let at = before + if sign.starts_with('é') { 2 } else { 0 };
                assert_eq!(next_suspect(text.as_bytes()), Some(at), "{before} {sign:?}");
            }
        }
        assert_eq!(next_suspect("plain text".as_bytes()), None);
    }
}
