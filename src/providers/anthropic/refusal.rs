//! Anthropic's error envelope around the gateway's own refusals.

use serde::Serialize;

use crate::providers::refusal::Findings;
use crate::providers::{Refusal, RefusalKind, sse};

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    error: Error<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'static str,
    message: &'a str,
    #[serde(flatten)]
    findings: Option<Findings<'a>>,
}

/// The body of any refusal.
pub(super) fn body(refusal: &Refusal) -> Vec<u8> {
    let error = Error { r#type: error_type(refusal.kind), message: &refusal.message, findings: Findings::of(refusal) };
    sse::json(&Body { r#type: "error", error, request_id: refusal.request.as_str() })
}

/// `invalid_request_error` is deliberately absent: at the sight of it Claude Code takes betas out and tries six times.
fn error_type(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Unauthorized => "authentication_error",
        RefusalKind::UnknownPath => "not_found_error",
        RefusalKind::TooLarge => "request_too_large",
        RefusalKind::Timeout => "timeout_error",
        RefusalKind::Overloaded
        | RefusalKind::NoPolicy
        | RefusalKind::AuditUnavailable
        | RefusalKind::UpstreamUnavailable => "overloaded_error",
        RefusalKind::RateLimited => "rate_limit_error",
        RefusalKind::UpstreamFailed => "api_error",
        RefusalKind::PolicyBlocked
        | RefusalKind::ModelNotAllowed
        | RefusalKind::Quarantined
        | RefusalKind::NoProviderKey
        | RefusalKind::NoUpstream
        | RefusalKind::BudgetExhausted
        | RefusalKind::BadRequest
        | RefusalKind::UpgradeRefused => kind.code(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{RequestId, Risk, Score};

    fn parsed(refusal: &Refusal) -> Value {
        serde_json::from_slice(&body(refusal)).unwrap()
    }

    #[test]
    fn a_block_names_what_was_found() {
        let refusal = Refusal {
            kind: RefusalKind::PolicyBlocked,
            message: "Blocked: \"a\"\n\u{1}\\".to_owned(),
            flags: vec!["AWS_ACCESS_KEY".to_owned()],
            risk: Some(Risk::Critical),
            score: Score::new(0.95).unwrap(),
            request: RequestId::new("r1"),
        };
        let expected = json!({
            "type": "error",
            "error": {
                "type": "policy_blocked",
                "message": "Blocked: \"a\"\n\u{1}\\",
                "flags": ["AWS_ACCESS_KEY"],
                "risk_level": "critical",
                "risk_score": 0.95,
            },
            "request_id": "r1",
        });
        assert_eq!(parsed(&refusal), expected);
    }

    #[test]
    fn no_kind_makes_the_client_retry() {
        for kind in RefusalKind::ALL {
            let refusal = Refusal {
                kind,
                message: "m".to_owned(),
                flags: Vec::new(),
                risk: None,
                score: Score::default(),
                request: RequestId::new("r1"),
            };
            let body = parsed(&refusal);
            assert_ne!(body["error"]["type"], "invalid_request_error", "{kind:?}");
            assert_eq!(body["error"].as_object().unwrap().len(), 2, "{kind:?}: no finding fields without findings");
        }
    }
}
