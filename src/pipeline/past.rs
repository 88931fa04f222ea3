//! The messages of a conversation that were read before. An agent sends all of them again with every turn; those at its
//! beginning that held nothing are passed over as a whole.
//!
//! A message is known by its bytes and by all messages before it: its digest is made of theirs. The last known one is
//! read all the same, so that what follows is judged with its neighbour; and messages are passed over only from a border
//! to a border over which no text goes on, for a secret may be split over as many blocks of one author as there are.

use std::collections::VecDeque;

use super::seen::{Clean, Digest, Seen};
use super::whole::{After, Found, Recalled, Search, about, remember_length};
use crate::domain::{Coverage, Skipped};
use crate::wire::json::{Ahead, Path, Step};

/// Messages of one document that are looked at ahead, or learned.
const MESSAGES_MAX: usize = 4096;
/// Of what is remembered of a message, the bits below the sum of its scanned bytes.
const CLEAN: u64 = 1;
const PARTED: u64 = 2;
const FLAG_BITS: u32 = 2;

/// The messages of a document, as far as each follows the one before.
#[derive(Default)]
pub(super) struct Past {
    /// Where the first message begins.
    start: usize,
    /// The index of the first of `ahead`.
    index: u32,
    /// The digest of everything up to the end of `ahead`; `None` once a message was read without it.
    digest: Option<Digest>,
    ahead: VecDeque<Shown>,
    /// The index of the last message of `ahead`, but for the first, before which there is such a border.
    border: Option<u32>,
    search: Search,
    /// Where the message begins that was shown last and is to be read.
    shown: Option<(usize, Shown)>,
    open: Option<Open>,
    read: Vec<Read>,
}

/// A message ahead of its reading.
struct Shown {
    /// Of all before it.
    before: Digest,
    digest: Digest,
    length: usize,
    /// The offset behind it.
    end: usize,
    known: Option<Message>,
}

/// The message that is being read.
struct Open {
    shown: Shown,
    /// What was covered before it.
    before: Coverage,
}

/// A message that was read.
struct Read {
    before: Digest,
    digest: Digest,
    length: usize,
    /// The offset behind it.
    end: usize,
    message: Message,
}

/// What is known of a message.
#[derive(Clone, Copy)]
struct Message {
    /// Nothing in it was found.
    is_clean: bool,
    /// No text goes on over the border before it.
    is_parted: bool,
    scanned_bytes: u64,
    skipped: Option<(Skipped, u64)>,
}

impl Past {
    /// The index of the message that the element at this path is.
    pub(super) fn index(path: &Path) -> Option<u32> {
        match path.steps() {
            [Step::Key(list), Step::Index(index)] if list == "messages" || list == "input" => Some(*index),
            _ => None,
        }
    }

    /// Looks at the message of this index that begins at the offset `at`. `context` is asked once: for all that
    /// decides how messages are read.
    pub(super) fn recall(
        &mut self,
        seen: &Seen,
        context: impl FnOnce() -> Digest,
        index: u32,
        at: usize,
        ahead: Ahead<'_>,
    ) -> Recalled {
        if index == 0 && (self.start != at || self.digest.is_none()) {
            let read = std::mem::take(&mut self.read);
            *self = Past { start: at, digest: Some(context()), read, ..Past::default() };
        }
        if index != self.index {
            self.digest = None;
        }
        if self.digest.is_none() {
            return Recalled::No;
        }
        let is_whole = self.look_ahead(seen, at, ahead.bytes);
        if let Some(passed) = self.pass(at) {
            return passed;
        }
        if !is_whole && ahead.may_wait {
            return Recalled::NotYet;
        }
        match self.ahead.pop_front() {
            Some(first) => {
                self.index += 1;
                self.border = self.border.filter(|&border| border > self.index);
                self.shown = Some((at, first));
            }
            None => self.digest = None,
        }
        Recalled::No
    }

