//! Credentials that are base64 of something readable.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Whether `value` is base64 of `user:password`, both printable and neither empty.
pub(super) fn is_basic_credential(value: &[u8]) -> bool {
    let Ok(decoded) = BASE64.decode(value) else { return false };
    let Some(colon) = decoded.iter().position(|&byte| byte == b':') else { return false };
    let (user, password) = (&decoded[..colon], &decoded[colon + 1..]);
    !user.is_empty() && password.len() >= 3 && decoded.iter().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_passwords() {
        assert!(is_basic_credential(BASE64.encode("ci:q8Zr2LmX9").as_bytes()));
        assert!(!is_basic_credential(BASE64.encode("ci:").as_bytes()));
        assert!(!is_basic_credential(BASE64.encode("no colon here").as_bytes()));
        assert!(!is_basic_credential(BASE64.encode([0, b':', 1, 2, 3, 4]).as_bytes()));
    }
}
