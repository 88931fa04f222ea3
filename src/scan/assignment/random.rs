//! Whether a value was made by chance or by somebody who writes words.

use crate::scan::validate::made_up;

/// Per letter, the letters that often follow it in English words and in names of programs: bit 0 is `a`.
const FOLLOWERS: [u32; 26] = [
    0x1bebd6f, 0x1164917, 0x01edd9d, 0x01ec93f, 0x1eff97f, 0x01e493d, 0x0166991, 0x00a4111, 0x2aef87f, 0x0000000,
    0x0040110, 0x11cc91d, 0x014d91b, 0x03ced7d, 0x07efd6f, 0x11ec99d, 0x0100000, 0x13efd7d, 0x15efdbd, 0x11ef9bf,
    0x00eb937, 0x0000111, 0x0024111, 0x0088010, 0x00c8000, 0x0000010,
];

/// Share of pairs of letters that are rare in words, from which on a value is no word. Words stay below a tenth.
const RARE_PAIRS_MIN: f64 = 0.25;

/// So many bytes that count up were typed, not drawn.
const SEQUENCE_MIN: usize = 7;

/// What a value is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Makeup {
    pub(super) length: usize,
    pub(super) digits: usize,
    pub(super) upper: usize,
    pub(super) lower: usize,
    /// Bytes that are no letters, digits, or the `-`, `_`, `.` and `/` of names.
    pub(super) signs: usize,
    /// Runs of digits.
    pub(super) digit_runs: usize,
    /// Distinct bytes.
    pub(super) distinct: usize,
    /// Bytes in runs of at least four letters that read like words.
    pub(super) in_words: usize,
    /// All are hex digits or dashes.
    pub(super) hex: bool,
    /// Many of them count up.
    pub(super) sequence: bool,
}

impl Makeup {
    pub(super) fn of(value: &[u8]) -> Makeup {
        let mut makeup = Makeup {
            length: value.len(),
            hex: true,
            sequence: made_up::counts_up(value, SEQUENCE_MIN),
            ..Makeup::default()
        };
        let mut seen = [false; 256];
        let mut previous = b' ';
        for &byte in value {
            makeup.digit_runs += usize::from(byte.is_ascii_digit() && !previous.is_ascii_digit());
            previous = byte;
            match byte {
                b'0'..=b'9' => makeup.digits += 1,
                b'A'..=b'Z' => makeup.upper += 1,
                b'a'..=b'z' => makeup.lower += 1,
                b'-' | b'_' | b'.' | b'/' => {}
                _ => makeup.signs += 1,
            }
            makeup.hex &= byte.is_ascii_hexdigit() || byte == b'-';
            makeup.distinct += usize::from(!std::mem::replace(&mut seen[usize::from(byte)], true));
        }
        makeup.in_words = value.split(|byte| !byte.is_ascii_alphabetic()).flat_map(words).map(word_bytes).sum();
        makeup
    }

    pub(super) fn letters(&self) -> usize {
        self.upper + self.lower
    }

    /// Whether it reads like words or a name: what is written by hand and says something.
    pub(super) fn is_wordy(&self) -> bool {
        2 * self.in_words >= self.length
    }

    /// Whether a machine made it, to be guessed by nobody.
    pub(super) fn is_random(&self) -> bool {
        if self.length < 12 || self.is_wordy() || self.sequence {
            return false;
        }
        if self.hex && self.letters() + self.digits >= 16 {
            return self.digits >= 2 && self.letters() >= 1 && self.distinct >= 8;
        }
        let mixed = self.digits > 0 && self.letters() > 1;
        let both_cases = self.upper > 1 && self.lower > 1;
        match self.length {
            12..=19 => mixed && self.distinct >= 10 && (both_cases || self.signs > 0 || self.distinct >= 13),
            _ => (mixed || both_cases || self.digits == 0) && self.distinct >= 9 && 8 * self.in_words < 3 * self.length,
        }
    }

    /// Whether no word of a sentence is written so: `Tr0ub4dor3`, `kR#wmQp`, and neither `Argon2id` nor `SHA256-hashed`.
    pub(super) fn is_strange(&self) -> bool {
        let shuffled = self.length >= 7 && self.lower > 0 && self.upper > 0 && !self.is_wordy();
        shuffled && (self.signs > 0 || self.digit_runs > 1) || self.is_long_random()
    }

    /// The same as random, beyond doubt.
    pub(super) fn is_long_random(&self) -> bool {
        self.length >= 20 && self.is_random() && self.digits > 1 && 4 * self.in_words < self.length
    }
}

/// The words of a run of letters: `camelCase` has two.
fn words(run: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let capitals = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let small = rest[capitals..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        // `XMLName` is `XML` and `Name`.
        let length = if capitals > 1 && small > 0 { capitals - 1 } else { capitals + small };
        let (word, behind) = rest.split_at(length);
        rest = behind;
        (!word.is_empty()).then_some(word)
    })
}

fn word_bytes(word: &[u8]) -> usize {
    if word.len() >= 4 && rare_pairs(word) < RARE_PAIRS_MIN { word.len() } else { 0 }
}

/// Share of the pairs of neighbouring letters that words rarely have.
pub(super) fn rare_pairs(word: &[u8]) -> f64 {
    let index = |byte: u8| byte.to_ascii_lowercase().wrapping_sub(b'a');
    let pairs = word.windows(2).map(|pair| (index(pair[0]), index(pair[1]))).filter(|(a, b)| *a < 26 && *b < 26);
    let (mut all, mut rare) = (0, 0);
    for (first, second) in pairs {
        all += 1;
        rare += usize::from(FOLLOWERS[usize::from(first)] >> second & 1 == 0);
    }
    if all == 0 { 0.0 } else { f64::from(rare as u32) / f64::from(all as u32) }
}
