//! Follows fences, literals and comments of several lines, and patches through a text of any length.

use std::collections::VecDeque;

use super::{Block, Language, Surroundings};

/// What the keyword automaton looks for on behalf of [`Marks`]; their indexes are the kinds that [`Marks::note`] takes.
pub(in crate::scan) const MARKS: [&str; 13] = [
    "```",
    "~~~",
    "\"\"\"",
    "'''",
    "/*",
    "*/",
    "@@ -",
    "diff --git ",
    "*** begin patch",
    "*** update file",
    "*** end patch",
    "package ",
    "<?php",
];

const TILDES: usize = 1;
const DOUBLE_QUOTES: usize = 2;
const SINGLE_QUOTES: usize = 3;
const COMMENT_BEGIN: usize = 4;
const COMMENT_END: usize = 5;
const PATCH_END: usize = 10;
const PACKAGE: usize = 11;
const PHP: usize = 12;

/// Of a fence's line so much is read to find its tag.
const FENCE_LINE_BYTES_MAX: usize = 128;
/// Bytes before a mark that may tell whether a line begins there.
const INDENT_BYTES_MAX: usize = 64;
/// Bytes before a literal on lines of its own that may tell whether one begins or ends.
const HEAD_BYTES_MAX: usize = 512;
/// A literal or comment that seems longer was misunderstood.
const INSIDE_BYTES_MAX: usize = 8 << 10;
/// Tags of fences in which anything may stand.
const PROSE_TAGS: [&str; 10] = ["text", "txt", "plain", "plaintext", "md", "markdown", "mdx", "rst", "log", "output"];

/// What holds from some offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct State {
    block: Block,
    /// The open fence: its sign and how many of them.
    fence: Option<(u8, usize)>,
    /// The kind of mark that began what is open, and where.
    inside: Option<(usize, usize)>,
    patch: bool,
}

impl State {
    fn inside_at(&self, offset: usize) -> Option<usize> {
        let (kind, since) = self.inside?;
        (offset.saturating_sub(since) <= INSIDE_BYTES_MAX).then_some(kind)
    }
}

/// The marks of one text. Memory: at most a state for every two bytes of text that the stream keeps.
#[derive(Debug, Default)]
pub(in crate::scan) struct Marks {
    /// What the whole text is, where that is known; fences in it say nothing then.
    whole: Option<Block>,
    /// Where the text itself begins, behind its context.
    origin: usize,
    /// From each offset on, in order.
    states: VecDeque<(usize, State)>,
    last: State,
    /// A line that began like a fence and is not complete.
    open_line: Option<usize>,
    /// The last line that began so.
    fence_line: Option<usize>,
    /// Quotes before this offset are used up.
    quotes_until: usize,
}

impl Marks {
    /// Ready for another text.
    pub(in crate::scan) fn reset(&mut self) {
        self.states.clear();
        *self = Marks { states: std::mem::take(&mut self.states), ..Marks::default() };
    }

    /// The whole text is such a block.
    pub(in crate::scan) fn set_whole(&mut self, block: Block) {
        self.whole = Some(block);
        self.last.block = block;
        self.states.clear();
        self.states.push_back((0, self.last));
    }

    /// What came so far was context.
    pub(in crate::scan) fn begin(&mut self, origin: usize) {
        self.reset();
        self.origin = origin;
    }

    /// More text is there: `text` from the offset `base` on.
    pub(in crate::scan) fn more(&mut self, base: usize, text: &[u8]) {
        let Some(start) = self.open_line else { return };
        let line = &text[start - base..];
        let line = &line[..line.len().min(FENCE_LINE_BYTES_MAX)];
        match memchr::memchr(b'\n', line) {
            Some(end) => self.fence(start, &line[..end]),
            None if line.len() == FENCE_LINE_BYTES_MAX => self.fence(start, line),
            None => {}
        }
    }

