//! Findings to a verdict, for one exchange: the policies, its team and its model.

use std::sync::Arc;

use super::Snapshot;
use super::locate::Located;
use super::snapshot::TeamRules;
use crate::domain::{Action, Direction, Finding, Verdict};
use crate::policy::Input;

/// What decides for one exchange.
pub(super) struct Judge {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) team: Arc<TeamRules>,
    pub(super) model: Option<String>,
}

impl Judge {
    /// The verdict over all findings of one direction.
    pub(super) fn decide(&self, direction: Direction, findings: &[Finding]) -> Verdict {
        self.snapshot.policies.decide(&Input {
            direction,
            team: self.team.name.as_str(),
            model: self.model.as_deref(),
            findings,
            checkers: &self.team.rules(direction).checkers,
            redact_secrets: self.team.redact_secrets,
            block_on_secrets: self.snapshot.block_on_secrets,
        })
    }

    /// The verdict over located findings. What cannot be edited, because the provider signed it, is blocked instead.
    pub(super) fn decide_located(&self, direction: Direction, located: &[Located]) -> Verdict {
        let findings: Vec<Finding> = located.iter().map(|it| it.finding.clone()).collect();
        let mut verdict = self.decide(direction, &findings);
        for (disposition, it) in verdict.dispositions.iter_mut().zip(located) {
            if it.sealed && *disposition == Action::Redact {
                *disposition = Action::Block;
                verdict.action = Action::Block;
            }
        }
        verdict
    }
}
