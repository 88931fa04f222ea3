//! Everything the JSON lexers tell of a document, in a form that does not depend on how the input was cut.

use airiskguard_gateway::wire::json::{
    Container, DeepVisitor, Error, LeafAt, Lexer, Limits, Nested, NodeAt, Path, Place, Role, Step, Visitor,
};

/// One thing that was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Enter(Vec<Step>, Container, usize),
    Leave(Vec<Step>, Container, usize),
    Text { path: Vec<Step>, role: Role, start: usize, text: String, end: Option<usize> },
    Scalar(Vec<Step>, Vec<u8>, usize),
}

/// What the plain lexer told, and how it ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Flat {
    pub(crate) told: Vec<Told>,
    pub(crate) error: Option<Error>,
}

pub(crate) fn flat(pieces: &[&[u8]]) -> Flat {
    let mut lexer = Lexer::new(Limits::default());
    let mut flat = Flat::default();
    let read = pieces.iter().try_for_each(|piece| lexer.push(piece, &mut flat));
    flat.error = read.and_then(|()| lexer.finish(&mut flat)).err();
    flat
}

impl Visitor for Flat {
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        self.told.push(Told::Enter(path.steps().to_vec(), container, at));
    }

    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        self.told.push(Told::Leave(path.steps().to_vec(), container, at));
    }

    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        let (path, text) = (path.steps().to_vec(), String::new());
        self.told.push(Told::Text { path, role, start, text, end: None });
    }

    fn text(&mut self, decoded: &str) {
        assert!(!decoded.is_empty(), "an empty piece of text");
        match self.told.last_mut() {
            Some(Told::Text { text, end: None, .. }) => text.push_str(decoded),
            other => panic!("text outside of a string: {other:?}"),
        }
    }

    fn string_end(&mut self, _path: &Path, _role: Role, at: usize) {
        match self.told.last_mut() {
            Some(Told::Text { end: end @ None, .. }) => *end = Some(at),
            other => panic!("the end of no string: {other:?}"),
        }
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        self.told.push(Told::Scalar(path.steps().to_vec(), raw.to_vec(), at));
    }
}

/// A string of the outer document or of a document in one of its strings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) role: Role,
    pub(crate) place: Place,
    pub(crate) text: String,
    pub(crate) is_whole: bool,
}

/// An outer string with what stands in it as a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outer {
    pub(crate) leaf: Leaf,
    pub(crate) inner: Vec<Leaf>,
    /// Offset in the decoded text, where it began as a document and was none.
    pub(crate) failed: Option<Error>,
    pub(crate) is_document: bool,
}

/// What the nested lexer told, and how it ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Deep {
    pub(crate) outers: Vec<Outer>,
    pub(crate) nodes: Vec<(usize, Option<Container>, Place)>,
    pub(crate) inner_nodes: Vec<(usize, Option<Container>, Place)>,
    pub(crate) error: Option<Error>,
}

pub(crate) fn deep(pieces: &[&[u8]]) -> Deep {
    let mut lexer = Nested::new(Limits::default());
    let mut deep = Deep::default();
    let read = pieces.iter().try_for_each(|piece| lexer.push(piece, &mut deep));
    deep.error = read.and_then(|()| lexer.finish(&mut deep)).err();
    deep
}

impl Deep {
    fn outer(&mut self) -> &mut Outer {
        self.outers.last_mut().expect("an outer string is open")
    }

    fn node(&mut self, node: NodeAt<'_>, container: Option<Container>) {
        match node.level {
            0 => self.nodes.push((0, container, node.place)),
            _ => self.inner_nodes.push((1, container, node.place)),
        }
    }
}

impl DeepVisitor for Deep {
    fn enter(&mut self, node: NodeAt<'_>, container: Container) {
        self.node(node, Some(container));
    }

    fn leave(&mut self, node: NodeAt<'_>, container: Container) {
        self.node(node, Some(container));
    }

    fn string_start(&mut self, leaf: LeafAt<'_>) {
        let new = Leaf { role: leaf.role, place: leaf.place, text: String::new(), is_whole: false };
        match leaf.level {
            0 => self.outers.push(Outer { leaf: new, inner: Vec::new(), failed: None, is_document: false }),
            _ => self.outer().inner.push(new),
        }
    }

    fn text(&mut self, level: usize, decoded: &str) {
        match level {
            0 => self.outer().leaf.text.push_str(decoded),
            _ => self.outer().inner.last_mut().expect("an inner string is open").text.push_str(decoded),
        }
    }

    fn string_end(&mut self, leaf: LeafAt<'_>) {
        let ended = match leaf.level {
            0 => &mut self.outer().leaf,
            _ => self.outer().inner.last_mut().expect("an inner string is open"),
        };
        assert_eq!((ended.place, ended.role), (leaf.place, leaf.role), "a string ends elsewhere than it began");
        ended.is_whole = true;
    }

    fn scalar(&mut self, node: NodeAt<'_>, _raw: &[u8]) {
        self.node(node, None);
    }

    fn inner_failed(&mut self, error: Error) {
        self.outer().failed = Some(error);
    }

    fn inner_done(&mut self) {
        self.outer().is_document = true;
    }
}
