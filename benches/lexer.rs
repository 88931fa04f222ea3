//! How fast bodies and streams are read: the lexer beside another parser and a plain copy, and the cost of a frame.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::hint::black_box;

use airiskguard_gateway::wire::json::{DeepVisitor, Lexer, Limits, Nested, Visitor, escape};
use airiskguard_gateway::wire::sse::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Bodies arrive in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// Takes all text in, so that no decoding can be left out.
#[derive(Default)]
struct Lengths {
    bytes: usize,
}

impl Visitor for Lengths {
    fn text(&mut self, decoded: &str) {
        self.bytes += black_box(decoded).len();
    }
}

impl DeepVisitor for Lengths {
    fn text(&mut self, _level: usize, decoded: &str) {
        self.bytes += black_box(decoded).len();
    }
}

/// A JSON string of this text.
fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() * 9 / 8);
    escape(text, 1, &mut out);
    format!("\"{}\"", String::from_utf8_lossy(&out))
}

fn tool(number: usize) -> String {
    let description = quoted(&format!(
        "Reads file number {number} from the local filesystem. The file_path parameter must be an absolute path, not a \
         relative one.\nBy default it reads up to 2000 lines starting from the beginning of the file.\n\nUsage:\n- Lines \
         longer than 2000 characters are truncated.\n- Results are returned with line numbers starting at 1.\n"
    ));
    format!(
        "{{\"name\":\"tool_{number}\",\"description\":{description},\"input_schema\":{{\"type\":\"object\",\"properties\":\
         {{\"file_path\":{{\"type\":\"string\",\"description\":\"The absolute path\"}},\"limit\":{{\"type\":\"integer\",\
         \"minimum\":0}}}},\"required\":[\"file_path\"],\"additionalProperties\":false}}}}"
    )
}

fn code() -> String {
    let line = "    let frames = parser.take(\"events\").map(|frame| frame.len()); // Zoë\n";
    (0..60).map(|number| format!("{number:>6}\t{}", &line[number % 24..])).collect()
}

/// A body as coding agents send it: tool schemas first, then a conversation of prose and of files that were read.
fn body(bytes: usize) -> String {
    let tools: Vec<String> = (0..48).map(tool).collect();
    let prose = quoted(&"The parser holds one frame and hands the whole ones on, as the lines end. ".repeat(12));
    let result = quoted(&code());
    let arguments = quoted("{\"file_path\":\"/src/wire/json/lexer.rs\",\"limit\":200,\"note\":\"read \\\"all\\\"\"}");
    let mut messages = Vec::new();
    let mut length = tools.iter().map(String::len).sum::<usize>();
    while length < bytes {
        let turn = format!(
            "{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\"text\":{prose}}},{{\"type\":\"tool_use\",\"id\":\
             \"toolu_01\",\"name\":\"tool_1\",\"arguments\":{arguments}}}]}},{{\"role\":\"user\",\"content\":[{{\"type\":\
             \"tool_result\",\"tool_use_id\":\"toolu_01\",\"content\":{result}}}]}}"
        );
        length += turn.len();
        messages.push(turn);
    }
    format!(
        "{{\"model\":\"a-model\",\"messages\":[{}],\"system\":[{{\"type\":\"text\",\"text\":{prose}}}],\"tools\":[{}],\
         \"max_tokens\":32000,\"stream\":true}}",
        messages.join(","),
        tools.join(",")
    )
}

fn bodies(criterion: &mut Criterion) {
    for (name, bytes) in [("64KB", 64 * 1024), ("1MB", 1024 * 1024)] {
        let body = body(bytes);
        let raw = body.as_bytes();
        let mut group = criterion.benchmark_group(format!("body_{name}"));
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group.bench_function("lexer", |bencher| {
            bencher.iter(|| {
                let mut lexer = Lexer::new(Limits::default());
                let mut lengths = Lengths::default();
                let read = raw.chunks(PIECE_BYTES).try_for_each(|piece| lexer.push(piece, &mut lengths));
                (read.and_then(|()| lexer.finish(&mut lengths)), lengths.bytes)
            })
        });
        group.bench_function("nested", |bencher| {
            bencher.iter(|| {
                let mut nested = Nested::new(Limits::default());
                let mut lengths = Lengths::default();
                let read = raw.chunks(PIECE_BYTES).try_for_each(|piece| nested.push(piece, &mut lengths));
                (read.and_then(|()| nested.finish(&mut lengths)), lengths.bytes)
            })
        });
        group.bench_function("serde_json_ignored", |bencher| {
            bencher.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(raw)).is_ok())
        });
        group.bench_function("serde_json_value", |bencher| {
            bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(raw)).is_ok())
        });
        let mut copy = vec![0; raw.len()];
        group.bench_function("memcpy", |bencher| bencher.iter(|| copy.copy_from_slice(black_box(raw))));
        group.finish();
    }
}

fn strings(criterion: &mut Criterion) {
    let prose = quoted(&"Plain words in plain sentences, one after the other. ".repeat(20_000));
    let code = quoted(&"        return Ok(parser.take(40));    \n".repeat(25_000));
    let accents = quoted(&"Плоть — слово, и слово — плоть. ".repeat(18_000));
    let unicode = format!("\"{}\"", "\\u043f\\u043b".repeat(80_000));
    let mut group = criterion.benchmark_group("string");
    for (name, raw) in [("prose", prose), ("code", code), ("cyrillic", accents), ("unicode_escapes", unicode)] {
        group.throughput(Throughput::Bytes(raw.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut lexer = Lexer::new(Limits::default());
                let mut lengths = Lengths::default();
                let read = raw.as_bytes().chunks(PIECE_BYTES).try_for_each(|piece| lexer.push(piece, &mut lengths));
                (read.and_then(|()| lexer.finish(&mut lengths)), lengths.bytes)
            })
        });
    }
    group.finish();
}

fn frames(criterion: &mut Criterion) {
    let frame = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\
                 \"text_delta\",\"text\":\" the next few words\"}}\n\n";
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Elements(1));
    group.bench_function("sse_frame", |bencher| {
        let mut parser = Parser::new(1 << 20);
        bencher.iter(|| {
            let pushed = parser.push(black_box(frame.as_bytes()));
            (pushed, parser.next())
        })
    });
    group.bench_function("sse_frame_and_lexer", |bencher| {
        let mut parser = Parser::new(1 << 20);
        let mut lexer = Lexer::new(Limits::default());
        let mut lengths = Lengths::default();
        bencher.iter(|| {
            let pushed = parser.push(black_box(frame.as_bytes()));
            lexer.reset();
            let read = parser.next().map(|frame| lexer.push(frame.data(), &mut lengths));
            (pushed, read, lexer.finish(&mut lengths))
        })
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2))
        .sample_size(20);
    targets = bodies, strings, frames
}
criterion_main!(benches);
