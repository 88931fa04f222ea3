//! Numbers of patients, insured people and prescribers.

use super::{Bare, has_luhn, value, weighted};

/// United Kingdom, National Health Service: ten digits, the last one of eleven.
pub(super) fn is_uk_nhs(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    let check = 11 - weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check != 10 && check % 11 == digits[9]
}

/// Australia: first digit 2 to 6, a check digit at the ninth place, the issue, sometimes the person.
pub(super) fn is_au_medicare(bare: &Bare) -> bool {
    let digits: Option<[u32; 10]> =
        bare.digits::<10>().or_else(|| bare.digits::<11>().and_then(|digits| digits.first_chunk::<10>().copied()));
    digits.is_some_and(|digits| {
        (2..=6).contains(&digits[0]) && weighted(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digits[8]
    })
}

/// United States: eleven characters, digits and letters at their places, no letter that looks like a digit.
pub(super) fn is_us_medicare(bare: &Bare) -> bool {
    let Some(text) = bare.characters::<11>() else { return false };
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    let either = |byte: u8| byte.is_ascii_digit() || letter(byte);
    let digit = |place: usize| text[place].is_ascii_digit();
    (b'1'..=b'9').contains(&text[0])
        && [1, 4, 7, 8].iter().all(|&place| letter(text[place]))
        && [2, 5].iter().all(|&place| either(text[place]))
        && [3, 6, 9, 10].iter().all(|&place| digit(place))
}

/// United States, providers: Luhn with 80840 before.
pub(super) fn is_us_npi(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<10>() else { return false };
    let mut whole = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    whole[5..].copy_from_slice(&digits);
    matches!(digits[0], 1 | 2) && has_luhn(&whole)
}

/// United States, prescribers: two letters (or a letter and 9), six digits, a check digit.
pub(super) fn is_us_dea(bare: &Bare) -> bool {
    let Some([kind, initial, rest @ ..]) = bare.characters::<9>() else { return false };
    if !rest.iter().all(u8::is_ascii_digit) || !kind.is_ascii_uppercase() {
        return false;
    }
    let digits = rest.map(|byte| u32::from(byte - b'0'));
    let sum = digits[0] + digits[2] + digits[4] + 2 * (digits[1] + digits[3] + digits[5]);
    (initial.is_ascii_uppercase() || *initial == b'9') && sum % 10 == digits[6]
}

/// Germany, health insurance: a letter and nine digits, weighted alternately.
pub(super) fn is_de_health_insurance(bare: &Bare) -> bool {
    let Some([letter, rest @ ..]) = bare.characters::<10>() else { return false };
    if !letter.is_ascii_uppercase() || !rest.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let ordinal = u32::from(letter - b'A') + 1;
    let mut digits = vec![ordinal / 10, ordinal % 10];
    digits.extend(rest.iter().map(|byte| u32::from(byte - b'0')));
    let sum: u32 = digits[..10]
        .iter()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight / 10 + digit * weight % 10)
        .sum();
    sum % 10 == value(&digits[10..])
}
