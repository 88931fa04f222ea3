//! Texts that were read before and held nothing. Agents send the whole conversation again with every turn, and all
//! developers of one client the same instructions and tools: what is known by its digest is not read again.
//!
//! Kept are keyed digests and lengths, never text. The key is of this process, so nobody outside can make two texts that
//! are taken for one another; that two do by chance is as likely as guessing some sixty bits.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use highway::{HighwayHash, HighwayHasher, Key};

use crate::domain::Skipped;

/// Parts that are made when something first belongs into them.
const PARTS: usize = 64;
/// Lines of a part: 256 KiB. All parts together are 16 MiB, a million texts.
const PART_LINES: usize = 4096;
/// Texts of a line, which is one line of the processor's cache.
const LINE_TEXTS: usize = 4;
/// Texts that are taken in while the clock of ages takes one step.
const AGE_TEXTS: u32 = 1 << 12;
/// Of the data of a text, what its length, its reason and its age take, lowest bits first.
const LENGTH_BITS: u32 = 40;
const REASON_BITS: u32 = 8;

/// The digest of a text and of all that decides how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u64; 2]);

impl Digest {
    /// Its bytes, to make a digest of several.
    pub(super) fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }
}

/// What is known of a text that held nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clean {
    /// Decoded bytes.
    pub(super) length: u64,
    /// Why it was not scanned, if it was not.
    pub(super) skipped: Option<Skipped>,
}

/// A bounded set of texts without findings. Reading and adding takes no lock.
pub(super) struct Seen {
    key: [u64; 4],
    parts: [OnceLock<Box<[Line]>>; PARTS],
    taken_in: AtomicU32,
}

/// The texts of which one line of the table tells; the oldest makes room.
#[derive(Default)]
#[repr(align(64))]
struct Line([Text; LINE_TEXTS]);

/// A half of a digest, mixed with the data: a pair that two writers left together fits no digest.
#[derive(Default)]
struct Text {
    check: AtomicU64,
    data: AtomicU64,
}

impl Seen {
    /// Empty, with a key of its own.
    pub(super) fn new() -> Seen {
        let random = RandomState::new();
        Seen {
            key: std::array::from_fn(|part| random.hash_one(part)),
            parts: std::array::from_fn(|_| OnceLock::new()),
            taken_in: AtomicU32::new(0),
        }
    }

    /// The digest of a text in its context. Both are of any length; no other division of the same bytes gives the same.
    pub(super) fn digest(&self, text: &[u8], context: &[u8]) -> Digest {
        let mut hasher = HighwayHasher::new(Key(self.key));
        hasher.append(text);
        hasher.append(context);
        hasher.append(&(text.len() as u64).to_le_bytes());
        Digest(hasher.finalize128())
    }

    /// What is known of a text.
    pub(super) fn recall(&self, digest: Digest) -> Option<Clean> {
        let (part, line) = place(digest);
        let lines = self.parts[part].get()?;
        lines[line].0.iter().find_map(|text| {
            let data = text.data.load(Ordering::Relaxed);
            let found = data != 0 && text.check.load(Ordering::Relaxed) ^ data == digest.0[0];
            found.then(|| self.refresh(text, digest, data)).flatten()
        })
    }

    /// A text held nothing.
    pub(super) fn remember(&self, digest: Digest, clean: Clean) {
        if clean.length >> LENGTH_BITS != 0 {
            return;
        }
        let now = self.taken_in.fetch_add(1, Ordering::Relaxed) / AGE_TEXTS;
        let (part, line) = place(digest);
        let lines = self.parts[part].get_or_init(|| (0..PART_LINES).map(|_| Line::default()).collect());
        // Itself, or else the oldest: ages go round, so they are compared by their distance from now.
        let age = |text: &&Text| match text.data.load(Ordering::Relaxed) {
            0 => u32::from(u16::MAX),
            data if text.check.load(Ordering::Relaxed) ^ data == digest.0[0] => u32::MAX,
            data => u32::from((now as u16).wrapping_sub(age_of(data)).min(u16::MAX - 1)),
        };
        if let Some(text) = lines[line].0.iter().max_by_key(age) {
            store(text, digest, pack(clean, now as u16));
        }
    }

