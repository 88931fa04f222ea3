//! Answers in the shapes of the vendors: whole as JSON, or token by token as events.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, SizeHint};
use hyper::{Response, StatusCode};
use tokio::time::{Instant, Sleep};

use super::log::Sent;
use crate::dialect::Dialect;
use crate::random::Random;
use crate::writing;

/// The body of an answer.
pub(super) type Content = Either<Full<Bytes>, Events>;

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// With its last event.
    Completes,
    /// With a broken connection, half way.
    Dies,
}

/// One answer that is to be given.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) dialect: Dialect,
    pub(super) number: u64,
    pub(super) input_bytes: usize,
    pub(super) tokens: usize,
    pub(super) gap: Duration,
    pub(super) fate: Fate,
    pub(super) calls_tool: bool,
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, text: String) -> Response<Content> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// An error as the vendor of the dialect words it.
pub(super) fn error(dialect: Dialect, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap_or_default();
    if dialect.is_anthropic() {
        format!("{{\"type\":\"error\",\"error\":{{\"type\":\"api_error\",\"message\":{message}}}}}")
    } else {
        format!("{{\"error\":{{\"message\":{message},\"type\":\"server_error\",\"param\":null,\"code\":null}}}}")
    }
}

impl Answer {
    /// The whole answer at once.
    pub(super) fn whole(&self, random: &mut Random) -> Response<Content> {
        let mut text = String::new();
        (0..self.tokens).for_each(|_| text.push_str(writing::token(random)));
        let text = serde_json::to_string(&text).unwrap_or_default();
        let (model, number, tokens, input) = (self.dialect.model(), self.number, self.tokens, self.input_bytes / 4);
        let body = match self.dialect {
            Dialect::CountTokens => format!("{{\"input_tokens\":{input}}}"),
            Dialect::Anthropic => format!(
                "{{\"id\":\"msg_lt_{number}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{model}\",\"content\":[{{\"type\":\"text\",\"text\":{text}}}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{{\"input_tokens\":{input},\"output_tokens\":{tokens}}}}}"
            ),
            Dialect::Chat => format!(
                "{{\"id\":\"chatcmpl-lt_{number}\",\"object\":\"chat.completion\",\"created\":1767225600,\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":{text}}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{tokens},\"total_tokens\":{}}}}}",
                input + tokens
            ),
            Dialect::Responses => format!(
                "{{\"id\":\"resp_lt_{number}\",\"object\":\"response\",\"created_at\":1767225600,\"status\":\"completed\",\"model\":\"{model}\",\"output\":[{{\"type\":\"message\",\"id\":\"item_lt_{number}\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{{\"type\":\"output_text\",\"text\":{text},\"annotations\":[]}}]}}],\"usage\":{{\"input_tokens\":{input},\"output_tokens\":{tokens},\"total_tokens\":{}}}}}",
                input + tokens
            ),
        };
        if self.fate == Fate::Dies {
            return self.broken(body);
        }
        json(StatusCode::OK, body)
    }

    /// Half of a whole answer, and then the end of the connection.
    fn broken(&self, mut body: String) -> Response<Content> {
        body.truncate(body.len() / 2);
        let ready = VecDeque::from([Bytes::from(body)]);
        let mut events = Events::new(Answer { tokens: 0, gap: Duration::ZERO, ..self.clone() }, None, Random::new(0));
        events.ready = ready;
        stream(events, "application/json")
    }

    /// Token by token.
    pub(super) fn streamed(self, log: Option<Arc<Sent>>, random: Random) -> Response<Content> {
        let opening = self.opening();
        let mut events = Events::new(self, log, random);
        events.ready.push_back(Bytes::from(opening));
        stream(events, "text/event-stream; charset=utf-8")
    }

    fn opening(&self) -> String {
        let (model, number, input) = (self.dialect.model(), self.number, self.input_bytes / 4);
        match self.dialect {
            Dialect::Anthropic | Dialect::CountTokens => format!(
                "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_lt_{number}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{model}\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":{input},\"output_tokens\":1}}}}}}\n\n\
                 event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n\
                 event: ping\ndata: {{\"type\":\"ping\"}}\n\n"
            ),
            Dialect::Chat => self.chunk("\"role\":\"assistant\",\"content\":\"\"", "null"),
            Dialect::Responses => format!(
                "event: response.created\ndata: {{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{{\"id\":\"resp_lt_{number}\",\"object\":\"response\",\"status\":\"in_progress\",\"model\":\"{model}\",\"output\":[]}}}}\n\n\
                 event: response.output_item.added\ndata: {{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{{\"type\":\"message\",\"id\":\"item_lt_{number}\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}}}}\n\n\
                 event: response.content_part.added\ndata: {{\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"item_lt_{number}\",\"output_index\":0,\"content_index\":0,\"part\":{{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}}}\n\n"
            ),
        }
    }

    fn token(&self, index: usize, text: &str) -> String {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        match self.dialect {
            Dialect::Anthropic | Dialect::CountTokens => format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{quoted}}}}}\n\n"
            ),
            Dialect::Chat => self.chunk(&format!("\"content\":{quoted}"), "null"),
            Dialect::Responses => format!(
                "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{},\"item_id\":\"item_lt_{}\",\"output_index\":0,\"content_index\":0,\"delta\":{quoted}}}\n\n",
                index + 3,
                self.number
            ),
        }
    }

    fn chunk(&self, delta: &str, finish: &str) -> String {
        format!(
            "data: {{\"id\":\"chatcmpl-lt_{}\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":{finish}}}]}}\n\n",
            self.number,
            self.dialect.model()
        )
    }

    fn closing(&self, text: &str) -> String {
        let (number, tokens) = (self.number, self.tokens);
        match self.dialect {
            Dialect::Anthropic | Dialect::CountTokens => {
                let mut events =
                    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n".to_string();
                if self.calls_tool {
                    events.push_str(TOOL_CALL);
                }
                let reason = if self.calls_tool { "tool_use" } else { "end_turn" };
                let _ = write!(
                    events,
                    "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{tokens}}}}}\n\n\
                     event: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"
                );
                events
            }
            Dialect::Chat => self.chunk("", "\"stop\"") + "data: [DONE]\n\n",
            Dialect::Responses => {
                let text = serde_json::to_string(text).unwrap_or_default();
                let part = format!("{{\"type\":\"output_text\",\"text\":{text},\"annotations\":[]}}");
                let item = format!(
                    "{{\"type\":\"message\",\"id\":\"item_lt_{number}\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{part}]}}"
                );
                let at = tokens + 3;
                format!(
                    "event: response.output_text.done\ndata: {{\"type\":\"response.output_text.done\",\"sequence_number\":{at},\"item_id\":\"item_lt_{number}\",\"output_index\":0,\"content_index\":0,\"text\":{text}}}\n\n\
                     event: response.content_part.done\ndata: {{\"type\":\"response.content_part.done\",\"sequence_number\":{},\"item_id\":\"item_lt_{number}\",\"output_index\":0,\"content_index\":0,\"part\":{part}}}\n\n\
                     event: response.output_item.done\ndata: {{\"type\":\"response.output_item.done\",\"sequence_number\":{},\"output_index\":0,\"item\":{item}}}\n\n\
                     event: response.completed\ndata: {{\"type\":\"response.completed\",\"sequence_number\":{},\"response\":{{\"id\":\"resp_lt_{number}\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"{}\",\"output\":[{item}],\"usage\":{{\"input_tokens\":{},\"output_tokens\":{tokens},\"total_tokens\":{}}}}}}}\n\n",
                    at + 1,
                    at + 2,
                    at + 3,
                    self.dialect.model(),
                    self.input_bytes / 4,
                    self.input_bytes / 4 + tokens,
                )
            }
        }
    }
}

