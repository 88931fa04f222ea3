//! The company's own rules: the catalogue's format from files, tried on their examples before they are used.

use std::collections::{HashMap, HashSet};

use super::error::{LoadError, Reason};
use super::lines::{Lines, lines};
use super::prove::Prover;
use super::{ALL, Entry, line_of, listed_under, parse};

/// Longest rule file, bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Most rules of one file.
pub const RULES_MAX: usize = 1_000;
/// Most hits, and most misses, of one rule.
pub const EXAMPLES_MAX: usize = 100;
/// Longest example, bytes.
pub const EXAMPLE_BYTES_MAX: usize = 16 << 10;

/// A rule file: how messages name it, and what stands in it.
#[derive(Clone, Copy, Debug)]
pub struct RuleText<'a> {
    /// Usually its path.
    pub origin: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// How the examples are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// In one piece.
    Whole,
    /// Also cut at every byte, which takes a time that grows with the square of an example's length.
    Cut,
}

/// Rules of files beside the built-in catalogue. As in the catalogue, rules of `compliance` also stand under `pii`.
///
/// # Errors
/// What is wrong, of each file the mistakes of the first step that found any: unreadable rules; ids that are taken; rules
/// that the engine refuses; examples that show something else than they say.
pub fn custom(files: &[RuleText<'_>], trial: Trial) -> Result<Vec<Entry>, Vec<LoadError>> {
    let (mut read, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match entries(file) {
            Ok(entries) => read.push((file, entries)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    mistakes.extend(taken_ids(&read));
    for (file, entries) in &read {
        let known: HashSet<&str> = mistakes.iter().filter_map(|it| it.id.as_deref()).collect();
        if entries.iter().all(|it| !known.contains(it.rule.info.id.as_str())) {
            let shown = unproven(file, entries, trial);
            mistakes.extend(shown);
        }
    }
    match mistakes.is_empty() {
        true => Ok(read.into_iter().flat_map(|(_, entries)| entries).flat_map(with_alias).collect()),
        false => Err(mistakes),
    }
}

/// A file's rules, with the limits held.
fn entries(file: &RuleText<'_>) -> Result<Vec<Entry>, LoadError> {
    let whole = |reason| LoadError { origin: file.origin.to_owned(), line: 1, id: None, reason };
    if file.text.len() > FILE_BYTES_MAX {
        return Err(whole(Reason::TooMany { what: "bytes", count: file.text.len(), count_max: FILE_BYTES_MAX }));
    }
    let entries = parse(file.text, file.origin)?;
    if entries.len() > RULES_MAX {
        return Err(whole(Reason::TooMany { what: "rules", count: entries.len(), count_max: RULES_MAX }));
    }
    for entry in &entries {
        for (key, texts) in [("hits", &entry.hits), ("misses", &entry.misses)] {
            let longest = texts.iter().map(String::len).max().unwrap_or(0);
            let reason = match texts.len() {
                0 => Reason::NoExample(key),
                count @ EXAMPLES_MAX.. if count > EXAMPLES_MAX => {
                    Reason::TooMany { what: key, count, count_max: EXAMPLES_MAX }
                }
                _ if longest > EXAMPLE_BYTES_MAX => {
                    Reason::TooMany { what: "bytes in an example", count: longest, count_max: EXAMPLE_BYTES_MAX }
                }
                _ => continue,
            };
            return Err(mistake_at(file, &entry.rule.info.id, reason));
        }
    }
    Ok(entries)
}

/// Ids that the catalogue or another file has. Whole families of the catalogue are taken: it may grow.
fn taken_ids(read: &[(&RuleText<'_>, Vec<Entry>)]) -> Vec<LoadError> {
    let built_in: HashSet<String> = ALL.iter().map(|it| it.path.trim_end_matches(".yaml").replace('/', ".")).collect();
    let mut first: HashMap<&str, String> = HashMap::new();
    let mut mistakes = Vec::new();
    for (file, entries) in read {
        for entry in entries {
            let id = entry.rule.info.id.as_str();
            let family = id.rsplit_once('.').map_or(id, |(family, _)| family);
            let place = format!("{}:{}", file.origin, line_of(file.text, id, false));
            let reason = match first.insert(id, place) {
                Some(place) => Reason::DuplicateOf(place),
                None if entry.rule.info.checker.name() == "pii" => Reason::Alias,
                None if built_in.contains(family) => Reason::BuiltInFamily(family.to_owned()),
                None => continue,
            };
            mistakes.push(mistake_at(file, id, reason));
        }
    }
    mistakes
}

/// What the engine says of the rules, and then what their examples show.
fn unproven(file: &RuleText<'_>, entries: &[Entry], trial: Trial) -> Vec<LoadError> {
    let prover = match Prover::new(entries) {
        Ok(prover) => prover,
        Err(errors) => {
            let refused = errors.into_iter().map(|it| mistake_at(file, &it.rule, Reason::Refused(it.what)));
            return refused.collect();
        }
    };
    let lines = lines(file.text);
    let mut mistakes = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        for flaw in prover.flaws(index, trial == Trial::Cut) {
            let line = lines.get(index).and_then(|it: &Lines| it.of(flaw.key, flaw.index));
            let mistake = mistake_at(file, &entry.rule.info.id, Reason::Example(flaw));
            mistakes.push(LoadError { line: line.unwrap_or(mistake.line), ..mistake });
        }
    }
    mistakes
}

fn mistake_at(file: &RuleText<'_>, id: &str, reason: Reason) -> LoadError {
    LoadError { origin: file.origin.to_owned(), line: line_of(file.text, id, false), id: Some(id.to_owned()), reason }
}

fn with_alias(entry: Entry) -> Vec<Entry> {
    match entry.rule.info.checker.name() {
        "compliance" => vec![entry.clone(), listed_under("pii", entry)],
        _ => vec![entry],
    }
}
