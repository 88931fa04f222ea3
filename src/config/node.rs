//! YAML text as a small tree in which every node knows where it stands. Sizes, depth and aliases are bounded.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Range};

/// Longest configuration text, bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of lists and mappings.
const DEPTH_MAX: usize = 16;
/// Most nodes once every alias is expanded.
const NODES_MAX: usize = 50_000;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// From 1.
    pub(super) line: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
}

/// From the first character to the one after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Mark,
    pub(super) end: Mark,
}

impl From<Range> for Span {
    fn from(range: Range) -> Self {
        let mark = |it: saphyr_parser::Marker| Mark { line: it.line().max(1), column: it.col() };
        Span { start: mark(range.start), end: mark(range.end) }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A plain `null`, `~` or nothing at all.
    Null,
    /// Text as the writer typed it, quotes and escapes resolved.
    Scalar(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, in order; each key once.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Span,
}

/// A flaw of the YAML itself.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    pub(super) span: Option<Span>,
    pub(super) what: String,
    pub(super) expected: Option<String>,
    /// A value that is not in the tree, and must not be shown.
    pub(super) dropped: Option<Box<Node>>,
}

/// The tree of `text`, and flaws that still leave a tree (duplicate keys). `Err` when there is none.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Flaw>), Flaw> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(flaw(None, &format!("the file has {} bytes", text.len()), "at most 1 MiB"));
    }
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, range) = event.map_err(|error| {
            let start = Mark { line: error.marker().line().max(1), column: error.marker().col() };
            let what = format!("this is not valid YAML: {}", error.info());
            Flaw { span: Some(Span { start, end: start }), what, expected: None, dropped: None }
        })?;
        builder.take(event, range.into())?;
    }
    let root = builder.root.unwrap_or(Node { span: Span::default(), value: Value::Mapping(Vec::new()) });
    Ok((root, builder.flaws))
}

fn flaw(span: Option<Span>, what: &str, expected: &str) -> Flaw {
    Flaw { span, what: what.to_owned(), expected: Some(expected.to_owned()), dropped: None }
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    start: Mark,
    value: Value,
    /// The key that waits for its value.
    key: Option<Key>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// Complete nodes by anchor, with their number of nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    flaws: Vec<Flaw>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(flaw(Some(span), "a second YAML document starts here", "one document in the file"));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(tag.is_some(), span)?;
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned()) };
                self.count(1, span)?;
                self.complete(Node { span, value }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.untagged(tag.is_some(), span)?;
                self.enter(Value::Sequence(Vec::new()), anchor, span)
            }
            Event::MappingStart(anchor, tag) => {
                self.untagged(tag.is_some(), span)?;
                self.enter(Value::Mapping(Vec::new()), anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(span),
            Event::Alias(anchor) => {
                let Some((node, nodes)) = self.anchors.get(&anchor).cloned() else {
                    return Err(flaw(Some(span), "this alias stands inside of what it names", "a complete value"));
                };
                self.count(nodes, span)?;
                self.complete(node, 0, nodes)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn untagged(&self, tagged: bool, span: Span) -> Result<(), Flaw> {
        match tagged {
            true => Err(flaw(Some(span), "YAML tags (`!…`) have no meaning here", "a plain value")),
            false => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Flaw> {
        self.nodes = self.nodes.saturating_add(nodes);
        match self.nodes > NODES_MAX {
            true => Err(flaw(Some(span), "the file has too many values", "at most 50,000, aliases expanded")),
            false => Ok(()),
        }
    }

    fn enter(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Flaw> {
        self.count(1, span)?;
        if self.open.len() == DEPTH_MAX {
            return Err(flaw(Some(span), "this is nested too deeply", "at most 16 levels"));
        }
        self.open.push(Open { anchor, start: span.start, value, key: None });
        Ok(())
    }

    fn leave(&mut self, span: Span) -> Result<(), Flaw> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let node = Node { span: Span { start: open.start, end: span.end }, value: open.value };
        let nodes = if open.anchor == 0 { 1 } else { size(&node) };
        self.complete(node, open.anchor, nodes)
    }

    /// Puts a complete node where it belongs: into the list or mapping that is open, or at the root.
    fn complete(&mut self, node: Node, anchor: usize, nodes: usize) -> Result<(), Flaw> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let entries = match &mut open.value {
            Value::Sequence(items) => {
                items.push(node);
                return Ok(());
            }
            Value::Mapping(entries) => entries,
            Value::Null | Value::Scalar(_) => return Ok(()),
        };
        match open.key.take() {
            Some(key) => match entries.iter().find(|(it, _)| it.name == key.name) {
                Some((first, _)) => {
                    let expected = format!("each key once; the first is on line {}", first.span.start.line);
                    let flaw = flaw(Some(key.span), "this key stands here a second time", &expected);
                    self.flaws.push(Flaw { dropped: Some(Box::new(node)), ..flaw });
                }
                None => entries.push((key, node)),
            },
            None => match node.value {
                Value::Scalar(name) => open.key = Some(Key { name, span: node.span }),
                _ => return Err(flaw(Some(node.span), "this cannot be a key", "a plain name")),
            },
        }
        Ok(())
    }
}

/// How many nodes a tree has.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::Sequence(items) => items.iter().map(size).sum(),
        Value::Mapping(entries) => entries.iter().map(|(_, it)| 1 + size(it)).sum(),
    }
}
