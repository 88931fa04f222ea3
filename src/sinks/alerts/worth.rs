//! Which records are worth an alert on a channel, and what the alert then says.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::config::Channel;
use crate::domain::Risk;
use crate::store::{Act, Exchange, Found, Record, Side, Subject};

use super::alert::{Alert, Check, Key, Occasion, Reported};

/// Actions that people are told of, by the names that records use.
const ACTIONS: [&str; 3] = ["block", "redact", "review"];

/// Acts that people are told of.
const ACTS: [&str; 7] = [
    "audit.lost",
    "audit.store_down",
    "audit.store_back",
    "audit.damaged",
    "config.refused",
    "bundle.refused",
    "alerts.tested",
];

/// Acts of which each ends what the other began, so that its next time is news.
const OPPOSITES: [(&str, &str); 2] =
    [("audit.store_down", "audit.store_back"), ("audit.store_back", "audit.store_down")];

/// A record that is worth an alert.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The alert, if all of it is news.
    pub(super) alert: Alert,
    /// What its repeats would have in common; one for each finding, and one where there is none.
    pub(super) keys: Vec<Key>,
    /// What it puts an end to.
    pub(super) ends: Option<Key>,
}

/// `None` for what nobody needs to be told of here. The decision over a prompt is followed by the whole exchange, so
/// that it would be told of twice.
pub(super) fn candidate(record: &Record, channel: &Channel) -> Option<Candidate> {
    match &record.subject {
        Subject::Exchange(exchange) => found(record, exchange, channel).or_else(|| refused(record, exchange, channel)),
        Subject::Act(act) => acted(record, act, channel),
        Subject::Decision(_) | Subject::Checkpoint(_) => None,
    }
}

fn found(record: &Record, exchange: &Exchange, channel: &Channel) -> Option<Candidate> {
    let mut findings = reported(exchange);
    if findings.is_empty() {
        return None;
    }
    findings.retain(|it| it.risk >= channel.minimum_risk);
    findings.sort_by_key(|it| Reverse(it.risk));
    let keys: Vec<Key> = findings.iter().map(|it| it.key).collect();
    let mut alert = about(record, exchange, Occasion::Found, *keys.first()?);
    alert.findings = findings;
    settle(&mut alert);
    Some(Candidate { alert, keys, ends: None })
}

/// Risk, score and direction of an alert as those of the findings that are left in it.
pub(super) fn settle(alert: &mut Alert) {
    let Some(worst) = alert.findings.first() else { return };
    (alert.key, alert.risk, alert.direction) = (worst.key, worst.risk, Some(worst.direction));
    alert.score = alert.findings.iter().map(|it| it.score).fold(0.0, f64::max);
}

/// The findings that were acted upon, those with the same key together. Where an exchange was stopped by a policy that
/// looks at several together, no single one of them was: then all that are not excepted count.
fn reported(exchange: &Exchange) -> Vec<Reported> {
    let worth = ACTIONS.contains(&exchange.action.as_str()) || exchange.outcome == "stopped";
    if !worth {
        return Vec::new();
    }
    let sides = [("outbound", &exchange.outbound), ("inbound", &exchange.inbound)];
    let acted = |side: &Side| ACTIONS.contains(&side.action.as_str());
    let single = |it: &Found| ACTIONS.contains(&it.action.as_str());
    let counts = |it: &Found| it.exception.is_none();
    let all = || sides.iter().flat_map(|(direction, side)| side.findings.iter().map(move |it| (*direction, *side, it)));
    let mut chosen: Vec<_> = all().filter(|(.., it)| counts(it) && single(it)).collect();
    if chosen.is_empty() {
        chosen = all().filter(|(_, side, it)| counts(it) && acted(side)).collect();
    }
    let mut reported: Vec<Reported> = Vec::new();
    for (direction, _, it) in chosen {
        let key = key(exchange, it);
        match reported.iter_mut().find(|it| it.key == key) {
            Some(same) => same.count += it.count,
            None => reported.push(Reported {
                key,
                rule: it.rule.clone(),
                checker: it.checker.clone(),
                label: it.label.clone(),
                risk: risk(&it.risk),
                score: it.score,
                source: it.source.clone(),
                place: it.place.clone(),
                direction,
                action: it.action.clone(),
                count: it.count,
            }),
        }
    }
    reported
}

