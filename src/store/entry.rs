//! One link of a gateway's chain: the canonical text of a record and the hash over it and all before.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::record::Record;

/// The hash of an entry: SHA-256 over the previous entry's hash and this entry's body.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link([u8; 32]);

impl Link {
    /// What stands before the first entry of a gateway.
    pub const FIRST: Link = Link([0; 32]);

    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Link(bytes)
    }

    /// The link of `body` behind this one.
    pub fn next(&self, body: &str) -> Link {
        Link(Sha256::new().chain_update(self.0).chain_update(body.as_bytes()).finalize().into())
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Link {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        unhex(text).map(Link).ok_or(())
    }
}

/// `N` bytes from twice as many hex digits.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let digit = |it: u8| char::from(it).to_digit(16);
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
    }
    Some(bytes)
}

/// The newest entry of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number, from 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: Link,
}

/// One record as it is stored, sent and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The gateway that wrote it; the same as in the body.
    pub gateway: Arc<str>,
    /// Its number in the gateway's chain, from 1; the same as in the body.
    pub sequence: u64,
    /// When it was written, Unix milliseconds; the same as in the body. Never falls within a chain.
    pub written_ms: u64,
    /// The hash over the previous entry's hash and `body`.
    pub hash: Link,
    /// The record as JSON: these very bytes are hashed.
    pub body: Arc<str>,
    /// Redacted text, encrypted, where `audit.full_text` asks for it; its digest stands in the body.
    pub sealed: Option<Arc<[u8]>>,
}

impl Entry {
    /// The record in the body.
    ///
    /// # Errors
    /// A body that is no record of a version this program knows.
    pub fn record(&self) -> Result<Record, serde_json::Error> {
        serde_json::from_str(&self.body)
    }

    /// Where it stands.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }
}