    /// Takes in the messages that follow, up to the first that has to be read; whether all of them are there.
    fn look_ahead(&mut self, seen: &Seen, at: usize, bytes: &[u8]) -> bool {
        while self.ahead.len() < MESSAGES_MAX {
            let start = match self.ahead.back() {
                None => at,
                Some(last) if !last.known.is_some_and(|it| it.is_clean) => return true,
                Some(last) => match After::of(&bytes[last.end - at..]) {
                    After::Another(between) => last.end + between,
                    After::Unknown => return false,
                    After::Nothing => return true,
                },
            };
            let Some(before) = self.digest else { return false };
            let object = self.search.object(seen, before, &about(b"message ", before), start, &bytes[start - at..]);
            let Some(Found { length, digest, known }) = object else { return false };
            let known = known.and_then(|it| recall(seen, digest, it));
            if known.is_some_and(|it| it.is_parted) && !self.ahead.is_empty() {
                self.border = Some(self.index + self.ahead.len() as u32);
            }
            self.ahead.push_back(Shown { before, digest, length, end: start + length, known });
            self.digest = Some(digest);
        }
        true
    }

    /// Passes over what is known from this border to the last one.
    fn pass(&mut self, at: usize) -> Option<Recalled> {
        let border = self.border?;
        let elements = border - self.index;
        if !self.ahead.front()?.known?.is_parted {
            return None;
        }
        let mut coverage = Coverage::default();
        let mut end = at;
        for Shown { end: behind, known, .. } in self.ahead.drain(..elements as usize) {
            end = behind;
            let Some(message) = known else { continue };
            coverage.scanned_bytes += message.scanned_bytes;
            if let Some((reason, bytes)) = message.skipped {
                coverage.skip(reason, bytes);
            }
        }
        (self.index, self.border) = (border, None);
        Some(Recalled::Yes { bytes: end - at, elements, coverage })
    }

    /// A message begins that is not passed over. `coverage`: all before it.
    pub(super) fn begin(&mut self, at: usize, coverage: &Coverage) {
        let shown = self.shown.take().filter(|(start, shown)| *start == at && shown.known.is_none());
        self.open = shown.map(|(_, shown)| Open { shown, before: coverage.clone() });
    }

    /// It ends. `coverage`: all up to here.
    pub(super) fn end(&mut self, coverage: &Coverage, is_clean: bool, is_parted: bool) {
        let Some(Open { shown, before }) = self.open.take() else { return };
        let mut skipped = coverage.skipped_bytes.iter().filter_map(|&(reason, bytes)| {
            let earlier = before.skipped_bytes.iter().find(|it| it.0 == reason).map_or(0, |it| it.1);
            (bytes > earlier).then_some((reason, bytes - earlier))
        });
        let scanned_bytes = coverage.scanned_bytes - before.scanned_bytes;
        let message = Message { is_clean, is_parted, scanned_bytes, skipped: skipped.next() };
        // What was skipped for several reasons is read again.
        let is_clean = is_clean && skipped.next().is_none();
        if self.read.len() < MESSAGES_MAX {
            let Shown { before, digest, length, end, .. } = shown;
            self.read.push(Read { before, digest, length, end, message: Message { is_clean, ..message } });
        }
    }

    /// Something was found at this offset after all.
    pub(super) fn spoil(&mut self, at: usize) {
        let holds = |it: &&mut Read| at < it.end && at + it.length >= it.end;
        self.read.iter_mut().filter(holds).for_each(|it| it.message.is_clean = false);
    }

    /// The document is whole, and nothing was found over a border: what was read is known from now on.
    pub(super) fn learn(&self, seen: &Seen) {
        for &Read { before, digest, length, message, .. } in &self.read {
            remember_length(seen, before, length);
            let flag = |is_set, flag| if is_set { flag } else { 0 };
            let flags = flag(message.is_clean, CLEAN) | flag(message.is_parted, PARTED);
            let length = message.scanned_bytes << FLAG_BITS | flags;
            seen.remember(digest, Clean { length, skipped: message.skipped.map(|it| it.0) });
            if let Some((_, bytes)) = message.skipped {
                let about = about(b"skipped ", digest);
                seen.remember(seen.digest(b"", &about), Clean { length: bytes, skipped: None });
            }
        }
    }
}

