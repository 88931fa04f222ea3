//! The one place where edge and control meet: the snapshot in force, swapped atomically, how it came there, and what
//! outlives it: the accounts of teams, the health of providers and who is kept out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::quota::{Account, Spent, counted};
use super::{Quarantine, Snapshot, Upstream};
use crate::domain::{Held, Stamp, Tokens};
use crate::providers;

/// Holder of the snapshot in force. An exchange keeps the one it started with.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// Of every team that was ever configured. Only looked into when a snapshot is put in force.
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    quarantine: Arc<Quarantine>,
    /// Written by whoever loads configurations, read by operators; no exchange looks at it.
    history: Mutex<History>,
    /// Written by who asks a control plane, read by operators.
    governance: Mutex<Option<Governance>>,
}

/// How a gateway stands with the policy server that it follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Governance {
    /// The server's address.
    pub server: String,
    /// Generation of the bundle in force; 0: none.
    pub generation: u64,
    /// When that was made, Unix milliseconds.
    pub made_ms: u64,
    /// When the server answered last; `None`: not since the start.
    pub contact: Option<Stamp>,
    /// Why the newest bundle is not in force, if so; no secret.
    pub refused: Option<String>,
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

/// What an exchange of the past has used, as it was recorded.
pub struct Past<'a> {
    /// Its team.
    pub team: &'a str,
    /// What its provider speaks, by name.
    pub dialect: &'a str,
    /// The model that answered, or that was asked for.
    pub model: Option<&'a str>,
    /// What the provider counted.
    pub tokens: Tokens,
    /// When it ended, since 1970-01-01T00:00:00Z.
    pub at: Duration,
}

impl Live {
    /// Starts with this snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let accounts = Mutex::default();
        open_accounts(&accounts, &snapshot);
        let quarantine = snapshot.quarantine().clone();
        Live {
            snapshot: ArcSwap::new(snapshot),
            accounts,
            quarantine,
            history: Mutex::default(),
            governance: Mutex::default(),
        }
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Who is kept out, under every snapshot.
    pub fn quarantine(&self) -> &Arc<Quarantine> {
        &self.quarantine
    }

    /// The server's word on who is kept out, in the place of what it said before; `owners` are the users of keys, by the
    /// first eight hex digits of a key's digest. What this gateway has imposed by itself is kept beside.
    pub fn held(&self, held: Vec<Held>, owners: BTreeMap<String, String>) {
        self.quarantine.told(held, owners);
    }

    /// The server has answered: until this moment, on the monotonic clock, it takes back itself what it has told.
    pub fn vouch(&self, until: Duration) {
        self.quarantine.vouch(until);
    }

    /// Puts another in force. Teams keep what they have used, addresses and keys of providers what is known of them.
    /// `waiting` are the keys that differ from it, and need a restart. Nothing is refused any more.
    pub fn renew(&self, snapshot: Arc<Snapshot>, waiting: Vec<&'static str>, now: Stamp) {
        self.put(snapshot, now, |history| (history.waiting, history.refused) = (waiting, None));
    }

    /// The same where only a part of the configuration is another one: what waits and what is refused of the rest stays.
    pub fn renew_part(&self, snapshot: Arc<Snapshot>, now: Stamp) {
        self.put(snapshot, now, |_| {});
    }

