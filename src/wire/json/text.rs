//! The content of one JSON string: escapes and UTF-8 decoded piece by piece, wherever the input is cut.

use super::search::plain_run;
use super::{Error, ErrorKind};

/// Decoded text is handed on at the latest when this much has gathered.
const GATHERED_BYTES_MAX: usize = 4096;
/// Runs of this length are handed on as they lie in the input, without a copy.
const DIRECT_BYTES_MIN: usize = 512;
/// Runs are searched, validated and handed on in pieces that stay in the first-level cache.
const RUN_BYTES_MAX: usize = 16 * 1024;

/// What a `\u` escape of half a surrogate pair reads as when its other half is missing.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Decodes the content of strings, one after the other.
#[derive(Default)]
pub(super) struct Text {
    state: State,
    /// Decoded and not handed on yet; empty between two pushes.
    gathered: String,
    /// The first bytes of a UTF-8 sequence that the last push cut.
    partial: Partial,
    /// The first half of a surrogate pair, while its second half may follow.
    high: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Run,
    Escape,
    Unicode {
        digits: u8,
        value: u16,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    bytes: [u8; 4],
    length: usize,
}

/// How far a push came inside the string.
pub(super) enum Reached {
    /// The input ended first.
    End,
    /// The closing quote stands at this index of the input.
    Quote(usize),
}

impl Text {
    /// Forgets a string that was not read to its end.
    pub(super) fn reset(&mut self) {
        self.state = State::Run;
        self.gathered.clear();
        self.partial.length = 0;
        self.high = None;
    }

    /// Decodes `raw[at..]` up to the closing quote. `base` is the raw offset of `raw[0]`.
    pub(super) fn push(
        &mut self,
        raw: &[u8],
        at: usize,
        base: usize,
        sink: &mut impl FnMut(&str),
    ) -> Result<Reached, Error> {
        let reached = self.decode(raw, at, base, sink);
        // Also on an error, so that what was seen does not depend on where the input was cut.
        self.hand_on(sink);
        reached
    }

    fn decode(
        &mut self,
        raw: &[u8],
        mut at: usize,
        base: usize,
        sink: &mut impl FnMut(&str),
    ) -> Result<Reached, Error> {
        at = self.complete_partial(raw, at, base)?;
        while at < raw.len() {
            at = match self.state {
                State::Run => {
                    let limit = raw.len().min(at + RUN_BYTES_MAX);
                    let end = at + plain_run(&raw[at..limit]);
                    if end > at {
                        self.settle_high();
                        self.run(raw, at, end, base, sink)?
                    } else if raw[at] == b'"' {
                        self.settle_high();
                        return Ok(Reached::Quote(at));
                    } else {
                        self.special(raw, at, base)?
                    }
                }
                State::Escape => self.escape(raw[at], base + at).map(|()| at + 1)?,
                State::Unicode { digits, value } => self.unicode(digits, value, raw[at], base + at).map(|()| at + 1)?,
            };
            if self.gathered.len() >= GATHERED_BYTES_MAX {
                self.hand_on(sink);
            }
        }
        Ok(Reached::End)
    }

    /// Takes the bytes that finish a sequence cut by the last push.
    fn complete_partial(&mut self, raw: &[u8], mut at: usize, base: usize) -> Result<usize, Error> {
        while self.partial.length > 0 && at < raw.len() {
            let held = self.partial.length;
            self.partial.bytes[held] = raw[at];
            self.partial.length += 1;
            match std::str::from_utf8(&self.partial.bytes[..=held]) {
                Ok(character) => {
                    self.gathered.push_str(character);
                    self.partial.length = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Error { offset: base + at - held, kind: ErrorKind::InvalidUtf8 }),
            }
            at += 1;
        }
        Ok(at)
    }