/// The message with this digest, of which this is known.
fn recall(seen: &Seen, digest: Digest, Clean { length, skipped }: Clean) -> Option<Message> {
    let skipped = match skipped {
        Some(reason) => Some((reason, seen.recall(seen.digest(b"", &about(b"skipped ", digest)))?.length)),
        None => None,
    };
    Some(Message {
        is_clean: length & CLEAN != 0,
        is_parted: length & PARTED != 0,
        scanned_bytes: length >> FLAG_BITS,
        skipped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a list of messages, each with whether it is clean and parted; gives how many were passed over where.
    fn read(seen: &Seen, messages: &[(&str, bool, bool)], end: &str) -> Vec<(u32, u32)> {
        let text: Vec<&str> = messages.iter().map(|it| it.0).collect();
        let list = format!("{}{end}", text.join(" , "));
        let (mut past, mut passed, mut coverage) = (Past::default(), Vec::new(), Coverage::default());
        let (mut index, mut at) = (0, 0);
        while index < messages.len() {
            let ahead = Ahead { bytes: &list.as_bytes()[at..], may_wait: false };
            let first = seen.digest(b"context", b"");
            match past.recall(seen, || first, index as u32, at, ahead) {
                Recalled::Yes { bytes, elements, coverage: added } => {
                    passed.push((index as u32, elements));
                    coverage.add(&added);
                    (index, at) = (index + elements as usize, at + bytes + 3);
                }
                Recalled::No => {
                    let (message, is_clean, is_parted) = messages[index];
                    past.begin(at, &coverage);
                    coverage.scanned_bytes += message.len() as u64;
                    past.end(&coverage, is_clean, is_parted);
                    (index, at) = (index + 1, at + message.len() + 3);
                }
                Recalled::NotYet => panic!("waits for nothing"),
            }
        }
        assert_eq!(coverage.scanned_bytes as usize, text.iter().map(|it| it.len()).sum::<usize>());
        past.learn(seen);
        passed
    }

    const ONE: (&str, bool, bool) = (r#"{"a":"one"}"#, true, true);
    const TWO: (&str, bool, bool) = (r#"{"a":"two }"}"#, true, true);
    const THREE: (&str, bool, bool) = (r#"{"a":["three",{}]}"#, true, true);
    const GOES_ON: (&str, bool, bool) = (r#"{"a":"of the same author"}"#, true, false);
    const BAD: (&str, bool, bool) = (r#"{"a":"with a finding"}"#, false, true);

    #[test]
    fn what_was_read_is_passed_over_up_to_the_last() {
        let seen = Seen::new();
        assert_eq!(read(&seen, &[ONE, TWO, THREE], "]"), []);
        assert_eq!(read(&seen, &[ONE, TWO, THREE], "]"), [(0, 2)]);
        assert_eq!(read(&seen, &[ONE, TWO, THREE, TWO, ONE], "]"), [(0, 2)]);
        assert_eq!(read(&seen, &[ONE, TWO, THREE, TWO, ONE], "]"), [(0, 4)]);
        assert_eq!(read(&seen, &[TWO, ONE, THREE], "]"), [], "in another order they are others");
        assert_eq!(read(&seen, &[ONE, TWO, BAD], "]"), [(0, 1)]);
    }

    #[test]
    fn a_finding_is_read_again_and_what_follows_is_not() {
        let seen = Seen::new();
        let messages = [ONE, TWO, BAD, ONE, TWO, THREE];
        assert_eq!(read(&seen, &messages, ""), []);
        assert_eq!(read(&seen, &messages, ""), [(0, 2), (3, 2)]);
    }

    #[test]
    fn what_goes_on_is_read_with_what_it_goes_on_from() {
        let seen = Seen::new();
        let messages = [ONE, TWO, GOES_ON, GOES_ON];
        assert_eq!(read(&seen, &messages, "]"), []);
        assert_eq!(read(&seen, &messages, "]"), [(0, 1)]);
        let messages = [GOES_ON, ONE, TWO];
        assert_eq!(read(&seen, &messages, "]"), []);
        assert_eq!(read(&seen, &messages, "]"), [(1, 1)], "it may go on from what stands before the list");
    }

    #[test]
    fn more_is_waited_for_while_it_may_come() {
        let seen = Seen::new();
        read(&seen, &[ONE, TWO], "]");
        let list = format!("{},{}]", ONE.0, TWO.0);
        let mut past = Past::default();
        let first = seen.digest(b"context", b"");
        let behind = ONE.0.len() + 1 + TWO.0.len();
        for end in 1..behind {
            let ahead = Ahead { bytes: &list.as_bytes()[..end], may_wait: true };
            assert_eq!(past.recall(&seen, || first, 0, 0, ahead), Recalled::NotYet, "{end} bytes");
        }
        let ahead = Ahead { bytes: &list.as_bytes()[..behind], may_wait: true };
        let Recalled::Yes { bytes, elements, .. } = past.recall(&seen, || first, 0, 0, ahead) else {
            panic!("not known")
        };
        assert_eq!((bytes, elements), (ONE.0.len(), 1));
    }
}
