//! The lexer that also reads the JSON documents inside string values, one level deeper and no further.
//!
//! Tools hand their arguments on as a document in a string. A value whose text begins with `{` or `[` is read a second
//! time as a document while it arrives. Whether it is one is known only at its end, so its text is always told as the
//! plain text of the outer string too.

use super::{Ahead, Container, Error, Known, Lexer, Limits, Path, Place, Role, Visitor};

/// A node of the outer document (level 0) or of a document inside one of its strings (level 1).
#[derive(Clone, Copy, Debug)]
pub struct NodeAt<'a> {
    /// 0 for the outer document, 1 for a document inside a string.
    pub level: usize,
    /// The path in the outer document; at level 1 that of the string which holds the inner document.
    pub path: &'a Path,
    /// The path in the inner document, at level 1 only.
    pub inner: Option<&'a Path>,
    /// Where the node begins: at level 1 as a place inside the outer string.
    pub place: Place,
}

/// A string of the outer document (level 0) or of a document inside one of its strings (level 1).
#[derive(Clone, Copy, Debug)]
pub struct LeafAt<'a> {
    /// 0 for the outer document, 1 for a document inside a string.
    pub level: usize,
    /// The path in the outer document; at level 1 that of the string which holds the inner document.
    pub path: &'a Path,
    /// The path in the inner document, at level 1 only.
    pub inner: Option<&'a Path>,
    /// What the string is for at its own level.
    pub role: Role,
    /// Where its content begins, as `locate` and `decode` take it.
    pub place: Place,
}

/// What wants to know what a document and the documents in its strings hold.
///
/// The calls of level 1 come between those of level 0 for the string they stand in: first the outer `text`, then what
/// the inner document makes of it. After `inner_failed` the inner leaf and containers that are open stay open for good.
pub trait DeepVisitor {
    /// A container begins.
    fn enter(&mut self, node: NodeAt<'_>, container: Container) {
        let _ = (node, container);
    }

    /// A container ends; the place is that of its closing bracket.
    fn leave(&mut self, node: NodeAt<'_>, container: Container) {
        let _ = (node, container);
    }

    /// A string begins.
    fn string_start(&mut self, leaf: LeafAt<'_>) {
        let _ = leaf;
    }

    /// A string of level 0 before it is told, as [`Visitor::string_ahead`] shows it.
    fn string_ahead(&mut self, leaf: LeafAt<'_>, content: &[u8]) -> bool {
        let _ = (leaf, content);
        false
    }

    /// An object of level 0 before it is told, as [`Visitor::object_ahead`] shows it.
    fn object_ahead(&mut self, node: NodeAt<'_>, ahead: Ahead<'_>) -> Known {
        let _ = (node, ahead);
        Known::No
    }

    /// The next decoded piece of the string that is open at this level; never empty, always whole characters.
    fn text(&mut self, level: usize, decoded: &str) {
        let _ = (level, decoded);
    }

    /// The string that is open at this level ends; the place is still that of its beginning.
    fn string_end(&mut self, leaf: LeafAt<'_>) {
        let _ = leaf;
    }

    /// A number, `true`, `false` or `null`, whole.
    fn scalar(&mut self, node: NodeAt<'_>, raw: &[u8]) {
        let _ = (node, raw);
    }

    /// The outer string that is open is no document after all, or one beyond the limits. The offset counts its decoded
    /// bytes.
    fn inner_failed(&mut self, error: Error) {
        let _ = error;
    }

    /// The outer string that is about to end was one whole document.
    fn inner_done(&mut self) {}
}

/// Reads a document and the documents in its string values as the bytes arrive.
#[derive(Debug)]
pub struct Nested {
    outer: Lexer,
    inner: Inner,
}

#[derive(Debug)]
struct Inner {
    lexer: Lexer,
    state: State,
    /// Raw offset of the content of the outer string.
    start: usize,
    /// Where in the decoded outer string the content of the inner string begins that began last.
    leaf_start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No outer value is open, or it is no document.
    Off,
    /// Only white space was seen.
    Undecided,
    Reading,
}

impl Nested {
    /// A lexer at the start of a document; the limits hold for each level by itself.
    /// Inner documents are arguments of tools, which Python may have written.
    pub fn new(limits: Limits) -> Self {
        Nested { outer: Lexer::new(limits), ..Nested::of_python(limits) }
    }

    /// The same where the outer document is one that Python may have written.
    pub fn of_python(limits: Limits) -> Self {
        let inner = Inner { lexer: Lexer::of_python(limits), state: State::Off, start: 0, leaf_start: 0 };
        Nested { outer: Lexer::of_python(limits), inner }
    }

    /// How many raw bytes were pushed.
    pub fn offset(&self) -> usize {
        self.outer.offset()
    }

    /// Reads the next bytes of the outer document. An error is one of the outer document.
    pub fn push<V: DeepVisitor + ?Sized>(&mut self, raw: &[u8], visitor: &mut V) -> Result<(), Error> {
        self.outer.push(raw, &mut Outer { inner: &mut self.inner, visitor })
    }

    /// The same as [`Lexer::push_ahead`].
    pub fn push_ahead<V: DeepVisitor + ?Sized>(
        &mut self,
        raw: &[u8],
        is_last: bool,
        visitor: &mut V,
    ) -> Result<usize, Error> {
        self.outer.push_ahead(raw, is_last, &mut Outer { inner: &mut self.inner, visitor })
    }

