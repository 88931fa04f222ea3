//! `rules explain RULE`: everything about one rule, for the person who reads an alert.

use std::fmt::{self, Write as _};
use std::io::Write;

use airiskguard_gateway::checkers::{ALL, Entry, confirmed_by, in_words};
use airiskguard_gateway::domain::{Action, RuleInfo, Source};
use airiskguard_gateway::policy::by_default;
use airiskguard_gateway::scan::{Pattern, RuleSpec, Trigger};

use crate::print;

/// Ids that are proposed for one that does not exist.
const NEAR_MAX: usize = 5;

/// Explains the rule of that id.
pub(super) fn run(entries: &[Entry], id: &str, out: &mut dyn Write) -> Result<u8, String> {
    let Some(entry) = entries.iter().find(|it| it.rule.info.id == id) else {
        return Err(unknown(entries, id));
    };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, entry);
    print(out, &text)
}

/// Ids that hold the last part of the one asked for, or begin as it does.
fn unknown(entries: &[Entry], id: &str) -> String {
    let last = id.rsplit('.').next().unwrap_or(id);
    let family = id.rsplit_once('.').map_or(id, |(family, _)| family);
    let near = |it: &&str| (!last.is_empty() && it.contains(last)) || it.starts_with(family);
    let ids = entries.iter().map(|it| it.rule.info.id.as_str());
    let near: Vec<&str> = ids.filter(near).take(NEAR_MAX).collect();
    match near.as_slice() {
        [] => format!("there is no rule `{id}`; `airiskguard-gateway rules list` shows all"),
        near => format!("there is no rule `{id}`; did you mean {}?", near.join(", ")),
    }
}

fn write_all(out: &mut String, entry: &Entry) -> fmt::Result {
    let info = &entry.rule.info;
    writeln!(out, "{}: {}\n", info.id, info.title)?;
    writeln!(out, "{}", info.why)?;
    if let Some(advice) = &info.advice {
        writeln!(out, "{advice}")?;
    }
    writeln!(out)?;
    facts(out, entry)?;
    writeln!(out, "\nHow it looks")?;
    how(out, &entry.rule)?;
    for (title, texts) in [("Finds, for example (made up)", &entry.hits), ("Does not find", &entry.misses)] {
        writeln!(out, "\n{title}")?;
        for text in texts {
            writeln!(out, "  - {}", text.trim_end().replace('\n', "\n    "))?;
        }
    }
    in_policy(out, info)
}

fn facts(out: &mut String, entry: &Entry) -> fmt::Result {
    let info = &entry.rule.info;
    writeln!(out, "type        {}", info.label)?;
    writeln!(out, "risk        {}, score {}", info.risk.name(), info.score.value())?;
    if let Some(cwe) = info.cwe {
        writeln!(out, "weakness    CWE-{cwe}")?;
    }
    let action = match (by_default(info), info.redactable) {
        (Action::Block, true) => format!("block, or replace by [REDACTED:{}] with `redact_secrets: true`", info.label),
        (action, _) => action.name().to_owned(),
    };
    writeln!(out, "by default  {action} (where no policy is given)")?;
    let texts = match info.directions.as_slice() {
        [one] => format!("{} text", one.name()),
        _ => "prompts and completions".to_owned(),
    };
    let all = Source::ALL.iter().all(|it| info.sources.contains(*it));
    let names: Vec<&str> = Source::ALL.into_iter().filter(|it| info.sources.contains(*it)).map(Source::name).collect();
    let sources = if all { "every source".to_owned() } else { names.join(", ") };
    writeln!(out, "holds for   {texts}; {sources}")?;
    let folder = if ALL.iter().any(|it| it.path == entry.origin) { "src/checkers/" } else { "" };
    writeln!(out, "stands in   {folder}{}", entry.origin)
}

