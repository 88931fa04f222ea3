//! Complete texts of an answer: a tool's input, a repeated full text, a string that came in one piece.

use std::ops::Range;

use super::body::{BodyScan, Reading, Sources};
use super::broken;
use super::completion::{Stop, TOO_MANY_FINDINGS};
use super::gathered::LeafRef;
use super::judge::Judge;
use super::label::Originals;
use super::locate::{Lines, Located, in_text, locate, scan_block};
use super::markup::Markup;
use super::redact::{Kept, Restored, carried_away, is_sent, placeholders, put_back, sending};
use super::restore::{FreeText, allowed_in_text};
use crate::domain::{Direction, Place, Source};
use crate::providers::BlockKind;
use crate::scan::Block;
use crate::wire::json::{ErrorKind, Limits, Nested};

/// What an answer is judged with and restored from.
pub(super) struct Desk<'a> {
    pub(super) judge: &'a Judge,
    pub(super) originals: &'a Originals,
}

/// What a complete text holds. Ranges and texts are in terms of the text itself.
#[derive(Default)]
pub(super) struct Input {
    pub(super) located: Vec<Located>,
    pub(super) restored: Vec<(Range<usize>, String)>,
    pub(super) kept: Vec<Kept>,
}

impl Input {
    /// Leaves every placeholder as it is.
    pub(super) fn put_nothing_back(&mut self, source: Source, text: &str) {
        let mut lines = Lines::of(text);
        for (span, _) in std::mem::take(&mut self.restored) {
            self.keep(source, &mut lines, span);
        }
    }

    fn keep(&mut self, source: Source, lines: &mut Lines<'_>, span: Range<usize>) {
        let place = Place { message: None, path: path_of(source).into(), line: lines.at(span.start) };
        let placeholder = lines.text[span.clone()].to_owned();
        self.kept.push(Kept { finding: carried_away(source, place, span), placeholder });
    }
}

/// Reads the complete input of a tool call: JSON with its strings, or free text. `room` is how many bytes of originals may
/// still be put back.
pub(super) fn read_tool(
    reading: &Reading,
    kind: BlockKind,
    text: &str,
    desk: &Desk<'_>,
    room: &mut u64,
) -> Result<Input, Stop> {
    match kind {
        BlockKind::ToolJson => Ok(match read_json(reading, text, desk, room)? {
            Some(input) => input,
            None if broken::begins_document(text) => broken::read(reading, text)?,
            None => read_block(reading, Source::ToolInput, text, Block::Broken, desk, room)?,
        }),
        _ => read_block(reading, Source::ToolInput, text, Block::Text, desk, room),
    }
}

/// The same for a string that stands complete in one event.
pub(super) fn read_whole(
    reading: &Reading,
    kind: BlockKind,
    text: &str,
    desk: &Desk<'_>,
    room: &mut u64,
) -> Result<Input, Stop> {
    match kind {
        BlockKind::Text | BlockKind::Thinking => read_block(reading, Source::Assistant, text, Block::Text, desk, room),
        BlockKind::ToolJson | BlockKind::ToolText => read_tool(reading, kind, text, desk, room),
    }
}

fn read_block(
    reading: &Reading,
    source: Source,
    text: &str,
    block: Block,
    desk: &Desk<'_>,
    room: &mut u64,
) -> Result<Input, Stop> {
    let hits = scan_block(reading, source, text, block);
    if hits.len() > reading.hits_max {
        return Err(TOO_MANY_FINDINGS);
    }
    let mut lines = Lines::of(text);
    let located = hits.iter().map(|hit| in_text(reading, source, &mut lines, hit, path_of(source))).collect();
    let mut input = Input { located, ..Input::default() };
    let (mut markup, mut read, mut free) = (Markup::default(), 0, FreeText::of(text));
    for span in placeholders(text, desk.originals) {
        markup.read(&text[read..span.start]);
        read = span.start;
        let is_allowed = match source {
            Source::ToolInput => free.allows(span.start),
            _ => allowed_in_text(&text[..span.start], &markup),
        };
        if !is_allowed {
            input.keep(source, &mut lines, span);
        } else if let Some(original) = desk.originals.spend(&text[span.clone()], room) {
            input.restored.push((span, original.expose().to_owned()));
        }
    }
    Ok(input)
}

