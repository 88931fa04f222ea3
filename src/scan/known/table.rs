//! Fingerprints arranged for looking them up: by the tag of a window at their beginning, the length, the tag of the end.
//!
//! Only every few places of a text are looked at. A fingerprint has tags of as many windows at its beginning, each one byte
//! further, so that one of them stands at such a place wherever the value stands.

use std::collections::HashMap;
use std::ops::Range;

use super::entry::Entry;
use super::key::{HEADS, Mixer, WINDOW_BYTES};
use crate::domain::Fingerprint;

/// Words of the filter: one for each tag, within these bounds. The largest is 1 MiB.
const FILTER_WORDS: std::ops::RangeInclusive<usize> = (1 << 6)..=(1 << 17);

/// All fingerprints.
pub(in crate::scan) struct Table {
    /// One place of the text in so many is looked at: the more, the longer the shortest value is.
    stride: usize,
    /// Two bits for each tag. Small, because it is asked again and again.
    filter: Vec<u64>,
    /// How far a tag is shifted to be an index into the filter.
    shift: u32,
    /// By tag: which windows have it.
    windows: HashMap<u32, Range<u32>>,
    beginnings: Vec<Beginning>,
    lengths: Vec<Length>,
    candidates: Vec<Candidate>,
    longest: usize,
}

/// A window that some values have so many bytes behind their beginning.
pub(super) struct Beginning {
    /// How many bytes before the window the values begin.
    pub(super) before: usize,
    /// The lengths that are possible, ascending.
    pub(super) lengths: Range<u32>,
}

/// A length that is possible, and the fingerprints of that length.
pub(super) struct Length {
    pub(super) bytes: usize,
    candidates: Range<u32>,
}

/// A fingerprint.
pub(super) struct Candidate {
    pub(super) tail: u32,
    pub(super) fingerprint: Fingerprint,
    /// Index of its rule among those of all fingerprints.
    pub(super) rule: u32,
}

impl Table {
    /// Of entries and the rule of each.
    pub(super) fn new(entries: &[Entry], rules: &[u32]) -> Table {
        let lengths = || entries.iter().map(|it| it.length as usize);
        let stride = lengths().min().map_or(1, |shortest| (shortest + 1).saturating_sub(WINDOW_BYTES).clamp(1, HEADS));
        let words = (entries.len() * stride).next_power_of_two().clamp(*FILTER_WORDS.start(), *FILTER_WORDS.end());
        let mut made = Table {
            stride,
            filter: vec![0; words],
            shift: u32::BITS - words.trailing_zeros(),
            windows: HashMap::new(),
            beginnings: Vec::new(),
            lengths: Vec::new(),
            candidates: Vec::new(),
            longest: lengths().max().unwrap_or(0),
        };
        let all = || entries.iter().zip(rules.iter().copied());
        let windows = (0..stride).flat_map(|before| all().map(move |(it, rule)| (it.heads[before], before, it, rule)));
        let mut sorted: Vec<(u32, usize, &Entry, u32)> = windows.collect();
        // Of the values behind one tag, those come first that begin first.
        sorted.sort_by_key(|(tag, before, it, _)| (*tag, HEADS - before, it.length, it.tail, it.fingerprint));
        for same_tag in sorted.chunk_by(|a, b| a.0 == b.0) {
            let tag = same_tag[0].0;
            let from = made.beginnings.len() as u32;
            same_tag.chunk_by(|a, b| a.1 == b.1).for_each(|it| made.add(it));
            made.windows.insert(tag, from..made.beginnings.len() as u32);
            made.filter[(tag >> made.shift) as usize] |= bits(tag);
        }
        made
    }

    /// Adds the values that have one window at one distance.
    fn add(&mut self, alike: &[(u32, usize, &Entry, u32)]) {
        let from = self.lengths.len() as u32;
        for same_length in alike.chunk_by(|a, b| a.2.length == b.2.length) {
            let first = self.candidates.len() as u32;
            let candidate = |(_, _, it, rule): &(u32, usize, &Entry, u32)| Candidate {
                tail: it.tail,
                fingerprint: it.fingerprint,
                rule: *rule,
            };
            self.candidates.extend(same_length.iter().map(candidate));
            let candidates = first..self.candidates.len() as u32;
            self.lengths.push(Length { bytes: same_length[0].2.length as usize, candidates });
        }
        self.beginnings.push(Beginning { before: alike[0].1, lengths: from..self.lengths.len() as u32 });
    }

    /// Length of the longest value, bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The first offset of a text of so many bytes at which a value may begin that could not be looked at yet.
    pub(super) fn undecided(&self, end: usize) -> usize {
        end.checked_sub(WINDOW_BYTES).map_or(0, |last| last / self.stride * self.stride + 1)
    }

    /// Tells of each place at which a value may begin: the index of the window by which it is known, and what it may be.
    /// `text` begins at the offset `base`; windows from index `from` on are looked at.
    pub(super) fn beginnings(
        &self,
        mixer: Mixer,
        text: &[u8],
        base: usize,
        from: usize,
        mut tell: impl FnMut(usize, &Beginning),
    ) {
        let mut at = (base + from).next_multiple_of(self.stride) - base;
        while let Some(window) = text.get(at..).and_then(|rest| rest.first_chunk::<WINDOW_BYTES>()) {
            let tag = mixer.tag(window);
            let bits = bits(tag);
            if self.filter[(tag >> self.shift) as usize] & bits == bits
                && let Some(range) = self.windows.get(&tag)
            {
                self.beginnings[range.start as usize..range.end as usize].iter().for_each(|it| tell(at, it));
            }
            at += self.stride;
        }
    }

    /// One of the possible lengths.
    pub(super) fn length(&self, index: u32) -> &Length {
        &self.lengths[index as usize]
    }

    /// The fingerprints of a length.
    pub(super) fn candidates(&self, length: &Length) -> &[Candidate] {
        &self.candidates[length.candidates.start as usize..length.candidates.end as usize]
    }
}

/// The bits of a tag within its word of the filter, from the part of it that does not choose the word.
#[inline]
fn bits(tag: u32) -> u64 {
    1 << (tag & 63) | 1 << (tag >> 6 & 63)
}
