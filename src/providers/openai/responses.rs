//! Reading the events of Responses.

use super::responses_ending::ClientView;
use crate::providers::blocks::Blocks;
use crate::providers::outline::At::{self, Index, Key};
use crate::providers::outline::{Entry, Outline};
use crate::providers::{Block, BlockKind, Completion, Note, Part, Refusal};

/// Reader of one stream of response events.
#[derive(Default)]
pub(super) struct ResponseEvents {
    outline: Outline,
    blocks: Blocks,
    client: ClientView,
}

impl Completion for ResponseEvents {
    fn read(&mut self, event: &str, data: &[u8], parts: &mut Vec<Part>) -> Note {
        if data.is_empty() {
            return Note::None;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.blocks.close_all(parts);
            return Note::Finish;
        }
        if self.outline.read(data).is_err() {
            parts.push(Part::Whole(BlockKind::Text, 0..data.len()));
            return Note::None;
        }
        self.client.learn(&self.outline);
        let event = self.outline.string(&[Key("type")]).unwrap_or(event);
        Event { outline: &self.outline, event }.read(&mut self.blocks, parts)
    }

    fn released(&mut self, note: Note) {
        self.client.released(note);
    }

    fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        self.client.ending(refusal)
    }

    fn keep_alive(&self) -> &'static [u8] {
        b": keep-alive\n\n"
    }
}

/// One event and its type.
struct Event<'a> {
    outline: &'a Outline,
    event: &'a str,
}

impl Event<'_> {
    fn read(&self, blocks: &mut Blocks, parts: &mut Vec<Part>) -> Note {
        let output = self.number("output_index");
        let index = u32::try_from(output).unwrap_or(u32::MAX);
        match self.event {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.report(parts);
                Note::Start
            }
            "response.output_item.added" => {
                let opened = self.opened_by_item(output);
                if let Some(block) = opened {
                    blocks.open(block, parts);
                }
                self.report(parts);
                let kind = match self.outline.string(&[Key("item"), Key("type")]) {
                    Some("message") | None => BlockKind::Text,
                    Some("reasoning") => BlockKind::Thinking,
                    Some(_) => opened.map_or(BlockKind::ToolText, |block| block.kind),
                };
                Note::Open { index, kind }
            }
            "response.output_item.done" => {
                blocks.close_at(output, |_| true, parts);
                self.report(parts);
                Note::Close { index }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                blocks.close_all(parts);
                self.report(parts);
                Note::Finish
            }
            // Nothing of the answer follows; a socket goes on to the next one.
            "error" => {
                blocks.close_all(parts);
                self.report(parts);
                Note::Finish
            }
            event => {
                match event.strip_suffix("delta") {
                    Some(stem) => self.grow(stem, blocks, parts),
                    None => self.part(blocks, parts),
                }
                Note::None
            }
        }
    }

    /// Tool calls are held from their item's beginning, before a first piece of their text is there.
    fn opened_by_item(&self, output: u64) -> Option<Block> {
        let stem = match self.outline.string(&[Key("item"), Key("type")])? {
            "function_call" => "response.function_call_arguments.",
            "mcp_call" => "response.mcp_call_arguments.",
            "custom_tool_call" => "response.custom_tool_call_input.",
            "code_interpreter_call" => "response.code_interpreter_call_code.",
            _ => return None,
        };
        text_of(stem).map(|(channel, kind)| Blocks::block(output, 0, channel, kind))
    }

    fn grow(&self, stem: &str, blocks: &mut Blocks, parts: &mut Vec<Part>) {
        for entry in self.outline.entries() {
            match (self.outline.path(entry), text_of(stem), entry.text()) {
                // Sound in base64; its words come in events of their own.
                ([Key("delta")], None, _) => {}
                ([Key("delta")], Some((channel, kind)), Some(raw)) => {
                    blocks.delta(self.block(channel, kind), raw, parts);
                }
                (path, ..) => report(path, None, entry, parts),
            }
        }
    }

    /// Events about one part of an item: its beginning, its end with the whole text once more, and all others.
    fn part(&self, blocks: &mut Blocks, parts: &mut Vec<Part>) {
        let is_part = self.event.contains("_part.");
        let stem = match self.outline.string(&[Key("part"), Key("type")]).filter(|_| is_part) {
            Some("output_text") => Some("response.output_text."),
            Some("refusal") => Some("response.refusal."),
            Some("reasoning_text") => Some("response.reasoning_text."),
            Some("summary_text") => Some("response.reasoning_summary_text."),
            _ => self.event.strip_suffix("done"),
        };
        let text = stem.and_then(text_of);
        if let Some((channel, kind @ (BlockKind::Text | BlockKind::Thinking))) = text {
            let block = self.block(channel, kind);
            if self.event.ends_with(".added") {
                blocks.open(block, parts);
            } else if self.event.ends_with(".done") {
                blocks.close(block.id, parts);
            }
        }
        for entry in self.outline.entries() {
            let repeated = match self.outline.path(entry) {
                [Key("text" | "refusal" | "arguments" | "input" | "code" | "transcript")] => text,
                [Key("part"), Key("text" | "refusal")] => text,
                _ => None,
            };
            match (repeated, entry.text()) {
                (Some((_, kind)), Some(raw)) => parts.push(Part::Whole(kind, raw)),
                _ => report(self.outline.path(entry), None, entry, parts),
            }
        }
    }

    /// Everything in the event, items with regard to their types.
    fn report(&self, parts: &mut Vec<Part>) {
        let whole = self.outline.entries();
        for run in self.outline.runs(whole, 1) {
            match run.first().map(|entry| self.outline.path(entry)) {
                Some([Key("item"), ..]) => self.report_item(run, 1, parts),
                _ => {
                    for item in self.outline.runs(run, 3) {
                        self.report_item(item, 3, parts);
                    }
                }
            }
        }
    }

    fn report_item(&self, run: &[Entry], depth: usize, parts: &mut Vec<Part>) {
        let typed = |path: &[At]| path.len() == depth + 1 && path.last() == Some(&Key("type"));
        let kind = run.iter().find(|entry| typed(self.outline.path(entry)));
        let kind = kind.and_then(|entry| self.outline.captured(entry));
        for entry in run {
            report(self.outline.path(entry), kind, entry, parts);
        }
    }

    fn block(&self, channel: u8, kind: BlockKind) -> Block {
        let second = match kind {
            BlockKind::Text | BlockKind::Thinking => {
                let summary = self.outline.number(&[Key("summary_index")]);
                summary.unwrap_or_else(|| self.number("content_index"))
            }
            BlockKind::ToolJson | BlockKind::ToolText => 0,
        };
        Blocks::block(self.number("output_index"), second, channel, kind)
    }

    fn number(&self, key: &'static str) -> u64 {
        self.outline.number(&[Key(key)]).unwrap_or_default()
    }
}

