//! One exchange from open to close: the only place where the order of steps stands.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::CREDENTIAL_HEADERS;
use super::body::{Reading, Sources};
use super::completion::{CompletionScan, Stop};
use super::credentials::{Access, Credentials, authenticate};
use super::document::{Complete, Document, DocumentLimits, Unreadable};
use super::inbound::Desk;
use super::judge::Judge;
use super::label::Originals;
use super::locate::{Located, scan_line};
use super::notice;
use super::record::Record;
use super::redact;
use super::route::{self, Destination};
use super::snapshot::TeamRules;
use super::{Reply, Snapshot, Upstream, models};
use crate::config::{Dialect, OnUnscannable};
use crate::domain::{Action, Direction, Event, Finding, Model, Outcome, RequestId, Secret, SessionId, Stamp, Team};
use crate::providers::{self, Endpoint, Refusal, RefusalKind};
use crate::wire::encoding::{self, Coding, Decoder};

/// The head of a request, as the edge read it.
pub struct Head<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Without query.
    pub path: &'a str,
    /// Without the question mark.
    pub query: Option<&'a str>,
    /// Every header in its order, lower-case names.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// For session memory where the client names no session.
    pub client: IpAddr,
}

impl Head<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(it, _)| *it == name)?.1;
        std::str::from_utf8(value).ok()
    }
}

/// What follows from a head.
pub enum Opening {
    /// Read the whole body, at most so many encoded bytes, feeding `request_body`.
    ReadBody {
        /// Bound.
        bytes_max: u64,
    },
    /// Answer now; the provider is not contacted.
    Answer(Reply),
}

/// What follows from the whole body.
pub enum Sending {
    /// Contact the provider.
    Forward(Forward),
    /// Answer now; the provider is not contacted.
    Answer(Reply),
}

/// A request as it goes to the provider.
pub struct Forward {
    /// To whom.
    pub upstream: Arc<Upstream>,
    /// Path and query, upstream's path prefix included.
    pub path_and_query: String,
    /// Headers of the client that must not go on (lower case), beyond hop-by-hop ones.
    pub remove_headers: Vec<String>,
    /// Headers to set: the provider's credential, configured ones.
    pub set_headers: Vec<(String, Secret)>,
    /// The whole body to send; empty for none.
    pub body: Vec<u8>,
}

/// How the answer is to be handled. Bytes that are put out are never content-encoded: the header goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// As it comes, encoded or not: nothing to scan (errors, empty answers).
    Pass,
    /// Hold header and body, at most so many encoded bytes, feeding `response_chunk`; the last one decides.
    Hold {
        /// Bound.
        bytes_max: u64,
    },
    /// Feed `response_chunk`, write what it gives, length unknown.
    Stream,
    /// Answer with the reply that comes along; drop the upstream.
    Refuse,
}

/// What follows from a piece of the answer.
pub enum Flow {
    /// Write what was put out and go on.
    Continue,
    /// Write what was put out, end the answer properly, drop the upstream.
    Stop,
    /// Held answers only: answer this instead.
    Replace(Reply),
}

/// Where an exchange stands.
enum Phase {
    /// The body is arriving.
    Reading(Box<Document>),
    /// The provider has it.
    Sent,
    /// The answer is held until it is complete.
    Holding(Box<Document>),
    /// The answer flows.
    Streaming(Box<CompletionScan>),
    /// Nothing more is read.
    Done,
}

/// One exchange.
pub struct Exchange {
    snapshot: Arc<Snapshot>,
    dialect: Dialect,
    destination: Option<Destination>,
    credentials: Credentials,
    judge: Judge,
    phase: Phase,
    originals: Originals,
    conversation: u64,
    client: IpAddr,
    record: Record,
}

