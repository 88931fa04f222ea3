//! The one place where edge and control meet: the snapshot in force, swapped atomically; and what outlives it, the
//! accounts of teams and the health of providers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::quota::{Account, Spent, counted};
use super::{Snapshot, Upstream};
use crate::config::Dialect;
use crate::domain::{Stamp, Tokens};

/// Holder of the snapshot in force. An exchange keeps the one it started with.
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// Of every team that was ever configured. Only looked into when a snapshot is put in force.
    accounts: Mutex<HashMap<String, Arc<Account>>>,
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
        Live { snapshot: ArcSwap::new(snapshot), accounts }
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts another in force. Teams keep what they have used, addresses and keys of providers what is known of them.
    pub fn store(&self, snapshot: Arc<Snapshot>) {
        open_accounts(&self.accounts, &snapshot);
        let old = self.load();
        for upstream in &snapshot.upstreams {
            if let Some(other) = old.upstream_named(&upstream.name) {
                take_health(upstream, other);
            }
        }
        self.snapshot.store(snapshot);
    }

    /// Books what an exchange of the past has used, by the prices of today. Teams that are no more are left out.
    pub fn recall(&self, past: &Past<'_>, now: Stamp) {
        let snapshot = self.load();
        let Some(team) = snapshot.teams.iter().find(|it| it.name.as_str() == past.team) else { return };
        let dialects = [Dialect::Anthropic, Dialect::OpenAi, Dialect::Azure];
        let Some(dialect) = dialects.into_iter().find(|it| it.name() == past.dialect) else { return };
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
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::File;
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
        live.store(snapshot(", limits: {tokens_per_day: 10}"));
        let new = live.load();
        assert!(Arc::ptr_eq(old.teams[0].account(), new.teams[0].account()));
        let spent = new.teams[0].account().spent(now()).0;
        assert_eq!((spent.tokens, spent.cost), (15, "0.000105".parse().unwrap()));
        let state = |snapshot: &Snapshot, address| snapshot.upstreams[0].health().address(address, now()).0;
        assert!(matches!(state(&new, 0), CircuitState::Open(_)));
        assert_eq!(state(&new, 1), CircuitState::Closed);
    }
}
