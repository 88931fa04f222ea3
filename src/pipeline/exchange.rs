//! One exchange from open to close. Its steps in their order: `opening.rs`, `prompt.rs`, `answer.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::body::{Reading, Sources};
use super::completion::CompletionScan;
use super::credentials::Credentials;
use super::document::{Document, DocumentLimits};
use super::held::Held;
use super::judge::Judge;
use super::label::{Labels, Originals};
use super::locate::Located;
use super::own_keys::{OwnKeys, Relay};
use super::quarantine::{self, Who};
use super::record::Record;
use super::route::Destination;
use super::{Reply, Snapshot, notice, quota, redact};
use crate::config::Dialect;
use crate::domain::{Action, Direction, Event, Outcome, Stamp, Team};
use crate::providers::{self, Endpoint, Refusal, RefusalKind};

/// A client is asked to wait for at most so long by itself; what takes longer is told the developer.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);

/// Where an exchange stands.
pub(super) enum Phase {
    /// The body is arriving.
    Reading(Box<Document>),
    /// The provider has it.
    Sent,
    /// The answer is held until it is complete.
    Holding(Held),
    /// The answer flows.
    Streaming(Box<CompletionScan>),
    /// The answer goes out as it comes.
    Passing,
    /// The same, but for the provider's keys.
    Relaying(Relay),
    /// Nothing more is read.
    Done,
}

/// What carries the texts of an exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// Bodies of HTTP.
    Body,
    /// Messages of a socket, which always streams its answers.
    Message,
}

/// One exchange.
pub struct Exchange {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) dialect: Dialect,
    pub(super) destination: Option<Destination>,
    pub(super) credentials: Credentials,
    pub(super) judge: Judge,
    pub(super) carrier: Carrier,
    pub(super) phase: Phase,
    pub(super) originals: Originals,
    pub(super) conversation: u64,
    pub(super) client: IpAddr,
    pub(super) record: Record,
}

impl Exchange {
    /// The provider is about to be contacted: what came before was the gateway's own time.
    pub fn forwarded(&mut self, now: Stamp) {
        self.record.forwarded = Some(now);
    }

    /// Body bytes held by this exchange, for the sum over all.
    pub fn held_bytes(&self) -> u64 {
        match &self.phase {
            Phase::Reading(document) => document.held_bytes(),
            Phase::Holding(held) => held.held_bytes(),
            Phase::Streaming(scan) => scan.held_bytes(),
            Phase::Sent | Phase::Passing | Phase::Relaying(_) | Phase::Done => 0,
        }
    }

    /// A refusal of the edge's own (timeouts, framing, overload, upstream failure), dressed for this exchange's client.
    pub fn refuse(&mut self, kind: RefusalKind, message: String) -> Reply {
        let refusal = self.plain(kind, message);
        self.dress(refusal)
    }

    /// As [`Exchange::refuse`], for a refusal that holds for so long.
    pub fn refuse_for(&mut self, kind: RefusalKind, message: String, wait: Duration) -> Reply {
        let mut reply = self.refuse(kind, message);
        // Whole seconds, one at least: who asks a moment too early asks in vain.
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        reply.headers.push(("retry-after", seconds.to_string()));
        if wait > RETRY_WAIT_MAX {
            reply.headers.push(("x-should-retry", "false".into()));
        }
        reply
    }

    /// The team that asks.
    pub fn team(&self) -> &Team {
        &self.record.team
    }

    /// The event of a prompt that was decided upon, before the provider is contacted.
    pub fn so_far(&self, now: Stamp) -> Event {
        self.record.clone().into_event(&self.snapshot.witness, Outcome::Forwarded, 0, now)
    }

    /// Ends it. `outcome` is what the edge knows; a refusal or a stop that happened inside prevails.
    pub fn close(mut self, outcome: Outcome, response_bytes: u64, now: Stamp) -> Event {
        if let Phase::Streaming(scan) = &mut self.phase {
            self.record.completed(scan);
        }
        let id = self.record.told.id.take();
        let completion = std::mem::take(&mut self.record.texts.completion);
        let model = self.record.told.model.take();
        let hidden = |text: String| match self.own_keys() {
            Some(keys) => keys.hide_in(text),
            None => text,
        };
        (self.record.texts.completion, self.record.told.model) = (hidden(completion), model.map(hidden));
        let mut event = self.record.into_event(&self.snapshot.witness, outcome, response_bytes, now);
        if let Some(destination) = &self.destination {
            quota::charge(&self.snapshot, &self.judge.team, destination, id.as_deref(), &mut event, now);
        }
        self.snapshot.quarantine().note(&self.snapshot.quarantine_rules, &event, now);
        event
    }

    /// A body for the record: everything that was found is hidden, whatever is done with it, and all else that can be.
    pub(super) fn without_findings(&self, raw: &[u8], located: &[Located]) -> String {
        let all = vec![Action::Redact; located.len()];
        let splices = redact::hide(located, &all, &Labels::new(None), &mut Originals::default());
        let hidden = splices.apply(raw).unwrap_or_default();
        self.snapshot.witness.text(&String::from_utf8_lossy(&hidden))
    }

    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.destination.as_ref().map(|it| it.route.endpoint)
    }

    /// The keys of the provider that is asked, if there are any.
    pub(super) fn own_keys(&self) -> Option<&OwnKeys> {
        self.destination.as_ref().map(|it| &it.upstream.own_keys).filter(|it| !it.is_empty())
    }

    pub(super) fn reading(&self, destination: &Destination, direction: Direction) -> Reading {
        Reading {
            engine: self.snapshot.engine.clone(),
            rules: self.judge.team.rules(direction).clone(),
            sources: Sources::Of(destination.upstream.provider),
            takes_tokens: matches!(destination.route.endpoint, Endpoint::Embeddings | Endpoint::Completions),
            views: direction == Direction::Outbound,
            hits_max: self.snapshot.limits.findings_max as usize,
            seen: (direction == Direction::Outbound).then(|| self.snapshot.seen.clone()),
        }
    }

    pub(super) fn document_limits(&self, bytes_max: u64) -> DocumentLimits {
        let limits = &self.snapshot.limits;
        DocumentLimits { bytes_max, ratio_max: limits.decompression_ratio_max, depth_max: limits.json_depth_max }
    }

    pub(super) fn plain(&self, kind: RefusalKind, message: String) -> Refusal {
        notice::plain(kind, message, &self.record.request)
    }

    /// Whether this caller may go on, as far as they are known by now.
    pub(super) fn check_quarantine(&self, now: Stamp) -> Result<(), Refusal> {
        let Record { team, key, session, .. } = &self.record;
        let (key, session) = (key.as_ref().map(|it| it.as_str()), session.as_ref().map(|it| it.as_str()));
        let who = Who { team: team.as_str(), key, session };
        match self.snapshot.quarantine().holds(who, now) {
            None => Ok(()),
            Some(held) => Err(self.plain(RefusalKind::Quarantined, quarantine::message(&held, now))),
        }
    }

    /// Puts a refusal into the shape of this exchange's dialect.
    pub(super) fn dress(&mut self, refusal: Refusal) -> Reply {
        self.record.refused(refusal.kind);
        Reply::new(self.dialect, providers::for_dialect(self.dialect), &refusal)
    }
}

/// Time between two moments, if both are known.
pub(super) fn between(from: Option<Stamp>, to: Option<Stamp>) -> Option<Duration> {
    Some(to?.since(from?))
}
