//! Findings to a verdict, for one exchange: the policies, its team and its model.

use std::ops::Range;
use std::sync::Arc;

use super::Snapshot;
use super::locate::Located;
use super::snapshot::TeamRules;
use crate::domain::{Action, Direction, Finding, Fingerprint, Secret, Stamp, Verdict};
use crate::policy::Input;

/// What decides for one exchange.
pub(super) struct Judge {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) team: Arc<TeamRules>,
    pub(super) model: Option<String>,
    /// When the exchange began: what holds then holds for all of it.
    pub(super) now: Stamp,
}

impl Judge {
    /// The verdict over all findings of one direction. `fingerprints` are those of their texts, as far as
    /// [`Judge::fingerprint`] gave any.
    pub(super) fn decide(
        &self,
        direction: Direction,
        findings: &[Finding],
        fingerprints: &[Option<Fingerprint>],
    ) -> Verdict {
        self.snapshot.policies.decide(&Input {
            direction,
            team: self.team.name.as_str(),
            model: self.model.as_deref(),
            findings,
            fingerprints,
            now: self.now,
            checkers: &self.team.rules(direction).checkers,
            redact_secrets: self.team.redact_secrets,
            block_on_secrets: self.snapshot.block_on_secrets,
        })
    }

    /// The fingerprint of what was found, where some exception asks for it.
    pub(super) fn fingerprint(&self, text: &Secret) -> Option<Fingerprint> {
        self.snapshot.value_key.as_ref().map(|it| it.fingerprint(text.expose().as_bytes()))
    }

    /// Located findings as they are recorded: with the digest of what was found.
    pub(super) fn recorded(&self, located: &[Located]) -> Vec<Finding> {
        let value = |it: &Located| Some(self.snapshot.witness.value(&it.text));
        located.iter().map(|it| Finding { value: value(it), ..it.finding.clone() }).collect()
    }

    /// The fingerprints of located findings; none where no exception asks for any.
    pub(super) fn fingerprints(&self, located: &[Located]) -> Vec<Option<Fingerprint>> {
        match self.snapshot.value_key {
            Some(_) => located.iter().map(|it| self.fingerprint(&it.text)).collect(),
            None => Vec::new(),
        }
    }

    /// Drops what the text of a JSON string says where findings of its inner strings cover it and lead to at least the
    /// same: an edit of the inner string keeps the inner document valid. A finding that only covers a part, or is only
    /// noted down, is no cover.
    pub(super) fn settle(&self, direction: Direction, located: &mut Vec<Located>) {
        if !located.iter().any(|it| it.shadowed) {
            return;
        }
        let dispositions = self.decide_located(direction, located).dispositions;
        let mut covers: Vec<(Range<usize>, Action)> = located
            .iter()
            .zip(&dispositions)
            .filter(|(it, _)| !it.shadowed)
            .flat_map(|(it, action)| it.pieces.iter().map(|piece| (piece.clone(), *action)))
            .collect();
        covers.sort_by_key(|(range, _)| range.start);
        let mut dispositions = dispositions.into_iter();
        located.retain(|it| {
            let action = dispositions.next().unwrap_or(Action::Block);
            !it.shadowed || !it.pieces.iter().all(|piece| is_covered(piece, action, &covers))
        });
    }

    /// The verdict over located findings. What cannot be edited, because the provider signed it, is blocked instead.
    pub(super) fn decide_located(&self, direction: Direction, located: &[Located]) -> Verdict {
        let findings: Vec<Finding> = located.iter().map(|it| it.finding.clone()).collect();
        let mut verdict = self.decide(direction, &findings, &self.fingerprints(located));
        for (disposition, it) in verdict.dispositions.iter_mut().zip(located) {
            if it.sealed && *disposition == Action::Redact {
                *disposition = Action::Block;
                verdict.action = Action::Block;
            }
        }
        verdict
    }
}

/// Whether those of the ranges, in their order, that lead to `action` at least hold every byte of `piece`.
fn is_covered(piece: &Range<usize>, action: Action, covers: &[(Range<usize>, Action)]) -> bool {
    let mut reached = piece.start;
    for (range, of_cover) in covers {
        if range.start > reached || reached >= piece.end {
            break;
        }
        if *of_cover >= action {
            reached = reached.max(range.end);
        }
    }
    reached >= piece.end
}
