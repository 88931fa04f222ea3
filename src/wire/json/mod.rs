//! JSON as it arrives: a strict push lexer over bytes, documents inside strings, and the way back from text to bytes.
//!
//! The lexer follows RFC 8259 and differs from other parsers only where that leaves room: a byte order mark is skipped,
//! half a surrogate pair reads as U+FFFD, duplicate keys are all visited, numbers are not interpreted. Arguments of tools
//! may hold `NaN` and the infinities, which Python writes and reads as numbers.

mod error;
mod escape;
mod lexer;
mod locate;
mod nested;
mod number;
mod path;
mod search;
mod text;
mod unescape;

pub use error::{Error, ErrorKind};
pub use escape::escape;
pub use lexer::Lexer;
pub use locate::{Place, decode, locate};
pub use nested::{DeepVisitor, LeafAt, Nested, NodeAt};
pub use path::{Path, Step};
pub use search::ObjectEnd;

#[cfg(test)]
mod tests;

/// What a lexer refuses for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many containers may be open at once.
    pub depth_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { depth_max: 128 }
    }
}

/// An object or an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
}

/// What a string is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The name of an object's member.
    Key,
    /// A value: the root, an element, or a member's value.
    Value,
}

/// What lies ahead of a lexer.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// The bytes of the document that are there, from the next one on.
    pub bytes: &'a [u8],
    /// Whether more may be waited for.
    pub may_wait: bool,
}

/// Whether an object is known before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It is told like any other.
    No,
    /// It need not be read, so that nothing is told of it, nor of elements of the array that follow: this many `bytes`
    /// hold so many `elements`, what stands between them included.
    Yes {
        /// From the bracket of the first element to behind that of the last.
        bytes: usize,
        /// At least one.
        elements: u32,
    },
    /// More bytes are needed to say; said only where they may be waited for.
    NotYet,
}

/// What wants to know what a document holds. Every method does nothing unless it is given.
///
/// A value's path ends with its own step; a key's path is that of the object it stands in. All offsets are raw bytes
/// from the start of the document. However the input is cut, the same calls come in the same order; only the pieces of
/// one string's text may be cut differently.
pub trait Visitor {
    /// A container begins with the bracket at `at`.
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        let _ = (path, container, at);
    }

    /// A container ends with the bracket at `at`.
    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        let _ = (path, container, at);
    }

    /// A string begins; its content starts at `start`, behind the opening quote.
    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        let _ = (path, role, start);
    }

    /// The same string before it is told, with its whole raw content, where that lies in one piece and a lexer was asked
    /// to wait for it. `true`: it is known and need not be read, so that nothing more is told of it. Only a content that
    /// was told to its end before may be known, for it is not checked again.
    fn string_ahead(&mut self, path: &Path, role: Role, start: usize, content: &[u8]) -> bool {
        let _ = (path, role, start, content);
        false
    }

    /// An object that is about to begin as an element of an array, where a lexer was asked to wait for what may be known,
    /// with all bytes of the document that are there from its bracket on. Only an object that was told to its end before
    /// may be known.
    fn object_ahead(&mut self, path: &Path, at: usize, ahead: Ahead<'_>) -> Known {
        let _ = (path, at, ahead);
        Known::No
    }

    /// The next decoded piece of the string that began last; never empty, always whole characters.
    fn text(&mut self, decoded: &str) {
        let _ = decoded;
    }

    /// The same as `text` for those who need to know where they are; give one of the two.
    fn text_at(&mut self, path: &Path, role: Role, decoded: &str) {
        let _ = (path, role);
        self.text(decoded);
    }

    /// The string that began last ends with the quote at `end`.
    fn string_end(&mut self, path: &Path, role: Role, end: usize) {
        let _ = (path, role, end);
    }

    /// A number, `true`, `false` or `null`, whole, as it is written at `at`.
    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        let _ = (path, raw, at);
    }
}

/// Sees nothing: for a document that only has to be checked.
impl Visitor for () {}
