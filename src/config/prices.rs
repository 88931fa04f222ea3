//! `prices:` what tokens cost, and the example prices that hold where the file says nothing.

use super::keys;
use super::mistake::Mistake;
use super::node;
use super::reader::{Field, Reader, Section};
use crate::domain::Money;

/// The table that comes with the program.
const EXAMPLES: &str = include_str!("../../conf/prices.yaml");
/// Lines of one file.
const LINES_MAX: usize = 1000;

/// Prices of the models that fit a pattern, for a million tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// `model:` a name, with `*` as a wildcard.
    pub model: String,
    /// `input:` tokens of the prompt.
    pub input: Money,
    /// `output:` tokens of the completion.
    pub output: Money,
    /// `cache_read:` tokens of the prompt that the provider had in its cache. As `input` where absent.
    pub cache_read: Money,
    /// `cache_write:` tokens of the prompt that it put there. As `input` where absent.
    pub cache_write: Money,
}

/// The prices of the file, before those that come with the program.
pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Vec<Price> {
    let mut prices = top.find("prices").map(|it| list(reader, it)).unwrap_or_default();
    prices.extend(examples());
    prices
}

/// The prices of `conf/prices.yaml`.
pub(super) fn examples() -> Vec<Price> {
    let resolve = |_: &_| Err("there are no references in the table of prices".to_owned());
    let mut reader = Reader::new(&[], &resolve);
    // That it reads without a mistake is a test's business.
    let Ok((root, _)) = node::read(EXAMPLES) else { return Vec::new() };
    let Some(section) = reader.section(&Field { path: String::new(), node: &root }, &["prices"]) else {
        return Vec::new();
    };
    section.find("prices").map(|it| list(&mut reader, it)).unwrap_or_default()
}

fn list(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<Price> {
    let items = reader.list(field).unwrap_or_default();
    if items.len() > LINES_MAX {
        reader.reject(field, "there are too many prices", "at most 1000; `*` stands for many models");
    }
    items.iter().take(LINES_MAX).filter_map(|it| price(reader, it)).collect()
}

fn price(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Price> {
    let section = reader.section(field, keys::PRICE)?;
    for key in ["model", "input", "output"] {
        if section.find(key).is_none() {
            let mistake = Mistake::new(&field.path, Some(field.node.span), format!("`{key}:` is missing"));
            reader.mistakes.push(mistake.expected("`{model: …, input: …, output: …}`, dollars for a million tokens"));
        }
    }
    let model = section.find("model").and_then(|it| reader.text(it));
    let mut amount = |key: &str| section.find(key).and_then(|it| reader.money(it));
    let (input, output) = (amount("input"), amount("output"));
    let (cache_read, cache_write) = (amount("cache_read"), amount("cache_write"));
    let (model, input, output) = (model?, input?, output?);
    Some(Price {
        model,
        input,
        output,
        cache_read: cache_read.unwrap_or(input),
        cache_write: cache_write.unwrap_or(input),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_comes_along_reads() {
        let prices = examples();
        assert_eq!(prices.len(), EXAMPLES.lines().filter(|it| it.contains("- {model:")).count());
        let sonnet = prices.iter().find(|it| it.model == "claude-sonnet-4*").unwrap();
        assert_eq!((sonnet.input, sonnet.cache_read), ("3".parse().unwrap(), "0.3".parse().unwrap()));
        let embedding = prices.iter().find(|it| it.model == "text-embedding-3-small*").unwrap();
        assert_eq!(embedding.cache_write, embedding.input);
    }
}
