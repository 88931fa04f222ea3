//! Social security numbers of the United States.

use super::Matched;

/// The digits of `text`, if they are exactly `N`.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut digits = text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let mut taken = [0; N];
    for digit in &mut taken {
        *digit = digits.next()?;
    }
    digits.next().is_none().then_some(taken)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, &digit| number * 10 + u32::from(digit))
}

/// Whether `text` is a social security number that can have been issued: no area 000, 666 or 900 and up, no group 00,
/// no serial 0000, and none of the numbers that advertisements and documentation made famous.
pub(super) fn is_ssn(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let (area, group, serial) = (number(&digits[..3]), number(&digits[3..5]), number(&digits[5..]));
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let famous = matches!(
        (area, group, serial),
        (78, 5, 1120) | (123, 45, 6789) | (219, 9, 9999) | (111, 11, 1111) | (333, 33, 3333)
    );
    // `111-22-3333` shows a format.
    let repeated =
        [0..3, 3..5, 5..9].into_iter().all(|group| digits[group.clone()].iter().all(|it| *it == digits[group.start]));
    issued && !famous && !repeated
}

/// The same for a number that no word says to be one: not the middle of a longer number.
pub(super) fn is_bare_ssn(matched: &Matched<'_>) -> bool {
    let continues = match matched.before {
        [.., previous, b'-' | b'.' | b'/' | b'+'] => previous.is_ascii_alphanumeric(),
        _ => false,
    };
    is_ssn(matched.secret) && !continues
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn social_security_numbers() {
        for good in ["536-22-8145", "001-01-0001", "899 99 9999"] {
            assert!(is_ssn(good.as_bytes()), "{good}");
        }
        for bad in [
            "000-12-3456",
            "666-12-3456",
            "912-34-5678",
            "536-00-8145",
            "536-22-0000",
            "078-05-1120",
            "123-45-6789",
            "536-22-814",
            "",
        ] {
            assert!(!is_ssn(bad.as_bytes()), "{bad}");
        }
    }
}
