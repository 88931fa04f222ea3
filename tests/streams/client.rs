//! A client of one gateway: asks, lets the provider answer in pieces, and notes what it saw and when.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use airiskguard_gateway::domain::{Event, Outcome, RequestId};
use airiskguard_gateway::pipeline::{Answering, Exchange, Flow, Head, Opening, Reply, Sending, Snapshot};

use crate::dialect::Dialect;
use crate::support::{at, snapshot};

/// Checks and blocks what a careful company does.
pub(crate) const STOPS: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
  - {name: block_vuln_code, condition: {checker: vuln, risk: '>= high'}, action: block}
redact_secrets: false
";

/// What is checked if nothing is said about it.
pub(crate) const USUAL: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent]}
";

/// The same, but secrets are hidden and not blocked.
pub(crate) const HIDES: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent, secrets]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: '>= high'}, action: block}
  - {name: block_vuln_code, condition: {checker: vuln, risk: '>= high'}, action: block}
redact_secrets: true
";

/// Secrets of the prompt are hidden and put back into the answer.
pub(crate) const RESTORES: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}
checks: {outbound: [secrets], inbound: [vuln, agent]}
redact_secrets: true
redaction: {restore: true, key: streams-are-tested-with-it}
";

/// A developer's tool.
pub(crate) struct Client {
    pub(crate) snapshot: Arc<Snapshot>,
    address: IpAddr,
}

/// What the provider answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Pieces, and when each arrives in milliseconds.
    pub(crate) pieces: Vec<(u64, Vec<u8>)>,
}

impl Answer {
    /// A stream, in these pieces.
    pub(crate) fn stream(pieces: Vec<Vec<u8>>) -> Self {
        Answer {
            status: 200,
            headers: vec![("content-type", "text/event-stream")],
            pieces: pieces.into_iter().map(|piece| (3, piece)).collect(),
        }
    }

    /// The same with these headers.
    pub(crate) fn headers(self, headers: &[(&'static str, &'static str)]) -> Self {
        Answer { headers: headers.to_vec(), ..self }
    }

    /// The same with this status.
    pub(crate) fn status(self, status: u16) -> Self {
        Answer { status, ..self }
    }

    /// A body of another type, in one piece.
    pub(crate) fn body(content_type: &'static str, body: &[u8]) -> Self {
        Answer { status: 200, headers: vec![("content-type", content_type)], pieces: vec![(3, body.to_vec())] }
    }
}

/// What came of it.
pub(crate) struct Seen {
    pub(crate) forwarded: Option<Vec<u8>>,
    pub(crate) refused: Option<Reply>,
    pub(crate) bytes: Vec<u8>,
    /// What came out for each piece of the answer.
    pub(crate) steps: Vec<Vec<u8>>,
    pub(crate) stopped: bool,
    pub(crate) event: Event,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn rules(&self) -> Vec<String> {
        self.event.inbound_findings.iter().map(|it| it.rule.id.clone()).collect()
    }
}

impl Client {
    /// Somebody who was not seen before.
    pub(crate) fn of(gateway: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let address = Ipv4Addr::from_bits(0x0b00_0000 + NEXT.fetch_add(1, Ordering::Relaxed));
        Client { snapshot: snapshot(gateway), address: IpAddr::V4(address) }
    }

    /// Asks for a stream and gets it in these pieces.
    pub(crate) fn hears(&self, dialect: Dialect, pieces: Vec<Vec<u8>>) -> Seen {
        self.ask(dialect.path(), &dialect.request("hello", true), |_| Answer::stream(pieces))
    }

    /// One exchange; the answer may depend on what the provider received.
    pub(crate) fn ask(&self, path: &str, body: &[u8], answer: impl FnOnce(&[u8]) -> Answer) -> Seen {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let head = Head { method, path, query: None, headers: Vec::new(), client: self.address };
        let (exchange, opening) = Exchange::open(self.snapshot.clone(), RequestId::new("req-test"), &head, at(0));
        let mut asked = Asked { exchange, seen: Vec::new(), steps: Vec::new(), stopped: false, refused: None };
        let mut forwarded = None;
        match opening {
            Opening::Answer(reply) => asked.refused = Some(reply),
            Opening::ReadBody { .. } => match asked.exchange.request_body(body, true, at(1)) {
                Some(Sending::Answer(reply)) => asked.refused = Some(reply),
                Some(Sending::Forward(forward)) => forwarded = Some(forward.body),
                None => panic!("the last piece decides"),
            },
        }
        if let Some(body) = &forwarded {
            asked.exchange.forwarded(at(2));
            let answer = answer(body);
            asked.hear(&answer);
        }
        let event = asked.exchange.close(Outcome::Forwarded, asked.seen.len() as u64, at(9));
        let Asked { seen, steps, stopped, refused, .. } = asked;
        Seen { forwarded, refused, bytes: seen, steps, stopped, event }
    }
}

struct Asked {
    exchange: Exchange,
    seen: Vec<u8>,
    steps: Vec<Vec<u8>>,
    stopped: bool,
    refused: Option<Reply>,
}

impl Asked {
    fn hear(&mut self, answer: &Answer) {
        let headers: Vec<(&str, &[u8])> = answer.headers.iter().map(|(name, it)| (*name, it.as_bytes())).collect();
        let (answering, reply) = self.exchange.response_head(answer.status, &headers, at(2));
        if answering == Answering::Refuse {
            self.refused = reply;
            return;
        }
        if answering == Answering::Pass {
            self.seen.extend(answer.pieces.iter().flat_map(|(_, piece)| piece.clone()));
            return;
        }
        for (index, (millis, piece)) in answer.pieces.iter().enumerate() {
            let mut out = Vec::new();
            let last = index + 1 == answer.pieces.len();
            let flow = self.exchange.response_chunk(piece, last, at(*millis), &mut out);
            self.seen.extend_from_slice(&out);
            self.steps.push(out);
            match flow {
                Flow::Continue => {}
                Flow::Stop => {
                    self.stopped = true;
                    return;
                }
                Flow::Replace(reply) => {
                    self.refused = Some(reply);
                    return;
                }
            }
        }
    }
}
