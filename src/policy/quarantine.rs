//! Whether somebody has caused so many findings that they are to be kept out: different ones, in a sliding window.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::config::QuarantineRule;
use crate::domain::{Event, Finding, Stamp, Verdict};

/// Subjects in one generation: half of all that are remembered.
const SUBJECTS_MAX: usize = 25_000;
/// Findings in one generation.
const FINDINGS_MAX: usize = 250_000;

/// Whose findings are counted, by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Name of the rule.
    pub rule: String,
    /// The team, where the value means something only within it.
    pub team: Option<String>,
    /// The session, key, user or team.
    pub value: String,
}

/// What was counted, in bounded memory: those that were quiet longest are forgotten first.
#[derive(Debug, Default)]
pub struct Windows {
    young: Generation,
    /// What was young before; who comes again moves back.
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    subjects: HashMap<Subject, Window>,
    findings: usize,
}

/// When each different finding was seen first.
type Window = HashMap<u64, Duration>;

impl Windows {
    /// Counts findings of one exchange, as [`counted`] names them; whether there are as many now as the rule lets nobody
    /// have. Who has tripped it begins anew.
    pub fn note(
        &mut self,
        rule: &QuarantineRule,
        subject: &Subject,
        findings: impl IntoIterator<Item = u64>,
        now: Stamp,
    ) -> bool {
        let mut findings = findings.into_iter().peekable();
        if findings.peek().is_none() {
            return false;
        }
        let mut window = self.take(subject);
        let begin = now.monotonic.saturating_sub(rule.within);
        window.retain(|_, seen| *seen >= begin);
        for finding in findings {
            window.entry(finding).or_insert(now.monotonic);
            if window.len() >= rule.findings as usize {
                return true;
            }
        }
        self.put(subject, window);
        false
    }

    fn take(&mut self, subject: &Subject) -> Window {
        for generation in [&mut self.young, &mut self.old] {
            if let Some(window) = generation.subjects.remove(subject) {
                generation.findings = generation.findings.saturating_sub(window.len());
                return window;
            }
        }
        Window::new()
    }

    fn put(&mut self, subject: &Subject, window: Window) {
        if self.young.subjects.len() >= SUBJECTS_MAX || self.young.findings + window.len() > FINDINGS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.findings += window.len();
        self.young.subjects.insert(subject.clone(), window);
    }
}

/// The findings of both directions that a rule counts. A conversation is sent anew with every turn, so that the same
/// value comes again and again: it is one finding.
pub fn counted<'e>(rule: &'e QuarantineRule, event: &'e Event) -> impl Iterator<Item = u64> + 'e {
    let sides = [(&event.outbound, &event.outbound_findings), (&event.inbound, &event.inbound_findings)];
    sides.into_iter().flat_map(move |(verdict, findings)| {
        let counts = move |(at, it): &(usize, &Finding)| rule.risk.holds(&it.rule.risk) && !is_excepted(verdict, *at);
        findings.iter().enumerate().filter(counts).map(|(_, it)| identity(it))
    })
}

fn is_excepted(verdict: &Verdict, at: usize) -> bool {
    verdict.excepted.iter().any(|it| it.finding == at)
}

/// Rule and value; where no value is known, rule and place. Values are keyed digests: nobody outside chooses these.
fn identity(finding: &Finding) -> u64 {
    let mut hasher = DefaultHasher::new();
    finding.rule.id.hash(&mut hasher);
    match &finding.value {
        Some(value) => value.hash(&mut hasher),
        None => (finding.place.message, &finding.place.path, finding.place.line).hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Compare, Operator};
    use crate::domain::{HeldKind, Risk};

    fn rule(findings: u32) -> QuarantineRule {
        QuarantineRule {
            name: "many".into(),
            findings,
            risk: Compare { operator: Operator::AtLeast, value: Risk::High },
            within: Duration::from_secs(60),
            per: HeldKind::Session,
            lasts: None,
        }
    }

    fn subject(value: &str) -> Subject {
        Subject { rule: "many".into(), team: None, value: value.into() }
    }

    fn at(seconds: u64) -> Stamp {
        Stamp { monotonic: Duration::from_secs(seconds), ..Stamp::default() }
    }

    #[test]
    fn different_findings_within_the_window_trip_and_the_same_again_does_not() {
        let (mut windows, rule) = (Windows::default(), rule(3));
        assert!(!windows.note(&rule, &subject("s"), [1, 2], at(100)));
        assert!(!windows.note(&rule, &subject("s"), [1, 2, 1, 2], at(110)), "a conversation that is sent again");
        assert!(!windows.note(&rule, &subject("other"), [3], at(111)), "somebody else's");
        assert!(windows.note(&rule, &subject("s"), [3, 4, 5], at(120)));
        assert!(!windows.note(&rule, &subject("s"), [1, 2], at(121)), "who has tripped begins anew");
        assert!(!windows.note(&rule, &subject("s"), [], at(122)));
    }

    #[test]
    fn what_was_first_seen_before_the_window_does_not_count() {
        let (mut windows, rule) = (Windows::default(), rule(3));
        assert!(!windows.note(&rule, &subject("s"), [1, 2], at(100)));
        assert!(!windows.note(&rule, &subject("s"), [3], at(161)));
        assert!(!windows.note(&rule, &subject("s"), [1], at(162)));
        assert!(windows.note(&rule, &subject("s"), [2], at(163)));
    }

    #[test]
    fn memory_is_bounded_and_the_quiet_ones_are_forgotten_first() {
        let (mut windows, rule) = (Windows::default(), rule(3));
        assert!(!windows.note(&rule, &subject("steady"), [1], at(1)));
        for number in 0..3 * SUBJECTS_MAX {
            assert!(!windows.note(&rule, &subject(&number.to_string()), [1], at(1)));
            if number % 1000 == 0 {
                assert!(!windows.note(&rule, &subject("steady"), [1], at(1)));
            }
            assert!(windows.young.subjects.len() <= SUBJECTS_MAX && windows.old.subjects.len() <= SUBJECTS_MAX);
        }
        assert!(windows.note(&rule, &subject("steady"), [2, 3], at(2)));
        assert!(!windows.note(&rule, &subject("0"), [2, 3], at(2)), "forgotten");
    }
}
