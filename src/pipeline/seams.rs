//! Secrets that are split over adjacent text blocks, looked for once a document is complete.
//!
//! Of a long block only its first and its last bytes can belong to such a secret, but for what is as long as a private key:
//! it is followed from where it begins to where it ends. Blocks between two long ones are judged together; a row of blocks that was judged before and held nothing is known by the digests of its blocks.

use std::ops::Range;

use super::gathered::SeamHit;
use super::seen::{Clean, Digest, Seen};
use crate::domain::Source;
use crate::scan::{self, Engine, RuleSet, Seam};
use crate::wire::json::{self, Place};

/// Bytes on both sides of a border between text blocks that are searched for a match across it.
const SEAM_BYTES: usize = 512;
/// Bytes that are followed before it is asked whether anything is still open.
const FOLLOWED_BYTES: usize = 4096;
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
    /// Where something begins in it that its end cuts off.
    open_from: Option<usize>,
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

/// What rows are read with, and what they came to.
struct Reader<'a> {
    /// Made for the first row that is read.
    seam: Option<Seam>,
    judging: &'a Judging<'a>,
    found: Vec<SeamHit>,
}

impl Seams {
    /// A block of that source is about to be read.
    pub(super) fn begin(&mut self, source: Source, place: Place, message: Option<u32>, digest: Option<Digest>) {
        let at = self.ends.len();
        let is_parted = std::mem::take(&mut self.is_parted);
        let ends = Some((at..at, at..at));
        self.blocks.push(Block { source, place, message, is_parted, digest, length: 0, open_from: None, ends });
    }

    /// A block that is known, and is not read.
    pub(super) fn pass(&mut self, source: Source, place: Place, message: Option<u32>, digest: Digest, length: usize) {
        let is_parted = std::mem::take(&mut self.is_parted);
        let digest = Some(digest);
        self.blocks.push(Block { source, place, message, is_parted, digest, length, open_from: None, ends: None });
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

    /// The block that is being read is complete. `open_from`: where something begins in it that may go on in the next.
    pub(super) fn end(&mut self, open_from: Option<usize>) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.open_from = open_from;
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
        let mut reader = Reader { seam: None, judging, found: Vec::new() };
        for run in self.blocks.chunk_by(Block::goes_on_in) {
            let (mut from, mut is_open) = (0, false);
            for (index, block) in run.iter().enumerate().skip(1) {
                if block.is_long() || index + 1 == run.len() {
                    is_open = self.judge_row(run, from..index + 1, is_open, &mut reader)?;
                    from = index;
                }
            }
        }
        Ok(reader.found)
    }

    /// A row whose first and last block may be long, and no other. `is_open`: its first block was read to its end, with the
    /// row before. Whether the same holds of its last one.
    fn judge_row(
        &self,
        run: &[Block],
        row: Range<usize>,
        is_open: bool,
        reader: &mut Reader<'_>,
    ) -> Result<bool, json::Error> {
        let Judging { raw, engine, seen, .. } = reader.judging;
        let digest =
            seen.filter(|_| !is_open).and_then(|(seen, it)| Some((seen, digest(&run[row.clone()], seen, it)?)));
        if digest.is_some_and(|(seen, digest)| seen.recall(digest).is_some()) {
            return Ok(false);
        }
        let seam = reader.seam.get_or_insert_with(|| Seam::new(reader.judging.rules.clone(), SEAM_BYTES));
        let (mut hits, mut goes_on) = (Vec::new(), false);
        for number in row.clone().skip(usize::from(is_open)) {
            let block = &run[number];
            match (block.is_long(), number == row.start) {
                (true, true) => self.begin_in(block, number, raw, seam, engine, &mut hits)?,
                (true, false) => {
                    let (head, _) = self.texts(block, raw)?;
                    seam.begin_segment(number);
                    seam.push(engine, &head, &mut hits);
                    goes_on = follow(block, raw, seam, engine, &mut hits)? && number + 1 < run.len();
                }
                (false, _) => {
                    let (head, tail) = self.texts(block, raw)?;
                    seam.begin_segment(number);
                    seam.push(engine, &head, &mut hits);
                    seam.push(engine, &tail, &mut hits);
                    seam.end_segment(engine, &mut hits);
                }
            }
        }
        if !goes_on {
            seam.finish(engine, &mut hits);
        }
        if let (Some((seen, digest)), true) = (digest, hits.is_empty() && !goes_on) {
            seen.remember(digest, Clean { length: row.len() as u64, skipped: None });
        }
        hits.into_iter().for_each(|hit| take(run, hit, &mut reader.found));
        Ok(goes_on)
    }

    /// The end of a long block, from where something begins that it cuts off.
    fn begin_in(
        &self,
        block: &Block,
        number: usize,
        raw: &[u8],
        seam: &mut Seam,
        engine: &Engine,
        hits: &mut Vec<scan::SeamHit>,
    ) -> Result<(), json::Error> {
        let tail_from = block.length - SEAM_BYTES;
        match block.open_from.filter(|from| *from < tail_from) {
            Some(from) => {
                let text = json::decode(raw, block.place)?;
                seam.begin_within(number, from);
                seam.follow(engine, &text.as_bytes()[from..], hits);
                seam.end_followed(engine);
            }
            None => {
                let (_, tail) = self.texts(block, raw)?;
                seam.begin_within(number, tail_from);
                seam.push(engine, &tail, hits);
                seam.end_segment(engine, hits);
            }
        }
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

/// Reads on in a long block behind its first bytes as long as something is open that began before it; whether that is so at
/// its end. Every byte is followed once at most.
fn follow(
    block: &Block,
    raw: &[u8],
    seam: &mut Seam,
    engine: &Engine,
    hits: &mut Vec<scan::SeamHit>,
) -> Result<bool, json::Error> {
    if !seam.is_open(engine) {
        return Ok(false);
    }
    let text = json::decode(raw, block.place)?;
    for piece in text.as_bytes()[SEAM_BYTES..].chunks(FOLLOWED_BYTES) {
        seam.follow(engine, piece, hits);
        if !seam.is_open(engine) {
            return Ok(false);
        }
    }
    seam.end_followed(engine);
    Ok(true)
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
