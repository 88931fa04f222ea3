//! Reading the chunks of Chat Completions and of legacy Completions.

use std::collections::VecDeque;

use super::chat_ending::ClientView;
use crate::providers::blocks::Blocks;
use crate::providers::outline::At::{self, Index, Key};
use crate::providers::outline::{Entry, Outline};
use crate::providers::{BlockKind, Completion, Note, Part, Refusal};

/// Texts of one choice that grow side by side, and their place in a block's id.
#[derive(Clone, Copy)]
enum Channel {
    Content,
    Refusal,
    Reasoning,
    Arguments,
    Input,
    FunctionCall,
    Transcript,
}

impl Channel {
    fn kind(self) -> BlockKind {
        match self {
            Channel::Content | Channel::Refusal | Channel::Transcript => BlockKind::Text,
            Channel::Reasoning => BlockKind::Thinking,
            Channel::Arguments | Channel::FunctionCall => BlockKind::ToolJson,
            Channel::Input => BlockKind::ToolText,
        }
    }
}

/// Reader of one stream of chunks.
#[derive(Default)]
pub(super) struct ChatEvents {
    outline: Outline,
    blocks: Blocks,
    client: ClientView,
    /// Of each chunk with several choices that is not released, what it changes for them.
    several: VecDeque<Vec<Note>>,
}

impl ChatEvents {
    /// For `/v1/completions`, whose chunks hold `text` in place of a `delta`.
    pub(super) fn legacy() -> Self {
        ChatEvents { client: ClientView::legacy(), ..ChatEvents::default() }
    }
}

impl Completion for ChatEvents {
    fn read(&mut self, _event: &str, data: &[u8], parts: &mut Vec<Part>) -> Note {
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
        let mut note = Note::None;
        let mut others = Vec::new();
        for run in self.outline.runs(self.outline.entries(), 2) {
            match run.first().map(|entry| self.outline.path(entry)) {
                Some([Key("choices"), Index(position), ..]) => {
                    let choice = Choice::new(&self.outline, run, *position);
                    let before = std::mem::replace(&mut note, choice.read(&mut self.blocks, parts));
                    others.extend((before != Note::None).then_some(before));
                }
                _ => run.iter().for_each(|entry| report(self.outline.path(entry), entry, parts)),
            }
        }
        if others.is_empty() {
            return note;
        }
        others.push(note);
        self.several.push_back(others);
        Note::Several
    }

    fn released(&mut self, note: Note) {
        match note {
            Note::Several => {
                let several = self.several.pop_front().unwrap_or_default();
                several.into_iter().for_each(|note| self.client.released(note));
            }
            note => self.client.released(note),
        }
    }

    fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        self.client.ending(refusal)
    }

    fn keep_alive(&self) -> &'static [u8] {
        b": keep-alive\n\n"
    }
}

/// The leaves of one choice of a chunk.
struct Choice<'a> {
    outline: &'a Outline,
    run: &'a [Entry],
    /// Place in the chunk's array.
    position: u32,
    /// Which choice it continues.
    index: u64,
}

impl<'a> Choice<'a> {
    fn new(outline: &'a Outline, run: &'a [Entry], position: u32) -> Self {
        let index = outline.number_in(run, &[Key("choices"), Index(position), Key("index")]);
        Choice { outline, run, position, index: index.unwrap_or(u64::from(position)) }
    }

    fn read(&self, blocks: &mut Blocks, parts: &mut Vec<Part>) -> Note {
        let index = u32::try_from(self.index).unwrap_or(u32::MAX);
        let mut note = Note::Start;
        // A call's own index may follow its arguments, so that each call is looked at as a whole.
        for call in self.outline.runs(self.run, 5) {
            let second = match call.first().map(|entry| self.outline.path(entry)) {
                Some([_, _, Key("delta"), Key("tool_calls"), Index(position), ..]) => self.call_index(call, *position),
                _ => 0,
            };
            for entry in call {
                if let Some(kind) = self.leaf(second, entry, blocks, parts) {
                    note = Note::Open { index, kind };
                }
            }
        }
        let reason = [Key("choices"), Index(self.position), Key("finish_reason")];
        let finished = self.run.iter().any(|entry| self.outline.path(entry) == reason && entry.text().is_some());
        if finished {
            blocks.close_at(self.index, |_| true, parts);
            note = Note::Close { index };
        }
        note
    }

    fn call_index(&self, call: &[Entry], position: u32) -> u64 {
        let path =
            [Key("choices"), Index(self.position), Key("delta"), Key("tool_calls"), Index(position), Key("index")];
        self.outline.number_in(call, &path).unwrap_or(u64::from(position))
    }

    /// Reports one leaf; the kind of what it made grow. Calls stay open until the choice is finished: no client runs one
    /// before, and a provider that turns to and fro between two calls cannot hide anything in the seams.
    fn leaf(&self, second: u64, entry: &Entry, blocks: &mut Blocks, parts: &mut Vec<Part>) -> Option<BlockKind> {
        let path = self.outline.path(entry);
        let channel = match path.get(2..).unwrap_or_default() {
            [Key("text")] | [Key("delta"), Key("content")] => Channel::Content,
            [Key("delta"), Key("content"), Index(_), Key("text")] => Channel::Content,
            [Key("delta"), Key("refusal")] => Channel::Refusal,
            [Key("delta"), Key("audio"), Key("transcript")] => Channel::Transcript,
            [Key("delta"), Key("reasoning_content" | "reasoning")] => Channel::Reasoning,
            [Key("delta"), Key("function_call"), Key("arguments" | "name")] => Channel::FunctionCall,
            [Key("delta"), Key("tool_calls"), Index(_), Key("function"), Key("arguments" | "name")] => {
                Channel::Arguments
            }
            [Key("delta"), Key("tool_calls"), Index(_), Key("custom"), Key("input" | "name")] => Channel::Input,
            _ => {
                report(path, entry, parts);
                return None;
            }
        };
        let raw = entry.text()?;
        let block = Blocks::block(self.index, second, channel as u8, channel.kind());
        match path.last() {
            Some(Key("name")) => {
                blocks.delta(block, raw.start..raw.start, parts);
                parts.push(Part::Whole(BlockKind::Text, raw));
            }
            _ => blocks.delta(block, raw, parts),
        }
        Some(block.kind)
    }
}

/// A string that stands complete: everything but labels.
fn report(path: &[At], entry: &Entry, parts: &mut Vec<Part>) {
    let Some(raw) = entry.text() else { return };
    match path {
        [Key("id" | "object" | "model" | "system_fingerprint" | "service_tier" | "obfuscation")] => {}
        [Key("choices"), Index(_), Key("finish_reason")] => {}
        [Key("choices"), Index(_), Key("delta"), Key("role")] => {}
        [Key("choices"), Index(_), Key("delta"), Key("tool_calls"), Index(_), Key("id" | "type")] => {}
        [Key("choices"), Index(_), Key("content_filter_results"), _, Key("severity")] => {}
        [Key("prompt_filter_results"), Index(_), Key("content_filter_results"), _, Key("severity")] => {}
        _ => parts.push(Part::Whole(BlockKind::Text, raw)),
    }
}
