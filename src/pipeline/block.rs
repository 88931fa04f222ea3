//! One text that grows over the events of a stream: what of it is settled, and which event carries which part.

use std::collections::VecDeque;
use std::ops::Range;

use super::label::open_placeholder;
use crate::providers::BlockKind;
use crate::scan::{Engine, Hit, RuleSet, Scanner};

/// A part of the text and the event that carries it.
pub(super) struct Piece {
    /// Number of the event in the stream.
    pub(super) event: u64,
    /// Bytes of the block's text.
    pub(super) range: Range<usize>,
    /// Where its string begins in the event's JSON.
    pub(super) leaf: usize,
}

/// A growing text. Prose is scanned as it grows, a tool's input when it is complete.
pub(super) struct GrowingBlock {
    pub(super) kind: BlockKind,
    pub(super) text: String,
    pub(super) pieces: VecDeque<Piece>,
    pub(super) closed: bool,
    scanner: Option<Scanner>,
    /// Placeholders have been looked for up to here.
    pub(super) restored_to: usize,
}

impl GrowingBlock {
    /// An empty block. `rules` are those of its source.
    pub(super) fn new(kind: BlockKind, rules: &RuleSet) -> Self {
        let scanner = (kind == BlockKind::Text).then(|| Scanner::new(rules.clone(), false));
        GrowingBlock { kind, text: String::new(), pieces: VecDeque::new(), closed: false, scanner, restored_to: 0 }
    }

    /// Whether nothing of it is passed on before it is complete.
    pub(super) fn is_held_whole(&self) -> bool {
        matches!(self.kind, BlockKind::ToolJson | BlockKind::ToolText)
    }

    /// The next part, carried by `event`.
    pub(super) fn push(&mut self, engine: &Engine, text: &str, event: u64, leaf: usize, hits: &mut Vec<Hit>) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push_back(Piece { event, range: start..self.text.len(), leaf });
        if let Some(scanner) = &mut self.scanner {
            scanner.push(engine, text.as_bytes(), hits);
        }
    }

    /// The text is complete.
    pub(super) fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if let Some(scanner) = &mut self.scanner {
            scanner.finish(engine, hits);
        }
        self.closed = true;
    }

    /// Every byte below is decided: no finding and no placeholder to come can cover it.
    pub(super) fn settled(&mut self, restores: bool) -> usize {
        if self.closed {
            return self.text.len();
        }
        let scanned = self.scanner.as_mut().map_or(0, |it| it.settled());
        if restores { scanned.min(self.restored_to) } else { scanned }
    }

    /// Placeholders have been looked for in the whole text; one that its end cuts off is looked for again.
    pub(super) fn searched(&mut self) {
        let open = open_placeholder(&self.text.as_bytes()[self.restored_to..]);
        self.restored_to = open.map_or(self.text.len(), |at| self.restored_to + at);
    }

    /// Forgets the parts of events before `event`.
    pub(super) fn forget_before(&mut self, event: u64) {
        while self.pieces.front().is_some_and(|piece| piece.event < event) {
            self.pieces.pop_front();
        }
    }
}
