//! A client that speaks HTTP/2 as nobody should: resets at each phase, floods, windows that never open.

use std::time::Duration;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    fields, frame, head, preface, request,
};
use super::provider::{SSE_HEAD, begun, delta, ended};
use super::stage::{Fault, answer_key, fault, prompt};
use super::step::Step;

const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// A client that writes this behind the preface, and then reads.
fn writes(name: &str, frames: Vec<u8>, opens: (u64, u64)) -> Fault {
    let client = vec![Step::Write([preface(&[]), frames].concat()), Step::Drain];
    fault(format!("client, HTTP/2: {name}")).client(client).opens(opens.0, opens.1)
}

/// The same, where nobody may be asked.
fn refuses(name: &str, frames: Vec<u8>, opens: (u64, u64)) -> Fault {
    writes(name, frames, opens).refused()
}

pub fn faults() -> Vec<Fault> {
    let mut all = resets();
    all.extend(malformed());
    all.extend(floods());
    all.extend(windows());
    all
}

/// A provider in the middle of a stream with half a key in it.
fn talking() -> Vec<Step> {
    let begin = format!("{SSE_HEAD}{}{}{}", begun(), delta("hello hello "), delta(&answer_key()[..14]));
    vec![Step::Message, Step::Write(begin.into_bytes()), Step::Drain]
}

fn resets() -> Vec<Fault> {
    let head_only = frame(HEADERS, END_HEADERS, 1, &head(&[]));
    let body = prompt("reset");
    let half = frame(DATA, 0, 1, &body.as_bytes()[..body.len() / 2]);
    let reset = frame(RST_STREAM, 0, 1, &CANCEL);
    let goaway = frame(GOAWAY, 0, 0, &[0; 8]);
    let whole = request(1, &body);
    let heard = |until: &'static [u8], then: &[u8]| {
        vec![
            Step::Write([preface(&[]), whole.clone()].concat()),
            Step::Until(until),
            Step::Write(then.to_vec()),
            Step::Drain,
        ]
    };
    let thinking = || vec![Step::Message, Step::Drain];
    let late = |then: &[u8]| {
        let pause = Step::Pause(Duration::from_millis(200));
        vec![Step::Write([preface(&[]), whole.clone()].concat()), pause, Step::Write(then.to_vec()), Step::Drain]
    };
    let breaks = vec![Step::Write([preface(&[]), whole.clone()].concat()), Step::Until(b"message_start"), Step::Reset];
    let row = |name: &str| fault(format!("client, HTTP/2: {name}"));
    let answered = format!("{SSE_HEAD}{}{}{}", begun(), delta("hi"), ended()).into_bytes();
    vec![
        refuses("reset behind the head", [head_only.clone(), reset.clone()].concat(), (0, 1)),
        refuses("reset in the body", [head_only.clone(), half.clone(), reset.clone()].concat(), (0, 1)),
        row("reset while the provider thinks").client(late(&reset)).provider(thinking()),
        row("reset in the answer").client(heard(b"hello hello", &reset)).provider(talking()),
        row("reset of the connection in the answer").client(breaks).provider(talking()),
        refuses("GOAWAY at once", goaway.clone(), (0, 0)),
        refuses("GOAWAY in the body", [head_only.clone(), half.clone(), goaway.clone()].concat(), (0, 1)),
        row("GOAWAY in the answer").client(heard(b"hello hello", &goaway)).provider(talking()),
        refuses("a head, and nothing more", head_only.clone(), (1, 1)),
        refuses("half a body, and nothing more", [head_only, half].concat(), (1, 1)),
        row("half closed behind the request")
            .client([Step::Write([preface(&[]), whole.clone()].concat()), Step::HalfClose, Step::Drain])
            .provider([Step::Message, Step::Write(answered.clone())])
            .opens(0, 1),
        row("one byte at a time")
            .client([Step::Dribble([preface(&[]), whole.clone()].concat()), Step::Until(b"message_stop")])
            .provider([Step::Message, Step::Dribble(answered)]),
    ]
}

fn malformed() -> Vec<Fault> {
    let body = prompt("odd");
    let with = |more: &[(&str, &str)]| {
        let end = frame(DATA, END_STREAM, 1, body.as_bytes());
        [frame(HEADERS, END_HEADERS, 1, &head(more)), end].concat()
    };
    let trailers = [
        frame(HEADERS, END_HEADERS, 1, &head(&[])),
        frame(DATA, 0, 1, body.as_bytes()),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[("x-trailer", "y")])),
    ];
    let mut oversize = frame(DATA, 0, 1, &[]);
    oversize[..3].copy_from_slice(&[0xff, 0xff, 0xff]);
    let again = [request(1, &body), frame(DATA, END_STREAM, 1, b"more")].concat();
    vec![
        writes("trailers", trailers.concat(), (1, 1)),
        refuses("a length that the body has not", with(&[("content-length", "5")]), (0, 1)),
        refuses("a name in capitals", with(&[("X-Loud", "y")]), (0, 1)),
        refuses("a transfer encoding", with(&[("transfer-encoding", "chunked")]), (0, 1)),
        refuses("a pseudo field behind the others", with(&[("x", "y"), (":path", "/other")]), (0, 1)),
        refuses("data on no stream", frame(DATA, 0, 0, b"x"), (0, 0)),
        refuses("data on a stream that is not open", frame(DATA, 0, 7, b"x"), (0, 0)),
        refuses("a frame of 16 MiB", oversize, (0, 0)),
        refuses("a stream of the server's", frame(HEADERS, END_HEADERS | END_STREAM, 2, &head(&[])), (0, 0)),
        refuses("a stream that depends on itself", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 16]), (0, 0)),
        refuses("a window beyond every number", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), (0, 0)),
        refuses("a window that opens by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), (0, 0)),
        refuses("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), (0, 0)),
        refuses("fields that are no fields", frame(HEADERS, END_HEADERS, 1, &[0xff; 40]), (0, 0)),
        refuses("noise behind the preface", vec![0xa5; 5000], (0, 0)),
        writes("data behind the end of its stream", again, (0, 1)),
    ]
}

