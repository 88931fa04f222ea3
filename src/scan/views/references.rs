//! Character references of HTML and XML: numbers, and the names that stand for ASCII or for nothing visible.

use super::letters::{INVISIBLE, stands_for};
use super::sight::{Sight, number};

/// Longest reference, bytes, its `&` and `;` included.
const REFERENCE_BYTES_MAX: usize = 18;
/// Digits of a number, leading zeros included.
const DIGITS_MAX: usize = 8;

/// Names, and what they stand for; sorted.
const NAMES: &[(&str, u8)] = &[
    ("AMP", b'&'),
    ("GT", b'>'),
    ("Hat", b'^'),
    ("LT", b'<'),
    ("NewLine", b'\n'),
    ("NoBreak", INVISIBLE),
    ("NonBreakingSpace", b' '),
    ("QUOT", b'"'),
    ("Tab", b'\t'),
    ("UnderBar", b'_'),
    ("VerticalLine", b'|'),
    ("ZeroWidthSpace", INVISIBLE),
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dash", b'-'),
    ("dollar", b'$'),
    ("emsp", b' '),
    ("ensp", b' '),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("hyphen", b'-'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("midast", b'*'),
    ("nbsp", b' '),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("shy", INVISIBLE),
    ("sol", b'/'),
    ("thinsp", b' '),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("zwj", INVISIBLE),
    ("zwnj", INVISIBLE),
];

/// `&#65;`, `&#x41;`, `&lowbar;`. Browsers read numbers without the semicolon, too.
pub(super) fn reference(text: &[u8]) -> Sight {
    match text {
        [_] | [_, b'#'] | [_, b'#', b'x' | b'X'] => Sight::Unclear,
        [_, b'#', b'x' | b'X', digits @ ..] => numeric(3, digits, 16),
        [_, b'#', digits @ ..] => numeric(2, digits, 10),
        _ => named(text),
    }
}

fn numeric(before: usize, digits: &[u8], radix: u32) -> Sight {
    let is_digit = |digit: &&u8| char::from(**digit).is_digit(radix);
    let count = digits.iter().take(DIGITS_MAX + 1).take_while(is_digit).count();
    match digits.get(count) {
        _ if count > DIGITS_MAX => Sight::Plain,
        None => Sight::Unclear,
        _ if count == 0 => Sight::Plain,
        Some(b';') => stands_for(before + count + 1, number(&digits[..count], radix)),
        Some(_) => stands_for(before + count, number(&digits[..count], radix)),
    }
}

fn named(text: &[u8]) -> Sight {
    let count = text[1..].iter().take(REFERENCE_BYTES_MAX - 1).take_while(|byte| byte.is_ascii_alphabetic()).count();
    match text.get(1 + count) {
        _ if count > REFERENCE_BYTES_MAX - 2 => Sight::Plain,
        None => Sight::Unclear,
        Some(b';') => match NAMES.binary_search_by(|(name, _)| name.as_bytes().cmp(&text[1..=count])) {
            Ok(found) => Sight::Edit(count + 2, Some(NAMES[found].1).filter(|&byte| byte != INVISIBLE)),
            Err(_) => Sight::Plain,
        },
        Some(_) => Sight::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(NAMES.iter().all(|(name, _)| name.len() <= REFERENCE_BYTES_MAX - 2));
    }

    #[test]
    fn references_are_read_whole() {
        for (text, byte) in [
            ("&#65;", Some(b'A')),
            ("&#x41;", Some(b'A')),
            ("&#0000065;", Some(b'A')),
            ("&lowbar;", Some(b'_')),
            ("&commat;", Some(b'@')),
            ("&amp;", Some(b'&')),
            ("&ZeroWidthSpace;", None),
            ("&#8203;", None),
            ("&#xFF21;", Some(b'A')),
        ] {
            assert_eq!(reference(text.as_bytes()), Sight::Edit(text.len(), byte), "{text}");
            for cut in 1..text.len() {
                assert_eq!(reference(&text.as_bytes()[..cut]), Sight::Unclear, "{cut} bytes of {text}");
            }
        }
        assert_eq!(reference(b"&#65 "), Sight::Edit(4, Some(b'A')));
        for text in ["&#;", "&eacute;", "&#233;", "&a=1&b=2", "&#123456789;", "&averylongnameindeed;", "& "] {
            assert_eq!(reference(text.as_bytes()), Sight::Plain, "{text}");
        }
    }
}
