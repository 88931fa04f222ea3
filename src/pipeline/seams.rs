//! Secrets that are split over adjacent text blocks, looked for once a document is complete.
//!
//! Of a long block only its first and its last bytes can belong to such a secret. Blocks between two long ones are
//! judged together; a row of blocks that was judged before and held nothing is known by the digests of its blocks.

use std::ops::Range;

use super::gathered::SeamHit;
use super::seen::{Clean, Digest, Seen};
use crate::domain::Source;
use crate::scan::{self, Engine, RuleSet, Seam};
use crate::wire::json::{self, Place};

/// Bytes on both sides of a border between text blocks that are searched for a match across it.
const SEAM_BYTES: usize = 512;
/// Hits over borders among which one that was told twice is recognised.
const HITS_RECENT: usize = 64;

/// The text blocks of a document in their order.
#[derive(Default)]
pub(super) struct Seams {
    blocks: Vec<Block>,
    /// The ends of blocks that were read, one after the other.
    ends: Vec<u8>,
    /// The last bytes of the block that is being read, beyond its first.
    tail: Vec<u8>,
    /// Blocks were passed over between the last block and the next, neither of which goes on over them.
    is_parted: bool,
}

/// One text block.
struct Block {
    source: Source,
    place: Place,
    message: Option<u32>,
    /// Its text goes on in no block before it, whoever wrote that.
    is_parted: bool,
    digest: Option<Digest>,
    /// Decoded bytes.
    length: usize,
    /// Its first bytes in `Seams::ends`, and its last ones if it is long; `None` if it was not read.
    ends: Option<(Range<usize>, Range<usize>)>,
}

impl Block {
    /// Whether nothing reaches from one of its ends to the other.
    fn is_long(&self) -> bool {
        self.length > 2 * SEAM_BYTES
    }

    fn goes_on_in(&self, next: &Block) -> bool {
        self.source == next.source && !next.is_parted
    }
}

/// What blocks are judged with.
pub(super) struct Judging<'a> {
    pub(super) raw: &'a [u8],
    pub(super) engine: &'a Engine,
    pub(super) rules: &'a RuleSet,
    /// Where rows without a finding are remembered, under this context.
    pub(super) seen: Option<(&'a Seen, u64)>,
}

impl Seams {
    /// A block of that source is about to be read.
    pub(super) fn begin(&mut self, source: Source, place: Place, message: Option<u32>, digest: Option<Digest>) {
        let at = self.ends.len();
        let is_parted = std::mem::take(&mut self.is_parted);
        let ends = Some((at..at, at..at));
        self.blocks.push(Block { source, place, message, is_parted, digest, length: 0, ends });
    }

    /// A block that is known, and is not read.
    pub(super) fn pass(&mut self, source: Source, place: Place, message: Option<u32>, digest: Digest, length: usize) {
        let is_parted = std::mem::take(&mut self.is_parted);
        self.blocks.push(Block { source, place, message, is_parted, digest: Some(digest), length, ends: None });
    }

    /// Blocks are passed over; no text goes on over the borders on both sides of them.
    pub(super) fn part(&mut self) {
        self.is_parted = true;
    }

    /// How many blocks there are so far.
    pub(super) fn count(&self) -> usize {
        self.blocks.len()
    }

    /// The author of the last block.
    pub(super) fn last_source(&self) -> Option<Source> {
        self.blocks.last().map(|it| it.source)
    }

    /// Whether there is a block of this index, whose text goes on in no block before it.
    pub(super) fn is_parted(&self, index: usize) -> bool {
        let before = index.checked_sub(1).map(|it| &self.blocks[it]);
        self.blocks.get(index).is_some_and(|block| before.is_none_or(|before| !before.goes_on_in(block)))
    }

    /// A decoded piece of the block that is being read.
    pub(super) fn push(&mut self, text: &[u8]) {
        let Some(block) = self.blocks.last_mut() else { return };
        let head = text.len().min(SEAM_BYTES.saturating_sub(block.length));
        block.length += text.len();
        self.ends.extend_from_slice(&text[..head]);
        let rest = &text[head..];
        let rest = &rest[rest.len().saturating_sub(SEAM_BYTES)..];
        if self.tail.len() + rest.len() > 2 * SEAM_BYTES {
            let drop = self.tail.len().saturating_sub(SEAM_BYTES);
            self.tail.drain(..drop);
        }
        self.tail.extend_from_slice(rest);
    }

