//! A provider that breaks off: at each phase of an exchange a reset, an end, a stall.

use std::time::Duration;

use super::stage::{Fault, answer_key, fault, prompt, request};
use super::step::Step;

const JSON_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n";
pub const SSE_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// One chunk.
pub fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// One event of an Anthropic stream.
pub fn event(name: &str, mut data: serde_json::Value) -> String {
    data["type"] = name.into();
    format!("event: {name}\ndata: {data}\n\n")
}

/// The events of a stream as far as the first block of text, open.
pub fn opening() -> String {
    let message = serde_json::json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 1, "output_tokens": 1}});
    let block = serde_json::json!({"type": "text", "text": ""});
    event("message_start", serde_json::json!({"message": message}))
        + &event("content_block_start", serde_json::json!({"index": 0, "content_block": block}))
}

/// The event of a piece of text.
pub fn said(text: &str) -> String {
    let delta = serde_json::json!({"type": "text_delta", "text": text});
    event("content_block_delta", serde_json::json!({"index": 0, "delta": delta}))
}

/// The events that end the block and the message.
pub fn ending() -> String {
    let reason = serde_json::json!({"stop_reason": "end_turn", "stop_sequence": null});
    event("content_block_stop", serde_json::json!({"index": 0}))
        + &event("message_delta", serde_json::json!({"delta": reason, "usage": {"output_tokens": 2}}))
        + &event("message_stop", serde_json::json!({}))
}

/// [`opening`] in a chunk.
pub fn begun() -> String {
    chunk(&opening())
}

/// [`said`] in a chunk.
pub fn delta(text: &str) -> String {
    chunk(&said(text))
}

/// [`ending`] in a chunk, and the end of the body.
pub fn ended() -> String {
    chunk(&ending()) + "0\r\n\r\n"
}

/// An answer whose text is a key, as far as the middle of it.
fn half_a_key() -> String {
    let key = answer_key();
    begun() + &delta("the key is ") + &delta(&key[..9]) + &delta(&key[9..16])
}

struct Phase {
    name: &'static str,
    before: Vec<Step>,
    statuses: &'static [u16],
    is_cut: bool,
}

fn phases() -> Vec<Phase> {
    let phase = |name, before: Vec<Step>, statuses, is_cut| Phase { name, before, statuses, is_cut };
    let after = |text: String| vec![Step::Message, Step::Write(text.into_bytes())];
    let json = format!("{{\"type\":\"message\",\"content\":[{{\"type\":\"text\",\"text\":\"{}", answer_key());
    vec![
        phase("at the connection", vec![], &[502], false),
        phase("behind the request's head", vec![Step::Until(b"\r\n\r\n")], &[502], false),
        phase("behind the request", vec![Step::Message], &[502], false),
        phase("in the answer's head", after("HTTP/1.1 200 OK\r\ncontent-ty".into()), &[502], false),
        phase("behind a JSON head", after(JSON_HEAD.into()), &[502], false),
        phase("in a JSON body", after(format!("{JSON_HEAD}{json}")), &[502], false),
        phase("behind a stream's head", after(SSE_HEAD.into()), &[200, 502], true),
        phase("in a stream, a key half said", after(format!("{SSE_HEAD}{}", half_a_key())), &[200], true),
        phase("in a chunk of a stream", after(format!("{SSE_HEAD}{}40\r\nevent: con", half_a_key())), &[200], true),
        phase("before the last chunk", after(format!("{SSE_HEAD}{}{}", begun(), delta("hi"))), &[200], true),
    ]
}

pub fn breaks() -> Vec<Fault> {
    let mut all = Vec::new();
    for (ending, steps) in [("reset", vec![Step::Reset]), ("end", vec![]), ("stall", vec![Step::Drain])] {
        for phase in phases() {
            let provider = [phase.before, steps.clone()].concat();
            let row = fault(format!("provider: {ending} {}", phase.name)).provider(provider).sees(phase.statuses);
            all.push(if phase.is_cut { row.cut() } else { row });
        }
    }
    all.extend(slow());
    all
}

/// Slow, and yet right.
fn slow() -> Vec<Fault> {
    let stream = format!("{SSE_HEAD}{}{}{}", begun(), delta("hello"), ended()).into_bytes();
    let keys = format!("{SSE_HEAD}{}{}{}", half_a_key(), delta(&answer_key()[16..]), ended()).into_bytes();
    let half_closed = vec![Step::Message, Step::Write(stream.clone()), Step::HalfClose, Step::Drain];
    let trickle: Vec<Step> =
        std::iter::repeat_n([Step::Write(delta("a").into_bytes()), Step::Pause(Duration::from_millis(400))], 20)
            .flatten()
            .collect();
    let trickle = [vec![Step::Message, Step::Write((SSE_HEAD.to_owned() + &begun()).into_bytes())], trickle].concat();
    let client = vec![Step::Dribble(request("/v1/messages", "slowly")), Step::Drain];
    vec![
        fault("provider: one byte at a time").provider([Step::Message, Step::Dribble(stream.clone())]).sees(&[200]),
        fault("provider: one byte at a time, a key in it").provider([Step::Message, Step::Dribble(keys)]).sees(&[200]),
        fault("provider: half closed behind a whole answer").provider(half_closed).sees(&[200]),
        fault("provider: a stream without an end, within every read").provider(trickle).sees(&[200]).cut(),
        fault("both ends: one byte at a time")
            .client(client)
            .provider([Step::Message, Step::Dribble(stream)])
            .sees(&[200]),
        nobody_reads(),
    ]
}

/// A client that stops reading while the provider talks on.
fn nobody_reads() -> Fault {
    let prompt = prompt("does not read");
    let client = vec![
        Step::Write(super::stage::framed("/v1/messages", "", &prompt)),
        Step::Until(b"message_start"),
        Step::Pause(Duration::from_millis(3500)),
        Step::Reset,
    ];
    let text = delta(&"word ".repeat(10_000)).into_bytes();
    let head = format!("{SSE_HEAD}{}", begun()).into_bytes();
    let provider = vec![Step::Message, Step::Write(head), Step::Flood(text, 1000)];
    fault("client: stops reading a stream of 50 MB").client(client).provider(provider).sees(&[200])
}
