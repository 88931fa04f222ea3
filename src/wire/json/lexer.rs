//! The push lexer: bytes in, events out, in any cutting, with memory bounded by the depth limit.

use std::fmt;
use std::ops::Range;

use super::number::Number;
use super::path::GrowingKey;
use super::search::closing_quote;
use super::text::{Reached, Text};
use super::{Ahead, Container, Error, ErrorKind, Known, Limits, Path, Role, Visitor};

/// Longer numbers are refused: no double needs more, and an arbitrary one would have to be held.
const NUMBER_BYTES_MAX: usize = 1024;

/// Bytes of a string's content, or from an object's bracket on, that are waited for, to be shown ahead.
pub(super) const AHEAD_BYTES_MAX: usize = 256 << 10;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Reads one JSON document as its bytes arrive.
///
/// After an error every further call returns that same error.
pub struct Lexer {
    limits: Limits,
    /// `NaN`, `Infinity` and `-Infinity` are scalars.
    takes_names: bool,
    state: State,
    /// Raw offset of the first byte of the next push.
    offset: usize,
    containers: Vec<Container>,
    path: Path,
    key: GrowingKey,
    text: Text,
    /// The first bytes of a number that a push cut.
    held: Vec<u8>,
    /// How far the string was searched for its end that the last push did not hold whole.
    awaited: Option<Awaited>,
    failed: Option<Error>,
}

/// A string whose end is waited for.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    /// Raw offset of its content.
    start: usize,
    /// So many bytes of the content hold no end.
    searched: usize,
}

/// What is shown ahead of being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Showing {
    Nothing,
    /// Strings and objects that may be known; more bytes may be waited for.
    Waiting,
    /// The same, as far as they are there.
    Ready,
}

/// What the bytes from a string's content on hold of it.
enum Content {
    /// Nothing is waited for: it is long, or no more bytes come.
    Pieces,
    /// It ends at this index.
    Whole(usize),
    /// Its end is still to come.
    Cut,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing but this many bytes of a byte order mark was seen.
    Start(usize),
    Value,
    /// A value, or the end of an array that has none yet.
    FirstValue,
    Key,
    /// A key, or the end of an object that has none yet.
    FirstKey,
    Colon,
    /// A comma, or the end of the innermost container.
    Comma,
    String(Role),
    Number {
        state: Number,
        start: usize,
    },
    Literal {
        word: &'static [u8],
        matched: usize,
        start: usize,
    },
    Done,
}

impl Lexer {
    /// A lexer at the start of a document.
    pub fn new(limits: Limits) -> Self {
        Lexer {
            limits,
            takes_names: false,
            state: State::Start(0),
            offset: 0,
            containers: Vec::new(),
            path: Path::default(),
            key: GrowingKey::default(),
            text: Text::default(),
            held: Vec::new(),
            awaited: None,
            failed: None,
        }
    }

    /// The same for a document that Python may have written or may read: `NaN` and the infinities are scalars in it.
    pub fn of_python(limits: Limits) -> Self {
        Lexer { takes_names: true, ..Lexer::new(limits) }
    }

    /// Goes back to the start of a document and keeps the memory.
    pub fn reset(&mut self) {
        self.state = State::Start(0);
        self.offset = 0;
        self.containers.clear();
        self.path.clear();
        self.text.reset();
        self.held.clear();
        self.awaited = None;
        self.failed = None;
    }

