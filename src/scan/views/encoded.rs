//! Runs of base64, base32 and hex that decode to text, compressed or not.

use super::coding::{Coding, Wide, is_run, is_run_sign, is_text};
use super::inflate::Inflater;
use crate::scan::bits;
use crate::scan::engine::{Engine, RuleSet};
use crate::scan::scanner::Scanner;
use crate::scan::stream::Hit;

/// Shorter runs are words.
const RUN_CHARS_MIN: usize = 20;
/// Shorter runs hold nothing compressed.
const PACKED_CHARS_MIN: usize = 36;
/// Inflated bytes that tell whether it is text.
const SAMPLE_BYTES: usize = 256;
/// Longer runs are decoded in pieces of this size; a multiple of 8.
const PIECE_CHARS: usize = 64 << 10;
/// Of a run within decoded text at most so much is hidden, which bounds how much of the way back must be remembered.
const INNER_CHARS_MAX: usize = 2 * PIECE_CHARS;
/// A line at least this long may go on behind a line break, as in mail and PEM.
const LINE_CHARS_MIN: usize = 60;
/// Longest indent of a line that goes on, bytes.
const INDENT_BYTES_MAX: u8 = 16;

/// The decoded view.
#[derive(Debug)]
pub(super) struct Encoded {
    rules: RuleSet,
    /// Levels of decoding that may follow this one.
    depth: usize,
    /// The text is decoded already.
    is_inner: bool,
    /// Reads what was decoded; made when it is first needed.
    scanner: Option<Box<Scanner>>,
    /// Original bytes read.
    length: usize,
    /// Characters of the open run that are not yet decoded.
    run: Vec<u8>,
    /// Where the open run starts, and where its last character ends.
    start: usize,
    end: usize,
    /// Characters since the last line break of the run.
    line: usize,
    /// Characters of the run's first line, once there is a second one.
    width: usize,
    /// The last line break inside the run, with nothing but an indent of so many bytes behind it.
    broken: Option<u8>,
    indent: u8,
    /// The open run is UTF-16.
    wide: Option<Wide>,
    /// How the open run is read; `None`: its beginning was not yet decoded.
    coding: Option<Coding>,
    /// The open run is compressed.
    inflater: Option<Inflater>,
    /// Whether a run is open.
    open: bool,
    decoded: Vec<u8>,
    /// The same inflated, or in UTF-8.
    inflated: Vec<u8>,
    inner: Vec<Hit>,
}

impl Encoded {
    pub(super) fn new(rules: RuleSet, depth: usize, is_inner: bool) -> Encoded {
        Encoded {
            rules,
            depth,
            is_inner,
            scanner: None,
            length: 0,
            run: Vec::new(),
            start: 0,
            end: 0,
            line: 0,
            width: 0,
            broken: None,
            indent: 0,
            wide: None,
            coding: None,
            inflater: None,
            open: false,
            decoded: Vec::new(),
            inflated: Vec::new(),
            inner: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self, rules: &RuleSet) {
        self.rules.set(rules);
        self.run.clear();
        (self.length, self.open, self.coding) = (0, false, None);
    }

    /// Offset from which on later hits may lie.
    pub(super) fn undecided(&self) -> usize {
        if self.open { self.hidden_from() } else { self.length }
    }

    /// Where the part of the open run that a hit hides begins.
    fn hidden_from(&self) -> usize {
        if self.is_inner { self.start.max(self.end.saturating_sub(INNER_CHARS_MAX)) } else { self.start }
    }

    pub(super) fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        let base = self.length;
        self.length += text.len();
        let mut at = 0;
        while at < text.len() {
            if !self.open {
                at = next_run(text, at);
                if at == text.len() {
                    return;
                }
                self.begin(base + at);
            }
            at += self.take(engine, &text[at..], base + at, hits);
            if let Some(&byte) = text.get(at) {
                if self.goes_on_behind(engine, byte, hits) {
                    at += 1;
                } else if !is_run(byte) {
                    self.close(engine, hits);
                }
            }
        }
    }