fn how(out: &mut String, rule: &RuleSpec) -> fmt::Result {
    match &rule.trigger {
        Trigger::Keywords(words) => writeln!(out, "  where one of these stands, in any case: {}", words.join("  "))?,
        Trigger::Digits(count) => writeln!(out, "  where a run of {count} digits or more starts")?,
    }
    if let Some(lead) = &rule.lead {
        writeln!(out, "  with up to {} bytes of {} before it", lead.length_max, lead.class)?;
    }
    match &rule.pattern {
        Pattern::Regex(regex) => in_both(out, "there must stand", regex)?,
        Pattern::Assigned(regex) => {
            writeln!(out, "  it must be part of a name to which a value is assigned, in whatever syntax")?;
            in_both(out, "the value must be", regex)?;
        }
        Pattern::Region { begin, end, length_max, .. } => {
            in_both(out, "there must stand", begin)?;
            writeln!(out, "  and everything up to {end:?} belongs to it, {length_max} bytes at most")?;
        }
    }
    if let Some(unless) = &rule.unless {
        in_both(out, "it must not hold", unless)?;
    }
    match confirmed_by(rule) {
        Some(names) => writeln!(out, "  confirmed by {names} (docs/rules.md says what each checks)"),
        None => Ok(()),
    }
}

/// A regex in words where they are readable, and as it is written.
fn in_both(out: &mut String, what: &str, regex: &str) -> fmt::Result {
    if let Some(words) = in_words(regex) {
        writeln!(out, "  {what}: {words}")?;
        return writeln!(out, "    as a regex: {regex}");
    }
    writeln!(out, "  {what}, as a regex: {regex}")
}

/// How an administrator changes what is done with it.
fn in_policy(out: &mut String, info: &RuleInfo) -> fmt::Result {
    let id = &info.id;
    let name = id.replace('.', "_");
    writeln!(
        out,
        "\nTo let it pass for a while, in gateway.yaml; `team`, `model`, `direction` and `type` narrow the scope, too"
    )?;
    writeln!(out, "exceptions:")?;
    writeln!(out, "  - name: {id}")?;
    writeln!(out, "    reason: why it may pass, and who answers for it")?;
    writeln!(out, "    expires: 2030-12-31  # the last day")?;
    writeln!(out, "    scope: {{rule: {id}, source: tool_result}}")?;
    writeln!(out, "\nTo treat it otherwise, one of these")?;
    writeln!(out, "policies:")?;
    for (verb, rest, why) in [
        ("block", "action: block, redact: false", "stop it, and never replace it"),
        ("flag", "action: flag", "record it, and stop nothing"),
    ] {
        writeln!(out, "  # {why}")?;
        writeln!(out, "  - {{name: {verb}_{name}, condition: {{rule: {id}}}, {rest}}}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use airiskguard_gateway::checkers;
    use airiskguard_gateway::config::File;

    use super::{Entry, run};

    fn explained(entries: &[Entry], id: &str) -> Result<String, String> {
        let mut out = Vec::new();
        run(entries, id, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_rule_is_explained() {
        let entries = checkers::entries().unwrap();
        for entry in &entries {
            let said = explained(&entries, &entry.rule.info.id).unwrap();
            assert!(said.contains(&entry.rule.info.why) && said.contains("How it looks"), "{said}");
            assert!(
                entry.hits.iter().all(|hit| said.contains(hit.lines().next().unwrap_or_default().trim_end())),
                "{said}"
            );
        }
    }

    #[test]
    fn the_policies_that_are_proposed_are_good() {
        let said = explained(&checkers::entries().unwrap(), "secrets.aws.access_key").unwrap();
        let (_, proposed) = said.split_once("\nexceptions:\n").unwrap();
        let (exceptions, policies) = proposed.split_once("\nTo treat it otherwise, one of these\n").unwrap();
        let text = format!("upstream: {{anthropic: https://a.example}}\nexceptions:\n{exceptions}{policies}");
        let file = File::parse(&text, "gateway.yaml", &|_| Err("none".to_owned())).unwrap_or_else(|it| panic!("{it}"));
        assert_eq!((file.exceptions.len(), file.policies.len()), (1, 2));
    }

    #[test]
    fn a_rule_that_does_not_exist_brings_near_ones() {
        let entries = checkers::entries().unwrap();
        let said = explained(&entries, "secret.aws.access_key").unwrap_err();
        assert!(said.contains("did you mean") && said.contains("secrets.aws.access_key"), "{said}");
        assert!(explained(&entries, "nothing").unwrap_err().contains("rules list"));
    }
}
