//! `team_limits:` and the `limits:` of a team: rates, requests in flight, budgets.

use super::keys;
use super::reader::{Field, Reader, Section};
use crate::domain::Money;

/// What one team may use; `None` is without a bound. Days and months are those of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TeamLimits {
    /// `requests_per_minute:` counted without those that only count tokens or list models.
    pub requests_per_minute: Option<u64>,
    /// `tokens_per_minute:` of prompts and completions, without what the provider read from its cache.
    pub tokens_per_minute: Option<u64>,
    /// `requests_in_flight_max:` at the same time.
    pub requests_in_flight_max: Option<u64>,
    /// `tokens_per_day:` counted as those per minute.
    pub tokens_per_day: Option<u64>,
    /// `tokens_per_month:` counted as those per minute.
    pub tokens_per_month: Option<u64>,
    /// `cost_per_day:` US dollars.
    pub cost_per_day: Option<Money>,
    /// `cost_per_month:` US dollars.
    pub cost_per_month: Option<Money>,
}

impl TeamLimits {
    /// These, and where they say nothing, those.
    pub fn or(self, others: TeamLimits) -> TeamLimits {
        TeamLimits {
            requests_per_minute: self.requests_per_minute.or(others.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(others.tokens_per_minute),
            requests_in_flight_max: self.requests_in_flight_max.or(others.requests_in_flight_max),
            tokens_per_day: self.tokens_per_day.or(others.tokens_per_day),
            tokens_per_month: self.tokens_per_month.or(others.tokens_per_month),
            cost_per_day: self.cost_per_day.or(others.cost_per_day),
            cost_per_month: self.cost_per_month.or(others.cost_per_month),
        }
    }

    /// Whether anything is bounded over a day or a month.
    pub fn has_budget(&self) -> bool {
        let tokens = self.tokens_per_day.or(self.tokens_per_month).is_some();
        tokens || self.cost_per_day.or(self.cost_per_month).is_some()
    }

    /// The limit under this key as people read it; nothing where it is not set.
    pub fn amount(&self, key: &str) -> String {
        let sign = if key.starts_with("cost") { "$" } else { "" };
        let found = self.set().into_iter().find(|(it, _)| *it == key);
        found.map_or_else(String::new, |(_, amount)| format!("{sign}{amount}"))
    }

    /// Every limit that is set, by its key, as text.
    pub fn set(&self) -> Vec<(&'static str, String)> {
        let counts = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("requests_in_flight_max", self.requests_in_flight_max),
            ("tokens_per_day", self.tokens_per_day),
            ("tokens_per_month", self.tokens_per_month),
        ];
        let amounts = [("cost_per_day", self.cost_per_day), ("cost_per_month", self.cost_per_month)];
        let counts = counts.into_iter().filter_map(|(key, it)| Some((key, it?.to_string())));
        counts.chain(amounts.into_iter().filter_map(|(key, it)| Some((key, it?.to_string())))).collect()
    }
}

/// The limits in the section under this key.
pub(super) fn read(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> TeamLimits {
    section.find(key).and_then(|it| limits(reader, it)).unwrap_or_default()
}

fn limits(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<TeamLimits> {
    let section = reader.section(field, keys::TEAM_LIMITS)?;
    let mut count = |key: &str, most: u64| section.find(key).and_then(|it: &Field<'_>| reader.integer(it, 1..=most));
    let mut limits = TeamLimits {
        requests_per_minute: count("requests_per_minute", 10_000_000),
        tokens_per_minute: count("tokens_per_minute", 1_000_000_000_000),
        requests_in_flight_max: count("requests_in_flight_max", 1_000_000),
        tokens_per_day: count("tokens_per_day", 1_000_000_000_000_000),
        tokens_per_month: count("tokens_per_month", 1_000_000_000_000_000),
        ..TeamLimits::default()
    };
    limits.cost_per_day = section.find("cost_per_day").and_then(|it| reader.money(it));
    limits.cost_per_month = section.find("cost_per_month").and_then(|it| reader.money(it));
    Some(limits)
}
