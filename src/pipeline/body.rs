//! Reads a JSON document as it arrives: every string leaf goes through the engine under the rules of its source.
//!
//! No map from decoded to raw offsets is kept: where a rule hits, `locate.rs` decodes that one leaf again from the
//! held bytes. Clean text, nearly all of it, costs nothing for the possibility of an edit.

use std::hash::RandomState;
use std::sync::Arc;

use super::conversation::{Conversation, message_index};
use super::gathered::{Gathered, LeafHit, LeafRef};
use super::opaque::{OpaqueCheck, is_token};
use super::past::Past;
use super::path_text::{node_text, path_text};
use super::seams::{Judging, Seams};
use super::seen::{Clean, Digest, Seen};
use super::slices::Slices;
use super::snapshot::DirectionRules;
use super::tools::Tools;
use super::whole::Recalled;
use super::written::Written;
use crate::domain::{Skipped, Source};
use crate::providers::{Leaf, Provider, Role as Author, Scope};
use crate::scan::{Block, Engine, Hit, Scanner};
use crate::wire::json::{Ahead, Container, DeepVisitor, Error, ErrorKind, Known, LeafAt, NodeAt, Role};

/// Longest value that is kept to be understood: roles, types, models, session ids.
const CAPTURE_BYTES_MAX: usize = 1024;
/// Longest key that is shown to the engine as context of its value.
const CONTEXT_KEY_BYTES_MAX: usize = 64;
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
    /// Whether a prompt may be given as the numbers of its tokens.
    pub(super) takes_tokens: bool,
    /// Whether decoded views are looked at, too: prompts yes, completions no.
    pub(super) views: bool,
    pub(super) hits_max: usize,
    /// Texts that need not be read again; `None` where texts do not come twice.
    pub(super) seen: Option<Arc<Seen>>,
}

/// Who says what a leaf is.
#[derive(Clone, Copy)]
pub(super) enum Sources {
    /// The provider, by the leaf's path.
    Of(&'static dyn Provider),
    /// It is known: arguments of a tool call.
    Only(Source),
}

/// The visitor. One per document.
pub(super) struct BodyScan {
    reading: Reading,
    scopes: Vec<Scope>,
    levels: [LeafScan; 2],
    seams: Seams,
    slices: Slices,
    /// The string of level 0 that is not known yet, from when it is shown ahead until its end.
    new_text: Option<NewText>,
    inner_valid: bool,
    conversation: Conversation,
    written: Written,
    tools: Tools,
    past: Past,
    /// What had been gathered before the tool or the message that is being read, and how many text blocks.
    before: (Sum, usize),
    pub(super) gathered: Gathered,
}

/// A text that will be known if it holds nothing.
struct NewText {
    start: usize,
    digest: Digest,
    begun: Begun,
    /// What had been gathered before it.
    before: Sum,
}

/// What a text adds to if it holds something.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    hits: usize,
    rescans: usize,
    too_deep: bool,
    overflow: bool,
}

