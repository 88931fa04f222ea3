//! Counts of exchanges by team, key and model: what overviews add up, so that no page reads records for it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::rules;
use crate::config::{Dialect, File};
use crate::domain::{Money, Tokens};
use crate::pipeline::Prices;
use crate::store::Exchange;

/// Different teams, keys and models that one document counts apart; beyond them, models are counted together.
const CELLS_MAX: usize = 2_000;
/// Rules that one cell counts apart.
const RULES_MAX: usize = 64;
/// What stands for all that is not counted apart.
const OTHER: &str = "other";

/// How many, of one kind of exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Count {
    /// Exchanges.
    pub(crate) requests: u64,
    /// Of those, stopped for what was found.
    pub(crate) blocked: u64,
    /// Of those, sent on with something hidden.
    pub(crate) redacted: u64,
    /// Of those, put into the review queue.
    pub(crate) reviewed: u64,
    /// Of those, flagged.
    pub(crate) flagged: u64,
    /// Of those, refused by the gateway for another reason: limits, quarantine, keys.
    pub(crate) refused: u64,
    /// Tokens of prompts, as providers count them.
    pub(crate) input_tokens: u64,
    /// Tokens of completions.
    pub(crate) output_tokens: u64,
    /// What they cost, billionths of a dollar; models without a price cost nothing.
    pub(crate) cost_nanos: u64,
}

impl Count {
    /// Of one exchange.
    pub(super) fn of(it: &Exchange) -> Count {
        let is = |name: &str| u64::from(it.action == name);
        let tokens = it.tokens.unwrap_or_default();
        Count {
            requests: 1,
            blocked: is("block"),
            redacted: is("redact"),
            reviewed: is("review"),
            flagged: is("flag"),
            refused: u64::from(it.refusal.is_some() && !it.blocked()),
            input_tokens: tokens.input,
            output_tokens: tokens.output,
            cost_nanos: cost(it).nanos(),
        }
    }

    pub(super) fn add(&mut self, other: &Count) {
        let pairs = [
            (&mut self.requests, other.requests),
            (&mut self.blocked, other.blocked),
            (&mut self.redacted, other.redacted),
            (&mut self.reviewed, other.reviewed),
            (&mut self.flagged, other.flagged),
            (&mut self.refused, other.refused),
            (&mut self.input_tokens, other.input_tokens),
            (&mut self.output_tokens, other.output_tokens),
            (&mut self.cost_nanos, other.cost_nanos),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What an exchange cost by the table of prices that comes with the program.
fn cost(it: &Exchange) -> Money {
    static PRICES: OnceLock<Prices> = OnceLock::new();
    let prices = PRICES.get_or_init(|| Prices::new(&File::default().prices));
    let dialects = [Dialect::Anthropic, Dialect::OpenAi, Dialect::Azure];
    let dialect = dialects.into_iter().find(|dialect| Some(dialect.name()) == it.dialect.as_deref());
    let model = it.model_answered.as_deref().or(it.model.as_deref());
    let (Some(dialect), Some(model), Some(tokens)) = (dialect, model, it.tokens) else { return Money::default() };
    let (input, output) = (tokens.input, tokens.output);
    let tokens = Tokens { input, output, cache_read: tokens.cache_read, cache_write: tokens.cache_write };
    prices.cost(model, dialect, &tokens).unwrap_or_default()
}

/// The counts of one team, key and model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) team: String,
    /// As records name it; empty without one.
    pub(super) key: String,
    /// Empty without one.
    pub(super) model: String,
    pub(super) count: Count,
    /// Exchanges with findings, by rule.
    pub(super) rules: BTreeMap<String, u64>,
}

/// The counts of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cells(pub(super) Vec<Cell>);

impl Cells {
    /// Counts exchanges. Looks the cells up once for all of them.
    pub(super) fn add(&mut self, exchanges: &[&Exchange]) {
        let name = |it: &Cell| (it.team.clone(), it.key.clone(), it.model.clone());
        let mut places: BTreeMap<_, usize> = self.0.iter().enumerate().map(|(at, it)| (name(it), at)).collect();
        for it in exchanges {
            let key = it.key.clone().unwrap_or_default();
            let mut named = (it.team.clone(), key, it.model.clone().unwrap_or_default());
            if !places.contains_key(&named) && self.0.len() >= CELLS_MAX {
                named.2 = OTHER.to_owned();
            }
            let at = *places.entry(named).or_insert_with_key(|(team, key, model)| {
                let (team, key, model) = (team.clone(), key.clone(), model.clone());
                self.0.push(Cell { team, key, model, ..Cell::default() });
                self.0.len() - 1
            });
            let cell = &mut self.0[at];
            cell.count.add(&Count::of(it));
            for rule in rules(it) {
                let known = cell.rules.contains_key(&rule) || cell.rules.len() < RULES_MAX;
                *cell.rules.entry(if known { rule } else { OTHER.to_owned() }).or_default() += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    fn exchange(team: &str, model: &str) -> Exchange {
        Exchange {
            team: team.into(),
            model: Some(model.into()),
            dialect: Some("anthropic".into()),
            action: "block".into(),
            refusal: Some("policy_blocked".into()),
            tokens: Some(store::Tokens { input: 1_000_000, output: 0, ..store::Tokens::default() }),
            ..Exchange::default()
        }
    }

    #[test]
    fn an_exchange_is_counted_with_its_cost_where_it_belongs() {
        let mut cells = Cells::default();
        cells.add(&[&exchange("red", "claude-sonnet-4-6"), &exchange("blue", "nobody-knows")]);
        cells.add(&[&exchange("red", "claude-sonnet-4-6")]);
        let of = |team: &str| cells.0.iter().find(|it| it.team == team).map(|it| it.count).unwrap_or_default();
        let red = of("red");
        assert_eq!((red.requests, red.blocked, red.refused, red.cost_nanos), (2, 2, 0, 6_000_000_000));
        assert_eq!((of("blue").requests, of("blue").cost_nanos), (1, 0));
    }

    #[test]
    fn names_that_clients_make_up_do_not_make_a_document_grow() {
        let made_up: Vec<Exchange> = (0..CELLS_MAX + 500).map(|it| exchange("red", &format!("m-{it}"))).collect();
        let mut cells = Cells::default();
        cells.add(&made_up.iter().collect::<Vec<_>>());
        assert_eq!(cells.0.len(), CELLS_MAX + 1);
        let other = cells.0.iter().find(|it| it.model == OTHER).map(|it| it.count.requests);
        assert_eq!(other, Some(500));
    }
}
