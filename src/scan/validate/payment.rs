//! Payment card numbers.

/// Longest card number, digits.
const DIGITS_MAX: usize = 19;

/// Whether the digits of `text` are a card number: an issuer's prefix and length, and a Luhn checksum.
pub(super) fn is_card(text: &[u8]) -> bool {
    let mut digits = [0u8; DIGITS_MAX];
    let mut count = 0;
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        if count == DIGITS_MAX {
            return false;
        }
        digits[count] = byte - b'0';
        count += 1;
    }
    let digits = &digits[..count];
    has_issuer(digits) && has_luhn(digits)
}

/// Prefixes and lengths of the large issuers.
fn has_issuer(digits: &[u8]) -> bool {
    let Some(prefix) = digits.first_chunk::<4>() else { return false };
    let prefix = prefix.iter().fold(0u16, |number, &digit| number * 10 + u16::from(digit));
    match prefix {
        // Visa.
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        // Mastercard.
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(digits.len(), 14 | 16),
        // Discover, UnionPay, JCB.
        6011 | 6440..=6599 | 6200..=6299 | 3528..=3589 => (16..=19).contains(&digits.len()),
        _ => false,
    }
}

fn has_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, u32::from(digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_numbers_of_the_issuers() {
        for card in
            ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117", "2223003122003222"]
        {
            assert!(is_card(card.as_bytes()), "{card}");
        }
    }

    #[test]
    fn other_numbers() {
        for number in [
            "4111111111111112",
            "1234567812345670",
            "0000000000000000",
            "41111111",
            "1700000000000",
            "",
            "4444 4444 4444 4444 4444",
        ] {
            assert!(!is_card(number.as_bytes()), "{number}");
        }
    }
}
