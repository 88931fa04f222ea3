//! How assignments are written: from a word of the name to the end of the value.
//!
//! One reader for environment files, YAML, JSON, TOML, INI, XML, HCL, command lines and code: all of them put a name, some
//! closing signs, a separator, some opening signs and a value in a row. What it meets in none of them ends it at once.

use std::ops::Range;

use super::listing::Listing;
use super::members::MEMBERS_MAX;
use super::random::Makeup;

/// Longest rest of a name, bytes.
const NAME_BYTES_MAX: usize = 64;
/// Further words of a name: `heroku api key = …`.
const NAME_WORDS_MAX: usize = 3;
/// A shorter name is no keyword of a configuration, bytes.
const WORD_BYTES_MIN: usize = 6;
/// Longest stretch of spaces, line breaks and braces between two parts.
pub(super) const GAP_BYTES_MAX: usize = 40;
/// Longest value, bytes.
const VALUE_BYTES_MAX: usize = 512;
/// Longest assignment from the keyword on, bytes.
pub(in crate::scan) const ASSIGNMENT_BYTES_MAX: usize = 1024;
/// How far before a `password` the `login` of a machine's credentials may stand, bytes.
const LOGIN_BYTES_MAX: usize = 100;

/// What stands at a word that may be part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// More text is needed to tell.
    More,
    /// No assignment, as so many bytes showed.
    No(usize),
    /// An assignment of this value, without its quotes.
    Value(Range<usize>),
}

/// Reads an assignment whose name goes on at the beginning of `text`; `before` is what stands before it. `complete`
/// says that no more text follows.
pub fn read(before: &[u8], text: &[u8], complete: bool) -> Read {
    let text = &text[..text.len().min(ASSIGNMENT_BYTES_MAX)];
    let complete = complete || text.len() == ASSIGNMENT_BYTES_MAX;
    let mut reader = Reader { before, text, at: 0, line: None, listing: None, complete };
    match reader.assignment() {
        Ok(value) => Read::Value(value),
        Err(Stop::More) => Read::More,
        Err(Stop::No) => Read::No(reader.at + 1),
    }
}

/// Why reading ended without a value.
pub(super) enum Stop {
    More,
    No,
}

/// What separates name and value, as far as it matters for the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// `=`, `:` and their kin: the value may be bare.
    Sign,
    /// `,` or `(`: only a quoted value is meant.
    Weak,
    /// A verb, or the border of a cell in a table: a bare value is meant where it is no word of a sentence.
    Told,
    /// `>` of an XML element: the value goes on to the next `<`.
    Element,
    /// Nothing but a space, behind a flag.
    Space,
}

pub(super) struct Reader<'a> {
    pub(super) before: &'a [u8],
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// Where the last line that was begun begins, behind what a listing puts before it.
    line: Option<usize>,
    /// How the line with the name begins, once it was asked for.
    listing: Option<Option<Listing>>,
    complete: bool,
}

