//! Base64 and hex runs that decode to text.

use crate::scan::engine::{Engine, RuleSet};
use crate::scan::stream::{Hit, Stream};

/// Shorter runs are words.
const RUN_CHARS_MIN: usize = 20;
/// Fewer hex digits hold no secret worth hiding.
const HEX_CHARS_MIN: usize = 32;
/// Longer runs are decoded in pieces of this size; a multiple of 4.
const PIECE_CHARS: usize = 64 << 10;
/// A line at least this long may go on behind a line break, as in mail and PEM.
const LINE_CHARS_MIN: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Hex, from this many characters on: `0x` is not part of it.
    Hex(usize),
    /// Base64 in either alphabet, from this many characters on: the run may start with letters that are not part of it.
    Base64(usize),
}

/// The decoded view.
#[derive(Debug)]
pub(super) struct Encoded {
    rules: RuleSet,
    stream: Stream,
    /// Original bytes read.
    length: usize,
    /// Characters of the open run that are not yet decoded.
    run: Vec<u8>,
    /// Where the open run starts, and where its last character ends.
    start: usize,
    end: usize,
    /// Characters since the last line break of the run.
    line: usize,
    /// The last byte was a line break inside the run.
    broken: Option<u8>,
    /// How the open run's stream reads it; `None`: no stream.
    coding: Option<Coding>,
    /// Whether a run is open.
    open: bool,
    decoded: Vec<u8>,
    inner: Vec<Hit>,
}

