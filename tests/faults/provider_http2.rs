//! A provider that speaks HTTP/2 as nobody should: resets at each phase, frames that are none, floods, shut windows.

use std::time::Duration;

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, fields, frame,
};
use super::provider::{ending, opening, said};
use super::stage::{ANSWER, Fault, answer_key, fault};
use super::step::Step;

/// The end of each request's body.
const ASKED: Step = Step::Until(b"\"stream\":true}");
/// Nothing of an answer was passed on.
const NONE: &[u16] = &[502];
/// The answer was passed on, or none was.
const EITHER: &[u16] = &[200, 502];
const WHOLE: &[u16] = &[200];
/// Frames that break the protocol: the provider is asked again over HTTP/1.1, and answers.
const AGAIN: &[u16] = &[200];

/// A provider that does its work and lets the connection go.
pub fn healthy() -> Vec<Step> {
    vec![ASKED, Step::Write([settings(), json(1, ANSWER.as_bytes()), goaway(1, 0)].concat()), Step::Drain]
}

/// What a server begins with.
fn settings() -> Vec<u8> {
    [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat()
}

fn head(stream: u32, flags: u8, all: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &fields(all))
}

fn json_head(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    head(stream, 0, &[&[(":status", "200"), ("content-type", "application/json")][..], more].concat())
}

fn stream_head() -> Vec<u8> {
    head(1, 0, &[(":status", "200"), ("content-type", "text/event-stream")])
}

fn data(text: &str) -> Vec<u8> {
    frame(DATA, 0, 1, text.as_bytes())
}

fn last(text: &str) -> Vec<u8> {
    frame(DATA, END_STREAM, 1, text.as_bytes())
}

/// A whole answer.
fn json(stream: u32, body: &[u8]) -> Vec<u8> {
    [json_head(stream, &[]), frame(DATA, END_STREAM, stream, body)].concat()
}

fn reset(code: u8) -> Vec<u8> {
    frame(RST_STREAM, 0, 1, &[0, 0, 0, code])
}

fn goaway(last_stream: u8, code: u8) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0, 0, 0, last_stream, 0, 0, 0, code])
}

/// Answers the next request of the connection, if there is one: the one before may have left it sound.
fn goes_on() -> Vec<Step> {
    vec![ASKED, Step::Write([json(3, ANSWER.as_bytes()), goaway(3, 0)].concat()), Step::Drain]
}

/// Frames that a provider writes behind its settings once it was asked, and then goes on.
fn writes(name: &str, frames: &[Vec<u8>], statuses: &'static [u16]) -> Fault {
    let steps = [vec![ASKED, Step::Write([settings(), frames.concat()].concat())], goes_on()].concat();
    fault(format!("provider, HTTP/2: {name}")).provider(steps).sees(statuses)
}

/// The same, and then it ends the connection.
fn ends(name: &str, frames: &[Vec<u8>], statuses: &'static [u16]) -> Fault {
    let steps = vec![ASKED, Step::Write([settings(), frames.concat()].concat())];
    fault(format!("provider, HTTP/2: {name}")).provider(steps).sees(statuses)
}

pub fn faults() -> Vec<Fault> {
    [breaks(), endings(), heads(), malformed(), floods(), windows()].into_iter().flatten().collect()
}

/// A stream as far as the middle of a key.
fn half_a_key() -> Vec<u8> {
    let key = answer_key();
    [stream_head(), data(&opening()), data(&said("the key is ")), data(&said(&key[..9])), data(&said(&key[9..16]))]
        .concat()
}

/// Resets of the stream, at each phase and for each reason.
fn breaks() -> Vec<Fault> {
    let body = format!("{{\"type\":\"message\",\"content\":[{{\"type\":\"text\",\"text\":\"{}", answer_key());
    let codes = [("no reason", 0), ("an error", 2), ("a cancelled stream", 8), ("calm", 11)];
    let row = |(why, code): (&str, u8)| writes(&format!("reset behind the request, {why}"), &[reset(code)], NONE);
    let mut all: Vec<Fault> = codes.into_iter().map(row).collect();
    all.extend([
        // Who refuses a stream says that nothing was done: it is asked again.
        writes("reset behind the request, a refused stream", &[reset(7)], WHOLE),
        writes("reset behind a JSON head", &[json_head(1, &[]), reset(8)], NONE),
        writes("reset in a JSON body", &[json_head(1, &[]), data(&body), reset(2)], NONE),
        writes("reset behind a stream's head", &[stream_head(), reset(2)], EITHER).cut(),
        writes("reset in a stream, a key half said", &[half_a_key(), reset(2)], WHOLE).cut(),
        writes("reset for no reason in a stream", &[half_a_key(), reset(0)], WHOLE).cut(),
        writes("reset behind a whole answer", &[json(1, ANSWER.as_bytes()), reset(0)], WHOLE),
    ]);
    all
}

