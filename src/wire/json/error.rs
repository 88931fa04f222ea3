//! What can be wrong with a JSON text, and where.

use std::fmt;

/// A JSON text that could not be read, with the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Raw offset in bytes of the first byte that is wrong, counted from the start of the text.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A byte that cannot stand there by the grammar.
    UnexpectedByte,
    /// The text ends in the middle of a value, or holds none.
    UnexpectedEnd,
    /// More containers are open than the limit allows.
    Depth,
    /// A backslash is followed by something that is not an escape.
    InvalidEscape,
    /// A string holds bytes that are not UTF-8.
    InvalidUtf8,
    /// A string holds a control character that is not escaped.
    ControlCharacter,
    /// Something follows the end of the document.
    TrailingData,
    /// A number has more bytes than the limit allows.
    NumberTooLong,
    /// A span was asked for that does not lie inside the string.
    SpanOutside,
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::UnexpectedByte => "this byte cannot stand here",
            ErrorKind::UnexpectedEnd => "the text ends before the document does",
            ErrorKind::Depth => "too many arrays and objects are nested",
            ErrorKind::InvalidEscape => "this is not an escape",
            ErrorKind::InvalidUtf8 => "a string is not UTF-8",
            ErrorKind::ControlCharacter => "a string holds a control character that is not escaped",
            ErrorKind::TrailingData => "something follows the end of the document",
            ErrorKind::NumberTooLong => "a number has too many digits",
            ErrorKind::SpanOutside => "the span does not lie inside the string",
        };
        write!(out, "invalid JSON at byte {}: {what}", self.offset)
    }
}

impl std::error::Error for Error {}
