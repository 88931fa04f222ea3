//! How teams and providers stand at a moment, for operators. No key is in it, and no prompt.

use serde::Serialize;

use super::{CircuitState, Live};
use crate::domain::Stamp;

#[derive(Serialize)]
struct Status {
    teams: Vec<Team>,
    upstreams: Vec<Upstream>,
}

#[derive(Serialize)]
struct Team {
    team: String,
    in_flight: u64,
    tokens_today: u64,
    cost_today: String,
    tokens_this_month: u64,
    cost_this_month: String,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    limits: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Upstream {
    upstream: String,
    addresses: Vec<Address>,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Address {
    address: String,
    circuit: &'static str,
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Key {
    /// Position in the configuration, from 1.
    key: usize,
    left_alone_seconds: u64,
}

impl Live {
    /// How teams and providers stand, as JSON.
    pub fn status(&self, now: Stamp) -> Vec<u8> {
        let snapshot = self.load();
        let teams = snapshot.teams.iter().map(|it| {
            let (day, month) = it.account().spent(now);
            Team {
                team: it.name.to_string(),
                in_flight: it.account().in_flight(),
                tokens_today: day.tokens,
                cost_today: day.cost.to_string(),
                tokens_this_month: month.tokens,
                cost_this_month: month.cost.to_string(),
                limits: it.limits.set().into_iter().map(|(key, it)| (key.to_owned(), it.into())).collect(),
            }
        });
        let upstreams = snapshot.upstreams.iter().map(|it| {
            let addresses = it.urls.iter().enumerate().map(|(at, url)| {
                let (state, failures) = it.health().address(at, now);
                let open_seconds = if let CircuitState::Open(left) = state { Some(left.as_secs() + 1) } else { None };
                Address { address: url.to_string(), circuit: state.name(), failures, open_seconds }
            });
            let keys = it.health().keys(now).enumerate();
            let keys = keys.map(|(at, left)| Key { key: at + 1, left_alone_seconds: left.as_secs() });
            Upstream { upstream: it.name.clone(), addresses: addresses.collect(), keys: keys.collect() }
        });
        let status = Status { teams: teams.collect(), upstreams: upstreams.collect() };
        // Strings and numbers alone: it can be written.
        serde_json::to_vec_pretty(&status).unwrap_or_default()
    }
}
