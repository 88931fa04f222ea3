//! The body of a request: read while it arrives, decided upon when it is whole, then forwarded or refused.

use std::sync::Arc;

use super::access::CREDENTIAL_HEADERS;
use super::document::{Complete, Unreadable};
use super::exchange::{Carrier, Exchange, Phase};
use super::socket::{MessageKind, kind_of};
use super::{Reply, Upstream, models, notice, redact, route};
use crate::config::OnUnscannable;
use crate::domain::{Action, Direction, Model, Secret, SessionId, Stamp};
use crate::providers::{Endpoint, Refusal, RefusalKind};
use crate::wire::json::{Lexer, Limits};

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
    /// Headers to set: configured ones, the provider's credential; that of the first key, where there are several.
    pub set_headers: Vec<(String, Secret)>,
    /// The whole body to send; empty for none.
    pub body: Vec<u8>,
}

impl Exchange {
    /// A piece of the body, and whether it was the last; decides with the last.
    /// `None`: go on reading. An answer before the last piece: stop reading (drain a little).
    pub fn request_body(&mut self, chunk: &[u8], last: bool, now: Stamp) -> Option<Sending> {
        self.record.received(chunk);
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
            self.check_named(&[], &[])?;
            return self.forward(Vec::new(), false);
        };
        let gathered = &mut complete.gathered;
        self.record.streamed = gathered.streamed || self.carrier == Carrier::Message;
        self.record.outbound.coverage = std::mem::take(&mut gathered.coverage);
        self.record.session = self
            .record
            .session
            .take()
            .or_else(|| gathered.session.as_deref().map(|it| SessionId::new(&self.snapshot.witness.name(it))));
        // A session that is named in the body is known only now.
        self.check_quarantine(now)?;
        self.check_models(&gathered.models)?;
        self.check_named(&complete.gathered.models, &complete.raw)?;
        self.judge.settle(Direction::Outbound, &mut complete.located);
        self.record.forget(&complete.located);
        let session = self.record.session.as_ref().map_or_else(|| self.client.to_string(), ToString::to_string);
        self.conversation =
            self.snapshot.memory.key(self.judge.team.name.as_str(), &session, complete.gathered.last_message);
        if let Some(refusal) = self.remembered(self.record.streamed, now) {
            return Err(refusal);
        }
        if complete.gathered.too_deep {
            let message = "this prompt holds JSON inside a string that is nested too deep to be scanned";
            return Err(self.plain(RefusalKind::BadRequest, message.into()));
        }
        let verdict = self.judge.decide_located(Direction::Outbound, &complete.located);
        let findings = self.judge.recorded(&complete.located);
        self.record.outbound.verdict = verdict.clone();
        self.record.outbound.findings = findings;
        if self.snapshot.witness.keeps_text {
            self.record.texts.prompt = self.without_findings(&complete.raw, &complete.located);
        }
        if complete.gathered.overflow {
            // Whatever those ask for that were looked at.
            self.record.outbound.verdict.action = Action::Block;
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
        if complete.located.iter().any(|it| it.shadowed) && !is_json(&edited) {
            self.record.outbound.verdict.action = Action::Block;
            let message = "what was found in this prompt stands in several parts of it, which cannot be cut out";
            return Err(self.plain(RefusalKind::PolicyBlocked, message.into()));
        }
        self.forward(edited, was_encoded)
    }

    pub(super) fn forward(&self, body: Vec<u8>, was_decoded: bool) -> Result<Forward, Refusal> {
        let Some(destination) = &self.destination else {
            return Err(self.plain(RefusalKind::UnknownPath, "there is nowhere to send this".into()));
        };
        let upstream = &destination.upstream;
        let mut remove_headers = self.credentials.remove.clone();
        let mut set_headers = upstream.headers.clone();
        if let Some(first) = upstream.credentials.first() {
            remove_headers.extend(CREDENTIAL_HEADERS.map(String::from));
            set_headers.push(first.clone());
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

    pub(super) fn check_models(&mut self, models: &[String]) -> Result<(), Refusal> {
        let in_path = self.destination.as_ref().and_then(|it| it.route.model.clone());
        let asked: Vec<&String> = in_path.iter().chain(models).collect();
        self.judge.model = asked.first().map(ToString::to_string);
        let witness = &self.snapshot.witness;
        self.record.model = self.judge.model.as_deref().map(|it| Model::new(&witness.name(it)));
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

    /// A team that may not use every model has to say which: what a stored prompt, an earlier answer or the provider would
    /// choose is not known here.
    fn check_named(&self, models: &[String], body: &[u8]) -> Result<(), Refusal> {
        let Some(allowed) = &self.judge.team.models else { return Ok(()) };
        let destination = self.destination.as_ref();
        let is_asked = destination.is_some_and(|it| it.names_model && it.route.model.is_none());
        let is_create = || self.carrier == Carrier::Body || kind_of(body) == MessageKind::Create;
        if !models.is_empty() || !is_asked || !is_create() {
            return Ok(());
        }
        let (team, allowed) = (&self.judge.team.name, allowed.join(", "));
        let message = format!(
            "this request does not say in `model` which model it is for, and the team `{team}` may use only these: {allowed}"
        );
        Err(self.plain(RefusalKind::ModelNotAllowed, message))
    }

    fn check_unscannable(&mut self) -> Result<(), Refusal> {
        if self.record.outbound.coverage.skipped_bytes.is_empty() {
            return Ok(());
        }
        match self.snapshot.on_unscannable {
            OnUnscannable::Allow => Ok(()),
            OnUnscannable::Flag => {
                self.unscannable(Action::Flag);
                Ok(())
            }
            OnUnscannable::Block => {
                self.unscannable(Action::Block);
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

    /// What could not be scanned asks for this at least.
    fn unscannable(&mut self, action: Action) {
        let verdict = &mut self.record.outbound.verdict;
        verdict.action = verdict.action.max(action);
        verdict.policies.push("on_unscannable".into());
    }

    /// The refusal of a completion that was stopped a moment ago, for a client that now asks without streaming.
    fn remembered(&self, streamed: bool, now: Stamp) -> Option<Refusal> {
        if streamed {
            return None;
        }
        let refusal = self.snapshot.memory.recall(self.conversation, now)?;
        Some(Refusal { request: self.record.request.clone(), ..refusal })
    }

    fn unreadable_request(&mut self, error: &Unreadable) -> Reply {
        self.phase = Phase::Done;
        let kind = if error.is_size() { RefusalKind::TooLarge } else { RefusalKind::BadRequest };
        self.refuse(kind, format!("this request cannot be scanned, so it is not passed on: {error}"))
    }
}

/// Whether an edited prompt is still the document that it was.
fn is_json(edited: &[u8]) -> bool {
    let mut lexer = Lexer::new(Limits { depth_max: u32::MAX });
    lexer.push(edited, &mut ()).and_then(|()| lexer.finish(&mut ())).is_ok()
}
