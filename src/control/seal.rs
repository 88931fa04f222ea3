//! Envelope encryption: every secret has a key of its own, which the master key encrypts. The database alone opens nothing.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Problem, ProblemKind};
use crate::domain::Secret;
use crate::store::{hex, random_key, read_whole, unhex, write_whole};

const NONCE_BYTES: usize = 24;
/// The master key's file in the folder.
pub(super) const FILE: &str = "master.key";
/// Larger key files are none of ours.
const KEY_FILE_BYTES_MAX: u64 = 4 << 10;

/// What the keys of all secrets are encrypted with: 32 bytes from a file or the environment, never in the database.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// An encrypted secret, with its key, encrypted too; base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    key: String,
    text: String,
}

impl MasterKey {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> MasterKey {
        MasterKey(Zeroizing::new(bytes))
    }

    /// From 64 hex digits.
    pub fn parse(text: &str) -> Option<MasterKey> {
        unhex::<32>(text).map(MasterKey::new)
    }

    /// The one that is given, 64 hex digits, else the one of the file `master.key` in the folder; `None` where there is
    /// neither.
    ///
    /// # Errors
    /// Text that is no key, a file that cannot be read.
    pub fn of_folder(folder: &Path, given: Option<&str>) -> Result<Option<MasterKey>, String> {
        let path = folder.join(FILE);
        let text = match given {
            Some(text) => Zeroizing::new(text.to_owned()),
            None if path.exists() => read(&path)?,
            None => return Ok(None),
        };
        let key = MasterKey::parse(text.trim()).ok_or_else(|| "the master key is not 64 hex digits".to_owned())?;
        Ok(Some(key))
    }

    /// A new one, kept in the file `master.key` of the folder: for where nothing is sealed yet.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn make(folder: &Path) -> Result<MasterKey, String> {
        let path = folder.join(FILE);
        let bytes = Zeroizing::new(random_key().map_err(|error| format!("no random numbers to be had: {error}"))?);
        let written = write_whole(&path, Zeroizing::new(hex(&*bytes)).as_bytes());
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(MasterKey(bytes))
    }

    /// Seals a secret. `about` is bound to it: it opens for the same purpose only.
    pub(super) fn seal(&self, secret: &Secret, about: &str) -> Result<Sealed, Problem> {
        let key = random::<32>()?;
        let text = encrypt(&key, secret.expose().as_bytes(), about)?;
        Ok(Sealed { key: encrypt(&self.0, &*key, about)?, text })
    }

    /// Opens what was sealed with this key for this purpose; `None` where it was not.
    pub(super) fn open(&self, sealed: &Sealed, about: &str) -> Option<Secret> {
        let key = Zeroizing::new(decrypt(&self.0, &sealed.key, about)?);
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(key.as_slice().try_into().ok()?);
        String::from_utf8(decrypt(&key, &sealed.text, about)?).ok().map(Secret::new)
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = read_whole(path, KEY_FILE_BYTES_MAX);
    text.map(Zeroizing::new).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// XChaCha20-Poly1305 with a random nonce in front; base64.
pub(super) fn encrypt(key: &[u8; 32], clear: &[u8], about: &str) -> Result<String, Problem> {
    let nonce = random::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher.encrypt(XNonce::from_slice(&*nonce), Payload { msg: clear, aad: about.as_bytes() });
    let sealed = sealed.map_err(|_| Problem::new(ProblemKind::Internal, "the secret could not be sealed"))?;
    Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
}

/// The reverse of [`encrypt`].
pub(super) fn decrypt(key: &[u8; 32], sealed: &str, about: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(sealed).ok()?;
    let (nonce, text) = bytes.split_at_checked(NONCE_BYTES)?;
    let payload = Payload { msg: text, aad: about.as_bytes() };
    XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload).ok()
}

/// Random text of 32 bytes, URL-safe: for tokens of every kind.
pub(super) fn token() -> Result<String, Problem> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?.as_slice()))
}

/// Random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Problem> {
    let mut bytes = Zeroizing::new([0; N]);
    let filled = getrandom::fill(&mut *bytes);
    filled.map_err(|_| Problem::new(ProblemKind::Unavailable, "no random numbers to be had"))?;
    Ok(bytes)
}

/// A new key of 32 bytes, base64.
pub(super) fn fresh_key() -> Result<Secret, Problem> {
    Ok(Secret::new(STANDARD.encode(random::<32>()?.as_slice())))
}

/// The bytes of such a key; `None` where it is none.
pub(super) fn key_bytes(key: &Secret) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(STANDARD.decode(key.expose()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

/// SHA-256 in hex: how tokens are stored. They are random, so that nothing can be guessed from it.
pub(super) fn digest(token: &str) -> String {
    use sha2::{Digest, Sha256};
    hex(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_with_its_key_for_its_purpose_only() {
        let master = MasterKey::new([7; 32]);
        let sealed = master.seal(&Secret::new("made up".into()), "provider/one").unwrap();
        assert_eq!(master.open(&sealed, "provider/one").unwrap().expose(), "made up");
        assert!(master.open(&sealed, "provider/two").is_none());
        assert!(MasterKey::new([8; 32]).open(&sealed, "provider/one").is_none());
        assert!(!serde_json::to_string(&sealed).unwrap().contains("made up"));
        let mut damaged = sealed.clone();
        damaged.text = damaged.text.replace(|it: char| it.is_ascii_lowercase(), "A");
        assert!(master.open(&damaged, "provider/one").is_none());
    }

    #[test]
    fn tokens_differ_and_digests_are_hex() {
        assert_ne!(token().unwrap(), token().unwrap());
        assert_eq!(digest("a").len(), 64);
    }
}
