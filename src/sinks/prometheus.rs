//! All metrics, in one place. Label values come from the configuration and from closed lists, never from a client.

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use super::audit_metrics::AuditMetrics;
use super::config_metrics::ConfigMetrics;
use super::control_metrics::ControlMetrics;
use super::limit_metrics::LimitMetrics;
use crate::domain::{Coverage, Direction, Event, Finding, Outcome, Stamp, Verdict};

/// Edges of the overhead histogram, in seconds: 50 µs to 1 s.
const OVERHEAD_SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// Edges of the time to the first byte, in seconds: what providers take.
const FIRST_BYTE_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// A level the edge moves up and down.
pub type Gauge = IntGauge;

/// Every metric of one gateway, in a registry of its own.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    refusals: IntCounterVec,
    decisions: IntCounterVec,
    findings: IntCounterVec,
    excepted: IntCounterVec,
    gateway_seconds: Histogram,
    first_byte_seconds: Histogram,
    scanned_bytes: IntCounterVec,
    skipped_bytes: IntCounterVec,
    restored: IntCounter,
    upstream_errors: IntCounterVec,
    events_dropped: IntCounter,
    audit: AuditMetrics,
    limits: LimitMetrics,
    config: ConfigMetrics,
    control: ControlMetrics,
    connections_refused: IntCounter,
    certificate_errors: IntCounter,
    /// Body bytes held by all exchanges together.
    pub held_bytes: Gauge,
    /// Exchanges in flight.
    pub active_requests: Gauge,
    /// Streamed answers in flight.
    pub active_streams: Gauge,
    /// Open client connections.
    pub connections: Gauge,
    /// Open WebSocket connections, which are among them.
    pub sockets: Gauge,
}

impl Metrics {
    /// All at zero. Fails only if two metrics share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let to = &registry;
        Ok(Metrics {
            requests: counters(to, "requests_total", "Exchanges that ended.", &["team", "endpoint", "outcome"])?,
            refusals: counters(to, "refusals_total", "Refusals by reason.", &["kind"])?,
            decisions: counters(to, "decisions_total", "Decisions of the policies.", &["direction", "action"])?,
            findings: counters(to, "findings_total", "Findings by rule.", &["rule", "direction"])?,
            excepted: counters(
                to,
                "excepted_total",
                "Findings that an exception let pass.",
                &["exception", "direction"],
            )?,
            gateway_seconds: histogram(
                to,
                "gateway_seconds",
                "Time the gateway itself took between the last byte of a request and its forwarding.",
                OVERHEAD_SECONDS,
            )?,
            first_byte_seconds: histogram(
                to,
                "first_byte_seconds",
                "Time from the end of a request to the first byte of its answer.",
                FIRST_BYTE_SECONDS,
            )?,
            scanned_bytes: counters(to, "scanned_bytes_total", "Decoded bytes of scanned text.", &["direction"])?,
            skipped_bytes: counters(to, "skipped_bytes_total", "Bytes that could not be scanned.", &["reason"])?,
            restored: counter(to, "restored_total", "Placeholders put back into completions.")?,
            upstream_errors: counters(to, "upstream_errors_total", "Failures of a provider.", &["upstream"])?,
            audit: AuditMetrics::new(to)?,
            limits: LimitMetrics::new(to)?,
            config: ConfigMetrics::new(to)?,
            control: ControlMetrics::new(to)?,
            events_dropped: counter(to, "events_dropped_total", "Events lost because the queue was full.")?,
            connections_refused: counter(to, "connections_refused_total", "Connections that failed to start.")?,
            certificate_errors: counter(to, "certificate_errors_total", "Certificate files that did not load.")?,
            held_bytes: gauge(to, "held_bytes", "Body bytes held by all exchanges together.")?,
            active_requests: gauge(to, "active_requests", "Exchanges in flight.")?,
            active_streams: gauge(to, "active_streams", "Streamed answers in flight.")?,
            connections: gauge(to, "connections", "Open client connections.")?,
            sockets: gauge(to, "sockets", "Open WebSocket connections of clients.")?,
            registry,
        })
    }

    /// Counts one exchange.
    pub fn observe(&self, event: &Event) {
        self.requests.with_label_values(&[event.team.as_str(), event.endpoint, event.outcome.name()]).inc();
        if let Some(kind) = event.refusal {
            self.refusals.with_label_values(&[kind]).inc();
        }
        if event.outcome == Outcome::UpstreamFailed {
            self.upstream_errors.with_label_values(&[event.upstream.as_deref().unwrap_or("none")]).inc();
        }
        self.flow(Direction::Outbound, &event.outbound, &event.outbound_findings, &event.outbound_coverage);
        self.flow(Direction::Inbound, &event.inbound, &event.inbound_findings, &event.inbound_coverage);
        self.limits.observe(event);
        self.restored.inc_by(u64::from(event.restored));
        if event.upstream_status.is_some() {
            self.gateway_seconds.observe(event.gateway_time.as_secs_f64());
        }
        if let Some(time) = event.first_byte_time {
            self.first_byte_seconds.observe(time.as_secs_f64());
        }
    }

    /// An event was lost.
    pub fn event_dropped(&self) {
        self.events_dropped.inc();
    }

    /// A connection ended before its first request: TLS failed or its time ran out.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// New certificate files could not be used.
    pub fn certificate_error(&self) {
        self.certificate_errors.inc();
    }

    /// A new configuration is in force; so many of its settings wait for a restart. It is whole unless something newer
    /// is refused.
    pub fn config_renewed(&self, waiting: usize, is_whole: bool, now: Stamp) {
        self.config.renewed(waiting, is_whole, now);
    }

    /// A new configuration could not be put in force.
    pub fn config_refused(&self) {
        self.config.refused();
    }

    /// What is counted of the audit log.
    pub(super) fn audit(&self) -> &AuditMetrics {
        &self.audit
    }

    /// What is counted of following a policy server.
    pub(super) fn control(&self) -> &ControlMetrics {
        &self.control
    }

    /// What is counted of limits.
    pub(super) fn limits(&self) -> &LimitMetrics {
        &self.limits
    }

    /// The text exposition format.
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be rendered");
        }
        text
    }

    fn flow(&self, direction: Direction, verdict: &Verdict, findings: &[Finding], coverage: &Coverage) {
        let direction = direction.name();
        if coverage.scanned_bytes > 0 || !findings.is_empty() {
            self.decisions.with_label_values(&[direction, verdict.action.name()]).inc();
        }
        for finding in findings {
            self.findings.with_label_values(&[finding.rule.id.as_str(), direction]).inc();
        }
        for it in &verdict.excepted {
            self.excepted.with_label_values(&[&*it.exception, direction]).inc();
        }
        self.scanned_bytes.with_label_values(&[direction]).inc_by(coverage.scanned_bytes);
        for (reason, bytes) in &coverage.skipped_bytes {
            self.skipped_bytes.with_label_values(&[reason.name()]).inc_by(*bytes);
        }
    }
}

