//! An exchange of the past before the judge of another policy: what was found is taken from its record, what is to be done
//! is decided anew, by the very function that gateways decide with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::File;
use crate::domain::{Action, Checker, Direction, Finding, Place, RuleInfo, Score, Source, Sources, Stamp, Verdict};
use crate::pipeline::Snapshot;
use crate::policy::{Input, Overlay, Policies};
use crate::store::{Exchange, Found, Side};

/// Checkers whose findings cover exactly what must be hidden.
const REDACTABLE: [&str; 3] = ["secrets", "compliance", "pii"];

/// What judges.
#[derive(Default)]
pub(super) struct Bench {
    policies: Option<Policies>,
    teams: BTreeMap<String, Overlay>,
    /// For exchanges of teams that are gone.
    common: Option<Overlay>,
    rules: HashMap<String, Arc<RuleInfo>>,
    block_on_secrets: bool,
    /// What teams may ask for.
    snapshot: Option<Arc<Snapshot>>,
    now: Stamp,
}

/// What would have been done.
pub(super) struct Judged {
    pub(super) action: Action,
    /// Policies that matched, each once.
    pub(super) policies: BTreeSet<String>,
    /// Exceptions that let something pass, each once.
    pub(super) exceptions: BTreeSet<String>,
    /// Whether there is no such team now.
    pub(super) is_team_gone: bool,
    /// Whether the prompt was stopped then and would pass now.
    pub(super) is_answer_unknown: bool,
    /// Whether its team may not use the model now.
    pub(super) is_model_barred: bool,
}

impl Bench {
    /// The judge of this configuration. `now` is when exceptions are asked whether they hold.
    pub(super) fn new(file: File, snapshot: Arc<Snapshot>, now: Stamp) -> Bench {
        let nobody = File { teams: Vec::new(), ..file.clone() };
        Bench {
            policies: Some(Policies::compile(&file)),
            teams: Overlay::all(&file).into_iter().map(|it| (it.team.clone(), it)).collect(),
            common: Overlay::all(&nobody).into_iter().next(),
            rules: snapshot.engine().rules().iter().map(|it| (it.id.clone(), it.clone())).collect(),
            block_on_secrets: file.block_on_secrets,
            snapshot: Some(snapshot),
            now,
        }
    }

    /// What cannot be told from records.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "what was not looked for when the exchange took place is not found now: checkers and rules that are new \
             show nothing here"
                .to_owned(),
        ];
        if self.policies.as_ref().is_some_and(Policies::ask_fingerprints) {
            notes.push("exceptions of single values are not judged: records do not name values".to_owned());
        }
        notes
    }

    /// The whole exchange.
    pub(super) fn judge(&self, exchange: &Exchange) -> Judged {
        let known = self.teams.get(&exchange.team);
        let mut judged = Judged {
            action: Action::Allow,
            policies: BTreeSet::new(),
            exceptions: BTreeSet::new(),
            is_team_gone: known.is_none(),
            is_answer_unknown: false,
            is_model_barred: self.bars_model(exchange),
        };
        let (Some(policies), Some(overlay)) = (&self.policies, known.or(self.common.as_ref())) else { return judged };
        let sides = [(Direction::Outbound, &exchange.outbound), (Direction::Inbound, &exchange.inbound)];
        for (direction, side) in sides {
            let findings = self.findings(side, overlay.checkers(direction));
            let verdict = policies.decide(&Input {
                direction,
                team: &exchange.team,
                model: exchange.model.as_deref(),
                findings: &findings,
                fingerprints: &[],
                now: self.now,
                checkers: overlay.checkers(direction),
                redact_secrets: overlay.redact_secrets,
                block_on_secrets: self.block_on_secrets,
            });
            let Verdict { action, policies, excepted, .. } = verdict;
            judged.action = judged.action.max(action);
            judged.policies.extend(policies);
            judged.exceptions.extend(excepted.iter().map(|it| it.exception.to_string()));
            if direction == Direction::Outbound {
                let was: Action = side.action.parse().unwrap_or_default();
                judged.is_answer_unknown = was == Action::Block && action < Action::Block;
                // A prompt that is stopped, or was, has no answer to be judged.
                if action == Action::Block || was == Action::Block {
                    break;
                }
            }
        }
        judged
    }

    fn bars_model(&self, exchange: &Exchange) -> bool {
        let Some((snapshot, model)) = self.snapshot.as_ref().zip(exchange.model.as_deref()) else { return false };
        !snapshot.allows_model(&exchange.team, model)
    }

    /// What was found by checkers that would run.
    fn findings(&self, side: &Side, checkers: &[Checker]) -> Vec<Finding> {
        let runs = |it: &&Found| checkers.iter().any(|checker| checker.name() == it.checker);
        side.findings.iter().filter(runs).map(|it| self.finding(it)).collect()
    }

    fn finding(&self, found: &Found) -> Finding {
        let rule = self.rules.get(&found.rule).cloned().unwrap_or_else(|| Arc::new(gone(found)));
        let source = found.source.parse().unwrap_or(Source::Metadata);
        Finding { rule, source, place: Place::default(), span: 0..0, value: None }
    }
}

/// A rule that is no more, as far as its findings tell.
fn gone(found: &Found) -> RuleInfo {
    RuleInfo {
        id: found.rule.clone(),
        checker: Checker::new(&found.checker),
        title: String::new(),
        label: found.label.clone(),
        risk: found.risk.parse().unwrap_or_default(),
        score: Score::new(found.score).unwrap_or_default(),
        why: String::new(),
        advice: None,
        cwe: None,
        sources: Sources::ALL,
        directions: Vec::new(),
        redactable: REDACTABLE.contains(&found.checker.as_str()),
        flag_only: false,
    }
}
