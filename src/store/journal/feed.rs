//! Reading the journal behind the writer: from any entry on, as far as it is safely on disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::segment::{self, Next, Segment};
use crate::store::entry::Entry;

/// Entries, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Those that follow, as many as were asked for.
    pub entries: Vec<Entry>,
    /// Entries between what was asked for and the first of these that the journal no longer has or cannot read.
    pub missing: u64,
}

/// One reader. It remembers where it stands, so that reading on costs no search.
pub struct Feed {
    folder: PathBuf,
    gateway: Arc<str>,
    durable: watch::Receiver<u64>,
    /// The segment that is read, and the number of the entry read last.
    open: Option<(Segment, u64)>,
}

impl Feed {
    pub(super) fn new(folder: PathBuf, gateway: Arc<str>, durable: watch::Receiver<u64>) -> Feed {
        Feed { folder, gateway, durable, open: None }
    }

    /// The number of the newest entry that can be read.
    pub fn newest(&self) -> u64 {
        *self.durable.borrow()
    }

    /// Waits until an entry behind `sequence` can be read; `false` when the journal is closed.
    pub async fn wait(&mut self, sequence: u64) -> bool {
        self.durable.wait_for(|newest| *newest > sequence).await.is_ok()
    }

    /// The entries behind `sequence`, at most `entries_max` and about `bytes_max`.
    ///
    /// # Errors
    /// A file that cannot be read; what is damaged is passed over and counted.
    pub fn read(&mut self, sequence: u64, entries_max: usize, bytes_max: usize) -> io::Result<Batch> {
        let newest = self.newest();
        let (mut batch, mut bytes, mut at) = (Batch::default(), 0, sequence);
        while at < newest && batch.entries.len() < entries_max && bytes < bytes_max {
            let next = match self.segment_behind(at)? {
                Some(segment) => segment.next()?,
                None => break,
            };
            match next {
                Next::Entry(entry) if entry.sequence <= at => {}
                Next::Entry(entry) if entry.sequence > newest => {
                    // Written, but not yet safe: read again when it is.
                    self.open = None;
                    break;
                }
                Next::Entry(entry) => {
                    if entry.sequence != at + 1 {
                        if !batch.entries.is_empty() {
                            self.open = None;
                            break;
                        }
                        batch.missing += entry.sequence - at - 1;
                    }
                    at = entry.sequence;
                    bytes += entry.body.len() + entry.sealed.as_deref().map_or(0, <[u8]>::len);
                    batch.entries.push(entry);
                    if let Some((_, last)) = &mut self.open {
                        *last = at;
                    }
                }
                Next::End | Next::Damaged => {
                    let behind = segment::list(&self.folder)?.into_iter().find(|&first| first > self.first_of_open());
                    match behind {
                        Some(first) => self.enter(first, at)?,
                        None => break,
                    }
                }
            }
        }
        Ok(batch)
    }

    fn first_of_open(&self) -> u64 {
        self.open.as_ref().map_or(0, |(segment, _)| segment.first())
    }

    /// Begins a segment, with everything up to `at` read.
    fn enter(&mut self, first: u64, at: u64) -> io::Result<()> {
        let opened = Segment::open(&self.folder, first, self.gateway.clone())?;
        self.open = opened.map(|segment| (segment, at));
        Ok(())
    }

    /// The segment that is read, opened anew where reading does not go on from where it stopped.
    fn segment_behind(&mut self, at: u64) -> io::Result<Option<&mut Segment>> {
        if self.open.as_ref().is_none_or(|(_, last)| *last > at) {
            let all = segment::list(&self.folder)?;
            let index = all.partition_point(|&first| first <= at + 1).saturating_sub(1);
            for &first in &all[index.min(all.len())..] {
                self.enter(first, at)?;
                if self.open.is_some() {
                    break;
                }
            }
        }
        Ok(self.open.as_mut().map(|(segment, _)| segment))
    }
}
