//! Characters beyond ASCII that read as ASCII or as nothing: invisible ones, other forms of the same letters (full-width,
//! mathematical, enclosed, tags), and letters of other scripts that look alike.

use super::sight::Sight;
use crate::scan::digits::is_word;

/// Characters of a likeness that are looked ahead at, to see whether the word is written in two scripts.
const WORD_CHARS_MAX: usize = 16;
/// In a table: stands for nothing.
pub(super) const INVISIBLE: u8 = 0;

/// First bytes of all characters that are told here.
pub(super) const FIRST: &[u8] =
    b"\xC2\xC4\xC5\xC8\xC9\xCA\xCB\xCC\xCD\xCE\xCF\xD0\xD1\xD2\xD3\xD4\xD5\xD6\xD8\xE1\xE2\xE3\xEA\xEF\xF0\xF3";

/// What a character is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Letter {
    /// Itself.
    Other,
    /// Nothing to see.
    Invisible,
    /// Written over the letter before it.
    Mark,
    /// An ASCII character in other clothes: nobody writes a language with these.
    Form(u8),
    /// A space or a sign behind a letter or digit.
    Sign(u8),
    /// A letter of another script that looks like this one: hides it in a word that has ASCII letters, too.
    Likeness(u8),
}

/// Letters that look alike, as runs of code points; `_` stands for one that does not.
const LIKENESSES: &[(u32, &[u8])] = &[
    (0xB2, b"23______1"),
    (0x131, b"i"),
    (0x17F, b"s"),
    (0x237, b"j"),
    (0x251, b"a"),
    (0x261, b"gg"),
    (0x269, b"i"),
    (0x26A, b"i"),
    (0x274, b"n"),
    (0x280, b"r"),
    (0x28F, b"y"),
    (0x299, b"b"),
    (0x29C, b"h"),
    (0x29F, b"l"),
    (0x2B0, b"h_jr___wy"),
    (0x2E1, b"lsx"),
    (0x391, b"AB__EZH_IK_MN_O_P_TY_X"),
    (0x3B1, b"a___e_n_ik_uv_o_p__tu_x"),
    (0x3F2, b"cj"),
    (0x3F9, b"C"),
    (0x400, b"EE___SIIJ___K_Y"),
    (0x410, b"A_B__E____K_MHO_PCTY_X"),
    (0x430, b"a____e____k_m_o_pcty_x"),
    (0x450, b"ee___siij__hk_y"),
    (0x474, b"Vv"),
    (0x4AE, b"Yy"),
    (0x4BB, b"h"),
    (0x4C0, b"I"),
    (0x4CF, b"l"),
    (0x501, b"d"),
    (0x51A, b"QqWw"),
    (0x566, b"q"),
    (0x570, b"h"),
    (0x578, b"n"),
    (0x57D, b"u"),
    (0x581, b"g"),
    (0x585, b"o"),
    (0x13A0, b"DRT__i____AJE"),
    (0x13B3, b"W___M___H____G__Z"),
    (0x13D2, b"R______VS___L__C__P___K"),
    (0x13F4, b"B"),
    (0x1D00, b"a___cde__jk_m_o"),
    (0x1D18, b"p__tu___vwz"),
    (0x1D43, b"a___bde____g_k_m___op__tu___v"),
    (0x1D9C, b"c"),
    (0x1DA0, b"f"),
    (0x2070, b"0i__456789"),
    (0x207F, b"n0123456789"),
    (0x2102, b"C_______gHHHh_IILl_N___PQRRR______Z___Z__K_BC_eEF_Mo____i"),
    (0x2145, b"Ddeij"),
    (0x2160, b"I___V____X__LCDMi___v____x__lcdm"),
    (0xA4D0, b"BP_DT_GK_J_C_ZF_MNLSR__VH__WXY_A_E_I_OU"),
    (0xA730, b"fs"),
];

/// What stands at the beginning of `text`, behind the byte `previous`.
pub(super) fn character(text: &[u8], previous: u8) -> Sight {
    let Some((code, length)) = decode(text) else {
        return if text.len() < 4 && is_begun(text) { Sight::Unclear } else { Sight::Plain };
    };
    let behind_word = is_word(previous);
    match letter(code) {
        Letter::Other => Sight::Plain,
        Letter::Invisible => Sight::Edit(length, None),
        Letter::Form(byte) => Sight::Edit(length, Some(byte)),
        Letter::Mark if behind_word => Sight::Edit(length, None),
        Letter::Sign(byte) if behind_word => Sight::Edit(length, Some(byte)),
        Letter::Mark | Letter::Sign(_) => Sight::Plain,
        Letter::Likeness(byte) if behind_word => Sight::Edit(length, Some(byte)),
        Letter::Likeness(byte) => likeness(&text[length..], Sight::Edit(length, Some(byte))),
    }
}

