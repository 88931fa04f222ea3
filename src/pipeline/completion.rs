//! A streamed answer: events are read, held until every text they carry is settled, and passed on whole.
//!
//! An event that nothing changed goes out as the provider sent it, byte for byte.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::ops::Range;
use std::time::Duration;

use super::block::GrowingBlock;
use super::body::Reading;
use super::inbound::{Desk, read_tool, read_whole};
use super::label::OPEN;
use super::locate::{Located, in_text};
use super::redact::{carried_away, placeholders};
use super::restore;
use crate::domain::{Action, Coverage, Direction, Finding, Place, Skipped, Source, Stamp, Verdict};
use crate::providers::{self, Block, BlockKind, Note, Part};
use crate::scan::Hit;
use crate::wire::encoding::Decoder;
use crate::wire::json;
use crate::wire::splice::Splices;
use crate::wire::sse::{Frame, Parser};

/// A client that hears nothing for so long while events are held is told that the answer goes on.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Largest single event.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Texts that grow at once in one stream.
const BLOCKS_MAX: usize = 4096;

/// Why a stream must not go on.
pub(super) enum Stop {
    /// A policy blocks it.
    Blocked(Verdict),
    /// It cannot be read, so it cannot be scanned.
    Unreadable(&'static str),
}

/// One event that waits.
struct Queued {
    frame: Frame,
    note: Note,
    /// Blocks that must be settled up to an offset, or closed.
    needs: Vec<(u64, usize)>,
    edits: Vec<Edit>,
}

/// A change to one string of an event.
struct Edit {
    /// Where the string begins in the event's JSON.
    leaf: usize,
    /// Bytes of the decoded string.
    span: Range<usize>,
    with: String,
}

/// Reader of one streamed answer.
pub(super) struct CompletionScan {
    reading: Reading,
    reader: Box<dyn providers::Completion>,
    parser: Parser,
    decoder: Option<Decoder>,
    queue: VecDeque<Queued>,
    /// Number of the first event in the queue.
    first: u64,
    blocks: HashMap<u64, GrowingBlock>,
    parts: Vec<Part>,
    hits: Vec<Hit>,
    seen: HashSet<u64>,
    pub(super) findings: Vec<Finding>,
    pub(super) verdict: Verdict,
    pub(super) coverage: Coverage,
    pub(super) restored: u32,
    held_bytes: u64,
    bytes_max: u64,
    last_out: Stamp,
}

impl CompletionScan {
    /// A reader for an answer in this dialect that begins now.
    pub(super) fn new(
        reading: Reading,
        reader: Box<dyn providers::Completion>,
        decoder: Option<Decoder>,
        bytes_max: u64,
        now: Stamp,
    ) -> Self {
        CompletionScan {
            reading,
            reader,
            parser: Parser::new(EVENT_BYTES_MAX),
            decoder,
            queue: VecDeque::new(),
            first: 0,
            blocks: HashMap::new(),
            parts: Vec::new(),
            hits: Vec::new(),
            seen: HashSet::new(),
            findings: Vec::new(),
            verdict: Verdict::default(),
            coverage: Coverage::default(),
            restored: 0,
            held_bytes: 0,
            bytes_max,
            last_out: now,
        }
    }

    /// The next bytes of the answer; what may pass is appended to `out`.
    pub(super) fn push(
        &mut self,
        chunk: &[u8],
        last: bool,
        now: Stamp,
        desk: &Desk<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let before = out.len();
        self.feed(chunk, last)?;
        while let Some(frame) = self.parser.next() {
            self.read(frame, desk)?;
            self.release(desk, out)?;
        }
        if last {
            self.end(desk, out)?;
        }
        if self.held_bytes > self.bytes_max {
            return Err(Stop::Unreadable("the answer holds more than this gateway may keep back"));
        }
        if out.len() > before {
            self.last_out = now;
        } else if !self.queue.is_empty() && now.since(self.last_out) > SILENCE_MAX {
            self.last_out = now;
            out.extend_from_slice(self.reader.keep_alive());
        }
        Ok(())
    }

    /// Bytes that end the stream for the client with this notice.
    pub(super) fn ending(&self, refusal: &providers::Refusal) -> Vec<u8> {
        self.reader.ending(refusal)
    }

