//! The generated part of `docs/siem.md`: one event in every format, and the name of every fact.

use std::fmt::Write;
use std::sync::Arc;

use super::encode::{self, ECS_SCHEMA, OCSF_SCHEMA};
use super::frame;
use super::genai;
use super::mapping::FACTS;
use super::view::{Detail, View};
use super::{Message, SiemFormat};
use crate::config::Facility;
use crate::store::{Entry, Exchange, Found, Link, Record, Side, Subject, Tokens};

/// Examples and names, as Markdown.
pub fn document() -> String {
    let mut out = String::from("## The same event in every format\n");
    let (entry, record) = sample();
    let view = View::new(&entry, &record, Detail::FULL);
    // Writing to a String cannot fail.
    for format in SiemFormat::ALL {
        let _ = write!(out, "\n### `{}`\n\n", format.name());
        let text = encode::encode(format, &view);
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(tree) => drop(write!(out, "```json\n{tree:#}\n```\n")),
            Err(_) => drop(write!(out, "```text\n{}\n```\n", text)),
        }
    }
    let _ = write!(out, "\n### OpenTelemetry\n\n```json\n{:#}\n```\n", encode::otel::record(&view));
    let message = Message::new(&view, encode::encode(SiemFormat::Cef, &view), 0);
    let framed = frame::message(Facility::default(), &message, 400);
    let _ = write!(
        out,
        "\n### Around it, for syslog\n\nThe beginning of the message, with `cef`:\n\n```text\n{framed}…\n```\n"
    );
    let _ = write!(out, "\n## Names\n\nVersions: CEF 0, LEEF 2.0, ECS {ECS_SCHEMA}, OCSF {OCSF_SCHEMA}, ");
    let _ = write!(out, "OpenTelemetry's conventions for generative AI {}.\n\n", genai::VERSION);
    out.push_str("| fact | what it is | CEF | LEEF | ECS | OCSF | OpenTelemetry |\n|---|---|---|---|---|---|---|\n");
    for fact in FACTS {
        let cef = match fact.cef.split_once('=') {
            Some((key, label)) => format!("`{key}` ({label})"),
            None => format!("`{}`", fact.cef),
        };
        let names = format!("`{}` | `{}` | `{}` | `{}`", fact.leef, fact.ecs, fact.ocsf, fact.otel);
        let _ = writeln!(out, "| {} | {} | {cef} | {names} |", fact.id, fact.says);
    }
    out
}

/// A prompt that was blocked, made up.
pub(super) fn sample() -> (Entry, Record) {
    let found = Found {
        rule: "secrets.aws.access_key".to_owned(),
        checker: "secrets".to_owned(),
        label: "AWS_ACCESS_KEY".to_owned(),
        risk: "critical".to_owned(),
        score: 0.95,
        source: "user".to_owned(),
        place: "message 3, line 2 (messages[3].content)".to_owned(),
        action: "block".to_owned(),
        exception: None,
        value: Some("5d41402abc4b2a76".to_owned()),
        count: 2,
    };
    let outbound = Side {
        action: "block".to_owned(),
        risk: Some("critical".to_owned()),
        score: 0.95,
        policies: vec!["block_any_secret".to_owned()],
        findings: vec![found],
        digest: Some("0f".repeat(32)),
        scanned_bytes: 5120,
        ..Side::default()
    };
    let exchange = Exchange {
        start_ms: 1_795_340_600_000,
        end_ms: 1_795_340_600_012,
        team: "engineers".to_owned(),
        key: Some("9f86d081".to_owned()),
        session: Some("5f0c2a3e".to_owned()),
        client: Some("192.0.2.17".to_owned()),
        agent: Some("claude-cli/2.0".to_owned()),
        upstream: Some("anthropic".to_owned()),
        dialect: Some("anthropic".to_owned()),
        endpoint: "messages".to_owned(),
        model: Some("claude-sonnet-4-6".to_owned()),
        streamed: true,
        outcome: "refused".to_owned(),
        refusal: Some("policy".to_owned()),
        action: "block".to_owned(),
        generation: "c0ffee12".to_owned(),
        outbound,
        inbound: Side { action: "allow".to_owned(), ..Side::default() },
        request_bytes: 5321,
        response_bytes: 412,
        tokens: Some(Tokens { input: 1200, output: 0, ..Tokens::default() }),
        upstream_status: None,
        gateway_us: 740,
        ..Exchange::default()
    };
    entry(Subject::Exchange(Box::new(exchange)))
}

/// An entry of the gateway `gw-1` about this.
pub(super) fn entry(subject: Subject) -> (Entry, Record) {
    let record = Record {
        version: Record::VERSION,
        gateway: "gw-1".to_owned(),
        sequence: 42,
        written_ms: 1_795_340_600_020,
        id: "019aa9a2-1b7c-7000-8000-000000000042".to_owned(),
        subject,
    };
    let body: Arc<str> = serde_json::to_string(&record).unwrap_or_default().into();
    let entry = Entry {
        gateway: Arc::from("gw-1"),
        sequence: record.sequence,
        written_ms: record.written_ms,
        hash: Link::FIRST.next(&body),
        body,
        sealed: None,
    };
    (entry, record)
}