    fn put(&self, snapshot: Arc<Snapshot>, now: Stamp, note: impl FnOnce(&mut History)) {
        let mut history = self.lock();
        open_accounts(&self.accounts, &snapshot);
        // A snapshot that was in force before has it already.
        let _ = snapshot.quarantine.set(self.quarantine.clone());
        let old = self.load();
        for upstream in &snapshot.upstreams {
            if let Some(other) = old.upstream_named(&upstream.name) {
                take_health(upstream, other);
            }
        }
        self.snapshot.store(snapshot);
        history.renewed = Some(now);
        history.renewals += 1;
        note(&mut history);
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

    /// Notes how this gateway stands with its policy server.
    pub fn govern(&self, change: impl FnOnce(&mut Governance)) {
        let mut governance = self.governance.lock().unwrap_or_else(PoisonError::into_inner);
        change(governance.get_or_insert_default());
    }

    /// How this gateway stands with its policy server; `None` where it follows none.
    pub fn governance(&self) -> Option<Governance> {
        self.governance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A panic elsewhere must not take it down: its data is valid at every step.
    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books what an exchange of the past has used, by the prices of today. Teams that no longer exist are left out.
    pub fn recall(&self, past: &Past<'_>, now: Stamp) {
        let snapshot = self.load();
        let Some(team) = snapshot.teams.iter().find(|it| it.name.as_str() == past.team) else { return };
        let mut dialects = providers::ALL.iter().map(|it| it.dialect());
        let Some(dialect) = dialects.find(|it| it.name() == past.dialect) else { return };
        let cost = past.model.and_then(|it| snapshot.prices.cost(it, dialect, &past.tokens));
        let spent = Spent { tokens: counted(dialect, &past.tokens), cost: cost.unwrap_or_default() };
        team.account().recall(now, past.at, spent);
    }
}

fn open_accounts(accounts: &Mutex<HashMap<String, Arc<Account>>>, snapshot: &Snapshot) {
    let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
    for team in &snapshot.teams {
        let account = accounts.entry(team.name.as_str().to_owned()).or_default();
        // A snapshot that was in force before has them already.
        let _ = team.account.set(account.clone());
    }
}

fn take_health(new: &Upstream, old: &Upstream) {
    let mut health = new.unknown_health();
    for (at, url) in new.urls.iter().enumerate() {
        if let Some(its) = old.urls.iter().position(|it| it == url) {
            health.take_address(at, old.health(), its);
        }
    }
    for (at, (_, key)) in new.credentials.iter().enumerate() {
        if let Some(its) = old.credentials.iter().position(|(_, it)| it == key) {
            health.take_key(at, old.health(), its);
        }
    }
    // As above.
    let _ = new.health.set(Arc::new(health));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;
    use crate::domain::Direction;
    use crate::pipeline::health::{Answered, CircuitState};

    fn snapshot(more: &str) -> Arc<Snapshot> {
        let yaml = format!(
            "upstream: {{anthropic: {{urls: [https://a.b, https://c.d], api_keys: [one-key, two-key]}}}}\n\
             teams: {{core: {{api_keys: [gw-core-key]{more}}}}}\n"
        );
        let file = File::parse(&yaml, "gateway.yaml", &|_| Err("none".into())).unwrap_or_else(|it| panic!("{it}"));
        Arc::new(Snapshot::compile(&file, [7; 32]).unwrap())
    }

    fn now() -> Stamp {
        Stamp { monotonic: Duration::from_secs(1), unix: Duration::from_secs(1_800_000_000) }
    }

    #[test]
    fn accounts_and_health_outlive_a_snapshot() {
        let live = Live::new(snapshot(""));
        let tokens = Tokens { input: 10, output: 5, ..Tokens::default() };
        let past =
            Past { team: "core", dialect: "anthropic", model: Some("claude-sonnet-4-6"), tokens, at: now().unix };
        live.recall(&past, now());
        live.recall(&Past { team: "gone", ..past }, now());
        let old = live.load();
        for _ in 0..5 {
            old.upstreams[0].health().note(Default::default(), Answered::NotAtAll, now());
        }
        live.renew(snapshot(", limits: {tokens_per_day: 10}"), Vec::new(), now());
        let new = live.load();
        assert!(Arc::ptr_eq(old.teams[0].account(), new.teams[0].account()));
        let spent = new.teams[0].account().spent(now()).0;
        assert_eq!((spent.tokens, spent.cost), (15, "0.000105".parse().unwrap()));
        let state = |snapshot: &Snapshot, address| snapshot.upstreams[0].health().address(address, now()).0;
        assert!(matches!(state(&new, 0), CircuitState::Open(_)));
        assert_eq!(state(&new, 1), CircuitState::Closed);
    }

    fn compiled(yaml: &str) -> Arc<Snapshot> {
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
        let (first, second) = (compiled(""), compiled("redact_secrets: true\n"));
        assert_ne!(first.generation(), second.generation());
        let live = Live::new(first.clone());
        live.refuse("gateway.yaml:3:1: no".into(), at(5));
        assert!(Arc::ptr_eq(&live.load(), &first));
        let told = live.history();
        assert_eq!((told.renewals, told.refusals, told.renewed), (0, 1, None));
        assert_eq!(told.refused, Some((at(5), "gateway.yaml:3:1: no".into())));
        live.renew_part(second.clone(), at(8));
        assert!(live.history().refused.is_some(), "a bundle does not mend the file");
        live.renew(second.clone(), vec!["port"], at(9));
        assert!(Arc::ptr_eq(&live.load(), &second));
        let history = History { renewed: Some(at(9)), renewals: 2, refusals: 1, refused: None, waiting: vec!["port"] };
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
        let [before, behind] = [&first, &second].map(|it| it.teams[0].rules(Direction::Outbound));
        assert!(Arc::ptr_eq(before, behind), "and so are the rules of a team that is checked as before");
        let mut with_rules = other.clone();
        let text = include_str!("../../conf/rules/prohibited_content.yaml").to_owned();
        with_rules.rules.files.push(crate::config::RuleFile { path: "prohibited_content.yaml".into(), text });
        let third = Snapshot::compile_beside(&with_rules, [7; 32], Some(&second)).unwrap();
        assert!(!Arc::ptr_eq(third.engine(), second.engine()));
        let chosen = third.teams[0].rules(Direction::Outbound);
        assert!(!Arc::ptr_eq(chosen, behind), "a choice belongs to its engine");
        let fourth = Snapshot::compile_beside(&with_rules, [7; 32], Some(&third)).unwrap();
        assert!(Arc::ptr_eq(third.engine(), fourth.engine()), "an engine of files is not compiled again");
    }

    #[test]
    fn an_exchange_keeps_its_snapshot_and_the_last_one_frees_it() {
        let live = Live::new(compiled(""));
        let in_flight = live.load();
        let old = Arc::downgrade(&in_flight);
        live.renew(compiled("redact_secrets: true\n"), Vec::new(), at(1));
        assert!(old.upgrade().is_some_and(|it| Arc::ptr_eq(&it, &in_flight)));
        drop(in_flight);
        assert!(old.upgrade().is_none(), "nothing else holds the old rules");
    }
}
