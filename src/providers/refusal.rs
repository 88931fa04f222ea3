//! Why the gateway does not do what was asked, in terms every dialect can dress.

use serde::Serialize;

use crate::domain::{RequestId, Risk, Score};

/// The reason, machine readable. `edge/respond.rs` gives each its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// A policy blocked the prompt or the completion.
    PolicyBlocked,
    /// The team may not use that model.
    ModelNotAllowed,
    /// The session, the key, its user or the team is kept out.
    Quarantined,
    /// No gateway key, or an unknown one.
    Unauthorized,
    /// No provider key is configured for that upstream.
    NoProviderKey,
    /// The path is none of a known API.
    UnknownPath,
    /// No upstream is configured for that dialect.
    NoUpstream,
    /// The control plane has not said yet what this gateway runs on.
    NoPolicy,
    /// The body cannot be read: invalid JSON, unknown encoding, bad framing.
    BadRequest,
    /// A size limit.
    TooLarge,
    /// The client was too slow.
    Timeout,
    /// The gateway holds as much as it may.
    Overloaded,
    /// The team asks faster, or more at the same time, than it may.
    RateLimited,
    /// The team has used up what it may in a day or a month.
    BudgetExhausted,
    /// The audit log takes no record, and nothing passes without one.
    AuditUnavailable,
    /// The provider could not be reached, or its answer could not be read.
    UpstreamFailed,
    /// Every address of the provider failed so often that it is left alone for a while.
    UpstreamUnavailable,
    /// A WebSocket upgrade, which is not scanned and so not passed.
    UpgradeRefused,
}

impl RefusalKind {
    /// Every kind.
    pub const ALL: [RefusalKind; 18] = [
        RefusalKind::PolicyBlocked,
        RefusalKind::ModelNotAllowed,
        RefusalKind::Quarantined,
        RefusalKind::Unauthorized,
        RefusalKind::NoProviderKey,
        RefusalKind::UnknownPath,
        RefusalKind::NoUpstream,
        RefusalKind::NoPolicy,
        RefusalKind::BadRequest,
        RefusalKind::TooLarge,
        RefusalKind::Timeout,
        RefusalKind::Overloaded,
        RefusalKind::RateLimited,
        RefusalKind::BudgetExhausted,
        RefusalKind::AuditUnavailable,
        RefusalKind::UpstreamFailed,
        RefusalKind::UpstreamUnavailable,
        RefusalKind::UpgradeRefused,
    ];

    /// The code in bodies, metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            RefusalKind::PolicyBlocked => "policy_blocked",
            RefusalKind::ModelNotAllowed => "model_not_allowed",
            RefusalKind::Quarantined => "quarantined",
            RefusalKind::Unauthorized => "unauthorized",
            RefusalKind::NoProviderKey => "no_provider_key",
            RefusalKind::UnknownPath => "unknown_path",
            RefusalKind::NoUpstream => "no_upstream",
            RefusalKind::NoPolicy => "no_policy",
            RefusalKind::BadRequest => "bad_request",
            RefusalKind::TooLarge => "too_large",
            RefusalKind::Timeout => "timeout",
            RefusalKind::Overloaded => "overloaded",
            RefusalKind::RateLimited => "rate_limit_exceeded",
            RefusalKind::BudgetExhausted => "budget_exhausted",
            RefusalKind::AuditUnavailable => "audit_unavailable",
            RefusalKind::UpstreamFailed => "upstream_failed",
            RefusalKind::UpstreamUnavailable => "upstream_unavailable",
            RefusalKind::UpgradeRefused => "upgrade_refused",
        }
    }
}

/// A refusal, ready to be dressed in a dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub kind: RefusalKind,
    /// For the developer: rule, place and what to do. Never the secret.
    pub message: String,
    /// Types and rule ids found.
    pub flags: Vec<String>,
    /// Highest risk found.
    pub risk: Option<Risk>,
    /// Highest score found.
    pub score: Score,
    /// Id of the exchange.
    pub request: RequestId,
}

/// The fields that a refusal over findings has inside `error`, in every dialect.
#[derive(Serialize)]
pub(super) struct Findings<'a> {
    flags: &'a [String],
    risk_level: &'static str,
    risk_score: f64,
}

impl<'a> Findings<'a> {
    /// `None` where nothing was found.
    pub(super) fn of(refusal: &'a Refusal) -> Option<Self> {
        let found = refusal.risk.is_some() || !refusal.flags.is_empty();
        found.then(|| Findings {
            flags: &refusal.flags,
            risk_level: refusal.risk.unwrap_or_default().name(),
            risk_score: refusal.score.value(),
        })
    }
}
