//! Identity, tax and bank numbers of the Americas.

use super::super::date::is_short_day;
use super::{Bare, has_luhn, value, weighted};

/// United States, taxpayers without a social security number: 9, and a group of the issued ranges.
pub(super) fn is_us_itin(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<9>() else { return false };
    digits[0] == 9 && matches!(value(&digits[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Canada: Luhn, and a first digit that is in use.
pub(super) fn is_ca_sin(bare: &Bare) -> bool {
    // 046 454 286 stands in every example of the scheme.
    bare.digits::<9>()
        .is_some_and(|digits| !matches!(digits[0], 0 | 8) && has_luhn(&digits) && value(&digits) != 46_454_286)
}

/// The check digit of Brazil: eleven less the rest of eleven, and 0 above nine.
fn brazilian(digits: &[u32], weights: &[u32]) -> u32 {
    match weighted(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

/// Brazil, people: two check digits.
pub(super) fn is_br_cpf(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    brazilian(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[9]
        && brazilian(&digits[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[10]
}

/// Brazil, firms: two check digits.
pub(super) fn is_br_cnpj(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<14>() else { return false };
    brazilian(&digits[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[12]
        && brazilian(&digits[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digits[13]
}

/// A date of birth written as six digits.
fn born(text: &[u8]) -> bool {
    let number = |two: &[u8]| two.iter().fold(0, |number, byte| number * 10 + u32::from(byte.wrapping_sub(b'0')));
    text.len() == 6
        && text.iter().all(u8::is_ascii_digit)
        && is_short_day(number(&text[..2]), number(&text[2..4]), number(&text[4..6]))
}

/// Mexico, people: letters of the names, date of birth, sex, state, check digit. The alphabet counts Ñ behind N.
pub(super) fn is_mx_curp(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<18>() else { return false };
    let letters = text[..4].iter().chain(&text[11..16]).all(u8::is_ascii_uppercase);
    let character = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte - b'A') + 11,
    };
    let sum: u32 = text[..17].iter().zip((2..=18).rev()).map(|(byte, weight)| character(*byte) * weight).sum();
    letters
        && born(&text[4..10])
        && b"HMX".contains(&text[10])
        && u32::from(text[17].wrapping_sub(b'0')) == (10 - sum % 10) % 10
}

/// Mexico, taxpayers: letters of the names, date, three characters.
pub(super) fn is_mx_rfc(bare: &Bare) -> bool {
    let text = bare.as_bytes();
    (12..=13).contains(&text.len()) && {
        let (letters, rest) = text.split_at(text.len() - 9);
        letters.iter().all(u8::is_ascii_uppercase) && born(&rest[..6])
    }
}

/// Argentina: a kind of two digits, the document, a check digit of eleven.
pub(super) fn is_ar_cuit(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let check = match 11 - weighted(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        check => check,
    };
    matches!(value(&digits[..2]), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34) && check == digits[10]
}

/// Chile: seven or eight digits and the check digit of eleven, K for ten.
pub(super) fn is_cl_rut(bare: &Bare) -> bool {
    let Some((check, body)) = bare.as_bytes().split_last() else { return false };
    if !(7..=8).contains(&body.len()) || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weights = [2, 3, 4, 5, 6, 7, 2, 3];
    let sum: u32 = body.iter().rev().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        check => b'0' + check as u8,
    };
    *check == expected
}

/// United States, banks: the checksum of the routing number and a district that exists.
pub(super) fn is_us_routing(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<9>() else { return false };
    let district = matches!(value(&digits[..2]), 1..=12 | 21..=32 | 61..=72 | 80);
    district && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}