    /// The block that is being read is complete.
    pub(super) fn end(&mut self) {
        let Some(block) = self.blocks.last_mut() else { return };
        let Some((head, tail)) = &mut block.ends else { return };
        if block.length > 2 * SEAM_BYTES {
            self.tail.drain(..self.tail.len().saturating_sub(SEAM_BYTES));
        }
        head.end = head.start + block.length.min(SEAM_BYTES);
        self.ends.append(&mut self.tail);
        *tail = head.end..self.ends.len();
    }

    /// Everything that is split over borders. Blocks of another author, or of none, end what may be split.
    pub(super) fn judge(&self, judging: &Judging<'_>) -> Result<Vec<SeamHit>, json::Error> {
        let mut found: Vec<SeamHit> = Vec::new();
        let mut seam = None;
        for run in self.blocks.chunk_by(Block::goes_on_in) {
            let mut from = 0;
            for (index, block) in run.iter().enumerate().skip(1) {
                if block.is_long() || index + 1 == run.len() {
                    self.judge_row(&run[from..=index], judging, &mut seam, &mut found)?;
                    from = index;
                }
            }
        }
        Ok(found)
    }

    /// A row whose first and last block may be long, and no other. `seam` is made for the first row that is read.
    fn judge_row(
        &self,
        row: &[Block],
        judging: &Judging<'_>,
        seam: &mut Option<Seam>,
        found: &mut Vec<SeamHit>,
    ) -> Result<(), json::Error> {
        let digest = judging.seen.and_then(|(seen, context)| digest(row, seen, context).map(|it| (seen, it)));
        if digest.is_some_and(|(seen, digest)| seen.recall(digest).is_some()) {
            return Ok(());
        }
        let seam = seam.get_or_insert_with(|| Seam::new(judging.rules.clone(), SEAM_BYTES));
        let mut hits = Vec::new();
        for (number, block) in row.iter().enumerate() {
            let (head, tail) = self.texts(block, judging.raw)?;
            match (block.is_long(), number) {
                (true, 0) => {
                    seam.begin_within(number, block.length - tail.len());
                    seam.push(judging.engine, &tail, &mut hits);
                    seam.end_segment(judging.engine, &mut hits);
                }
                (true, _) => {
                    seam.begin_segment(number);
                    seam.push(judging.engine, &head, &mut hits);
                }
                (false, _) => {
                    seam.begin_segment(number);
                    seam.push(judging.engine, &head, &mut hits);
                    seam.push(judging.engine, &tail, &mut hits);
                    seam.end_segment(judging.engine, &mut hits);
                }
            }
        }
        seam.finish(judging.engine, &mut hits);
        if let (Some((seen, digest)), true) = (digest, hits.is_empty()) {
            seen.remember(digest, Clean { length: row.len() as u64, skipped: None });
        }
        hits.into_iter().for_each(|hit| take(row, hit, found));
        Ok(())
    }

    /// The first bytes of a block and its last ones; together all of it, unless it is long.
    fn texts(&self, block: &Block, raw: &[u8]) -> Result<(Vec<u8>, Vec<u8>), json::Error> {
        if let Some((head, tail)) = &block.ends {
            return Ok((self.ends[head.clone()].to_vec(), self.ends[tail.clone()].to_vec()));
        }
        let text = json::decode(raw, block.place)?.into_bytes();
        let head = text.len().min(SEAM_BYTES);
        let tail = if block.is_long() { text.len() - SEAM_BYTES } else { head };
        Ok((text[..head].to_vec(), text[tail..].to_vec()))
    }
}

/// The digest of a row; `None` where one of its blocks has none.
fn digest(row: &[Block], seen: &Seen, context: u64) -> Option<Digest> {
    let mut all = Vec::with_capacity(16 * row.len());
    for block in row {
        all.extend(block.digest?.bytes());
    }
    let mut about = *b"border----------";
    about[8..].copy_from_slice(&context.to_le_bytes());
    Some(seen.digest(&all, &about))
}

fn take(row: &[Block], hit: scan::SeamHit, found: &mut Vec<SeamHit>) {
    let first = hit.pieces.first().map(|piece| &row[piece.segment]);
    let Some((source, message)) = first.map(|it| (it.source, it.message)) else { return };
    let pieces = hit.pieces.into_iter().map(|it| (row[it.segment].place, it.range)).collect();
    let hit = SeamHit { rule: hit.rule, pieces, source, message };
    let mut recent = found.iter().rev().take(HITS_RECENT);
    if !recent.any(|it| it.rule == hit.rule && it.pieces == hit.pieces) {
        found.push(hit);
    }
}
