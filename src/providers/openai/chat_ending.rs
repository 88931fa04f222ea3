//! What the client has seen of a stream of chunks, and how to end it there with a notice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::providers::outline::At::Key;
use crate::providers::outline::Outline;
use crate::providers::{BlockKind, Note, Refusal, sse};

/// Choices that are told apart; nobody asks for more at once.
const CHOICES_MAX: usize = 128;

/// How far one choice has come for the client.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    text: bool,
    finished: bool,
}

/// The stream up to what was released, and what its answer is called.
#[derive(Debug, Default)]
pub(super) struct ClientView {
    legacy: bool,
    id: Option<String>,
    model: Option<String>,
    created: u64,
    choices: BTreeMap<u32, Seen>,
    started: bool,
    finished: bool,
}

impl ClientView {
    /// Of `/v1/completions`.
    pub(super) fn legacy() -> Self {
        ClientView { legacy: true, ..ClientView::default() }
    }

    /// Remembers the names every chunk repeats. Azure's first chunk leaves them empty.
    pub(super) fn learn(&mut self, outline: &Outline) {
        if self.id.is_none() {
            self.id = outline.string(&[Key("id")]).map(str::to_owned);
        }
        if self.model.is_none() {
            self.model = outline.string(&[Key("model")]).map(str::to_owned);
        }
        if self.created == 0 {
            self.created = outline.number(&[Key("created")]).unwrap_or_default();
        }
    }

    /// An event went out.
    pub(super) fn released(&mut self, note: Note) {
        match note {
            Note::None | Note::Idle | Note::Several => {}
            Note::Start => self.started = true,
            Note::Open { index, kind } => {
                self.started = true;
                self.note(index, |seen| seen.text |= kind == BlockKind::Text);
            }
            Note::Close { index } => {
                self.started = true;
                self.note(index, |seen| seen.finished = true);
            }
            Note::Finish => self.finished = true,
        }
    }

    fn note(&mut self, index: u32, change: impl Fn(&mut Seen)) {
        if self.choices.len() < CHOICES_MAX || self.choices.contains_key(&index) {
            change(self.choices.entry(index).or_default());
        }
    }

    /// The chunks from here to `[DONE]`; none if the client has that already.
    pub(super) fn ending(&self, refusal: &Refusal) -> Vec<u8> {
        let mut out = Vec::new();
        if self.finished {
            return out;
        }
        if self.choices.is_empty() {
            self.end_choice(0, Seen::default(), refusal, &mut out);
        }
        for (&index, &seen) in self.choices.iter().filter(|(_, seen)| !seen.finished) {
            self.end_choice(index, seen, refusal, &mut out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        out
    }

    fn end_choice(&self, index: u32, seen: Seen, refusal: &Refusal, out: &mut Vec<u8>) {
        // The notice stands in the same text as what came before, so that it needs a line of its own.
        let notice = if seen.text { format!("\n\n{}", refusal.message) } else { refusal.message.clone() };
        let (mut text, mut stop) = match self.legacy {
            true => (json!({"text": notice}), json!({"text": ""})),
            false if self.started => (json!({"delta": {"content": notice}}), json!({"delta": {}})),
            false => (json!({"delta": {"role": "assistant", "content": notice}}), json!({"delta": {}})),
        };
        for (choice, reason) in [(&mut text, Value::Null), (&mut stop, Value::from("stop"))] {
            choice["index"] = Value::from(index);
            choice["logprobs"] = Value::Null;
            choice["finish_reason"] = reason;
            sse::push(out, None, &self.chunk(choice, refusal));
        }
    }

    fn chunk(&self, choice: &Value, refusal: &Refusal) -> Value {
        let id = self.id.clone().unwrap_or_else(|| format!("chatcmpl-{}", refusal.request));
        json!({
            "id": id,
            "object": if self.legacy { "text_completion" } else { "chat.completion.chunk" },
            "created": self.created,
            "model": self.model.as_deref().unwrap_or("unknown"),
            "choices": [choice],
        })
    }
}