/// Ends of the connection, with and without a word.
fn endings() -> Vec<Fault> {
    let rest = [data(&said("well")), last(&ending())].concat();
    let begun = [stream_head(), data(&opening())].concat();
    let whole = [settings(), begun.clone(), rest.clone()].concat();
    let row = |name: &str, steps: Vec<Step>| fault(format!("provider, HTTP/2: {name}")).provider(steps);
    vec![
        row("says nothing at all", vec![Step::Drain]).sees(NONE),
        row("says nothing behind its settings", vec![Step::Write(settings()), Step::Drain]).sees(NONE),
        row("ends without its settings", vec![ASKED]).sees(NONE),
        ends("ends behind the request", &[], NONE),
        ends("ends behind a JSON head", &[json_head(1, &[])], NONE),
        ends("ends in a stream, a key half said", &[half_a_key()], WHOLE).cut(),
        row(
            "resets the connection in a stream",
            vec![ASKED, Step::Write([settings(), half_a_key()].concat()), Step::Reset],
        )
        .sees(EITHER)
        .cut(),
        writes("stalls behind its settings", &[], NONE),
        writes("stalls behind a JSON head", &[json_head(1, &[])], NONE),
        writes("stalls in a stream, a key half said", &[half_a_key()], WHOLE).cut(),
        ends("GOAWAY that knows no request", &[goaway(0, 0)], NONE),
        ends("GOAWAY with an error", &[goaway(0, 2)], NONE),
        writes("GOAWAY in a stream that goes on", &[begun.clone(), goaway(1, 0), rest.clone()], WHOLE),
        ends("GOAWAY in a stream that it gives up", &[half_a_key(), goaway(0, 2)], WHOLE).cut(),
        row("goes on only once it is asked whether it is there", asked_for()).sees(WHOLE).whole(),
        row("one byte at a time", [vec![ASKED, Step::Dribble(whole)], goes_on()].concat()).sees(WHOLE),
        writes("a key in many frames", &[half_a_key(), data(&said(&answer_key()[16..])), last(&ending())], WHOLE),
    ]
}

/// A stream whose end waits for a PING, longer than a read may take.
fn asked_for() -> Vec<Step> {
    let slowly = [Step::Write(data(&said("well "))), Step::Pause(Duration::from_millis(400))];
    let rest = last(&ending());
    [
        vec![ASKED, Step::Write([settings(), stream_head(), data(&opening())].concat())],
        std::iter::repeat_n(slowly, 4).flatten().collect(),
        vec![Step::Until(b"\0\0\x08\x06\0\0\0\0\0"), Step::Write([rest, goaway(1, 0)].concat()), Step::Drain],
    ]
    .concat()
}

/// Heads that two readers could read differently, or not at all.
fn heads() -> Vec<Fault> {
    let body = || last("{}");
    let odd = |name: &str, all: &[(&str, &str)], statuses| writes(name, &[head(1, 0, all), body()], statuses);
    let hints: Vec<u8> = head(1, 0, &[(":status", "103"), ("link", "</a>")]).repeat(5000);
    let key = answer_key();
    vec![
        odd("no status", &[("content-type", "application/json")], NONE),
        odd("a status that is none", &[(":status", "abc")], AGAIN),
        odd("a status of 99", &[(":status", "99")], AGAIN),
        odd("two statuses", &[(":status", "200"), (":status", "500")], NONE),
        odd("a status behind the fields", &[("x", "y"), (":status", "200")], NONE),
        odd("a name in capitals", &[(":status", "200"), ("X-Loud", "y")], AGAIN),
        odd("a transfer encoding", &[(":status", "200"), ("transfer-encoding", "chunked")], EITHER),
        odd("a line break in a field", &[(":status", "200"), ("x-a", "b\r\nx-c: d")], AGAIN),
        odd("a switch of protocols", &[(":status", "101"), ("upgrade", "x")], NONE),
        odd("a body where one is said to be none", &[(":status", "204")], &[204, 502]),
        writes("a longer length than the body", &[json_head(1, &[("content-length", "100")]), body()], NONE),
        writes("a shorter length than the body", &[json_head(1, &[("content-length", "1")]), last(&key)], NONE),
        writes("two lengths", &[json_head(1, &[("content-length", "2"), ("content-length", "3")]), body()], EITHER),
        writes("5,000 early hints", &[hints, json(1, b"{}")], EITHER),
        writes("a head twice", &[json_head(1, &[]), json_head(1, &[]), body()], EITHER),
        writes("trailers", &[json_head(1, &[]), data("{}"), head(1, END_STREAM, &[("x-trailer", "y")])], EITHER),
        writes("data behind the end", &[json(1, b"{}"), data(&key)], EITHER),
    ]
}