impl Reader<'_> {
    fn assignment(&mut self) -> Result<Range<usize>, Stop> {
        self.skip(NAME_BYTES_MAX, is_name)?;
        if self.peek(0)? == Some(b' ') && (is_flag(self.before) || is_login(self.before, self.text)) {
            self.at += 1;
            return self.value(Separator::Space);
        }
        // `password 'x'`, as configuration in Groovy and Ruby has it. `pass 'x' on` is a sentence.
        let quote = |byte| matches!(byte, b'"' | b'\'');
        if self.at >= WORD_BYTES_MIN && self.peek(0)? == Some(b' ') && self.peek(1)?.is_some_and(quote) {
            return self.value(Separator::Weak);
        }
        let mut separator = self.words()?;
        if separator.is_none() {
            separator = Some(self.separator()?);
        }
        self.value(separator.unwrap_or(Separator::Sign))
    }

    /// Further words of the name; a verb among them separates it from the value.
    fn words(&mut self) -> Result<Option<Separator>, Stop> {
        for _ in 0..NAME_WORDS_MAX {
            let starts = self.peek(0)? == Some(b' ') && self.peek(1)?.is_some_and(|byte| byte.is_ascii_alphabetic());
            if !starts {
                return Ok(None);
            }
            let from = self.at + 1;
            self.at = from;
            self.skip(NAME_BYTES_MAX, is_name)?;
            if matches!(&self.text[from..self.at], b"is" | b"was") {
                return Ok(Some(Separator::Told));
            }
        }
        Ok(None)
    }

    fn separator(&mut self) -> Result<Separator, Stop> {
        let name = self.at;
        let closed = self.close()?;
        self.skip(GAP_BYTES_MAX, is_blank)?;
        let Some(byte) = self.peek(0)? else { return Err(Stop::No) };
        let next = self.peek(1)?;
        // The name of a module: `test secret::is_kept ... ok`.
        if (byte, next) == (b':', Some(b':')) && self.peek(2)?.is_some_and(is_name) {
            return Err(Stop::No);
        }
        let (length, separator) = match (byte, next) {
            (b'=' | b':', _) => (1, Separator::Sign),
            (b'?' | b'+' | b'.' | b'!' | b'~', Some(b'=')) => (1, Separator::Sign),
            (b'-', Some(b'>')) | (b'<', Some(b'-')) => (2, Separator::Sign),
            (b'|', Some(b'|')) | (b'?', Some(b'?')) => (2, Separator::Weak),
            (b'|', _) if self.is_row() => (1, Separator::Told),
            (b'>', _) => (1, Separator::Element),
            (b'<', Some(b'/')) => return self.next_element().map(|()| Separator::Element),
            (b',', _) if closed => return self.later_value(name, closed).map(|found| found.unwrap_or(Separator::Weak)),
            (b'(', _) => (1, Separator::Weak),
            _ => return self.later_value(name, closed)?.ok_or(Stop::No),
        };
        self.at += length;
        if separator == Separator::Sign {
            self.skip(4, |byte| matches!(byte, b'=' | b':' | b'>'))?;
        }
        Ok(separator)
    }

    /// Quotes and brackets that end the name; whether a quote was among them.
    pub(super) fn close(&mut self) -> Result<bool, Stop> {
        let from = self.at;
        self.skip(6, |byte| matches!(byte, b'"' | b'\'' | b'`' | b']' | b')' | b'\\'))?;
        Ok(self.text[from..self.at].iter().any(|byte| is_quote(*byte)))
    }

    fn value(&mut self, separator: Separator) -> Result<Range<usize>, Stop> {
        let broken = self.skip_lines(|byte| is_blank(byte) || byte == b'\r')?;
        // The next item of a list is no value of this one.
        if broken && matches!(separator, Separator::Weak | Separator::Told) {
            return Err(Stop::No);
        }
        if let Some(opener) = self.opener()? {
            return self.quoted(opener);
        }
        match separator {
            Separator::Element => self.element(),
            Separator::Weak => Err(Stop::No),
            Separator::Told => self.strange(),
            Separator::Sign if self.record_value(broken)? => self.value(Separator::Space),
            _ if broken => Err(Stop::No),
            Separator::Sign if self.begins_block()? => self.line_alone(),
            Separator::Space if self.peek(0)? == Some(b'-') => Err(Stop::No),
            Separator::Sign if self.annotation()? => match self.opener()? {
                Some(opener) => self.quoted(opener),
                None => Err(Stop::No),
            },
            Separator::Sign | Separator::Space => self.bare(ends_bare),
        }
    }

    /// The sign of `value` or `default` in a record that the name is the title of: in braces, or in YAML in lines further
    /// to the right, the name being all of its own.
    fn record_value(&mut self, broken: bool) -> Result<bool, Stop> {
        let from = self.at;
        let found = if !broken && self.peek(0)? == Some(b'{') {
            self.at += 1;
            self.skip_lines(|byte| is_blank(byte) || matches!(byte, b'\r' | b'"' | b'\''))?;
            self.member_value(MEMBERS_MAX, b"=:")?
        } else {
            broken && self.is_further_right() && self.member_value(MEMBERS_MAX, b":")?
        };
        if !found {
            self.at = from;
        }
        Ok(found)
    }

    /// Whether the line stands further to the right than the one with the name, which is all of its own.
    fn is_further_right(&mut self) -> bool {
        let line = &self.before[line_start(self.before)..];
        let line = &line[self.listing().map_or(0, |listing| listing.prefix(line))..];
        let indent = line.iter().take_while(|byte| is_blank(**byte)).count();
        let is_alone = line[indent..].iter().all(|byte| is_name(*byte) || is_quote(*byte));
        is_alone && self.line.is_some_and(|line| self.at > line + indent)
    }

    /// `|` or `>` of YAML at the end of the line; behind it, in the next one.
    fn begins_block(&mut self) -> Result<bool, Stop> {
        if !matches!(self.peek(0)?, Some(b'|' | b'>')) {
            return Ok(false);
        }
        let from = self.at;
        self.at += 1;
        self.skip(2, |byte| matches!(byte, b'-' | b'+' | b'1'..=b'9'))?;
        let begins = self.skip_lines(|byte| is_blank(byte) || byte == b'\r')?;
        if !begins {
            self.at = from;
        }
        Ok(begins)
    }

    /// A bare value that is all of its line.
    fn line_alone(&mut self) -> Result<Range<usize>, Stop> {
        let value = self.bare(|byte| byte.is_ascii_whitespace())?;
        self.skip(GAP_BYTES_MAX, |byte| is_blank(byte) || byte == b'\r')?;
        if matches!(self.peek(0)?, None | Some(b'\n')) { Ok(value) } else { Err(Stop::No) }
    }

    /// A bare value that no word of a sentence is.
    fn strange(&mut self) -> Result<Range<usize>, Stop> {
        let value = self.bare(ends_bare)?;
        if Makeup::of(&self.text[value.clone()]).is_strange() { Ok(value) } else { Err(Stop::No) }
    }

    /// Whether the line with the name is one of a table: `| name | value |`.
    fn is_row(&self) -> bool {
        self.before[line_start(self.before)..].trim_ascii_start().starts_with(b"|")
    }

    /// The type in `name: Type = "value"`, with what follows up to the value.
    fn annotation(&mut self) -> Result<bool, Stop> {
        let from = self.at;
        self.skip(GAP_BYTES_MAX, |byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'.' | b'<' | b'>' | b'&' | b'?' | b'[' | b']' | b'|' | b' ' | b'\'')
        })?;
        let spaced = self.at > from && self.text[self.at - 1] == b' ';
        if spaced && self.peek(0)? == Some(b'=') && self.peek(1)? != Some(b'=') {
            self.at += 1;
            self.skip_lines(is_blank)?;
            return Ok(true);
        }
        self.at = from;
        Ok(false)
    }

    /// The quote that opens a value, behind a letter or two that mark the literal, or a call that only wraps it.
    fn opener(&mut self) -> Result<Option<Opener>, Stop> {
        let from = self.at;
        for _ in 0..2 {
            let marks = self.at;
            self.skip(2, |byte| matches!(byte, b'b' | b'B' | b'r' | b'R' | b'u' | b'f' | b'L' | b'@' | b'$' | b'&'))?;
            let escaped = self.peek(0)? == Some(b'\\') && self.peek(1)?.is_some_and(is_quote);
            let quote = self.peek(usize::from(escaped))?;
            if let Some(quote) = quote.filter(|byte| is_quote(*byte)) {
                self.at += 1 + usize::from(escaped);
                return Ok(Some(Opener { quote, escaped }));
            }
            self.at = marks;
            self.skip(24, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b' '))?;
            let call = &self.text[marks..self.at];
            let name = call.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
            if self.peek(0)? != Some(b'(') || !WRAPPERS.contains(&name) {
                break;
            }
            self.at += 1;
        }
        self.at = from;
        Ok(None)
    }

    fn quoted(&mut self, opener: Opener) -> Result<Range<usize>, Stop> {
        let mut from = self.at;
        while let Some(byte) = self.peek(0)? {
            let escape = byte == b'\\';
            let ends =
                if opener.escaped { escape && self.peek(1)? == Some(opener.quote) } else { byte == opener.quote };
            if ends {
                let mut end = self.at;
                // A quote within the other quote: `'"value"'`.
                if end - from > 2 && is_quote(self.text[from]) && self.text[end - 1] == self.text[from] {
                    (from, end) = (from + 1, end - 1);
                }
                return self.found(from..end);
            }
            if byte == b'\n' || self.at - from >= VALUE_BYTES_MAX {
                return Err(Stop::No);
            }
            self.at += if escape && !opener.escaped && self.peek(1)?.is_some() { 2 } else { 1 };
        }
        // A whole JSON string ends here, and with it the literal that it cut.
        self.found(from..self.at)
    }

    fn bare(&mut self, ends: impl Fn(u8) -> bool) -> Result<Range<usize>, Stop> {
        let from = self.at;
        while let Some(byte) = self.peek(0)? {
            if ends(byte) {
                break;
            }
            // A call or a lookup: what stands there is code.
            let code = matches!(byte, b'(' | b'[')
                && self.text[from..self.at].iter().all(|it| is_name(*it) || matches!(it, b':' | b'!'));
            if code || self.at - from >= VALUE_BYTES_MAX {
                return Err(Stop::No);
            }
            self.at += 1;
        }
        self.found(from..self.at)
    }

    /// The content of an XML element: its end tag follows.
    fn element(&mut self) -> Result<Range<usize>, Stop> {
        let value = self.bare(|byte| byte == b'<' || byte.is_ascii_whitespace())?;
        self.skip_lines(|byte| byte.is_ascii_whitespace())?;
        let closed = self.peek(0)? == Some(b'<') && self.peek(1)? == Some(b'/');
        if closed { Ok(value) } else { Err(Stop::No) }
    }

    fn found(&mut self, mut value: Range<usize>) -> Result<Range<usize>, Stop> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| is_blank(*byte));
        while edge(self.text[value.clone()].last()) {
            value.end -= 1;
        }
        while edge(self.text[value.clone()].first()) {
            value.start += 1;
        }
        if value.is_empty() { Err(Stop::No) } else { Ok(value) }
    }

    /// The byte so many ahead; `None` where the text ends.
    pub(super) fn peek(&self, ahead: usize) -> Result<Option<u8>, Stop> {
        match self.text.get(self.at + ahead) {
            Some(byte) => Ok(Some(*byte)),
            None if self.complete => Ok(None),
            None => Err(Stop::More),
        }
    }

    /// Skips bytes of a kind and line breaks, with what a listing puts before the next line; whether there was a break.
    pub(super) fn skip_lines(&mut self, kind: impl Fn(u8) -> bool) -> Result<bool, Stop> {
        let mut broken = false;
        for _ in 0..GAP_BYTES_MAX {
            match self.peek(0)? {
                Some(b'\n') => {
                    broken = true;
                    self.at += 1;
                    self.skip_prefix()?;
                    self.line = Some(self.at);
                }
                Some(byte) if kind(byte) => self.at += 1,
                _ => break,
            }
        }
        Ok(broken)
    }

    /// Skips what a listing puts before a line, if it does so before the line with the name.
    fn skip_prefix(&mut self) -> Result<(), Stop> {
        let Some(listing) = self.listing() else { return Ok(()) };
        let line = &self.text[self.at..];
        if line.len() < listing.bytes_max() && !self.complete && !line.contains(&b'\n') {
            return Err(Stop::More);
        }
        self.at += listing.prefix(line);
        Ok(())
    }

    /// How the line with the name begins.
    fn listing(&mut self) -> Option<Listing> {
        let before = self.before;
        *self.listing.get_or_insert_with(|| Listing::of(&before[line_start(before)..]))
    }

    /// Skips bytes of a kind, so many at most.
    pub(super) fn skip(&mut self, bytes_max: usize, kind: impl Fn(u8) -> bool) -> Result<(), Stop> {
        for _ in 0..bytes_max {
            match self.peek(0)? {
                Some(byte) if kind(byte) => self.at += 1,
                _ => break,
            }
        }
        Ok(())
    }
}

