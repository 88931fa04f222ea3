//! Fingerprints arranged for looking them up: by the tag of the first bytes, the length, the tag of the last bytes.

use std::collections::HashMap;
use std::ops::Range;

use super::entry::Entry;
use super::key::{Mixer, WINDOW_BYTES};
use crate::domain::Fingerprint;

/// Words of the filter: one a fingerprint, within these bounds. The largest is 1 MiB.
const FILTER_WORDS: std::ops::RangeInclusive<usize> = (1 << 6)..=(1 << 17);

/// All fingerprints.
pub(in crate::scan) struct Table {
    /// Two bits for each tag of first bytes. Small, because it is asked at every byte of every text.
    filter: Vec<u64>,
    /// How far a tag is shifted to be an index into the filter.
    shift: u32,
    /// By the tag of the first bytes: which lengths are possible.
    heads: HashMap<u32, Range<u32>>,
    lengths: Vec<Length>,
    candidates: Vec<Candidate>,
    longest: usize,
}

/// A length that is possible behind a tag, and the fingerprints of that length.
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
        let words = entries.len().next_power_of_two().clamp(*FILTER_WORDS.start(), *FILTER_WORDS.end());
        let shift = u32::BITS - words.trailing_zeros();
        let mut sorted: Vec<(&Entry, u32)> = entries.iter().zip(rules.iter().copied()).collect();
        sorted.sort_by_key(|(it, _)| (it.head, it.length, it.tail, it.fingerprint));
        let mut made = Table {
            filter: vec![0; words],
            shift,
            heads: HashMap::new(),
            lengths: Vec::new(),
            candidates: Vec::new(),
            longest: entries.iter().map(|it| it.length as usize).max().unwrap_or(0),
        };
        for same_head in sorted.chunk_by(|a, b| a.0.head == b.0.head) {
            let from = made.lengths.len() as u32;
            for same_length in same_head.chunk_by(|a, b| a.0.length == b.0.length) {
                let first = made.candidates.len() as u32;
                made.candidates.extend(same_length.iter().map(|(it, rule)| Candidate {
                    tail: it.tail,
                    fingerprint: it.fingerprint,
                    rule: *rule,
                }));
                let candidates = first..made.candidates.len() as u32;
                made.lengths.push(Length { bytes: same_length[0].0.length as usize, candidates });
            }
            let head = same_head[0].0.head;
            made.heads.insert(head, from..made.lengths.len() as u32);
            made.filter[(head >> shift) as usize] |= bits(head);
        }
        made
    }

    /// Length of the longest value, bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Tells of each place of `text` that may be the beginning of a value: its index, and the lengths that are possible,
    /// ascending.
    pub(super) fn beginnings(&self, mixer: Mixer, text: &[u8], mut tell: impl FnMut(usize, &Range<u32>)) {
        for (at, window) in text.array_windows::<WINDOW_BYTES>().enumerate() {
            let tag = mixer.tag(window);
            let bits = bits(tag);
            if self.filter[(tag >> self.shift) as usize] & bits == bits
                && let Some(lengths) = self.heads.get(&tag)
            {
                tell(at, lengths);
            }
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
