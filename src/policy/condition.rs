//! Whether the condition of a policy holds, and for which findings.

use crate::config::{CheckersAbove, Condition};
use crate::domain::{Checker, Finding};

use super::{Input, Pattern};

/// A condition with its wildcards compiled.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    condition: Condition,
    model: Option<Pattern>,
    rule: Option<Pattern>,
}

/// What a condition that holds is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The findings with these indices, ascending; at least one.
    Findings(Vec<usize>),
    /// The exchange, whatever was found in it.
    Exchange,
}

impl Compiled {
    pub(super) fn new(condition: &Condition) -> Self {
        Compiled {
            model: condition.model.as_deref().map(Pattern::new),
            rule: condition.rule.as_deref().map(Pattern::new),
            condition: condition.clone(),
        }
    }

    /// `None` when the condition does not hold. `open` are the findings that no `allow` has settled yet.
    pub(super) fn scope(&self, input: &Input<'_>, open: &[usize]) -> Option<Scope> {
        let findings = || open.iter().map(|&index| &input.findings[index]);
        if !self.holds_for_exchange(input) || !self.holds_for_all(input, findings) {
            return None;
        }
        if self.about_exchange() {
            return Some(Scope::Exchange);
        }
        let matched: Vec<usize> =
            open.iter().copied().filter(|&index| self.holds_for(&input.findings[index])).collect();
        (!matched.is_empty()).then_some(Scope::Findings(matched))
    }

    /// `team`, `model`, `direction`.
    fn holds_for_exchange(&self, input: &Input<'_>) -> bool {
        let condition = &self.condition;
        condition.team.as_deref().is_none_or(|it| it == input.team)
            && condition.direction.is_none_or(|it| it == input.direction)
            && self.model.as_ref().is_none_or(|it| input.model.is_some_and(|model| it.matches(model)))
    }

    /// `overall_risk`, `overall_score`, `checkers_above`, `passed`. Without a finding there is nothing overall to compare.
    fn holds_for_all<'f, I: Iterator<Item = &'f Finding>>(&self, input: &Input<'_>, findings: impl Fn() -> I) -> bool {
        let condition = &self.condition;
        let risk = || findings().map(|it| it.rule.risk).max();
        let score = || findings().map(|it| it.rule.score).max();
        condition.overall_risk.is_none_or(|it| risk().is_some_and(|risk| it.holds(&risk)))
            && condition.overall_score.is_none_or(|it| score().is_some_and(|score| it.holds(&score)))
            && condition.checkers_above.is_none_or(|it| enough_checkers(&it, findings()))
            && match (condition.passed, &condition.checker) {
                (Some(passed), Some(checker)) => {
                    let found = findings().any(|it| it.rule.checker == *checker);
                    input.checkers.contains(checker) && passed != found
                }
                _ => true,
            }
    }

    /// Whether no key looks at findings: only at team, model, direction, or at a checker that passed.
    fn about_exchange(&self) -> bool {
        let it = &self.condition;
        let passed = it.passed == Some(true);
        (it.checker.is_none() || passed)
            && it.risk.is_none()
            && it.score.is_none()
            && it.contains_flag.is_none()
            && it.rule.is_none()
            && it.label.is_none()
            && it.source.is_none()
            && it.overall_risk.is_none()
            && it.overall_score.is_none()
            && it.checkers_above.is_none()
    }

    /// The keys that look at single findings, all of which must hold for the same one.
    fn holds_for(&self, finding: &Finding) -> bool {
        let (it, rule) = (&self.condition, &finding.rule);
        // The name of a checker that passed belongs to `passed`: it has no finding to compare with.
        (it.passed == Some(true) || it.checker.as_ref().is_none_or(|it| *it == rule.checker))
            && it.risk.is_none_or(|it| it.holds(&rule.risk))
            && it.score.is_none_or(|it| it.holds(&rule.score))
            && it.contains_flag.as_deref().is_none_or(|it| it.eq_ignore_ascii_case(&rule.label) || it == rule.id)
            && it.label.as_deref().is_none_or(|it| it.eq_ignore_ascii_case(&rule.label))
            && self.rule.as_ref().is_none_or(|it| it.matches(&rule.id))
            && it.source.is_none_or(|it| it == finding.source)
    }
}

/// Whether enough checkers have a finding of that risk and score, both in the same finding.
fn enough_checkers<'f>(above: &CheckersAbove, findings: impl Iterator<Item = &'f Finding>) -> bool {
    let mut checkers: Vec<&Checker> = findings
        .filter(|it| above.risk.is_none_or(|above| above.holds(&it.rule.risk)))
        .filter(|it| above.score.is_none_or(|above| above.holds(&it.rule.score)))
        .map(|it| &it.rule.checker)
        .collect();
    checkers.sort_unstable();
    checkers.dedup();
    checkers.len() >= above.count as usize
}
