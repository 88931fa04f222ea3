//! `rules list`: a line for each rule, for people, for programs, or as the tables of `docs/rules.md`.

use std::io::Write;

use airiskguard_gateway::checkers::{Entry, action_words, handbook};
use airiskguard_gateway::domain::{Direction, Source};
use airiskguard_gateway::policy::by_default;
use serde_json::{Value, json};

use super::of_checker;
use crate::print;

/// `id  risk  action  title`, in columns.
pub(super) fn plain(entries: &[Entry], checker: Option<&str>, out: &mut dyn Write) -> Result<u8, String> {
    let entries = of_checker(entries, checker)?;
    let width = entries.iter().map(|it| it.rule.info.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for info in entries.iter().map(|it| &it.rule.info) {
        let (risk, action) = (info.risk.name(), action_words(info, by_default(info)));
        text.push_str(&format!("{:width$}  {risk:8}  {action:15}  {}\n", info.id, info.title));
    }
    text.push_str(&format!("{} rules", entries.len()));
    print(out, &text)
}

/// One JSON object a line.
pub(super) fn json(entries: &[Entry], checker: Option<&str>, out: &mut dyn Write) -> Result<u8, String> {
    let lines: Vec<String> = of_checker(entries, checker)?.into_iter().map(|it| object(it).to_string()).collect();
    print(out, &lines.join("\n"))
}

fn object(entry: &Entry) -> Value {
    let info = &entry.rule.info;
    let sources: Vec<&str> =
        Source::ALL.into_iter().filter(|it| info.sources.contains(*it)).map(Source::name).collect();
    let both = [Direction::Outbound, Direction::Inbound];
    let directions = if info.directions.is_empty() { &both[..] } else { &info.directions };
    json!({
        "id": info.id, "checker": info.checker.name(), "file": entry.origin, "title": info.title,
        "type": info.label, "risk": info.risk.name(), "score": info.score.value(),
        "action": by_default(info).name(), "redactable": info.redactable, "cwe": info.cwe,
        "sources": sources, "directions": directions.iter().map(|it| it.name()).collect::<Vec<_>>(),
        "why": info.why, "advice": info.advice, "hits": entry.hits.len(), "misses": entry.misses.len(),
    })
}

/// The tables of `docs/rules.md`.
pub(super) fn markdown(entries: &[Entry], checker: Option<&str>, out: &mut dyn Write) -> Result<u8, String> {
    let entries: Vec<Entry> = of_checker(entries, checker)?.into_iter().cloned().collect();
    print(out, &handbook(&entries, by_default))
}

#[cfg(test)]
mod tests {
    use airiskguard_gateway::checkers;
    use serde_json::Value;

    use super::{json, markdown, plain};

    #[test]
    fn every_form_lists_the_rules_of_a_checker() {
        let entries = checkers::entries().unwrap();
        let count = entries.iter().filter(|it| it.rule.info.checker.name() == "vuln").count();
        let mut out = Vec::new();
        json(&entries, Some("vuln"), &mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), count);
        assert!(objects.iter().all(|it| it["checker"] == "vuln" && it["cwe"].is_u64() && it["hits"].is_u64()));
        let mut out = Vec::new();
        plain(&entries, Some("vuln"), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with(&format!("\n{count} rules\n")));
        let mut out = Vec::new();
        markdown(&entries, Some("vuln"), &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with(&format!("## `vuln`: {count} rules\n")));
    }

    #[test]
    fn aliases_are_listed_for_who_asks_for_them() {
        let entries = checkers::entries().unwrap();
        let listed = |checker| {
            let mut out = Vec::new();
            plain(&entries, checker, &mut out).map(|_| String::from_utf8(out).unwrap())
        };
        assert!(listed(Some("pii")).unwrap().contains("pii.identity.ssn"));
        assert!(!listed(None).unwrap().contains("pii."));
        assert!(listed(Some("vulns")).unwrap_err().contains("expected one of secrets"));
    }
}
