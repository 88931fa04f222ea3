//! OpenAI's error envelope around the gateway's own refusals, and Azure's variant of it.

use serde::Serialize;

use crate::providers::refusal::Findings;
use crate::providers::{Refusal, RefusalKind, sse};

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<Inner>,
    #[serde(flatten)]
    findings: Option<Findings<'a>>,
}

#[derive(Serialize)]
struct Inner {
    code: &'static str,
}

/// The body of any refusal.
pub(in crate::providers) fn body(refusal: &Refusal) -> Vec<u8> {
    sse::json(&Body { error: error(refusal) })
}

/// The body in the words of Azure's content filter, which its clients know how to show.
pub(in crate::providers) fn filter_body(refusal: &Refusal) -> Vec<u8> {
    let mut error = error(refusal);
    if refusal.kind == RefusalKind::PolicyBlocked {
        error.code = "content_filter";
        error.innererror = Some(Inner { code: "ResponsibleAIPolicyViolation" });
    }
    sse::json(&Body { error })
}

fn error(refusal: &Refusal) -> Error<'_> {
    Error {
        message: &refusal.message,
        r#type: error_type(refusal.kind),
        param: None,
        code: refusal.kind.code(),
        innererror: None,
        findings: Findings::of(refusal),
    }
}

fn error_type(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Overloaded
        | RefusalKind::NoPolicy
        | RefusalKind::AuditUnavailable
        | RefusalKind::UpstreamFailed
        | RefusalKind::UpstreamUnavailable
        | RefusalKind::Timeout => "server_error",
        RefusalKind::RateLimited => "rate_limit_error",
        RefusalKind::PolicyBlocked
        | RefusalKind::ModelNotAllowed
        | RefusalKind::Quarantined
        | RefusalKind::BudgetExhausted
        | RefusalKind::Unauthorized
        | RefusalKind::NoProviderKey
        | RefusalKind::UnknownPath
        | RefusalKind::NoUpstream
        | RefusalKind::BadRequest
        | RefusalKind::TooLarge
        | RefusalKind::UpgradeRefused => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::providers::fixture::refusal;

    #[test]
    fn a_block() {
        let body: Value = serde_json::from_slice(&body(&refusal("a \"b\"\n"))).unwrap();
        let expected = json!({"error": {
            "message": "a \"b\"\n",
            "type": "invalid_request_error",
            "param": null,
            "code": "policy_blocked",
            "flags": ["SQL_INJECTION"],
            "risk_level": "high",
            "risk_score": 0.9,
        }});
        assert_eq!(body, expected);
    }

    #[test]
    fn azure_has_a_filter() {
        let body: Value = serde_json::from_slice(&filter_body(&refusal("m"))).unwrap();
        assert_eq!(body["error"]["code"], "content_filter");
        assert_eq!(body["error"]["innererror"]["code"], "ResponsibleAIPolicyViolation");
        let other = Refusal { kind: RefusalKind::ModelNotAllowed, ..refusal("m") };
        let body: Value = serde_json::from_slice(&filter_body(&other)).unwrap();
        assert_eq!(body["error"]["code"], "model_not_allowed");
        assert!(body["error"].get("innererror").is_none());
    }

    #[test]
    fn without_findings_no_finding_fields() {
        for kind in RefusalKind::ALL {
            let refusal = Refusal { kind, flags: Vec::new(), risk: None, ..refusal("m") };
            let body: Value = serde_json::from_slice(&body(&refusal)).unwrap();
            assert_eq!(body["error"].as_object().unwrap().len(), 4, "{kind:?}");
            assert_eq!(body["error"]["code"], kind.code());
        }
    }
}