    /// How many raw bytes were pushed.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Where the lexer stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the document is complete: only white space may follow.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Reads the next bytes of the document.
    pub fn push<V: Visitor + ?Sized>(&mut self, raw: &[u8], visitor: &mut V) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read(raw, Showing::Nothing, visitor);
        self.offset += raw.len();
        self.failed = result.err();
        result.map(drop)
    }

    /// Reads the next bytes, but leaves a string unread that they do not hold whole, or an object that the visitor waits
    /// for, so that [`Visitor::string_ahead`] is shown every string of at most [`AHEAD_BYTES_MAX`] bytes: gives how many
    /// bytes were read. The next call begins with the others. When no more come, `is_last`, all are read.
    pub fn push_ahead<V: Visitor + ?Sized>(
        &mut self,
        raw: &[u8],
        is_last: bool,
        visitor: &mut V,
    ) -> Result<usize, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read(raw, if is_last { Showing::Ready } else { Showing::Waiting }, visitor);
        self.offset += result.unwrap_or(raw.len());
        self.failed = result.err();
        result
    }

    /// Says that no more bytes come. A number at the root ends only here.
    pub fn finish<V: Visitor + ?Sized>(&mut self, visitor: &mut V) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let State::Number { state, start } = self.state
            && state.is_whole()
            && self.containers.is_empty()
        {
            visitor.scalar(&self.path, &self.held, start);
            self.held.clear();
            self.state = State::Done;
        }
        if self.is_done() {
            return Ok(());
        }
        let error = Error { offset: self.offset, kind: ErrorKind::UnexpectedEnd };
        self.failed = Some(error);
        Err(error)
    }

    /// How many bytes were read: all, unless something is waited for.
    fn read<V: Visitor + ?Sized>(&mut self, raw: &[u8], showing: Showing, visitor: &mut V) -> Result<usize, Error> {
        let mut at = 0;
        while at < raw.len() {
            if raw[at] == b'"'
                && let Some(role) = self.string_role()
            {
                match self.content(raw, at + 1, showing) {
                    Content::Cut => return Ok(at),
                    Content::Pieces => {}
                    Content::Whole(end) => {
                        if let Some(next) = self.show_ahead(role, raw, at + 1..end, visitor) {
                            at = next;
                            continue;
                        }
                    }
                }
            }
            if showing != Showing::Nothing && raw[at] == b'{' {
                match self.show_object(raw, at, showing, visitor) {
                    Known::No => {}
                    Known::NotYet => return Ok(at),
                    Known::Yes { bytes, .. } => {
                        at += bytes;
                        continue;
                    }
                }
            }
            at = match self.state {
                State::String(role) => self.string(role, raw, at, visitor)?,
                State::Number { state, start } => self.number(state, start, raw, at, visitor)?,
                State::Literal { word, matched, start } => self.literal(word, matched, start, raw, at, visitor)?,
                _ if matches!(raw[at], b' ' | b'\n' | b'\r' | b'\t') && !matches!(self.state, State::Start(1..)) => {
                    at + 1
                }
                _ => self.structure(raw, at, visitor)?,
            };
        }
        Ok(at)
    }

    /// What a string would be for that begins here; `None` where none may.
    fn string_role(&self) -> Option<Role> {
        match self.state {
            State::Start(0) | State::Value | State::FirstValue => Some(Role::Value),
            State::Key | State::FirstKey => Some(Role::Key),
            _ => None,
        }
    }

    /// Looks for the end of the string whose content begins at `from`; each byte is searched once, however it is cut.
    fn content(&mut self, raw: &[u8], from: usize, showing: Showing) -> Content {
        if showing == Showing::Nothing {
            return Content::Pieces;
        }
        let start = self.offset + from;
        let searched = self.awaited.take().filter(|it| it.start == start).map_or(0, |it| it.searched);
        match closing_quote(raw, from, from + searched) {
            Some(end) if end - from <= AHEAD_BYTES_MAX => Content::Whole(end),
            None if showing == Showing::Waiting && raw.len() - from <= AHEAD_BYTES_MAX => {
                self.awaited = Some(Awaited { start, searched: raw.len() - from });
                Content::Cut
            }
            _ => Content::Pieces,
        }
    }

    /// Shows an object of an array; what the visitor knows is passed over.
    fn show_object<V: Visitor + ?Sized>(&mut self, raw: &[u8], at: usize, showing: Showing, visitor: &mut V) -> Known {
        let is_first = matches!(self.state, State::FirstValue);
        let is_next = matches!(self.state, State::Value) && self.containers.last() == Some(&Container::Array);
        if !is_first && !is_next {
            return Known::No;
        }
        if is_first {
            self.path.push_index();
        }
        let bytes = &raw[at..];
        let may_wait = showing == Showing::Waiting && bytes.len() <= AHEAD_BYTES_MAX;
        let known = match visitor.object_ahead(&self.path, self.offset + at, Ahead { bytes, may_wait }) {
            Known::Yes { bytes: length, elements } if (1..=bytes.len()).contains(&length) && elements > 0 => {
                self.path.skip_index(elements - 1);
                self.value_ended();
                return Known::Yes { bytes: length, elements };
            }
            Known::NotYet if may_wait => Known::NotYet,
            _ => Known::No,
        };
        if is_first {
            self.path.pop();
        }
        known
    }

    /// Shows a whole string; where the visitor knows it, gives the index behind it.
    fn show_ahead<V: Visitor + ?Sized>(
        &mut self,
        role: Role,
        raw: &[u8],
        content: Range<usize>,
        visitor: &mut V,
    ) -> Option<usize> {
        let is_first = matches!(self.state, State::FirstValue);
        let text = &raw[content.clone()];
        let start = self.offset + content.start;
        let key = match role {
            Role::Value => None,
            // A key is part of the path of what follows, so it has to be told as it reads.
            Role::Key => Some(std::str::from_utf8(text).ok().filter(|it| !it.contains('\\'))?),
        };
        if is_first {
            self.path.push_index();
        }
        if !visitor.string_ahead(&self.path, role, start, text) {
            if is_first {
                self.path.pop();
            }
            return None;
        }
        match key {
            None => self.value_ended(),
            Some(key) => {
                self.key.start(&mut self.path);
                self.key.append(key);
                self.key.end(&mut self.path);
                self.state = State::Colon;
            }
        }
        Some(content.end + 1)
    }

    /// Takes one byte that stands between strings, numbers and literals.
    fn structure<V: Visitor + ?Sized>(&mut self, raw: &[u8], at: usize, visitor: &mut V) -> Result<usize, Error> {
        let byte = raw[at];
        let offset = self.offset + at;
        match (self.state, byte) {
            (State::Start(matched), _) if BYTE_ORDER_MARK[matched] == byte && offset == matched => {
                let is_whole = matched + 1 == BYTE_ORDER_MARK.len();
                self.state = if is_whole { State::Value } else { State::Start(matched + 1) };
            }
            (State::Start(1..), _) => return Err(self.unexpected(offset)),
            (State::FirstValue, b']') => self.leave(Container::Array, offset, visitor),
            (State::FirstKey, b'}') => self.leave(Container::Object, offset, visitor),
            (State::FirstKey | State::Key, b'"') => {
                self.key.start(&mut self.path);
                self.state = State::String(Role::Key);
                visitor.string_start(&self.path, Role::Key, offset + 1);
            }
            (State::Colon, b':') => self.state = State::Value,
            (State::Comma, _) => self.comma(byte, offset, visitor)?,
            (State::Start(0) | State::Value | State::FirstValue, _) => self.value(byte, offset, visitor)?,
            (State::Done, _) => return Err(Error { offset, kind: ErrorKind::TrailingData }),
            _ => return Err(self.unexpected(offset)),
        }
        // A number's first byte is read again with the rest of it, so that it can be handed on as it lies.
        Ok(if matches!(self.state, State::Number { .. }) { at } else { at + 1 })
    }

    fn value<V: Visitor + ?Sized>(&mut self, byte: u8, offset: usize, visitor: &mut V) -> Result<(), Error> {
        let is_first = matches!(self.state, State::FirstValue);
        let state = match byte {
            b'"' => State::String(Role::Value),
            b'{' => State::FirstKey,
            b'[' => State::FirstValue,
            b't' => State::Literal { word: b"true", matched: 1, start: offset },
            b'f' => State::Literal { word: b"false", matched: 1, start: offset },
            b'n' => State::Literal { word: b"null", matched: 1, start: offset },
            b'N' if self.takes_names => State::Literal { word: b"NaN", matched: 1, start: offset },
            b'I' if self.takes_names => State::Literal { word: b"Infinity", matched: 1, start: offset },
            b'-' | b'0'..=b'9' => State::Number { state: Number::Minus, start: offset },
            _ => return Err(self.unexpected(offset)),
        };
        if is_first {
            self.path.push_index();
        }
        self.state = state;
        match state {
            State::String(role) => visitor.string_start(&self.path, role, offset + 1),
            State::FirstKey => self.enter(Container::Object, offset, visitor)?,
            State::FirstValue => self.enter(Container::Array, offset, visitor)?,
            _ => {}
        }
        Ok(())
    }

    fn comma<V: Visitor + ?Sized>(&mut self, byte: u8, offset: usize, visitor: &mut V) -> Result<(), Error> {
        match (self.containers.last(), byte) {
            (Some(Container::Object), b',') => self.state = State::Key,
            (Some(Container::Array), b',') => {
                self.path.skip_index(1);
                self.state = State::Value;
            }
            (Some(Container::Object), b'}') => self.leave(Container::Object, offset, visitor),
            (Some(Container::Array), b']') => {
                self.path.pop();
                self.leave(Container::Array, offset, visitor);
            }
            _ => return Err(self.unexpected(offset)),
        }
        Ok(())
    }

    fn enter<V: Visitor + ?Sized>(
        &mut self,
        container: Container,
        offset: usize,
        visitor: &mut V,
    ) -> Result<(), Error> {
        if self.containers.len() >= self.limits.depth_max as usize {
            return Err(Error { offset, kind: ErrorKind::Depth });
        }
        self.containers.push(container);
        visitor.enter(&self.path, container, offset);
        Ok(())
    }

    fn leave<V: Visitor + ?Sized>(&mut self, container: Container, offset: usize, visitor: &mut V) {
        visitor.leave(&self.path, container, offset);
        self.containers.pop();
        self.value_ended();
    }

    fn value_ended(&mut self) {
        self.state = match self.containers.last() {
            None => State::Done,
            Some(Container::Array) => State::Comma,
            Some(Container::Object) => {
                self.path.pop();
                State::Comma
            }
        };
    }

    fn string<V: Visitor + ?Sized>(
        &mut self,
        role: Role,
        raw: &[u8],
        at: usize,
        visitor: &mut V,
    ) -> Result<usize, Error> {
        let Lexer { text, path, key, offset, .. } = self;
        let mut sink = |piece: &str| {
            if role == Role::Key {
                key.append(piece);
            }
            visitor.text_at(path, role, piece);
        };
        let Reached::Quote(quote) = text.push(raw, at, *offset, &mut sink)? else { return Ok(raw.len()) };
        visitor.string_end(&self.path, role, self.offset + quote);
        match role {
            Role::Key => {
                self.key.end(&mut self.path);
                self.state = State::Colon;
            }
            Role::Value => self.value_ended(),
        }
        Ok(quote + 1)
    }

    fn number<V: Visitor + ?Sized>(
        &mut self,
        mut state: Number,
        start: usize,
        raw: &[u8],
        at: usize,
        visitor: &mut V,
    ) -> Result<usize, Error> {
        let mut end = at;
        if self.offset + at == start {
            state = Number::start(raw[at]).ok_or_else(|| self.unexpected(start))?;
            end += 1;
        }
        while let Some(next) = raw.get(end).and_then(|&byte| state.next(byte)) {
            state = next;
            end += 1;
            if self.offset + end - start > NUMBER_BYTES_MAX {
                return Err(Error { offset: start, kind: ErrorKind::NumberTooLong });
            }
        }
        if end == raw.len() {
            self.held.extend_from_slice(&raw[at..]);
            self.state = State::Number { state, start };
            return Ok(end);
        }
        if self.takes_names && state == Number::Minus && raw[end] == b'I' {
            self.held.clear();
            self.state = State::Literal { word: b"-Infinity", matched: 2, start };
            return Ok(end + 1);
        }
        if !state.is_whole() {
            return Err(self.unexpected(self.offset + end));
        }
        if self.held.is_empty() {
            visitor.scalar(&self.path, &raw[at..end], start);
        } else {
            self.held.extend_from_slice(&raw[at..end]);
            visitor.scalar(&self.path, &self.held, start);
            self.held.clear();
        }
        self.value_ended();
        Ok(end)
    }

    fn literal<V: Visitor + ?Sized>(
        &mut self,
        word: &'static [u8],
        matched: usize,
        start: usize,
        raw: &[u8],
        at: usize,
        visitor: &mut V,
    ) -> Result<usize, Error> {
        if raw[at] != word[matched] {
            return Err(self.unexpected(self.offset + at));
        }
        if matched + 1 < word.len() {
            self.state = State::Literal { word, matched: matched + 1, start };
        } else {
            visitor.scalar(&self.path, word, start);
            self.value_ended();
        }
        Ok(at + 1)
    }

    fn unexpected(&self, offset: usize) -> Error {
        Error { offset, kind: ErrorKind::UnexpectedByte }
    }
}

/// How far the lexer has come, not what it holds: that may be secret.
impl fmt::Debug for Lexer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Lexer");
        out.field("offset", &self.offset).field("state", &self.state).field("failed", &self.failed);
        out.finish_non_exhaustive()
    }
}
