//! Reads a JSON document as it arrives: every string leaf goes through the engine under the rules of its source.
//!
//! No map from decoded to raw offsets is kept: where a rule hits, `locate.rs` decodes that one leaf again from the
//! held bytes. Clean text, nearly all of it, costs nothing for the possibility of an edit.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use super::opaque::OpaqueCheck;
use super::snapshot::DirectionRules;
use super::written::Written;
use crate::domain::{Coverage, Source};
use crate::providers::{Endpoint, Leaf, Provider, Role as Author, Scope};
use crate::scan::{self, Engine, Hit, Scanner, Seam};
use crate::wire::json::{Container, DeepVisitor, Error, ErrorKind, LeafAt, NodeAt, Path, Place, Role, Step};

/// Longest value that is kept to be understood: roles, types, models, session ids.
const CAPTURE_BYTES_MAX: usize = 1024;
/// Longest key that is shown to the engine as context of its value.
const CONTEXT_KEY_BYTES_MAX: usize = 64;
/// Bytes on both sides of a border between text blocks that are searched for a match across it.
const SEAM_BYTES: usize = 512;
/// Hits over borders among which one that was told twice is recognised.
const SEAM_HITS_RECENT: usize = 64;
/// Keys that say nothing about their value.
const PLAIN_KEYS: [&str; 8] = ["text", "content", "type", "role", "description", "thinking", "input_text", "name"];

/// Keys of a tool's input under which stands what will be run.
const COMMAND_KEYS: [&str; 9] =
    ["command", "commands", "cmd", "script", "code", "args", "argv", "arguments", "shell_command"];

/// What a document is read with.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) engine: Arc<Engine>,
    pub(super) rules: Arc<DirectionRules>,
    pub(super) sources: Sources,
    /// Whether decoded views are looked at, too: prompts yes, completions no.
    pub(super) views: bool,
    pub(super) hits_max: usize,
}

/// Who says what a leaf is.
#[derive(Clone, Copy)]
pub(super) enum Sources {
    /// The provider, by the leaf's path.
    Of(&'static dyn Provider, Endpoint),
    /// It is known: arguments of a tool call.
    Only(Source),
}

/// A hit with all that is needed to find it again in the raw bytes.
#[derive(Clone, Debug)]
pub(super) struct LeafHit {
    pub(super) rule: usize,
    pub(super) secret: Range<usize>,
    pub(super) place: Place,
    pub(super) source: Source,
    /// In signed text.
    pub(super) sealed: bool,
    /// In the text of a string that is itself valid JSON, whose inner strings were scanned, too.
    pub(super) shadowed: bool,
    pub(super) path: String,
    pub(super) message: Option<u32>,
}

/// A hit over the border of adjacent text blocks.
#[derive(Clone, Debug)]
pub(super) struct SeamHit {
    pub(super) rule: usize,
    pub(super) pieces: Vec<(Place, Range<usize>)>,
    pub(super) source: Source,
    pub(super) message: Option<u32>,
}

/// A leaf that turned out not to be opaque, or that may hold a placeholder: to be read again from the raw bytes.
#[derive(Clone, Debug)]
pub(super) struct LeafRef {
    pub(super) place: Place,
    pub(super) source: Source,
    pub(super) path: String,
    pub(super) message: Option<u32>,
    /// Under a key that names a command.
    pub(super) is_command: bool,
    /// Whether inner strings of it stand in the list on their own.
    pub(super) has_inner: bool,
}

/// Everything one pass over the document found out.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) hits: Vec<LeafHit>,
    pub(super) seam_hits: Vec<SeamHit>,
    pub(super) rescans: Vec<LeafRef>,
    /// All text leaves, when asked for.
    pub(super) leaves: Option<Vec<LeafRef>>,
    pub(super) models: Vec<String>,
    pub(super) session: Option<String>,
    pub(super) streamed: bool,
    pub(super) coverage: Coverage,
    /// More hits than the limit.
    pub(super) overflow: bool,
    /// JSON inside a string goes deeper than the limit, so that escapes in it were not undone.
    pub(super) too_deep: bool,
    /// Keyed hash of the last message's text.
    pub(super) last_message: u64,
}

/// The visitor. One per document.
pub(super) struct BodyScan {
    reading: Reading,
    scopes: Vec<Scope>,
    levels: [LeafScan; 2],
    /// All blocks of a run as one text.
    seam: Seam,
    /// By number of segment: where the block stands and in which message.
    seam_places: Vec<(Place, Option<u32>)>,
    seam_source: Source,
    seam_hits: Vec<scan::SeamHit>,
    inner_valid: bool,
    conversation: Conversation,
    written: Written,
    pub(super) gathered: Gathered,
}

