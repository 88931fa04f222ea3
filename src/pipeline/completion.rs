//! A streamed answer: events are read, held until every text they carry is settled, and passed on whole.
//!
//! An event that nothing changed goes out as the provider sent it, byte for byte.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::block::{Change, GrowingBlock, Mention};
use super::body::Reading;
use super::broken::begins_document;
use super::inbound::{Desk, Input, read_tool, read_whole, sent_in, source_of};
use super::label::OPEN;
use super::queue::{Carried, Edit, EventQueue, Outlet};
use super::redact::{Kept, carried_away};
use super::tally::Tally;
use super::witness::TEXT_BYTES_MAX;
use crate::domain::{Place, Risk, Score, Secret, Skipped, Source, Stamp, Verdict};
use crate::providers::{self, Block, BlockKind, Note, Part, Told};
use crate::scan::Hit;
use crate::wire::encoding::Decoder;
use crate::wire::json;
use crate::wire::sse::{Frame, Parser};

/// A client that hears nothing for so long while events are held is told that the answer goes on.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Largest single event.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Texts that grow or wait at once in one stream: fewer than a reader of events tells apart.
const BLOCKS_MAX: usize = 1000;
/// Longest event that says no more than that the stream ends.
const MARKER_BYTES_MAX: usize = 16;

/// Why a stream must not go on.
pub(super) enum Stop {
    /// A policy blocks it.
    Blocked(Verdict),
    /// It cannot be read, so it cannot be scanned.
    Unreadable(&'static str),
}

/// As many findings as nobody reads.
pub(super) const TOO_MANY_FINDINGS: Stop = Stop::Unreadable("it has more findings than this gateway allows");
/// As many texts as no answer has.
pub(super) const TOO_MANY_PARTS: Stop = Stop::Unreadable("it has too many parts");

/// Reader of one streamed answer.
pub(super) struct CompletionScan {
    reading: Reading,
    reader: Box<dyn providers::Completion>,
    parser: Parser,
    decoder: Option<Decoder>,
    queue: EventQueue,
    /// By a number of their own: an id of the dialect may come back.
    blocks: HashMap<u64, GrowingBlock>,
    /// The numbers of the blocks that grow, by the dialect's id.
    growing: HashMap<u64, u64>,
    next_block: u64,
    /// The text that grew last, and its end once it is complete.
    last_text: Option<u64>,
    last_end: String,
    /// What texts begin with that belongs to secrets that began in the texts before them, and what stands for it.
    ends_of_secrets: Vec<(Secret, String)>,
    pub(super) tally: Tally,
    parts: Vec<Part>,
    hits: Vec<Hit>,
    /// Where strings of the event begin that is read now and that are part of something that is sent, sorted; `None`: all
    /// may be.
    sent: Option<Vec<usize>>,
    held_bytes_max: u64,
    /// Bytes of originals that may still be put back.
    room: u64,
    last_out: Stamp,
    pub(super) told: Told,
    /// What was said, as the provider said it; `None` where it is not kept.
    transcript: Option<String>,
    /// The block that the transcript's end is of.
    speaker: u64,
    /// The client has the event that completes the answer.
    finished: bool,
}

impl CompletionScan {
    /// A reader for an answer in this dialect that begins now. `held_bytes_max` bounds what waits, and what is put back.
    pub(super) fn new(
        reading: Reading,
        reader: Box<dyn providers::Completion>,
        decoder: Option<Decoder>,
        held_bytes_max: u64,
        now: Stamp,
    ) -> Self {
        CompletionScan {
            tally: Tally::new(reading.hits_max),
            reading,
            reader,
            parser: Parser::new(EVENT_BYTES_MAX),
            decoder,
            queue: EventQueue::default(),
            blocks: HashMap::new(),
            growing: HashMap::new(),
            next_block: 0,
            last_text: None,
            last_end: String::new(),
            ends_of_secrets: Vec::new(),
            parts: Vec::new(),
            hits: Vec::new(),
            sent: None,
            held_bytes_max,
            room: held_bytes_max,
            last_out: now,
            told: Told::default(),
            transcript: None,
            speaker: 0,
            finished: false,
        }
    }

