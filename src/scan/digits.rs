//! Runs of digits: the trigger of rules that have no keyword (card numbers, social security numbers, phones).

use std::collections::VecDeque;

/// A group of digits that enough digits followed: a candidate starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Index into the counts the reader was given.
    pub(super) count: usize,
    /// Offset of its first digit.
    pub(super) start: usize,
}

/// Reads text and reports each group of digits (a digit after no word byte, and not the fraction behind `1.`) that is
/// followed by enough digits with at most a separator between two of them; `) ` counts as one separator.
#[derive(Clone, Debug, Default)]
pub(super) struct Digits {
    /// Groups of the open run that some count still waits for: offset, and digits of the run before it.
    groups: VecDeque<(usize, usize)>,
    /// Per count: how many of all groups of the run were reported.
    reported: Vec<usize>,
    /// Groups of the run that were dropped from the front.
    dropped: usize,
    digits: usize,
    /// Separators since the last digit.
    separators: usize,
    open: bool,
}

impl Digits {
    /// Forgets everything; `counts` distinct counts will be asked for.
    pub(super) fn reset(&mut self, counts: usize) {
        self.close();
        self.reported.clear();
        self.reported.resize(counts, 0);
    }

    /// Offset of the first group that may still become a candidate.
    pub(super) fn pending(&self) -> Option<usize> {
        self.groups.front().map(|(start, _)| *start)
    }

    /// Reads `text[from..]`, whose first byte has offset `base`; `counts` ascend.
    pub(super) fn read(&mut self, text: &[u8], from: usize, base: usize, counts: &[usize], out: &mut Vec<Group>) {
        let mut at = from;
        let least = counts.first().copied().unwrap_or(0);
        while at < text.len() {
            if !self.open {
                at = skip_to_digit(text, at);
                if at == text.len() {
                    return;
                }
                // Nearly all runs are years, versions and line numbers.
                if let Some(behind) = behind_short_run(text, at, least) {
                    at = behind;
                    continue;
                }
            }
            self.byte(text, at, base + at, counts, out);
            at += 1;
        }
    }

    fn byte(&mut self, text: &[u8], at: usize, offset: usize, counts: &[usize], out: &mut Vec<Group>) {
        let byte = text[at];
        let before = if at == 0 { None } else { Some(text[at - 1]) };
        if byte.is_ascii_digit() {
            let fraction = at >= 2 && text[at - 1] == b'.' && text[at - 2].is_ascii_digit();
            if !before.is_some_and(is_word) && !fraction {
                self.groups.push_back((offset, self.digits));
                self.open = true;
            }
            if self.open {
                self.digits += 1;
                self.separators = 0;
                self.report(counts, out);
            }
        } else if self.open {
            self.separators += 1;
            if !separates(byte, self.separators, before) {
                self.close();
            }
        }
    }

    /// A count is reported for a group as soon as the run has that many digits from the group on.
    fn report(&mut self, counts: &[usize], out: &mut Vec<Group>) {
        if self.groups.is_empty() {
            return;
        }
        for (count, &needed) in counts.iter().enumerate() {
            while let Some(&(start, before)) = self.groups.get(self.reported[count] - self.dropped) {
                if self.digits - before < needed {
                    break;
                }
                out.push(Group { count, start });
                self.reported[count] += 1;
            }
        }
        let done = self.reported.iter().copied().min().unwrap_or(0);
        while self.dropped < done {
            self.groups.pop_front();
            self.dropped += 1;
        }
    }

    fn close(&mut self) {
        self.groups.clear();
        self.reported.iter_mut().for_each(|count| *count = 0);
        (self.dropped, self.digits, self.separators, self.open) = (0, 0, 0, false);
    }
}

/// Whether a run goes on behind a byte, the so-and-so-many-th since its last digit.
fn separates(byte: u8, count: usize, before: Option<u8>) -> bool {
    let separator = matches!(byte, b' ' | b'.' | b'-' | b'/' | b'(' | b')' | b'+');
    separator && (count == 1 || count == 2 && before == Some(b')'))
}

/// Index behind a run that begins here and ends before it has enough digits; `None` where it may have them.
fn behind_short_run(text: &[u8], at: usize, least: usize) -> Option<usize> {
    let (mut digits, mut separators) = (0, 0);
    for (index, &byte) in text.iter().enumerate().skip(at) {
        if byte.is_ascii_digit() {
            (digits, separators) = (digits + 1, 0);
            if digits >= least {
                return None;
            }
        } else {
            separators += 1;
            if !separates(byte, separators, Some(text[index - 1])) {
                return Some(index + 1);
            }
        }
    }
    None
}

/// Whether a regex `\b` counts the byte as part of a word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Index of the next digit from `at` on, or the length. Eight bytes at a time: text is mostly without digits.
fn skip_to_digit(text: &[u8], mut at: usize) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Written so that a compiler reads many bytes at once.
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        if block.iter().fold(0, |any, byte| any | u8::from(byte.wrapping_sub(b'0') < 10)) != 0 {
            break;
        }
        at += 32;
    }
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A digit xor 0x30 is below 10: adding 0x76 leaves the high bit clear. Bytes of 0x80 up keep it by the or.
        let folded = u64::from_le_bytes(*word) ^ 0x3030_3030_3030_3030;
        let others = ((folded & !HIGH) + 0x7676_7676_7676_7676) | folded;
        let digits = !others & HIGH;
        if digits != 0 {
            return at + (digits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && !text[at].is_ascii_digit() {
        at += 1;
    }
    at
}
