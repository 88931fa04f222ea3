//! What an exchange notes down while it goes, and the event that comes of it.

use std::net::IpAddr;
use std::sync::Arc;

use super::completion::CompletionScan;
use super::exchange::between;
use super::locate::Located;
use super::witness::{BodyDigest, Witness, finished};
use crate::domain::{
    Action, Coverage, Event, Excepted, Finding, KeyId, Model, Outcome, RequestId, SessionId, Stamp, Team, Texts,
    Verdict,
};
use crate::providers::{RefusalKind, Told};

/// One direction's part of the record.
#[derive(Clone, Default)]
pub(super) struct Side {
    pub(super) verdict: Verdict,
    pub(super) findings: Vec<Finding>,
    pub(super) coverage: Coverage,
}

/// The notes of one exchange.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) request: RequestId,
    pub(super) team: Team,
    pub(super) key: Option<KeyId>,
    pub(super) session: Option<SessionId>,
    client: Option<IpAddr>,
    agent: Option<String>,
    pub(super) dialect: Option<&'static str>,
    pub(super) told: Told,
    pub(super) texts: Texts,
    outbound_digest: Option<BodyDigest>,
    inbound_digest: Option<BodyDigest>,
    answer_bytes: u64,
    pub(super) upstream: Option<String>,
    pub(super) endpoint: &'static str,
    /// The query, which goes on as it came.
    pub(super) query: Option<String>,
    pub(super) model: Option<Model>,
    pub(super) streamed: bool,
    pub(super) outbound: Side,
    pub(super) inbound: Side,
    pub(super) restored: u32,
    request_bytes: u64,
    pub(super) upstream_status: Option<u16>,
    pub(super) request_end: Stamp,
    pub(super) forwarded: Option<Stamp>,
    pub(super) first_byte: Option<Stamp>,
    /// Findings in the path and the query that exceptions let pass.
    pub(super) excepted: Vec<(Finding, Arc<str>)>,
    start: Stamp,
    refusal: Option<RefusalKind>,
    outcome: Option<Outcome>,
}

impl Record {
    /// Notes of an exchange that begins now.
    pub(super) fn new(request: RequestId, team: Team, now: Stamp) -> Self {
        Record {
            request,
            team,
            key: None,
            session: None,
            client: None,
            agent: None,
            dialect: None,
            told: Told::default(),
            texts: Texts::default(),
            outbound_digest: None,
            inbound_digest: None,
            answer_bytes: 0,
            upstream: None,
            endpoint: "none",
            query: None,
            model: None,
            streamed: false,
            outbound: Side::default(),
            inbound: Side::default(),
            restored: 0,
            request_bytes: 0,
            upstream_status: None,
            request_end: now,
            forwarded: None,
            first_byte: None,
            excepted: Vec::new(),
            start: now,
            refusal: None,
            outcome: None,
        }
    }

    /// Who asks, as far as it may be written down.
    pub(super) fn begun(&mut self, witness: &Witness, client: IpAddr, agent: Option<&str>, session: Option<SessionId>) {
        self.client = Some(client);
        self.agent = agent.map(|it| witness.agent(it));
        self.session = session.map(|it| SessionId::new(&witness.name(it.as_str())));
        (self.outbound_digest, self.inbound_digest) = (witness.body(), witness.body());
    }

    /// A piece of the request's body.
    pub(super) fn received(&mut self, chunk: &[u8]) {
        self.request_bytes += chunk.len() as u64;
        if let Some(digest) = &mut self.outbound_digest {
            digest.update(chunk);
        }
    }

    /// A piece of the answer's body, as the provider sent it.
    pub(super) fn answered(&mut self, chunk: &[u8]) {
        self.answer_bytes += chunk.len() as u64;
        if let Some(digest) = &mut self.inbound_digest {
            digest.update(chunk);
        }
    }

