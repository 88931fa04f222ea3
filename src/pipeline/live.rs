//! The one place where edge and control meet: the snapshot in force, swapped atomically, and how it came there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::Snapshot;
use crate::domain::Stamp;

/// Holder of the snapshot in force. An exchange keeps the one it started with.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// Written by whoever loads configurations, read by operators; no exchange looks at it.
    history: Mutex<History>,
}

/// What became of the configurations that were loaded since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// When the snapshot in force was put there; `None`: at the start.
    pub renewed: Option<Stamp>,
    /// Snapshots put in force since the start.
    pub renewals: u64,
    /// Configurations that were refused since the start.
    pub refusals: u64,
    /// Why the newest configuration was refused, and when; `None` if it was not. What, where and what to do about it;
    /// no secret.
    pub refused: Option<(Stamp, String)>,
    /// Keys of the configuration whose change waits for a restart.
    pub waiting: Vec<&'static str>,
}

impl Live {
    /// Starts with this snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Live { snapshot: ArcSwap::new(snapshot), history: Mutex::default() }
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another in force. `waiting` are the keys that differ from it, and need a restart.
    pub fn renew(&self, snapshot: Arc<Snapshot>, waiting: Vec<&'static str>, now: Stamp) {
        let mut history = self.lock();
        self.snapshot.store(snapshot);
        *history = History {
            renewed: Some(now),
            renewals: history.renewals + 1,
            refusals: history.refusals,
            refused: None,
            waiting,
        };
    }

    /// Notes that another could not be put in force: the one that is stays.
    pub fn refuse(&self, why: String, now: Stamp) {
        let mut history = self.lock();
        history.refusals += 1;
        history.refused = Some((now, why));
    }

    /// What became of the configurations since the start.
    pub fn history(&self) -> History {
        self.lock().clone()
    }

    /// A panic elsewhere must not take it down: its data is valid at every step.
    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use super::*;
    use crate::config::File;

    fn snapshot(yaml: &str) -> Arc<Snapshot> {
        let resolve = |_: &_| Err("no references here".to_owned());
        let yaml = format!("upstream: {{anthropic: https://one.example}}\n{yaml}");
        let file = File::parse(&yaml, "gateway.yaml", &resolve).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        Arc::new(Snapshot::compile(&file, [7; 32]).unwrap())
    }

    fn at(seconds: u64) -> Stamp {
        Stamp { unix: Duration::from_secs(seconds), ..Stamp::default() }
    }

    #[test]
    fn a_refusal_changes_nothing_but_what_is_told_and_a_renewal_ends_it() {
        let (first, second) = (snapshot(""), snapshot("redact_secrets: true\n"));
        assert_ne!(first.generation(), second.generation());
        let live = Live::new(first.clone());
        live.refuse("gateway.yaml:3:1: no".into(), at(5));
        assert!(Arc::ptr_eq(&live.load(), &first));
        let told = live.history();
        assert_eq!((told.renewals, told.refusals, told.renewed), (0, 1, None));
        assert_eq!(told.refused, Some((at(5), "gateway.yaml:3:1: no".into())));
        live.renew(second.clone(), vec!["port"], at(9));
        assert!(Arc::ptr_eq(&live.load(), &second));
        let history = History { renewed: Some(at(9)), renewals: 1, refusals: 1, refused: None, waiting: vec!["port"] };
        assert_eq!(live.history(), history);
    }

    #[test]
    fn an_engine_is_shared_as_long_as_its_rules_are_the_same() {
        let resolve = |_: &_| Err("no references here".to_owned());
        let file = |yaml: &str| File::parse(yaml, "gateway.yaml", &resolve).unwrap_or_else(|it| panic!("{it}"));
        let known =
            "upstream: {anthropic: https://one.example}\nknown_secrets: {key: ¦}\n".replace('¦', &"k".repeat(40));
        let (one, other) = (file(&known), file(&(known.clone() + "redact_secrets: true\n")));
        let first = Snapshot::compile(&one, [7; 32]).unwrap();
        let second = Snapshot::compile_beside(&other, [7; 32], Some(&first)).unwrap();
        assert!(Arc::ptr_eq(first.engine(), second.engine()));
        let mut with_rules = other.clone();
        let text = include_str!("../../conf/rules/prohibited_content.yaml").to_owned();
        with_rules.rules.files.push(crate::config::RuleFile { path: "prohibited_content.yaml".into(), text });
        let third = Snapshot::compile_beside(&with_rules, [7; 32], Some(&second)).unwrap();
        assert!(!Arc::ptr_eq(third.engine(), second.engine()));
        let fourth = Snapshot::compile_beside(&with_rules, [7; 32], Some(&third)).unwrap();
        assert!(Arc::ptr_eq(third.engine(), fourth.engine()), "an engine of files is not compiled again");
    }

    #[test]
    fn an_exchange_keeps_its_snapshot_and_the_last_one_frees_it() {
        let live = Live::new(snapshot(""));
        let in_flight = live.load();
        let old = Arc::downgrade(&in_flight);
        live.renew(snapshot("redact_secrets: true\n"), Vec::new(), at(1));
        assert!(old.upgrade().is_some_and(|it| Arc::ptr_eq(&it, &in_flight)));
        drop(in_flight);
        assert!(old.upgrade().is_none(), "nothing else holds the old rules");
    }
}
