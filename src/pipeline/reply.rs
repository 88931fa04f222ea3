//! An answer the gateway gives by itself.

use crate::config::Dialect;
use crate::providers::{Provider, Refusal, RefusalKind};

/// A refusal dressed in its dialect; `edge/respond.rs` turns kind and dialect into a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Why; decides the status.
    pub kind: RefusalKind,
    /// Whose shape the body has; decides the status, too.
    pub dialect: Dialect,
    /// Headers beyond content type and length, lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

impl Reply {
    /// Dresses a refusal.
    pub(super) fn new(dialect: Dialect, provider: &dyn Provider, refusal: &Refusal) -> Self {
        let id_header = if dialect == Dialect::Anthropic { "request-id" } else { "x-request-id" };
        let mut headers = vec![(id_header, refusal.request.to_string())];
        if refusal.kind == RefusalKind::PolicyBlocked {
            headers.push(("x-airiskguard-blocked", "true".into()));
        }
        if let Some(risk) = refusal.risk {
            headers.push(("x-risk-level", risk.to_string()));
            headers.push(("x-risk-score", refusal.score.to_string()));
        }
        Reply { kind: refusal.kind, dialect, headers, body: provider.refusal(refusal) }
    }
}