/// How a quoted value begins.
#[derive(Clone, Copy)]
struct Opener {
    quote: u8,
    /// Within a literal of its own: `\"`.
    escaped: bool,
}

/// Calls that give what they are given.
const WRAPPERS: [&[u8]; 8] = [b"from", b"Some", b"new", b"String", b"str", b"SecretString", b"SecretStr", b"encode"];

/// Bytes that names are made of, in any language.
pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn ends_bare(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || is_quote(byte)
        || matches!(byte, b',' | b';' | b'<' | b'>' | b'\\' | b'&' | b'|' | b')' | b']' | b'}')
}

/// Where the last line of a text begins.
fn line_start(text: &[u8]) -> usize {
    memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)
}

/// Whether the name that `before` begins is a flag: `--db-` before `password`.
fn is_flag(before: &[u8]) -> bool {
    let name = before.iter().rev().take(NAME_BYTES_MAX).take_while(|byte| is_name(**byte)).count();
    let name = &before[before.len() - name..];
    name.first() == Some(&b'-')
}

/// Whether the line is one of `.netrc`: `machine … login … password …`.
fn is_login(before: &[u8], name: &[u8]) -> bool {
    if !name.starts_with(b"password ") {
        return false;
    }
    let recent = &before[before.len().saturating_sub(LOGIN_BYTES_MAX)..];
    recent.last().is_some_and(u8::is_ascii_whitespace) && memchr::memmem::find(recent, b"login ").is_some()
}
