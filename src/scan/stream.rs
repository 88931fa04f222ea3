//! One text on its way through the engine, in pieces of any size.

use std::fmt;
use std::ops::Range;

use super::digits::{Digits, Group, is_word};
use super::engine::{Engine, HINT, KEYWORD, MARK, PREFIX, PREFIX_AT_BOUNDARY, PREFIX_WITH_LEAD, RuleSet};
use super::hints::{HINT_BYTES_MIN, Hint, Reading};
use super::keywords::Endings;
use super::known::{Sight, Watch};
use super::place::{Block, MARKS, Marks};
use super::runs::{Candidate, Runs, Window};

/// Large pieces are read in blocks of so many bytes, which bounds what a stream keeps.
const BLOCK_BYTES: usize = 16 << 10;

/// A match that all checks accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hit {
    /// Index into [`Engine::rules`].
    pub rule: usize,
    /// Bytes of the text that must be hidden; never empty.
    pub secret: Range<usize>,
    /// Bytes of the text that made the rule match; contains `secret`.
    pub whole: Range<usize>,
}

/// The state of one text. Its memory is bounded by the engine's longest match plus 64 KiB, whatever the text; under rules
/// that ask for a place, by up to eight times that, in a text that is nothing but signs of comments.
///
/// Hits come in the order in which they become certain; cutting the text otherwise gives the same hits. Of the matches
/// of one rule that overlap, that whose trigger ends first is reported, and further ones from the end of its secret on.
pub struct Stream {
    pub(super) rules: RuleSet,
    pub(super) buffer: Vec<u8>,
    /// Offset of the first byte of `buffer`, context included.
    pub(super) base: usize,
    /// Bytes of context.
    origin: usize,
    pub(super) state: u32,
    pub(super) digits: Digits,
    pub(super) runs: Runs,
    pub(super) watch: Watch,
    pub(super) settled: usize,
    /// Where one text may end and another begin, as far as the buffer reaches.
    pub(super) borders: Vec<usize>,
    pub(super) marks: Marks,
    endings: Endings,
    groups: Vec<Group>,
    /// The hints that were passed since they were last taken; `None`: nobody asks.
    hints: Option<Vec<Hint>>,
    /// Per reading: below this offset a further hint says nothing new.
    hinted: [usize; Reading::ALL.len()],
}

impl Stream {
    /// A stream for one text.
    pub fn new(rules: RuleSet) -> Stream {
        let mut made = Stream {
            rules,
            buffer: Vec::new(),
            base: 0,
            origin: 0,
            state: 0,
            digits: Digits::default(),
            runs: Runs::default(),
            watch: Watch::default(),
            settled: 0,
            borders: Vec::new(),
            marks: Marks::default(),
            endings: Endings::default(),
            groups: Vec::new(),
            hints: None,
            hinted: [0; Reading::ALL.len()],
        };
        made.digits.reset(made.rules.0.digit_counts.len());
        made
    }

    /// Ready for another text, with its buffers kept.
    pub fn reset(&mut self, rules: &RuleSet) {
        self.rules.set(rules);
        self.buffer.clear();
        (self.base, self.origin, self.state, self.settled) = (0, 0, 0, 0);
        self.digits.reset(self.rules.0.digit_counts.len());
        self.runs.reset();
        self.watch.reset();
        self.marks.reset();
        self.borders.clear();
        self.hinted = [0; Reading::ALL.len()];
        self.hints.iter_mut().for_each(Vec::clear);
    }

    /// What the whole text is: a file of a language, say. To be told before the first push, behind the context.
    pub fn block(&mut self, block: Block) {
        self.marks.set_whole(block);
    }

    /// Hints are to be noted from now on.
    pub(super) fn listen(&mut self) {
        self.hints.get_or_insert_default();
    }

    /// The hints that the last push passed.
    pub(super) fn hints(&self) -> &[Hint] {
        self.hints.as_deref().unwrap_or_default()
    }

    /// Text that stands before: it takes part in matching, but offsets count from behind it and nothing in it is
    /// reported. To be given before the first push.
    pub fn context(&mut self, engine: &Engine, text: &[u8]) {
        debug_assert_eq!(self.length(), 0, "context after text");
        let mut inside = Vec::new();
        self.read(engine, text, &mut inside);
        self.origin = self.base + self.buffer.len();
        self.marks.begin(self.origin);
    }

