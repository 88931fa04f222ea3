//! The journal: the chain as it is written, on the gateway's own disk, before any store or outlet sees it.
//!
//! One thread appends; every outlet reads through a [`Feed`] of its own, and only what is safely on disk. The journal is
//! the spool as well: a store that is away finds everything it missed here.

mod feed;
mod segment;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

pub use self::feed::{Batch, Feed};
use self::segment::{HEADER_BYTES, Next, PAYLOAD_BYTES_MAX, Segment};
use super::entry::{Entry, Head, Link};
use super::record::{Record, Subject};

/// Extension of a file that keeps what was found damaged.
const DAMAGED: &str = "damaged";
/// A segment that has reached this size is followed by another.
const SEGMENT_BYTES: u64 = 16 << 20;

/// The end of the chain, and what is on the way to the disk.
pub struct Journal {
    folder: PathBuf,
    gateway: Arc<str>,
    head: Head,
    written_ms: u64,
    file: File,
    /// Bytes of the open segment that are safely on disk.
    length: u64,
    /// Frames that are not safely on disk.
    pending: Vec<u8>,
    /// How many bytes of `pending` the operating system has.
    written: usize,
    /// Whether the file may hold more than `length` and `written` say: a write or a sync has failed.
    torn: bool,
    /// First entry and bytes of each segment but the open one, ascending.
    closed: Vec<(u64, u64)>,
    /// First entry of the open segment.
    first: u64,
    durable: watch::Sender<u64>,
}

/// What was written and is not safe yet.
pub struct Unsynced {
    file: File,
    bytes: usize,
    sequence: u64,
    durable: watch::Sender<u64>,
}

impl Unsynced {
    /// Makes it safe and shows it to the readers; how many bytes that were.
    ///
    /// # Errors
    /// A disk that is gone or broken.
    pub fn sync(&self) -> io::Result<usize> {
        self.file.sync_data()?;
        self.durable.send_replace(self.sequence);
        Ok(self.bytes)
    }
}

/// What was found amiss when a journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes at the end that were no whole frame; they are kept in a file beside the journal.
    pub torn_bytes: u64,
    /// Entries that a store or an outlet has, and the journal has not.
    pub missing: u64,
}

impl Journal {
    /// Opens the journal in `folder`, or begins one. `floor` is the newest entry that is known elsewhere: where the
    /// journal ends before it, the chain goes on behind it.
    ///
    /// # Errors
    /// A folder or file that cannot be read or written.
    pub fn open(folder: &Path, gateway: Arc<str>, floor: Option<Head>) -> io::Result<(Journal, Recovery)> {
        std::fs::create_dir_all(folder)?;
        let mut recovery = Recovery::default();
        let last = end_of_all(folder, &gateway, &mut recovery)?;
        let mut closed = Vec::new();
        for first in segment::list(folder)? {
            closed.push((first, std::fs::metadata(segment::path(folder, first))?.len()));
        }
        let nothing = End { head: Head { sequence: 0, hash: Link::FIRST }, written_ms: 0 };
        let mut end = last.unwrap_or(nothing);
        if let Some(floor) = floor.filter(|floor| floor.sequence > end.head.sequence) {
            recovery.missing = floor.sequence - end.head.sequence;
            end.head = floor;
        }
        let continued = if recovery.missing == 0 { closed.pop() } else { None };
        let (first, length) = continued.unwrap_or((end.head.sequence + 1, HEADER_BYTES));
        let file = match continued {
            Some((first, _)) => OpenOptions::new().append(true).open(segment::path(folder, first))?,
            None => begin(folder, end.head)?,
        };
        let (durable, _) = watch::channel(end.head.sequence);
        let journal = Journal {
            folder: folder.to_owned(),
            gateway,
            head: end.head,
            written_ms: end.written_ms,
            file,
            length,
            pending: Vec::new(),
            written: 0,
            torn: false,
            closed,
            first,
            durable,
        };
        Ok((journal, recovery))
    }

