//! The WebSocket dialect of Responses: one upgrade, then an exchange per message, in the same steps as over HTTP.
//!
//! A `response.create` is a body that came in one piece, and what the provider answers are the events of a stream
//! without their framing. Nothing else differs, so nothing else stands here.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::Answering;
use super::exchange::{Carrier, Exchange, Phase};
use super::inbound::Desk;
use super::label::Originals;
use super::{Head, Opening, Reply, Sending, Snapshot};
use crate::domain::{RequestId, Stamp};
use crate::providers::{Endpoint, RefusalKind};

/// How a stream of events announces itself.
const STREAM: &[(&str, &[u8])] = &[("content-type", b"text/event-stream")];

/// What was hidden on one socket. A later message carries only what is new (`previous_response_id`), so that its answer
/// may name a placeholder of an earlier one. Dies with the socket; bounded like that of one exchange.
#[derive(Default)]
pub struct SocketMemory(Originals);

impl SocketMemory {
    /// Adds what another exchange hid.
    pub fn join(&mut self, other: SocketMemory) {
        self.0.join(other.0);
    }
}

/// What a client's message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// `response.create`: an answer is to follow.
    Create,
    /// Any other type: scanned like a body and passed on, no answer belongs to it.
    Other,
    /// Nobody can say what it asks for; why.
    Unreadable(&'static str),
}

/// What follows from a message of the provider.
pub enum Heard {
    /// Write what was put out; more follows.
    More,
    /// Write what was put out; the answer is complete.
    Finished,
    /// Write what was put out, which ends the answer for the client; the provider is not wanted further.
    Stopped,
    /// Answer this instead; the provider is not wanted further.
    Refused(Reply),
}

#[derive(Deserialize)]
struct Outermost {
    r#type: String,
    response: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Failure {
    r#type: String,
    status: Option<u16>,
    status_code: Option<u16>,
}

/// Reads the type of a client's message. Members that come twice are refused: readers differ in which of them counts.
pub fn kind_of(message: &[u8]) -> MessageKind {
    match serde_json::from_slice::<Outermost>(message) {
        Err(_) => MessageKind::Unreadable("a message is a JSON object with one `type`"),
        Ok(it) if it.r#type != "response.create" => MessageKind::Other,
        // Where its members are looked for, models and authors would not be recognised.
        Ok(it) if it.response.is_some() => {
            MessageKind::Unreadable("the members of `response.create` stand beside `type`")
        }
        Ok(_) => MessageKind::Create,
    }
}

impl Exchange {
    /// Reads the head of an upgrade: whether this caller may have a socket there, and how to open the provider's.
    pub fn open_socket(snapshot: Arc<Snapshot>, request: RequestId, head: &Head<'_>, now: Stamp) -> (Self, Sending) {
        let (mut exchange, opening) = Exchange::open(snapshot, request, &head.of_message(), now);
        exchange.phase = Phase::Done;
        let sending = match opening {
            Opening::Answer(reply) if is_asked_again(reply.kind) => Sending::Answer(exchange.refuse_upgrade()),
            Opening::Answer(reply) => Sending::Answer(reply),
            Opening::ReadBody { .. } if !exchange.takes_messages() => Sending::Answer(exchange.refuse_upgrade()),
            Opening::ReadBody { .. } => exchange.connect(),
        };
        (exchange, sending)
    }

    /// Opens the exchange of one message on a socket whose upgrade had this head. Key, team and upstream are looked up
    /// anew, so that a key that was taken back ends where it is used next.
    pub fn open_message(
        snapshot: Arc<Snapshot>,
        request: RequestId,
        head: &Head<'_>,
        memory: SocketMemory,
        now: Stamp,
    ) -> (Self, Opening) {
        let (mut exchange, opening) = Exchange::open(snapshot, request, &head.of_message(), now);
        exchange.carrier = Carrier::Message;
        exchange.originals = memory.0;
        (exchange, opening)
    }