/// The strings of an event that are part of something that is sent, by where they begin: a command's words, what goes to an
/// address. Sorted; `None` where that cannot be told.
pub(super) fn sent_in(reading: &Reading, event: &[u8], desk: &Desk<'_>) -> Option<Vec<usize>> {
    let reading = Reading { sources: Sources::Only(Source::ToolInput), ..reading.clone() };
    let mut scan = BodyScan::new(reading, desk.judge.snapshot.memory.hasher(), true);
    let mut lexer = Nested::new(Limits { depth_max: desk.judge.snapshot.limits.json_depth_max });
    lexer.push(event, &mut scan).and_then(|()| lexer.finish(&mut scan)).ok()?;
    let leaves = scan.finish(event).ok()?.leaves.unwrap_or_default();
    let calls = sending(event, &leaves, desk.originals).ok()?;
    let sent = leaves.iter().filter(|leaf| is_sent(&calls, &leaf.path));
    let mut starts: Vec<usize> = sent.map(|leaf| leaf.place.start).collect();
    starts.sort_unstable();
    Some(starts)
}

/// `None` if the text is not JSON. What goes beyond the limits may be JSON for others, so that nobody knows what it says.
fn read_json(reading: &Reading, text: &str, desk: &Desk<'_>, room: &mut u64) -> Result<Option<Input>, Stop> {
    const TOO_DEEP: Stop = Stop::Unreadable("the input of a tool is nested too deep to be scanned");
    let restores = !desk.originals.is_empty();
    let reading = Reading { sources: Sources::Only(Source::ToolInput), ..reading.clone() };
    let hasher = desk.judge.snapshot.memory.hasher();
    let mut scan = BodyScan::new(reading.clone(), hasher, restores);
    let mut lexer = Nested::of_python(Limits { depth_max: desk.judge.snapshot.limits.json_depth_max });
    let read = lexer.push(text.as_bytes(), &mut scan).and_then(|()| lexer.finish(&mut scan));
    if read.is_err_and(|it| matches!(it.kind, ErrorKind::Depth | ErrorKind::NumberTooLong)) {
        return Err(TOO_DEEP);
    }
    if read.is_err() {
        return Ok(None);
    }
    let Ok(mut gathered) = scan.finish(text.as_bytes()) else { return Ok(None) };
    if gathered.too_deep {
        return Err(TOO_DEEP);
    }
    if gathered.overflow {
        return Err(TOO_MANY_FINDINGS);
    }
    let Ok(mut located) = locate(text.as_bytes(), &reading, &mut gathered) else { return Ok(None) };
    desk.judge.settle(Direction::Inbound, &mut located);
    let leaves: Vec<LeafRef> = gathered.leaves.unwrap_or_default();
    let put_back = put_back(text.as_bytes(), &leaves, desk.originals, room);
    let Ok(Restored { edits, kept }) = put_back else { return Ok(None) };
    let restored =
        edits.into_iter().map(|(range, with)| (range, String::from_utf8_lossy(&with).into_owned())).collect();
    Ok(Some(Input { located, restored, kept }))
}

/// Where the text of a growing block comes from.
pub(super) fn source_of(kind: BlockKind) -> Source {
    match kind {
        BlockKind::Text | BlockKind::Thinking => Source::Assistant,
        BlockKind::ToolJson | BlockKind::ToolText => Source::ToolInput,
    }
}

fn path_of(source: Source) -> &'static str {
    match source {
        Source::ToolInput => "tool input",
        _ => "answer",
    }
}
