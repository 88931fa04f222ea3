//! Answers that are no HTTP, or HTTP that two readers could read differently, or far too much of it.

use super::provider::{SSE_HEAD, begun, chunk, delta, ended};
use super::stage::{Fault, answer, answer_key, fault, goes_on};
use super::step::Step;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const OTHER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"b\":\"x\"}";

/// A provider that reads the request, writes this, and then answers the next one: a connection that is kept must be
/// a sound one.
fn waits(name: &str, text: impl AsRef<[u8]>, statuses: &'static [u16]) -> Fault {
    let steps = [vec![Step::Message, Step::Write(text.as_ref().to_vec())], goes_on()].concat();
    fault(format!("provider: {name}")).provider(steps).sees(statuses)
}

/// A provider that writes this and ends.
fn ends(name: &str, text: impl AsRef<[u8]>, statuses: &'static [u16]) -> Fault {
    let steps = vec![Step::Message, Step::Write(text.as_ref().to_vec())];
    fault(format!("provider: {name}")).provider(steps).sees(statuses)
}

pub fn answers() -> Vec<Fault> {
    [no_http(), heads(), lengths(), chunks(), early(), encodings()].concat_rows()
}

trait Rows {
    fn concat_rows(self) -> Vec<Fault>;
}

impl<const N: usize> Rows for [Vec<Fault>; N] {
    fn concat_rows(self) -> Vec<Fault> {
        self.into_iter().flatten().collect()
    }
}

