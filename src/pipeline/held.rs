//! An answer that is held until it is complete: one JSON document, lines of them (results of a batch), or plain text.

use std::hash::RandomState;

use super::body::Reading;
use super::document::{Complete, Document, DocumentLimits, Unreadable};
use super::gathered::Gathered;
use super::locate::{Lines, in_text, scan_whole};
use crate::domain::{Coverage, Source};
use crate::wire::encoding::{Coding, Decoder};

/// How an answer is read, by what it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A stream of events.
    Events,
    Json,
    Lines,
    /// Nothing that clients go by, or that helps: its bytes decide, once all of them are there.
    Unknown,
}

impl Shape {
    /// By all headers of the answer (lower-case names).
    pub(super) fn of(headers: &[(&str, &[u8])]) -> Result<Self, Unreadable> {
        let values = headers.iter().filter(|(name, _)| *name == "content-type");
        let values: Vec<String> =
            values.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase()).collect();
        let named =
            values.iter().flat_map(|it| it.split(',')).map(|it| it.split(';').next().unwrap_or_default().trim());
        let mut kinds: Vec<&str> = named.filter(|it| !it.is_empty()).collect();
        kinds.dedup();
        match kinds.as_slice() {
            [] => Ok(Shape::Unknown),
            ["text/event-stream"] => Ok(Shape::Events),
            [
                "application/x-jsonl"
                | "application/jsonl"
                | "application/x-ndjson"
                | "application/ndjson"
                | "application/json-lines",
            ] => Ok(Shape::Lines),
            [kind] if *kind == "application/json" || kind.ends_with("+json") => Ok(Shape::Json),
            [_] => Ok(Shape::Unknown),
            // Clients differ in which of them they go by.
            _ => Err(Unreadable::Kinds),
        }
    }
}

/// What the bytes of an answer are that did not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sniffed {
    Document,
    Events,
    Text,
    Binary,
}

fn sniff(raw: &[u8]) -> Sniffed {
    let begun = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw).trim_ascii_start();
    let is_field = |line: &[u8], name: &str| {
        line.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b':')))
    };
    if matches!(begun.first(), Some(b'{' | b'[')) {
        return Sniffed::Document;
    }
    // What no event stream knows may stand before its first event.
    let has_data = || raw.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| is_field(line, "data"));
    let first = begun.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    if ["", "data", "event", "id", "retry"].iter().any(|name| !first.is_empty() && is_field(first, name)) || has_data()
    {
        return Sniffed::Events;
    }
    // Some clients take it for JSON in two or four bytes a character.
    if memchr::memchr(0, raw).is_some() { Sniffed::Binary } else { Sniffed::Text }
}

/// What an answer turned out to be.
pub(super) enum Finished {
    /// A body without a byte.
    Empty,
    Whole(Box<Complete>),
    /// Events, which are to be read as such.
    Events(Vec<u8>),
}

impl Finished {
    fn of(complete: Option<Complete>) -> Self {
        complete.map_or(Finished::Empty, |it| Finished::Whole(Box::new(it)))
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
    /// An empty answer of this shape, in these encodings. `leaves` asks for the list of its texts.
    pub(super) fn new(
        shape: Shape,
        codings: &[Coding],
        limits: DocumentLimits,
        reading: Reading,
        hasher: &RandomState,
        leaves: bool,
    ) -> Result<Self, Unreadable> {
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

    /// Everything has arrived.
    pub(super) fn finish(self) -> Result<Finished, Unreadable> {
        match self {
            Held::Json(document) => document.finish().map(Finished::of),
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

    fn finish(mut self) -> Result<Finished, Unreadable> {
        if let Some(decoder) = &mut self.decoder {
            decoder.finish(&mut self.raw).map_err(Unreadable::Encoding)?;
        }
        if self.raw.is_empty() {
            return Ok(Finished::Empty);
        }
        let sniffed = match self.shape {
            Shape::Lines | Shape::Json => return self.lines().map(|it| Finished::of(Some(it))),
            Shape::Events => Sniffed::Events,
            Shape::Unknown => sniff(&self.raw),
        };
        match sniffed {
            Sniffed::Document => self.whole_or_lines().map(|it| Finished::of(Some(it))),
            Sniffed::Events => Ok(Finished::Events(self.raw)),
            Sniffed::Text => Ok(Finished::of(Some(self.text()))),
            Sniffed::Binary => Err(Unreadable::Binary),
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
            if gathered.overflow {
                break;
            }
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

    /// Text that no client takes for an answer. Nothing is put back into it.
    fn text(self) -> Complete {
        let text = String::from_utf8_lossy(&self.raw);
        let hits = scan_whole(&self.reading, Source::Assistant, &text);
        let mut lines = Lines::of(&text);
        let mut located: Vec<_> =
            hits.iter().map(|hit| in_text(&self.reading, Source::Assistant, &mut lines, hit, "answer")).collect();
        located.sort_by_key(|it| (it.finding.span.start, it.finding.span.end));
        let mut gathered = Gathered { overflow: located.len() > self.reading.hits_max, ..Gathered::default() };
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
