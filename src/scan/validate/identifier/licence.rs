//! Numbers of passports and driving licences.

use super::super::date::is_short_day;
use super::Bare;

/// United Kingdom: five of the surname, date of birth (women's months from 51), initials, three characters.
pub(super) fn is_uk_driving_licence(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<16>() else { return false };
    let digits = &text[5..11];
    if !digits.iter().all(u8::is_ascii_digit) || !text[0].is_ascii_uppercase() {
        return false;
    }
    let at = |place: usize| u32::from(digits[place] - b'0');
    let month = (at(1) * 10 + at(2)) % 50;
    let surname = text[..5].iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'9');
    surname && is_short_day(at(0) * 10 + at(5), month, at(3) * 10 + at(4))
}

/// Documents whose numbers have no checksum: four digits at least, not all alike, and no year or date.
pub(super) fn is_numbered(bare: &Bare) -> bool {
    let text = bare.as_bytes();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let rising = text.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1)).count();
    let date = text.len() == 8 && digits == 8 && (text.starts_with(b"19") || text.starts_with(b"20"));
    digits >= 4 && rising * 4 < text.len() * 3 && !date
}