impl Exchange {
    /// Reads the head: gateway key to team, path to provider.
    pub fn open(snapshot: Arc<Snapshot>, request: RequestId, head: &Head<'_>, now: Stamp) -> (Self, Opening) {
        let destination = route::destination(&snapshot, head);
        let dialect = match &destination {
            Ok(it) => it.upstream.dialect,
            Err(it) => it.dialect,
        };
        let access = authenticate(&snapshot, head);
        let team = access.as_ref().map_or_else(|_| nobody(&snapshot), |it| it.team.clone());
        let mut record = Record::new(request, team.name.clone(), now);
        record.session = session(head);
        record.query = head.query.map(String::from);
        let mut exchange = Exchange {
            judge: Judge { snapshot: snapshot.clone(), team, model: None },
            snapshot,
            dialect,
            destination: None,
            credentials: Credentials::default(),
            phase: Phase::Done,
            originals: Originals::default(),
            conversation: 0,
            client: head.client,
            record,
        };
        let opening = exchange.opening(head, access, destination);
        let opening = match opening {
            Ok(()) => Opening::ReadBody { bytes_max: exchange.snapshot.limits.body_bytes_max },
            Err(refusal) => Opening::Answer(exchange.dress(refusal)),
        };
        (exchange, opening)
    }

    fn opening(
        &mut self,
        head: &Head<'_>,
        access: Result<Access, String>,
        destination: Result<Destination, route::Nowhere>,
    ) -> Result<(), Refusal> {
        let access = access.map_err(|message| self.plain(RefusalKind::Unauthorized, message))?;
        self.record.key = access.key;
        let destination = destination.map_err(|it| self.plain(it.kind, it.message))?;
        self.record.upstream = Some(destination.upstream.name.clone());
        self.record.endpoint = destination.route.endpoint.name();
        self.credentials = access.credentials;
        if self.credentials.need_provider_key && destination.upstream.api_key.is_none() {
            let message = format!(
                "no provider key is configured for the upstream `{}`: set `api_key` under it in gateway.yaml",
                destination.upstream.name
            );
            return Err(self.plain(RefusalKind::NoProviderKey, message));
        }
        self.check_line(head, &destination)?;
        let codings = content_codings(head).map_err(|message| self.plain(RefusalKind::BadRequest, message))?;
        let reading = self.reading(&destination, Direction::Outbound);
        let limits = self.document_limits(self.snapshot.limits.body_bytes_max);
        let document = Document::new(&codings, limits, reading, self.snapshot.memory.hasher(), false);
        let document = document.map_err(|error| self.plain(RefusalKind::BadRequest, error.to_string()))?;
        self.destination = Some(destination);
        self.phase = Phase::Reading(Box::new(document));
        Ok(())
    }

    /// Path and query go on as they came: what would be stopped in a prompt stops them.
    fn check_line(&mut self, head: &Head<'_>, destination: &Destination) -> Result<(), Refusal> {
        let reading = self.reading(destination, Direction::Outbound);
        let parts = [(Some(head.path), "path"), (head.query, "query")];
        let located: Vec<Located> =
            parts.iter().filter_map(|(text, name)| Some(scan_line(&reading, (*text)?, name))).flatten().collect();
        if located.is_empty() {
            return Ok(());
        }
        let verdict = self.judge.decide_located(Direction::Outbound, &located);
        if verdict.action != Action::Block {
            return Ok(());
        }
        let findings: Vec<Finding> = located.into_iter().map(|it| it.finding).collect();
        let refusal = notice::blocked(Direction::Outbound, &verdict, &findings, &self.record.request);
        self.record.outbound.findings = findings;
        self.record.outbound.verdict = verdict;
        Err(refusal)
    }

    /// A piece of the body, and whether it was the last; decides with the last.
    /// `None`: go on reading. An answer before the last piece: stop reading (drain a little).
    pub fn request_body(&mut self, chunk: &[u8], last: bool, now: Stamp) -> Option<Sending> {
        self.record.request_bytes += chunk.len() as u64;
        let Phase::Reading(document) = &mut self.phase else { return None };
        if let Err(error) = document.push(chunk) {
            return Some(Sending::Answer(self.unreadable_request(&error)));
        }
        if !last {
            return None;
        }
        self.record.request_end = now;
        let Phase::Reading(document) = std::mem::replace(&mut self.phase, Phase::Done) else { return None };
        let sending = match document.finish() {
            Err(error) => return Some(Sending::Answer(self.unreadable_request(&error))),
            Ok(complete) => self.decide(complete, now),
        };
        Some(match sending {
            Ok(forward) => {
                self.phase = Phase::Sent;
                Sending::Forward(forward)
            }
            Err(refusal) => Sending::Answer(self.dress(refusal)),
        })
    }