    /// Bytes of events that wait.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    fn feed(&mut self, chunk: &[u8], last: bool) -> Result<(), Stop> {
        const BROKEN: Stop = Stop::Unreadable("the provider's content encoding is broken");
        let Some(decoder) = &mut self.decoder else {
            return self.parser.push(chunk).map_err(|_| Stop::Unreadable("an event of the answer is too large"));
        };
        let mut plain = Vec::new();
        decoder.push(chunk, &mut plain).map_err(|_| BROKEN)?;
        if last {
            decoder.finish(&mut plain).map_err(|_| BROKEN)?;
        }
        self.parser.push(&plain).map_err(|_| Stop::Unreadable("an event of the answer is too large"))
    }

    fn read(&mut self, frame: Frame, desk: &Desk<'_>) -> Result<(), Stop> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        let note = match frame.has_data() {
            true => self.reader.read(&frame.event().unwrap_or_default(), frame.data(), &mut parts),
            false => Note::None,
        };
        let event = self.first + self.queue.len() as u64;
        self.held_bytes += frame.raw().len() as u64;
        self.queue.push_back(Queued { frame, note, needs: Vec::new(), edits: Vec::new() });
        let read = parts.drain(..).try_for_each(|part| self.part(part, event, desk));
        self.parts = parts;
        read
    }

    fn part(&mut self, part: Part, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        match part {
            Part::Open(block) => self.open(block, event),
            Part::Delta(block, range) => {
                self.open(block, event)?;
                self.delta(block, range, event, desk)
            }
            Part::Close(block) => self.close(block.id, desk),
            Part::Whole(kind, range) => self.whole(kind, range, event, desk),
        }
    }

    fn open(&mut self, block: Block, event: u64) -> Result<(), Stop> {
        if self.blocks.len() >= BLOCKS_MAX {
            return Err(Stop::Unreadable("the answer has too many parts"));
        }
        let source = source_of(block.kind);
        let growing =
            self.blocks.entry(block.id).or_insert_with(|| GrowingBlock::new(block.kind, self.reading.rules.of(source)));
        if growing.is_held_whole() {
            // Nothing that belongs to a tool call passes before the call is complete and decided.
            self.need(event, block.id, usize::MAX);
        }
        Ok(())
    }

    fn delta(&mut self, block: Block, range: Range<usize>, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let text = self.decode(event, &range)?;
        if block.kind == BlockKind::Thinking {
            self.coverage.skip(Skipped::Thinking, text.len() as u64);
            return Ok(());
        }
        self.coverage.scanned_bytes += text.len() as u64;
        let Some(growing) = self.blocks.get_mut(&block.id) else { return Ok(()) };
        growing.push(&self.reading.engine, &text, event, range.start, &mut self.hits);
        let end = growing.text.len();
        if !growing.is_held_whole() {
            self.need(event, block.id, end);
            self.found_in_block(block.id, desk)?;
            self.put_back_in_block(block.id, desk);
        }
        Ok(())
    }

    fn close(&mut self, id: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let Some(growing) = self.blocks.get_mut(&id).filter(|it| !it.closed) else { return Ok(()) };
        growing.close(&self.reading.engine, &mut self.hits);
        match growing.is_held_whole() {
            false => self.found_in_block(id, desk),
            true => self.close_tool(id, desk),
        }
    }

    fn close_tool(&mut self, id: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let Some(growing) = self.blocks.get(&id) else { return Ok(()) };
        let input = read_tool(&self.reading, growing.kind, &growing.text, desk);
        let edits = self.judge(input.located, desk)?;
        self.keep(input.kept, desk)?;
        self.restored += input.restored.len() as u32;
        for (range, with) in edits.into_iter().chain(input.restored) {
            self.edit(id, range, &with)?;
        }
        Ok(())
    }

    /// A string that stands complete in one event.
    fn whole(&mut self, kind: BlockKind, range: Range<usize>, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let text = self.decode(event, &range)?;
        if kind == BlockKind::Thinking {
            self.coverage.skip(Skipped::Thinking, text.len() as u64);
            return Ok(());
        }
        self.coverage.scanned_bytes += text.len() as u64;
        let input = read_whole(&self.reading, kind, &text, desk);
        let edits = self.judge(input.located, desk)?;
        self.keep(input.kept, desk)?;
        let queued = &mut self.queue[(event - self.first) as usize];
        for (span, with) in edits.into_iter().chain(input.restored) {
            queued.edits.push(Edit { leaf: range.start, span, with });
        }
        Ok(())
    }

    /// Takes the hits in prose and decides on them.
    fn found_in_block(&mut self, id: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        if self.hits.is_empty() {
            return Ok(());
        }
        let Some(growing) = self.blocks.get(&id) else { return Ok(()) };
        let located =
            self.hits.drain(..).map(|hit| in_text(&self.reading, Source::Assistant, &growing.text, &hit, "answer"));
        let located: Vec<Located> = located.collect();
        for (range, with) in self.judge(located, desk)? {
            self.edit(id, range, &with)?;
        }
        Ok(())
    }

    fn put_back_in_block(&mut self, id: u64, desk: &Desk<'_>) {
        if desk.originals.is_empty() {
            return;
        }
        let Some(growing) = self.blocks.get_mut(&id) else { return };
        let from = growing.restored_to;
        let found = placeholders(&growing.text[from..], desk.originals);
        growing.searched();
        let mut edits = Vec::new();
        for span in found {
            let span = from + span.start..from + span.end;
            let before = &growing.text[context_start(&growing.text, span.start)..span.start];
            match desk.originals.original(&growing.text[span.clone()]) {
                Some(original) if restore::allowed_in_text(before) => edits.push((span, original.clone())),
                _ => {
                    let place = Place { message: None, path: "answer".into(), line: 1 };
                    self.findings.push(carried_away(Source::Assistant, place, span));
                }
            }
        }
        self.restored += edits.len() as u32;
        for (span, original) in edits {
            // An event that has left can no longer be changed; `settled` keeps it while a placeholder may still open.
            let _ = self.edit(id, span, original.expose());
        }
    }

    /// Adds findings, decides over all of them, and gives the redactions among the new ones.
    fn judge(&mut self, located: Vec<Located>, desk: &Desk<'_>) -> Result<Vec<(Range<usize>, String)>, Stop> {
        if located.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.findings.len();
        let mut indices = Vec::with_capacity(located.len());
        for it in &located {
            // Some events repeat what others brought: the same thing is one finding.
            let hash = desk.judge.snapshot.memory.hasher().hash_one((&it.finding.rule.id, it.text.expose()));
            if self.seen.insert(hash) || self.findings.len() == before {
                indices.push(self.findings.len());
                self.findings.push(it.finding.clone());
            } else {
                let same = self.findings.iter().rposition(|other| other.rule.id == it.finding.rule.id);
                indices.push(same.unwrap_or(self.findings.len() - 1));
            }
        }
        self.verdict = desk.judge.decide(Direction::Inbound, &self.findings);
        if self.verdict.action == Action::Block || self.findings.len() > self.reading.hits_max {
            return Err(Stop::Blocked(self.verdict.clone()));
        }
        let redacted = |&(_, index): &(&Located, usize)| self.verdict.dispositions.get(index) == Some(&Action::Redact);
        let cuts = located.iter().zip(indices).filter(redacted);
        Ok(cuts.flat_map(|(it, _)| it.pieces.iter().map(|range| (range.clone(), label(it)))).collect())
    }

    fn keep(&mut self, kept: Vec<Finding>, desk: &Desk<'_>) -> Result<(), Stop> {
        if kept.is_empty() {
            return Ok(());
        }
        self.findings.extend(kept);
        self.verdict = desk.judge.decide(Direction::Inbound, &self.findings);
        match self.verdict.action {
            Action::Block => Err(Stop::Blocked(self.verdict.clone())),
            _ => Ok(()),
        }
    }

    /// Changes bytes of a block's text in the events that carry them: the first takes the new text, the others lose theirs.
    fn edit(&mut self, id: u64, range: Range<usize>, with: &str) -> Result<(), Stop> {
        let Some(growing) = self.blocks.get(&id) else { return Ok(()) };
        let from = growing.pieces.partition_point(|piece| piece.range.end <= range.start);
        let mut with = Some(with);
        for piece in growing.pieces.iter().skip(from).take_while(|piece| piece.range.start < range.end) {
            let Some(queued) = piece.event.checked_sub(self.first).and_then(|at| self.queue.get_mut(at as usize))
            else {
                return Err(Stop::Unreadable("a part of the answer left before it was decided"));
            };
            let start = range.start.max(piece.range.start) - piece.range.start;
            let end = range.end.min(piece.range.end) - piece.range.start;
            queued.edits.push(Edit {
                leaf: piece.leaf,
                span: start..end,
                with: with.take().unwrap_or_default().to_owned(),
            });
        }
        Ok(())
    }

    fn need(&mut self, event: u64, block: u64, upto: usize) {
        self.queue[(event - self.first) as usize].needs.push((block, upto));
    }

    fn decode(&self, event: u64, range: &Range<usize>) -> Result<String, Stop> {
        let data = self.queue[(event - self.first) as usize].frame.data();
        match data.get(range.start.wrapping_sub(1)) {
            Some(b'"') => json::decode(data, json::Place::outer(range.start))
                .map_err(|_| Stop::Unreadable("an event of the answer is not JSON")),
            // Not a JSON string: the reader gave all of an event that it does not understand.
            _ => Ok(String::from_utf8_lossy(data.get(range.clone()).unwrap_or_default()).into_owned()),
        }
    }

    fn release(&mut self, desk: &Desk<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
        let restores = !desk.originals.is_empty();
        while let Some(front) = self.queue.front() {
            let blocks = &mut self.blocks;
            let ready = front.needs.iter().all(|(id, upto)| {
                blocks.get_mut(id).is_none_or(|block| block.closed || block.settled(restores) >= *upto)
            });
            if !ready {
                break;
            }
            let Some(queued) = self.queue.pop_front() else { break };
            self.first += 1;
            self.held_bytes -= queued.frame.raw().len() as u64;
            write(&queued, out)?;
            self.reader.released(queued.note);
            for (id, _) in &queued.needs {
                if let Some(block) = self.blocks.get_mut(id) {
                    block.forget_before(self.first);
                }
            }
        }
        Ok(())
    }

    /// The provider's side ended: what is still open is decided as it stands.
    fn end(&mut self, desk: &Desk<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
        if let Some(frame) = self.parser.finish() {
            self.read(frame, desk)?;
        }
        let open: Vec<u64> = self.blocks.iter().filter(|(_, it)| !it.closed).map(|(id, _)| *id).collect();
        open.into_iter().try_for_each(|id| self.close(id, desk))?;
        self.release(desk, out)
    }
}

