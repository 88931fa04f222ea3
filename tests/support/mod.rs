//! Runs one exchange through the pipeline, without a socket: what the edge does, in a few lines.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod socket;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use airiskguard_gateway::config::{File, Reference};
use airiskguard_gateway::domain::{Event, Held, Outcome, RequestId, Stamp, Tokens};
use airiskguard_gateway::pipeline::{
    Admission, Answering, Exchange, Flow, Forward, Head, Live, Load, Opening, Past, Place, Reply, Sending, Snapshot,
};

/// One exchange as it is to happen.
pub struct Script {
    pub gateway: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub answer: Option<Answer>,
    pub before: Before,
}

/// What has been before an exchange.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Before {
    /// Requests like it, just now.
    pub requests: u32,
    /// Of those, how many are still in flight.
    pub in_flight: u32,
    /// Tokens that its team has used today, of the model `claude-sonnet-4-6`.
    pub tokens: u64,
    /// Body bytes that all exchanges hold.
    pub held_bytes: u64,
    /// Who is kept out.
    pub quarantine: Vec<Held>,
}

/// What the provider answers.
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

/// What came of it.
pub struct Run {
    pub forwarded: Option<Forward>,
    pub refused: Option<Reply>,
    /// Body bytes the client saw of the provider's answer (or of its ending).
    pub seen: Vec<u8>,
    /// What was put out after each piece of the answer.
    pub steps: Vec<Vec<u8>>,
    pub stopped: bool,
    pub event: Event,
}

/// A moment, so many milliseconds after the start.
pub fn at(millis: u64) -> Stamp {
    Stamp { monotonic: Duration::from_millis(millis), unix: Duration::from_millis(millis) }
}

/// Compiled configurations: the same text is compiled once per process.
pub fn snapshot(gateway: &str) -> Arc<Snapshot> {
    static KNOWN: Mutex<Vec<(String, Arc<Snapshot>)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, snapshot)) = known.iter().find(|(text, _)| text == gateway) {
        return snapshot.clone();
    }
    let snapshot = compiled(gateway);
    known.push((gateway.to_owned(), snapshot.clone()));
    snapshot
}

fn compiled(gateway: &str) -> Arc<Snapshot> {
    // Fingerprint files stand beside the golden exchanges; nothing else outside of the text is known here.
    let resolve = |reference: &Reference| match reference {
        Reference::Fingerprints(path) => {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(root.join(path)).map_err(|error| error.to_string())
        }
        _ => Err("no references in tests".to_owned()),
    };
    let file = File::parse(gateway, "gateway.yaml", &resolve).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    Arc::new(Snapshot::compile(&file, [7; 32]).unwrap_or_else(|error| panic!("{error}")))
}

/// A client that has not been seen before: blocks are remembered per client.
fn somebody_else() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Pieces of `cut` bytes; one piece for 0.
pub fn pieces(bytes: &[u8], cut: usize) -> Vec<&[u8]> {
    if cut == 0 || bytes.is_empty() { vec![bytes] } else { bytes.chunks(cut).collect() }
}

/// Runs a script with bodies that arrive in pieces of `cut` bytes.
pub fn run(script: &Script, cut: usize) -> Run {
    // What was before is known to the snapshot, so it cannot be shared.
    let snapshot =
        if script.before == Before::default() { snapshot(&script.gateway) } else { compiled(&script.gateway) };
    run_on(snapshot, script, &pieces(&script.body, cut), |body| pieces(body, cut))
}

