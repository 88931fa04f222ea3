//! PagerDuty Events v2: one incident for everything with the same key.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config;
use crate::domain::{Risk, Secret};
use crate::sinks::http::Poster;

use super::alert::{Alert, Occasion};
use super::carrier::{Carrier, Refused, judge};
use super::text::{clean, timestamp};

/// Limits of the interface, in characters.
const SUMMARY_CHARS_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 255;
/// Findings that one event names; how many there are is told.
const FINDINGS_MAX: usize = 20;
/// Names and values in an event's details that clients chose.
const VALUE_CHARS_MAX: usize = 500;

/// A service of PagerDuty.
pub(super) struct PagerDuty {
    poster: Poster,
    key: Secret,
}

impl PagerDuty {
    pub(super) fn new(it: &config::PagerDuty, proxy: Option<&Secret>) -> Result<Self, String> {
        Ok(PagerDuty { poster: Poster::new(&it.url, proxy)?, key: it.key.clone() })
    }
}

#[async_trait]
impl Carrier for PagerDuty {
    async fn send(&self, alert: &Alert, now_ms: u64) -> Result<(), Refused> {
        let mut event = encode(alert);
        event["routing_key"] = json!(self.key.expose());
        let body = event.to_string().into_bytes();
        judge(self.poster.post("application/json", &[], body).await, now_ms, word)
    }
}

/// `{"status":"invalid event",…}`.
fn word(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("status")?.as_str()?.to_owned())
}

/// The event, without the routing key.
fn encode(alert: &Alert) -> Value {
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": format!("airiskguard-{}", alert.key),
        "client": "airiskguard-gateway",
        "payload": {
            "summary": clean(&alert.headline(), SUMMARY_CHARS_MAX),
            "source": clean(&format!("airiskguard-gateway {}", alert.gateway), NAME_CHARS_MAX),
            "severity": severity(alert),
            "timestamp": timestamp(alert.time_ms),
            "component": alert.team.as_deref().map(|it| clean(it, NAME_CHARS_MAX)),
            "group": alert.model.as_deref().map(|it| clean(it, NAME_CHARS_MAX)),
            "class": class(alert),
            "custom_details": details(alert),
        },
    });
    if let Some(link) = &alert.link {
        event["client_url"] = json!(link);
        event["links"] = json!([{ "href": link, "text": "Dashboard" }]);
    }
    event
}

fn severity(alert: &Alert) -> &'static str {
    match (&alert.occasion, alert.risk) {
        // What is over, and what only looks like trouble, wakes nobody.
        (Occasion::Act(act), _) if matches!(act.as_str(), "audit.store_back" | "alerts.tested") => "info",
        (_, Risk::Critical) => "critical",
        (_, Risk::High) => "error",
        (_, Risk::Medium) => "warning",
        (_, Risk::Low) => "info",
    }
}

fn class(alert: &Alert) -> String {
    match &alert.occasion {
        Occasion::Act(name) | Occasion::Refused(name) => clean(name, NAME_CHARS_MAX),
        _ => alert.findings.first().map_or_else(|| alert.kind().to_owned(), |it| clean(&it.rule, NAME_CHARS_MAX)),
    }
}

fn details(alert: &Alert) -> Value {
    let shown = |text: &str| clean(text, VALUE_CHARS_MAX);
    let optional = |text: &Option<String>| text.as_deref().map(shown);
    let findings: Vec<Value> = alert
        .findings
        .iter()
        .take(FINDINGS_MAX)
        .map(|it| {
            json!({
                "rule": it.rule, "checker": it.checker, "type": it.label, "risk": it.risk.name(), "score": it.score,
                "direction": it.direction, "place": shown(&it.place), "action": it.action, "count": it.count,
            })
        })
        .collect();
    let particulars: serde_json::Map<String, Value> =
        alert.details.iter().map(|(name, value)| (shown(name), json!(shown(value)))).collect();
    json!({
        "kind": alert.kind(),
        "score": alert.score,
        "action": alert.action,
        "blocked": alert.blocked,
        "policies": alert.policies.iter().map(|it| shown(it)).collect::<Vec<_>>(),
        "findings": findings,
        "findings_total": alert.findings.len(),
        "session": optional(&alert.session),
        "request": optional(&alert.request),
        "key_id": optional(&alert.key_id),
        "event": alert.event,
        "count": alert.count,
        "since": alert.since_ms.map(timestamp),
        "details": particulars,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn events_are_as_written_down() {
        samples::check("pagerduty", encode, include_str!("../../../tests/alerts/golden/pagerduty.json"));
    }

    #[test]
    fn fields_stay_within_the_limits_of_the_interface() {
        let mut alert = samples::hostile();
        alert.gateway = "g".repeat(900);
        let event = encode(&alert);
        let payload = &event["payload"];
        let chars = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(chars(&payload["summary"]) <= 1024 && chars(&event["dedup_key"]) <= 255);
        assert!(["source", "component", "group", "class"].iter().all(|it| chars(&payload[it]) <= 255));
        assert_eq!(payload["custom_details"]["findings"].as_array().unwrap().len(), FINDINGS_MAX);
        assert!(event.to_string().len() < 512 << 10);
    }

    #[test]
    fn each_risk_has_a_severity() {
        let of = |risk| severity(&Alert { risk, ..samples::hostile() });
        assert_eq!(Risk::ALL.map(of), ["info", "warning", "error", "critical"]);
    }
}
