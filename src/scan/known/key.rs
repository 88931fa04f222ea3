//! The key of fingerprints, and all that is derived from it.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::SECRET_BYTES_MAX;
use crate::domain::{Fingerprint, Secret};

/// Bytes of a value that a tag is made of.
pub(super) const WINDOW_BYTES: usize = 8;
/// Tags of windows at the beginning of a value, each one byte further than the one before.
pub(super) const HEADS: usize = 4;

/// What fingerprints are made and recognised with. Its parts are independent of each other.
#[derive(Clone)]
pub struct FingerprintKey {
    whole: Hmac<Sha256>,
    seal: Hmac<Sha256>,
    check: u64,
    pub(super) head: Mixer,
    pub(super) tail: Mixer,
}

impl FingerprintKey {
    /// From the configured key, which has [`Fingerprint::KEY_CHARS_MIN`] random characters at least.
    pub fn new(key: &Secret) -> Self {
        let root = keyed(key.expose().as_bytes());
        let part = |name: &str| digest(&root, &[b"airiskguard fingerprints 1 ", name.as_bytes()]);
        FingerprintKey {
            whole: keyed(&part("whole")),
            seal: keyed(&part("seal")),
            check: Mixer::new(&part("check")).before,
            head: Mixer::new(&part("head")),
            tail: Mixer::new(&part("tail")),
        }
    }

    /// The fingerprint of a value: of its first 4096 bytes, if it is longer.
    pub fn fingerprint(&self, value: &[u8]) -> Fingerprint {
        let bytes = digest(&self.whole, &[&value[..value.len().min(SECRET_BYTES_MAX)]]);
        let mut first = [0; 16];
        first.copy_from_slice(&bytes[..16]);
        Fingerprint::new(first)
    }

    /// Tells keys apart without telling anything of them.
    pub(super) fn check(&self) -> u64 {
        self.check
    }

    /// Numbers that only the holder of the key can tell from these parts.
    pub(super) fn seal(&self, parts: &[&[u8]]) -> [u32; 8] {
        let mut numbers = [0; 8];
        let bytes = digest(&self.seal, parts);
        let (words, _) = bytes.as_chunks::<4>();
        numbers.iter_mut().zip(words).for_each(|(number, word)| *number = u32::from_be_bytes(*word));
        numbers
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

/// Mixes eight bytes into a tag. Fast rather than strong: a tag decides where to look, never what is found.
#[derive(Clone, Copy)]
pub(super) struct Mixer {
    before: u64,
    factor: u64,
}

impl Mixer {
    fn new(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        Mixer { before: u64::from_le_bytes(words[0]), factor: u64::from_le_bytes(words[1]) | 1 }
    }

    /// The tag of a window.
    #[inline]
    pub(super) fn tag(self, window: &[u8; WINDOW_BYTES]) -> u32 {
        let product = u128::from(u64::from_le_bytes(*window) ^ self.before) * u128::from(self.factor);
        (product >> 64) as u32 ^ product as u32
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::new_from_slice(key).expect("any key length")
}

fn digest(keyed: &Hmac<Sha256>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed.clone();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
