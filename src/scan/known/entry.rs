//! One fingerprint: what is known of a value without the value.

use std::fmt;

use super::key::{FingerprintKey, HEADS, WINDOW_BYTES};
use super::{SECRET_BYTES_MAX, SECRET_BYTES_MIN};
use crate::domain::Fingerprint;

/// Longest label, bytes: a placeholder has room for no more.
const LABEL_BYTES_MAX: usize = 48;

/// What it means when a value is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Planted to be seen: somebody reads what they should not.
    Canary,
    /// A secret: it must not pass.
    Secret,
}

impl Kind {
    /// The first word of its lines.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::Canary => "canary",
        }
    }
}

/// One fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it means when the value is seen.
    pub kind: Kind,
    /// Bytes of the value that are looked for.
    pub length: u32,
    /// Digest of them.
    pub fingerprint: Fingerprint,
    /// The type of its findings instead of `KNOWN_SECRET` and `CANARY_TOKEN`.
    pub label: Option<String>,
    /// Tags of the windows at its beginning; zero where the value is too short for one.
    pub(super) heads: [u32; HEADS],
    /// Tag of its last bytes.
    pub(super) tail: u32,
}

/// Why a value cannot be fingerprinted. Never shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// It has fewer bytes than that.
    Short,
}

impl Entry {
    /// Of a value. A label is brought into the form of a type: `stripe-key` becomes `STRIPE_KEY`.
    ///
    /// # Errors
    /// A value of fewer than [`SECRET_BYTES_MIN`] bytes.
    pub fn new(key: &FingerprintKey, kind: Kind, label: Option<&str>, value: &[u8]) -> Result<Entry, EntryError> {
        let value = &value[..value.len().min(SECRET_BYTES_MAX)];
        let Some(tail) = value.last_chunk::<WINDOW_BYTES>() else { return Err(EntryError::Short) };
        let mut heads = [0; HEADS];
        heads.iter_mut().zip(value.array_windows()).for_each(|(tag, window)| *tag = key.head.tag(window));
        Ok(Entry {
            kind,
            length: value.len() as u32,
            fingerprint: key.fingerprint(value),
            label: label.and_then(label_of),
            heads,
            tail: key.tail.tag(tail),
        })
    }
}

/// The form of a type: capitals, digits and `_`, a letter first. `None` where nothing of the text is left.
fn label_of(text: &str) -> Option<String> {
    let plain = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
    let label: String = text.chars().map(plain).skip_while(|it| !it.is_ascii_alphabetic()).collect();
    let mut label = label.trim_end_matches('_').to_owned();
    label.truncate(LABEL_BYTES_MAX);
    Some(label).filter(|it| is_label(it))
}

/// Whether a text has the form of a type.
pub(super) fn is_label(text: &str) -> bool {
    let plain = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    text.len() <= LABEL_BYTES_MAX && text.starts_with(|it: char| it.is_ascii_uppercase()) && text.bytes().all(plain)
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::Short => write!(
                f,
                "shorter than {SECRET_BYTES_MIN} bytes: it would be found in ordinary text, so it cannot be fingerprinted"
            ),
        }
    }
}

impl std::error::Error for EntryError {}
