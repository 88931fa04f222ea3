//! A string's characters, each with the raw bytes it is written in; stacked twice for a string inside a string.

use std::ops::Range;

use super::search::plain_run;
use super::text::{hex_digit, short_escape, surrogate_pair};
use super::{Error, ErrorKind};

/// One decoded character and the raw bytes it is written in.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) character: char,
    pub(super) raw: Range<usize>,
}

/// Something that knows how far into the raw bytes it has come, to place an error.
pub(super) trait Source: Iterator<Item = Result<Unit, Error>> {
    /// Raw offset behind the last character.
    fn reached(&self) -> usize;

    /// Goes past characters that are written as they are at every level, as many as fit into `bytes_max`. How many
    /// bytes they were: the same number in the raw text and decoded.
    fn skip_plain(&mut self, bytes_max: usize) -> usize;
}

/// The characters of raw bytes as they are written.
#[derive(Debug)]
pub(super) struct Characters<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Characters<'a> {
    pub(super) fn new(raw: &'a [u8], at: usize) -> Self {
        Characters { raw, at }
    }
}

impl Source for Characters<'_> {
    fn reached(&self) -> usize {
        self.at
    }

    fn skip_plain(&mut self, bytes_max: usize) -> usize {
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let mut length = plain_run(&rest[..rest.len().min(bytes_max)]);
        // Not into the middle of a character.
        while length > 0 && rest.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
            length -= 1;
        }
        self.at += length;
        length
    }
}

impl Iterator for Characters<'_> {
    type Item = Result<Unit, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let first = *self.raw.get(start)?;
        let length = match first {
            0..0x80 => 1,
            0x80..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        let bytes = self.raw.get(start..start + length).unwrap_or_default();
        let Some(character) = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) else {
            return Some(Err(Error { offset: start, kind: ErrorKind::InvalidUtf8 }));
        };
        self.at += length;
        Some(Ok(Unit { character, raw: start..self.at }))
    }
}

/// The characters of a string's content, from behind the opening quote up to the closing one.
#[derive(Debug)]
pub(super) struct Unescape<S> {
    source: S,
    ahead: Ahead,
}

/// What was read beyond the first half of a surrogate pair that had no second half.
#[derive(Debug)]
enum Ahead {
    Nothing,
    /// A character as it is written.
    Written(Unit),
    /// A character already decoded.
    Decoded(Unit),
    /// A `\u` escape's value.
    Half(u16, Range<usize>),
    /// The closing quote was seen.
    Ended,
}

impl<S: Source> Unescape<S> {
    pub(super) fn new(source: S) -> Self {
        Unescape { source, ahead: Ahead::Nothing }
    }

    fn written(&mut self) -> Result<Unit, Error> {
        let reached = self.source.reached();
        self.source.next().unwrap_or(Err(Error { offset: reached, kind: ErrorKind::UnexpectedEnd }))
    }

    fn step(&mut self) -> Result<Option<Unit>, Error> {
        let unit = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::Nothing => self.written()?,
            Ahead::Written(unit) => unit,
            Ahead::Decoded(unit) => return Ok(Some(unit)),
            Ahead::Half(value, raw) => return self.code_unit(value, raw).map(Some),
            Ahead::Ended => {
                self.ahead = Ahead::Ended;
                return Ok(None);
            }
        };
        match unit.character {
            '"' => {
                self.ahead = Ahead::Ended;
                Ok(None)
            }
            '\\' => match self.escape(unit.raw.start)? {
                Escape::Character(unit) => Ok(Some(unit)),
                Escape::CodeUnit(value, raw) => self.code_unit(value, raw).map(Some),
            },
            '\0'..' ' => Err(Error { offset: unit.raw.start, kind: ErrorKind::ControlCharacter }),
            _ => Ok(Some(unit)),
        }
    }

    /// Reads what follows a backslash at `start`.
    fn escape(&mut self, start: usize) -> Result<Escape, Error> {
        let letter = self.written()?;
        if letter.character != 'u' {
            let character = ascii(letter.character).and_then(short_escape);
            let error = Error { offset: letter.raw.start, kind: ErrorKind::InvalidEscape };
            return Ok(Escape::Character(Unit { character: character.ok_or(error)?, raw: start..letter.raw.end }));
        }
        let mut value = 0;
        let mut end = letter.raw.end;
        for _ in 0..4 {
            let digit = self.written()?;
            let error = Error { offset: digit.raw.start, kind: ErrorKind::InvalidEscape };
            value = value << 4 | ascii(digit.character).and_then(hex_digit).ok_or(error)?;
            end = digit.raw.end;
        }
        Ok(Escape::CodeUnit(value, start..end))
    }

    /// The character of a `\u` escape, together with the next one if the two are a surrogate pair.
    fn code_unit(&mut self, value: u16, raw: Range<usize>) -> Result<Unit, Error> {
        let alone = char::from_u32(value.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
        if !matches!(value, 0xd800..=0xdbff) {
            return Ok(Unit { character: alone, raw });
        }
        let following = self.written()?;
        if following.character != '\\' {
            self.ahead = Ahead::Written(following);
            return Ok(Unit { character: alone, raw });
        }
        match self.escape(following.raw.start)? {
            Escape::CodeUnit(low @ 0xdc00..=0xdfff, second) => {
                Ok(Unit { character: surrogate_pair(value, low), raw: raw.start..second.end })
            }
            Escape::CodeUnit(other, second) => {
                self.ahead = Ahead::Half(other, second);
                Ok(Unit { character: alone, raw })
            }
            Escape::Character(unit) => {
                self.ahead = Ahead::Decoded(unit);
                Ok(Unit { character: alone, raw })
            }
        }
    }
}

/// What a backslash begins.
enum Escape {
    Character(Unit),
    CodeUnit(u16, Range<usize>),
}

fn ascii(character: char) -> Option<u8> {
    u8::try_from(character).ok().filter(u8::is_ascii)
}

impl<S: Source> Source for Unescape<S> {
    fn reached(&self) -> usize {
        self.source.reached()
    }

    fn skip_plain(&mut self, bytes_max: usize) -> usize {
        // What holds no quote and no backslash stands for itself at this level too.
        if matches!(self.ahead, Ahead::Nothing) { self.source.skip_plain(bytes_max) } else { 0 }
    }
}

impl<S: Source> Iterator for Unescape<S> {
    type Item = Result<Unit, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