    pub(super) fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.open {
            self.close(engine, hits);
        }
    }

    fn begin(&mut self, start: usize) {
        (self.open, self.start, self.end) = (true, start, start);
        (self.line, self.width, self.broken) = (0, 0, None);
        (self.coding, self.inflater, self.wide) = (None, None, None);
        self.run.clear();
    }

    /// Takes characters of the run, a piece at most; returns how many.
    fn take(&mut self, engine: &Engine, text: &[u8], offset: usize, hits: &mut Vec<Hit>) -> usize {
        let room = PIECE_CHARS - self.run.len();
        let count = text.iter().take(room).take_while(|&&byte| is_run(byte)).count();
        if count > 0 {
            self.run.extend_from_slice(&text[..count]);
            (self.line, self.broken, self.end) = (self.line + count, None, offset + count);
        }
        if self.run.len() == PIECE_CHARS {
            self.piece(engine, false, hits);
        }
        count
    }

    fn goes_on_behind(&mut self, engine: &Engine, byte: u8, hits: &mut Vec<Hit>) -> bool {
        let goes_on = match byte {
            b'\n' if self.broken == Some(b'\r') => true,
            b'\n' | b'\r' => self.line >= LINE_CHARS_MIN || self.is_line(engine, hits),
            b' ' | b'\t' if self.broken.is_some() && self.indent < INDENT_BYTES_MAX => {
                self.indent += 1;
                return true;
            }
            _ => false,
        };
        if goes_on {
            self.width = if self.width == 0 { self.line } else { self.width };
            (self.line, self.broken, self.indent) = (0, Some(byte), 0);
        }
        goes_on
    }

    /// Whether a short line is one of several: as long as the first one, and text as far as it goes.
    fn is_line(&mut self, engine: &Engine, hits: &mut Vec<Hit>) -> bool {
        if self.line < RUN_CHARS_MIN || self.width != 0 && self.line != self.width {
            return false;
        }
        self.piece(engine, false, hits);
        self.coding.is_some()
    }

    fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.coding.is_some() || self.run.len() >= RUN_CHARS_MIN {
            self.piece(engine, true, hits);
        }
        self.end_text(engine, hits);
        self.run.clear();
        self.open = false;
    }

    fn end_text(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if let (Some(_), Some(scanner)) = (self.coding.take(), &mut self.scanner) {
            scanner.finish(engine, &mut self.inner);
            self.report(hits);
        }
    }

    /// Decodes what the run holds; leftover characters stay in it unless they are the `last`.
    fn piece(&mut self, engine: &Engine, last: bool, hits: &mut Vec<Hit>) {
        let any = self.inflater.is_some() || self.wide.is_some();
        match self.coding.map(Coding::further) {
            Some(coding) => match coding.decode(&self.run, any, last, &mut self.decoded) {
                Some(used) => self.read(engine, used, hits),
                None => self.leave(engine, hits),
            },
            None => match self.begin_packed(last).or_else(|| self.begin_plain(last)) {
                Some(used) => self.read(engine, used, hits),
                None => self.leave(engine, hits),
            },
        }
    }

    /// Characters of the run that were decoded, if it is text.
    fn begin_plain(&mut self, last: bool) -> Option<usize> {
        let decoded = &mut self.decoded;
        let text = |coding: Coding| coding.decode(&self.run, false, last, decoded).map(|used| (coding, used));
        let (coding, used) = match Coding::of(&self.run).find_map(text) {
            Some(found) => found,
            None => {
                let (coding, wide) = Coding::of_wide(&self.run, &mut self.decoded)?;
                self.wide = Some(wide);
                (coding, coding.decode(&self.run, true, last, &mut self.decoded)?)
            }
        };
        self.begin_text(coding);
        Some(used)
    }

    /// The same if it is compressed text. What it holds is inflated when it is read.
    fn begin_packed(&mut self, last: bool) -> Option<usize> {
        let coding = match *self.run.as_slice() {
            _ if self.run.len() < PACKED_CHARS_MIN => return None,
            [b'H', b'4', b's', b'I', ..] | [b'e', b'A' | b'F' | b'J' | b'N', ..] => Coding::Base64(0),
            [b'1', b'f' | b'F', b'8', b'b' | b'B', ..] => Coding::Hex(0),
            [b'7', b'8', b'0', b'1', ..] | [b'7', b'8', b'9', b'c' | b'C', ..] => Coding::Hex(0),
            [b'7', b'8', b'd' | b'D', b'a' | b'A', ..] | [b'7', b'8', b'5', b'e' | b'E', ..] => Coding::Hex(0),
            _ => return None,
        };
        let used = coding.decode(&self.run, true, last, &mut self.decoded)?;
        let sample = &self.decoded[..self.decoded.len().min(SAMPLE_BYTES)];
        let mut taster = Inflater::new(sample)?;
        taster.read(sample, &mut self.inflated);
        let tasted = &self.inflated[..self.inflated.len().min(SAMPLE_BYTES)];
        if tasted.is_empty() || !is_text(tasted) {
            return None;
        }
        let inflater = Inflater::new(sample);
        self.begin_text(coding);
        self.inflater = inflater;
        Some(used)
    }

    fn begin_text(&mut self, coding: Coding) {
        self.coding = Some(coding);
        let (rules, depth) = (&self.rules, self.depth);
        self.scanner.get_or_insert_with(|| Box::new(Scanner::at_depth(rules.clone(), depth))).reset(rules);
    }

    /// Passes on what was decoded from so many characters.
    fn read(&mut self, engine: &Engine, used: usize, hits: &mut Vec<Hit>) {
        let Some(scanner) = &mut self.scanner else { return };
        let text = match (&mut self.inflater, &mut self.wide) {
            (Some(inflater), _) => {
                inflater.read(&self.decoded, &mut self.inflated);
                &self.inflated
            }
            (None, Some(wide)) => {
                wide.read(&self.decoded, &mut self.inflated);
                &self.inflated
            }
            (None, None) => &self.decoded,
        };
        scanner.push(engine, text, &mut self.inner);
        self.report(hits);
        self.run.drain(..used);
    }

    /// It is no text, or none any more.
    fn leave(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        self.run.clear();
        self.end_text(engine, hits);
    }

    /// A hit in decoded text hides the whole run as far as it was read.
    fn report(&mut self, hits: &mut Vec<Hit>) {
        let run = self.hidden_from()..self.end;
        let from = hits.len();
        for hit in self.inner.drain(..) {
            let reported = Hit { rule: hit.rule, secret: run.clone(), whole: run.clone() };
            if !hits[from..].contains(&reported) {
                hits.push(reported);
            }
        }
    }
}

/// Index of the next character of a run that is long enough or reaches the end of the text, or the length.
fn next_run(text: &[u8], mut at: usize) -> usize {
    while let Some(block) = text.get(at..).and_then(|rest| rest.first_chunk::<{ bits::BLOCK }>()) {
        let runs = bits::of(&block.map(|byte| u8::from(is_run_sign(byte))));
        if let Some(start) = bits::row(runs, RUN_CHARS_MIN as u32) {
            return at + start;
        }
        // What may be the beginning of a run is looked at again, with what follows.
        at += bits::BLOCK - runs.leading_ones() as usize;
    }
    // A run that starts at `at` or behind it and is long enough holds each byte that is looked at: of most stretches of
    // text only the last few are.
    while let Some(stretch) = text.get(at..at + RUN_CHARS_MIN) {
        match stretch.iter().rposition(|&byte| !is_run(byte)) {
            Some(last) => at += last + 1,
            None => return at,
        }
    }
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().rposition(|&byte| !is_run(byte)).map_or(at.min(text.len()), |last| at + last + 1)
}
