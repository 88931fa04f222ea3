//! A client that breaks off at each phase of an exchange, and one that asks in ways nobody should.

use std::time::Duration;

use super::provider::{SSE_HEAD, begun, delta, ended};
use super::stage::{ANSWER, Fault, answer, fault, framed, goes_on, prompt, request};
use super::step::Step;

const PATH: &str = "/v1/messages";

struct Phase {
    name: &'static str,
    client: Vec<Step>,
    provider: Vec<Step>,
    opens: u64,
    is_refused: bool,
}

/// A provider in the middle of a stream, until the gateway leaves it.
fn talking() -> Vec<Step> {
    let more = [Step::Write(delta("word ").into_bytes()), Step::Pause(Duration::from_millis(50))];
    let more = std::iter::repeat_n(more, 100).flatten();
    let begin = [Step::Message, Step::Write(format!("{SSE_HEAD}{}", begun()).into_bytes())];
    begin.into_iter().chain(more).collect()
}

fn phases(mark: &str) -> Vec<Phase> {
    let phase = |name, client: Vec<Step>, provider: Vec<Step>, opens| Phase {
        name,
        client,
        is_refused: provider.is_empty(),
        provider,
        opens,
    };
    let body = prompt(mark);
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-length: {}\r\n\r\n", body.len());
    let write = |text: &str| vec![Step::Write(text.as_bytes().to_vec())];
    let asked = || vec![Step::Write(request(PATH, mark))];
    let heard = |until: &'static [u8]| vec![Step::Write(request(PATH, mark)), Step::Until(until)];
    vec![
        phase("at the connection", vec![], vec![], 0),
        phase("in the head", write(&head[..30]), vec![], 0),
        phase("behind the head", write(&head), vec![], 1),
        phase("in the body", write(&format!("{head}{}", &body[..body.len() - 20])), vec![], 1),
        phase(
            "while the provider thinks",
            [asked(), vec![Step::Pause(Duration::from_millis(200))]].concat(),
            vec![Step::Message, Step::Drain],
            1,
        ),
        phase("behind the answer's head", heard(b"\r\n\r\n"), talking(), 1),
        phase("in the answer", heard(b"word word"), talking(), 1),
    ]
}

pub fn breaks() -> Vec<Fault> {
    let mut all = Vec::new();
    for (ending, steps) in
        [("reset", vec![Step::Reset]), ("end", vec![]), ("half close", vec![Step::HalfClose, Step::Drain])]
    {
        for phase in phases(ending) {
            let name = format!("client: {ending} {}", phase.name);
            let row = fault(name).client([phase.client, steps.clone()].concat()).opens(phase.opens, phase.opens);
            let row = if phase.is_refused { row.refused() } else { row.provider(phase.provider) };
            all.push(row);
        }
    }
    // A stalled client is waited for as long as the limits say: for a head and for a body.
    for phase in phases("stall").into_iter().filter(|it| it.is_refused) {
        let client = [phase.client, vec![Step::Drain]].concat();
        all.push(
            fault(format!("client: stall {}", phase.name)).client(client).opens(phase.opens, phase.opens).refused(),
        );
    }
    let whole = format!("{SSE_HEAD}{}{}{}", begun(), delta("hi"), ended()).into_bytes();
    let half_closed = vec![Step::Write(request(PATH, "half")), Step::HalfClose, Step::Drain];
    all.push(
        fault("client: half closed behind its request")
            .client(half_closed)
            .provider([Step::Message, Step::Write(whole)]),
    );
    all.push(dribble());
    all
}

/// One byte now and then keeps no connection open.
fn dribble() -> Fault {
    let steps =
        std::iter::repeat_n([Step::Write(b"x".to_vec()), Step::Pause(Duration::from_millis(200))], 20).flatten();
    let begin = Step::Write(b"POST /v1/messages HTTP/1.1\r\nx-a: ".to_vec());
    fault("client: a head, one byte now and then")
        .client([begin].into_iter().chain(steps).collect::<Vec<_>>())
        .opens(0, 0)
        .refused()
}

/// A request that is answered without asking anyone.
fn refuses(name: &str, text: impl AsRef<[u8]>, statuses: &'static [u16], opens: (u64, u64)) -> Fault {
    let client = vec![Step::Write(text.as_ref().to_vec()), Step::Drain];
    fault(format!("client: {name}")).client(client).sees(statuses).opens(opens.0, opens.1).refused()
}

pub fn strange() -> Vec<Fault> {
    let mut all = no_http();
    all.extend(heads());
    all.extend(bodies());
    all.extend(several());
    all
}

