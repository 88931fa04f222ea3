//! What stands at a place of a text: a character that hides others, an escape of source code or markup, or the joint
//! between two string literals.

use super::letters::{self, is_token};
use super::references::reference;

/// Bytes that are searched at once.
const BLOCK_BYTES: usize = 32;
/// Longest joint, bytes.
const JOINT_BYTES_MAX: usize = 160;
/// Signs of an operator that joins strings: `+`, `++`, `..`, `<>`, or a continued line.
const JOINT_SIGNS_MAX: usize = 3;
/// Longest name of a variable that a literal is appended to, bytes.
const NAME_BYTES_MAX: usize = 32;
/// Backslashes before one escape: each further level of quoting doubles them.
const BACKSLASHES_MAX: usize = 8;
/// Digits between the braces of an escape.
const BRACED_DIGITS_MAX: usize = 6;

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
    let mut at = 0;
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<BLOCK_BYTES>()) {
        let (any, marks) = marked(block);
        if any {
            for (index, eight) in marks.as_chunks::<8>().0.iter().enumerate() {
                let mut eight = u64::from_le_bytes(*eight);
                while eight != 0 {
                    let found = at + 8 * index + (eight.trailing_zeros() / 8) as usize;
                    if is_suspect(text, found) {
                        return Some(found);
                    }
                    eight &= eight - 1;
                }
            }
        }
        at += BLOCK_BYTES;
    }
    (at..text.len()).find(|&index| is_suspect(text, index))
}

/// Marks each byte that may be a suspect with a one. Written so that a compiler does many bytes at once: `#` and `$` are
/// marked for a comparison less.
fn marked(block: &[u8; BLOCK_BYTES]) -> (bool, [u8; BLOCK_BYTES]) {
    let mut marks = [0; BLOCK_BYTES];
    let mut any = 0;
    for (mark, &byte) in marks.iter_mut().zip(block) {
        let quotes = u8::from(byte.wrapping_sub(b'"') <= b'\'' - b'"');
        *mark = byte >> 7 | quotes | u8::from(byte == b'\\') | u8::from(byte == b'`') | u8::from(byte == 0);
        any |= *mark;
    }
    (any != 0, marks)
}

/// Most suspects are cleared by the byte behind them.
#[inline]
fn is_suspect(text: &[u8], index: usize) -> bool {
    let asked = SUSPECTS[usize::from(text[index])];
    asked != 0 && text.get(index + 1).is_none_or(|&next| asked & FOLLOWERS[usize::from(next)] != 0)
}

const PERCENT: u8 = 1;
const ESCAPE: u8 = 2;
const REFERENCE: u8 = 4;
const JOINT: u8 = 8;
const CHARACTER: u8 = 16;
const ZERO: u8 = 32;

/// Per byte with which something hidden may begin: its kind.
const SUSPECTS: [u8; 256] = {
    let mut suspects = [0; 256];
    let mut index = 0;
    while index < letters::FIRST.len() {
        suspects[letters::FIRST[index] as usize] = CHARACTER;
        index += 1;
    }
    suspects[0] = ZERO;
    suspects[b'%' as usize] = PERCENT;
    suspects[b'\\' as usize] = ESCAPE;
    suspects[b'&' as usize] = REFERENCE;
    suspects[b'"' as usize] = JOINT;
    suspects[b'\'' as usize] = JOINT;
    suspects[b'`' as usize] = JOINT;
    suspects
};

/// Per byte: the kinds that it may be the second byte of.
const FOLLOWERS: [u8; 256] = {
    let mut followers = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let at = byte as u8;
        let mut kinds = if at >= 0x80 { ZERO | CHARACTER } else { ZERO };
        if at.is_ascii_hexdigit() {
            kinds |= PERCENT;
        }
        if at.is_ascii_alphabetic() || at == b'#' {
            kinds |= REFERENCE;
        }
        if matches!(at, b'\\' | b'u' | b'U' | b'x' | b'0' | b'1' | b'n' | b't' | b'r' | b'"' | b'\'' | b'\n' | b'\r') {
            kinds |= ESCAPE;
        }
        if is_space(at) || is_sign(at) || is_quote(at) || at == b';' {
            kinds |= JOINT;
        }
        followers[byte] = kinds;
        byte += 1;
    }
    followers
};

/// What stands at the beginning of `text`, behind the byte `previous`.
pub(super) fn sight(text: &[u8], previous: u8) -> Sight {
    match text.first() {
        // Every second byte of a text in UTF-16 that was taken for another.
        Some(0) => Sight::Edit(1, None),
        Some(b'%') => percent(text),
        Some(b'\\') => escape(text),
        Some(b'&') => reference(text),
        Some(b'"' | b'\'' | b'`') => joint(text, previous),
        _ => letters::character(text, previous),
    }
}