/// The leaf that is open at one level.
struct LeafScan {
    scanner: Scanner,
    hits: Vec<Hit>,
    leaf: Leaf,
    opaque: Option<OpaqueCheck>,
    capture: Option<String>,
    in_seam: bool,
    open: bool,
    leaves_before: usize,
}

impl BodyScan {
    /// A scan by these rules. `hasher` keys the hash of the last message; `leaves` asks for the list of all text leaves.
    pub(super) fn new(reading: Reading, hasher: &RandomState, leaves: bool) -> Self {
        let rules = reading.rules.of(Source::User).clone();
        let level = |views| LeafScan {
            scanner: Scanner::new(rules.clone(), views),
            hits: Vec::new(),
            leaf: Leaf::Text(Source::Metadata),
            opaque: None,
            capture: None,
            in_seam: false,
            open: false,
            leaves_before: 0,
        };
        BodyScan {
            levels: [level(reading.views), level(reading.views)],
            seam: Seam::new(reading.rules.seam.clone(), SEAM_BYTES),
            seam_places: Vec::new(),
            seam_source: Source::Metadata,
            seam_hits: Vec::new(),
            scopes: Vec::new(),
            inner_valid: false,
            conversation: Conversation::new(hasher),
            written: Written::default(),
            gathered: Gathered { leaves: leaves.then(Vec::new), ..Gathered::default() },
            reading,
        }
    }

    /// What was found, once the document is complete.
    pub(super) fn finish(mut self) -> Gathered {
        self.end_seam_run();
        self.gathered.last_message = self.conversation.hash();
        self.gathered
    }

    fn classify(&self, leaf: &LeafAt<'_>) -> Leaf {
        if leaf.level == 1 {
            return match self.levels[0].leaf {
                Leaf::Text(source) => Leaf::Text(source),
                Leaf::Sealed(source) => Leaf::Sealed(source),
                Leaf::Opaque(_) | Leaf::Model | Leaf::Session => Leaf::Text(Source::Metadata),
            };
        }
        let found = match self.reading.sources {
            Sources::Only(source) => Leaf::Text(source),
            Sources::Of(provider, endpoint) => provider.leaf(endpoint, leaf.path, &self.scopes),
        };
        match (leaf.role, found) {
            (Role::Value, found) => found,
            (Role::Key, Leaf::Text(source) | Leaf::Sealed(source)) => Leaf::Text(source),
            (Role::Key, _) => Leaf::Text(Source::Metadata),
        }
    }

    /// Whether the leaf's text continues that of the block before it.
    fn continues(&self, leaf: &LeafAt<'_>, kind: Leaf) -> bool {
        let in_block = leaf.path.last_key().is_none_or(|key| matches!(key, "text" | "content" | "output"));
        let is_prose = matches!(kind, Leaf::Text(Source::User | Source::System | Source::Assistant))
            || matches!(kind, Leaf::Text(Source::ToolResult | Source::Document));
        leaf.level == 0 && leaf.role == Role::Value && in_block && is_prose
    }

    fn begin_seam(&mut self, leaf: &LeafAt<'_>, source: Source) {
        if source != self.seam_source {
            self.end_seam_run();
            self.seam_source = source;
        }
        self.seam.begin_segment(self.seam_places.len());
        self.seam_places.push((leaf.place, message_index(leaf.path)));
    }

    /// What follows is written by somebody else: no secret continues there.
    fn end_seam_run(&mut self) {
        self.seam.finish(&self.reading.engine, &mut self.seam_hits);
        self.take_seam_hits();
        self.seam.reset(self.reading.rules.seam.clone());
    }

    fn take_seam_hits(&mut self) {
        for hit in self.seam_hits.drain(..) {
            let message = hit.pieces.first().and_then(|piece| self.seam_places[piece.segment].1);
            let pieces = hit.pieces.into_iter().map(|it| (self.seam_places[it.segment].0, it.range)).collect();
            let found = SeamHit { rule: hit.rule, pieces, source: self.seam_source, message };
            let recent = self.gathered.seam_hits.iter().rev().take(SEAM_HITS_RECENT);
            if !recent.into_iter().any(|it| it.rule == found.rule && it.pieces == found.pieces) {
                self.gathered.seam_hits.push(found);
            }
        }
    }

