//! What the client has seen of a message stream, and how to end it there with a notice.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use crate::providers::outline::At::Key;
use crate::providers::outline::Outline;
use crate::providers::{BlockKind, Note, Refusal, sse};

/// Calls that are told apart; nobody makes more at once.
const CALLS_MAX: usize = 1024;

/// The stream up to what was released, and what its message is called.
#[derive(Debug, Default)]
pub(super) struct ClientView {
    id: Option<String>,
    model: Option<String>,
    input_tokens: u64,
    output_tokens: u64,
    started: bool,
    finished: bool,
    open: Option<(u32, BlockKind)>,
    index_next: u32,
    /// Blocks that call a tool of the client's, of those that are not complete for it.
    calls: BTreeSet<u32>,
    /// A whole call is there, which the client answers in its next turn.
    has_call: bool,
}

impl ClientView {
    /// Remembers the names in `message_start`.
    pub(super) fn learn_message(&mut self, outline: &Outline) {
        self.id = outline.string(&[Key("message"), Key("id")]).map(str::to_owned);
        self.model = outline.string(&[Key("message"), Key("model")]).map(str::to_owned);
        let tokens = |name| outline.number(&[Key("message"), Key("usage"), Key(name)]).unwrap_or_default();
        (self.input_tokens, self.output_tokens) = (tokens("input_tokens"), tokens("output_tokens"));
    }

    /// Remembers whether a block calls a tool that the client runs.
    pub(super) fn learn_block(&mut self, index: u32, outline: &Outline) {
        let is_call = outline.string(&[Key("content_block"), Key("type")]) == Some("tool_use");
        if is_call && self.calls.len() < CALLS_MAX {
            self.calls.insert(index);
        }
    }

    /// Remembers the count in `message_delta`.
    pub(super) fn learn_usage(&mut self, outline: &Outline) {
        self.output_tokens = outline.number(&[Key("usage"), Key("output_tokens")]).unwrap_or(self.output_tokens);
    }

    /// An event went out.
    pub(super) fn released(&mut self, note: Note) {
        match note {
            Note::None | Note::Idle | Note::Several => {}
            Note::Start => self.started = true,
            Note::Open { index, kind } => {
                self.open = Some((index, kind));
                self.index_next = self.index_next.max(index.saturating_add(1));
            }
            Note::Close { index } => {
                self.has_call |= self.calls.remove(&index);
                self.open = self.open.filter(|(open, _)| *open != index);
            }
            Note::Finish => self.finished = true,
        }
    }

    /// The events from here to `message_stop`; none if the client has that already.
    /// A tool call that is open for the client stays open: closing it would have the client run half of it.
    pub(super) fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        let mut out = Vec::new();
        if self.finished {
            return out;
        }
        if !self.started {
            push(&mut out, "message_start", &self.message_start(refusal));
        }
        if let Some((index, BlockKind::Text | BlockKind::Thinking)) = self.open {
            push(&mut out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
        }
        let index = self.index_next;
        let block = json!({"type": "text", "text": ""});
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        push(&mut out, "content_block_start", &start);
        let delta = json!({"type": "text_delta", "text": refusal.message});
        push(&mut out, "content_block_delta", &json!({"type": "content_block_delta", "index": index, "delta": delta}));
        push(&mut out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
        // `refusal` as a reason would make clients show a text of the vendor's instead of the notice.
        // A call that is left without a result has the vendor refuse the next turn.
        let reason = if self.has_call { "tool_use" } else { "end_turn" };
        let delta = json!({"stop_reason": reason, "stop_sequence": null});
        let usage = json!({"output_tokens": self.output_tokens});
        push(&mut out, "message_delta", &json!({"type": "message_delta", "delta": delta, "usage": usage}));
        push(&mut out, "message_stop", &json!({"type": "message_stop"}));
        out
    }

    fn message_start(&self, refusal: &Refusal) -> serde_json::Value {
        let id = self.id.clone().unwrap_or_else(|| format!("msg_{}", refusal.request));
        json!({
            "type": "message_start",
            "message": {
                "id": id,
                "type": "message",
                "role": "assistant",
                "model": self.model.as_deref().unwrap_or("unknown"),
                "content": [],
                "stop_reason": null,
                "stop_sequence": null,
                "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
            },
        })
    }
}

fn push(out: &mut Vec<u8>, event: &str, data: &impl Serialize) {
    sse::push(out, Some(event), data);
}
