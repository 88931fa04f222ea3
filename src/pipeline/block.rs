//! One text that grows over the events of a stream: what of it is settled, and what of it is to be changed.

use std::collections::VecDeque;
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::ops::Range;

use super::label::{Originals, open_placeholder};
use super::locate::{Lines, Located, in_text};
use super::markup::Markup;
use super::redact::placeholders;
use super::restore::{CONTEXT_BYTES_MAX, allowed_in_text};
use crate::domain::{Risk, Score};
use crate::providers::BlockKind;
use crate::scan::{Engine, Hit, RuleSet, Scanner};

use super::body::Reading;
use super::border::{BORDER_BYTES, Border};
use super::inbound::source_of;

/// Settled prose is forgotten in steps of so many bytes, and what changed in it as it is passed on, so that a long answer costs no
/// memory.
const FORGET_BYTES: usize = 32 << 10;

/// A stretch of the text that becomes another one.
pub(super) struct Change {
    pub(super) range: Range<usize>,
    pub(super) with: String,
    /// Of two that begin at the same byte, the graver one names what was there.
    pub(super) gravity: (Risk, Score),
}

/// A placeholder in a growing text.
pub(super) struct Mention {
    pub(super) span: Range<usize>,
    /// Whether the text allows it to be put back.
    pub(super) is_allowed: bool,
    /// From 1.
    pub(super) line: u32,
}

/// A growing text. Prose is scanned as it grows, a tool's input when it is complete. Offsets count from its beginning.
pub(super) struct GrowingBlock {
    pub(super) kind: BlockKind,
    pub(super) closed: bool,
    /// Events that wait and carry a part of it.
    pub(super) waiting: usize,
    /// The text from `base` on.
    text: String,
    base: usize,
    /// Line breaks before `base`.
    lines_before: u32,
    /// In their order, without overlap.
    changes: VecDeque<Change>,
    scanner: Option<Scanner>,
    /// With the text before this one, until enough of this one was read.
    border: Option<Box<Border>>,
    /// How the text before this one ends.
    before: String,
    /// Placeholders have been looked for up to here.
    restored_to: usize,
    /// The text up to there.
    markup: Markup,
    restores: bool,
    hasher: DefaultHasher,
}

impl GrowingBlock {
    /// An empty block. `rules` are those of its source; with `restores`, placeholders are waited for.
    pub(super) fn new(kind: BlockKind, rules: &RuleSet, restores: bool, keyed: &RandomState) -> Self {
        let scanner = (kind == BlockKind::Text).then(|| Scanner::new(rules.clone(), false));
        GrowingBlock {
            kind,
            closed: false,
            waiting: 0,
            text: String::new(),
            base: 0,
            lines_before: 0,
            changes: VecDeque::new(),
            scanner,
            border: None,
            before: String::new(),
            restored_to: 0,
            markup: Markup::default(),
            restores,
            hasher: keyed.build_hasher(),
        }
    }

    /// Whether nothing of it is passed on before it is complete.
    pub(super) fn is_held_whole(&self) -> bool {
        matches!(self.kind, BlockKind::ToolJson | BlockKind::ToolText)
    }

    /// The text follows one that ends so.
    pub(super) fn follows(&mut self, before: &str, rules: &RuleSet, engine: &Engine) {
        if self.base == 0 && self.text.is_empty() && !before.is_empty() && !rules.is_empty() {
            self.border = Some(Box::new(Border::new(before, rules, engine)));
            before.clone_into(&mut self.before);
        }
    }

    /// The last bytes of it, that what follows may go on: of a short text together with what stands before it.
    pub(super) fn end(&self) -> String {
        let room = BORDER_BYTES.saturating_sub(self.text.len());
        [last_bytes(&self.before, room), last_bytes(&self.text, BORDER_BYTES)].concat()
    }

    /// What was found over the border with the text before it.
    pub(super) fn over_border(&mut self, reading: &Reading) -> Vec<Located> {
        let found = self.border.as_mut().map(|it| it.take(reading)).unwrap_or_default();
        self.border.take_if(|it| it.settled().is_none());
        found
    }

    /// The next part; which bytes of the text it is.
    pub(super) fn push(&mut self, engine: &Engine, text: &str, hits: &mut Vec<Hit>) -> Range<usize> {
        self.forget();
        let start = self.base + self.text.len();
        self.text.push_str(text);
        if let Some(scanner) = &mut self.scanner {
            scanner.push(engine, text.as_bytes(), hits);
            scanner.settle(engine);
        }
        if let Some(border) = &mut self.border {
            border.push(engine, text);
        }
        if self.restores {
            self.hasher.write(text.as_bytes());
        }
        start..self.base + self.text.len()
    }

