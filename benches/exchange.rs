//! What one prompt costs from its first byte to its decision: bodies as coding agents send them, new and known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod texts;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use airiskguard_gateway::config::{File, Reference};
use airiskguard_gateway::domain::{Outcome, RequestId, Stamp};
use airiskguard_gateway::pipeline::{Exchange, Head, Opening, Sending, Snapshot};
use cpu_time::ThreadTime;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use texts::session::Session;

/// Bodies arrive in pieces of this size, as the edge reads them.
const PIECE_BYTES: usize = 64 * 1024;

/// Time on the processor, whatever else runs beside.
struct Processor;

impl Measurement for Processor {
    type Intermediate = ThreadTime;
    type Value = Duration;

    fn start(&self) -> ThreadTime {
        ThreadTime::now()
    }

    fn end(&self, start: ThreadTime) -> Duration {
        start.elapsed()
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn snapshot() -> Arc<Snapshot> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/conf/gateway.yaml")).unwrap();
    let nothing = |_: &Reference| Err("no references here".to_owned());
    let file = File::parse(&text, "gateway.yaml", &nothing).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let snapshot = Arc::new(Snapshot::compile(&file, [7; 32]).unwrap());
    snapshot.warm();
    snapshot
}

/// One prompt; the bytes that would go to the provider.
fn exchange(snapshot: &Arc<Snapshot>, body: &[u8]) -> usize {
    let headers: Vec<(&str, &[u8])> = vec![
        ("content-type", b"application/json"),
        ("user-agent", b"claude-cli/2.1.0 (external, cli)"),
        ("anthropic-version", b"2023-06-01"),
        ("x-api-key", b"made-up"),
    ];
    let head = Head {
        method: "POST",
        path: "/v1/messages",
        query: Some("beta=true"),
        headers,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let now = Stamp::default();
    let (mut exchange, opening) = Exchange::open(snapshot.clone(), RequestId::new("bench"), &head, now);
    assert!(matches!(opening, Opening::ReadBody { .. }));
    let mut pieces = body.chunks(PIECE_BYTES).peekable();
    let mut forwarded = 0;
    while let Some(piece) = pieces.next() {
        match exchange.request_body(piece, pieces.peek().is_none(), now) {
            Some(Sending::Forward(forward)) => forwarded = forward.body.len(),
            Some(Sending::Answer(reply)) => panic!("refused: {}", String::from_utf8_lossy(&reply.body)),
            None => {}
        }
    }
    black_box(exchange.close(Outcome::Forwarded, 0, now));
    forwarded
}

/// First turns: one that came before, one of which the client's own part is known, and one of which nothing is.
fn first_turns(criterion: &mut Criterion<Processor>) {
    let snapshot = snapshot();
    let mut seed = 0;
    for (name, bytes) in [("64KB", 64 << 10), ("128KB", 128 << 10)] {
        let mut group = criterion.benchmark_group(format!("first_turn_{name}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        let known = Session::new(seed, true).first(bytes);
        group.bench_function("known", |bencher| bencher.iter(|| exchange(&snapshot, &known)));
        for (case, shares) in [("of_a_known_client", true), ("new", false)] {
            group.bench_function(case, |bencher| {
                let next = || {
                    seed += 1;
                    Session::new(seed, shares).first(bytes)
                };
                bencher.iter_batched(next, |body| exchange(&snapshot, &body), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

/// Turns of a long session: 4 KB new behind what was said before.
fn later_turns(criterion: &mut Criterion<Processor>) {
    let snapshot = snapshot();
    let mut seed = 1 << 32;
    for (name, turns) in [("turn_20", 20), ("turn_240_of_1MB", 240)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(turn(seed, turns).1.len() as u64));
        group.bench_function("4KB_new", |bencher| {
            let next = || {
                seed += 1;
                let (before, now) = turn(seed, turns);
                exchange(&snapshot, &before);
                now
            };
            bencher.iter_batched(next, |body| exchange(&snapshot, &body), BatchSize::PerIteration);
        });
        group.bench_function("new", |bencher| {
            let next = || {
                seed += 1;
                turn(seed, turns).1
            };
            bencher.iter_batched(next, |body| exchange(&snapshot, &body), BatchSize::PerIteration);
        });
        group.finish();
    }
}

/// A turn of a session, and the one before it.
fn turn(seed: u64, turns: usize) -> (Vec<u8>, Vec<u8>) {
    let mut session = Session::new(seed, true);
    session.start(64 << 10);
    (2..turns).for_each(|_| session.turn(4 << 10));
    let before = session.body();
    session.turn(4 << 10);
    (before, session.body())
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(Processor);
    targets = first_turns, later_turns
}
criterion_main!(benches);