    /// Says that no more bytes come.
    pub fn finish<V: DeepVisitor + ?Sized>(&mut self, visitor: &mut V) -> Result<(), Error> {
        self.outer.finish(&mut Outer { inner: &mut self.inner, visitor })
    }
}

impl Inner {
    fn start(&mut self, start: usize) {
        self.lexer.reset();
        self.state = State::Undecided;
        self.start = start;
    }

    fn text<V: DeepVisitor + ?Sized>(&mut self, path: &Path, decoded: &str, visitor: &mut V) {
        if self.state == State::Undecided {
            self.state = self.decide(decoded);
        }
        if self.state == State::Off {
            return;
        }
        let mut deeper = Deeper { path, start: self.start, leaf_start: &mut self.leaf_start, visitor: &mut *visitor };
        if let Err(error) = self.lexer.push(decoded.as_bytes(), &mut deeper) {
            self.state = State::Off;
            visitor.inner_failed(error);
        }
    }

    fn decide(&self, decoded: &str) -> State {
        let unmarked = if self.lexer.offset() == 0 { decoded.strip_prefix('\u{feff}') } else { None };
        let blank: &[char] = &[' ', '\t', '\n', '\r'];
        match unmarked.unwrap_or(decoded).trim_start_matches(blank).bytes().next() {
            None => State::Undecided,
            Some(b'{' | b'[') => State::Reading,
            Some(_) => State::Off,
        }
    }

    fn end<V: DeepVisitor + ?Sized>(&mut self, path: &Path, visitor: &mut V) {
        let state = std::mem::replace(&mut self.state, State::Off);
        if state != State::Reading {
            return;
        }
        let mut deeper = Deeper { path, start: self.start, leaf_start: &mut self.leaf_start, visitor: &mut *visitor };
        match self.lexer.finish(&mut deeper) {
            Ok(()) => visitor.inner_done(),
            Err(error) => visitor.inner_failed(error),
        }
    }
}

/// Sees the outer document.
struct Outer<'a, V: ?Sized> {
    inner: &'a mut Inner,
    visitor: &'a mut V,
}

fn outer_node(path: &Path, at: usize) -> NodeAt<'_> {
    NodeAt { level: 0, path, inner: None, place: Place::outer(at) }
}

fn outer_leaf(path: &Path, role: Role, start: usize) -> LeafAt<'_> {
    LeafAt { level: 0, path, inner: None, role, place: Place::outer(start) }
}

impl<V: DeepVisitor + ?Sized> Visitor for Outer<'_, V> {
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        self.visitor.enter(outer_node(path, at), container);
    }

    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        self.visitor.leave(outer_node(path, at), container);
    }

    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        self.visitor.string_start(outer_leaf(path, role, start));
        self.inner.start(start);
        if role == Role::Key {
            self.inner.state = State::Off;
        }
    }

    fn string_ahead(&mut self, path: &Path, role: Role, start: usize, content: &[u8]) -> bool {
        self.visitor.string_ahead(outer_leaf(path, role, start), content)
    }

    fn object_ahead(&mut self, path: &Path, at: usize, ahead: Ahead<'_>) -> Known {
        self.visitor.object_ahead(outer_node(path, at), ahead)
    }

    fn text_at(&mut self, path: &Path, _role: Role, decoded: &str) {
        self.visitor.text(0, decoded);
        self.inner.text(path, decoded, self.visitor);
    }

    fn string_end(&mut self, path: &Path, role: Role, _end: usize) {
        self.inner.end(path, self.visitor);
        self.visitor.string_end(outer_leaf(path, role, self.inner.start));
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        self.visitor.scalar(outer_node(path, at), raw);
    }
}

/// Sees the document inside an outer string.
struct Deeper<'a, V: ?Sized> {
    path: &'a Path,
    start: usize,
    leaf_start: &'a mut usize,
    visitor: &'a mut V,
}

impl<'a, V: ?Sized> Deeper<'a, V> {
    fn node<'b>(&self, inner: &'b Path, at: usize) -> NodeAt<'b>
    where
        'a: 'b,
    {
        NodeAt { level: 1, path: self.path, inner: Some(inner), place: self.place(at) }
    }

    fn place(&self, at: usize) -> Place {
        Place { start: self.start, inner: Some(at) }
    }
}

impl<V: DeepVisitor + ?Sized> Visitor for Deeper<'_, V> {
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        self.visitor.enter(self.node(path, at), container);
    }

    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        self.visitor.leave(self.node(path, at), container);
    }

    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        *self.leaf_start = start;
        let leaf = LeafAt { level: 1, path: self.path, inner: Some(path), role, place: self.place(start) };
        self.visitor.string_start(leaf);
    }

    fn text(&mut self, decoded: &str) {
        self.visitor.text(1, decoded);
    }

    fn string_end(&mut self, path: &Path, role: Role, _end: usize) {
        let place = self.place(*self.leaf_start);
        self.visitor.string_end(LeafAt { level: 1, path: self.path, inner: Some(path), role, place });
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        self.visitor.scalar(self.node(path, at), raw);
    }
}
