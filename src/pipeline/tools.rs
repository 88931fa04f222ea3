//! Descriptions of tools that were read before: an agent sends the same dozens of them with every turn, and they are most of
//! the strings of a body. Each is known as a whole.

use super::seen::{Clean, Digest, Seen};
use super::whole::{Recalled, Search};
use crate::domain::Coverage;
use crate::wire::json::{Ahead, Path, Step};

/// Descriptions of one document that are learned.
const LEARNED_MAX: usize = 1024;

/// The descriptions of a document.
#[derive(Default)]
pub(super) struct Tools {
    search: Search,
    /// Where the one begins that was shown last and is not known.
    shown: Option<(usize, Digest)>,
    /// The one that is being read, and the sum of what had been scanned before.
    open: Option<(Digest, u64)>,
    /// Those that held nothing, and the decoded bytes of their texts.
    clean: Vec<(Digest, u64)>,
}

impl Tools {
    /// Whether the element at this path is the description of a tool. All text in it has the same author, none of it goes
    /// on in a neighbour, and it says nothing about the rest of the document.
    pub(super) fn is_one(path: &Path) -> bool {
        matches!(path.steps(), [Step::Key(list), Step::Index(_)] if list == "tools")
    }

    /// Looks at the description that begins at the offset `at`.
    pub(super) fn recall(&mut self, seen: &Seen, context: u64, at: usize, ahead: Ahead<'_>) -> Recalled {
        let Some(length) = self.search.length(at, ahead.bytes) else {
            return if ahead.may_wait { Recalled::NotYet } else { Recalled::No };
        };
        let mut about = *b"a tool  --------";
        about[8..].copy_from_slice(&context.to_le_bytes());
        let digest = seen.digest(&ahead.bytes[..length], &about);
        match seen.recall(digest) {
            Some(Clean { length: scanned_bytes, .. }) => {
                let coverage = Coverage { scanned_bytes, skipped_bytes: Vec::new() };
                Recalled::Yes { bytes: length, elements: 1, coverage }
            }
            None => {
                self.shown = Some((at, digest));
                Recalled::No
            }
        }
    }

    /// A description begins.
    pub(super) fn begin(&mut self, at: usize, scanned_bytes: u64) {
        self.open = self.shown.take().filter(|shown| shown.0 == at).map(|(_, digest)| (digest, scanned_bytes));
    }

    /// It ends; `is_clean`: nothing in it was found, or left out.
    pub(super) fn end(&mut self, scanned_bytes: u64, is_clean: bool) {
        let Some((digest, before)) = self.open.take() else { return };
        if is_clean && self.clean.len() < LEARNED_MAX {
            self.clean.push((digest, scanned_bytes - before));
        }
    }

    /// The document is whole: what held nothing is known from now on.
    pub(super) fn learn(&self, seen: &Seen) {
        for &(digest, length) in &self.clean {
            seen.remember(digest, Clean { length, skipped: None });
        }
    }
}