fn flood(name: &str, begin: Vec<u8>, piece: Vec<u8>, times: usize, opens: (u64, u64)) -> Fault {
    let client = vec![Step::Write([preface(&[]), begin].concat()), Step::Flood(piece, times), Step::Drain];
    fault(format!("client, HTTP/2: {name}")).client(client).opens(opens.0, opens.1).refused()
}

fn floods() -> Vec<Fault> {
    let open = frame(HEADERS, END_STREAM, 1, &head(&[]));
    let bomb: Vec<u8> = {
        // One large field, put into the table, and then named again and again.
        let mut block = vec![0x40];
        block.extend(&fields(&[("x-bomb", &"y".repeat(3000))])[1..]);
        block.extend(vec![0xbe; 12_000]);
        [head(&[]), block].concat()
    };
    let rapid: Vec<u8> = (0..2000u32)
        .flat_map(|it| {
            let open = frame(HEADERS, END_HEADERS | END_STREAM, 2 * it + 1, &head(&[]));
            [open, frame(RST_STREAM, 0, 2 * it + 1, &CANCEL)].concat()
        })
        .collect();
    let streams: Vec<u8> = (0..1000u32).flat_map(|it| frame(HEADERS, END_HEADERS, 2 * it + 1, &head(&[]))).collect();
    vec![
        flood("20,000 SETTINGS", vec![], frame(SETTINGS, 0, 0, &[]).repeat(100), 200, (0, 0)),
        flood("50,000 PING", vec![], frame(PING, 0, 0, &[7; 8]).repeat(100), 500, (0, 0)),
        flood("10,000 CONTINUATION of nothing", open.clone(), frame(CONTINUATION, 0, 1, &[]).repeat(100), 100, (0, 0)),
        flood(
            "CONTINUATION of 16 MB",
            open,
            frame(CONTINUATION, 0, 1, &fields(&[("x-a", &"y".repeat(16_000))])),
            1000,
            (0, 0),
        ),
        flood(
            "10,000 empty DATA",
            frame(HEADERS, END_HEADERS, 1, &head(&[])),
            frame(DATA, 0, 1, &[]).repeat(100),
            100,
            (0, 1),
        ),
        flood("20,000 PRIORITY", vec![], frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]).repeat(100), 200, (0, 0)),
        flood("2,000 streams, each reset at once", vec![], rapid, 1, (0, 2000)),
        flood("1,000 streams at once", vec![], streams, 1, (0, 1000)),
        refuses("fields that unfold to 36 MB", frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb), (0, 1)),
        refuses("fields of 1 MB", large_fields(), (0, 1)),
    ]
}

fn large_fields() -> Vec<u8> {
    let block = head(&[("x-large", &"y".repeat(1 << 20))]);
    let mut pieces = block.chunks(16_000);
    let first = frame(HEADERS, END_STREAM, 1, pieces.next().unwrap());
    let rest: Vec<u8> = pieces.flat_map(|it| frame(CONTINUATION, 0, 1, it)).collect();
    [first, rest, frame(CONTINUATION, END_HEADERS, 1, &[])].concat()
}

fn windows() -> Vec<Fault> {
    let row = |name: &str| fault(format!("client, HTTP/2: {name}"));
    let shut = |name: &str, provider: Vec<Step>| {
        let client = vec![Step::Write([preface(&[(4, 0)]), request(1, &prompt(name))].concat()), Step::Drain];
        row(name).client(client).provider(provider)
    };
    let held = vec![Step::Message, Step::Write(super::stage::answer("", &vec![b' '; 200_000])), Step::Drain];
    let pings = vec![
        Step::Write([preface(&[(4, 0)]), request(1, &prompt("pings"))].concat()),
        Step::Flood(frame(PING, 0, 0, &[1; 8]), 1),
        Step::Pause(Duration::from_millis(700)),
        Step::Flood(frame(PING, 0, 0, &[2; 8]), 1),
        Step::Drain,
    ];
    vec![
        shut("a window of nothing under a stream", talking()),
        shut("a window of nothing under a held answer", held.clone()),
        row("a window of nothing, and pings").client(pings).provider(held),
    ]
}
