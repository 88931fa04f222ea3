//! Complete texts of an answer: a tool's input, a repeated full text, a string that came in one piece.

use std::ops::Range;

use super::body::{BodyScan, Reading, Sources};
use super::gathered::LeafRef;
use super::judge::Judge;
use super::label::Originals;
use super::locate::{Located, in_text, line_at, locate, scan_block};
use super::redact::{Kept, Restored, carried_away, placeholders, put_back};
use super::restore;
use crate::domain::{Direction, Place, Source};
use crate::providers::BlockKind;
use crate::scan::Block;
use crate::wire::json::{Limits, Nested};

/// Nesting of a tool's input; deeper ones are read as plain text.
const TOOL_DEPTH_MAX: u32 = 64;

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

/// Reads the complete input of a tool call: JSON with its strings, or free text.
pub(super) fn read_tool(reading: &Reading, kind: BlockKind, text: &str, desk: &Desk<'_>) -> Input {
    match kind {
        BlockKind::ToolJson => {
            let broken = || read_block(reading, Source::ToolInput, text, Block::Broken, desk);
            read_json(reading, text, desk).unwrap_or_else(broken)
        }
        _ => read_text(reading, Source::ToolInput, text, desk),
    }
}

/// Reads a string that stands complete in one event.
pub(super) fn read_whole(reading: &Reading, kind: BlockKind, text: &str, desk: &Desk<'_>) -> Input {
    match kind {
        BlockKind::Text | BlockKind::Thinking => read_text(reading, Source::Assistant, text, desk),
        BlockKind::ToolJson | BlockKind::ToolText => read_tool(reading, kind, text, desk),
    }
}

fn read_text(reading: &Reading, source: Source, text: &str, desk: &Desk<'_>) -> Input {
    read_block(reading, source, text, Block::Text, desk)
}

fn read_block(reading: &Reading, source: Source, text: &str, block: Block, desk: &Desk<'_>) -> Input {
    let hits = scan_block(reading, source, text, block);
    let located = hits.iter().map(|hit| in_text(reading, source, text, hit, path_of(source))).collect();
    let mut input = Input { located, ..Input::default() };
    for span in placeholders(text, desk.originals) {
        let allowed = match source {
            Source::ToolInput => restore::allowed_in_free_text(text, span.start),
            _ => restore::allowed_in_text(&text[..span.start]),
        };
        match desk.originals.original(&text[span.clone()]) {
            Some(original) if allowed => input.restored.push((span, original.expose().to_owned())),
            _ => {
                let place = Place { message: None, path: path_of(source).into(), line: line_at(text, span.start) };
                let placeholder = text[span.clone()].to_owned();
                input.kept.push(Kept { finding: carried_away(source, place, span), placeholder });
            }
        }
    }
    input
}

/// `None` if the text is not JSON.
fn read_json(reading: &Reading, text: &str, desk: &Desk<'_>) -> Option<Input> {
    let restores = !desk.originals.is_empty();
    let reading = Reading { sources: Sources::Only(Source::ToolInput), ..reading.clone() };
    let hasher = desk.judge.snapshot.memory.hasher();
    let mut scan = BodyScan::new(reading.clone(), hasher, restores);
    let mut lexer = Nested::new(Limits { depth_max: TOOL_DEPTH_MAX });
    lexer.push(text.as_bytes(), &mut scan).and_then(|()| lexer.finish(&mut scan)).ok()?;
    let mut gathered = scan.finish(text.as_bytes()).ok()?;
    let mut located = locate(text.as_bytes(), &reading, &mut gathered).ok()?;
    desk.judge.settle(Direction::Inbound, &mut located);
    let leaves: Vec<LeafRef> = gathered.leaves.unwrap_or_default();
    let Restored { edits, kept } = put_back(text.as_bytes(), &leaves, desk.originals).ok()?;
    let restored =
        edits.into_iter().map(|(range, with)| (range, String::from_utf8_lossy(&with).into_owned())).collect();
    Some(Input { located, restored, kept })
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
