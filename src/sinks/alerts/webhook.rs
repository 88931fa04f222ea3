//! The generic webhook: JSON with the fields that receivers of the seed's alerts know, and a signature.

use async_trait::async_trait;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::config;
use crate::domain::Secret;
use crate::sinks::http::Poster;

use super::alert::{Alert, Occasion};
use super::carrier::{Carrier, Refused, judge};
use super::text::timestamp;

/// Findings that one message names; how many there are is told.
const FINDINGS_MAX: usize = 100;

/// The receiver.
pub(super) struct Webhook {
    poster: Poster,
    secret: Option<Secret>,
}

impl Webhook {
    pub(super) fn new(it: &config::Webhook, proxy: Option<&Secret>) -> Result<Self, String> {
        Ok(Webhook { poster: Poster::new(&it.url, proxy)?, secret: it.secret.clone() })
    }
}

#[async_trait]
impl Carrier for Webhook {
    async fn send(&self, alert: &Alert, now_ms: u64) -> Result<(), Refused> {
        let body = encode(alert).to_string();
        let mut headers = vec![("x-airiskguard-delivery", alert.event.as_str())];
        let signature = self.secret.as_ref().map(|it| sign(it, now_ms / 1000, &body)).transpose()?;
        headers.extend(signature.as_deref().map(|it| ("x-airiskguard-signature", it)));
        judge(self.poster.post("application/json", &headers, body.into_bytes()).await, now_ms, |_| None)
    }
}

/// `t=<unix seconds>,v1=<HMAC-SHA-256 over "t.body", hex>`: the time is signed, so that a receiver can refuse old ones.
fn sign(secret: &Secret, unix_s: u64, body: &str) -> Result<String, Refused> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| Refused::later("the secret cannot sign"))?;
    mac.update(format!("{unix_s}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("t={unix_s},v1={hex}"))
}

/// The body. Every field is there in every message.
fn encode(alert: &Alert) -> Value {
    let checks: Vec<Value> = alert
        .checks
        .iter()
        .map(|it| json!({ "checker": it.checker, "risk": it.risk.name(), "score": it.score, "passed": it.passed }))
        .collect();
    let findings: Vec<Value> = alert
        .findings
        .iter()
        .take(FINDINGS_MAX)
        .map(|it| {
            json!({
                "rule": it.rule, "type": it.label, "checker": it.checker, "risk": it.risk.name(), "score": it.score,
                "direction": it.direction, "source": it.source, "place": it.place, "action": it.action,
                "count": it.count,
            })
        })
        .collect();
    let mut rules: Vec<&str> = alert.findings.iter().map(|it| it.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let details: serde_json::Map<String, Value> =
        alert.details.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let (act, refusal) = match &alert.occasion {
        Occasion::Act(act) => (Some(act), None),
        Occasion::Refused(kind) => (None, Some(kind)),
        _ => (None, None),
    };
    json!({
        "source": "airiskguard-gateway",
        "model_id": alert.model,
        "overall_risk": alert.risk.name(),
        "overall_score": alert.score,
        "blocked": alert.blocked,
        "check_results": checks,
        "policy_violations": alert.policies,
        "timestamp": timestamp(alert.time_ms),
        "kind": alert.kind(),
        "summary": alert.headline(),
        "event_id": alert.event,
        "gateway": alert.gateway,
        "team": alert.team,
        "key_id": alert.key_id,
        "session_id": alert.session,
        "request_id": alert.request,
        "direction": alert.direction,
        "action": alert.action,
        "rule_ids": rules,
        "findings": findings,
        "findings_total": alert.findings.len(),
        "count": alert.count,
        "since": alert.since_ms.map(timestamp),
        "refusal": refusal,
        "act": act,
        "details": details,
        "link": alert.link,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn bodies_are_as_written_down() {
        samples::check("webhook", encode, include_str!("../../../tests/alerts/golden/webhook.json"));
    }

    /// The value was computed with OpenSSL: `printf '1764000000.{}' | openssl dgst -sha256 -hmac …`.
    #[test]
    fn signatures_cover_time_and_body() {
        let secret = Secret::new("sixteen-letters-and-more".to_owned());
        let signed = sign(&secret, 1_764_000_000, "{}").unwrap();
        let expected = "t=1764000000,v1=cfc59f5b6b9bdd599fc43abaed6b99316559d4642c418afa9d8381e295c4c43e";
        assert_eq!(signed, expected);
    }
}