    /// The newest whole entry of the journal in `folder`, beside a gateway that writes or not; `None` without one.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn last(folder: &Path, gateway: Arc<str>) -> io::Result<Option<Head>> {
        for &first in segment::list(folder)?.iter().rev() {
            if let Some(mut segment) = Segment::open(folder, first, gateway.clone())? {
                return Ok(Some(last_of(&mut segment)?.0.head));
            }
        }
        Ok(None)
    }

    /// The newest entry, also where it is not on disk yet.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.closed.iter().map(|(_, bytes)| bytes).sum::<u64>() + self.length + self.pending.len() as u64
    }

    /// Bytes that are not safely on disk.
    pub fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// The number of the newest entry that is safely on disk.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    /// A reader of what is on disk.
    pub fn feed(&self) -> Feed {
        Feed::new(self.folder.clone(), self.gateway.clone(), self.durable())
    }

    /// Chains a record. It is on disk after [`Journal::sync`]. A sealed text that does not fit a frame is left out.
    ///
    /// # Errors
    /// A record that is no JSON, which the types rule out.
    pub fn append(
        &mut self,
        id: String,
        subject: Subject,
        sealed: Option<Arc<[u8]>>,
        now_ms: u64,
    ) -> Result<Head, serde_json::Error> {
        let written_ms = now_ms.max(self.written_ms);
        let gateway = self.gateway.to_string();
        let sequence = self.head.sequence + 1;
        let record = Record { version: Record::VERSION, gateway, sequence, written_ms, id, subject };
        let body: Arc<str> = serde_json::to_string(&record)?.into();
        let hash = self.head.hash.next(&body);
        let sealed = sealed.filter(|it| it.len() + body.len() < PAYLOAD_BYTES_MAX / 2);
        let entry = Entry { gateway: self.gateway.clone(), sequence, written_ms, hash, body, sealed };
        segment::write_frame(&entry, &mut self.pending);
        (self.head, self.written_ms) = (entry.head(), written_ms);
        Ok(self.head)
    }

    /// Hands everything to the operating system: it survives the end of the process, not yet that of the machine.
    /// After an error nothing is lost, and it can be tried again.
    ///
    /// # Errors
    /// A disk that is full, gone or broken.
    pub fn write(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length + self.written as u64)?;
            self.torn = false;
        }
        if self.written == self.pending.len() {
            return Ok(());
        }
        // Half a frame that a failed write leaves behind is cut off before the next try.
        self.torn = true;
        self.file.write_all(&self.pending[self.written..])?;
        (self.torn, self.written) = (false, self.pending.len());
        Ok(())
    }

    /// What has to be synced so that everything written so far is safe against the end of the machine; to be done on
    /// another thread, so that writing goes on meanwhile. `None`: there is nothing.
    ///
    /// # Errors
    /// No further handle on the file is to be had.
    pub fn begin_sync(&self) -> io::Result<Option<Unsynced>> {
        if self.written == 0 {
            return Ok(None);
        }
        let file = self.file.try_clone()?;
        Ok(Some(Unsynced { file, bytes: self.written, sequence: self.head.sequence, durable: self.durable.clone() }))
    }

    /// What [`Unsynced::sync`] has made safe.
    pub fn synced(&mut self, bytes: usize) {
        self.length += bytes as u64;
        self.written -= bytes;
        self.pending.drain(..bytes);
    }

    /// A sync has failed: the system may have dropped what it had, so that everything is written again.
    pub fn not_synced(&mut self) {
        (self.torn, self.written) = (true, 0);
    }

    /// Whether the open segment is to be followed by another: [`Journal::sync`] begins it.
    pub fn is_full(&self) -> bool {
        self.length + self.written as u64 >= SEGMENT_BYTES
    }

    /// Makes everything safe against the end of the machine, and shows it to the readers.
    ///
    /// # Errors
    /// As [`Journal::write`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        if let Some(unsynced) = self.begin_sync()? {
            match unsynced.sync() {
                Ok(bytes) => self.synced(bytes),
                Err(error) => {
                    self.not_synced();
                    return Err(error);
                }
            }
        }
        if self.is_full() {
            self.file = begin(&self.folder, self.head)?;
            self.closed.push((self.first, self.length));
            (self.first, self.length) = (self.head.sequence + 1, HEADER_BYTES);
        }
        Ok(())
    }

    /// Removes segments of which every entry is numbered `done` or lower; the open one stays.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn prune(&mut self, done: u64) -> io::Result<()> {
        while let Some(&(first, _)) = self.closed.first() {
            if self.closed.get(1).map_or(self.first, |(next, _)| *next) > done + 1 {
                break;
            }
            std::fs::remove_file(segment::path(&self.folder, first))?;
            self.closed.remove(0);
        }
        Ok(())
    }
}

/// The last whole entry of a segment.
#[derive(Clone, Copy)]
struct End {
    head: Head,
    written_ms: u64,
}

/// The end of the newest segment that is one; what is none is renamed.
fn end_of_all(folder: &Path, gateway: &Arc<str>, recovery: &mut Recovery) -> io::Result<Option<End>> {
    while let Some(&first) = segment::list(folder)?.last() {
        if let Some(segment) = Segment::open(folder, first, gateway.clone())? {
            return end_of(&segment::path(folder, first), segment, recovery).map(Some);
        }
        let path = segment::path(folder, first);
        // A crash may leave a segment that was just begun without its header.
        match std::fs::metadata(&path)?.len() {
            0 => std::fs::remove_file(&path)?,
            bytes => {
                recovery.torn_bytes += bytes;
                std::fs::rename(&path, path.with_extension(DAMAGED))?;
            }
        }
    }
    Ok(None)
}

/// Cuts off what is no whole frame at the end of a segment; it is kept in a file beside it.
fn end_of(path: &Path, mut segment: Segment, recovery: &mut Recovery) -> io::Result<End> {
    let (end, whole) = last_of(&mut segment)?;
    let length = std::fs::metadata(path)?.len();
    if length > whole {
        recovery.torn_bytes += length - whole;
        std::fs::copy(path, path.with_extension(DAMAGED))?;
        OpenOptions::new().write(true).open(path)?.set_len(whole)?;
    }
    Ok(end)
}

/// The last entry of a segment that follows the one before it, and the offset behind it.
fn last_of(segment: &mut Segment) -> io::Result<(End, u64)> {
    let mut end = End { head: Head { sequence: segment.first() - 1, hash: segment.previous() }, written_ms: 0 };
    loop {
        let offset = segment.offset();
        match segment.next()? {
            Next::Entry(it) if it.sequence == end.head.sequence + 1 && end.head.hash.next(&it.body) == it.hash => {
                end = End { head: it.head(), written_ms: it.written_ms };
            }
            _ => return Ok((end, offset)),
        }
    }
}

/// A new segment behind `head`; its name is on disk when this returns.
fn begin(folder: &Path, head: Head) -> io::Result<File> {
    let path = segment::path(folder, head.sequence + 1);
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    file.set_len(0)?;
    file.write_all(&segment::header(head.sequence + 1, head.hash))?;
    file.sync_data()?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests;
