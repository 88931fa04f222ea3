//! What is blocked, and why: every finding against every policy, in the order of the file.
//!
//! - A finding that an exception is about, and has not expired, takes no part: no policy sees it, and it passes. It is
//!   named in the verdict.
//! - All keys of a condition are ANDed. Keys of single findings (`checker`, `risk`, `score`, `contains_flag`, `rule`,
//!   `type`, `source`) must hold for the same finding; the policy then applies to each finding for which they do.
//!   With `overall_risk`, `overall_score` and `checkers_above` alone it applies to every finding.
//! - A condition of `team`, `model`, `direction` and `passed: true` alone is about the exchange, whatever was found in it:
//!   its action holds for a text without findings too, and its block is a block even where every finding is redacted.
//! - `allow` settles the findings it matches: no later policy sees them; what an earlier policy did to them stands.
//!   Other findings in the same text go on, so that an allowed finding is no cover for a live key beside it, and so do
//!   policies about the exchange. An `allow` of the exchange ends the evaluation.
//! - Of the other policies that apply to a finding, the most severe action wins: block > redact > review > flag > log.
//! - `block` on something redactable is a redaction where `redact_secrets` holds, unless the policy says `redact: false`.
//!   `redact` on something that cannot be redacted is a block: it must not pass.
//! - A finding that no policy applies to is logged. Findings of `secrets` are the exception, as long as
//!   `block_on_secrets` or `redact_secrets` holds: policies about other things do not switch them off.
//! - Without policies the defaults hold: see [`default_action`].
//! - With `block_on_secrets` and `redact_secrets` both false, a block of a `secrets` finding is a log entry, unless the
//!   policy itself says `redact: true` or `redact: false`.

use crate::config::{File, Policy};
use crate::domain::{Action, Checker, Direction, Excepted, Finding, Fingerprint, Risk, RuleInfo, Stamp, Verdict};

use super::condition::{Compiled, Scope};
use super::exception::Excepting;

const SECRETS: &str = "secrets";
/// Checkers of the seed's tables whose findings are blocked, or flagged where the rule says so, at any risk.
const BY_RULE: [&str; 3] = ["vuln", "agent", "security"];

/// One text flow, and all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Which way it flows.
    pub direction: Direction,
    /// The team whose key was used.
    pub team: &'a str,
    /// The model asked for, if any.
    pub model: Option<&'a str>,
    /// What was found, in the order of the text.
    pub findings: &'a [Finding],
    /// The fingerprint of each finding's text, where exceptions ask for it; may be shorter than `findings`.
    pub fingerprints: &'a [Option<Fingerprint>],
    /// When the exchange began: exceptions expire.
    pub now: Stamp,
    /// The checkers that ran.
    pub checkers: &'a [Checker],
    /// `redact_secrets`, as it holds for this team.
    pub redact_secrets: bool,
    /// `block_on_secrets`.
    pub block_on_secrets: bool,
}

/// The policies of a configuration, compiled.
#[derive(Clone, Debug)]
pub struct Policies {
    compiled: Vec<(Policy, Compiled)>,
    exceptions: Vec<Excepting>,
}

impl Policies {
    /// Compiles policies and exceptions.
    pub fn compile(file: &File) -> Self {
        let compiled = file.policies.iter().map(|it| (it.clone(), Compiled::new(&it.condition))).collect();
        let exceptions = file.exceptions.iter().map(Excepting::new).collect();
        Policies { compiled, exceptions }
    }

    /// Whether some exception is about single values, so that fingerprints of findings are needed.
    pub fn ask_fingerprints(&self) -> bool {
        self.exceptions.iter().any(Excepting::by_fingerprint)
    }

