//! International bank account numbers: the country's length and the check digits of ISO 7064 (mod 97).

/// Countries of the registry and the length of their numbers, check digits and country included.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Longest number of the registry.
const LENGTH_MAX: usize = 34;

/// Whether `text`, spaces and dashes left out, is a number whose country, length and check digits agree.
pub(super) fn is_iban(text: &[u8]) -> bool {
    let mut bare = [0u8; LENGTH_MAX];
    let mut length = 0;
    for &byte in text.iter().filter(|byte| !matches!(byte, b' ' | b'-')) {
        if length == LENGTH_MAX || !(byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            return false;
        }
        bare[length] = byte;
        length += 1;
    }
    let bare = &bare[..length];
    let Some(country) = bare.first_chunk::<2>() else { return false };
    let fits = LENGTHS.iter().any(|(name, expected)| *name == country && *expected == length);
    // An account of nothing but zeros is a form, not an account.
    fits && bare[4..].iter().any(|byte| !matches!(byte, b'0')) && remainder(bare) == 1
}

/// The number with its first four characters moved behind, letters as 10 to 35, modulo 97.
fn remainder(bare: &[u8]) -> u32 {
    bare[4..].iter().chain(&bare[..4]).fold(0, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers() {
        for text in
            ["DE44 5001 0517 5407 3249 31", "DE44500105175407324931", "NL13TEST0123456789", "GB94BARC10201530093459"]
        {
            assert!(is_iban(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_texts() {
        for text in [
            "DE44500105175407324932",
            "DE4450010517540732493",
            "ZZ44500105175407324931",
            "de44500105175407324931",
            "DE",
            "",
            "GB94BARC1020153009345910201530093459X",
        ] {
            assert!(!is_iban(text.as_bytes()), "{text}");
        }
    }
}
