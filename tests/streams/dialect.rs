//! Writes the events of an answer in each dialect, and reads them back as a strict client would.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How the notice of a stopped answer begins.
pub(crate) const NOTICE: &str = "This answer was";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Anthropic,
    Chat,
    Responses,
}

/// What grows over the deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// JSON arguments.
    Tool,
    /// Free text for a tool.
    Custom,
}

pub(crate) const ALL: [Dialect; 3] = [Dialect::Anthropic, Dialect::Chat, Dialect::Responses];

impl Dialect {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Dialect::Anthropic => "/v1/messages",
            Dialect::Chat => "/v1/chat/completions",
            Dialect::Responses => "/v1/responses",
        }
    }

    pub(crate) fn request(self, prompt: &str, stream: bool) -> Vec<u8> {
        let body = match self {
            Dialect::Anthropic => json!({"model": "claude-sonnet-4-6", "max_tokens": 9, "stream": stream,
                "messages": [{"role": "user", "content": prompt}]}),
            Dialect::Chat => json!({"model": "gpt-5", "stream": stream,
                "messages": [{"role": "user", "content": prompt}]}),
            Dialect::Responses => json!({"model": "gpt-5", "stream": stream, "input": prompt}),
        };
        body.to_string().into_bytes()
    }

    pub(crate) fn kinds(self) -> &'static [Kind] {
        match self {
            Dialect::Responses => &[Kind::Text, Kind::Tool, Kind::Custom],
            _ => &[Kind::Text, Kind::Tool],
        }
    }

    /// One event per delta, with all that comes before and after.
    pub(crate) fn events<S: AsRef<str>>(self, kind: Kind, pieces: &[S]) -> Vec<Vec<u8>> {
        let pieces: Vec<&str> = pieces.iter().map(AsRef::as_ref).collect();
        match self {
            Dialect::Anthropic => anthropic(kind, &pieces),
            Dialect::Chat => chat(kind, &pieces),
            Dialect::Responses => responses(kind, &pieces),
        }
    }

    pub(crate) fn read(self, bytes: &[u8]) -> View {
        let mut view = View::default();
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        for frame in text.split_inclusive("\n\n") {
            let name = frame.lines().find_map(|line| line.strip_prefix("event: "));
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            view.require(frame.ends_with("\n\n"), "a frame without an end");
            view.require(!view.ended, "an event after the end");
            if data == "[DONE]" {
                view.ended = true;
                continue;
            }
            let event: Value = serde_json::from_str(data).expect("JSON");
            match self {
                Dialect::Anthropic => view.anthropic(name, &event),
                Dialect::Chat => view.chat(&event),
                Dialect::Responses => view.responses(name, &event),
            }
        }
        view.require(view.ended, "no end");
        view
    }
}

fn named(event: &str, data: &Value) -> Vec<u8> {
    format!("event: {event}\ndata: {data}\n\n").into_bytes()
}