    /// Reads on; appends the hits that became certain.
    pub fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        let from = hits.len();
        self.hints.iter_mut().for_each(Vec::clear);
        self.read(engine, text, hits);
        self.relate(from, hits);
    }

    /// The text may end here, or go on with a text that stands alone: a match may end, or begin, as if it did.
    pub(super) fn border(&mut self, engine: &Engine) {
        let end = self.base + self.buffer.len();
        if self.borders.last() != Some(&end) {
            self.borders.push(end);
            self.runs.border(&engine.rules, end);
        }
    }

    /// The text is complete; appends the remaining hits.
    pub fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        let from = hits.len();
        let window = Window { base: self.base, text: &self.buffer, borders: &self.borders, marks: &self.marks };
        self.runs.advance(&engine.rules, window, true, hits);
        if let Some(sight) = sight(engine, &self.rules) {
            self.watch.finish(&sight, window, hits);
        }
        self.settled = window.end();
        self.relate(from, hits);
    }

    /// Every byte below this offset is known to be decided, as of the last [`Stream::settle`]: no later hit starts before
    /// it. Never falls.
    pub fn settled(&self) -> usize {
        self.settled.saturating_sub(self.origin)
    }

    /// Bytes pushed so far.
    pub fn length(&self) -> usize {
        self.base + self.buffer.len() - self.origin
    }

    fn read(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        self.runs.resize(engine.rules.len());
        for block in text.chunks(BLOCK_BYTES) {
            self.read_block(engine, block, hits);
        }
    }

    fn read_block(&mut self, engine: &Engine, block: &[u8], hits: &mut Vec<Hit>) {
        let from = self.buffer.len();
        self.buffer.extend_from_slice(block);
        self.state = engine.keywords.read(self.state, block, &mut self.endings);
        if self.rules.0.reads_place {
            self.mark(engine, from);
        }
        let window = Window { base: self.base, text: &self.buffer, borders: &self.borders, marks: &self.marks };
        for found in &self.endings.found {
            let flags = self.rules.0.flags[engine.keywords.number(found.state)];
            let end = self.base + from + found.end as usize;
            if flags & KEYWORD != 0 {
                keyword_end(engine, &self.rules, &mut self.runs, found.state, end, window, hits);
            }
            if let (Some(hints), true, Some(end)) = (&mut self.hints, flags & HINT != 0, end.checked_sub(self.origin)) {
                hint_end(engine, found.state, end, &mut self.hinted, hints);
            }
        }
        let chosen = &self.rules.0;
        if !chosen.digit_counts.is_empty() {
            self.groups.clear();
            self.digits.read(&self.buffer, from, self.base, &chosen.digit_counts, &mut self.groups);
            for group in &self.groups {
                let candidate = Candidate { start: group.start, start_last: group.start };
                for &rule in &chosen.digit_rules[group.count] {
                    self.runs.candidate(&engine.rules, rule, candidate, window, hits);
                }
            }
        }
        self.runs.advance(&engine.rules, window, false, hits);
        if let Some(sight) = sight(engine, &self.rules) {
            self.watch.read(&sight, window, from, hits);
        }
        if self.buffer.len() > engine.keep_bytes + BLOCK_BYTES {
            let drop = self.buffer.len() - engine.keep_bytes;
            self.buffer.drain(..drop);
            self.base += drop;
            let behind = self.borders.partition_point(|&border| border < self.base);
            self.borders.drain(..behind);
            self.marks.forget(self.base);
        }
    }

    /// Tells the marks of a block, whose first byte is `from` of the buffer, before any match in it is looked at.
    fn mark(&mut self, engine: &Engine, from: usize) {
        self.marks.more(self.base, &self.buffer);
        for found in &self.endings.found {
            if self.rules.0.flags[engine.keywords.number(found.state)] & MARK != 0 {
                for &word in engine.keywords.ending(found.state).iter().filter(|&&word| (word as usize) < MARKS.len()) {
                    let end = self.base + from + found.end as usize;
                    self.marks.note(word as usize, end, self.base, &self.buffer);
                }
            }
        }
    }

    /// Offset of the first byte that a later hit may cover. From `enough` on it need not be exact, which is cheaper: it is
    /// only not below that.
    pub(super) fn undecided(&self, engine: &Engine, enough: usize) -> usize {
        let window = Window { base: self.base, text: &self.buffer, borders: &self.borders, marks: &self.marks };
        let end = window.end();
        let mut first = end.min(self.runs.pending().unwrap_or(end));
        if !self.rules.0.digit_counts.is_empty() {
            first = first.min(self.digits.pending().unwrap_or(end));
        }
        if let Some(known) = engine.known.as_ref().filter(|_| self.rules.0.known) {
            first = first.min(self.watch.pending(known, end));
        }
        let lead_before = |offset: usize| {
            let before = Window { text: &window.text[..offset - window.base], ..window };
            let longest =
                |known: usize, &rule: &u32| known.max(self.runs.open_lead(&engine.rules, rule, before, window, known));
            self.rules.0.leads.iter().fold(offset.saturating_sub(enough), longest)
        };
        first = first.min(end - lead_before(end));
        let mut state = self.state;
        while state != engine.keywords.start() {
            let start = end - engine.keywords.depth(state);
            let flags = self.rules.0.flags[engine.keywords.number(state)];
            let at_boundary = || !window.before(start).is_some_and(is_word);
            if flags & PREFIX != 0 || (flags & PREFIX_AT_BOUNDARY != 0 && at_boundary()) {
                first = first.min(start);
            }
            if flags & PREFIX_WITH_LEAD != 0 {
                first = first.min(start - lead_before(start));
            }
            state = engine.keywords.suffix(state);
        }
        first
    }

    /// Offsets from behind the context; what lies within it is not reported.
    fn relate(&self, from: usize, hits: &mut Vec<Hit>) {
        let origin = self.origin;
        if origin == 0 {
            return;
        }
        let mut index = from;
        while index < hits.len() {
            if hits[index].secret.end <= origin {
                hits.remove(index);
                continue;
            }
            let clamp = |range: &Range<usize>| range.start.saturating_sub(origin)..range.end - origin;
            let hit = &mut hits[index];
            (hit.secret, hit.whole) = (clamp(&hit.secret), clamp(&hit.whole));
            index += 1;
        }
    }
}

