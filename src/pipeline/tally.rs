//! What was found in a streamed answer so far, and what follows from it. Events that repeat a text count once.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Range;

use super::block::Change;
use super::completion::{Stop, TOO_MANY_FINDINGS};
use super::inbound::Desk;
use super::label::OPEN;
use super::locate::Located;
use super::redact::Kept;
use crate::domain::{Action, Coverage, Direction, Finding, Fingerprint, Secret, Verdict};

/// Texts with restored placeholders that are told apart; further ones are taken for repeated.
const TEXTS_MAX: usize = 10_000;

/// The findings of one streamed answer and the decision over them.
pub(super) struct Tally {
    pub(super) findings: Vec<Finding>,
    /// The fingerprint of each, where exceptions ask for it.
    fingerprints: Vec<Option<Fingerprint>>,
    pub(super) verdict: Verdict,
    pub(super) coverage: Coverage,
    pub(super) restored: u32,
    findings_max: usize,
    /// Which finding it is, by keyed hash of rule and text.
    known: HashMap<u64, usize>,
    /// Keyed hashes of the complete texts that were restored in.
    texts: HashSet<u64>,
}

impl Tally {
    /// Nothing found yet.
    pub(super) fn new(findings_max: usize) -> Self {
        Tally {
            findings: Vec::new(),
            fingerprints: Vec::new(),
            verdict: Verdict::default(),
            coverage: Coverage::default(),
            restored: 0,
            findings_max,
            known: HashMap::new(),
            texts: HashSet::new(),
        }
    }

    /// Adds findings, decides over all of them, and gives the redactions of these.
    pub(super) fn judge(&mut self, located: &[Located], desk: &Desk<'_>) -> Result<Vec<Change>, Stop> {
        let mut numbers = Vec::with_capacity(located.len());
        for it in located {
            numbers.push(self.add(&it.finding, &it.text, desk));
        }
        self.decide(desk)?;
        let is_redacted = |number: &usize| self.verdict.dispositions.get(*number) == Some(&Action::Redact);
        let redacted = located.iter().zip(numbers).filter(|(_, number)| is_redacted(number)).map(|(it, _)| it);
        Ok(redacted.flat_map(|it| it.pieces.iter().map(|range| redaction(it, range))).collect())
    }

    /// Adds placeholders that were left as they are, and decides.
    pub(super) fn keep(&mut self, kept: &[Kept], desk: &Desk<'_>) -> Result<(), Stop> {
        for it in kept {
            self.add(&it.finding, &Secret::new(it.placeholder.clone()), desk);
        }
        self.decide(desk)
    }

    /// Counts what was put back into a complete text, unless that text was counted before.
    pub(super) fn restored_in(&mut self, text: u64, placeholders: usize) {
        let is_new = self.texts.len() < TEXTS_MAX && self.texts.insert(text);
        self.restored += if is_new { placeholders as u32 } else { 0 };
    }

    /// A text was complete whose placeholders are counted: an event that repeats it brings nothing new.
    pub(super) fn heard(&mut self, text: u64) {
        if self.texts.len() < TEXTS_MAX {
            self.texts.insert(text);
        }
    }

    /// The number of a finding; a repeated one keeps its number.
    fn add(&mut self, finding: &Finding, text: &Secret, desk: &Desk<'_>) -> usize {
        let hash = desk.judge.snapshot.memory.hasher().hash_one((&finding.rule.id, text.expose()));
        let next = self.findings.len();
        let number = *self.known.entry(hash).or_insert(next);
        if number == next {
            let value = Some(desk.judge.snapshot.witness.value(text));
            self.findings.push(Finding { value, ..finding.clone() });
            self.fingerprints.push(desk.judge.fingerprint(text));
        }
        number
    }

    /// Decides anew if there are findings that no decision has seen.
    fn decide(&mut self, desk: &Desk<'_>) -> Result<(), Stop> {
        if self.findings.len() > self.findings_max {
            return Err(TOO_MANY_FINDINGS);
        }
        if self.findings.len() > self.verdict.dispositions.len() {
            self.verdict = desk.judge.decide(Direction::Inbound, &self.findings, &self.fingerprints);
        }
        match self.verdict.action {
            Action::Block => Err(Stop::Blocked(self.verdict.clone())),
            _ => Ok(()),
        }
    }
}

/// The label that replaces a finding in an answer; nobody puts it back.
fn redaction(located: &Located, range: &Range<usize>) -> Change {
    let rule = &located.finding.rule;
    let is_first = located.pieces.first() == Some(range);
    let with = if is_first { format!("{OPEN}{}]", rule.label) } else { String::new() };
    Change { range: range.clone(), with, gravity: (rule.risk, rule.score) }
}
