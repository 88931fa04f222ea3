//! `rules:` files with the company's own rules. What stands in them is asked from a function that is handed in.

use super::mistake::Mistake;
use super::reader::{Field, Reader};
use super::{RuleFile, Rules};
use crate::domain::Checker;

/// Most rule files.
pub(super) const FILES_MAX: usize = 32;

/// Something wrong in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMistake {
    /// Index of the file.
    pub file: usize,
    /// What is wrong: `house.yaml:3: rule …`. No example of the rule is quoted in it.
    pub what: String,
}

/// Reads all rule files together, and answers which checkers their rules belong to.
pub type ReadRules<'a> = dyn Fn(&[RuleFile]) -> Result<Vec<Checker>, Vec<RuleMistake>> + 'a;

/// The files that `rules:` names, and the checkers they bring beside `known`.
pub(super) fn read(reader: &mut Reader<'_>, field: &Field<'_>, read_rules: &ReadRules<'_>, known: &[&str]) -> Rules {
    let items = reader.list(field).unwrap_or_default();
    if items.len() > FILES_MAX {
        reader.reject(field, format!("{} rule files are too many", items.len()), &format!("at most {FILES_MAX} files"));
        return Rules::default();
    }
    let mut files: Vec<RuleFile> = Vec::new();
    let mut fields = Vec::new();
    for item in items {
        let Some(path) = reader.text(&item) else { continue };
        if files.iter().any(|it| it.path == path) {
            reader.reject(&item, format!("{} stands here a second time", reader.quote(&item)), "each file once");
        } else if let Some(text) = reader.rule_file(&item, &path) {
            files.push(RuleFile { path, text });
            fields.push(item);
        }
    }
    match read_rules(&files) {
        Ok(mut checkers) => {
            checkers.retain(|it| !known.contains(&it.name()));
            Rules { files, checkers }
        }
        Err(mistakes) => {
            for RuleMistake { file, what } in mistakes {
                let at = fields.get(file).unwrap_or(field);
                let mistake = Mistake::new(&at.path, Some(at.node.span), what);
                let help = "`airiskguard-gateway rules test FILE` shows all that is wrong in a rule file";
                reader.mistakes.push(mistake.expected("rules as docs/rules.md describes them").help(help));
            }
            Rules::default()
        }
    }
}