    /// Everything is known: model, memory, policies, redaction.
    fn decide(&mut self, complete: Option<Complete>, now: Stamp) -> Result<Forward, Refusal> {
        let Some(mut complete) = complete else {
            self.check_models(&[])?;
            return self.forward(Vec::new(), false);
        };
        let gathered = &mut complete.gathered;
        self.record.streamed = gathered.streamed;
        self.record.outbound.coverage = std::mem::take(&mut gathered.coverage);
        self.record.session = self.record.session.take().or_else(|| gathered.session.as_deref().map(SessionId::new));
        self.check_models(&gathered.models)?;
        self.record.forget(&complete.located);
        let session = self.record.session.as_ref().map_or_else(|| self.client.to_string(), ToString::to_string);
        self.conversation =
            self.snapshot.memory.key(self.judge.team.name.as_str(), &session, complete.gathered.last_message);
        if let Some(refusal) = self.remembered(complete.gathered.streamed, now) {
            return Err(refusal);
        }
        let verdict = self.judge.decide_located(Direction::Outbound, &complete.located);
        let findings: Vec<Finding> = complete.located.iter().map(|it| it.finding.clone()).collect();
        self.record.outbound.verdict = verdict.clone();
        self.record.outbound.findings = findings;
        if complete.gathered.overflow {
            let message = format!("this prompt has more than {} findings", self.snapshot.limits.findings_max);
            return Err(self.plain(RefusalKind::PolicyBlocked, message));
        }
        if verdict.action == Action::Block {
            let request = &self.record.request;
            return Err(notice::blocked(Direction::Outbound, &verdict, &self.record.outbound.findings, request));
        }
        self.check_unscannable()?;
        let labels = &self.snapshot.labels;
        let splices = redact::hide(&complete.located, &verdict.dispositions, labels, &mut self.originals);
        if splices.is_empty() {
            return self.forward(complete.encoded.unwrap_or(complete.raw), false);
        }
        let was_encoded = complete.encoded.is_some();
        let edited = splices.apply(&complete.raw);
        let edited = edited.map_err(|_| self.plain(RefusalKind::BadRequest, "it could not be redacted".into()))?;
        self.forward(edited, was_encoded)
    }

    /// The provider is about to be contacted: what came before was the gateway's own time.
    pub fn forwarded(&mut self, now: Stamp) {
        self.record.forwarded = Some(now);
    }

    /// The provider's status and headers (lower-case names). For `Refuse` the reply comes along.
    pub fn response_head(&mut self, status: u16, headers: &[(&str, &[u8])], now: Stamp) -> (Answering, Option<Reply>) {
        self.record.upstream_status = Some(status);
        if !(200..300).contains(&status) || status == 204 {
            self.phase = Phase::Done;
            return (Answering::Pass, None);
        }
        let header =
            |name: &str| headers.iter().find(|(it, _)| *it == name).and_then(|it| std::str::from_utf8(it.1).ok());
        let Ok(codings) = encoding::codings(header("content-encoding").unwrap_or("identity")) else {
            let message = "the provider answered in a content encoding that this gateway cannot read";
            let refusal = self.plain(RefusalKind::UpstreamFailed, message.into());
            return (Answering::Refuse, Some(self.dress(refusal)));
        };
        let Some(destination) = &self.destination else { return (Answering::Pass, None) };
        // A policy may stop an answer for its team or model alone, whatever it says.
        let verdict = self.judge.decide(Direction::Inbound, &[]);
        if verdict.action == Action::Block {
            let refusal = notice::blocked(Direction::Inbound, &verdict, &[], &self.record.request);
            self.record.inbound.verdict = verdict;
            self.record.stopped(refusal.kind);
            return (Answering::Refuse, Some(self.dress(refusal)));
        }
        let reading = self.reading(destination, Direction::Inbound);
        let bytes_max = self.snapshot.limits.response_bytes_max;
        if header("content-type").is_some_and(|it| it.trim_start().starts_with("text/event-stream")) {
            let reader = destination.upstream.provider.completion(destination.route.endpoint);
            let decoder = match self.decoder(&codings) {
                Ok(decoder) => decoder,
                Err(error) => return self.refuse_answer(&Unreadable::Encoding(error)),
            };
            let scan = CompletionScan::new(reading, reader, decoder, bytes_max, now);
            self.record.streamed = true;
            self.phase = Phase::Streaming(Box::new(scan));
            return (Answering::Stream, None);
        }
        let limits = self.document_limits(bytes_max);
        let leaves = !self.originals.is_empty();
        match Document::new(&codings, limits, reading, self.snapshot.memory.hasher(), leaves) {
            Ok(document) => self.phase = Phase::Holding(Box::new(document)),
            Err(error) => return self.refuse_answer(&error),
        }
        (Answering::Hold { bytes_max }, None)
    }