/// Frames that are none.
fn malformed() -> Vec<Fault> {
    let mut oversize = data("");
    oversize[..3].copy_from_slice(&[0xff, 0xff, 0xff]);
    let promise = frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &fields(&[(":method", "GET")])].concat());
    let noise = (0..4096u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let text = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let row = |name: &str, frames: Vec<u8>| writes(name, &[frames], NONE);
    let again = |name: &str, frames: Vec<u8>| writes(name, &[frames], AGAIN);
    vec![
        again("data before a head", data("{}")),
        again("data on no stream", frame(DATA, 0, 0, b"{}")),
        again("an answer to another request", json(3, b"{}")),
        again("an answer on a stream of its own", json(2, b"{}")),
        again("a promise that nobody asked for", promise),
        row("a frame of 16 MiB", oversize),
        row("more padding than frame", [json_head(1, &[]), frame(DATA, PADDED | END_STREAM, 1, &[255, 1])].concat()),
        again("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        again("a window beyond every number, in settings", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        again("frames larger than may be", frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1])),
        again("a window that opens by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        row("a window beyond every number", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        again("fields that are no fields", frame(HEADERS, END_HEADERS, 1, &[0xff; 40])),
        again(
            "a head that goes on elsewhere",
            [frame(HEADERS, 0, 1, &fields(&[(":status", "200")])), data("{}")].concat(),
        ),
        row("noise", noise),
        fault("provider, HTTP/2: HTTP/1.1 after all").provider(vec![Step::Write(text), Step::Drain]).sees(NONE),
    ]
}

fn flood(name: &str, begin: &[Vec<u8>], piece: Vec<u8>, times: usize, statuses: &'static [u16]) -> Fault {
    let begin = Step::Write([settings(), begin.concat()].concat());
    let steps = [vec![ASKED, begin, Step::Flood(piece, times)], goes_on()].concat();
    fault(format!("provider, HTTP/2: {name}")).provider(steps).sees(statuses)
}

/// Much of what costs the sender little.
fn floods() -> Vec<Fault> {
    let open = frame(HEADERS, 0, 1, &fields(&[(":status", "200")]));
    let large = frame(CONTINUATION, 0, 1, &fields(&[("x-a", &"y".repeat(16_000))]));
    let mut unfolds = fields(&[(":status", "200")]);
    // One large field, put into the table, and then named again and again.
    unfolds.push(0x40);
    unfolds.extend(&fields(&[("x-bomb", &"y".repeat(3000))])[1..]);
    unfolds.extend(vec![0xbe; 12_000]);
    let begin = [stream_head(), data(&opening())];
    let text = said(&"word ".repeat(3000));
    vec![
        flood("20,000 SETTINGS", &[], frame(SETTINGS, 0, 0, &[]).repeat(100), 200, NONE),
        flood("50,000 PING", &[], frame(PING, 0, 0, &[7; 8]).repeat(100), 500, NONE),
        flood("20,000 PRIORITY", &[], frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]).repeat(100), 200, NONE),
        flood("20,000 WINDOW_UPDATE", &[], frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]).repeat(100), 200, NONE),
        flood("20,000 resets of other streams", &[], frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]).repeat(100), 200, AGAIN),
        flood(
            "10,000 CONTINUATION of nothing",
            std::slice::from_ref(&open),
            frame(CONTINUATION, 0, 1, &[]).repeat(100),
            100,
            NONE,
        ),
        flood("CONTINUATION of 16 MB", &[open], large, 1000, NONE),
        flood("10,000 empty DATA", &[json_head(1, &[])], data("").repeat(100), 100, NONE),
        flood("a stream that heeds no window", &begin, data(&text), 1000, EITHER).cut(),
        writes("fields that unfold to 36 MB", &[frame(HEADERS, END_HEADERS, 1, &unfolds), last("{}")], NONE),
    ]
}

/// Settings under which nothing can be sent.
fn windows() -> Vec<Fault> {
    let shut = |name: &str, setting: [u8; 6]| {
        let steps =
            vec![Step::Write([frame(SETTINGS, 0, 0, &setting), frame(SETTINGS, ACK, 0, &[])].concat()), Step::Drain];
        fault(format!("provider, HTTP/2: {name}")).provider(steps).sees(NONE)
    };
    vec![shut("a window of nothing for the request", [0, 4, 0, 0, 0, 0]), shut("no stream allowed", [0, 3, 0, 0, 0, 0])]
}