pub(super) fn named(name: &str, help: &str) -> Opts {
    Opts::new(format!("airiskguard_{name}"), help)
}

pub(super) fn counters(
    to: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let metric = IntCounterVec::new(named(name, help), labels)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn counter(to: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    let metric = IntCounter::with_opts(named(name, help))?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn gauge(to: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    let metric = IntGauge::with_opts(named(name, help))?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

pub(super) fn histogram(to: &Registry, name: &str, help: &str, edges: &[f64]) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts { common_opts: named(name, help), buckets: edges.to_vec() };
    let metric = Histogram::with_opts(options)?;
    to.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sinks::fixture::event;

    #[test]
    fn what_was_excepted_is_counted_under_its_exception() {
        let metrics = Metrics::new().unwrap();
        let mut event = event(Outcome::Forwarded);
        event.outbound.excepted.push(crate::domain::Excepted { finding: 0, exception: "sample".into() });
        metrics.observe(&event);
        let text = String::from_utf8(metrics.render()).unwrap();
        assert!(text.contains(r#"airiskguard_excepted_total{direction="outbound",exception="sample"} 1"#), "{text}");
    }

    #[test]
    fn an_event_is_counted_under_its_labels() {
        let metrics = Metrics::new().unwrap();
        metrics.observe(&event(Outcome::Forwarded));
        metrics.observe(&event(Outcome::UpstreamFailed));
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"airiskguard_requests_total{endpoint="messages",outcome="forwarded",team="backend"} 1"#,
            r#"airiskguard_upstream_errors_total{upstream="anthropic"} 1"#,
            r#"airiskguard_decisions_total{action="allow",direction="outbound"} 2"#,
            r#"airiskguard_scanned_bytes_total{direction="outbound"} 14"#,
            r#"airiskguard_skipped_bytes_total{reason="media"} 6"#,
            r#"airiskguard_restored_total 4"#,
            r#"airiskguard_gateway_seconds_bucket{le="0.0001"} 2"#,
            r#"airiskguard_first_byte_seconds_bucket{le="0.05"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    /// Every metric, with at least one value.
    fn all_names() -> Vec<String> {
        let metrics = Metrics::new().unwrap();
        let mut event = event(Outcome::UpstreamFailed);
        event.refusal = Some("upstream_failed");
        event.outbound.excepted.push(crate::domain::Excepted { finding: 0, exception: "sample".into() });
        event.tokens = Some(crate::domain::Tokens { input: 1, ..Default::default() });
        metrics.observe(&event);
        event.cost = "1".parse().ok();
        metrics.observe(&event);
        metrics.touch_limits();
        metrics.findings.with_label_values(&["a.rule", "outbound"]).inc();
        metrics.audit().outlet("store");
        let families = metrics.registry.gather();
        families.iter().map(|it| it.name().to_owned()).collect()
    }

    #[test]
    fn the_rules_and_the_board_name_only_metrics_that_exist_and_all_of_them() {
        let names = all_names();
        let rules = include_str!("../../conf/prometheus-rules.yaml");
        let board = include_str!("../../conf/grafana.json");
        let mut used = std::collections::BTreeSet::new();
        for text in [rules, board] {
            for part in text.split("airiskguard_").skip(1) {
                let end = part.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(part.len());
                let name = format!("airiskguard_{}", &part[..end]);
                let bare = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it)).unwrap_or(&name);
                let known = names.iter().find(|it| **it == name || *it == bare);
                used.insert(known.unwrap_or_else(|| panic!("{name} is none of {names:?}")).clone());
            }
        }
        let unseen: Vec<&String> = names.iter().filter(|it| !used.contains(*it)).collect();
        assert!(unseen.is_empty(), "on no board and in no rule: {unseen:?}");
    }
}