/// An escape of so many bytes for a code point.
pub(super) fn stands_for(length: usize, code: u32) -> Sight {
    match (u8::try_from(code), letter(code)) {
        (Ok(byte @ (b'\t' | b'\n' | 0x20..0x7F)), _) => Sight::Edit(length, Some(byte)),
        (_, Letter::Invisible) => Sight::Edit(length, None),
        (_, Letter::Form(byte)) => Sight::Edit(length, Some(byte)),
        _ => Sight::Plain,
    }
}

/// What keys are made of.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'+')
}

/// `edit` if the rest of the word has ASCII letters.
fn likeness(mut rest: &[u8], edit: Sight) -> Sight {
    for _ in 0..WORD_CHARS_MAX {
        match rest.first() {
            None => return Sight::Unclear,
            Some(&byte) if byte.is_ascii() => return if is_word(byte) { edit } else { Sight::Plain },
            Some(_) => {}
        }
        match decode(rest).map(|(code, length)| (letter(code), length)) {
            None => return if rest.len() < 4 && is_begun(rest) { Sight::Unclear } else { Sight::Plain },
            Some((Letter::Likeness(_) | Letter::Invisible | Letter::Mark, length)) => rest = &rest[length..],
            Some((Letter::Form(_), _)) => return edit,
            Some((Letter::Other | Letter::Sign(_), _)) => return Sight::Plain,
        }
    }
    Sight::Plain
}

/// The first character beyond ASCII: its code point and length.
fn decode(text: &[u8]) -> Option<(u32, usize)> {
    let tail = |count: usize| text.get(1..=count).filter(|tail| tail.iter().all(|byte| byte & 0xC0 == 0x80));
    let first = u32::from(*text.first()?);
    let (first, count) = match first {
        0xC2..=0xDF => (first & 0x1F, 1),
        0xE0..=0xEF => (first & 0x0F, 2),
        0xF0..=0xF4 => (first & 0x07, 3),
        _ => return None,
    };
    Some((tail(count)?.iter().fold(first, |code, byte| code << 6 | u32::from(byte & 0x3F)), count + 1))
}

/// Whether more bytes may make a character of these few.
fn is_begun(text: &[u8]) -> bool {
    let [first, tail @ ..] = text else { return true };
    let count = match first {
        0xC2..=0xDF => 1,
        0xE0..=0xEF => 2,
        0xF0..=0xF4 => 3,
        _ => return false,
    };
    tail.len() < count && tail.iter().all(|byte| byte & 0xC0 == 0x80)
}

fn letter(code: u32) -> Letter {
    match code {
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Letter::Sign(b' '),
        0x2010..=0x2012 | 0x2212 | 0xFE63 => Letter::Sign(b'-'),
        0x2024 | 0xFE52 => Letter::Sign(b'.'),
        0x2044 | 0x2215 => Letter::Sign(b'/'),
        0x2236 | 0xFE55 => Letter::Sign(b':'),
        0xFE66 => Letter::Sign(b'='),
        0xFE69 => Letter::Sign(b'$'),
        0xFE6B => Letter::Sign(b'@'),
        0 | 0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180E => Letter::Invisible,
        0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164 => Letter::Invisible,
        0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB | 0x1D173..=0x1D17A => Letter::Invisible,
        0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F => {
            Letter::Mark
        }
        0xFF01..=0xFF5E => Letter::Form((code - 0xFEE0) as u8),
        0xE0020..=0xE007E => Letter::Form((code - 0xE0000) as u8),
        0xE0000..=0xE0FFF => Letter::Invisible,
        0x1D400..=0x1D6A3 => Letter::Form(mathematical(((code - 0x1D400) % 52) as u8)),
        0x1D7CE..=0x1D7FF => Letter::Form(b'0' + ((code - 0x1D7CE) % 10) as u8),
        0x2460..=0x2468 => Letter::Form(b'1' + (code - 0x2460) as u8),
        0x24EA => Letter::Form(b'0'),
        0x249C..=0x24B5 => Letter::Form(b'a' + (code - 0x249C) as u8),
        0x24B6..=0x24CF => Letter::Form(b'A' + (code - 0x24B6) as u8),
        0x24D0..=0x24E9 => Letter::Form(b'a' + (code - 0x24D0) as u8),
        0x1F110..=0x1F129 => Letter::Form(b'A' + (code - 0x1F110) as u8),
        0x1F130..=0x1F149 => Letter::Form(b'A' + (code - 0x1F130) as u8),
        0x1F150..=0x1F169 => Letter::Form(b'A' + (code - 0x1F150) as u8),
        0x1F170..=0x1F189 => Letter::Form(b'A' + (code - 0x1F170) as u8),
        0x1F1E6..=0x1F1FF => Letter::Form(b'A' + (code - 0x1F1E6) as u8),
        _ => alike(code),
    }
}