    /// The text is complete.
    pub(super) fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if let Some(scanner) = &mut self.scanner {
            scanner.finish(engine, hits);
        }
        if let Some(border) = &mut self.border {
            border.finish(engine);
        }
        self.closed = true;
    }

    /// Whether every byte below `upto` is decided: no finding and no placeholder to come can cover it.
    pub(super) fn is_decided(&self, upto: usize) -> bool {
        self.closed || !self.is_held_whole() && self.settled() >= upto
    }

    fn settled(&self) -> usize {
        let scanned = self.scanner.as_ref().map_or(0, Scanner::settled);
        let scanned = self.border.as_ref().and_then(|it| it.settled()).map_or(scanned, |it| it.min(scanned));
        if self.restores { scanned.min(self.restored_to) } else { scanned }
    }

    /// The whole text of a block that is held whole.
    pub(super) fn whole(&self) -> &str {
        &self.text
    }

    /// Keyed hash of the whole text.
    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// The placeholders in what was not yet searched for them. What its end cuts off is looked at again.
    pub(super) fn placeholders(&mut self, originals: &Originals) -> Vec<Mention> {
        let from = self.restored_to - self.base;
        let new = &self.text[from..];
        let end = open_placeholder(new.as_bytes()).unwrap_or(new.len());
        let (mut found, mut read, mut lines) = (Vec::new(), 0, Lines::of(&self.text));
        for span in placeholders(new, originals) {
            self.markup.read(&new[read..span.start]);
            read = span.start;
            let before = &self.text[..from + span.start];
            // The beginning of what was forgotten is that of no line.
            let is_whole = self.base == 0 || before.len() > CONTEXT_BYTES_MAX;
            let is_allowed = is_whole && allowed_in_text(before, &self.markup);
            let line = self.lines_before + lines.at(before.len());
            let span = self.restored_to + span.start..self.restored_to + span.end;
            found.push(Mention { span, is_allowed, line });
        }
        self.markup.read(&new[read..end]);
        self.restored_to += end;
        found
    }

    /// A stretch of the text, widened to whole characters: rules match bytes.
    pub(super) fn stretch(&self, span: &Range<usize>) -> &str {
        let at = |offset: usize| offset.saturating_sub(self.base).min(self.text.len());
        &self.text[self.text.floor_char_boundary(at(span.start))..self.text.ceil_char_boundary(at(span.end))]
    }

    /// Findings in this text; their pieces are ranges of the text.
    pub(super) fn located(&self, reading: &Reading, hits: &[Hit]) -> Vec<Located> {
        let start = |at: usize| at.saturating_sub(self.base);
        let mut lines = Lines::of(&self.text);
        let located = hits.iter().map(|hit| {
            let inside = Hit {
                rule: hit.rule,
                secret: start(hit.secret.start)..start(hit.secret.end),
                whole: start(hit.whole.start)..start(hit.whole.end),
            };
            let mut located = in_text(reading, source_of(self.kind), &mut lines, &inside, "answer");
            located.finding.place.line += self.lines_before;
            located.finding.span = hit.secret.clone();
            located.pieces = vec![hit.secret.clone()];
            located
        });
        located.collect()
    }

    /// Changes a stretch of the text. Stretches that overlap become one, which takes the text of the first of them:
    /// so it does not matter how the text was cut, nor which of them became certain first.
    pub(super) fn change(&mut self, mut new: Change) {
        let at = self.changes.partition_point(|it| it.range.end <= new.range.start);
        while let Some(other) = self.changes.get(at).filter(|it| it.range.start < new.range.end) {
            let range = new.range.start.min(other.range.start)..new.range.end.max(other.range.end);
            let key = |it: &Change| (std::cmp::Reverse(it.range.start), it.gravity, it.range.end);
            let stays = key(other) >= key(&new);
            if let Some(other) = self.changes.remove(at)
                && stays
            {
                new = other;
            }
            new.range = range;
        }
        self.changes.insert(at, new);
    }

    /// What changes in a part of the text: bytes of the part, and what they become. The part in which a stretch begins
    /// takes the new text, the others lose theirs.
    pub(super) fn cuts<'a>(&'a self, part: &'a Range<usize>) -> impl Iterator<Item = (Range<usize>, &'a str)> {
        let from = self.changes.partition_point(|it| it.range.end <= part.start);
        self.changes.range(from..).take_while(|it| it.range.start < part.end).map(|it| {
            let span = it.range.start.max(part.start) - part.start..it.range.end.min(part.end) - part.start;
            (span, if it.range.start >= part.start { it.with.as_str() } else { "" })
        })
    }

    /// Everything below `end` has been passed on: what changed there is not needed any more.
    pub(super) fn passed_on(&mut self, end: usize) {
        while self.changes.pop_front_if(|it| it.range.end <= end).is_some() {}
    }

    /// Drops settled prose that no finding to come can need.
    fn forget(&mut self) {
        if self.is_held_whole() || self.text.len() < 2 * FORGET_BYTES {
            return;
        }
        let needed = (self.settled() - self.base).saturating_sub(CONTEXT_BYTES_MAX + 4);
        let drop = self.text.floor_char_boundary(needed);
        if drop < FORGET_BYTES {
            return;
        }
        self.lines_before += memchr::memchr_iter(b'\n', &self.text.as_bytes()[..drop]).count() as u32;
        self.text.drain(..drop);
        self.base += drop;
    }
}

/// At most so many bytes of the end of `text`.
fn last_bytes(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> GrowingBlock {
        let engine = Engine::new(Vec::new()).unwrap();
        GrowingBlock::new(BlockKind::ToolText, &engine.select(|_| true), false, &RandomState::new())
    }

    fn change(range: Range<usize>, with: &str, risk: Risk) -> Change {
        Change { range, with: with.into(), gravity: (risk, Score::default()) }
    }

    #[test]
    fn changes_that_overlap_are_one_in_any_order() {
        let all =
            [(10..50, "a", Risk::Low), (10..40, "b", Risk::High), (30..60, "c", Risk::High), (60..70, "d", Risk::Low)];
        for turn in 0..all.len() {
            let mut block = block();
            let mut order = all.clone();
            order.rotate_left(turn);
            order.into_iter().for_each(|(range, with, risk)| block.change(change(range, with, risk)));
            assert_eq!(block.cuts(&(0..100)).collect::<Vec<_>>(), [(10..60, "b"), (60..70, "d")], "{turn}");
            assert_eq!(block.cuts(&(0..20)).collect::<Vec<_>>(), [(10..20, "b")]);
            assert_eq!(block.cuts(&(20..65)).collect::<Vec<_>>(), [(0..40, ""), (40..45, "d")]);
        }
    }
}
