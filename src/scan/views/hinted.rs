//! What is written in a way that only a hint gives away: joined by a call, as numbers, backwards, rotated, with digits for
//! letters, letter by letter. The text around the hint is read anew in that way.

use super::readings::{Reader, Written};
use crate::scan::engine::{Engine, RuleSet};
use crate::scan::hints::{Hint, Reading};
use crate::scan::stream::{Hit, Stream};

/// Text before a hint that is read with it, bytes.
const BEFORE_BYTES: usize = 512;
/// Text behind it, bytes.
const BEHIND_BYTES: usize = 1024;
/// Longest text that is read at once, bytes; further hints begin another.
const SECTION_BYTES_MAX: usize = 8 << 10;

/// The view of what hints tell. Each byte lies in one section, or in the beginning of the next one, too, and a section is
/// read once in each of six ways at most.
#[derive(Debug)]
pub(in crate::scan) struct Hinted {
    rules: RuleSet,
    /// Bytes read.
    length: usize,
    /// The last of them.
    before: Vec<u8>,
    /// The text that is to be read, as far as it is there.
    section: Vec<u8>,
    /// Where the section begins, and where it ends.
    start: usize,
    until: usize,
    /// The ways in which it is to be read, by place in [`Reading::ALL`].
    readings: [bool; Reading::ALL.len()],
    open: bool,
    stream: Option<Box<Stream>>,
    reader: Reader,
    inner: Vec<Hit>,
}

impl Hinted {
    pub(in crate::scan) fn new(rules: RuleSet) -> Hinted {
        Hinted {
            rules,
            length: 0,
            before: Vec::new(),
            section: Vec::new(),
            start: 0,
            until: 0,
            readings: [false; Reading::ALL.len()],
            open: false,
            stream: None,
            reader: Reader::default(),
            inner: Vec::new(),
        }
    }

    pub(in crate::scan) fn reset(&mut self, rules: &RuleSet) {
        self.rules.set(rules);
        (self.length, self.open) = (0, false);
        self.before.clear();
    }

    /// Reads on; `hints` are those that end in this piece of text, in order.
    pub(in crate::scan) fn push(&mut self, engine: &Engine, text: &[u8], hints: &[Hint], hits: &mut Vec<Hit>) {
        for hint in hints {
            if self.open && hint.end > self.until {
                self.take(text);
                self.close(engine, hits);
            }
            if !self.open {
                self.begin(hint.end);
            }
            self.until = self.until.max((hint.end + BEHIND_BYTES).min(self.start + SECTION_BYTES_MAX));
            self.readings[hint.reading as usize] = true;
        }
        if self.open {
            self.take(text);
            if self.start + self.section.len() == self.until {
                self.close(engine, hits);
            }
        }
        self.length += text.len();
        let recent = &text[text.len().saturating_sub(BEFORE_BYTES)..];
        if self.before.len() + recent.len() > 4 * BEFORE_BYTES {
            let drop = self.before.len().saturating_sub(BEFORE_BYTES);
            self.before.drain(..drop);
        }
        self.before.extend_from_slice(recent);
    }

    pub(in crate::scan) fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.open {
            self.close(engine, hits);
        }
    }

    fn begin(&mut self, hint_end: usize) {
        self.open = true;
        self.start = hint_end.saturating_sub(BEFORE_BYTES);
        self.until = 0;
        self.readings = Default::default();
        self.section.clear();
        if self.start < self.length {
            let before = &self.before[self.before.len() - (self.length - self.start)..];
            self.section.extend_from_slice(before);
        }
    }

    /// Takes as much of the text as belongs to the section.
    fn take(&mut self, text: &[u8]) {
        let from = self.start + self.section.len() - self.length;
        let until = text.len().min(self.until - self.length);
        self.section.extend_from_slice(text.get(from..until).unwrap_or_default());
    }

    fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        self.open = false;
        let asked = Reading::ALL.into_iter().zip(self.readings).filter(|(_, asked)| *asked);
        for reading in asked.map(|(reading, _)| reading) {
            let rules =
                if reading.is_for_instructions() { self.rules.instructions(engine) } else { self.rules.clone() };
            if rules.is_empty() {
                continue;
            }
            let written = self.reader.read(reading, &self.section);
            let stream = self.stream.get_or_insert_with(|| Box::new(Stream::new(rules.clone())));
            stream.reset(&rules);
            stream.push(engine, written.text, &mut self.inner);
            stream.finish(engine, &mut self.inner);
            report(&written, &self.section, self.start, &mut self.inner, hits);
        }
    }
}

/// Passes on the hits that the reading made: the others stand in the text as it is.
fn report(written: &Written<'_>, section: &[u8], start: usize, inner: &mut Vec<Hit>, hits: &mut Vec<Hit>) {
    for hit in inner.drain(..) {
        let (secret, whole) = (written.original(&hit.secret), written.original(&hit.whole));
        if section[whole.clone()] != written.text[hit.whole] {
            let place = |range: std::ops::Range<usize>| range.start + start..range.end + start;
            hits.push(Hit { rule: hit.rule, secret: place(secret), whole: place(whole) });
        }
    }
}