    /// What is said is to be kept.
    pub(super) fn write_down(&mut self) {
        self.transcript = Some(String::new());
    }

    /// What was said, as far as it was asked to be kept.
    pub(super) fn transcript(&mut self) -> Option<String> {
        self.transcript.take()
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
            self.read(frame, desk, out)?;
            self.release(out)?;
            if self.queue.held_bytes() > self.held_bytes_max {
                return Err(Stop::Unreadable("it holds more than this gateway may keep back"));
            }
        }
        if last {
            self.end(desk, out)?;
        }
        if out.len() > before {
            self.last_out = now;
        } else if !self.queue.is_empty() && now.since(self.last_out) > SILENCE_MAX {
            self.last_out = now;
            out.extend_from_slice(self.reader.keep_alive());
        }
        Ok(())
    }

    /// The next message of a socket; what may pass is appended to `out`. Whether the answer is complete with it.
    pub(super) fn push_message(
        &mut self,
        message: Bytes,
        desk: &Desk<'_>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<bool, Stop> {
        if message.len() > EVENT_BYTES_MAX {
            return Err(Stop::Unreadable("an event of the answer is too large"));
        }
        self.read(Frame::message(message), desk, out)?;
        self.release(out)?;
        if self.queue.held_bytes() > self.held_bytes_max {
            return Err(Stop::Unreadable("it holds more than this gateway may keep back"));
        }
        Ok(self.finished)
    }

    /// Bytes that end the stream for the client with this notice.
    pub(super) fn ending(&self, refusal: &providers::Refusal) -> Vec<u8> {
        self.reader.ending(refusal)
    }

