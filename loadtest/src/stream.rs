//! Streams of events as a client reads them: how much text has arrived, and whether the answer is complete.

use serde::Deserialize;

use crate::dialect::Dialect;

/// Longest event; what is longer is not an event of a provider.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Reads events from bytes cut anywhere.
#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    line: Vec<u8>,
    /// The number in the answer's id, which names its log at the provider.
    pub number: Option<u64>,
    /// Bytes of text so far.
    pub text_bytes: usize,
    /// The dialect's last event was read.
    pub complete: bool,
    /// An error event was read, or something that is no event.
    pub failed: bool,
}

#[derive(Default, Deserialize)]
struct Event<'a> {
    #[serde(default, rename = "type", borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    message: Option<Named>,
    #[serde(default)]
    response: Option<Named>,
    #[serde(default)]
    delta: Option<Delta>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    id: Option<String>,
}

/// Responses has the text itself under `delta`, Anthropic an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Delta {
    Text(String),
    Object {
        #[serde(default)]
        text: Option<String>,
    },
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<ChoiceDelta>,
}

#[derive(Deserialize)]
struct ChoiceDelta {
    #[serde(default)]
    content: Option<String>,
}

impl Reader {
    /// A reader at the beginning of an answer.
    pub fn new(dialect: Dialect) -> Self {
        Reader { dialect, line: Vec::new(), number: None, text_bytes: 0, complete: false, failed: false }
    }

    /// Takes the next bytes and says how many bytes of text they brought.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let before = self.text_bytes;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if self.line.is_empty() {
                self.read(&rest[..end]);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&rest[..end]);
                self.read(&line);
                line.clear();
                self.line = line;
            }
            rest = &rest[end + 1..];
        }
        self.line.extend_from_slice(rest);
        self.failed |= self.line.len() > EVENT_BYTES_MAX;
        if self.failed {
            self.line.clear();
        }
        self.text_bytes - before
    }

    fn read(&mut self, line: &[u8]) {
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.complete |= self.dialect == Dialect::Chat;
            return;
        }
        let Ok(event) = serde_json::from_slice::<Event>(data) else {
            self.failed = true;
            return;
        };
        let kind = event.kind.as_deref().unwrap_or_default();
        self.failed |= event.error.is_some() || kind == "response.failed";
        self.complete |= matches!(kind, "message_stop" | "response.completed");
        if self.number.is_none() {
            let named = event.message.or(event.response).and_then(|it| it.id);
            self.number = named.as_deref().or(event.id.as_deref()).and_then(number);
        }
        let text = |delta| match delta {
            Delta::Text(text) => text.len(),
            Delta::Object { text } => text.map_or(0, |it| it.len()),
        };
        if kind == "content_block_delta" || kind == "response.output_text.delta" {
            self.text_bytes += event.delta.map_or(0, text);
        }
        let chosen = event.choices.into_iter().filter_map(|it| it.delta?.content);
        self.text_bytes += chosen.map(|it| it.len()).sum::<usize>();
    }
}

/// The number that our provider puts at the end of an answer's id.
fn number(id: &str) -> Option<u64> {
    id.rsplit('_').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_lt_42\"}}\n\n\
        event: ping\ndata: {\"type\": \"ping\"}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"caf\\u00e9 \"}}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"now\"}}\n\n\
        data: {\"type\":\"message_stop\"}\n\n";
    const CHAT: &str = "data: {\"id\":\"chatcmpl-lt_42\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\u{e9} \"}}]}\n\n\
        : a comment\n\ndata: {\"id\":\"chatcmpl-lt_42\",\"choices\":[{\"delta\":{\"content\":\"now\"},\"finish_reason\":\"stop\"}]}\n\n\
        data: [DONE]\n\n";
    const RESPONSES: &str = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_lt_42\"}}\n\n\
        data: {\"type\":\"response.output_text.delta\",\"delta\":\"caf\u{e9} now\"}\r\n\r\n\
        data: {\"type\":\"response.output_text.done\",\"text\":\"caf\u{e9} now\"}\n\n\
        data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_lt_42\"}}\n\n";

    #[test]
    fn text_is_counted_the_same_however_the_stream_is_cut() {
        for (dialect, stream) in
            [(Dialect::Anthropic, ANTHROPIC), (Dialect::Chat, CHAT), (Dialect::Responses, RESPONSES)]
        {
            for size in [1, 2, 3, 7, 64, stream.len()] {
                let mut reader = Reader::new(dialect);
                let read: usize = stream.as_bytes().chunks(size).map(|it| reader.push(it)).sum();
                assert_eq!(read, "caf\u{e9} now".len(), "{dialect:?} in pieces of {size}");
                assert_eq!((reader.number, reader.complete, reader.failed), (Some(42), true, false));
            }
        }
    }

    #[test]
    fn an_answer_that_was_cut_is_not_complete_and_an_error_is_a_failure() {
        let mut reader = Reader::new(Dialect::Anthropic);
        reader.push(ANTHROPIC.split("data: {\"type\":\"message_stop").next().unwrap().as_bytes());
        assert!(!reader.complete && !reader.failed);
        reader.push(b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n");
        assert!(reader.failed);
        let mut reader = Reader::new(Dialect::Chat);
        reader.push(b"data: <html>\n");
        assert!(reader.failed);
    }
}
