//! The sentences a developer reads when something was stopped: rule, place, what to do. Never the text found.

use crate::domain::{Action, Direction, Finding, RequestId, Verdict};
use crate::providers::{Refusal, RefusalKind};

/// Findings named one by one; the rest is counted.
const NAMED_MAX: usize = 3;

/// The refusal for a verdict that blocks.
pub(super) fn blocked(direction: Direction, verdict: &Verdict, findings: &[Finding], request: &RequestId) -> Refusal {
    let blocking = || findings.iter().zip(&verdict.dispositions).filter(|(_, action)| **action == Action::Block);
    let named: Vec<String> = blocking().take(NAMED_MAX).map(|(finding, _)| describe(finding)).collect();
    let more = blocking().count().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (subject, advice) = match direction {
        Direction::Outbound => ("This prompt was blocked before it left your network", outbound_advice()),
        Direction::Inbound => ("This answer was stopped before it reached your editor", inbound_advice(findings)),
    };
    let reasons = match named.is_empty() {
        true => format!("policy {}", verdict.policies.join(", ")),
        false => named.join("; "),
    };
    let message = format!("{subject}: {reasons}{more}. {advice} (request {request})");
    let mut flags: Vec<String> = findings
        .iter()
        .enumerate()
        .filter(|(index, _)| !verdict.excepted.iter().any(|it| it.finding == *index))
        .flat_map(|(_, it)| [it.rule.label.clone(), it.rule.id.clone()])
        .filter(|it| !it.is_empty())
        .collect();
    flags.sort();
    flags.dedup();
    Refusal {
        kind: RefusalKind::PolicyBlocked,
        message,
        flags,
        risk: verdict.risk,
        score: verdict.score,
        request: request.clone(),
    }
}

/// A refusal without findings.
pub(super) fn plain(kind: RefusalKind, message: String, request: &RequestId) -> Refusal {
    let message = format!("{message} (request {request})");
    Refusal { kind, message, flags: Vec::new(), risk: None, score: Default::default(), request: request.clone() }
}

fn describe(finding: &Finding) -> String {
    format!("{} [{}] in {}", finding.rule.title, finding.rule.id, finding.place)
}

fn outbound_advice() -> String {
    "Remove it from the prompt or the file and send again; ask your administrator if this is a mistake.".into()
}

fn inbound_advice(findings: &[Finding]) -> String {
    let safe_form = findings.iter().find_map(|it| it.rule.advice.as_deref());
    match safe_form {
        Some(advice) => format!("Safe form: {advice}"),
        None => "Ask for a safe alternative, or ask your administrator if this is a mistake.".into(),
    }
}