/// Runs a script on this snapshot, with the request in these pieces and the answer cut by `cut_answer`.
pub fn run_on<'a>(
    snapshot: Arc<Snapshot>,
    script: &'a Script,
    request: &[&[u8]],
    cut_answer: impl Fn(&'a [u8]) -> Vec<&'a [u8]>,
) -> Run {
    let (path, query) = match script.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (script.path.as_str(), None),
    };
    let head = Head {
        method: &script.method,
        path,
        query,
        headers: script.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        client: somebody_else(),
    };
    let places = happened(&snapshot, script, &head);
    let (mut exchange, opening) = Exchange::open(snapshot, RequestId::new("req-test"), &head, at(0));
    let load = Load { held_bytes: script.before.held_bytes, ..Load::default() };
    let opening = match opening {
        Opening::Answer(reply) => Opening::Answer(reply),
        opening => match exchange.admit(&load, at(0)) {
            Admission::Open(_) => opening,
            Admission::Answer(reply, _) => Opening::Answer(reply),
            Admission::Wait(_) => Opening::Answer(exchange.waited_too_long().0),
        },
    };
    drop(places);
    let mut refused = None;
    let mut forwarded = None;
    match opening {
        Opening::Answer(reply) => refused = Some(reply),
        Opening::ReadBody { .. } => {
            for (index, piece) in request.iter().enumerate() {
                match exchange.request_body(piece, index + 1 == request.len(), at(1)) {
                    None => {}
                    Some(Sending::Answer(reply)) => {
                        refused = Some(reply);
                        break;
                    }
                    Some(Sending::Forward(forward)) => forwarded = Some(forward),
                }
            }
        }
    }
    let mut run = Run {
        forwarded,
        refused,
        seen: Vec::new(),
        steps: Vec::new(),
        stopped: false,
        event: Exchange::open(self::snapshot(&script.gateway), RequestId::new("none"), &head, at(0)).0.close(
            Outcome::Answered,
            0,
            at(0),
        ),
    };
    if let (Some(_), Some(answer)) = (&run.forwarded, &script.answer) {
        exchange.forwarded(at(2));
        respond(&mut exchange, answer, &cut_answer(&answer.body), &mut run);
    }
    let outcome = if run.refused.is_some() { Outcome::Refused } else { Outcome::Forwarded };
    run.event = exchange.close(outcome, run.seen.len() as u64, at(3));
    run
}

/// Lets happen what was before; places of what is still in flight.
fn happened(snapshot: &Arc<Snapshot>, script: &Script, head: &Head<'_>) -> Vec<Place> {
    let Before { requests, in_flight, tokens, .. } = script.before;
    let live = Live::new(snapshot.clone());
    if !script.before.quarantine.is_empty() {
        live.held(script.before.quarantine.clone(), Default::default());
    }
    if tokens > 0 {
        let (exchange, _) = Exchange::open(snapshot.clone(), RequestId::new("before"), head, at(0));
        let team = exchange.team().as_str().to_owned();
        let tokens = Tokens { input: tokens, ..Tokens::default() };
        let model = Some("claude-sonnet-4-6");
        live.recall(&Past { team: &team, dialect: "anthropic", model, tokens, at: at(0).unix }, at(0));
    }
    let mut places = Vec::new();
    for _ in 0..requests {
        let (mut exchange, _) = Exchange::open(snapshot.clone(), RequestId::new("before"), head, at(0));
        match exchange.admit(&Load::default(), at(0)) {
            Admission::Open(place) => places.push(place),
            _ => panic!("what was before does not fit"),
        }
    }
    places.truncate(in_flight as usize);
    places
}

fn respond(exchange: &mut Exchange, answer: &Answer, pieces: &[&[u8]], run: &mut Run) {
    let headers = [("content-type", answer.content_type.as_bytes())];
    let (answering, reply) = exchange.response_head(answer.status, &headers, at(2));
    match answering {
        Answering::Refuse => run.refused = reply,
        Answering::Pass => run.seen.extend_from_slice(&answer.body),
        Answering::Hold { .. } | Answering::Stream | Answering::Relay => {
            for (index, piece) in pieces.iter().enumerate() {
                let mut out = Vec::new();
                let flow = exchange.response_chunk(piece, index + 1 == pieces.len(), at(3), &mut out);
                run.seen.extend_from_slice(&out);
                run.steps.push(out);
                match flow {
                    Flow::Continue => {}
                    Flow::Stop => {
                        run.stopped = true;
                        return;
                    }
                    Flow::Replace(reply) => {
                        run.refused = Some(reply);
                        return;
                    }
                }
            }
        }
    }
}
