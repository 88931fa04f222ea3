//! Descriptions of tools that were read before: an agent sends the same dozens of them with every turn, and they are most of
//! the strings of a body. Each is known as a whole.

use super::seen::{Clean, Digest, Seen};
use super::whole::{After, Found, Recalled, Search, about, remember_length};
use crate::domain::Coverage;
use crate::wire::json::{Ahead, Path, Step};

/// Descriptions of one document that are learned.
const LEARNED_MAX: usize = 1024;

/// The descriptions of a document.
#[derive(Default)]
pub(super) struct Tools {
    search: Search,
    /// The digest of the last one that was shown.
    last: Option<Digest>,
    /// Where the one begins that was shown last and is not known.
    shown: Option<(usize, Read)>,
    /// The one that is being read.
    open: Option<Read>,
    /// Those that held nothing.
    clean: Vec<Read>,
}

/// A description that is not known.
struct Read {
    /// The one before it.
    before: Digest,
    digest: Digest,
    at: usize,
    length: usize,
    /// The decoded bytes of its texts; before it was read, of all texts before it.
    scanned_bytes: u64,
}

impl Tools {
    /// Whether the element at this path is the description of a tool. All text in it has the same author, none of it goes
    /// on in a neighbour, and it says nothing about the rest of the document.
    pub(super) fn is_one(path: &Path) -> bool {
        matches!(path.steps(), [Step::Key(list), Step::Index(_)] if list == "tools")
    }

    /// Looks at the descriptions from the one on that begins at the offset `at`, up to the first that is not known.
    pub(super) fn recall(&mut self, seen: &Seen, context: u64, at: usize, ahead: Ahead<'_>) -> Recalled {
        let start = seen.digest(b"the tools", &context.to_le_bytes());
        let about = about(b"a tool  ", start);
        let (mut bytes, mut elements, mut scanned_bytes) = (0, 0, 0);
        loop {
            // How far the first unknown one is from the last known one is not kept: it is looked at when its turn comes.
            let between = match elements {
                0 => 0,
                _ => match After::of(&ahead.bytes[bytes..]) {
                    After::Another(between) => between,
                    After::Unknown | After::Nothing => break,
                },
            };
            let (from, before) = (bytes + between, self.last.unwrap_or(start));
            let Some(found) = self.search.object(seen, before, &about, at + from, &ahead.bytes[from..]) else {
                if elements == 0 && ahead.may_wait {
                    return Recalled::NotYet;
                }
                break;
            };
            let Found { length, digest, known } = found;
            let Some(Clean { length: texts, .. }) = known else {
                if elements == 0 {
                    self.last = Some(digest);
                    self.shown = Some((at, Read { before, digest, at, length, scanned_bytes: 0 }));
                }
                break;
            };
            self.last = Some(digest);
            (bytes, elements, scanned_bytes) = (from + length, elements + 1, scanned_bytes + texts);
        }
        match elements {
            0 => Recalled::No,
            _ => Recalled::Yes { bytes, elements, coverage: Coverage { scanned_bytes, skipped_bytes: Vec::new() } },
        }
    }

    /// A description begins.
    pub(super) fn begin(&mut self, at: usize, scanned_bytes: u64) {
        let shown = self.shown.take().filter(|(start, _)| *start == at);
        self.open = shown.map(|(_, read)| Read { scanned_bytes, ..read });
    }

    /// It ends; `is_clean`: nothing in it was found, or left out.
    pub(super) fn end(&mut self, scanned_bytes: u64, is_clean: bool) {
        let Some(open) = self.open.take() else { return };
        if is_clean && self.clean.len() < LEARNED_MAX {
            self.clean.push(Read { scanned_bytes: scanned_bytes - open.scanned_bytes, ..open });
        }
    }

    /// Something was found at this offset after all.
    pub(super) fn spoil(&mut self, at: usize) {
        self.clean.retain(|it| at < it.at || at >= it.at + it.length);
    }

    /// The document is whole: what held nothing is known from now on.
    pub(super) fn learn(&self, seen: &Seen) {
        for &Read { before, digest, length, scanned_bytes, .. } in &self.clean {
            remember_length(seen, before, length);
            seen.remember(digest, Clean { length: scanned_bytes, skipped: None });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list of descriptions, each with whether it is clean; gives how many were passed over where.
    fn read(seen: &Seen, tools: &[(&str, bool)]) -> Vec<(usize, u32)> {
        let list = tools.iter().map(|it| it.0).collect::<Vec<_>>().join(", ") + "]";
        let (mut own, mut passed, mut scanned, mut index, mut at) = (Tools::default(), Vec::new(), 0, 0, 0);
        while index < tools.len() {
            let ahead = Ahead { bytes: &list.as_bytes()[at..], may_wait: false };
            match own.recall(seen, 1, at + 9, ahead) {
                Recalled::Yes { bytes, elements, coverage } => {
                    passed.push((index, elements));
                    scanned += coverage.scanned_bytes;
                    (index, at) = (index + elements as usize, at + bytes + 2);
                }
                Recalled::No => {
                    let (tool, is_clean) = tools[index];
                    own.begin(at + 9, scanned);
                    scanned += tool.len() as u64;
                    own.end(scanned, is_clean);
                    (index, at) = (index + 1, at + tool.len() + 2);
                }
                Recalled::NotYet => panic!("waits for nothing"),
            }
        }
        assert_eq!(scanned, tools.iter().map(|it| it.0.len() as u64).sum::<u64>());
        own.learn(seen);
        passed
    }

    #[test]
    fn known_descriptions_are_passed_over_together_in_any_order() {
        let seen = Seen::new();
        let [one, two, three] =
            [r#"{"name":"one"}"#, r#"{"name":"two }"}"#, r#"{"name":["three",{}]}"#].map(|it| (it, true));
        let bad = (r#"{"name":"with a finding"}"#, false);
        assert_eq!(read(&seen, &[one, two, bad, three]), []);
        assert_eq!(read(&seen, &[one, two, bad, three]), [(0, 2), (3, 1)]);
        assert_eq!(read(&seen, &[three, two, two, one]), [(0, 4)]);
        assert_eq!(read(&seen, &[bad, bad]), []);
    }
}