    /// The verdict over one text flow, also over one without findings: a policy may be about the model alone.
    pub fn decide(&self, input: &Input<'_>) -> Verdict {
        let excepted = self.excepted(input);
        let mut settled: Vec<Option<Action>> = vec![None; input.findings.len()];
        excepted.iter().for_each(|it| settled[it.finding] = Some(Action::Allow));
        let judged = || (0..input.findings.len()).filter(|index| !is_excepted(&excepted, *index));
        let mut open: Vec<usize> = judged().collect();
        let mut exchange = Action::Allow;
        let mut policies = Vec::new();
        for (policy, condition) in &self.compiled {
            let Some(scope) = condition.scope(input, &open) else { continue };
            policies.push(policy.name.clone());
            let about_exchange = scope == Scope::Exchange;
            let matched = match scope {
                Scope::Findings(matched) => matched,
                Scope::Exchange => {
                    exchange = exchange.max(over_exchange(policy.action));
                    open.clone()
                }
            };
            for &index in &matched {
                let action = applied(policy, &input.findings[index], input);
                settled[index] = settled[index].max(Some(action));
            }
            if policy.action == Action::Allow {
                if about_exchange {
                    break;
                }
                open.retain(|index| matched.binary_search(index).is_err());
            }
        }
        let unmatched = |finding: &Finding| match self.compiled.is_empty() || finding.rule.checker.name() == SECRETS {
            true => default_action(finding, input),
            false => Action::Log,
        };
        let dispositions: Vec<Action> =
            settled.iter().zip(input.findings).map(|(it, finding)| it.unwrap_or_else(|| unmatched(finding))).collect();
        Verdict {
            action: dispositions.iter().copied().fold(exchange, Action::max),
            risk: judged().map(|index| input.findings[index].rule.risk).max(),
            score: judged().map(|index| input.findings[index].rule.score).max().unwrap_or_default(),
            dispositions,
            policies,
            excepted,
        }
    }

    /// The findings that an exception is about, each under the first that is.
    fn excepted(&self, input: &Input<'_>) -> Vec<Excepted> {
        let holding: Vec<&Excepting> = self.exceptions.iter().filter(|it| it.holds_for_exchange(input)).collect();
        if holding.is_empty() {
            return Vec::new();
        }
        let of_finding = |(finding, it): (usize, &Finding)| {
            let exception = holding.iter().find(|exception| exception.holds_for(it, finding, input))?;
            Some(Excepted { finding, exception: exception.name.clone() })
        };
        input.findings.iter().enumerate().filter_map(of_finding).collect()
    }
}

fn is_excepted(excepted: &[Excepted], index: usize) -> bool {
    excepted.binary_search_by_key(&index, |it| it.finding).is_ok()
}

/// What a policy about the exchange does beside what it does to the findings: there is nothing to cut out.
fn over_exchange(action: Action) -> Action {
    if action == Action::Redact { Action::Log } else { action }
}

/// What a policy does to a finding that it applies to.
fn applied(policy: &Policy, finding: &Finding, input: &Input<'_>) -> Action {
    match policy.action {
        Action::Block => match policy.redact {
            Some(redact) => stop(finding, redact),
            None => stop_or_log(finding, input),
        },
        Action::Redact => stop(finding, true),
        milder => milder,
    }
}

/// What happens to a finding when no policy speaks of it.
///
/// Secrets and personal data of risk high or more are stopped, below that logged. Vulnerable code and attacks are
/// stopped, or flagged where the rule is one of those that the seed's tables only flag.
fn default_action(finding: &Finding, input: &Input<'_>) -> Action {
    match by_default(&finding.rule) {
        Action::Block => stop_or_log(finding, input),
        milder => milder,
    }
}

/// What happens to what a rule finds where no policy is given: `block`, `flag` or `log`. A block may be a redaction.
pub fn by_default(rule: &RuleInfo) -> Action {
    if rule.flag_only {
        return Action::Flag;
    }
    match BY_RULE.contains(&rule.checker.name()) || rule.risk >= Risk::High {
        true => Action::Block,
        false => Action::Log,
    }
}

/// Stops a finding, but for secrets where neither `block_on_secrets` nor `redact_secrets` holds.
fn stop_or_log(finding: &Finding, input: &Input<'_>) -> Action {
    let only_logged = !input.block_on_secrets && !input.redact_secrets && finding.rule.checker.name() == SECRETS;
    if only_logged { Action::Log } else { stop(finding, input.redact_secrets) }
}

/// Redacts what can be redacted if `redact`, and blocks the rest.
fn stop(finding: &Finding, redact: bool) -> Action {
    if redact && finding.rule.redactable { Action::Redact } else { Action::Block }
}
