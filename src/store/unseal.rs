//! Text that `audit.full_text` kept, readable again for who holds the key.

use std::io::Read;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{Key, KeyInit, XChaCha20Poly1305, XNonce};
use flate2::read::ZlibDecoder;

/// First byte of sealed text.
pub const SEALED_VERSION: u8 = 1;
/// Longest text that is unpacked.
const TEXT_BYTES_MAX: u64 = 64 << 20;

/// The JSON `{"prompt": …, "completion": …}` that was sealed for the record of this id; `None` with another key, for
/// another record, or after any change.
pub fn unseal(key: &[u8; 32], id: &str, sealed: &[u8]) -> Option<serde_json::Value> {
    let (version, rest) = sealed.split_first()?;
    let (nonce, encrypted) = rest.split_first_chunk::<24>()?;
    if *version != SEALED_VERSION {
        return None;
    }
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let payload = Payload { msg: encrypted, aad: id.as_bytes() };
    let compressed = cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
    serde_json::from_reader(ZlibDecoder::new(compressed.as_slice()).take(TEXT_BYTES_MAX)).ok()
}