/// The same value under the same rule for the same team; where the value has no digest, in the same session.
fn key(exchange: &Exchange, found: &Found) -> Key {
    match &found.value {
        Some(value) => Key::new(&["value", &exchange.team, &found.rule, value]),
        None => Key::new(&["session", &exchange.team, &found.rule, whose(exchange)]),
    }
}

/// Who sent it, as exactly as is known.
fn whose(exchange: &Exchange) -> &str {
    [&exchange.session, &exchange.key, &exchange.client].into_iter().flatten().next().map_or("", String::as_str)
}

/// A level that this version does not know is a high one.
fn risk(name: &str) -> Risk {
    name.parse().unwrap_or(Risk::High)
}

/// Refusals for which nothing had to be found; who asks for them gets them, whatever their risk.
fn refused(record: &Record, exchange: &Exchange, channel: &Channel) -> Option<Candidate> {
    let findings = exchange.outbound.findings.len() + exchange.inbound.findings.len();
    let kind = exchange.refusal.as_ref().filter(|_| channel.refusals && findings == 0)?;
    let key = Key::new(&["refused", &exchange.team, kind, whose(exchange), exchange.model.as_deref().unwrap_or("")]);
    let mut alert = about(record, exchange, Occasion::Refused(kind.clone()), key);
    alert.blocked = true;
    Some(Candidate { alert, keys: vec![key], ends: None })
}

fn about(record: &Record, exchange: &Exchange, occasion: Occasion, key: Key) -> Alert {
    let risk = exchange.risk().unwrap_or(Risk::Medium);
    let policies = exchange.outbound.policies.iter().chain(&exchange.inbound.policies);
    Alert {
        score: exchange.score(),
        blocked: exchange.blocked() || exchange.outcome == "stopped",
        team: Some(exchange.team.clone()),
        key_id: exchange.key.clone(),
        session: exchange.session.clone(),
        request: Some(record.id.clone()),
        model: exchange.model.clone(),
        action: Some(exchange.action.clone()),
        policies: policies.cloned().collect(),
        checks: checks(exchange),
        ..Alert::new(occasion, record.id.clone(), key, &record.gateway, record.written_ms, risk)
    }
}

/// Each checker that found something, with the worst it found. It passed if nothing was done about it.
fn checks(exchange: &Exchange) -> Vec<Check> {
    let mut checks: BTreeMap<&str, Check> = BTreeMap::new();
    for it in exchange.outbound.findings.iter().chain(&exchange.inbound.findings) {
        let (risk, passed) = (risk(&it.risk), !ACTIONS.contains(&it.action.as_str()));
        let fresh = || Check { checker: it.checker.clone(), risk, score: 0.0, passed: true };
        let check = checks.entry(&it.checker).or_insert_with(fresh);
        check.risk = check.risk.max(risk);
        check.score = check.score.max(it.score);
        check.passed &= passed;
    }
    checks.into_values().collect()
}

fn acted(record: &Record, act: &Act, channel: &Channel) -> Option<Candidate> {
    let name = act.act.as_str();
    if !ACTS.contains(&name) || Risk::High < channel.minimum_risk {
        return None;
    }
    // Each test is news.
    let once = if name == "alerts.tested" { record.id.as_str() } else { "" };
    let key = |act: &str| Key::new(&["act", &record.gateway, act, once]);
    let ends = OPPOSITES.iter().find(|(one, _)| *one == name).map(|(_, other)| key(other));
    let mut alert = Alert::new(
        Occasion::Act(name.to_owned()),
        record.id.clone(),
        key(name),
        &record.gateway,
        record.written_ms,
        Risk::High,
    );
    alert.details = act.details.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Some(Candidate { keys: vec![alert.key], alert, ends })
}
