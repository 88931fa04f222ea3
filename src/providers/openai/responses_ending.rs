//! What the client has seen of a stream of response events, and how to end it there with a notice.

use serde_json::{Value, json};

use crate::providers::outline::At::Key;
use crate::providers::outline::Outline;
use crate::providers::{Note, Refusal, sse};

/// The stream up to what was released, and what its answer is called.
#[derive(Debug, Default)]
pub(super) struct ClientView {
    id: Option<String>,
    model: Option<String>,
    created_at: u64,
    /// Highest number read, thus at least the highest released: numbers in an ending grow on, perhaps with a gap.
    sequence: Option<u64>,
    started: bool,
    finished: bool,
}

impl ClientView {
    /// Remembers the names and the number of an event.
    pub(super) fn learn(&mut self, outline: &Outline) {
        if self.id.is_none() {
            self.id = outline.string(&[Key("response"), Key("id")]).map(str::to_owned);
        }
        if self.model.is_none() {
            self.model = outline.string(&[Key("response"), Key("model")]).map(str::to_owned);
        }
        if self.created_at == 0 {
            self.created_at = outline.number(&[Key("response"), Key("created_at")]).unwrap_or_default();
        }
        self.sequence = self.sequence.max(outline.number(&[Key("sequence_number")]));
    }

    /// An event went out.
    pub(super) fn released(&mut self, note: Note) {
        match note {
            Note::None | Note::Idle | Note::Several => {}
            Note::Start | Note::Open { .. } | Note::Close { .. } => self.started = true,
            Note::Finish => self.finished = true,
        }
    }

    /// `response.failed`, which ends the answer with whatever items are open in it; nothing if the client has its end.
    pub(super) fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        let mut out = Vec::new();
        if self.finished {
            return out;
        }
        let mut sequence = self.sequence.map_or(0, |last| last.saturating_add(1));
        if !self.started {
            let response = self.response("in_progress", Value::Null, refusal);
            push(&mut out, "response.created", sequence, &response);
            sequence = sequence.saturating_add(1);
        }
        // Any other code has Codex send the prompt again, five times.
        let error = json!({"code": "invalid_prompt", "message": refusal.message});
        push(&mut out, "response.failed", sequence, &self.response("failed", error, refusal));
        out
    }

    fn response(&self, status: &str, error: Value, refusal: &Refusal) -> Value {
        let id = self.id.clone().unwrap_or_else(|| format!("resp_{}", refusal.request));
        json!({
            "id": id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "error": error,
            "incomplete_details": null,
            "instructions": null,
            "max_output_tokens": null,
            "metadata": {},
            "model": self.model.as_deref().unwrap_or("unknown"),
            "output": [],
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
            "user": null,
        })
    }
}

fn push(out: &mut Vec<u8>, event: &str, sequence: u64, response: &Value) {
    let data = json!({"type": event, "sequence_number": sequence, "response": response});
    sse::push(out, Some(event), &data);
}
