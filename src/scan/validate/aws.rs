//! What Amazon's key ids and secret keys are made of.

/// Characters of an id behind its prefix of four.
const ID_BYTES: usize = 16;
/// Account numbers have twelve digits.
const ACCOUNT_MAX: u64 = 999_999_999_999;

/// Whether `id` is an access key id: base 32 behind the prefix, and in ids of today's form an account number in its
/// first bits. Ids of the old form (`I` or `J` first) hold none.
pub(super) fn is_key_id(id: &[u8]) -> bool {
    let Some((_, body)) = id.split_at_checked(4).filter(|(_, body)| body.len() == ID_BYTES) else { return false };
    if matches!(body[0], b'I' | b'J') {
        return body.iter().all(|&byte| digit(byte).is_some());
    }
    let bits = body[..10].iter().try_fold(0u64, |bits, &byte| Some(bits << 5 | digit(byte)?));
    // Fifty bits were read; the account stands in the 40 behind the first.
    let account = bits.map(|bits| (bits >> 9) & ((1 << 40) - 1));
    account.is_some_and(|account| account <= ACCOUNT_MAX) && body[10..].iter().all(|&byte| digit(byte).is_some())
}

/// Whether `secret` has the mixture of a secret key: 40 characters of base 64 are never all hex, and always have
/// letters of both cases.
pub(super) fn is_secret_key(secret: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| secret.iter().any(class);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(|byte| !byte.is_ascii_alphabetic())
        && has(|byte| !byte.is_ascii_hexdigit())
}

/// A digit of base 32.
fn digit(byte: u8) -> Option<u64> {
    match byte {
        b'A'..=b'Z' => Some(u64::from(byte - b'A')),
        b'2'..=b'7' => Some(u64::from(byte - b'2') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_base32_with_an_account() {
        for id in [
            concat!("AKIA", "YHQDHPZBCXWKYX5I"),
            concat!("ABIA", "WV22AHNT7455HRKQ"),
            concat!("AKIA", "IUV44D7XKD6QPJNJ"),
        ] {
            assert!(is_key_id(id.as_bytes()), "{id}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        // No account has a number beyond twelve digits; 0, 1, 8 and 9 are no digits of base 32.
        for id in [
            "",
            "AKIA",
            "AKIA777777777777777",
            concat!("ASIA", "PUV44D7XKD6QPJNJ"),
            concat!("AKIA", "YHQDHPZB0XWKYX5I"),
        ] {
            assert!(!is_key_id(id.as_bytes()), "{id}");
        }
    }

    #[test]
    fn secret_keys_are_mixed() {
        assert!(is_secret_key(b"mxBgJIRnj4QycK2e314v7LOtQ4+R7BKZrLq3TuJQ"));
        assert!(!is_secret_key(b"da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        assert!(!is_secret_key(b"DA39A3EE5E6B4b0D3255BFEF95601890AFD80709"));
        assert!(!is_secret_key(b"some-words-that-are-forty-bytes-in-a-row"));
    }
}
