//! The files of the journal: a header, then frames that each carry one entry and a checksum.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::entry::{Entry, Link};

/// First bytes of every segment; the digit is the version of the form.
const MAGIC: &[u8; 8] = b"AGAUDIT1";
/// Magic, number of the first entry, hash of the entry before it, checksum of all that.
pub(super) const HEADER_BYTES: u64 = 8 + 8 + 32 + 4;
/// Length and checksum of the payload.
const FRAME_HEAD_BYTES: usize = 8;
/// Number, moment, hash, length of the body.
const ENTRY_HEAD_BYTES: usize = 8 + 8 + 32 + 4;
/// Longest payload; a longer one in a file is damage.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 << 20;
const EXTENSION: &str = "journal";

/// The segment whose first entry has this number.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.{EXTENSION}"))
}

/// Numbers of the first entries of all segments, ascending.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|it| it == EXTENSION) {
            found.extend(path.file_stem().and_then(|it| it.to_str()).and_then(|it| it.parse::<u64>().ok()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The first bytes of a segment.
pub(super) fn header(first: u64, previous: Link) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&first.to_le_bytes());
    bytes.extend_from_slice(previous.as_bytes());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Appends the frame of an entry.
pub(super) fn write_frame(entry: &Entry, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    out.extend_from_slice(&entry.sequence.to_le_bytes());
    out.extend_from_slice(&entry.written_ms.to_le_bytes());
    out.extend_from_slice(entry.hash.as_bytes());
    out.extend_from_slice(&(entry.body.len() as u32).to_le_bytes());
    out.extend_from_slice(entry.body.as_bytes());
    out.extend_from_slice(entry.sealed.as_deref().unwrap_or_default());
    let payload = &out[at + FRAME_HEAD_BYTES..];
    let (length, checksum) = (payload.len() as u32, crc32fast::hash(payload));
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
    out[at + 4..at + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// What stands next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    /// An entry, whole.
    Entry(Entry),
    /// Nothing, or the beginning of a frame that is not complete.
    End,
    /// Bytes that are no frame.
    Damaged,
}

/// Reads a segment from its beginning.
#[derive(Debug)]
pub(super) struct Segment {
    file: io::BufReader<File>,
    gateway: Arc<str>,
    first: u64,
    previous: Link,
    /// Offset behind the last whole frame.
    offset: u64,
}

impl Segment {
    /// Opens a segment; `None` where its header is not that of the segment it is named after.
    pub(super) fn open(folder: &Path, first: u64, gateway: Arc<str>) -> io::Result<Option<Segment>> {
        let mut file = io::BufReader::with_capacity(64 << 10, File::open(path(folder, first))?);
        let mut bytes = [0; HEADER_BYTES as usize];
        match file.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let previous = bytes[16..48].try_into().map_or(Link::FIRST, Link::new);
        Ok((bytes == *header(first, previous)).then_some(Segment {
            file,
            gateway,
            first,
            previous,
            offset: HEADER_BYTES,
        }))
    }

    /// The number of its first entry.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The hash of the entry before the first.
    pub(super) fn previous(&self) -> Link {
        self.previous
    }

    /// Offset behind the last whole frame that was read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads on. Behind [`Next::End`] it can be asked again, once more was written.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let mut head = [0; FRAME_HEAD_BYTES];
        if !self.fill(&mut head)? {
            return Ok(Next::End);
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if !(ENTRY_HEAD_BYTES..=PAYLOAD_BYTES_MAX).contains(&length) {
            return Ok(Next::Damaged);
        }
        let mut payload = vec![0; length];
        if !self.fill(&mut payload)? {
            return Ok(Next::End);
        }
        if crc32fast::hash(&payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Ok(Next::Damaged);
        }
        let Some(entry) = self.parse(&payload) else { return Ok(Next::Damaged) };
        self.offset += (FRAME_HEAD_BYTES + length) as u64;
        Ok(Next::Entry(entry))
    }

    /// Fills `bytes`, or goes back to behind the last whole frame.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        match self.file.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.file.seek(SeekFrom::Start(self.offset))?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn parse(&self, payload: &[u8]) -> Option<Entry> {
        let (sequence, rest) = payload.split_first_chunk::<8>()?;
        let (written, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (body, sealed) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some(Entry {
            gateway: self.gateway.clone(),
            sequence: u64::from_le_bytes(*sequence),
            written_ms: u64::from_le_bytes(*written),
            hash: Link::new(*hash),
            body: std::str::from_utf8(body).ok()?.into(),
            sealed: (!sealed.is_empty()).then(|| sealed.into()),
        })
    }
}
