//! The rule files of a configuration, from `config` to `checkers`: neither room knows the other.

use crate::checkers::{Entry, LoadError, RuleText, Trial, custom};
use crate::config::{RuleFile, RuleMistake};
use crate::domain::Checker;
use crate::scan::RuleSpec;

/// The checkers that the rules of these files belong to, for [`crate::config::Reading`].
///
/// # Errors
/// Everything that is wrong in the files.
pub fn custom_checkers(files: &[RuleFile]) -> Result<Vec<Checker>, Vec<RuleMistake>> {
    let file_of = |mistake: &LoadError| files.iter().position(|it| it.path == mistake.origin).unwrap_or(0);
    match read(files) {
        Ok(entries) => {
            let mut checkers: Vec<Checker> = entries.into_iter().map(|it| it.rule.info.checker).collect();
            checkers.sort_unstable();
            checkers.dedup();
            Ok(checkers)
        }
        Err(mistakes) => {
            Err(mistakes.iter().map(|it| RuleMistake { file: file_of(it), what: it.to_string() }).collect())
        }
    }
}

/// The rules of these files.
pub(super) fn custom_specs(files: &[RuleFile]) -> Result<Vec<RuleSpec>, String> {
    match read(files) {
        Ok(entries) => Ok(entries.into_iter().map(|it| it.rule).collect()),
        Err(mistakes) => Err(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn read(files: &[RuleFile]) -> Result<Vec<Entry>, Vec<LoadError>> {
    let texts: Vec<RuleText<'_>> = files.iter().map(|it| RuleText { origin: &it.path, text: &it.text }).collect();
    custom(&texts, Trial::Whole)
}
