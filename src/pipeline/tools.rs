//! Descriptions of tools that were read before: an agent sends the same dozens of them with every turn, and they are most of
//! the strings of a body. Each is known as a whole.
//!
//! Where one ends is not looked for: its first bytes tell how long it was the last time, and the digest of so many bytes
//! whether it is the same.

use super::seen::{Clean, Digest, Seen};
use crate::wire::json::{Path, Step};

/// Bytes that tell one description from others.
const BEGINNING_BYTES: usize = 96;
/// Descriptions of one document that are learned.
const LEARNED_MAX: usize = 1024;

/// The descriptions of a document that were not known.
#[derive(Default)]
pub(super) struct Tools {
    /// The one that is being read: where it began, and the sum of what had been scanned before.
    open: Option<(usize, u64)>,
    /// Where those stand that held nothing, and the decoded bytes of their texts.
    clean: Vec<(std::ops::Range<usize>, u64)>,
}

impl Tools {
    /// Whether the element at this path is the description of a tool. All text in it has the same author, none of it goes
    /// on in a neighbour, and it says nothing about the rest of the document.
    pub(super) fn is_one(path: &Path) -> bool {
        matches!(path.steps(), [Step::Key(list), Step::Index(_)] if list == "tools")
    }

    /// The length of the known description that these bytes begin with, and what is known of it.
    pub(super) fn recall(seen: &Seen, context: u64, bytes: &[u8]) -> Option<(usize, Clean)> {
        let length = seen.recall(beginning(seen, context, bytes)?)?.length as usize;
        let clean = seen.recall(whole(seen, context, bytes.get(..length)?))?;
        Some((length, clean))
    }

    /// A description begins.
    pub(super) fn begin(&mut self, at: usize, scanned_bytes: u64) {
        self.open = Some((at, scanned_bytes));
    }

    /// It ends with the bracket at `at`; `is_clean`: nothing in it was found, or left out.
    pub(super) fn end(&mut self, at: usize, scanned_bytes: u64, is_clean: bool) {
        let Some((start, before)) = self.open.take() else { return };
        if is_clean && self.clean.len() < LEARNED_MAX {
            self.clean.push((start..at + 1, scanned_bytes - before));
        }
    }

    /// The document is whole: what held nothing is known from now on.
    pub(super) fn learn(&self, seen: &Seen, context: u64, raw: &[u8]) {
        for (range, length) in &self.clean {
            let Some(bytes) = raw.get(range.clone()) else { continue };
            let Some(beginning) = beginning(seen, context, bytes) else { continue };
            seen.remember(whole(seen, context, bytes), Clean { length: *length, skipped: None });
            seen.remember(beginning, Clean { length: bytes.len() as u64, skipped: None });
        }
    }
}

fn beginning(seen: &Seen, context: u64, bytes: &[u8]) -> Option<Digest> {
    Some(seen.digest(bytes.get(..BEGINNING_BYTES)?, &about(*b"begun", context)))
}

fn whole(seen: &Seen, context: u64, bytes: &[u8]) -> Digest {
    seen.digest(bytes, &about(*b"whole", context))
}

fn about(what: [u8; 5], context: u64) -> [u8; 13] {
    let mut about = [0; 13];
    about[..5].copy_from_slice(&what);
    about[5..].copy_from_slice(&context.to_le_bytes());
    about
}
