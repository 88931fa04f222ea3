//! An answer that is held until it is complete: one JSON document, lines of them (results of a batch), or plain text.

use std::hash::RandomState;

use super::body::Reading;
use super::document::{Complete, Document, DocumentLimits, Unreadable};
use super::gathered::Gathered;
use super::locate::{in_text, scan_whole};
use crate::domain::{Coverage, Source};
use crate::wire::encoding::{Coding, Decoder};

/// What an answer says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Json,
    Lines,
    Text,
    /// Nothing that helps: its first bytes decide.
    Unknown,
}

impl Shape {
    fn of(content_type: Option<&str>) -> Self {
        let kind = content_type.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-jsonl"
            | "application/jsonl"
            | "application/x-ndjson"
            | "application/ndjson"
            | "application/json-lines" => Shape::Lines,
            _ if kind == "application/json" || kind.ends_with("+json") => Shape::Json,
            _ if kind.starts_with("text/") => Shape::Text,
            _ => Shape::Unknown,
        }
    }
}

/// An answer that is arriving.
pub(super) enum Held {
    /// Read while it arrives.
    Json(Box<Document>),
    /// Read when it is complete.
    Other(Box<Other>),
}

/// The bytes of an answer that is not one document.
pub(super) struct Other {
    shape: Shape,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    reading: Reading,
    limits: DocumentLimits,
    hasher: RandomState,
    leaves: bool,
}

impl Held {
    /// An empty answer of this content type, in these encodings. `leaves` asks for the list of its texts.
    pub(super) fn new(
        content_type: Option<&str>,
        codings: &[Coding],
        limits: DocumentLimits,
        reading: Reading,
        hasher: &RandomState,
        leaves: bool,
    ) -> Result<Self, Unreadable> {
        let shape = Shape::of(content_type);
        if shape == Shape::Json {
            return Document::new(codings, limits, reading, hasher, leaves).map(|it| Held::Json(Box::new(it)));
        }
        let decoder = match codings.is_empty() {
            true => None,
            false => Some(Decoder::new(codings, limits.encoding()).map_err(Unreadable::Encoding)?),
        };
        let hasher = hasher.clone();
        Ok(Held::Other(Box::new(Other { shape, decoder, raw: Vec::new(), reading, limits, hasher, leaves })))
    }

    /// The next bytes as received.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        match self {
            Held::Json(document) => document.push(bytes),
            Held::Other(other) => other.push(bytes),
        }
    }

    /// Everything has arrived. `None` for a body without a byte.
    pub(super) fn finish(self) -> Result<Option<Complete>, Unreadable> {
        match self {
            Held::Json(document) => document.finish(),
            Held::Other(other) => other.finish(),
        }
    }

    /// Bytes held.
    pub(super) fn held_bytes(&self) -> u64 {
        match self {
            Held::Json(document) => document.held_bytes(),
            Held::Other(other) => other.raw.len() as u64,
        }
    }
}

impl Other {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        match &mut self.decoder {
            None => self.raw.extend_from_slice(bytes),
            Some(decoder) => decoder.push(bytes, &mut self.raw).map_err(Unreadable::Encoding)?,
        }
        if self.raw.len() as u64 > self.limits.bytes_max { Err(Unreadable::TooLarge) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Option<Complete>, Unreadable> {
        if let Some(decoder) = &mut self.decoder {
            decoder.finish(&mut self.raw).map_err(Unreadable::Encoding)?;
        }
        if self.raw.is_empty() {
            return Ok(None);
        }
        match self.shape {
            Shape::Text => Ok(Some(self.text())),
            Shape::Lines | Shape::Json => self.lines().map(Some),
            Shape::Unknown => match self.raw.trim_ascii_start().first() {
                Some(b'{' | b'[') => self.whole_or_lines().map(Some),
                _ => Ok(Some(self.text())),
            },
        }
    }

    fn whole_or_lines(self) -> Result<Complete, Unreadable> {
        match self.document(&self.raw) {
            Ok(Some(complete)) => Ok(complete),
            Ok(None) | Err(_) => self.lines(),
        }
    }

    /// Each line is a document of its own; places count from the beginning of all.
    fn lines(self) -> Result<Complete, Unreadable> {
        let mut gathered = Gathered { leaves: self.leaves.then(Vec::new), ..Gathered::default() };
        let mut located = Vec::new();
        let mut start = 0;
        for (number, line) in self.raw.split(|byte| *byte == b'\n').enumerate() {
            let offset = start;
            start += line.len() + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let Some(part) = self.document(line)? else { continue };
            add_coverage(&mut gathered.coverage, part.gathered.coverage);
            gathered.too_deep |= part.gathered.too_deep;
            gathered.overflow |= part.gathered.overflow || located.len() > self.reading.hits_max;
            for mut it in part.located {
                it.pieces.iter_mut().for_each(|piece| *piece = piece.start + offset..piece.end + offset);
                it.finding.place.path = format!("[{number}].{}", it.finding.place.path);
                located.push(it);
            }
            let leaves = part.gathered.leaves.unwrap_or_default().into_iter().map(|mut leaf| {
                leaf.place.start += offset;
                leaf.path = format!("[{number}].{}", leaf.path);
                leaf
            });
            if let Some(all) = &mut gathered.leaves {
                all.extend(leaves);
            }
        }
        Ok(Complete { encoded: None, raw: self.raw, gathered, located })
    }

    fn document(&self, bytes: &[u8]) -> Result<Option<Complete>, Unreadable> {
        let mut document = Document::new(&[], self.limits, self.reading.clone(), &self.hasher, self.leaves)?;
        document.push(bytes)?;
        document.finish()
    }

    /// Text of the provider's own making. Nothing is put back into it: no client takes it for the model's words.
    fn text(self) -> Complete {
        let text = String::from_utf8_lossy(&self.raw);
        let hits = scan_whole(&self.reading, Source::Assistant, &text);
        let mut located: Vec<_> =
            hits.iter().map(|hit| in_text(&self.reading, Source::Assistant, &text, hit, "answer")).collect();
        located.sort_by_key(|it| (it.finding.span.start, it.finding.span.end));
        let mut gathered = Gathered::default();
        gathered.coverage.scanned_bytes = text.len() as u64;
        // Places in it are places in the bytes only if the two are the same.
        let raw = text.into_owned().into_bytes();
        let raw = if located.is_empty() { self.raw } else { raw };
        Complete { encoded: None, raw, gathered, located }
    }
}

fn add_coverage(sum: &mut Coverage, part: Coverage) {
    sum.scanned_bytes += part.scanned_bytes;
    part.skipped_bytes.into_iter().for_each(|(reason, bytes)| sum.skip(reason, bytes));
}
