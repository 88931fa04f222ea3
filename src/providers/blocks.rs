//! Which growing texts of a stream are open, so that every block opens once, closes once and grows only in between.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Block, BlockKind, Part};

/// No answer has more texts growing at once; further ones are reported piece by piece.
const OPEN_MAX: usize = 1024;

/// Bits of an index within an id. Larger indices share ids, which merges texts but loses none.
const INDEX_BITS: u32 = 28;
const CHANNEL_BITS: u32 = 8;

/// Open blocks, ordered by id.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    open: BTreeMap<u64, BlockKind>,
}

impl Blocks {
    /// The block for a text: `first` is the choice, item or block index, `second` the part or call within it,
    /// `channel` tells apart texts of the same indices.
    pub(super) fn block(first: u64, second: u64, channel: u8, kind: BlockKind) -> Block {
        let id = Self::base(first) | (second & ((1 << INDEX_BITS) - 1)) << CHANNEL_BITS | u64::from(channel);
        Block { id, kind }
    }

    fn base(first: u64) -> u64 {
        (first & ((1 << INDEX_BITS) - 1)) << (INDEX_BITS + CHANNEL_BITS)
    }

    /// Opens `block`; one of that id that was open is closed before.
    pub(super) fn open(&mut self, block: Block, parts: &mut Vec<Part>) {
        self.close(block.id, parts);
        if self.open.len() < OPEN_MAX {
            self.open.insert(block.id, block.kind);
            parts.push(Part::Open(block));
        }
    }

    /// A piece of `block`, which is opened if it was not.
    pub(super) fn delta(&mut self, block: Block, raw: Range<usize>, parts: &mut Vec<Part>) {
        if !self.open.contains_key(&block.id) {
            self.open(block, parts);
        }
        if raw.is_empty() {
            return;
        }
        parts.push(match self.open.get(&block.id) {
            Some(&kind) => Part::Delta(Block { id: block.id, kind }, raw),
            None => Part::Whole(block.kind, raw),
        });
    }

    /// Closes the block of this id, if it is open.
    pub(super) fn close(&mut self, id: u64, parts: &mut Vec<Part>) {
        if let Some(kind) = self.open.remove(&id) {
            parts.push(Part::Close(Block { id, kind }));
        }
    }

    /// Closes what is open at the first index and of which `kinds` holds.
    pub(super) fn close_at(&mut self, first: u64, kinds: impl Fn(BlockKind) -> bool, parts: &mut Vec<Part>) {
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
            parts.push(Part::Close(Block { id, kind }));
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
    fn too_many_blocks_are_read_piece_by_piece() {
        let (mut blocks, mut parts) = (Blocks::default(), Vec::new());
        for index in 0..=OPEN_MAX as u64 {
            blocks.delta(Blocks::block(index, 0, 0, BlockKind::Text), 0..1, &mut parts);
        }
        assert_eq!(parts.last(), Some(&Part::Whole(BlockKind::Text, 0..1)));
        assert_eq!(blocks.open.len(), OPEN_MAX);
    }
}