    fn take_hits(&mut self, leaf: &LeafAt<'_>) {
        let level = &mut self.levels[leaf.level];
        let (source, sealed) = match level.leaf {
            Leaf::Text(source) => (source, false),
            Leaf::Sealed(source) => (source, true),
            Leaf::Opaque(_) | Leaf::Model | Leaf::Session => (Source::Metadata, false),
        };
        let room = self.reading.hits_max.saturating_sub(self.gathered.hits.len());
        self.gathered.overflow |= level.hits.len() > room;
        let shadowed = leaf.level == 0 && self.inner_valid;
        for hit in level.hits.drain(..).take(room) {
            // Code stands in the inner strings, which were read by themselves; with its escapes it is no code.
            if shadowed && self.reading.engine.rules()[hit.rule].checker.name() == "vuln" {
                continue;
            }
            self.gathered.hits.push(LeafHit {
                rule: hit.rule,
                secret: hit.secret,
                place: leaf.place,
                source,
                sealed,
                shadowed,
                path: path_text(leaf),
                message: message_index(leaf.path),
            });
        }
        level.hits.clear();
    }

    fn understand(&mut self, leaf: &LeafAt<'_>, text: String) {
        match self.levels[0].leaf {
            Leaf::Model => self.gathered.models.push(text.clone()),
            Leaf::Session => {
                self.gathered.session = crate::providers::session_in_user_id(&text).or(self.gathered.session.take())
            }
            _ => {}
        }
        if let Some(scope) = self.scopes.last_mut() {
            match leaf.path.last_key() {
                Some("role") => scope.role = Some(Author::parse(&text)),
                Some("type") => scope.kind = Some(text),
                _ => {}
            }
        }
    }

    fn end_opaque(&mut self, leaf: &LeafAt<'_>, check: &OpaqueCheck) {
        match check.proven() {
            Some((reason, bytes)) => self.gathered.coverage.skip(reason, bytes),
            None => self.gathered.rescans.push(leaf_ref(leaf, Source::Document, false)),
        }
    }

    fn list_leaf(&mut self, leaf: &LeafAt<'_>) {
        let Leaf::Text(source) = self.levels[leaf.level].leaf else { return };
        let has_inner = leaf.level == 0 && self.inner_valid;
        if let Some(leaves) = &mut self.gathered.leaves {
            leaves.push(leaf_ref(leaf, source, has_inner));
        }
    }
}

impl DeepVisitor for BodyScan {
    fn enter(&mut self, node: NodeAt<'_>, _container: Container) {
        if node.level == 0 {
            self.scopes.push(Scope::default());
        }
    }

    fn leave(&mut self, node: NodeAt<'_>, _container: Container) {
        if node.level == 0 {
            self.scopes.pop();
        }
        self.written.leave(&node);
    }

    fn string_start(&mut self, leaf: LeafAt<'_>) {
        let kind = self.classify(&leaf);
        let continues = self.continues(&leaf, kind);
        if let (true, Leaf::Text(source)) = (continues, kind) {
            self.begin_seam(&leaf, source);
        }
        if leaf.level == 0 {
            self.inner_valid = false;
            self.conversation.at(leaf.path);
        }
        let last_key = leaf.inner.unwrap_or(leaf.path).last_key();
        let is_value = leaf.role == Role::Value;
        let captured = is_value
            && leaf.level == 0
            && (matches!(kind, Leaf::Model | Leaf::Session) || matches!(last_key, Some("role" | "type")));
        let source = match kind {
            Leaf::Text(source) | Leaf::Sealed(source) => source,
            Leaf::Opaque(_) | Leaf::Model | Leaf::Session => Source::Metadata,
        };
        let in_tool = is_value && source == Source::ToolInput;
        let captured = captured || (in_tool && Written::is_name(&leaf));
        let level = &mut self.levels[leaf.level];
        level.leaf = kind;
        level.open = true;
        level.in_seam = continues;
        level.capture = captured.then(String::new);
        level.opaque = match kind {
            Leaf::Opaque(reason) => Some(OpaqueCheck::new(reason)),
            _ => None,
        };
        level.leaves_before = self.gathered.leaves.as_ref().map_or(0, Vec::len);
        level.scanner.reset(self.reading.rules.of(source).clone());
        if let (true, Some(key)) = (is_value, last_key.filter(|key| gives_context(key))) {
            level.scanner.context(&self.reading.engine, key.as_bytes());
            level.scanner.context(&self.reading.engine, b"\": \"");
        }
        if let Some(block) = in_tool.then(|| self.written.block(&leaf)).flatten() {
            level.scanner.block(block);
        }
    }

    fn text(&mut self, level: usize, decoded: &str) {
        let leaf = &mut self.levels[level];
        if let Some(capture) = &mut leaf.capture {
            extend(capture, decoded);
        }
        match &mut leaf.opaque {
            Some(check) => check.push(decoded.as_bytes()),
            None => {
                leaf.scanner.push(&self.reading.engine, decoded.as_bytes(), &mut leaf.hits);
                if level == 0 {
                    self.gathered.coverage.scanned_bytes += decoded.len() as u64;
                }
            }
        }
        if level == 0 {
            if leaf.in_seam {
                self.seam.push(&self.reading.engine, decoded.as_bytes(), &mut self.seam_hits);
            }
            self.conversation.push(decoded.as_bytes());
        }
    }