    fn refuse_answer(&mut self, error: &Unreadable) -> (Answering, Option<Reply>) {
        let message = format!("the provider's answer cannot be scanned, so it is not passed on: {error}");
        (Answering::Refuse, Some(self.refuse(RefusalKind::UpstreamFailed, message)))
    }

    /// A piece of the answer's body, and whether it was the last; bytes for the client are appended to `out`.
    pub fn response_chunk(&mut self, chunk: &[u8], last: bool, now: Stamp, out: &mut Vec<u8>) -> Flow {
        let before = out.len();
        let flow = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Streaming(scan) => self.stream(scan, chunk, last, now, out),
            Phase::Holding(document) => self.hold(document, chunk, last, now, out),
            phase => {
                self.phase = phase;
                out.extend_from_slice(chunk);
                Flow::Continue
            }
        };
        if out.len() > before && self.record.first_byte.is_none() {
            self.record.first_byte = Some(now);
        }
        flow
    }

    fn stream(
        &mut self,
        mut scan: Box<CompletionScan>,
        chunk: &[u8],
        last: bool,
        now: Stamp,
        out: &mut Vec<u8>,
    ) -> Flow {
        let desk = Desk { judge: &self.judge, originals: &self.originals };
        let stop = scan.push(chunk, last, now, &desk, out).err();
        if stop.is_some() || last {
            self.record.completed(&mut scan);
        }
        let Some(stop) = stop else {
            self.phase = Phase::Streaming(scan);
            return Flow::Continue;
        };
        let refusal = match stop {
            Stop::Blocked(verdict) => self.stopped(&verdict, now),
            Stop::Unreadable(why) => self.plain(RefusalKind::UpstreamFailed, format!("The answer was cut off: {why}")),
        };
        self.record.stopped(refusal.kind);
        out.extend_from_slice(&scan.ending(&refusal));
        Flow::Stop
    }

    fn hold(&mut self, mut document: Box<Document>, chunk: &[u8], last: bool, now: Stamp, out: &mut Vec<u8>) -> Flow {
        if let Err(error) = document.push(chunk) {
            return self.unreadable_answer(&error);
        }
        if !last {
            self.phase = Phase::Holding(document);
            return Flow::Continue;
        }
        let complete = match document.finish() {
            Err(error) => return self.unreadable_answer(&error),
            Ok(None) => return Flow::Continue,
            Ok(Some(complete)) => complete,
        };
        match self.decide_answer(complete, now) {
            Ok(body) => {
                out.extend_from_slice(&body);
                Flow::Continue
            }
            Err(refusal) => {
                self.record.stopped(refusal.kind);
                Flow::Replace(self.dress(refusal))
            }
        }
    }

    fn decide_answer(&mut self, complete: Complete, now: Stamp) -> Result<Vec<u8>, Refusal> {
        let Complete { raw, mut gathered, located, .. } = complete;
        self.record.inbound.coverage = std::mem::take(&mut gathered.coverage);
        let leaves = gathered.leaves.unwrap_or_default();
        let broken =
            |_| notice::plain(RefusalKind::UpstreamFailed, "the answer cannot be edited".into(), &self.record.request);
        let restored = redact::put_back(&raw, &leaves, &self.originals).map_err(broken)?;
        let mut verdict = self.judge.decide_located(Direction::Inbound, &located);
        let mut findings: Vec<Finding> = located.iter().map(|it| it.finding.clone()).collect();
        if !restored.kept.is_empty() {
            findings.extend(restored.kept);
            verdict = self.judge.decide(Direction::Inbound, &findings);
        }
        self.record.inbound.verdict = verdict.clone();
        self.record.inbound.findings = findings;
        if verdict.action == Action::Block || gathered.overflow {
            return Err(self.stopped(&verdict, now));
        }
        let plain_labels = super::label::Labels::new(None);
        let mut splices = redact::hide(&located, &verdict.dispositions, &plain_labels, &mut Originals::default());
        self.record.restored = restored.edits.len() as u32;
        for (range, with) in restored.edits {
            splices.replace(range, with);
        }
        let body = if splices.is_empty() { raw } else { splices.apply(&raw).map_err(|_| self.unspliceable())? };
        match self.endpoint() {
            Some(Endpoint::Models) if self.judge.team.models.is_some() => {
                Ok(models::filter(&body, &self.judge.team.allowlist))
            }
            _ => Ok(body),
        }
    }

    /// Body bytes held by this exchange, for the sum over all.
    pub fn held_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Reading(document) | Phase::Holding(document) => document.held_bytes(),
            Phase::Streaming(scan) => scan.held_bytes(),
            Phase::Sent | Phase::Done => 0,
        }
    }

    /// A refusal of the edge's own (timeouts, framing, overload, upstream failure), dressed for this exchange's client.
    pub fn refuse(&mut self, kind: RefusalKind, message: String) -> Reply {
        let refusal = self.plain(kind, message);
        self.dress(refusal)
    }

    /// Ends it. `outcome` is what the edge knows; a refusal or a stop that happened inside prevails.
    pub fn close(mut self, outcome: Outcome, response_bytes: u64, now: Stamp) -> Event {
        if let Phase::Streaming(scan) = &mut self.phase {
            self.record.completed(scan);
        }
        self.record.into_event(outcome, response_bytes, now)
    }

    fn forward(&self, body: Vec<u8>, was_decoded: bool) -> Result<Forward, Refusal> {
        let Some(destination) = &self.destination else {
            return Err(self.plain(RefusalKind::UnknownPath, "there is nowhere to send this".into()));
        };
        let upstream = &destination.upstream;
        let mut remove_headers = self.credentials.remove.clone();
        let mut set_headers = upstream.headers.clone();
        if let Some(key) = &upstream.api_key {
            remove_headers.extend(CREDENTIAL_HEADERS.map(String::from));
            let (name, value) = upstream.provider.credential(key.expose());
            set_headers.push((name.into(), Secret::new(value)));
        }
        if was_decoded {
            remove_headers.push("content-encoding".into());
        }
        Ok(Forward {
            path_and_query: route::path_and_query(destination, self.record.query.as_deref()),
            upstream: upstream.clone(),
            remove_headers,
            set_headers,
            body,
        })
    }

    fn check_models(&mut self, models: &[String]) -> Result<(), Refusal> {
        let in_path = self.destination.as_ref().and_then(|it| it.route.model.clone());
        let asked: Vec<&String> = in_path.iter().chain(models).collect();
        self.judge.model = asked.first().map(ToString::to_string);
        self.record.model = self.judge.model.as_deref().map(Model::new);
        if self.endpoint() == Some(Endpoint::Models) {
            return Ok(());
        }
        let team = &self.judge.team;
        match asked.iter().find(|model| !team.allowlist.allows(model)) {
            None => Ok(()),
            Some(model) => {
                let message = format!(
                    "the model `{}` is not among those of the team `{}`: {}",
                    models::shown(model),
                    team.name,
                    team.models.as_deref().unwrap_or_default().join(", ")
                );
                Err(self.plain(RefusalKind::ModelNotAllowed, message))
            }
        }
    }

    fn check_unscannable(&mut self) -> Result<(), Refusal> {
        if self.record.outbound.coverage.skipped_bytes.is_empty() {
            return Ok(());
        }
        match self.snapshot.on_unscannable {
            OnUnscannable::Allow => Ok(()),
            OnUnscannable::Flag => {
                let verdict = &mut self.record.outbound.verdict;
                verdict.action = verdict.action.max(Action::Flag);
                verdict.policies.push("on_unscannable".into());
                Ok(())
            }
            OnUnscannable::Block => {
                let reasons: Vec<&str> =
                    self.record.outbound.coverage.skipped_bytes.iter().map(|(reason, _)| reason.name()).collect();
                let message = format!(
                    "this prompt holds content that cannot be scanned ({}), which this gateway blocks",
                    reasons.join(", ")
                );
                Err(self.plain(RefusalKind::PolicyBlocked, message))
            }
        }
    }

    /// The refusal of a completion that was stopped a moment ago, for a client that now asks without streaming.
    fn remembered(&self, streamed: bool, now: Stamp) -> Option<Refusal> {
        if streamed {
            return None;
        }
        let refusal = self.snapshot.memory.recall(self.conversation, now)?;
        Some(Refusal { request: self.record.request.clone(), ..refusal })
    }

    fn stopped(&self, verdict: &crate::domain::Verdict, now: Stamp) -> Refusal {
        let findings = &self.record.inbound.findings;
        let refusal = notice::blocked(Direction::Inbound, verdict, findings, &self.record.request);
        self.snapshot.memory.remember(self.conversation, refusal.clone(), now);
        refusal
    }

    fn unreadable_request(&mut self, error: &Unreadable) -> Reply {
        self.phase = Phase::Done;
        let kind = if error.is_size() { RefusalKind::TooLarge } else { RefusalKind::BadRequest };
        self.refuse(kind, format!("this request cannot be scanned, so it is not passed on: {error}"))
    }

    fn unreadable_answer(&mut self, error: &Unreadable) -> Flow {
        let message = format!("the provider's answer cannot be scanned, so it is not passed on: {error}");
        self.record.stopped(RefusalKind::UpstreamFailed);
        Flow::Replace(self.refuse(RefusalKind::UpstreamFailed, message))
    }

    fn unspliceable(&self) -> Refusal {
        self.plain(RefusalKind::UpstreamFailed, "the answer cannot be edited".into())
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.destination.as_ref().map(|it| it.route.endpoint)
    }

    fn reading(&self, destination: &Destination, direction: Direction) -> Reading {
        Reading {
            engine: self.snapshot.engine.clone(),
            rules: self.judge.team.rules(direction).clone(),
            sources: Sources::Of(destination.upstream.provider, destination.route.endpoint),
            views: direction == Direction::Outbound,
            hits_max: self.snapshot.limits.findings_max as usize,
        }
    }

    fn document_limits(&self, bytes_max: u64) -> DocumentLimits {
        let limits = &self.snapshot.limits;
        DocumentLimits { bytes_max, ratio_max: limits.decompression_ratio_max, depth_max: limits.json_depth_max }
    }

    fn decoder(&self, codings: &[Coding]) -> Result<Option<Decoder>, encoding::Error> {
        if codings.is_empty() {
            return Ok(None);
        }
        // A stream has no end that is known: only what waits in it is bounded, by the scan.
        let limits = DocumentLimits { bytes_max: u64::MAX, ..self.document_limits(0) };
        Decoder::new(codings, limits.encoding()).map(Some)
    }

    fn plain(&self, kind: RefusalKind, message: String) -> Refusal {
        notice::plain(kind, message, &self.record.request)
    }

    /// Puts a refusal into the shape of this exchange's dialect.
    fn dress(&mut self, refusal: Refusal) -> Reply {
        self.record.refused(refusal.kind);
        Reply::new(self.dialect, providers::for_dialect(self.dialect), &refusal)
    }
}