fn anthropic(kind: Kind, pieces: &[&str]) -> Vec<Vec<u8>> {
    let event = |mut data: Value, name: &str| {
        data["type"] = name.into();
        named(name, &data)
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "content": [], "stop_reason": null, "usage": {"input_tokens": 5, "output_tokens": 1}});
    let mut all = vec![event(json!({"message": message}), "message_start")];
    let (block, reason) = match kind {
        Kind::Text => (json!({"type": "text", "text": ""}), "end_turn"),
        _ => (json!({"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {}}), "tool_use"),
    };
    all.push(event(json!({"index": 0, "content_block": block}), "content_block_start"));
    for piece in pieces {
        let delta = match kind {
            Kind::Text => json!({"type": "text_delta", "text": piece}),
            _ => json!({"type": "input_json_delta", "partial_json": piece}),
        };
        all.push(event(json!({"index": 0, "delta": delta}), "content_block_delta"));
    }
    all.push(event(json!({"index": 0}), "content_block_stop"));
    let usage = json!({"output_tokens": 30});
    all.push(event(json!({"delta": {"stop_reason": reason, "stop_sequence": null}, "usage": usage}), "message_delta"));
    all.push(event(json!({}), "message_stop"));
    all
}

fn chat(kind: Kind, pieces: &[&str]) -> Vec<Vec<u8>> {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
        let data = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5",
            "choices": [choice]});
        format!("data: {data}\n\n").into_bytes()
    };
    let mut all = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    if kind != Kind::Text {
        let function = json!({"name": "write", "arguments": ""});
        let call = json!({"index": 0, "id": "call_1", "type": "function", "function": function});
        all.push(chunk(json!({"tool_calls": [call]}), Value::Null));
    }
    for piece in pieces {
        let delta = match kind {
            Kind::Text => json!({"content": piece}),
            _ => json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
        };
        all.push(chunk(delta, Value::Null));
    }
    all.push(chunk(json!({}), if kind == Kind::Text { "stop".into() } else { "tool_calls".into() }));
    all.push(b"data: [DONE]\n\n".to_vec());
    all
}

fn responses(kind: Kind, pieces: &[&str]) -> Vec<Vec<u8>> {
    let whole = pieces.concat();
    let response = |status: &str, output: Value| {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": status,
            "output": output})
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |text: &str| match kind {
        Kind::Text => json!({"id": "it_1", "type": "message", "role": "assistant", "content": [part(text)]}),
        Kind::Tool => {
            json!({"id": "it_1", "type": "function_call", "call_id": "call_1", "name": "write", "arguments": text})
        }
        Kind::Custom => {
            json!({"id": "it_1", "type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": text})
        }
    };
    let (stem, key) = match kind {
        Kind::Text => ("response.output_text", "text"),
        Kind::Tool => ("response.function_call_arguments", "arguments"),
        Kind::Custom => ("response.custom_tool_call_input", "input"),
    };
    let place = json!({"item_id": "it_1", "output_index": 0, "content_index": 0});
    let mut all: Vec<(String, Value)> = vec![
        ("response.created".into(), json!({"response": response("in_progress", json!([]))})),
        ("response.output_item.added".into(), json!({"output_index": 0, "item": item("")})),
    ];
    let mut add = |name: String, key: &str, value: Value| {
        let mut data = place.clone();
        data[key] = value;
        all.push((name, data));
    };
    if kind == Kind::Text {
        add("response.content_part.added".into(), "part", part(""));
    }
    pieces.iter().for_each(|piece| add(format!("{stem}.delta"), "delta", (*piece).into()));
    add(format!("{stem}.done"), key, whole.as_str().into());
    if kind == Kind::Text {
        add("response.content_part.done".into(), "part", part(&whole));
    }
    all.push(("response.output_item.done".into(), json!({"output_index": 0, "item": item(&whole)})));
    all.push(("response.completed".into(), json!({"response": response("completed", json!([item(&whole)]))})));
    let number = |(at, (name, mut data)): (usize, (String, Value))| {
        data["type"] = name.as_str().into();
        data["sequence_number"] = at.into();
        named(&name, &data)
    };
    all.into_iter().enumerate().map(number).collect()
}

/// What a client has understood of a stream, and what it objects to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct View {
    /// Prose without the notice.
    pub(crate) text: String,
    /// Arguments by block, call or item.
    pub(crate) tools: BTreeMap<u64, String>,
    /// Texts that an event repeated.
    pub(crate) repeated: Vec<String>,
    pub(crate) notice: Option<String>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) thinking: String,
    pub(crate) problems: Vec<String>,
    ended: bool,
    started: bool,
    open: Option<u64>,
    next: u64,
    block: String,
    sequence: Option<u64>,
}

impl View {
    fn require(&mut self, holds: bool, problem: &str) {
        if !holds {
            self.problems.push(problem.into());
        }
    }