fn source_of(kind: BlockKind) -> Source {
    match kind {
        BlockKind::Text | BlockKind::Thinking => Source::Assistant,
        BlockKind::ToolJson | BlockKind::ToolText => Source::ToolInput,
    }
}

/// The label that replaces a finding in an answer; nobody puts it back.
fn label(located: &Located) -> String {
    format!("{OPEN}{}]", located.finding.rule.label)
}

/// A character border at most so far before `at`.
fn context_start(text: &str, at: usize) -> usize {
    let mut start = at.saturating_sub(restore::CONTEXT_BYTES_MAX);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    start
}

fn write(queued: &Queued, out: &mut Vec<u8>) -> Result<(), Stop> {
    const BROKEN: Stop = Stop::Unreadable("an event of the answer cannot be edited");
    if queued.edits.is_empty() {
        out.extend_from_slice(queued.frame.raw());
        return Ok(());
    }
    let data = queued.frame.data();
    let mut splices = Splices::new();
    for edit in &queued.edits {
        let place = json::Place::outer(edit.leaf);
        let ranges = json::locate(data, place, std::slice::from_ref(&edit.span)).map_err(|_| BROKEN)?;
        for range in ranges {
            let mut with = Vec::new();
            json::escape(&edit.with, 1, &mut with);
            splices.replace(range, with);
        }
    }
    let edited = splices.apply(data).map_err(|_| BROKEN)?;
    out.extend_from_slice(&queued.frame.with_data(&edited));
    Ok(())
}