/// Rules for a caller that is about to be turned away.
fn nobody(snapshot: &Snapshot) -> Arc<TeamRules> {
    let rules = &snapshot.teams[0];
    Arc::new(TeamRules {
        name: Team::new("unknown"),
        allowlist: rules.allowlist.clone(),
        models: None,
        outbound: rules.outbound.clone(),
        inbound: rules.inbound.clone(),
        redact_secrets: false,
    })
}

fn session(head: &Head<'_>) -> Option<SessionId> {
    let found = head.headers.iter().find(|(name, _)| providers::session_header(name))?;
    let text = std::str::from_utf8(found.1).ok()?;
    (text.len() <= 256).then(|| SessionId::new(text))
}

fn content_codings(head: &Head<'_>) -> Result<Vec<Coding>, String> {
    let all: Vec<&str> = head
        .headers
        .iter()
        .filter(|(name, _)| *name == "content-encoding")
        .map(|(_, value)| std::str::from_utf8(value).unwrap_or("unreadable"))
        .collect();
    encoding::codings(&all.join(","))
        .map_err(|error| format!("the body's content encoding cannot be undone, so it cannot be scanned: {error}"))
}

/// Time between two moments, if both are known.
pub(super) fn between(from: Option<Stamp>, to: Option<Stamp>) -> Option<Duration> {
    Some(to?.since(from?))
}
