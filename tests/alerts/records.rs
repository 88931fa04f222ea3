//! Records as the audit log holds them, and channels as a configuration describes them.

use airiskguard_gateway::config::{File, Notifications, Reference};
use airiskguard_gateway::sinks::{Outlet, alerts};
use airiskguard_gateway::store::{Act, Entry, Exchange, Found, Link, Record, Side, Subject};

/// 2025-11-24T16:00:00Z.
pub const NOW_MS: u64 = 1_764_000_000_000;
pub const SECOND_MS: u64 = 1000;
pub const HOUR_MS: u64 = 3_600_000;

/// `notifications:` from its text.
#[track_caller]
pub fn notifications(text: &str) -> Notifications {
    let resolve = |_: &Reference| Err("nothing is there".to_owned());
    let text = format!("upstream: {{anthropic: 'http://127.0.0.1:1'}}\nnotifications:\n{text}");
    File::parse(&text, "gateway.yaml", &resolve).unwrap_or_else(|it| panic!("{it}")).notifications
}

/// The only channel of `notifications:`.
#[track_caller]
pub fn outlet(text: &str) -> Box<dyn Outlet> {
    let mut outlets = alerts::outlets(&notifications(text)).unwrap();
    assert_eq!(outlets.len(), 1);
    outlets.remove(0)
}

/// A finding that was blocked.
pub fn found(rule: &str, risk: &str, value: Option<&str>) -> Found {
    Found {
        rule: rule.to_owned(),
        checker: rule.split('.').next().unwrap().to_owned(),
        label: "AWS_ACCESS_KEY".to_owned(),
        risk: risk.to_owned(),
        score: 0.9,
        source: "user".to_owned(),
        place: "message 3, line 2 (messages[3].content)".to_owned(),
        action: "block".to_owned(),
        value: value.map(str::to_owned),
        count: 1,
        ..Found::default()
    }
}

/// A blocked prompt with these findings.
pub fn blocked(findings: Vec<Found>) -> Exchange {
    let risk = ["critical", "high", "medium", "low"].into_iter().find(|it| findings.iter().any(|its| its.risk == *it));
    let policies = vec!["block_secrets".to_owned()];
    let outbound = Side {
        action: "block".to_owned(),
        risk: risk.map(str::to_owned),
        score: 0.9,
        policies,
        findings,
        ..Side::default()
    };
    Exchange {
        team: "backend".to_owned(),
        key: Some("9f86d081".to_owned()),
        session: Some("session-7".to_owned()),
        model: Some("claude-sonnet-4-6".to_owned()),
        endpoint: "messages".to_owned(),
        outcome: "refused".to_owned(),
        refusal: Some("blocked".to_owned()),
        action: "block".to_owned(),
        outbound,
        ..Exchange::default()
    }
}

/// A blocked prompt with one secret.
pub fn leak(value: &str) -> Exchange {
    blocked(vec![found("secrets.aws.access_key", "critical", Some(value))])
}

pub fn act(name: &str) -> Subject {
    let details = [("records".to_owned(), "12".to_owned())].into();
    Subject::Act(Act { act: name.to_owned(), actor: "gateway".to_owned(), details })
}

/// Entry number `sequence` of the gateway `gw-1`.
pub fn entry(sequence: u64, written_ms: u64, subject: Subject) -> Entry {
    let id = format!("0199a7c2-5b1e-7cc3-98c4-{sequence:012}");
    let record = Record { version: Record::VERSION, gateway: "gw-1".to_owned(), sequence, written_ms, id, subject };
    let body = serde_json::to_string(&record).unwrap();
    let hash = Link::FIRST.next(&body);
    Entry { gateway: "gw-1".into(), sequence, written_ms, hash, body: body.into(), sealed: None }
}

/// Entries in a row, a second apart.
pub fn entries(from: u64, exchanges: impl IntoIterator<Item = Exchange>) -> Vec<Entry> {
    let numbered = (from..).zip(exchanges);
    numbered.map(|(it, exchange)| entry(it, NOW_MS + it * SECOND_MS, Subject::Exchange(Box::new(exchange)))).collect()
}
