//! Exceptions: findings that somebody answers for, until a day. No policy sees them; the record does.

use std::sync::Arc;

use crate::config::{Day, Exception, Scope};
use crate::domain::Finding;

use super::{Input, Pattern};

/// An exception with its wildcards compiled.
#[derive(Clone, Debug)]
pub(super) struct Excepting {
    pub(super) name: Arc<str>,
    expires: Day,
    scope: Scope,
    model: Option<Pattern>,
    rule: Option<Pattern>,
}

impl Excepting {
    pub(super) fn new(exception: &Exception) -> Self {
        Excepting {
            name: exception.name.as_str().into(),
            expires: exception.expires,
            scope: exception.scope.clone(),
            model: exception.scope.model.as_deref().map(Pattern::new),
            rule: exception.scope.rule.as_deref().map(Pattern::new),
        }
    }

    /// Whether it is about single values.
    pub(super) fn by_fingerprint(&self) -> bool {
        self.scope.fingerprint.is_some()
    }

    /// Whether it holds for this exchange at all: not expired, and the right team, model and direction.
    pub(super) fn holds_for_exchange(&self, input: &Input<'_>) -> bool {
        let scope = &self.scope;
        Day::of(input.now.unix) <= self.expires
            && scope.team.as_deref().is_none_or(|it| it == input.team)
            && scope.direction.is_none_or(|it| it == input.direction)
            && self.model.as_ref().is_none_or(|it| input.model.is_some_and(|model| it.matches(model)))
    }

    /// Whether it holds for the finding at this index.
    pub(super) fn holds_for(&self, finding: &Finding, index: usize, input: &Input<'_>) -> bool {
        let (scope, rule) = (&self.scope, &finding.rule);
        let fingerprint = || input.fingerprints.get(index).copied().flatten();
        scope.checker.as_ref().is_none_or(|it| *it == rule.checker)
            && scope.label.as_deref().is_none_or(|it| it.eq_ignore_ascii_case(&rule.label))
            && self.rule.as_ref().is_none_or(|it| it.matches(&rule.id))
            && scope.source.is_none_or(|it| it == finding.source)
            && scope.fingerprint.is_none_or(|it| fingerprint() == Some(it))
    }
}