impl Encoded {
    pub(super) fn new(rules: RuleSet) -> Encoded {
        Encoded {
            stream: Stream::new(rules.clone()),
            rules,
            length: 0,
            run: Vec::new(),
            start: 0,
            end: 0,
            line: 0,
            broken: None,
            coding: None,
            open: false,
            decoded: Vec::new(),
            inner: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self, rules: RuleSet) {
        self.rules = rules;
        self.run.clear();
        (self.length, self.open, self.coding) = (0, false, None);
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
                if self.goes_on_behind(byte) {
                    at += 1;
                } else if value(byte).is_none() {
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
        (self.line, self.broken, self.coding) = (0, None, None);
        self.run.clear();
    }

    /// Takes characters of the run, a piece at most; returns how many.
    fn take(&mut self, engine: &Engine, text: &[u8], offset: usize, hits: &mut Vec<Hit>) -> usize {
        let room = PIECE_CHARS - self.run.len();
        let count = text.iter().take(room).take_while(|&&byte| value(byte).is_some()).count();
        if count > 0 {
            self.run.extend_from_slice(&text[..count]);
            (self.line, self.broken, self.end) = (self.line + count, None, offset + count);
        }
        if self.run.len() == PIECE_CHARS {
            self.piece(engine, hits);
        }
        count
    }

    fn goes_on_behind(&mut self, byte: u8) -> bool {
        let goes_on = match byte {
            b'\n' => self.line >= LINE_CHARS_MIN || self.broken == Some(b'\r'),
            b'\r' => self.line >= LINE_CHARS_MIN,
            _ => false,
        };
        if goes_on {
            (self.line, self.broken) = (0, Some(byte));
        }
        goes_on
    }

    fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.coding.is_some() || self.run.len() >= RUN_CHARS_MIN {
            self.piece(engine, hits);
        }
        self.end_stream(engine, hits);
        self.run.clear();
        self.open = false;
    }

    fn end_stream(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.coding.take().is_some() {
            self.stream.finish(engine, &mut self.inner);
            self.report(hits);
        }
    }

    /// Decodes what the run holds; leftover characters stay in it.
    fn piece(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        let codings = match self.coding {
            Some(Coding::Hex(_)) => [Some(Coding::Hex(0)), None, None, None, None],
            Some(Coding::Base64(_)) => [Some(Coding::Base64(0)), None, None, None, None],
            None => {
                let prefix = if self.run.starts_with(b"0x") || self.run.starts_with(b"0X") { 2 } else { 0 };
                let digits = &self.run[prefix..];
                let hex = digits.len() >= HEX_CHARS_MIN && digits.iter().all(u8::is_ascii_hexdigit);
                let base64 = |skip| Some(Coding::Base64(skip));
                [hex.then_some(Coding::Hex(prefix)), base64(0), base64(1), base64(2), base64(3)]
            }
        };
        for coding in codings.into_iter().flatten() {
            let Some(used) = decode(coding, &self.run, &mut self.decoded) else { continue };
            if self.coding.is_none() {
                self.stream.reset(self.rules.clone());
                self.coding = Some(coding);
            }
            self.stream.push(engine, &self.decoded, &mut self.inner);
            self.report(hits);
            self.run.drain(..used);
            return;
        }
        self.run.clear();
        self.end_stream(engine, hits);
    }

    /// A hit in decoded text hides the whole run as far as it was read.
    fn report(&mut self, hits: &mut Vec<Hit>) {
        let run = self.start..self.end;
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
    // A run that starts before `last` and is long enough holds `last`.
    while let Some(&last) = text.get(at + RUN_CHARS_MIN - 1) {
        if value(last).is_none() {
            at += RUN_CHARS_MIN;
            continue;
        }
        let before = text[at..at + RUN_CHARS_MIN].iter().rev().take_while(|&&byte| value(byte).is_some()).count();
        let start = at + RUN_CHARS_MIN - before;
        let length = before + text[at + RUN_CHARS_MIN..].iter().take_while(|&&byte| value(byte).is_some()).count();
        if length >= RUN_CHARS_MIN || start + length == text.len() {
            return start;
        }
        at = start + length + 1;
    }
    let rest = text.get(at..).unwrap_or_default();
    text.len() - rest.iter().rev().take_while(|&&byte| value(byte).is_some()).count()
}

/// Decodes whole groups and returns how many characters they took; `None` if what comes out is no text.
fn decode(coding: Coding, run: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.clear();
    let (skip, group, bytes) = match coding {
        Coding::Hex(skip) => (skip, 2, 1),
        Coding::Base64(skip) => (skip, 4, 3),
    };
    let run = run.get(skip..)?;
    let mut bad = run.len() / group * bytes / 10;
    for chunk in run.chunks_exact(group) {
        let from = out.len();
        match coding {
            Coding::Hex(_) => out.push(chunk.iter().fold(0, |byte, &digit| byte << 4 | hex_value(digit))),
            Coding::Base64(_) => {
                let bits = chunk.iter().fold(0u32, |bits, &c| bits << 6 | u32::from(value(c).unwrap_or(0)));
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
            }
        }
        bad = bad.checked_sub(out[from..].iter().filter(|&&byte| !is_text(byte)).count())?;
    }
    let whole = run.len() / group * group;
    if let (Coding::Base64(_), rest @ [_, _, ..]) = (coding, &run[whole..]) {
        // An end without its padding holds one or two bytes more.
        let bits = rest.iter().fold(0u32, |bits, &c| bits << 6 | u32::from(value(c).unwrap_or(0)));
        let bits = bits << (6 * (4 - rest.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..rest.len()]);
        return Some(skip + run.len());
    }
    Some(skip + whole)
}

fn hex_value(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |digit| digit as u8)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7E | b'\t' | b'\n' | b'\r')
}

/// What a base64 character stands for, in either alphabet.
#[inline]
fn value(byte: u8) -> Option<u8> {
    const VALUES: [u8; 256] = {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut values = [0xFF; 256];
        let mut index = 0;
        while index < 64 {
            values[alphabet[index] as usize] = index as u8;
            index += 1;
        }
        values[b'-' as usize] = 62;
        values[b'_' as usize] = 63;
        values
    };
    Some(VALUES[byte as usize]).filter(|&value| value != 0xFF)
}