fn no_http() -> Vec<Fault> {
    let noise: Vec<u8> = (0..4096u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    vec![
        refuses("noise instead of HTTP", &noise, &[0, 400], (0, 0)),
        refuses("a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", &[0, 400], (0, 0)),
        refuses("HTTP/0.9", "GET /v1/models\r\n\r\n", &[0, 400], (0, 0)),
        refuses("line feeds without an end", "\r\n".repeat(50_000), &[0, 400], (0, 0)),
        refuses(
            "a proxy's CONNECT",
            "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n",
            &[400, 404, 405],
            (0, 1),
        ),
        refuses(
            "a method of 100 KB",
            format!("{} / HTTP/1.1\r\nhost: g\r\n\r\n", "X".repeat(100_000)),
            &[0, 400, 413, 431],
            (0, 1),
        ),
        refuses("half of an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nS", &[0, 400], (0, 0)),
    ]
}

fn heads() -> Vec<Fault> {
    let end = "host: g\r\ncontent-length: 2\r\n\r\n{}";
    let head = |more: String| format!("POST {PATH} HTTP/1.1\r\n{more}{end}");
    let many: String = (0..5000).map(|it| format!("x-{it}: y\r\n")).collect();
    vec![
        refuses("a header of 200 KB", head(format!("x-a: {}\r\n", "y".repeat(200_000))), &[400, 413, 431], (0, 1)),
        refuses("a header of 4 MiB", head(format!("x-a: {}\r\n", "y".repeat(4 << 20))), &[0, 400, 413, 431], (0, 1)),
        refuses("5000 headers", head(many), &[0, 400, 431], (0, 1)),
        refuses(
            "a path of 100 KB",
            format!("POST /v1/{} HTTP/1.1\r\n{end}", "a".repeat(100_000)),
            &[0, 400, 413, 414, 431],
            (0, 1),
        ),
        refuses("a NUL in a name", head("x\0a: b\r\n".into()), &[0, 400], (0, 1)),
        refuses("a folded header", head("x-a: b\r\n c\r\n".into()), &[0, 400], (0, 1)),
        refuses("no host", format!("POST {PATH} HTTP/1.1\r\ncontent-length: 2\r\n\r\n{{}}"), &[400], (0, 1)),
        refuses("an upgrade", head("connection: upgrade\r\nupgrade: websocket\r\n".into()), &[400, 426], (0, 1)),
        refuses("two lengths", head("content-length: 2\r\n".into()), &[0, 400], (0, 1)),
        refuses("length and chunks", head("transfer-encoding: chunked\r\n".into()), &[0, 400], (0, 1)),
        refuses(
            "a negative length",
            format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-length: -1\r\n\r\n"),
            &[0, 400],
            (0, 1),
        ),
        refuses(
            "a length beyond every number",
            format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-length: 99999999999999999999\r\n\r\n"),
            &[0, 400, 413],
            (0, 1),
        ),
        refuses(
            "a length beyond the limit",
            format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-length: 2000000\r\n\r\n"),
            &[400],
            (1, 1),
        ),
    ]
}

fn bodies() -> Vec<Fault> {
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    let body = prompt("in chunks");
    let size = body.len();
    let chunked = |text: String| format!("{head}{text}");
    let works = |name: &str, text: String| {
        fault(format!("client: {name}")).client([Step::Write(text.into_bytes()), Step::Drain]).sees(&[200, 400])
    };
    let bomb = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 64 << 20]).unwrap();
        let bytes = encoder.finish().unwrap();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            bytes.len()
        );
        [head.into_bytes(), bytes].concat()
    };
    vec![
        works("extensions of chunks", chunked(format!("{size:x};a=b\r\n{body}\r\n0;c\r\n\r\n"))),
        works("trailers", chunked(format!("{size:x}\r\n{body}\r\n0\r\nx-trailer: y\r\n\r\n"))),
        refuses("a chunk size that is none", chunked("zz\r\n{}\r\n0\r\n\r\n".into()), &[0, 400], (1, 1)),
        refuses("a chunk size beyond every number", chunked("fffffffffffffffff\r\n{}".into()), &[0, 400, 413], (1, 1)),
        refuses(
            "a chunk of half of all numbers",
            chunked("7fffffffffffffff\r\n{}".into()),
            &[0, 400, 408, 413],
            (1, 1),
        ),
        refuses(
            "a chunk without its end",
            chunked(format!("2\r\n{{}}{size:x}\r\n{body}\r\n0\r\n\r\n")),
            &[0, 400],
            (1, 1),
        ),
        refuses("chunks without the last", chunked(format!("{size:x}\r\n{body}\r\n")), &[0, 408], (1, 1)),
        refuses(
            "3 MiB in chunks",
            chunked(format!("1000\r\n{}\r\n", "x".repeat(0x1000)).repeat(768)),
            &[400, 413],
            (1, 1),
        ),
        refuses("a bomb of 64 MiB", bomb, &[400, 413], (1, 1)),
        refuses("brackets, 200,000 deep", framed(PATH, "", &"[".repeat(200_000)), &[400], (1, 1)),
        refuses(
            "waits for a go-ahead and does not use it",
            format!("POST {PATH} HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n"),
            &[408],
            (1, 1),
        ),
        refuses(
            "fewer bytes than said",
            format!("POST {PATH} HTTP/1.1\r\nhost: g\r\ncontent-length: 5000\r\n\r\n{body}"),
            &[408],
            (1, 1),
        ),
    ]
}

fn several() -> Vec<Fault> {
    let two = [framed(PATH, "", &prompt("one")), request(PATH, "two")].concat();
    let provider = || [vec![Step::Message, Step::Write(answer("", ANSWER.as_bytes()))], goes_on()].concat();
    let smuggled = format!(
        "{}{}",
        String::from_utf8(framed(PATH, "", &prompt("more"))).unwrap(),
        "GARBAGE that is no request\r\n\r\n"
    );
    vec![
        fault("client: two requests at once")
            .client([Step::Write(two), Step::Drain])
            .provider(provider())
            .opens(1, 2)
            .sees(&[200]),
        fault("client: more bytes than said").client([Step::Write(smuggled.into_bytes()), Step::Drain]).sees(&[200]),
    ]
}
