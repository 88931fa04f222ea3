//! Which growing texts of a stream are open, so that every block opens once, closes once and grows only in between.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Block, BlockKind, Part};

/// No answer has more texts growing at once.
const OPEN_MAX: usize = 1024;

/// No answer calls more tools.
const CALLS_MAX: usize = 1 << 14;

/// Bits of an index within an id.
const INDEX_BITS: u32 = 28;
const INDEX_MAX: u64 = (1 << INDEX_BITS) - 1;
const CHANNEL_BITS: u32 = 8;

/// The id of all texts whose indices are larger than an id has room for. They would share ids, so none is read.
const BEYOND: u64 = u64::MAX;

const TOO_MANY: Part = Part::Unreadable("it has too many parts");

/// Open blocks, ordered by id.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: BTreeMap<u64, BlockKind>,
    /// Tool calls that are complete. Some clients would append to one what comes behind its end.
    ended: BTreeSet<u64>,
}

impl Blocks {
    /// The block for a text: `first` is the choice, item or block index, `second` the part or call within it,
    /// `channel` tells apart texts of the same indices.
    pub(super) fn block(first: u64, second: u64, channel: u8, kind: BlockKind) -> Block {
        let id = match first.max(second) <= INDEX_MAX {
            true => Self::base(first) | second << CHANNEL_BITS | u64::from(channel),
            false => BEYOND,
        };
        Block { id, kind }
    }

    fn base(first: u64) -> u64 {
        first << (INDEX_BITS + CHANNEL_BITS)
    }

    /// Opens `block`; one of that id that was open is closed before. A tool call begins once.
    pub(super) fn open(&mut self, block: Block, parts: &mut Vec<Part>) {
        self.close(block.id, parts);
        if self.ended.contains(&block.id) {
            parts.push(Part::Unreadable("a tool call begins twice"));
            return;
        }
        if block.id == BEYOND || self.open.len() >= OPEN_MAX {
            parts.push(TOO_MANY);
            return;
        }
        self.open.insert(block.id, block.kind);
        parts.push(Part::Open(block));
    }

    /// A piece of `block`, which is opened if it was not.
    pub(super) fn delta(&mut self, block: Block, raw: Range<usize>, parts: &mut Vec<Part>) {
        if self.ended.contains(&block.id) {
            parts.push(Part::Unreadable("a tool call goes on after its end"));
            return;
        }
        if !self.open.contains_key(&block.id) {
            self.open(block, parts);
        }
        if let Some(&kind) = self.open.get(&block.id).filter(|_| !raw.is_empty()) {
            parts.push(Part::Delta(Block { id: block.id, kind }, raw));
        }
    }

    /// Closes the block of this id, if it is open.
    pub(super) fn close(&mut self, id: u64, parts: &mut Vec<Part>) {
        if let Some(kind) = self.open.remove(&id) {
            self.end(Block { id, kind }, parts);
        }
    }

    /// Closes what is open at the first index and of which `kinds` holds.
    pub(super) fn close_at(&mut self, first: u64, kinds: impl Fn(BlockKind) -> bool, parts: &mut Vec<Part>) {
        if first > INDEX_MAX {
            return;
        }
        let base = Self::base(first);
        let end = base | ((1 << (INDEX_BITS + CHANNEL_BITS)) - 1);
        let ids: Vec<u64> = self.open.range(base..=end).filter(|(_, kind)| kinds(**kind)).map(|(id, _)| *id).collect();
        for id in ids {
            self.close(id, parts);
        }
    }

    /// Closes everything.
    pub(super) fn close_all(&mut self, parts: &mut Vec<Part>) {
        for (id, kind) in std::mem::take(&mut self.open) {
            self.end(Block { id, kind }, parts);
        }
    }

    fn end(&mut self, block: Block, parts: &mut Vec<Part>) {
        parts.push(Part::Close(block));
        if matches!(block.kind, BlockKind::ToolJson | BlockKind::ToolText) {
            self.ended.insert(block.id);
        }
        if self.ended.len() > CALLS_MAX {
            parts.push(TOO_MANY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_and_closes_in_turn() {
        let (mut blocks, mut parts) = (Blocks::default(), Vec::new());
        let text = Blocks::block(0, 0, 0, BlockKind::Text);
        let call = Blocks::block(0, 1, 1, BlockKind::ToolJson);
        let other = Blocks::block(1, 0, 0, BlockKind::Text);
        blocks.delta(text, 3..5, &mut parts);
        blocks.open(call, &mut parts);
        blocks.open(text, &mut parts);
        blocks.delta(other, 7..7, &mut parts);
        blocks.close_at(0, |kind| kind == BlockKind::ToolJson, &mut parts);
        blocks.close_all(&mut parts);
        let expected = [
            Part::Open(text),
            Part::Delta(text, 3..5),
            Part::Open(call),
            Part::Close(text),
            Part::Open(text),
            Part::Open(other),
            Part::Close(call),
            Part::Close(text),
            Part::Close(other),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn a_call_neither_goes_on_behind_its_end_nor_begins_again() {
        let call = Blocks::block(0, 1, 3, BlockKind::ToolJson);
        let text = Blocks::block(0, 0, 0, BlockKind::Text);
        for ends in [true, false] {
            let (mut blocks, mut parts) = (Blocks::default(), Vec::new());
            blocks.delta(call, 0..1, &mut parts);
            blocks.delta(text, 1..2, &mut parts);
            match ends {
                true => blocks.close_at(0, |_| true, &mut parts),
                false => blocks.close_all(&mut parts),
            }
            parts.clear();
            blocks.delta(text, 2..3, &mut parts);
            assert_eq!(parts, [Part::Open(text), Part::Delta(text, 2..3)]);
            parts.clear();
            blocks.delta(call, 3..4, &mut parts);
            assert_eq!(parts, [Part::Unreadable("a tool call goes on after its end")]);
            parts.clear();
            blocks.open(call, &mut parts);
            assert_eq!(parts, [Part::Unreadable("a tool call begins twice")]);
        }
    }

    #[test]
    fn too_many_blocks_are_not_read() {
        let (mut blocks, mut parts) = (Blocks::default(), Vec::new());
        for index in 0..=OPEN_MAX as u64 {
            blocks.delta(Blocks::block(index, 0, 0, BlockKind::Text), 0..1, &mut parts);
        }
        assert_eq!(parts.last(), Some(&TOO_MANY));
        assert_eq!(blocks.open.len(), OPEN_MAX);
    }

    #[test]
    fn nor_are_those_that_an_id_has_no_room_for() {
        let (mut blocks, mut parts) = (Blocks::default(), Vec::new());
        let last = Blocks::block(INDEX_MAX, INDEX_MAX, 6, BlockKind::Text);
        blocks.delta(last, 0..1, &mut parts);
        assert_eq!(parts, [Part::Open(last), Part::Delta(last, 0..1)]);
        for (first, second) in [(INDEX_MAX + 1, 0), (0, INDEX_MAX + 1), (u64::MAX, u64::MAX)] {
            parts.clear();
            blocks.close_at(first, |_| true, &mut parts);
            blocks.delta(Blocks::block(first, second, 0, BlockKind::ToolJson), 0..1, &mut parts);
            assert_eq!(parts, [TOO_MANY]);
        }
    }
}
