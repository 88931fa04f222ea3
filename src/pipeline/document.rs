//! A body while it arrives: content encoding undone, lexed, scanned, and held decoded.

use std::hash::RandomState;

use super::body::{BodyScan, Reading};
use super::gathered::Gathered;
use super::locate::{Located, locate};
use crate::wire::encoding::{self, Coding, Decoder};
use crate::wire::json::{self, Limits, Nested};

/// Bytes that are made room for before they arrive.
const EXPECTED_BYTES_MAX: usize = 1 << 20;

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The content encoding is broken, or a bomb.
    Encoding(encoding::Error),
    /// Not JSON, or nested too deep.
    Json(json::Error),
    /// Larger than allowed, decoded.
    TooLarge,
    /// It says that it is of several kinds.
    Kinds,
    /// Neither JSON nor text.
    Binary,
}

impl Unreadable {
    /// Whether a size limit is the reason.
    pub(super) fn is_size(&self) -> bool {
        match self {
            Unreadable::TooLarge => true,
            Unreadable::Encoding(encoding::Error::TooLarge | encoding::Error::Ratio) => true,
            Unreadable::Encoding(_) => false,
            Unreadable::Json(_) | Unreadable::Kinds | Unreadable::Binary => false,
        }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Encoding(error) => write!(f, "its content encoding cannot be undone: {error}"),
            Unreadable::Json(error) => write!(f, "it is not the JSON this API takes: {error}"),
            Unreadable::TooLarge => f.write_str("it is larger than this gateway allows"),
            Unreadable::Kinds => f.write_str("it says that it is of several kinds"),
            Unreadable::Binary => f.write_str("it is neither JSON nor text"),
        }
    }
}

/// Limits of one document.
#[derive(Clone, Copy)]
pub(super) struct DocumentLimits {
    pub(super) bytes_max: u64,
    pub(super) ratio_max: u64,
    pub(super) depth_max: u32,
}

impl DocumentLimits {
    /// What of them bounds the decoding.
    pub(super) fn encoding(self) -> encoding::Limits {
        encoding::Limits { output_bytes_max: self.bytes_max as usize, ratio_max: self.ratio_max as usize }
    }
}

/// A document that is arriving.
pub(super) struct Document {
    /// The bytes as received, kept only where they differ from the decoded ones.
    encoded: Option<(Decoder, Vec<u8>)>,
    raw: Vec<u8>,
    /// Bytes of it that were read.
    read: usize,
    lexer: Nested,
    scan: BodyScan,
    reading: Reading,
    bytes_max: u64,
}

/// A document that arrived whole.
pub(super) struct Complete {
    /// The bytes as received, where they were encoded.
    pub(super) encoded: Option<Vec<u8>>,
    /// The JSON.
    pub(super) raw: Vec<u8>,
    pub(super) gathered: Gathered,
    pub(super) located: Vec<Located>,
}

impl Document {
    /// An empty document in these encodings.
    pub(super) fn new(
        codings: &[Coding],
        limits: DocumentLimits,
        reading: Reading,
        hasher: &RandomState,
        leaves: bool,
    ) -> Result<Self, Unreadable> {
        let decoder = match codings.is_empty() {
            true => None,
            false => Some(Decoder::new(codings, limits.encoding()).map_err(Unreadable::Encoding)?),
        };
        Ok(Document {
            encoded: decoder.map(|decoder| (decoder, Vec::new())),
            raw: Vec::new(),
            read: 0,
            lexer: Nested::new(Limits { depth_max: limits.depth_max }),
            scan: BodyScan::new(reading.clone(), hasher, leaves),
            reading,
            bytes_max: limits.bytes_max,
        })
    }

    /// So many bytes were announced: room is made for them at once, as far as an announcement is believed.
    pub(super) fn expect(&mut self, bytes: usize) {
        if self.encoded.is_none() {
            self.raw.reserve_exact(bytes.min(EXPECTED_BYTES_MAX));
        }
    }

    /// The next bytes as received.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        match &mut self.encoded {
            None => self.raw.extend_from_slice(bytes),
            Some((decoder, encoded)) => {
                encoded.extend_from_slice(bytes);
                decoder.push(bytes, &mut self.raw).map_err(Unreadable::Encoding)?;
            }
        }
        self.read(false)
    }

    /// Everything has arrived. `None` for a body without a byte.
    pub(super) fn finish(mut self) -> Result<Option<Complete>, Unreadable> {
        if let Some((decoder, encoded)) = &mut self.encoded
            && !encoded.is_empty()
        {
            decoder.finish(&mut self.raw).map_err(Unreadable::Encoding)?;
        }
        self.read(true)?;
        if self.raw.is_empty() {
            return Ok(None);
        }
        self.lexer.finish(&mut self.scan).map_err(Unreadable::Json)?;
        let mut gathered = self.scan.finish(&self.raw).map_err(Unreadable::Json)?;
        let located = locate(&self.raw, &self.reading, &mut gathered).map_err(Unreadable::Json)?;
        let encoded = self.encoded.map(|(_, encoded)| encoded);
        Ok(Some(Complete { encoded, raw: self.raw, gathered, located }))
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> u64 {
        (self.raw.len() + self.encoded.as_ref().map_or(0, |(_, encoded)| encoded.len())) as u64
    }

    /// Reads what has arrived, as far as more of it need not be waited for to tell whether it is known.
    fn read(&mut self, is_last: bool) -> Result<(), Unreadable> {
        if self.raw.len() as u64 > self.bytes_max {
            return Err(Unreadable::TooLarge);
        }
        let unread = &self.raw[self.read..];
        let read = match self.reading.seen {
            Some(_) => self.lexer.push_ahead(unread, is_last, &mut self.scan),
            None => self.lexer.push(unread, &mut self.scan).map(|()| unread.len()),
        };
        self.read += read.map_err(Unreadable::Json)?;
        Ok(())
    }
}