/// What known values are looked for with, where any of them is chosen.
fn sight<'a>(engine: &'a Engine, rules: &'a RuleSet) -> Option<Sight<'a>> {
    let known = engine.known.as_ref().filter(|_| rules.0.known)?;
    Some(Sight { known, rules, rule: engine.rules.len() })
}

/// Keywords end at `end`: looks at each place where a chosen rule may match.
fn keyword_end(
    engine: &Engine,
    rules: &RuleSet,
    runs: &mut Runs,
    state: u32,
    end: usize,
    window: Window<'_>,
    hits: &mut Vec<Hit>,
) {
    for &word in engine.keywords.ending(state) {
        let text = &engine.words[word as usize];
        let start = end - text.len();
        // Bytes beyond ASCII are not all told apart by the automaton.
        let there = &window.text[start - window.base..end - window.base];
        if !text.is_ascii() && !text.eq_ignore_ascii_case(there) {
            continue;
        }
        for &index in engine.owners[word as usize].iter().filter(|&&rule| rules.0.has(rule as usize)) {
            let rule = &engine.rules[index as usize];
            if rule.boundary && boundary_missing(window, start) {
                continue;
            }
            let lead = rule.lead.as_ref().map_or(0, |lead| lead.length(&window.text[..start - window.base]));
            let candidate = Candidate { start: start - lead, start_last: start };
            runs.candidate(&engine.rules, index, candidate, window, hits);
        }
    }
}

/// Hints end at `end`: notes those that say something new.
fn hint_end(engine: &Engine, state: u32, end: usize, hinted: &mut [usize], hints: &mut Vec<Hint>) {
    for reading in engine.keywords.ending(state).iter().filter_map(|&word| engine.hints[word as usize]) {
        if end >= hinted[reading as usize] {
            hinted[reading as usize] = end + HINT_BYTES_MIN;
            hints.push(Hint { end, reading });
        }
    }
}

/// Whether a keyword that starts with a word byte follows one.
fn boundary_missing(window: Window<'_>, start: usize) -> bool {
    is_word(window.text[start - window.base]) && window.before(start).is_some_and(is_word)
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} bytes, {} settled)", self.length(), self.settled())
    }
}