/// Channel and kind of the text that an event's type names, up to and with the last dot. `None` for sound.
fn text_of(stem: &str) -> Option<(u8, BlockKind)> {
    match stem {
        "response.output_text." => Some((0, BlockKind::Text)),
        "response.refusal." => Some((1, BlockKind::Text)),
        "response.reasoning_text." => Some((2, BlockKind::Thinking)),
        "response.reasoning_summary_text." | "response.reasoning_summary." => Some((3, BlockKind::Thinking)),
        "response.function_call_arguments." => Some((4, BlockKind::ToolJson)),
        "response.mcp_call_arguments." => Some((5, BlockKind::ToolJson)),
        "response.custom_tool_call_input." => Some((6, BlockKind::ToolText)),
        "response.code_interpreter_call_code." => Some((7, BlockKind::ToolText)),
        "response.audio." | "response.output_audio." => None,
        // What is not known yet: its name tells whether a tool will read it, a person, or the model itself.
        other if other.contains("reasoning") => Some((8, BlockKind::Thinking)),
        other if other.contains("arguments") => Some((9, BlockKind::ToolJson)),
        other if other.contains("call") => Some((10, BlockKind::ToolText)),
        _ => Some((11, BlockKind::Text)),
    }
}

/// A string that stands complete. `item` is the type of the item it stands in.
fn report(path: &[At], item: Option<&str>, entry: &Entry, parts: &mut Vec<Part>) {
    let Some(raw) = entry.text() else { return };
    let kind = match path {
        [Key("type" | "item_id" | "obfuscation")] | [Key("partial_image_b64")] => None,
        [Key("part" | "annotation"), Key("type" | "file_id" | "container_id")] => None,
        [Key("item"), rest @ ..] | [Key("response"), Key("output"), Index(_), rest @ ..] => item_kind(item, rest),
        // What the answer is called.
        [Key("response"), Key(key)] if !matches!(*key, "" | "output_text") => None,
        // The client's own request once more, which was read on its way out.
        [Key("response"), Key("instructions" | "tools" | "tool_choice" | "text" | "metadata" | "prompt"), ..] => None,
        [Key("response"), Key("reasoning"), Key("effort" | "summary")] => None,
        _ => Some(BlockKind::Text),
    };
    if let Some(kind) = kind {
        parts.push(Part::Whole(kind, raw));
    }
}

fn item_kind(item: Option<&str>, rest: &[At]) -> Option<BlockKind> {
    match (item.unwrap_or_default(), rest) {
        (_, [Key("id" | "type" | "status" | "role" | "call_id" | "phase" | "encrypted_content")]) => None,
        (_, [Key("content" | "summary"), Index(_), Key("type")]) => None,
        (_, [Key("content"), Index(_), Key("annotations"), Index(_), Key("type")]) => None,
        ("image_generation_call", [Key("result")]) => None,
        ("reasoning", _) => Some(BlockKind::Thinking),
        (_, [Key("arguments")]) => Some(BlockKind::ToolJson),
        (_, [Key("name" | "server_label")]) => Some(BlockKind::Text),
        (_, [Key("input" | "code" | "action" | "operation"), ..]) => Some(BlockKind::ToolText),
        _ => Some(BlockKind::Text),
    }
}
