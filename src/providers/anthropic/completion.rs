//! Reading Anthropic's message events.

use super::ending::ClientView;
use crate::providers::blocks::Blocks;
use crate::providers::outline::At::{self, Index, Key};
use crate::providers::outline::{Entry, Outline};
use crate::providers::{Block, BlockKind, Completion, Note, Part, Refusal};

/// Events that make the message grow: whoever goes by `event:` and whoever goes by `type` must find the same one.
const GROWING: [&str; 6] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
];

/// Reader of one stream of message events.
#[derive(Default)]
pub(super) struct MessageEvents {
    outline: Outline,
    blocks: Blocks,
    /// The index that the next block has at least: clients append blocks and take indices for places among them.
    next_index: u64,
    client: ClientView,
}

impl Completion for MessageEvents {
    fn read(&mut self, event: &str, data: &[u8], parts: &mut Vec<Part>) -> Note {
        if data.is_empty() {
            return Note::None;
        }
        if self.outline.read(data).is_err() {
            parts.push(Part::Whole(BlockKind::Text, 0..data.len()));
            return Note::None;
        }
        let MessageEvents { outline, blocks, next_index, client } = self;
        let kind = outline.string(&[Key("type")]).unwrap_or(event);
        if is_ambiguous(event, kind) {
            parts.push(Part::Unreadable("an event has another name than its type"));
            return Note::None;
        }
        match kind {
            "message_start" => {
                client.learn_message(outline);
                report_all(outline, parts);
                Note::Start
            }
            "content_block_start" => {
                let index = block_index(outline);
                if index < std::mem::replace(next_index, index.saturating_add(1)) {
                    parts.push(Part::Unreadable("a block begins twice"));
                    return Note::None;
                }
                client.learn_block(narrow(index), outline);
                block_start(outline, blocks, parts)
            }
            "content_block_delta" => {
                block_delta(outline, blocks, parts);
                Note::None
            }
            "content_block_stop" => {
                let index = block_index(outline);
                report_all(outline, parts);
                blocks.close_at(index, |_| true, parts);
                Note::Close { index: narrow(index) }
            }
            "message_delta" => {
                client.learn_usage(outline);
                report_all(outline, parts);
                Note::None
            }
            "message_stop" => {
                report_all(outline, parts);
                blocks.close_all(parts);
                Note::Finish
            }
            "ping" => {
                report_all(outline, parts);
                Note::Idle
            }
            _ => {
                report_all(outline, parts);
                Note::None
            }
        }
    }

    fn released(&mut self, note: Note) {
        self.client.released(note);
    }

    fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        self.client.ending(refusal)
    }

    fn keep_alive(&self) -> &'static [u8] {
        b"event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }
}

/// Whether clients differ in what an event of this name and this type is.
fn is_ambiguous(event: &str, kind: &str) -> bool {
    // An event without a name is called `message`.
    !matches!(event, "" | "message") && event != kind && (GROWING.contains(&event) || GROWING.contains(&kind))
}

fn block_start(outline: &Outline, blocks: &mut Blocks, parts: &mut Vec<Part>) -> Note {
    let index = block_index(outline);
    let kind = match outline.string(&[Key("content_block"), Key("type")]) {
        Some("text") => Some(BlockKind::Text),
        Some("tool_use" | "server_tool_use" | "mcp_tool_use") => Some(BlockKind::ToolJson),
        Some("thinking" | "redacted_thinking") => Some(BlockKind::Thinking),
        // Results of the provider's own tools, and what is not known yet, stand complete in this event.
        _ => None,
    };
    if let Some(kind) = kind {
        blocks.open(block(index, kind), parts);
    }
    for entry in outline.entries() {
        match outline.path(entry) {
            [Key("content_block"), Key("text")] => grow(index, BlockKind::Text, entry, blocks, parts),
            [Key("content_block"), Key("thinking")] => grow(index, BlockKind::Thinking, entry, blocks, parts),
            path => report(path, entry, parts),
        }
    }
    Note::Open { index: narrow(index), kind: kind.unwrap_or(BlockKind::Text) }
}

fn block_delta(outline: &Outline, blocks: &mut Blocks, parts: &mut Vec<Part>) {
    let index = block_index(outline);
    for entry in outline.entries() {
        match outline.path(entry) {
            [Key("delta"), Key("text")] => grow(index, BlockKind::Text, entry, blocks, parts),
            [Key("delta"), Key("partial_json")] => grow(index, BlockKind::ToolJson, entry, blocks, parts),
            [Key("delta"), Key("thinking")] => grow(index, BlockKind::Thinking, entry, blocks, parts),
            path => report(path, entry, parts),
        }
    }
}

fn grow(index: u64, kind: BlockKind, entry: &Entry, blocks: &mut Blocks, parts: &mut Vec<Part>) {
    if let Some(raw) = entry.text() {
        blocks.delta(block(index, kind), raw, parts);
    }
}

fn report_all(outline: &Outline, parts: &mut Vec<Part>) {
    for entry in outline.entries() {
        report(outline.path(entry), entry, parts);
    }
}

/// A string that stands complete: everything but labels and what the provider encrypts and signs for itself.
fn report(path: &[At], entry: &Entry, parts: &mut Vec<Part>) {
    let Some(raw) = entry.text() else { return };
    let kind = match path {
        [Key("type")] | [.., Key("usage"), Key("service_tier" | "inference_geo")] => return,
        [Key("message"), Key("id" | "type" | "role" | "model" | "stop_reason")] => return,
        [Key("content_block" | "delta"), Key("type" | "id" | "tool_use_id" | "signature" | "data" | "stop_reason")] => {
            return;
        }
        [Key("content_block"), Key("input"), ..] => BlockKind::ToolText,
        [Key("content_block"), Key("content"), Index(_), Key("type" | "encrypted_content")] => return,
        [Key("content_block"), Key("content"), Key("type" | "encrypted_content" | "encrypted_stdout")] => return,
        [Key("delta"), Key("citation"), Key("type" | "encrypted_index" | "file_id")] => return,
        [Key("error"), Key("type")] | [Key("request_id")] => return,
        _ => BlockKind::Text,
    };
    parts.push(Part::Whole(kind, raw));
}

fn block(index: u64, kind: BlockKind) -> Block {
    let channel = match kind {
        BlockKind::Text => 0,
        BlockKind::ToolJson => 1,
        BlockKind::ToolText => 2,
        BlockKind::Thinking => 3,
    };
    Blocks::block(index, 0, channel, kind)
}

fn block_index(outline: &Outline) -> u64 {
    outline.number(&[Key("index")]).unwrap_or_default()
}

fn narrow(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
