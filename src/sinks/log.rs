//! One structured line per exchange: ids, counts, rule ids and places. Never text.

use crate::domain::{Event, Finding};

use super::Sink;

/// Findings named in one line; the rest is only counted.
const FINDINGS_MAX: usize = 20;

/// Writes to the process's log, target `exchange`.
pub struct Log;

impl Sink for Log {
    fn accept(&self, event: &Event) {
        tracing::info!(
            target: "exchange",
            request = %event.request,
            start_ms = millis(event.start.unix),
            duration_ms = millis(event.end.since(event.start)),
            team = %event.team,
            key = event.key.as_ref().map(|it| it.as_str()),
            session = event.session.as_ref().map(|it| it.as_str()),
            upstream = event.upstream.as_deref(),
            upstream_status = event.upstream_status,
            endpoint = event.endpoint,
            model = event.model.as_ref().map(|it| it.as_str()),
            streamed = event.streamed,
            outcome = event.outcome.name(),
            refusal = event.refusal,
            action = event.action().name(),
            outbound_action = event.outbound.action.name(),
            inbound_action = event.inbound.action.name(),
            policies = policies(event),
            excepted = excepted(event),
            outbound_findings = event.outbound_findings.len(),
            inbound_findings = event.inbound_findings.len(),
            outbound_rules = rules(&event.outbound_findings),
            inbound_rules = rules(&event.inbound_findings),
            scanned_bytes = event.outbound_coverage.scanned_bytes + event.inbound_coverage.scanned_bytes,
            skipped_bytes = skipped(event),
            restored = event.restored,
            request_bytes = event.request_bytes,
            response_bytes = event.response_bytes,
            gateway_us = u64::try_from(event.gateway_time.as_micros()).unwrap_or(u64::MAX),
            first_byte_ms = event.first_byte_time.map(millis),
        );
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn skipped(event: &Event) -> u64 {
    let both = event.outbound_coverage.skipped_bytes.iter().chain(&event.inbound_coverage.skipped_bytes);
    both.map(|(_, bytes)| bytes).sum()
}

fn policies(event: &Event) -> String {
    let names = event.outbound.policies.iter().chain(&event.inbound.policies);
    names.map(String::as_str).collect::<Vec<_>>().join(",")
}

/// `sample_key:secrets.aws.access_key@message 3, line 2 (messages[3].content)`, separated by semicolons.
fn excepted(event: &Event) -> String {
    let sides = [(&event.outbound, &event.outbound_findings), (&event.inbound, &event.inbound_findings)];
    let named = sides.into_iter().flat_map(|(verdict, findings)| {
        verdict.excepted.iter().filter_map(move |it| Some((&it.exception, findings.get(it.finding)?)))
    });
    let shown = named.take(FINDINGS_MAX).map(|(name, it)| format!("{name}:{}@{}", it.rule.id, it.place));
    shown.collect::<Vec<_>>().join("; ")
}

/// `secrets.aws.access_key@message 3, line 2 (messages[3].content)`, separated by semicolons.
fn rules(findings: &[Finding]) -> String {
    let named = findings.iter().take(FINDINGS_MAX).map(|it| format!("{}@{}", it.rule.id, it.place));
    named.collect::<Vec<_>>().join("; ")
}