fn percent(text: &[u8]) -> Sight {
    match *text {
        [_, high, low, ..] => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => Sight::Edit(3, Some(high << 4 | low).filter(|&byte| byte != 0)),
            _ => Sight::Plain,
        },
        [_, high] if hex(high).is_none() => Sight::Plain,
        _ => Sight::Unclear,
    }
}

/// `\u0041`, `\u{41}`, `\x41`, `\101`, a backslash at the end of a line, and of the others those that touch a word:
/// `\nAKIA…`, `{\"password\":…`.
fn escape(text: &[u8]) -> Sight {
    let slashes = text.iter().take(BACKSLASHES_MAX + 1).take_while(|&&byte| byte == b'\\').count();
    if slashes > BACKSLASHES_MAX {
        return Sight::Plain;
    }
    match text[slashes..] {
        [] | [b'\r'] => Sight::Unclear,
        [b'\n', ..] => Sight::Edit(slashes + 1, None),
        [b'\r', b'\n', ..] => Sight::Edit(slashes + 2, None),
        [b'u' | b'x'] => Sight::Unclear,
        [b'u' | b'x', b'{', ref digits @ ..] => braced(slashes + 2, digits),
        [b'u', ref digits @ ..] => escaped(slashes + 1, digits, 4, 16),
        [b'U', ref digits @ ..] => escaped(slashes + 1, digits, 8, 16),
        [b'x', ref digits @ ..] => escaped(slashes + 1, digits, 2, 16),
        [b'0' | b'1', ..] => escaped(slashes, &text[slashes..], 3, 8),
        [sign @ (b'"' | b'\''), ..] => Sight::Edit(slashes + 1, Some(sign)),
        [b'n' | b't' | b'r'] => Sight::Unclear,
        [b'n', next, ..] if is_token(next) => Sight::Edit(slashes + 1, Some(b'\n')),
        [b't' | b'r', next, ..] if is_token(next) => Sight::Edit(slashes + 1, Some(b'\t')),
        _ => Sight::Plain,
    }
}

fn escaped(before: usize, digits: &[u8], count: usize, radix: u32) -> Sight {
    let given = &digits[..digits.len().min(count)];
    if !given.iter().all(|&digit| char::from(digit).is_digit(radix)) {
        return Sight::Plain;
    }
    if given.len() < count {
        return Sight::Unclear;
    }
    letters::stands_for(before + count, number(given, radix))
}

fn braced(before: usize, digits: &[u8]) -> Sight {
    let given = digits.iter().take(BRACED_DIGITS_MAX + 1).take_while(|digit| digit.is_ascii_hexdigit()).count();
    match digits.get(given) {
        _ if given > BRACED_DIGITS_MAX => Sight::Plain,
        None => Sight::Unclear,
        Some(b'}') if given > 0 => letters::stands_for(before + given + 1, number(&digits[..given], 16)),
        Some(_) => Sight::Plain,
    }
}

/// The value of at most eight digits.
pub(super) fn number(digits: &[u8], radix: u32) -> u32 {
    let value = |&digit: &u8| char::from(digit).to_digit(radix).unwrap_or(0);
    digits.iter().map(value).fold(0u32, |number, digit| number.wrapping_mul(radix).wrapping_add(digit))
}

/// `" + "` and its like: the literals on both sides are one text when the program runs. Also `"; key += "`, and
/// `".concat("`.
fn joint(text: &[u8], previous: u8) -> Sight {
    if !is_token(previous) {
        return Sight::Plain;
    }
    let (mut signs, mut index) = (0, 1);
    while let Some(&byte) = text.get(index) {
        match byte {
            _ if index >= JOINT_BYTES_MAX => return Sight::Plain,
            _ if is_space(byte) => {}
            _ if is_quote(byte) => return joint_end(text, index),
            _ if is_sign(byte) && signs < JOINT_SIGNS_MAX => signs += 1,
            b'c' if signs == 1 && text[index - 1] == b'.' => return concatenation(text, index),
            b';' if signs == 0 => return appended(text, index + 1),
            _ if signs == 0 && text[..index].contains(&b'\n') => return appended(text, index),
            _ => return Sight::Plain,
        }
        index += 1;
    }
    Sight::Unclear
}

/// The quote at `index` begins another literal.
fn joint_end(text: &[u8], index: usize) -> Sight {
    match text.get(index + 1) {
        None => Sight::Unclear,
        Some(&next) if is_token(next) => Sight::Edit(index + 1, None),
        Some(_) => Sight::Plain,
    }
}