    fn string_end(&mut self, leaf: LeafAt<'_>) {
        let level = leaf.level;
        let open = &mut self.levels[level];
        open.open = false;
        if let Some(check) = open.opaque.take() {
            self.end_opaque(&leaf, &check);
            return;
        }
        open.scanner.finish(&self.reading.engine, &mut open.hits);
        let capture = open.capture.take();
        if self.levels[level].in_seam {
            self.seam.end_segment(&self.reading.engine, &mut self.seam_hits);
            self.take_seam_hits();
        }
        if !self.levels[level].hits.is_empty() {
            self.take_hits(&leaf);
        }
        if leaf.role == Role::Value {
            self.list_leaf(&leaf);
        }
        if let Some(text) = capture {
            if Written::is_name(&leaf) {
                self.written.name(&leaf, &text);
            }
            self.understand(&leaf, text);
        }
    }

    fn inner_failed(&mut self, error: Error) {
        self.gathered.too_deep |= matches!(error.kind, ErrorKind::Depth | ErrorKind::NumberTooLong);
        self.inner_valid = false;
        self.levels[1].open = false;
        self.levels[1].hits.clear();
        let before = self.levels[0].leaves_before;
        if let Some(leaves) = &mut self.gathered.leaves {
            leaves.truncate(before);
        }
    }

    fn inner_done(&mut self) {
        self.inner_valid = true;
    }

    fn scalar(&mut self, node: NodeAt<'_>, raw: &[u8]) {
        if node.level == 0 && node.path.steps().len() == 1 && node.path.last_key() == Some("stream") {
            self.gathered.streamed = raw == b"true";
        }
    }
}

/// Keeps what fits, whatever the cutting; a value that was cut ends in an ellipsis, so that it is taken for no other.
fn extend(capture: &mut String, text: &str) {
    for character in text.chars() {
        match capture.len() {
            0..CAPTURE_BYTES_MAX => capture.push(character),
            _ if capture.ends_with('…') => return,
            _ => return capture.push('…'),
        }
    }
}

fn gives_context(key: &str) -> bool {
    key.len() <= CONTEXT_KEY_BYTES_MAX && !PLAIN_KEYS.contains(&key)
}

fn leaf_ref(leaf: &LeafAt<'_>, source: Source, has_inner: bool) -> LeafRef {
    let path = leaf.inner.unwrap_or(leaf.path);
    let nearest = (0..path.steps().len()).rev().find_map(|depth| path.key(depth));
    LeafRef {
        place: leaf.place,
        source,
        path: path_text(leaf),
        message: message_index(leaf.path),
        is_command: nearest.is_some_and(|key| COMMAND_KEYS.contains(&key)),
        has_inner,
    }
}

/// The path as people write it: `messages[3].content[0].text`, and `→` into JSON inside a string.
fn path_text(leaf: &LeafAt<'_>) -> String {
    let mut text = String::new();
    write_path(leaf.path, &mut text);
    if let Some(inner) = leaf.inner {
        text.push('→');
        write_path(inner, &mut text);
    }
    text
}

fn write_path(path: &Path, text: &mut String) {
    for (depth, step) in path.steps().iter().enumerate() {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            // A key may be hostile or itself a secret: only plain names are shown.
            Step::Key(key) if key.len() <= 32 && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') => {
                if depth > 0 && !text.ends_with('→') {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Key(_) => text.push_str(".…"),
        }
    }
}

/// The index in the conversation: `messages[i]` or `input[i]`, also inside a batch.
fn message_index(path: &Path) -> Option<u32> {
    let list =
        path.steps().iter().position(|it| matches!(it, Step::Key(key) if key == "messages" || key == "input"))?;
    match path.steps().get(list + 1) {
        Some(Step::Index(index)) => Some(*index),
        _ => None,
    }
}

/// Keyed hash of the text of the last message that was read.
struct Conversation {
    fresh: std::hash::DefaultHasher,
    hasher: std::hash::DefaultHasher,
    message: Option<u32>,
    counts: bool,
}

impl Conversation {
    fn new(keyed: &RandomState) -> Self {
        Conversation { fresh: keyed.build_hasher(), hasher: keyed.build_hasher(), message: None, counts: false }
    }

    fn at(&mut self, path: &Path) {
        let message = message_index(path);
        self.counts = path.key(0).is_some_and(|key| matches!(key, "messages" | "input" | "prompt"));
        if self.counts && message != self.message {
            self.message = message;
            self.hasher = self.fresh.clone();
        }
    }

    fn push(&mut self, text: &[u8]) {
        if self.counts {
            self.hasher.write(text);
        }
    }

    fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
