//! Numbers of taxpayers, people and firms.

use super::{Bare, has_luhn, has_mod_11_10, weighted, wide_value};

/// Germany, people: no leading zero, one digit two or three times among the first ten, ISO 7064.
pub(super) fn is_de_tax_id(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<11>() else { return false };
    let mut counts = [0u8; 10];
    digits[..10].iter().for_each(|&digit| counts[digit as usize] += 1);
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().copied().max().unwrap_or(0);
    digits[0] != 0 && repeated <= 1 && most <= 3 && has_mod_11_10(&digits)
}

/// Australia: eight or nine digits, a weighted sum that eleven divides.
pub(super) fn is_au_tfn(bare: &Bare) -> bool {
    let nine =
        bare.digits::<9>().is_some_and(|digits| weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11));
    nine || bare.digits::<8>().is_some_and(|digits| weighted(&digits, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11))
}

/// New Zealand: eight or nine digits, check digit of eleven with a second set of weights.
pub(super) fn is_nz_ird(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<9>().or_else(|| {
        bare.digits::<8>().map(|digits| {
            let mut nine = [0; 9];
            nine[1..].copy_from_slice(&digits);
            nine
        })
    }) else {
        return false;
    };
    let check = |weights: &[u32]| (11 - weighted(&digits[..8], weights) % 11) % 11;
    let expected = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
        check => check,
    };
    (10_000_000..=150_000_000).contains(&wide_value(&digits)) && expected == digits[8]
}

/// Portugal: nine digits, the last one of eleven, and a first digit that is in use.
pub(super) fn is_pt_nif(bare: &Bare) -> bool {
    let Some(digits) = bare.digits::<9>() else { return false };
    let rest = weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits[0] != 0 && digits[8] == if rest < 2 { 0 } else { 11 - rest }
}

/// Croatia: eleven digits, ISO 7064.
pub(super) fn is_hr_oib(bare: &Bare) -> bool {
    bare.digits::<11>().is_some_and(|digits| has_mod_11_10(&digits))
}

/// Value added tax: the length of the country, and its checksum for the large ones.
pub(super) fn is_vat(bare: &Bare) -> bool {
    let Some((country, number)) = bare.as_bytes().split_at_checked(2) else { return false };
    let digits: Vec<u32> = number.iter().filter(|it| it.is_ascii_digit()).map(|it| u32::from(it - b'0')).collect();
    let (count, plain) = (number.len(), digits.len() == number.len());
    match country {
        b"DE" => plain && count == 9 && has_mod_11_10(&digits),
        b"IT" => plain && count == 11 && has_luhn(&digits),
        b"PL" => plain && count == 10 && weighted(&digits[..9], &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digits[9],
        b"FR" => count == 11 && digits.len() >= 9 && has_luhn(&digits[digits.len() - 9..]),
        b"BE" => plain && count == 10 && 97 - wide_value(&digits[..8]) % 97 == wide_value(&digits[8..]),
        b"DK" => plain && count == 8 && weighted(&digits, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
        b"AT" => count == 9 && number[0] == b'U' && digits.len() == 8,
        b"NL" => count == 12 && number[9] == b'B',
        b"GB" => plain && matches!(count, 9 | 12),
        b"ES" => count == 9 && digits.len() >= 7,
        b"SE" => plain && count == 12,
        b"FI" | b"EL" | b"HU" | b"LU" | b"MT" | b"SI" => plain && (8..=9).contains(&count),
        b"PT" | b"EE" => plain && count == 9,
        b"IE" => (8..=9).contains(&count) && digits.len() >= 7,
        b"CZ" | b"RO" | b"SK" | b"BG" | b"HR" | b"LT" | b"LV" | b"CY" => (8..=12).contains(&count) && digits.len() >= 8,
        _ => false,
    }
}