    /// A text that is met again is young again.
    fn refresh(&self, text: &Text, digest: Digest, data: u64) -> Option<Clean> {
        let now = (self.taken_in.load(Ordering::Relaxed) / AGE_TEXTS) as u16;
        let clean = unpack(data)?;
        if age_of(data) != now {
            store(text, digest, pack(clean, now));
        }
        Some(clean)
    }
}

fn place(digest: Digest) -> (usize, usize) {
    let number = digest.0[1] as usize;
    (number % PARTS, number / PARTS % PART_LINES)
}

fn store(text: &Text, digest: Digest, data: u64) {
    text.check.store(digest.0[0] ^ data, Ordering::Relaxed);
    text.data.store(data, Ordering::Relaxed);
}

/// Never 0: that says that there is no text.
fn pack(clean: Clean, age: u16) -> u64 {
    let reason = clean.skipped.map_or(1, |it| 2 + it as u64);
    clean.length | reason << LENGTH_BITS | u64::from(age) << (LENGTH_BITS + REASON_BITS)
}

fn unpack(data: u64) -> Option<Clean> {
    let reason = (data >> LENGTH_BITS) as usize % (1 << REASON_BITS);
    let skipped = match reason {
        1 => None,
        _ => Some(*Skipped::ALL.get(reason.checked_sub(2)?)?),
    };
    Some(Clean { length: data % (1 << LENGTH_BITS), skipped })
}

fn age_of(data: u64) -> u16 {
    (data >> (LENGTH_BITS + REASON_BITS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_known_and_nothing_else() {
        let seen = Seen::new();
        for (number, skipped) in [None].into_iter().chain(Skipped::ALL.map(Some)).enumerate() {
            let clean = Clean { length: 1 << (7 * number), skipped };
            let digest = seen.digest(b"a text", &[number as u8]);
            assert_eq!(seen.recall(digest), None);
            seen.remember(digest, clean);
            assert_eq!(seen.recall(digest), Some(clean));
        }
        assert_eq!(seen.recall(seen.digest(b"a tex", b"t\0")), None);
        let other = Seen::new();
        assert_ne!(other.digest(b"a text", b""), seen.digest(b"a text", b""));
    }

    #[test]
    fn it_does_not_grow_and_keeps_what_is_met_again() {
        let seen = Seen::new();
        let clean = Clean { length: 10, skipped: None };
        let often = seen.digest(b"often", b"");
        seen.remember(often, clean);
        let texts = 2 * (PARTS * PART_LINES * LINE_TEXTS) as u64;
        for number in 0..texts {
            seen.remember(seen.digest(&number.to_le_bytes(), b""), clean);
            if number % u64::from(AGE_TEXTS) == 0 {
                assert_eq!(seen.recall(often), Some(clean), "after {number}");
            }
        }
        let known = (0..texts).filter(|number| seen.recall(seen.digest(&number.to_le_bytes(), b"")).is_some()).count();
        assert!(known <= PARTS * PART_LINES * LINE_TEXTS && known > PARTS * PART_LINES * LINE_TEXTS / 2, "{known}");
    }

    #[test]
    fn halves_of_two_texts_are_none() {
        let seen = Seen::new();
        let (one, other) = (seen.digest(b"one", b""), seen.digest(b"other", b""));
        seen.remember(one, Clean { length: 3, skipped: None });
        let (part, line) = place(one);
        let texts = &seen.parts[part].get().unwrap()[line].0;
        let text = texts.iter().find(|it| it.data.load(Ordering::Relaxed) != 0).unwrap();
        text.data.store(pack(Clean { length: 5, skipped: None }, 0), Ordering::Relaxed);
        assert_eq!((seen.recall(one), seen.recall(other)), (None, None));
    }
}