/// The rest of `.concat("`.
fn concatenation(text: &[u8], index: usize) -> Sight {
    let call = b"concat(";
    let given = &text[index..text.len().min(index + call.len())];
    match text.get(index + call.len()) {
        _ if !call.starts_with(given) => Sight::Plain,
        None => Sight::Unclear,
        Some(&quote) if is_quote(quote) => joint_end(text, index + call.len()),
        Some(_) => Sight::Plain,
    }
}

/// `key += "`: a statement that appends a literal.
fn appended(text: &[u8], from: usize) -> Sight {
    let rest = &text[from..];
    let spaces = rest.iter().take(JOINT_BYTES_MAX).take_while(|&&byte| is_space(byte)).count();
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let name = rest[spaces..].iter().take(NAME_BYTES_MAX + 1).take_while(is_name).count();
    if name > NAME_BYTES_MAX || spaces == JOINT_BYTES_MAX {
        return Sight::Plain;
    }
    let mut index = from + spaces + name;
    let mut signs = 0;
    while let Some(&byte) = text.get(index) {
        match byte {
            _ if index >= 2 * JOINT_BYTES_MAX => return Sight::Plain,
            b' ' => {}
            b'+' | b'.' if signs == 0 && name > 0 => signs = 1,
            b'=' if signs == 1 => signs = 2,
            _ if signs == 2 && is_quote(byte) => return joint_end(text, index),
            _ => return Sight::Plain,
        }
        index += 1;
    }
    Sight::Unclear
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

const fn is_sign(byte: u8) -> bool {
    matches!(byte, b'+' | b'.' | b'&' | b'<' | b'>' | b'|' | b'\\')
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
        check(r"\u{41}K", Sight::Edit(6, Some(b'A')));
        check(r"\U00000041K", Sight::Edit(10, Some(b'A')));
        check(r"\x41K", Sight::Edit(4, Some(b'A')));
        check(r"\x{41}K", Sight::Edit(6, Some(b'A')));
        check(r"\101K", Sight::Edit(4, Some(b'A')));
        check(r"\u200bK", Sight::Edit(6, None));
        check(r"\uff21K", Sight::Edit(6, Some(b'A')));
        check(r"\nK", Sight::Edit(2, Some(b'\n')));
        check("\\\"K", Sight::Edit(2, Some(b'"')));
        for plain in [r"\u00e9", r"\n.", r"\n ", r"\1 ", r"\u{}", r"\u{1234567}", r"\d+", r"\377"] {
            check(plain, Sight::Plain);
        }
        check("\\\nK", Sight::Edit(2, None));
        check("\\\r\nK", Sight::Edit(3, None));
        check("&#65;", Sight::Edit(5, Some(b'A')));
        check("&amp;", Sight::Edit(5, Some(b'&')));
        check("%41", Sight::Edit(3, Some(b'A')));
        check("%s", Sight::Plain);
    }

    #[test]
    fn joints_stand_between_two_literals_with_text_in_them() {
        let joints = ["\"+\"", "\" + \"", "' + '", "\"\n\t+ \"", "\" .. \"", "\" \"", "\" \\\n  \"", "` ++ `", "\"\""];
        let calls = ["\".concat(\"", "\"; key += \"", "\";\n    this.key += '", "\"\nkey += \"", "';$key .= '"];
        for joint in joints.into_iter().chain(calls) {
            let text = format!("{joint}K");
            assert_eq!(sight(text.as_bytes(), b'a'), Sight::Edit(joint.len(), None), "{joint:?}");
            assert_eq!(sight(text.as_bytes(), b'='), Sight::Plain, "{joint:?}");
            for cut in 1..joint.len() {
                assert_eq!(sight(&text.as_bytes()[..cut], b'a'), Sight::Unclear, "{cut} bytes of {joint:?}");
            }
        }
        for other in [
            "\", \"K",
            "\" + name",
            "\" + \"\"",
            "\": \"K",
            "'s \"K",
            "\" ++++ \"K",
            "\".count(\"K",
            "\"; key = \"K",
            "\"; key + \"K",
            "\";\n\"K",
        ] {
            check(other, Sight::Plain);
        }
        check(&format!("\"{}", " ".repeat(JOINT_BYTES_MAX)), Sight::Plain);
    }

    #[test]
    fn suspects_are_found_in_every_block() {
        for before in [0, 1, 31, 32, 33, 255, 256, 257, 1000] {
            for sign in ["%", "\"", "\u{200b}", "é\u{ad}", "%4", "\\u", "&a", "'+"] {
                let text = format!("{}{sign}", "a".repeat(before));
                let at = before + if sign.starts_with('é') { 2 } else { 0 };
                assert_eq!(next_suspect(text.as_bytes()), Some(at), "{before} {sign:?}");
            }
        }
        assert_eq!(next_suspect("plain text, 5 % of it \"quoted\", a & b, C:\\dir".repeat(9).as_bytes()), None);
    }
}
