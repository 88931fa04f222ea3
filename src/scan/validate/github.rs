//! The checksum at the end of GitHub's tokens.

/// Digits of the checksum, most significant first.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Length of the checksum, bytes.
const CHECKSUM_BYTES: usize = 6;

/// Whether a `ghp_`-like token ends in the CRC-32 of what stands between prefix and checksum, in base 62.
pub(super) fn has_checksum(token: &[u8]) -> bool {
    let Some(underscore) = token.iter().rposition(|&byte| byte == b'_') else { return false };
    let body = &token[underscore + 1..];
    let Some(split) = body.len().checked_sub(CHECKSUM_BYTES).filter(|&split| split > 0) else { return false };
    body[split..] == base62(crc32fast::hash(&body[..split]))
}

fn base62(mut number: u32) -> [u8; CHECKSUM_BYTES] {
    let mut digits = [b'0'; CHECKSUM_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(body: &str) -> Vec<u8> {
        let mut token = format!("ghp_{body}").into_bytes();
        token.extend(base62(crc32fast::hash(body.as_bytes())));
        token
    }

    #[test]
    fn base62_of_known_numbers() {
        assert_eq!(&base62(0), b"000000");
        assert_eq!(&base62(61), b"00000z");
        assert_eq!(&base62(62), b"000010");
        assert_eq!(&base62(u32::MAX), b"4gfFC3");
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let mut made_up = token("MadeUpMadeUpMadeUpMadeUpMadeUp");
        assert!(has_checksum(&made_up));
        made_up[7] ^= 1;
        assert!(!has_checksum(&made_up));
    }

    #[test]
    fn short_texts_have_none() {
        assert!(!has_checksum(b"ghp_000000"));
        assert!(!has_checksum(b"ghp"));
    }
}
