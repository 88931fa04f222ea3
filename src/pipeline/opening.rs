//! The head of a request: whose key it is, where it goes, and how its body is to be read.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use super::credentials::{Access, Credentials, authenticate};
use super::document::Document;
use super::exchange::{Carrier, Exchange, Phase};
use super::judge::Judge;
use super::label::Originals;
use super::locate::scan_line;
use super::record::Record;
use super::route::{self, Destination};
use super::snapshot::TeamRules;
use super::{Reply, Snapshot, notice};
use crate::config::TeamLimits;
use crate::domain::{Action, Direction, RequestId, SessionId, Stamp, Team};
use crate::providers::{self, Refusal, RefusalKind};
use crate::wire::encoding::{self, Coding};

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

impl Exchange {
    /// Reads the head: gateway key to team, path to provider.
    pub fn open(snapshot: Arc<Snapshot>, request: RequestId, head: &Head<'_>, now: Stamp) -> (Self, Opening) {
        let destination = route::destination(&snapshot, head);
        let dialect = match &destination {
            Ok(it) => it.upstream.dialect,
            Err(it) => it.dialect,
        };
        let access = authenticate(&snapshot, head, now);
        let team = access.as_ref().map_or_else(|_| nobody(&snapshot), |it| it.team.clone());
        let mut record = Record::new(request, team.name.clone(), now);
        record.begun(&snapshot.witness, head.client, head.header("user-agent"), session(head));
        record.query = head.query.map(String::from);
        let mut exchange = Exchange {
            judge: Judge { snapshot: snapshot.clone(), team, model: None, now },
            snapshot,
            dialect,
            destination: None,
            credentials: Credentials::default(),
            carrier: Carrier::Body,
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
        if !self.snapshot.is_governed() {
            let message = "this gateway has not been told yet what it runs on: its policy server has not answered since \
                           it was enrolled";
            return Err(self.plain(RefusalKind::NoPolicy, message.to_owned()));
        }
        let access = access.map_err(|message| self.plain(RefusalKind::Unauthorized, message))?;
        self.record.key = access.key;
        let destination = destination.map_err(|it| self.plain(it.kind, it.message))?;
        self.record.upstream = Some(destination.upstream.name.clone());
        self.record.endpoint = destination.route.endpoint.name();
        self.record.dialect = Some(destination.upstream.dialect.name());
        self.check_quarantine(self.judge.now)?;
        self.credentials = access.credentials;
        if self.credentials.need_provider_key && destination.upstream.api_key.is_none() {
            let message = format!(
                "no provider key is configured for the upstream `{}`: set `api_key` under it in gateway.yaml",
                destination.upstream.name
            );
            return Err(self.plain(RefusalKind::NoProviderKey, message));
        }
        if self.snapshot.teams.len() > 1 && destination.lists_for_all(head.method) {
            let message = "the list of batches holds those of every team that shares this provider's key: ask for a \
                           batch by its id";
            return Err(self.plain(RefusalKind::UnknownPath, message.to_owned()));
        }
        self.check_line(head, &destination)?;
        let codings = content_codings(head).map_err(|message| self.plain(RefusalKind::BadRequest, message))?;
        let reading = self.reading(&destination, Direction::Outbound);
        let limits = self.document_limits(self.snapshot.limits.body_bytes_max);
        let document = Document::new(&codings, limits, reading, self.snapshot.memory.hasher(), false);
        let mut document = document.map_err(|error| self.plain(RefusalKind::BadRequest, error.to_string()))?;
        document.expect(head.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0));
        self.destination = Some(destination);
        self.phase = Phase::Reading(Box::new(document));
        Ok(())
    }

    /// Path, query and headers go on as they came: what would be stopped in a prompt stops them.
    fn check_line(&mut self, head: &Head<'_>, destination: &Destination) -> Result<(), Refusal> {
        let reading = self.reading(destination, Direction::Outbound);
        let mut located = scan_line(&reading, head.path, || "path".into());
        located.extend(head.query.map(|query| scan_line(&reading, query, || "query".into())).unwrap_or_default());
        for (name, value) in head.headers.iter().filter(|(name, value)| self.credentials.may_hold_text(name, value)) {
            let value = String::from_utf8_lossy(value);
            located.extend(scan_line(&reading, &value, || format!("header {}", header_shown(name))));
        }
        if located.is_empty() {
            return Ok(());
        }
        let verdict = self.judge.decide_located(Direction::Outbound, &located);
        let findings = self.judge.recorded(&located);
        if verdict.action != Action::Block {
            let excepted = verdict.excepted.into_iter();
            self.record.excepted = excepted.map(|it| (findings[it.finding].clone(), it.exception)).collect();
            return Ok(());
        }
        let refusal = notice::blocked(Direction::Outbound, &verdict, &findings, &self.record.request);
        self.record.outbound.findings = findings;
        self.record.outbound.verdict = verdict;
        Err(refusal)
    }
}

/// A header's name as a message may show it; it comes from the client.
fn header_shown(name: &str) -> &str {
    let is_plain = name.len() <= 64 && name.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
    if is_plain { name } else { "…" }
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
        limits: TeamLimits::default(),
        account: OnceLock::new(),
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