    /// Forgets what only counts events.
    pub(crate) fn forget_numbers(&mut self) {
        (self.sequence, self.next) = (None, 0);
    }

    fn anthropic(&mut self, name: Option<&str>, event: &Value) {
        self.require(name == event["type"].as_str(), "event name and type differ");
        let index = event["index"].as_u64();
        self.require(self.started != (name == Some("message_start")), "message_start is not the first");
        match name.unwrap_or_default() {
            "message_start" => self.started = true,
            "content_block_start" => {
                self.require(self.open.is_none() && index == Some(self.next), "a block opens out of turn");
                (self.open, self.next) = (index, self.next + 1);
                if event["content_block"]["type"] == "tool_use" {
                    self.tools.insert(index.unwrap_or_default(), String::new());
                }
            }
            "content_block_delta" => {
                self.require(self.open == index && index.is_some(), "a delta outside of its block");
                let delta = &event["delta"];
                self.block.push_str(delta["text"].as_str().unwrap_or_default());
                self.thinking.push_str(delta["thinking"].as_str().unwrap_or_default());
                if let (Some(json), Some(tool)) =
                    (delta["partial_json"].as_str(), self.tools.get_mut(&index.unwrap_or_default()))
                {
                    tool.push_str(json);
                }
            }
            "content_block_stop" => {
                self.require(self.open == index && index.is_some(), "a block closes that is not open");
                self.open = None;
                let block = std::mem::take(&mut self.block);
                match block.starts_with(NOTICE) || block.starts_with("The answer was cut off") {
                    true => self.notice = Some(block),
                    false => self.text.push_str(&block),
                }
            }
            "message_delta" => {
                self.require(self.open.is_none(), "a block is open at the end");
                self.stop_reason = event["delta"]["stop_reason"].as_str().map(String::from);
            }
            "message_stop" => {
                self.require(self.stop_reason.is_some(), "no reason to stop");
                self.ended = true;
            }
            _ => {}
        }
    }

    fn chat(&mut self, event: &Value) {
        let choice = &event["choices"][0];
        self.require(self.stop_reason.is_none(), "a chunk after the last");
        let content = choice["delta"]["content"].as_str().unwrap_or_default();
        match content.find(NOTICE).or_else(|| content.find("The answer was cut off")) {
            Some(at) => {
                self.text.push_str(content[..at].trim_end_matches("\n\n"));
                self.notice = Some(content[at..].into());
            }
            None => self.text.push_str(content),
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let text = self.tools.entry(call["index"].as_u64().unwrap_or_default()).or_default();
            text.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
        self.stop_reason = choice["finish_reason"].as_str().map(String::from);
    }

    fn responses(&mut self, name: Option<&str>, event: &Value) {
        self.require(name == event["type"].as_str(), "event name and type differ");
        let sequence = event["sequence_number"].as_u64();
        self.require(sequence > self.sequence || self.sequence.is_none(), "sequence numbers do not rise");
        self.sequence = sequence;
        let name = name.unwrap_or_default();
        let delta = event["delta"].as_str().unwrap_or_default();
        match name {
            "response.output_text.delta" => self.text.push_str(delta),
            _ if name.ends_with(".delta") => self.tools.entry(0).or_default().push_str(delta),
            "response.failed" => {
                self.notice = event["response"]["error"]["message"].as_str().map(String::from);
                self.ended = true;
            }
            "response.completed" => self.ended = true,
            _ => {}
        }
        if name.ends_with("done") || name == "response.completed" {
            self.repeats(event);
        }
    }

    fn repeats(&mut self, value: &Value) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| match value.as_str() {
                Some(text) if ["text", "arguments", "input"].contains(&key.as_str()) => self.repeated.push(text.into()),
                _ => self.repeats(value),
            }),
            Value::Array(all) => all.iter().for_each(|it| self.repeats(it)),
            _ => {}
        }
    }
}