    /// A mark ends at the offset `end`; to be told in order.
    pub(in crate::scan) fn note(&mut self, kind: usize, end: usize, base: usize, text: &[u8]) {
        self.more(base, text);
        let start = end - MARKS[kind].len();
        if start < self.origin || self.in_fence_line(start, base, text) {
            return;
        }
        let from = start.saturating_sub(INDENT_BYTES_MAX).max(self.origin).max(base);
        let before = &text[from - base..start - base];
        let indent = Indent::of(before);
        let inside = self.last.inside_at(start);
        match kind {
            0 | TILDES if self.may_be_fence(indent, inside) => {
                (self.open_line, self.fence_line) = (Some(start), Some(start));
                self.more(base, text);
            }
            0 | TILDES => {}
            PACKAGE if self.is_bare() && indent == Indent::Line && inside.is_none() => {
                (self.open_line, self.fence_line) = (Some(start), Some(start));
                self.more(base, text);
            }
            PHP if self.is_bare() && indent == Indent::Line && inside.is_none() => self.turn(end, code(Language::Php)),
            PACKAGE | PHP => {}
            DOUBLE_QUOTES | SINGLE_QUOTES => {
                let from = start.saturating_sub(HEAD_BYTES_MAX).max(self.origin).max(base);
                let opens = match indent {
                    Indent::Line => follows_head(&text[from - base..start - base]),
                    Indent::Value => true,
                    Indent::Middle => false,
                };
                self.quotes(kind, start, opens, before, inside);
            }
            COMMENT_BEGIN if inside.is_none() && self.begins_comment(indent, before) => {
                self.turn(end, State { inside: Some((kind, start)), ..self.last });
            }
            COMMENT_END if inside == Some(COMMENT_BEGIN) => self.turn(end, State { inside: None, ..self.last }),
            COMMENT_BEGIN | COMMENT_END => {}
            _ if indent == Indent::Line => self.turn(end, State { patch: kind != PATCH_END, ..self.last }),
            _ => {}
        }
    }

    /// Text before the offset `base` is gone.
    pub(in crate::scan) fn forget(&mut self, base: usize) {
        while self.states.get(1).is_some_and(|(from, _)| *from <= base) {
            self.states.pop_front();
        }
    }

    /// What is known of an offset that is not forgotten.
    pub(in crate::scan) fn at(&self, offset: usize) -> Surroundings {
        let index = self.states.partition_point(|(from, _)| *from <= offset);
        let state = index.checked_sub(1).map_or(State::default(), |index| self.states[index].1);
        Surroundings {
            block: state.block,
            inside: state.inside_at(offset).is_some(),
            patch: state.patch,
            own_bytes: offset.saturating_sub(self.origin),
        }
    }

    fn turn(&mut self, from: usize, state: State) {
        if state != self.last {
            self.last = state;
            self.states.push_back((from, state));
        }
    }

    /// Whether the offset is on a line that began like a fence, where nothing else counts.
    fn in_fence_line(&self, start: usize, base: usize, text: &[u8]) -> bool {
        let near = |fence: &usize| *fence < start && *fence >= base && start - *fence <= FENCE_LINE_BYTES_MAX;
        let same = |fence: usize| memchr::memchr(b'\n', &text[fence - base..start - base]).is_none();
        self.fence_line.filter(near).is_some_and(same)
    }

    /// The line of a fence from its first sign on, without the line break.
    fn fence(&mut self, start: usize, line: &[u8]) {
        self.open_line = None;
        let sign = line[0];
        if sign != b'`' && sign != b'~' {
            return self.package(start + line.len(), line);
        }
        let count = line.iter().take_while(|&&byte| byte == sign).count();
        let tag = line[count..].trim_ascii();
        if sign == b'`' && tag.contains(&b'`') {
            return;
        }
        let until = start + line.len();
        match (self.last.fence, tag.is_empty()) {
            (Some((open, length)), _) if count < length || (open != sign && tag.is_empty()) => {}
            (Some(_), true) => self.turn(until, State::default()),
            (_, false) | (None, true) => {
                let patch = [&b"diff"[..], b"patch", b"udiff"].iter().any(|name| tag.eq_ignore_ascii_case(name));
                let state = State { block: block_of(tag), fence: Some((sign, count)), inside: None, patch };
                self.turn(until, state);
            }
        }
    }