    /// A model or session that is itself a secret is not written down.
    pub(super) fn forget(&mut self, located: &[Located]) {
        let is_in = |text: &str| located.iter().any(|it| it.finding.rule.redactable && text.contains(it.text.expose()));
        if self.model.as_ref().is_some_and(|it| is_in(it.as_str())) {
            self.model = Some(Model::new("[REDACTED]"));
        }
        if self.session.as_ref().is_some_and(|it| is_in(it.as_str())) {
            self.session = Some(SessionId::new("[REDACTED]"));
        }
    }

    /// The gateway answers instead of the provider. A completion that was stopped before stays one.
    pub(super) fn refused(&mut self, kind: RefusalKind) {
        self.refusal = Some(kind);
        self.outcome.get_or_insert(match kind {
            RefusalKind::UpstreamFailed | RefusalKind::UpstreamUnavailable => Outcome::UpstreamFailed,
            _ => Outcome::Refused,
        });
    }

    /// The provider's answer is not passed on, or no further.
    pub(super) fn stopped(&mut self, kind: RefusalKind) {
        self.refusal = Some(kind);
        self.outcome = Some(match kind {
            RefusalKind::UpstreamFailed | RefusalKind::UpstreamUnavailable => Outcome::UpstreamFailed,
            _ => Outcome::Stopped,
        });
    }

    /// Takes over what a stream found out.
    pub(super) fn completed(&mut self, scan: &mut CompletionScan) {
        self.inbound = Side {
            verdict: std::mem::take(&mut scan.tally.verdict),
            findings: std::mem::take(&mut scan.tally.findings),
            coverage: std::mem::take(&mut scan.tally.coverage),
        };
        self.restored = scan.tally.restored;
        self.told = std::mem::take(&mut scan.told);
        self.texts.completion = scan.transcript().unwrap_or_default();
    }

    /// The event. `outcome` is what the edge saw.
    pub(super) fn into_event(mut self, witness: &Witness, outcome: Outcome, response_bytes: u64, now: Stamp) -> Event {
        for (finding, exception) in std::mem::take(&mut self.excepted) {
            let Side { verdict, findings, .. } = &mut self.outbound;
            verdict.excepted.push(Excepted { finding: findings.len(), exception });
            // A refusal before the policies leaves findings without a disposition: each keeps its place.
            verdict.dispositions.resize(findings.len(), Action::Log);
            verdict.dispositions.push(Action::Allow);
            findings.push(finding);
        }
        let texts = witness
            .keeps_text
            .then(|| Texts { prompt: self.texts.prompt, completion: witness.text(&self.texts.completion) });
        Event {
            request: self.request,
            start: self.start,
            end: now,
            team: self.team,
            key: self.key,
            session: self.session,
            client: self.client,
            agent: self.agent,
            generation: witness.generation.clone(),
            upstream: self.upstream,
            dialect: self.dialect,
            endpoint: self.endpoint,
            model: self.model,
            model_answered: self.told.model.map(|it| Model::new(&witness.name(&it))),
            streamed: self.streamed,
            outcome: self.outcome.unwrap_or(outcome),
            refusal: self.refusal.map(RefusalKind::code),
            outbound: self.outbound.verdict,
            inbound: self.inbound.verdict,
            outbound_findings: self.outbound.findings,
            inbound_findings: self.inbound.findings,
            outbound_coverage: self.outbound.coverage,
            inbound_coverage: self.inbound.coverage,
            outbound_digest: finished(self.outbound_digest, self.request_bytes),
            inbound_digest: finished(self.inbound_digest, self.answer_bytes),
            texts,
            restored: self.restored,
            request_bytes: self.request_bytes,
            response_bytes,
            tokens: self.told.tokens,
            cost: None,
            upstream_status: self.upstream_status,
            gateway_time: between(Some(self.request_end), self.forwarded).unwrap_or_default(),
            upstream_time: between(self.forwarded, Some(now)),
            first_byte_time: between(Some(self.request_end), self.first_byte),
        }
    }
}