fn mathematical(index: u8) -> u8 {
    if index < 26 { b'A' + index } else { b'a' + index - 26 }
}

fn alike(code: u32) -> Letter {
    let Some(run) = LIKENESSES.partition_point(|(first, _)| *first <= code).checked_sub(1) else {
        return Letter::Other;
    };
    let (first, letters) = LIKENESSES[run];
    match letters.get((code - first) as usize) {
        None | Some(b'_') => Letter::Other,
        Some(&byte) => Letter::Likeness(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, previous: u8) -> Sight {
        character(text.as_bytes(), previous)
    }

    #[test]
    fn likenesses_are_in_order_and_told_by_their_first_byte() {
        let ends = LIKENESSES.windows(2).all(|pair| pair[0].0 + pair[0].1.len() as u32 <= pair[1].0);
        assert!(ends);
        for code in 0x80..0x11_0000 {
            if letter(code) != Letter::Other
                && let Some(found) = char::from_u32(code)
            {
                let mut bytes = [0; 4];
                assert!(FIRST.contains(&found.encode_utf8(&mut bytes).as_bytes()[0]), "{code:x}");
            }
        }
    }

    #[test]
    fn other_forms_and_invisible_ones_are_told_anywhere() {
        for (text, byte) in [
            ("\u{1d468}", b'A'),
            ("\u{1d7d9}", b'1'),
            ("\u{ff21}", b'A'),
            ("\u{24b6}", b'A'),
            ("\u{24d0}", b'a'),
            ("\u{1f130}", b'A'),
            ("\u{1f1e6}", b'A'),
            ("\u{e0041}", b'A'),
        ] {
            assert_eq!(at(text, b' '), Sight::Edit(text.len(), Some(byte)), "{text}");
            for cut in 1..text.len() {
                assert_eq!(character(&text.as_bytes()[..cut], b' '), Sight::Unclear);
            }
        }
        for text in ["\u{ad}", "\u{34f}", "\u{61c}", "\u{200b}", "\u{202e}", "\u{2066}", "\u{fe0f}", "\u{e0100}"] {
            assert_eq!(at(text, b' '), Sight::Edit(text.len(), None), "{text:?}");
        }
        for text in ["“", "é", "\u{1f600}", "日", "ж", "–"] {
            assert_eq!(at(text, b'a'), Sight::Plain, "{text}");
        }
    }

    #[test]
    fn letters_of_another_script_hide_only_in_words_of_two() {
        // Cyrillic letters that look like `a`, `k`; then a word of which all look alike; then one that has others, too.
        assert_eq!(at("\u{430}k", b' '), Sight::Edit(2, Some(b'a')));
        assert_eq!(at("\u{430} ", b'k'), Sight::Edit(2, Some(b'a')));
        assert_eq!(at("\u{410}\u{41a}IA", b' '), Sight::Edit(2, Some(b'A')));
        assert_eq!(at("\u{440}\u{430} ", b' '), Sight::Plain);
        assert_eq!(at("\u{430}\u{437}b", b' '), Sight::Plain);
        assert_eq!(at("\u{430}", b' '), Sight::Unclear);
        assert_eq!(at("\u{391}\u{39a}IA", b' '), Sight::Edit(2, Some(b'A')));
    }

    #[test]
    fn marks_and_signs_belong_to_the_letter_before() {
        assert_eq!(at("\u{336}", b'a'), Sight::Edit(2, None));
        assert_eq!(at("\u{336}", b' '), Sight::Plain);
        assert_eq!(at("\u{a0}", b'a'), Sight::Edit(2, Some(b' ')));
        assert_eq!(at("\u{2011}", b'a'), Sight::Edit(3, Some(b'-')));
        assert_eq!(at("\u{a0}", b'.'), Sight::Plain);
    }
}
