//! The structure of JSON web tokens.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

/// Base64url as tokens use it, but lenient about what does not matter here.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether `token` is `header.payload.signature`, or that without the signature, with a JSON header that names an algorithm. An encrypted token
/// (five parts) has no readable payload; a signed one must have a JSON object there.
pub(super) fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|&byte| byte == b'.');
    let (Some(header), Some(payload)) = (parts.next(), parts.next()) else { return false };
    let Some(header) = object(header) else { return false };
    header.get("alg").is_some_and(Value::is_string) && (header.contains_key("enc") || object(payload).is_some())
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> Vec<u8> {
        format!("{}.{}.c2ln", BASE64URL.encode(header), BASE64URL.encode(payload)).into_bytes()
    }

    #[test]
    fn header_and_payload_are_read() {
        assert!(is_jwt(&token(r#"{"alg":"HS256"}"#, r#"{"sub":"1"}"#)));
        assert!(is_jwt(&token(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#, "not json")));
    }

    #[test]
    fn other_dotted_texts_are_none() {
        assert!(!is_jwt(&token(r#"{"typ":"JWT"}"#, r#"{"sub":"1"}"#)));
        assert!(!is_jwt(&token(r#"{"alg":"HS256"}"#, "plain")));
        assert!(!is_jwt(&token("[1]", "[2]")));
        assert!(!is_jwt(b"module.function.call"));
        assert!(!is_jwt(b"eyJ"));
    }
}