    /// The same for the client of a socket: the data of each event is a message.
    pub(super) fn ending_messages(&self, refusal: &providers::Refusal) -> Vec<Vec<u8>> {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        match parser.push(&self.ending(refusal)) {
            Ok(()) => parser.map(|frame| frame.data().to_vec()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Bytes of events that wait.
    pub(super) fn held_bytes(&self) -> u64 {
        self.queue.held_bytes()
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

    fn read(&mut self, frame: Frame, desk: &Desk<'_>, out: &mut impl Outlet) -> Result<(), Stop> {
        if frame.is_foreign() {
            return Err(Stop::Unreadable("it is no stream of events"));
        }
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        if frame.has_data() {
            self.told.read(frame.data());
        }
        let note = match frame.has_data() {
            true => self.reader.read(&frame.event().unwrap_or_default(), frame.data(), &mut parts),
            false => Note::Idle,
        };
        if note == Note::Idle && parts.is_empty() && self.waits_for_tool() {
            // It means nothing to the client but that the answer goes on: it need not wait for what is held.
            out.put(frame.raw());
            self.parts = parts;
            return Ok(());
        }
        let is_call = |part: &Part| matches!(part, Part::Whole(BlockKind::ToolText, _));
        let event = self.queue.push(frame, note);
        self.sent = Some(Vec::new());
        if !desk.originals.is_empty() && parts.iter().any(is_call) {
            self.sent = sent_in(&self.reading, self.queue.data(event), desk);
        }
        let read = parts.drain(..).try_for_each(|part| self.part(part, event, desk));
        self.parts = parts;
        read
    }

    /// Texts of different blocks stand on lines of their own.
    fn note_down(&mut self, block: u64, text: &str) {
        let Some(transcript) = self.transcript.as_mut().filter(|it| it.len() < TEXT_BYTES_MAX) else { return };
        if block != self.speaker && !transcript.is_empty() {
            transcript.push('\n');
        }
        self.speaker = block;
        transcript.push_str(text);
    }

    /// Whether a tool call is held that may take long to become complete.
    fn waits_for_tool(&self) -> bool {
        let carried = self.queue.front().into_iter().flatten();
        carried.filter_map(|it| self.blocks.get(&it.block)).any(|block| block.is_held_whole() && !block.closed)
    }

    fn part(&mut self, part: Part, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        match part {
            Part::Open(block) => self.open(block, event, desk),
            Part::Delta(block, range) => self.delta(block, range, event, desk),
            Part::Close(block) => self.close(block.id, desk),
            Part::Whole(kind, range) => self.whole(kind, range, event, desk),
            Part::Unreadable(why) => Err(Stop::Unreadable(why)),
        }
    }

    fn open(&mut self, block: Block, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        if block.kind == BlockKind::Thinking || self.growing.contains_key(&block.id) {
            return Ok(());
        }
        if self.blocks.len() >= BLOCKS_MAX {
            return Err(TOO_MANY_PARTS);
        }
        let rules = self.reading.rules.of(source_of(block.kind));
        let keyed = desk.judge.snapshot.memory.hasher();
        let growing = GrowingBlock::new(block.kind, rules, !desk.originals.is_empty(), keyed);
        let number = self.next_block;
        self.next_block += 1;
        self.blocks.insert(number, growing);
        self.growing.insert(block.id, number);
        // Nothing that belongs to a tool call passes before the call is complete and decided.
        self.carry(event, Carried { block: number, range: 0..0, leaf: 0 })
    }

    fn delta(&mut self, block: Block, range: Range<usize>, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let text = self.decode(event, &range)?;
        if block.kind == BlockKind::Thinking {
            self.tally.coverage.skip(Skipped::Thinking, text.len() as u64);
            return Ok(());
        }
        self.open(block, event, desk)?;
        self.tally.coverage.scanned_bytes += text.len() as u64;
        self.note_down(block.id, &text);
        let Some(&number) = self.growing.get(&block.id) else { return Ok(()) };
        if block.kind == BlockKind::Text && self.last_text != Some(number) {
            self.follow(number);
        }
        let Some(growing) = self.blocks.get_mut(&number) else { return Ok(()) };
        let part = growing.push(&self.reading.engine, &text, &mut self.hits);
        let is_prose = !growing.is_held_whole();
        self.carry(event, Carried { block: number, range: part, leaf: range.start })?;
        if is_prose {
            self.judge_hits(number, desk)?;
            self.put_back(number, desk)?;
        }
        Ok(())
    }

    /// Another text goes on than the one before: a secret may be split over both.
    fn follow(&mut self, number: u64) {
        let end = match self.last_text.replace(number).and_then(|last| self.blocks.get(&last)) {
            Some(open) => open.end(),
            None => std::mem::take(&mut self.last_end),
        };
        if let Some(block) = self.blocks.get_mut(&number) {
            block.follows(&end, &self.reading.rules.seam, &self.reading.engine);
        }
    }

    fn carry(&mut self, event: u64, carried: Carried) -> Result<(), Stop> {
        let Some(block) = self.blocks.get_mut(&carried.block) else { return Ok(()) };
        block.waiting += 1;
        self.queue.carry(event, carried)
    }

    fn close(&mut self, id: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let Some(number) = self.growing.remove(&id) else { return Ok(()) };
        let Some(block) = self.blocks.get_mut(&number) else { return Ok(()) };
        block.close(&self.reading.engine, &mut self.hits);
        match block.is_held_whole() {
            false => {
                if self.last_text == Some(number) {
                    self.last_end = block.end();
                }
                if !desk.originals.is_empty() {
                    self.tally.heard(block.hash());
                }
                self.judge_hits(number, desk)?;
            }
            true => self.close_tool(number, desk)?,
        }
        self.forget_if_done(number);
        Ok(())
    }

    fn close_tool(&mut self, number: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let Some(block) = self.blocks.get(&number) else { return Ok(()) };
        let input = read_tool(&self.reading, block.kind, block.whole(), desk, &mut self.room)?;
        if !input.restored.is_empty() {
            self.tally.restored_in(block.hash(), input.restored.len());
        }
        let changes = self.decide(input, desk)?;
        if let Some(block) = self.blocks.get_mut(&number) {
            changes.into_iter().for_each(|change| block.change(change));
        }
        Ok(())
    }

    /// A string that stands complete in one event.
    fn whole(&mut self, kind: BlockKind, range: Range<usize>, event: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        let text = self.decode(event, &range)?;
        if kind == BlockKind::Thinking {
            self.tally.coverage.skip(Skipped::Thinking, text.len() as u64);
            return Ok(());
        }
        self.tally.coverage.scanned_bytes += text.len() as u64;
        let mut input = read_whole(&self.reading, kind, &text, desk, &mut self.room)?;
        let is_sent = |starts: &Vec<usize>| starts.binary_search(&range.start).is_ok();
        if kind == BlockKind::ToolText && self.sent.as_ref().is_none_or(is_sent) {
            input.put_nothing_back(source_of(kind), &text);
        }
        if !input.restored.is_empty() {
            self.tally.restored_in(hash_of(&text, desk), input.restored.len());
        }
        if kind == BlockKind::Text {
            let end = self.ends_of_secrets.iter().find(|(end, _)| text.starts_with(end.expose()));
            let change = end.map(|(end, label)| restoration(0..end.expose().len(), label.clone()));
            input.restored.extend(change.map(|it| (it.range, it.with)));
        }
        let leaf = is_json_string(self.queue.data(event), &range).then_some(range.start);
        for Change { range, with, .. } in self.decide(input, desk)? {
            self.queue.edit(event, Edit { leaf, span: range, with });
        }
        Ok(())
    }

    /// Decides over what a complete text holds; what changes in it.
    fn decide(&mut self, input: Input, desk: &Desk<'_>) -> Result<Vec<Change>, Stop> {
        let mut changes = match input.located.is_empty() {
            true => Vec::new(),
            false => self.tally.judge(&input.located, desk)?,
        };
        if !input.kept.is_empty() {
            self.tally.keep(&input.kept, desk)?;
        }
        changes.extend(input.restored.into_iter().map(|(range, with)| restoration(range, with)));
        Ok(changes)
    }

    /// Takes the hits in prose and decides on them.
    fn judge_hits(&mut self, number: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        if self.hits.len() > self.reading.hits_max {
            return Err(TOO_MANY_FINDINGS);
        }
        let Some(block) = self.blocks.get_mut(&number) else { return Ok(()) };
        let mut located = block.over_border(&self.reading);
        let split = located.len();
        located.extend(block.located(&self.reading, &self.hits));
        self.hits.clear();
        if located.is_empty() {
            return Ok(());
        }
        let changes = self.tally.judge(&located, desk)?;
        for it in &located[..split] {
            let Some(piece) = it.pieces.first().filter(|piece| changes.iter().any(|it| it.range == **piece)) else {
                continue;
            };
            let end = block.stretch(piece);
            if !self.ends_of_secrets.iter().any(|(known, _)| known.expose() == end) {
                let label = format!("{OPEN}{}]", it.finding.rule.label);
                self.ends_of_secrets.push((Secret::new(end.to_owned()), label));
            }
        }
        for change in changes {
            block.change(change);
        }
        Ok(())
    }

    /// Puts originals back into prose as it grows.
    fn put_back(&mut self, number: u64, desk: &Desk<'_>) -> Result<(), Stop> {
        if desk.originals.is_empty() {
            return Ok(());
        }
        let Some(block) = self.blocks.get_mut(&number) else { return Ok(()) };
        for Mention { span, is_allowed, line } in block.placeholders(desk.originals) {
            let placeholder = block.stretch(&span).to_owned();
            if !is_allowed {
                let place = Place { message: None, path: "answer".into(), line };
                let finding = carried_away(Source::Assistant, place, span);
                self.tally.keep(&[Kept { finding, placeholder }], desk)?;
            } else if let Some(original) = desk.originals.spend(&placeholder, &mut self.room) {
                self.tally.restored += 1;
                block.change(restoration(span, original.expose().to_owned()));
            }
        }
        Ok(())
    }

    fn decode(&self, event: u64, range: &Range<usize>) -> Result<String, Stop> {
        const BROKEN: Stop = Stop::Unreadable("an event of the answer cannot be read");
        let data = self.queue.data(event);
        if is_json_string(data, range) {
            return json::decode(data, json::Place::outer(range.start)).map_err(|_| BROKEN);
        }
        // The reader gave all of an event that it does not understand. What no client can take for JSON may pass; of
        // what some client might, nobody knows what it would read.
        let text = std::str::from_utf8(data.get(range.clone()).unwrap_or_default()).map_err(|_| BROKEN)?;
        let is_marker = text.len() <= MARKER_BYTES_MAX && text.trim() == "[DONE]";
        if begins_document(text) && !is_marker { Err(BROKEN) } else { Ok(text.to_owned()) }
    }

    fn release(&mut self, out: &mut impl Outlet) -> Result<(), Stop> {
        let blocks = &mut self.blocks;
        let decided = |blocks: &HashMap<u64, GrowingBlock>, carried: &Carried| {
            blocks.get(&carried.block).is_none_or(|block| block.is_decided(carried.range.end))
        };
        while let Some(queued) = self.queue.next_ready(|carried| decided(blocks, carried)) {
            let note = queued.note;
            let carries = queued.write(blocks, out)?;
            self.reader.released(note);
            self.finished |= note == Note::Finish;
            for carried in carries {
                if let Some(block) = blocks.get_mut(&carried.block) {
                    block.waiting -= 1;
                    block.passed_on(carried.range.end);
                    if block.closed && block.waiting == 0 {
                        blocks.remove(&carried.block);
                    }
                }
            }
        }
        Ok(())
    }

    fn forget_if_done(&mut self, number: u64) {
        if self.blocks.get(&number).is_some_and(|block| block.waiting == 0) {
            self.blocks.remove(&number);
        }
    }

    /// The provider's side ended: what is still open is decided as it stands.
    fn end(&mut self, desk: &Desk<'_>, out: &mut Vec<u8>) -> Result<(), Stop> {
        if let Some(frame) = self.parser.finish() {
            self.read(frame, desk, out)?;
        }
        let added = self.read_tail(desk, out)?;
        let mut open: Vec<u64> = self.growing.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().try_for_each(|id| self.close(id, desk))?;
        self.release(out)?;
        out.truncate(out.len() - added);
        Ok(())
    }

    /// An event that no blank line ends: some clients read it all the same. One that was cut off within its JSON is
    /// discarded, as clients do. How many bytes were added to it, to be taken from the end of what is put out.
    fn read_tail(&mut self, desk: &Desk<'_>, out: &mut Vec<u8>) -> Result<usize, Stop> {
        let end: &[u8] = match self.parser.tail() {
            [] => return Ok(0),
            [.., b'\n'] => b"\n",
            _ => b"\n\n",
        };
        if self.parser.push(end).is_err() {
            return Ok(0);
        }
        let Some(frame) = self.parser.next() else { return Ok(0) };
        let before = out.len();
        let data = frame.data();
        let is_cut = frame.is_foreign() && !begins_document(&String::from_utf8_lossy(frame.raw()));
        if is_cut || data.trim_ascii_start().starts_with(b"{") && !is_json(data) {
            return Ok(0);
        }
        self.read(frame, desk, out)?;
        if out.len() > before {
            // It overtook what is held and says nothing: unended, it would run into that.
            out.truncate(before);
            return Ok(0);
        }
        Ok(end.len())
    }
}

fn is_json(data: &[u8]) -> bool {
    let mut lexer = json::Lexer::new(json::Limits::default());
    lexer.push(data, &mut ()).and_then(|()| lexer.finish(&mut ())).is_ok()
}

/// A range inside the quotes of a JSON string, not all of an event that is no JSON.
fn is_json_string(data: &[u8], range: &Range<usize>) -> bool {
    range.start.checked_sub(1).and_then(|before| data.get(before)) == Some(&b'"')
}

fn hash_of(text: &str, desk: &Desk<'_>) -> u64 {
    let mut hasher = desk.judge.snapshot.memory.hasher().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What is put back is graver than any label: it is the text that the developer's tools need.
fn restoration(range: Range<usize>, with: String) -> Change {
    Change { range, with, gravity: (Risk::Critical, Score::default()) }
}