    /// Takes the plain bytes `raw[at..end]`, or as many of them as are whole characters.
    fn run(
        &mut self,
        raw: &[u8],
        at: usize,
        end: usize,
        base: usize,
        sink: &mut impl FnMut(&str),
    ) -> Result<usize, Error> {
        let run = &raw[at..end];
        let (valid, error) = match std::str::from_utf8(run) {
            Ok(valid) => (valid, None),
            Err(error) => (std::str::from_utf8(&run[..error.valid_up_to()]).unwrap_or_default(), Some(error)),
        };
        let is_whole_string = raw.get(end) == Some(&b'"') && self.gathered.is_empty();
        if valid.len() >= DIRECT_BYTES_MIN || is_whole_string {
            self.hand_on(sink);
            if !valid.is_empty() {
                sink(valid);
            }
        } else {
            self.gathered.push_str(valid);
        }
        let Some(error) = error else { return Ok(end) };
        let wrong = at + error.valid_up_to();
        if error.error_len().is_some() || (end < raw.len() && run.len() < RUN_BYTES_MAX) {
            return Err(Error { offset: base + wrong, kind: ErrorKind::InvalidUtf8 });
        }
        if end < raw.len() {
            // Only the length of a run was limited here: the sequence goes on in the next one.
            return Ok(wrong);
        }
        let rest = &raw[wrong..];
        self.partial.bytes[..rest.len()].copy_from_slice(rest);
        self.partial.length = rest.len();
        Ok(end)
    }

    /// Takes a backslash, with the letter behind it if that is all there is to the escape.
    fn special(&mut self, raw: &[u8], at: usize, base: usize) -> Result<usize, Error> {
        if raw[at] != b'\\' {
            return Err(Error { offset: base + at, kind: ErrorKind::ControlCharacter });
        }
        if let Some(character) = raw.get(at + 1).and_then(|&letter| short_escape(letter)) {
            self.settle_high();
            self.gathered.push(character);
            return Ok(at + 2);
        }
        self.state = State::Escape;
        Ok(at + 1)
    }

    fn escape(&mut self, letter: u8, offset: usize) -> Result<(), Error> {
        if letter == b'u' {
            self.state = State::Unicode { digits: 0, value: 0 };
            return Ok(());
        }
        let character = short_escape(letter).ok_or(Error { offset, kind: ErrorKind::InvalidEscape })?;
        self.settle_high();
        self.gathered.push(character);
        self.state = State::Run;
        Ok(())
    }

    fn unicode(&mut self, digits: u8, value: u16, byte: u8, offset: usize) -> Result<(), Error> {
        let digit = hex_digit(byte).ok_or(Error { offset, kind: ErrorKind::InvalidEscape })?;
        let value = value << 4 | digit;
        if digits < 3 {
            self.state = State::Unicode { digits: digits + 1, value };
            return Ok(());
        }
        self.state = State::Run;
        match (self.high.take(), value) {
            (Some(high), 0xdc00..=0xdfff) => self.gathered.push(surrogate_pair(high, value)),
            (high, value) => {
                if high.is_some() {
                    self.gathered.push(REPLACEMENT);
                }
                if matches!(value, 0xd800..=0xdbff) {
                    self.high = Some(value);
                } else {
                    // Only a second half without a first is no character of its own.
                    self.gathered.push(char::from_u32(value.into()).unwrap_or(REPLACEMENT));
                }
            }
        }
        Ok(())
    }

    /// Something else than the second half follows the first half of a pair.
    fn settle_high(&mut self) {
        if self.high.take().is_some() {
            self.gathered.push(REPLACEMENT);
        }
    }

    fn hand_on(&mut self, sink: &mut impl FnMut(&str)) {
        if !self.gathered.is_empty() {
            sink(&self.gathered);
            self.gathered.clear();
        }
    }
}

/// The character that a backslash and this letter stand for.
pub(super) fn short_escape(letter: u8) -> Option<char> {
    match letter {
        b'"' | b'\\' | b'/' => Some(letter as char),
        b'b' => Some('\u{8}'),
        b'f' => Some('\u{c}'),
        b'n' => Some('\n'),
        b'r' => Some('\r'),
        b't' => Some('\t'),
        _ => None,
    }
}

pub(super) fn hex_digit(byte: u8) -> Option<u16> {
    match byte {
        b'0'..=b'9' => Some((byte - b'0').into()),
        b'a'..=b'f' => Some((byte - b'a' + 10).into()),
        b'A'..=b'F' => Some((byte - b'A' + 10).into()),
        _ => None,
    }
}

/// The character of two surrogate halves, the first in `d800..dc00`, the second in `dc00..e000`.
pub(super) fn surrogate_pair(high: u16, low: u16) -> char {
    let value = 0x1_0000 + ((u32::from(high) & 0x3ff) << 10 | (u32::from(low) & 0x3ff));
    char::from_u32(value).unwrap_or(REPLACEMENT)
}
