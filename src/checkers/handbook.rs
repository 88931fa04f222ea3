//! The catalogue as tables: the generated part of `docs/rules.md`.

use super::words::looks_for;
use super::{ALL, Entry};
use crate::domain::{Action, RuleInfo};

/// A Markdown table for each family, in the order of the catalogue; files of the company's own come last.
///
/// `by_default` says what is done with a rule's findings where no policy speaks of them. Aliases are left out: `pii` is
/// `compliance` under another name.
pub fn handbook(entries: &[Entry], by_default: impl Fn(&RuleInfo) -> Action) -> String {
    let mut said = String::new();
    let own: Vec<&Entry> = entries.iter().filter(|it| it.rule.info.checker.name() != "pii").collect();
    let mut checker = "";
    for family in families(&own) {
        let of_family: Vec<&&Entry> = own.iter().filter(|it| family_of(&it.rule.info.id) == family).collect();
        let Some(first) = of_family.first() else { continue };
        if first.rule.info.checker.name() != checker {
            checker = first.rule.info.checker.name();
            let count = own.iter().filter(|it| it.rule.info.checker.name() == checker).count();
            said.push_str(&format!("## `{checker}`: {count} rules\n\n"));
        }
        said.push_str(&format!("### `{family}`\n\n"));
        said.push_str(&table(&of_family, &by_default));
        said.push('\n');
    }
    said.truncate(said.trim_end().len());
    said.push('\n');
    said
}

/// The families in the order of the catalogue, then others.
fn families<'e>(entries: &[&'e Entry]) -> Vec<&'e str> {
    let mut found: Vec<&str> = Vec::new();
    for family in entries.iter().map(|it| family_of(&it.rule.info.id)) {
        if !found.contains(&family) {
            found.push(family);
        }
    }
    let listed = |family: &&str| {
        let path = format!("{}.yaml", family.replace('.', "/"));
        ALL.iter().position(|it| it.path == path).unwrap_or(ALL.len())
    };
    found.sort_by_key(listed);
    found
}

/// An id without its last part.
fn family_of(id: &str) -> &str {
    id.rsplit_once('.').map_or(id, |(family, _)| family)
}

fn table(entries: &[&&Entry], by_default: impl Fn(&RuleInfo) -> Action) -> String {
    let with_cwe = entries.iter().any(|it| it.rule.info.cwe.is_some());
    let mut said = match with_cwe {
        true => {
            "| id | what | type | risk | by default | CWE | looks for |\n|---|---|---|---|---|---|---|\n".to_owned()
        }
        false => "| id | what | type | risk | by default | looks for |\n|---|---|---|---|---|---|\n".to_owned(),
    };
    for entry in entries {
        let info = &entry.rule.info;
        let name = info.id.rsplit('.').next().unwrap_or(&info.id);
        let action = action_words(info, by_default(info));
        let cwe = match (with_cwe, info.cwe) {
            (false, _) => String::new(),
            (true, Some(number)) => format!(" {number} |"),
            (true, None) => " |".to_owned(),
        };
        let (title, looks) = (cell(&info.title), cell(&looks_for(&entry.rule)));
        said.push_str(&format!(
            "| `{name}` | {title} | `{}` | {} | {action} |{cwe} {looks} |\n",
            info.label,
            info.risk.name()
        ));
    }
    said
}

/// `block`, with `or redact` for what can be replaced.
pub fn action_words(info: &RuleInfo, action: Action) -> String {
    match action {
        Action::Block if info.redactable => "block or redact".to_owned(),
        other => other.name().to_owned(),
    }
}

/// Text that cannot end a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
