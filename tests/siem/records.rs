//! Entries to send, and what a driver of outlets does with them.

use std::sync::Arc;
use std::time::Duration;

use airiskguard_gateway::config::File;
use airiskguard_gateway::sinks::siem::outlets;
use airiskguard_gateway::sinks::{Failure, Hope, Outlet};
use airiskguard_gateway::store::{Act, Entry, Exchange, Found, Link, Record, Side, Subject};

/// The outlets of the receivers `- {name: …}`, one a line.
#[track_caller]
pub(crate) fn all(receivers: &str) -> Vec<Box<dyn Outlet>> {
    let text = format!("upstream: {{anthropic: 'http://127.0.0.1:1'}}\nsiem:\n{receivers}\n");
    let file = File::parse(&text, "gateway.yaml", &|_| Err("none".to_owned())).unwrap_or_else(|it| panic!("{it}"));
    outlets(&file.siem).unwrap()
}

/// The outlet of one receiver, by its settings: `to: …, format: …`.
#[track_caller]
pub(crate) fn outlet(settings: &str) -> Box<dyn Outlet> {
    all(&format!("  - {{name: test, {settings}}}")).remove(0)
}

/// Entries `from` to `until` of the gateway `gw-1`, of which `change` makes what it wants.
pub(crate) fn entries(from: u64, until: u64, change: impl Fn(u64, &mut Exchange)) -> Vec<Entry> {
    (from..=until)
        .map(|sequence| {
            let found = Found {
                rule: "secrets.aws.access_key".into(),
                checker: "secrets".into(),
                label: "AWS_ACCESS_KEY".into(),
                risk: "critical".into(),
                score: 0.95,
                place: "message 1 (messages[0].content)".into(),
                action: "block".into(),
                count: 1,
                ..Found::default()
            };
            let mut exchange = Exchange {
                team: "engineers".into(),
                client: Some("192.0.2.17".into()),
                model: Some(format!("model-{sequence}")),
                endpoint: "messages".into(),
                outcome: "refused".into(),
                action: "block".into(),
                outbound: Side {
                    action: "block".into(),
                    risk: Some("critical".into()),
                    findings: vec![found],
                    ..Side::default()
                },
                ..Exchange::default()
            };
            change(sequence, &mut exchange);
            entry(sequence, Subject::Exchange(Box::new(exchange)))
        })
        .collect()
}

/// As they come.
pub(crate) fn plain(from: u64, until: u64) -> Vec<Entry> {
    entries(from, until, |_, _| {})
}

/// An exchange in which nothing was found.
pub(crate) fn harmless(sequence: u64) -> Entry {
    let exchange = Exchange { action: "allow".into(), outcome: "forwarded".into(), ..Exchange::default() };
    entry(sequence, Subject::Exchange(Box::new(exchange)))
}

/// An act.
pub(crate) fn act(sequence: u64, name: &str) -> Entry {
    entry(sequence, Subject::Act(Act { act: name.into(), actor: "gateway".into(), ..Act::default() }))
}

fn entry(sequence: u64, subject: Subject) -> Entry {
    let record = Record {
        version: Record::VERSION,
        gateway: "gw-1".into(),
        sequence,
        written_ms: 1_795_340_600_000 + sequence,
        id: format!("id-{sequence}"),
        subject,
    };
    let body: Arc<str> = serde_json::to_string(&record).unwrap().into();
    let (written_ms, hash) = (record.written_ms, Link::FIRST.next(&body));
    Entry { gateway: "gw-1".into(), sequence, written_ms, hash, body, sealed: None }
}

/// Delivers all entries as a driver does: what may succeed later is tried again soon. Returns the dead letters.
pub(crate) async fn follow(outlet: &mut dyn Outlet, entries: &[Entry], now_ms: u64) -> Vec<u64> {
    let mut dead = Vec::new();
    let mut done = 0;
    for _ in 0..400 {
        if done == entries.len() {
            return dead;
        }
        match outlet.deliver(&entries[done..], now_ms).await {
            Ok(()) => done = entries.len(),
            Err(Failure { done: within, hope, .. }) => {
                done += within;
                if hope == Hope::Never {
                    dead.push(entries[done].sequence);
                    done += 1;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
    }
    panic!("only {done} of {} entries went", entries.len());
}
