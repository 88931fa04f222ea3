//! Identity numbers of Asian and African states.

use super::super::date::{is_day, is_short_day};
use super::{Bare, has_luhn, value, weighted};

/// India, residents: the checksum of Verhoeff, and a first digit from two up.
pub(super) fn is_in_aadhaar(bare: &Bare) -> bool {
    bare.digits::<12>().is_some_and(|digits| digits[0] >= 2 && has_verhoeff(&digits))
}

/// Multiplication in the dihedral group of ten.
fn dihedral(a: u32, b: u32) -> u32 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

fn has_verhoeff(digits: &[u32]) -> bool {
    const STEP: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u32, times: usize| (0..times % 8).fold(digit, |digit, _| STEP[digit as usize]);
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| dihedral(sum, permuted(*digit, place)));
    sum == 0
}

/// India, taxpayers: three letters, the kind of holder, the name's initial, four digits, a letter.
pub(super) fn is_in_pan(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<10>() else { return false };
    let letters = text[..5].iter().chain([&text[9]]).all(u8::is_ascii_uppercase);
    letters && b"ABCFGHJLPT".contains(&text[3]) && text[5..9].iter().all(u8::is_ascii_digit) && text[5..9] != *b"0000"
}

/// Singapore: S, T (citizens), F, G, M (foreigners), seven digits, the letter of eleven.
pub(super) fn is_sg_nric(bare: &Bare) -> bool {
    let Some([kind, digits @ .., letter]) = bare.characters::<9>() else { return false };
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = digits.iter().zip([2, 7, 6, 5, 4, 3, 2]).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    let (offset, letters): (u32, &[u8; 11]) = match kind {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"KLJNPQRTUWX"),
        _ => return false,
    };
    let rest = (sum + offset) % 11;
    letters[if *kind == b'M' { 10 - rest } else { rest } as usize] == *letter
}

/// Korea: date of birth, century and sex, serial, check digit. Numbers since October 2020 have random digits instead.
pub(super) fn is_kr_rrn(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<13>() else { return false };
    let sum = weighted(&digits[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    let check = (11 - sum % 11) % 10;
    // Foreigners' numbers (5 to 8) add two.
    let foreign = (13 - sum % 11) % 10;
    (1..=8).contains(&digits[6])
        && is_short_day(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
        && (check == digits[12] || (digits[6] >= 5 && foreign == digits[12]))
}

/// The same without the check digit, which the newest numbers do not have.
pub(super) fn is_kr_rrn_dated(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<13>() else { return false };
    (1..=8).contains(&digits[6]) && is_short_day(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
}

/// China: province, date of birth, serial, check character of eleven.
pub(super) fn is_cn_resident_id(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<18>() else { return false };
    if !text[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digits: Vec<u32> = text[..17].iter().map(|byte| u32::from(byte - b'0')).collect();
    let sum = weighted(&digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let year = value(&digits[6..10]);
    (11..=82).contains(&value(&digits[..2]))
        && (1900..2100).contains(&year)
        && is_day(year, value(&digits[10..12]), value(&digits[12..14]))
        && b"10X98765432"[(sum % 11) as usize] == text[17]
}

/// Japan: twelve digits, the last one of eleven.
pub(super) fn is_jp_my_number(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<12>() else { return false };
    let rest = weighted(&digits[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    digits[11] == if rest <= 1 { 0 } else { 11 - rest }
}

/// Hong Kong: one or two letters, six digits, the check character of eleven.
pub(super) fn is_hk_id(bare: &Bare) -> bool {
    let text = bare.as_bytes();
    let letters = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    if !(1..=2).contains(&letters)
        || text.len() != letters + 7
        || !text[letters..letters + 6].iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    let character = |byte: u8| if byte.is_ascii_digit() { u32::from(byte - b'0') } else { u32::from(byte - b'A') + 10 };
    let body = text[..text.len() - 1].iter().rev().zip(2..).map(|(byte, weight)| character(*byte) * weight);
    let sum: u32 = body.sum::<u32>() + if letters == 1 { 36 * 9 } else { 0 };
    let check = text[text.len() - 1];
    (sum + if check == b'A' { 10 } else { character(check) }).is_multiple_of(11)
        && (check == b'A' || check.is_ascii_digit())
}

/// Taiwan: a letter for the place, sex, seven digits, check digit.
pub(super) fn is_tw_id(bare: &Bare) -> bool {
    const PLACES: [u32; 26] =
        [10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33];
    let Some([letter, digits @ ..]) = bare.characters::<10>() else { return false };
    if !letter.is_ascii_uppercase() || !digits.iter().all(u8::is_ascii_digit) || !b"1289".contains(&digits[0]) {
        return false;
    }
    let place = PLACES[usize::from(letter - b'A')];
    let sum: u32 =
        digits.iter().zip([8, 7, 6, 5, 4, 3, 2, 1, 1]).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    (place / 10 + place % 10 * 9 + sum).is_multiple_of(10)
}

/// Thailand: thirteen digits, the last one of eleven.
pub(super) fn is_th_id(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<13>() else { return false };
    let sum = weighted(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (1..=8).contains(&digits[0]) && (11 - sum % 11) % 10 == digits[12]
}

/// Malaysia: date of birth, place of birth, serial.
pub(super) fn is_my_nric(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<12>() else { return false };
    let place = value(&digits[6..8]);
    is_short_day(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6])) && (1..=99).contains(&place)
}

/// Indonesia: place, date of birth (women's days from 41), serial.
pub(super) fn is_id_nik(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<16>() else { return false };
    let day = value(&digits[6..8]);
    let day = if day > 40 { day - 40 } else { day };
    (11..=96).contains(&value(&digits[..2])) && is_short_day(value(&digits[10..12]), value(&digits[8..10]), day)
}

/// Israel, the Emirates: Luhn alone.
pub(super) fn is_luhn(bare: &Bare) -> bool {
    let digits: Vec<u32> =
        bare.as_bytes().iter().filter(|it| it.is_ascii_digit()).map(|it| u32::from(it - b'0')).collect();
    digits.len() == bare.as_bytes().len() && digits.len() >= 8 && has_luhn(&digits)
}

/// South Africa: date of birth, serial, citizenship, Luhn.
pub(super) fn is_za_id(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<13>() else { return false };
    digits[10] <= 2
        && is_short_day(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]))
        && has_luhn(&digits)
}
