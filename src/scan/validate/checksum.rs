//! Tokens that end in a CRC-32 of what stands before it, each vendor in its own digits.

/// Digits of GitHub's and npm's checksums, most significant first.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Length of a checksum in base 62, bytes.
const BASE62_BYTES: usize = 6;
/// Length of a checksum in hex, bytes.
const HEX_BYTES: usize = 8;

/// Whether `token` ends in the checksum that its prefix promises. A token of an unknown vendor does not.
pub(super) fn has_checksum(token: &[u8]) -> bool {
    match token {
        [b'g', b'h', _, b'_', rest @ ..] | [b'n', b'p', b'm', b'_', rest @ ..] => ends_in_base62(rest),
        [b'g', b'l', b's', b'a', b'_', ..] => ends_in_swapped_hex(token),
        [b'A', b'T', b'A' | b'C', b'T', b'T', b'3', ..] => ends_in_hex(token),
        _ => false,
    }
}

/// GitHub and npm: the checksum of what follows the prefix, in base 62.
fn ends_in_base62(body: &[u8]) -> bool {
    let Some(split) = body.len().checked_sub(BASE62_BYTES).filter(|&split| split > 0) else { return false };
    body[split..] == base62(crc32fast::hash(&body[..split]))
}

/// Grafana: after a last `_`, the checksum of all before it, in hex with the lowest byte first.
fn ends_in_swapped_hex(token: &[u8]) -> bool {
    let Some(split) = token.len().checked_sub(HEX_BYTES + 1).filter(|&split| token[split] == b'_') else {
        return false;
    };
    hex(&token[split + 1..]) == Some(crc32fast::hash(&token[..split]).swap_bytes())
}

/// Atlassian: the checksum of all before it, the `=` included, in hex.
fn ends_in_hex(token: &[u8]) -> bool {
    let Some(split) = token.len().checked_sub(HEX_BYTES) else { return false };
    hex(&token[split..]) == Some(crc32fast::hash(&token[..split]))
}

fn base62(mut number: u32) -> [u8; BASE62_BYTES] {
    let mut digits = [b'0'; BASE62_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|it| it.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "MadeUpMadeUpMadeUpMadeUpMadeUp";

    fn github() -> Vec<u8> {
        let mut token = format!("ghp_{BODY}").into_bytes();
        token.extend(base62(crc32fast::hash(BODY.as_bytes())));
        token
    }

    fn grafana() -> Vec<u8> {
        let head = format!("glsa_{BODY}Up");
        let checksum = crc32fast::hash(head.as_bytes()).swap_bytes();
        format!("{head}_{checksum:08x}").into_bytes()
    }

    fn atlassian() -> Vec<u8> {
        let head = format!("ATATT3x{BODY}=");
        format!("{head}{:08X}", crc32fast::hash(head.as_bytes())).into_bytes()
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
        for mut token in [github(), grafana(), atlassian()] {
            assert!(has_checksum(&token), "{}", String::from_utf8_lossy(&token));
            token[9] ^= 1;
            assert!(!has_checksum(&token), "{}", String::from_utf8_lossy(&token));
        }
    }

    #[test]
    fn short_and_unknown_texts_have_none() {
        for text in ["", "ghp_000000", "ghp", "glsa_", "glsa_0000000", "ATATT3", "npm_", "other_0000000"] {
            assert!(!has_checksum(text.as_bytes()), "{text}");
        }
    }
}