/// A call of a tool whose arguments arrive in pieces.
const TOOL_CALL: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_lt\",\"name\":\"Read\",\"input\":{}}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"file_path\\\": \\\"src/queue/\"}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"worker.rs\\\"}\"}}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n";

fn stream(events: Events, kind: &'static str) -> Response<Content> {
    let mut response = Response::new(Either::Right(events));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(kind));
    response.headers_mut().insert("cache-control", http::HeaderValue::from_static("no-cache"));
    response
}

/// The events of a streamed answer, each when it is due.
pub(super) struct Events {
    answer: Answer,
    log: Option<Arc<Sent>>,
    random: Random,
    ready: VecDeque<Bytes>,
    /// Needed once more at the end, in dialects that repeat it.
    text: String,
    next: usize,
    closed: bool,
    due: Pin<Box<Sleep>>,
}

impl Events {
    fn new(answer: Answer, log: Option<Arc<Sent>>, random: Random) -> Self {
        let due = Box::pin(tokio::time::sleep(answer.gap));
        Events { answer, log, random, ready: VecDeque::new(), text: String::new(), next: 0, closed: false, due }
    }

    fn token(&mut self) -> Bytes {
        let text = writing::token(&mut self.random);
        if self.answer.dialect == Dialect::Responses {
            self.text.push_str(text);
        }
        let event = self.answer.token(self.next, text);
        self.next += 1;
        if let Some(log) = &self.log {
            log.token(text.len());
        }
        // Due from the time at which it was due, so that a late timer does not stretch the stream.
        let due = self.due.deadline() + self.answer.gap;
        self.due.as_mut().reset(due.max(Instant::now() - self.answer.gap));
        Bytes::from(event)
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.answer.fate == Fate::Dies && self.next >= self.answer.tokens / 2 {
            return Poll::Ready(Some(Err(io::Error::other("made to die"))));
        }
        if self.next < self.answer.tokens {
            if !self.answer.gap.is_zero() && self.due.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let event = self.token();
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        if self.closed {
            return Poll::Ready(None);
        }
        self.closed = true;
        let closing = self.answer.closing(&self.text);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(closing)))))
    }

    fn is_end_stream(&self) -> bool {
        self.closed && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::stream::Reader;

    fn answer(dialect: Dialect) -> Answer {
        Answer {
            dialect,
            number: 42,
            input_bytes: 400,
            tokens: 20,
            gap: Duration::ZERO,
            fate: Fate::Completes,
            calls_tool: dialect == Dialect::Anthropic,
        }
    }

    #[tokio::test]
    async fn a_stream_is_complete_and_has_all_the_text_that_was_logged() {
        for dialect in [Dialect::Anthropic, Dialect::Chat, Dialect::Responses] {
            let log = Arc::new(Sent::default());
            let response = answer(dialect).streamed(Some(log.clone()), Random::new(9));
            let bytes = response.into_body().collect().await.map(|it| it.to_bytes());
            let mut reader = Reader::new(dialect);
            reader.push(&bytes.unwrap());
            assert!(reader.complete && !reader.failed, "{dialect:?}");
            assert_eq!(reader.number, Some(42));
            assert_eq!(reader.text_bytes, log.bytes());
            assert!(reader.text_bytes > 60);
        }
    }

    #[tokio::test]
    async fn a_whole_answer_is_json_and_names_its_number() {
        for dialect in Dialect::ALL {
            let body = answer(dialect).whole(&mut Random::new(1)).into_body().collect().await.unwrap().to_bytes();
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            if dialect == Dialect::CountTokens {
                assert_eq!(value["input_tokens"], 100);
            } else {
                assert!(value["id"].as_str().unwrap().ends_with("lt_42"));
            }
        }
    }

    #[tokio::test]
    async fn a_dying_answer_breaks_off() {
        let dying = Answer { fate: Fate::Dies, ..answer(Dialect::Anthropic) };
        assert!(dying.clone().streamed(None, Random::new(1)).into_body().collect().await.is_err());
        assert!(dying.whole(&mut Random::new(1)).into_body().collect().await.is_err());
    }

    #[test]
    fn errors_have_the_shape_of_their_dialect() {
        assert!(Dialect::ALL.iter().all(|it| it.is_error_shape(error(*it, "no").as_bytes())));
    }
}
