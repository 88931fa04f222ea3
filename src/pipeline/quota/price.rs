//! What an exchange costs, by the table of prices.

use crate::config::{Dialect, Price};
use crate::domain::{Money, Tokens};
use crate::policy::Pattern;

/// The table, ready to be asked.
pub(crate) struct Prices(Vec<(Pattern, Price)>);

impl Prices {
    /// In the order of the table.
    pub(crate) fn new(table: &[Price]) -> Self {
        Prices(table.iter().map(|it| (Pattern::new(&it.model), it.clone())).collect())
    }

    /// What these tokens of this model cost; `None` where no line of the table names it.
    pub(crate) fn cost(&self, model: &str, dialect: Dialect, tokens: &Tokens) -> Option<Money> {
        let (_, price) = self.0.iter().find(|(pattern, _)| pattern.matches(model))?;
        let parts = [
            price.input.for_units(fresh(dialect, tokens)),
            price.output.for_units(tokens.output),
            price.cache_read.for_units(tokens.cache_read),
            price.cache_write.for_units(tokens.cache_write),
        ];
        Some(parts.into_iter().sum())
    }
}

/// Tokens that count against rates and budgets: all but those that the provider had in its cache, as the providers'
/// own limits count.
pub(crate) fn counted(dialect: Dialect, tokens: &Tokens) -> u64 {
    fresh(dialect, tokens).saturating_add(tokens.cache_write).saturating_add(tokens.output)
}

/// Tokens of the prompt that were neither read from the cache nor written to it. Anthropic counts them apart; OpenAI's
/// sum holds what was cached.
fn fresh(dialect: Dialect, tokens: &Tokens) -> u64 {
    match dialect {
        Dialect::Anthropic => tokens.input,
        Dialect::OpenAi | Dialect::Azure => tokens.input.saturating_sub(tokens.cache_read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(model: &str, input: &str) -> Price {
        let money = |text: &str| text.parse().unwrap();
        let (cache_read, cache_write) = (money("0.3"), money("3.75"));
        Price { model: model.into(), input: money(input), output: money("15"), cache_read, cache_write }
    }

    #[test]
    fn the_first_line_that_fits_holds() {
        let prices = Prices::new(&[price("m-1*", "3"), price("m*", "7")]);
        let tokens = Tokens { input: 1_000_000, ..Tokens::default() };
        let cost = |model| prices.cost(model, Dialect::Anthropic, &tokens);
        assert_eq!(cost("m-1-mini"), "3".parse().ok());
        assert_eq!(cost("m-2"), "7".parse().ok());
        assert_eq!(cost("n"), None);
    }

    #[test]
    fn what_was_cached_is_counted_as_each_provider_does() {
        let prices = Prices::new(&[price("*", "3")]);
        let tokens = Tokens { input: 1000, output: 100, cache_read: 400, cache_write: 200 };
        // 1000 * 3 + 100 * 15 + 400 * 0.3 + 200 * 3.75 dollars for a million.
        assert_eq!(prices.cost("m", Dialect::Anthropic, &tokens), "0.00537".parse().ok());
        assert_eq!(counted(Dialect::Anthropic, &tokens), 1300);
        let tokens = Tokens { cache_write: 0, ..tokens };
        assert_eq!(prices.cost("m", Dialect::OpenAi, &tokens), "0.00342".parse().ok());
        assert_eq!(counted(Dialect::OpenAi, &tokens), 700);
    }
}