/// What a leaf is and how it is to be read.
#[derive(Clone, Copy)]
struct Begun {
    leaf: Leaf,
    source: Source,
    /// Its text takes part in the search over borders.
    continues: bool,
    /// Its text is kept to be understood.
    captured: bool,
    /// The key that is shown to the engine before it.
    has_context: bool,
    block: Option<Block>,
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
    /// Decoded bytes so far.
    length: usize,
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
            length: 0,
            leaves_before: 0,
        };
        BodyScan {
            levels: [level(reading.views), level(reading.views)],
            seams: Seams::default(),
            slices: Slices::default(),
            new_text: None,
            scopes: Vec::new(),
            inner_valid: false,
            conversation: Conversation::new(hasher),
            written: Written::default(),
            tools: Tools::default(),
            past: Past::default(),
            before: Default::default(),
            gathered: Gathered { leaves: leaves.then(Vec::new), ..Gathered::default() },
            reading,
        }
    }

    /// What was found, once the document is complete. `raw`: its bytes.
    ///
    /// # Errors
    /// That the bytes are not those of the document.
    pub(super) fn finish(mut self, raw: &[u8]) -> Result<Gathered, Error> {
        let judging = Judging {
            raw,
            engine: &self.reading.engine,
            rules: &self.reading.rules.seam,
            seen: self.reading.seen.as_deref().map(|it| (it, self.reading.rules.number)),
        };
        self.gathered.seam_hits = self.seams.judge(&judging)?;
        let hits = self.slices.read(raw, &self.reading, &mut self.past, &mut self.tools);
        let room = self.reading.hits_max.saturating_sub(self.gathered.hits.len());
        self.gathered.overflow |= hits.len() > room || self.gathered.seam_hits.len() > room;
        self.gathered.slice_hits = hits.into_iter().take(room).collect();
        if let Some((seen, _)) = judging.seen {
            self.tools.learn(seen);
            if self.gathered.seam_hits.is_empty() {
                self.past.learn(seen);
            }
        }
        self.gathered.seam_hits.truncate(room);
        self.gathered.last_message = self.conversation.hash();
        Ok(self.gathered)
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
            Sources::Of(provider) => provider.leaf(leaf.path, &self.scopes),
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

    /// What a leaf is, by its place.
    fn begun(&self, leaf: &LeafAt<'_>) -> Begun {
        let kind = self.classify(leaf);
        let last_key = leaf.inner.unwrap_or(leaf.path).last_key();
        let is_value = leaf.role == Role::Value;
        let source = match kind {
            Leaf::Text(source) | Leaf::Sealed(source) => source,
            Leaf::Opaque(_) | Leaf::Model | Leaf::Session => Source::Metadata,
        };
        let is_told = matches!(kind, Leaf::Model | Leaf::Session) || matches!(last_key, Some("role" | "type"));
        let in_tool = is_value && source == Source::ToolInput;
        Begun {
            leaf: kind,
            source,
            continues: self.continues(leaf, kind),
            captured: is_value && leaf.level == 0 && is_told || in_tool && Written::is_name(leaf),
            has_context: is_value && last_key.is_some_and(gives_context),
            block: in_tool.then(|| self.written.block(leaf)).flatten(),
        }
    }

    /// The digest of a string with all that decides what is found in it.
    fn digest(&self, seen: &Seen, leaf: &LeafAt<'_>, begun: &Begun, content: &[u8]) -> Digest {
        let kind = match begun.leaf {
            Leaf::Text(_) => 0,
            Leaf::Sealed(_) => 1,
            Leaf::Model => 2,
            Leaf::Session => 3,
            Leaf::Opaque(reason) => 4 + reason as u8,
        };
        let key = leaf.path.last_key().filter(|_| begun.has_context).unwrap_or_default();
        let block = begun.block.map_or(0, |it| 1 + it.number());
        let role = u8::from(leaf.role == Role::Key);
        let mut about = [0; 16 + CONTEXT_KEY_BYTES_MAX];
        about[..8].copy_from_slice(&self.reading.rules.number.to_le_bytes());
        about[8..13].copy_from_slice(&[kind, begun.source as u8, block, role, u8::from(begun.has_context)]);
        let end = 16 + key.len();
        about[16..end].copy_from_slice(key.as_bytes());
        seen.digest(content, &about[..end])
    }

    /// Takes a known text in, as if it had been read.
    fn pass(&mut self, leaf: &LeafAt<'_>, begun: &Begun, digest: Digest, clean: Clean) {
        match clean.skipped {
            Some(reason) => self.gathered.coverage.skip(reason, clean.length),
            None => self.gathered.coverage.scanned_bytes += clean.length,
        }
        if begun.continues {
            let message = message_index(leaf.path);
            self.seams.pass(begun.source, leaf.place, message, digest, clean.length as usize);
        }
        self.conversation.at(leaf.path);
        self.conversation.push(&digest.bytes());
    }

    fn sum(&self) -> Sum {
        Sum {
            hits: self.gathered.hits.len(),
            rescans: self.gathered.rescans.len(),
            too_deep: self.gathered.too_deep,
            overflow: self.gathered.overflow,
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

    fn end_text(&mut self, leaf: &LeafAt<'_>) {
        let open = &mut self.levels[leaf.level];
        open.scanner.finish(&self.reading.engine, &mut open.hits);
        let capture = open.capture.take();
        if open.in_seam {
            let reaching = open.hits.iter().filter(|hit| hit.whole.end >= open.length);
            self.seams.end(reaching.map(|hit| hit.whole.start).min());
        }
        if !self.levels[leaf.level].hits.is_empty() {
            self.take_hits(leaf);
        }
        if leaf.role == Role::Value {
            self.list_leaf(leaf);
        }
        if let Some(text) = capture {
            self.capture(leaf, text);
        }
    }

    /// A string of level 0 ends: if it held nothing, it is known from now on.
    fn learn(&mut self) {
        let (Some(new), Some(seen)) = (self.new_text.take(), &self.reading.seen) else { return };
        let opaque = match self.levels[0].leaf {
            Leaf::Opaque(reason) => Some(reason),
            _ => None,
        };
        if self.is_clean_since(&new.before) {
            seen.remember(new.digest, Clean { length: self.levels[0].length as u64, skipped: opaque });
        }
    }

    /// Whether nothing was gathered since then.
    fn is_clean_since(&self, before: &Sum) -> bool {
        // Whether one text is too deep, or one too many, cannot be told once another one was.
        !before.too_deep && !before.overflow && self.sum() == *before
    }

    fn capture(&mut self, leaf: &LeafAt<'_>, text: String) {
        if Written::is_name(leaf) {
            self.written.name(leaf, &text);
        }
        self.understand(leaf, text);
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
            None => self.gathered.rescans.push((leaf_ref(leaf, Source::Document, false), check.reason())),
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
            let (start, coverage) = (node.place.start, &self.gathered.coverage);
            if Tools::is_one(node.path) {
                self.tools.begin(start, coverage.scanned_bytes);
                self.before = (self.sum(), self.seams.count());
            } else if Past::index(node.path).is_some() {
                self.past.begin(start, coverage);
                self.before = (self.sum(), self.seams.count());
            }
            if let (true, Sources::Of(provider)) = (self.reading.views, self.reading.sources) {
                let leaf = || provider.leaf(node.path, &self.scopes);
                self.slices.enter(node.path, start, leaf, || node_text(&node));
            }
        }
    }

    fn leave(&mut self, node: NodeAt<'_>, _container: Container) {
        if node.level == 0 {
            self.slices.leave(node.path, node.place.start + 1, message_index(node.path));
            self.scopes.pop();
            let (before, blocks) = &self.before;
            if Tools::is_one(node.path) {
                self.tools.end(self.gathered.coverage.scanned_bytes, self.is_clean_since(before));
            } else if Past::index(node.path).is_some() {
                let (is_clean, is_parted) = (self.is_clean_since(before), self.seams.is_parted(*blocks));
                self.past.end(&self.gathered.coverage, is_clean, is_parted);
            }
        }
        self.written.leave(&node);
    }

    fn object_ahead(&mut self, node: NodeAt<'_>, ahead: Ahead<'_>) -> Known {
        let BodyScan { reading, gathered, seams, scopes, .. } = self;
        let Some(seen) = reading.seen.as_deref().filter(|_| gathered.leaves.is_none()) else { return Known::No };
        let (number, at) = (reading.rules.number, node.place.start);
        let message = Past::index(node.path);
        let recalled = match (message, reading.sources) {
            (None, _) if Tools::is_one(node.path) => self.tools.recall(seen, number, at, ahead),
            (Some(index), Sources::Of(provider)) => {
                let author = seams.last_source();
                let context = || {
                    let (dialect, list, tokens) = (provider.dialect(), node.path.steps().first(), reading.takes_tokens);
                    let place = format!("{dialect:?} {list:?} {tokens} {scopes:?} {author:?}");
                    seen.digest(place.as_bytes(), &number.to_le_bytes())
                };
                self.past.recall(seen, context, index, at, ahead)
            }
            _ => return Known::No,
        };
        match recalled {
            Recalled::No => Known::No,
            Recalled::NotYet => Known::NotYet,
            Recalled::Yes { bytes, elements, coverage } => {
                gathered.coverage.add(&coverage);
                if message.is_some() {
                    seams.part();
                }
                Known::Yes { bytes, elements }
            }
        }
    }

    fn string_ahead(&mut self, leaf: LeafAt<'_>, content: &[u8]) -> bool {
        let Some(seen) = self.reading.seen.as_deref().filter(|_| self.gathered.leaves.is_none()) else { return false };
        let begun = self.begun(&leaf);
        let digest = self.digest(seen, &leaf, &begun, content);
        let Some(clean) = seen.recall(digest) else {
            self.new_text = Some(NewText { start: leaf.place.start, digest, begun, before: self.sum() });
            return false;
        };
        if begun.captured {
            let plain = std::str::from_utf8(content).ok().filter(|it| !it.contains('\\'));
            let Some(text) = plain.filter(|it| it.len() <= CAPTURE_BYTES_MAX) else { return false };
            self.levels[0].leaf = begun.leaf;
            self.capture(&leaf, text.to_owned());
        }
        self.pass(&leaf, &begun, digest, clean);
        true
    }

    fn string_start(&mut self, leaf: LeafAt<'_>) {
        let mut begun = None;
        if leaf.level == 0 {
            self.inner_valid = false;
            self.new_text = self.new_text.take().filter(|it| it.start == leaf.place.start);
            begun = self.new_text.as_ref().map(|it| it.begun);
            self.conversation.at(leaf.path);
            if let Some(new) = &self.new_text {
                self.conversation.push(&new.digest.bytes());
            }
        }
        let begun = begun.unwrap_or_else(|| self.begun(&leaf));
        if begun.continues {
            let digest = self.new_text.as_ref().map(|it| it.digest);
            self.seams.begin(begun.source, leaf.place, message_index(leaf.path), digest);
        }
        let level = &mut self.levels[leaf.level];
        level.leaf = begun.leaf;
        level.open = true;
        level.length = 0;
        level.in_seam = begun.continues;
        level.capture = begun.captured.then(String::new);
        level.opaque = match begun.leaf {
            Leaf::Opaque(reason) => Some(OpaqueCheck::new(reason)),
            _ => None,
        };
        level.leaves_before = self.gathered.leaves.as_ref().map_or(0, Vec::len);
        level.scanner.reset(self.reading.rules.of(begun.source));
        let key = leaf.inner.unwrap_or(leaf.path).last_key().filter(|_| begun.has_context);
        if let Some(key) = key {
            level.scanner.context(&self.reading.engine, key.as_bytes());
            level.scanner.context(&self.reading.engine, b"\": \"");
        }
        if let Some(block) = begun.block {
            level.scanner.block(block);
        }
    }

    fn text(&mut self, level: usize, decoded: &str) {
        let leaf = &mut self.levels[level];
        leaf.length += decoded.len();
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
                self.seams.push(decoded.as_bytes());
            }
            if self.new_text.is_none() {
                self.conversation.push(decoded.as_bytes());
            }
        }
    }

    fn string_end(&mut self, leaf: LeafAt<'_>) {
        let open = &mut self.levels[leaf.level];
        open.open = false;
        match open.opaque.take() {
            Some(check) => self.end_opaque(&leaf, &check),
            None => self.end_text(&leaf),
        }
        if leaf.level == 0 {
            self.learn();
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
        if self.reading.takes_tokens && is_token(&node, raw) {
            self.gathered.coverage.skip(Skipped::Tokens, raw.len() as u64);
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