    /// A message of the provider; what may pass is appended to `out`, message by message.
    pub fn response_message(&mut self, message: Bytes, now: Stamp, out: &mut Vec<Vec<u8>>) -> Heard {
        if matches!(self.phase, Phase::Sent) {
            let (answering, reply) = self.response_head(200, STREAM, now);
            if let (Answering::Refuse, Some(reply)) = (answering, reply) {
                self.phase = Phase::Done;
                return Heard::Refused(reply);
            }
        }
        self.record.answered(&message);
        let Phase::Streaming(mut scan) = std::mem::replace(&mut self.phase, Phase::Done) else { return Heard::Stopped };
        let desk = Desk { judge: &self.judge, originals: &self.originals };
        let before = out.len();
        let pushed = scan.push_message(message.clone(), &desk, out);
        if let Some(keys) = self.own_keys() {
            out[before..].iter_mut().for_each(|it| keys.hide(it, 0));
        }
        if !out.is_empty() {
            self.record.first_byte.get_or_insert(now);
        }
        match pushed {
            Ok(finished) => {
                self.phase = Phase::Streaming(scan);
                if !finished {
                    return Heard::More;
                }
                self.record.upstream_status = failure_status(&message).or(self.record.upstream_status);
                Heard::Finished
            }
            Err(stop) => {
                let refusal = self.cut_off(stop, &mut scan, now);
                out.extend(scan.ending_messages(&refusal));
                Heard::Stopped
            }
        }
    }

    /// What the next exchange on the same socket is to know.
    pub fn take_memory(&mut self) -> SocketMemory {
        SocketMemory(std::mem::take(&mut self.originals))
    }

    /// Whether messages that ask for an answer could be posted to this path.
    fn takes_messages(&self) -> bool {
        let route = self.destination.as_ref().map(|it| &it.route);
        route.is_some_and(|it| it.endpoint == Endpoint::Responses && it.path.ends_with("/responses"))
    }

    fn connect(&mut self) -> Sending {
        match self.check_models(&[]).and_then(|()| self.forward(Vec::new(), false)) {
            Ok(forward) => Sending::Forward(forward),
            Err(refusal) => Sending::Answer(self.dress(refusal)),
        }
    }

    fn refuse_upgrade(&mut self) -> Reply {
        let message = "no WebSocket is opened for this; use plain HTTP requests, which are served or told why not";
        self.refuse(RefusalKind::UpgradeRefused, message.into())
    }
}

impl<'a> Head<'a> {
    /// The head of the request that would carry the same message as its body.
    fn of_message(&self) -> Head<'a> {
        let headers = self.headers.iter().filter(|(name, _)| *name != "content-encoding").copied().collect();
        Head { method: "POST", path: self.path, query: self.query, headers, client: self.client }
    }
}

/// What is better said over plain HTTP, where clients go at the sight of a refused upgrade: there the path may be one that
/// is served, and people are shown what they are told.
fn is_asked_again(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::UnknownPath | RefusalKind::NoUpstream | RefusalKind::Quarantined)
}

/// The status that an `error` event speaks of: such an event takes the place of a refused request.
fn failure_status(message: &[u8]) -> Option<u16> {
    let failure: Failure = serde_json::from_slice(message).ok()?;
    failure.status.or(failure.status_code).filter(|_| failure.r#type == "error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_two_readers_could_read_differently_is_none() {
        assert_eq!(kind_of(br#"{"type":"response.create","model":"m","input":[]}"#), MessageKind::Create);
        assert_eq!(kind_of(br#"{"input":"x","ty\u0070e":"response.create"}"#), MessageKind::Create);
        assert_eq!(kind_of(br#"{"type":"response.create","response":null}"#), MessageKind::Create);
        assert_eq!(kind_of(br#"{"type":"response.processed","response_id":"r"}"#), MessageKind::Other);
        for message in [
            &br#"{"type":"response.create","response":{"model":"m"}}"#[..],
            br#"{"type":"response.create","type":"other"}"#,
            br#"{"type":7}"#,
            br#"{"model":"m"}"#,
            br#"[{"type":"response.create"}]"#,
            b"hello",
            b"",
            b"{\"type\":\"response.create\"} {}",
            b"\xff",
        ] {
            assert!(matches!(kind_of(message), MessageKind::Unreadable(_)), "{}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn only_error_events_speak_of_a_status() {
        assert_eq!(failure_status(br#"{"type":"error","status":429,"error":{}}"#), Some(429));
        assert_eq!(failure_status(br#"{"type":"error","status_code":400}"#), Some(400));
        assert_eq!(failure_status(br#"{"type":"response.completed","status":500}"#), None);
        assert_eq!(failure_status(br#"{"type":"error"}"#), None);
    }
}