    /// A line that begins with `package`: a file of Go begins so, one of Java has a semicolon.
    fn package(&mut self, until: usize, line: &[u8]) {
        let name = line[MARKS[PACKAGE].len()..].trim_ascii_end();
        if !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.turn(until, code(Language::Go));
        }
    }

    /// A literal of several lines may show a fence, unless it stands in one itself.
    fn may_be_fence(&self, indent: Indent, inside: Option<usize>) -> bool {
        self.whole.is_none() && indent == Indent::Line && (inside.is_none() || self.last.fence.is_some())
    }

    /// Whether nothing has said yet what the text is.
    fn is_bare(&self) -> bool {
        self.whole.is_none() && self.last.fence.is_none() && self.last.block == Block::Text
    }

    fn quotes(&mut self, kind: usize, start: usize, opens: bool, before: &[u8], inside: Option<usize>) {
        if start < self.quotes_until || before.last() == Some(&b'\\') {
            return;
        }
        let end = start + MARKS[kind].len();
        match inside {
            Some(open) if open == kind => self.turn(end, State { inside: None, ..self.last }),
            Some(_) => return,
            None if !opens => return,
            None => self.turn(end, State { inside: Some((kind, start)), ..self.last }),
        }
        self.quotes_until = end;
    }

    /// In a language that is not known, `/*` may be a path: only at the beginning of a line is it a comment.
    fn begins_comment(&self, indent: Indent, before: &[u8]) -> bool {
        match self.last.block.language().and_then(Language::has_slash_comments) {
            Some(true) => before.last().is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'{' | b'}')),
            Some(false) => false,
            None => indent == Indent::Line,
        }
    }
}

/// Whether quotes on a line of their own begin a literal: behind the head of a definition, in the middle of a list of
/// arguments, behind a comment, or where the text begins. Elsewhere they end one whose beginning was not seen.
fn follows_head(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let line = memchr::memrchr(b'\n', before).map_or(before, |at| &before[at + 1..]).trim_ascii_start();
    match before.last() {
        None | Some(b':' | b'(' | b',' | b'[' | b'{' | b'=' | b'>' | b'-' | b'+') => true,
        Some(_) => line.starts_with(b"#") || line.starts_with(b"```") || line.starts_with(b"~~~"),
    }
}

fn code(language: Language) -> State {
    State { block: Block::Code(Some(language)), ..State::default() }
}

/// What stands before a mark on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indent {
    /// Nothing but space, signs of a quotation or a list, or that of an added line.
    Line,
    /// What a value may follow.
    Value,
    /// Anything else.
    Middle,
}

impl Indent {
    fn of(before: &[u8]) -> Indent {
        let line = memchr::memrchr(b'\n', before).map_or(before, |at| &before[at + 1..]);
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'>' | b'-' | b'+' | b'*')) {
            return Indent::Line;
        }
        // A literal may be marked as raw, as bytes or as a template.
        let letters = line.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count().min(2);
        let line = line[..line.len() - letters].trim_ascii_end();
        match line.last() {
            None => Indent::Line,
            Some(b'=' | b'(' | b',' | b'[' | b'{' | b':' | b'+' | b'%') => Indent::Value,
            Some(_) if line.ends_with(b"return") => Indent::Value,
            Some(_) => Indent::Middle,
        }
    }
}

/// What the tag of a fence says of what is in it: `python`, `python title="x"`, `{.python}`, `src/main.py`.
fn block_of(tag: &[u8]) -> Block {
    let tag = std::str::from_utf8(tag).unwrap_or_default();
    let mut words = tag.split([' ', '\t', '\r', '{', '}', ',', ':']).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return Block::Text };
    let first = first.trim_start_matches('.');
    if PROSE_TAGS.iter().any(|name| name.eq_ignore_ascii_case(first)) {
        return Block::Text;
    }
    let language = Language::of_tag(first).or_else(|| Language::of_path(first));
    let by_path = || words.find_map(Language::of_path);
    match language.or_else(by_path) {
        Some(language) => Block::Code(Some(language)),
        // Markup and templates hold code of several languages; a diff that of its files.
        None => Block::Code(None),
    }
}
