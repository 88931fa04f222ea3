//! `rules`: lists, tries and explains the rules of the catalogue and of the company's own files.

mod explain;
mod list;
mod test;

use std::io::Write;
use std::path::Path;

use airiskguard_gateway::checkers::{self, Entry, LoadError, RuleText, Trial};
use airiskguard_gateway::config::Overrides;

use crate::arguments::Rules;
use crate::configuration;

/// Runs the command. Exit code 0: done; 1, an error or not: a rule is wrong or not there.
pub(crate) fn run(command: &Rules, out: &mut dyn Write) -> Result<u8, String> {
    match command {
        Rules::List { checker, json, markdown, config } => {
            let entries = entries(config.as_deref())?;
            match (json, markdown) {
                (true, _) => list::json(&entries, checker.as_deref(), out),
                (_, true) => list::markdown(&entries, checker.as_deref(), out),
                _ => list::plain(&entries, checker.as_deref(), out),
            }
        }
        Rules::Test { files } => test::run(files, out),
        Rules::Explain { rule, config } => explain::run(&entries(config.as_deref())?, rule, out),
    }
}

/// The catalogue, and behind it the rules of the files that the configuration names.
fn entries(config: Option<&Path>) -> Result<Vec<Entry>, String> {
    let mut entries = checkers::entries().map_err(|error| error.to_string())?;
    let (file, _) = configuration::load(config, &Overrides::default())?;
    let files = &file.rules.files;
    let texts: Vec<RuleText<'_>> = files.iter().map(|it| RuleText { origin: &it.path, text: &it.text }).collect();
    entries.extend(checkers::custom(&texts, Trial::Whole).map_err(|errors| all(&errors))?);
    Ok(entries)
}

/// One mistake a line.
fn all(errors: &[LoadError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Aliases are shown only to who asks for them: `pii` is `compliance` under another name.
fn of_checker<'e>(entries: &'e [Entry], checker: Option<&str>) -> Result<Vec<&'e Entry>, String> {
    let chosen = |it: &&Entry| match checker {
        Some(name) => it.rule.info.checker.name() == name,
        None => it.rule.info.checker.name() != "pii",
    };
    let found: Vec<&Entry> = entries.iter().filter(chosen).collect();
    match checker {
        Some(name) if found.is_empty() => {
            let mut names: Vec<&str> = entries.iter().map(|it| it.rule.info.checker.name()).collect();
            names.dedup();
            Err(format!("there is no checker `{name}`; expected one of {}", names.join(", ")))
        }
        _ => Ok(found),
    }
}