fn no_http() -> Vec<Fault> {
    let noise: Vec<u8> = (0..4096u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    vec![
        waits("noise instead of HTTP", &noise, &[502]),
        waits("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28", &[502]),
        ends("text without a head", "hello\n", &[502]),
        waits("an HTTP/2 preface", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", &[502]),
        waits("a status that is none", "HTTP/1.1 abc Odd\r\ncontent-length: 0\r\n\r\n", &[502]),
        waits("HTTP/9.9", "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n", &[502]),
        waits("a NUL in the head", format!("{OK}x-a: a\0b\r\ncontent-length: 2\r\n\r\n{{}}"), &[502]),
        waits("a head without an end", "HTTP/1.1 200 OK\r\nx-a: b\r\n", &[502]),
        waits(
            "a switch of protocols",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbytes",
            &[502],
        ),
    ]
}

fn heads() -> Vec<Fault> {
    let large = format!("{OK}x-large: {}\r\ncontent-length: 2\r\n\r\n{{}}", "y".repeat(2 << 20));
    let many: String = (0..2000).map(|it| format!("x-{it}: y\r\n")).collect();
    let hundred = "HTTP/1.1 100 Continue\r\n\r\n".repeat(5000);
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(5000);
    let end = "content-length: 2\r\n\r\n{}";
    vec![
        waits("a header of 2 MiB", large, &[502]),
        waits("2000 headers", format!("{OK}{many}{end}"), &[502]),
        waits("5000 times 100 Continue", format!("{hundred}{OK}{end}"), &[200, 502]),
        waits("5000 times 103 Early Hints", format!("{early}{OK}{end}"), &[200, 502]),
        waits("100 Continue without an end", Vec::from("HTTP/1.1 100 Continue\r\n\r\n"), &[502]),
        waits("a folded header", format!("{OK}x-a: b\r\n c\r\n{end}"), &[200, 502]),
        waits(
            "no body where one is said to be none",
            "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
            &[204, 502],
        ),
    ]
}

fn lengths() -> Vec<Fault> {
    let key = answer_key();
    vec![
        ends("fewer bytes than said", format!("{OK}content-length: 100\r\n\r\n{{\"a\":\"{key}\"}}"), &[502]),
        waits("more bytes than said", format!("{OK}content-length: 2\r\n\r\n{{}}{key}"), &[200, 502]),
        waits(
            "a second answer that nobody asked for",
            format!("{OK}content-length: 2\r\n\r\n{{}}{OTHER}"),
            &[200, 502],
        ),
        waits("two lengths", format!("{OK}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}{key}"), &[200, 502]),
        waits("a negative length", format!("{OK}content-length: -2\r\n\r\n{{}}"), &[502]),
        waits(
            "a length beyond every number",
            format!("{OK}content-length: 99999999999999999999999\r\n\r\n{{}}"),
            &[502],
        ),
        waits(
            "length and chunks",
            format!("{OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            &[200, 502],
        ),
        waits("an answer of 3 MiB, of which 1 may be held", answer("", &vec![b' '; 3 << 20]), &[400]),
        ends("a body that ends with the connection", format!("{OK}\r\n{{\"a\":\"it is {key} it\"}}"), &[200, 502]),
        ends("HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{}", &[200, 502]),
    ]
}

fn chunks() -> Vec<Fault> {
    let head = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let stream = |rest: &str| format!("{SSE_HEAD}{}{rest}", begun());
    vec![
        waits("extensions of chunks", format!("{head}2;a=\"b\"\r\n{{}}\r\n0;x\r\n\r\n"), &[200, 502]),
        waits("an extension of 1 MiB", format!("{head}2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(1 << 20)), &[502]),
        waits("a chunk size that is none", format!("{head}zz\r\n{{}}\r\n0\r\n\r\n"), &[502]),
        waits("a chunk size beyond every number", format!("{head}fffffffffffffffff\r\n{{}}"), &[502]),
        waits("a chunk of half of all numbers", format!("{head}7fffffffffffffff\r\n{{}}"), &[502]),
        waits("a chunk without its end", format!("{head}2\r\n{{}}3\r\nabc\r\n0\r\n\r\n"), &[502]),
        ends("chunks without the last", format!("{head}2\r\n{{}}\r\n"), &[502]),
        waits("trailers", format!("{head}2\r\n{{}}\r\n0\r\nx-trailer: y\r\n\r\n"), &[200, 502]),
        waits("a stream with a bad chunk in it", stream("zz\r\nhello\r\n0\r\n\r\n"), &[200]).cut(),
        waits("a stream of chunks of one byte", tiny_chunks(), &[200]),
        waits("an event without an end", stream(&chunk(&format!("data: {}", "x".repeat(3 << 20)))), &[200]).cut(),
        waits(
            "an event that is no JSON",
            stream(&(chunk("event: content_block_delta\ndata: {no\n\n") + &ended())),
            &[200, 502],
        ),
        waits(
            "text behind the end of a stream",
            stream(&(delta("hi") + &ended() + &delta(&answer_key()))),
            &[200, 502],
        ),
    ]
}

fn tiny_chunks() -> String {
    let whole = delta("hello ") + &delta(&answer_key()) + &ended();
    let events: String = whole
        .lines()
        .filter(|it| it.starts_with("event") || it.starts_with("data"))
        .map(|it| {
            let end = if it.starts_with("data") { "\n\n" } else { "\n" };
            format!("{it}{end}")
        })
        .collect();
    let chunks: String = events.chars().map(|it| chunk(&it.to_string())).collect();
    format!("{SSE_HEAD}{}{chunks}0\r\n\r\n", begun())
}

/// Takes what is left of a request, and the next one.
fn reads_on() -> Vec<Step> {
    [vec![Step::Through(b"\"model\":\"m\"}")], goes_on()].concat()
}

fn early() -> Vec<Fault> {
    let eager = [vec![Step::Write(answer("", b"{}")), Step::Message], goes_on()].concat();
    let refusal = "HTTP/1.1 413 Payload Too Large\r\ncontent-type: application/json\r\ncontent-length: 2\r\n";
    let large = "All work and no play. ".repeat(40_000);
    let client = || {
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": large}]}).to_string();
        vec![Step::Write(super::stage::framed("/v1/messages", "connection: close\r\n", &body)), Step::Drain]
    };
    let answers = |more: &str, then: Vec<Step>| {
        let head = Step::Write(format!("{refusal}{more}\r\n{{}}").into_bytes());
        [vec![Step::Until(b"\r\n\r\n"), head], then].concat()
    };
    vec![
        fault("provider: answers before the body, and reads it")
            .client(client())
            .provider(answers("", reads_on()))
            .sees(&[413, 502]),
        fault("provider: answers before the body, and ends")
            .client(client())
            .provider(answers("connection: close\r\n", vec![]))
            .sees(&[413, 502]),
        fault("provider: answers before the body, and breaks")
            .client(client())
            .provider(answers("", vec![Step::Reset]))
            .sees(&[413, 502]),
        fault("provider: answers before it is asked").provider(eager).sees(&[200, 502]),
    ]
}

fn encodings() -> Vec<Fault> {
    let gzip = |text: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let coded = |body: &[u8]| answer("content-encoding: gzip\r\n", body);
    let whole =
        gzip(format!("{{\"content\":[{{\"type\":\"text\",\"text\":\"it is {} it\"}}]}}", answer_key()).as_bytes());
    vec![
        waits("gzip that is none", coded(b"this is no gzip"), &[502]),
        waits("gzip that breaks off", coded(&whole[..whole.len() / 2]), &[502]),
        waits("gzip with a key in it", coded(&whole), &[200]),
        waits("a bomb of 64 MiB", coded(&gzip(&vec![b' '; 64 << 20])), &[502]),
        waits("an encoding that nobody knows", answer("content-encoding: rot13\r\n", &whole), &[502]),
    ]
}
