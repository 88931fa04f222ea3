//! `policies:` conditions and actions, and whether they can hold and be enforced at all.

use super::keys;
use super::mistake::Mistake;
use super::node::Value;
use super::parse::checker;
use super::reader::{Field, Reader, Section};
use super::units;
use super::{CheckersAbove, Compare, Condition, Operator, Policy, Team};
use crate::domain::{Action, Checker, Direction, Risk, Score, Source};

/// Checkers whose findings name a place but cover no exact secret: there is nothing to cut out.
const WITHOUT_SPANS: [&str; 3] = ["vuln", "agent", "security"];

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>, teams: &[Team]) -> Vec<Policy> {
    let Some(field) = top.find("policies").filter(|it| !matches!(it.node.value, Value::Null)) else {
        return Vec::new();
    };
    let mut policies: Vec<Policy> = Vec::new();
    for item in reader.list(field).unwrap_or_default() {
        let Some((name, policy)) = policy(reader, &item, teams) else { continue };
        match policies.iter().any(|it| it.name == policy.name) {
            true => {
                let what = format!("there is another policy of the name {}", reader.quote(&name));
                reader.reject(&name, what, "a name of its own for each policy");
            }
            false => policies.push(policy),
        }
    }
    policies
}

/// A policy, and the field of its name.
fn policy<'n>(reader: &mut Reader<'_>, field: &Field<'n>, teams: &[Team]) -> Option<(Field<'n>, Policy)> {
    let section = reader.section(field, keys::POLICY)?;
    let mut required = |key: &str| {
        let found = section.find(key).cloned();
        if found.is_none() {
            reader.reject(field, format!("this policy has no `{key}`"), "`name`, `condition` and `action`");
        }
        found
    };
    let (name, condition_field, action_field) = (required("name"), required("condition"), required("action"));
    let condition = condition_field.as_ref().and_then(|it| condition(reader, it, teams));
    let actions = Action::ALL.map(|it| (it.name(), it));
    let action = action_field.as_ref().and_then(|it| reader.choice(it, &actions));
    let redact = section.find("redact").and_then(|it| reader.flag(it));
    let description = section.find("description").and_then(|it| reader.text(it));
    let text = name.as_ref().and_then(|it| reader.text(it));
    let (condition, action, action_field) = (condition?, action?, action_field?);
    enforceable(reader, &condition, action, &action_field);
    if let (Some(field), Some(redact)) = (section.find("redact"), redact) {
        coherent(reader, field, redact, action);
    }
    Some((name?, Policy { name: text?, description, condition, action, redact }))
}

/// What is blocked or redacted must have a span for the one and a stop for the other.
fn enforceable(reader: &mut Reader<'_>, condition: &Condition, action: Action, field: &Field<'_>) {
    if action != Action::Redact {
        return;
    }
    let checker = condition.checker.as_ref().map(Checker::name);
    let rule = condition.rule.as_deref().and_then(|it| it.split('.').next());
    if let Some(name) = [checker, rule].into_iter().flatten().find(|it| WITHOUT_SPANS.contains(it)) {
        let what = format!("findings of `{name}` cannot be redacted: they cover no exact secret");
        reader.reject(field, what, "one of block, review, flag, log, allow");
    }
}

fn coherent(reader: &mut Reader<'_>, field: &Field<'_>, redact: bool, action: Action) {
    match (action, redact) {
        (Action::Block, _) => {}
        (Action::Redact, false) => {
            reader.reject(field, "`redact: false` stands beside `action: redact`", "`action: block`");
        }
        _ => reader.warn(field, "`redact:` changes nothing here", "it says what `action: block` does"),
    }
}

fn condition(reader: &mut Reader<'_>, field: &Field<'_>, teams: &[Team]) -> Option<Condition> {
    let before = reader.mistakes.len();
    let section = reader.section(field, keys::CONDITION)?;
    if reader.mistakes.len() == before && keys::CONDITION.iter().all(|it| section.find(it).is_none()) {
        reader.reject(field, "this condition is empty", "at least one key, or the policy would hold for everything");
    }
    let directions = [Direction::Outbound, Direction::Inbound].map(|it| (it.name(), it));
    let sources = Source::ALL.map(|it| (it.name(), it));
    let condition = Condition {
        checker: section.find("checker").and_then(|it| checker(reader, it)),
        risk: section.find("risk").and_then(|it| risk(reader, it, Operator::Equal)),
        score: section.find("score").and_then(|it| score(reader, it, Operator::Equal)),
        contains_flag: section.find("contains_flag").and_then(|it| reader.text(it)),
        passed: section.find("passed").and_then(|it| reader.flag(it)),
        overall_risk: section.find("overall_risk").and_then(|it| risk(reader, it, Operator::Equal)),
        overall_score: section.find("overall_score").and_then(|it| score(reader, it, Operator::Equal)),
        checkers_above: section.find("checkers_above").and_then(|it| checkers_above(reader, it)),
        team: section.find("team").and_then(|it| team(reader, it, teams)),
        model: section.find("model").and_then(|it| reader.text(it)),
        direction: section.find("direction").and_then(|it| reader.choice(it, &directions)),
        rule: section.find("rule").and_then(|it| rule(reader, it)),
        label: section.find("type").and_then(|it| reader.text(it)),
        source: section.find("source").and_then(|it| reader.choice(it, &sources)),
    };
    if let Some(field) = section.find("passed") {
        passed(reader, field, &section, condition.passed);
    }
    rule_of_checker(reader, &section, condition.checker.as_ref(), condition.rule.as_deref());
    // A key that could not be read would widen the condition; the mistake is noted, the policy is not used.
    Some(condition)
}

/// A rule that is named beside a checker must be one of it.
pub(super) fn rule_of_checker(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    checker: Option<&Checker>,
    rule: Option<&str>,
) {
    let (Some(field), Some(checker), Some(rule)) = (section.find("rule"), checker, rule) else { return };
    let first = rule.split('.').next().unwrap_or_default();
    if !first.contains('*') && first != checker.name() {
        let what = format!("this can never hold: no rule of `{checker}` has such an id");
        reader.reject(field, what, &format!("an id that starts with `{checker}.`"));
    }
}

/// `passed` is about a checker as a whole: it needs one, and `true` leaves no finding for other keys to look at.
fn passed(reader: &mut Reader<'_>, field: &Field<'_>, section: &Section<'_>, passed: Option<bool>) {
    if section.find("checker").is_none() {
        reader.reject(field, "`passed` does not say of which checker", "`checker:` beside it");
    }
    let of_findings = ["risk", "score", "contains_flag", "rule", "type", "source"];
    if let (Some(true), Some(key)) = (passed, of_findings.iter().find(|it| section.find(it).is_some())) {
        let what = format!("this can never hold: a checker that passed has no finding whose `{key}` could be compared");
        reader.reject(field, what, "`passed: true` without keys of single findings");
    }
}

/// `">= high"`; a bare level compares with `bare`.
pub(super) fn risk(reader: &mut Reader<'_>, field: &Field<'_>, bare: Operator) -> Option<Compare<Risk>> {
    let text = reader.text(field)?;
    let (operator, level) = units::comparison(&text, bare);
    let Ok(value) = level.parse::<Risk>() else {
        let names = Risk::ALL.map(Risk::name);
        let mistake = Mistake::new(&field.path, Some(field.node.span), format!("{} is no risk", reader.quote(field)));
        let mut mistake = mistake.one_of(units::comparison(reader.typed(field), bare).1, &names);
        mistake.expected =
            Some(format!("a level (low, medium, high, critical), with {OPERATORS} before it or without"));
        reader.mistakes.push(mistake);
        return None;
    };
    possible(reader, field, Compare { operator, value }, &Risk::Low, &Risk::Critical)
}

const OPERATORS: &str = "`>=`, `<=`, `>`, `<`, `==` or `!=`";

/// `"> 0.8"`; a bare number compares with `bare`.
fn score(reader: &mut Reader<'_>, field: &Field<'_>, bare: Operator) -> Option<Compare<Score>> {
    let text = reader.text(field)?;
    let (operator, number) = units::comparison(&text, bare);
    let (Some(value), Some(lowest), Some(highest)) =
        (number.parse().ok().and_then(Score::new), Score::new(0.0), Score::new(1.0))
    else {
        let expected = format!("a number from 0 to 1, with {OPERATORS} before it or without");
        reader.reject(field, format!("{} is no score", reader.quote(field)), &expected);
        return None;
    };
    possible(reader, field, Compare { operator, value }, &lowest, &highest)
}

fn possible<T: Ord>(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    compare: Compare<T>,
    lowest: &T,
    highest: &T,
) -> Option<Compare<T>> {
    if units::possible(&compare, lowest, highest) {
        return Some(compare);
    }
    reader.reject(field, format!("{} can never hold", reader.quote(field)), "a comparison that some value satisfies");
    None
}

fn checkers_above(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<CheckersAbove> {
    let section = reader.section(field, keys::CHECKERS_ABOVE)?;
    if section.find("risk").is_none() && section.find("score").is_none() {
        reader.reject(field, "`checkers_above` has nothing to compare with", "`risk:`, `score:` or both");
    }
    let most = u64::try_from(reader.checkers.len()).unwrap_or(u64::MAX);
    let above_risk = section.find("risk").and_then(|it| risk(reader, it, Operator::AtLeast));
    let above_score = section.find("score").and_then(|it| score(reader, it, Operator::AtLeast));
    let count = match section.find("count") {
        Some(field) => reader.integer(field, 1..=most)?,
        None => 1,
    };
    Some(CheckersAbove { risk: above_risk, score: above_score, count: u32::try_from(count).ok()? })
}

pub(super) fn team(reader: &mut Reader<'_>, field: &Field<'_>, teams: &[Team]) -> Option<String> {
    let text = reader.text(field)?;
    let mut names: Vec<&str> = teams.iter().map(|it| it.name.as_str()).collect();
    if names.is_empty() {
        names.push("default");
    }
    if names.contains(&text.as_str()) {
        return Some(text);
    }
    let what = format!("there is no team {}", reader.quote(field));
    let mistake = Mistake::new(&field.path, Some(field.node.span), what);
    reader.mistakes.push(mistake.one_of(reader.typed(field), &names));
    None
}

/// A rule id starts with the name of its checker; `*` stands for anything.
pub(super) fn rule(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let first = text.split('.').next().unwrap_or_default();
    if first.contains('*') || reader.checkers.contains(&first) {
        return Some(text);
    }
    let what = format!("no rule can have the id {}", reader.quote(field));
    let mistake = Mistake::new(&field.path, Some(field.node.span), what);
    let mut mistake = mistake.one_of(first, reader.checkers);
    mistake.expected = Some(format!("an id that starts with its checker: {}", reader.checkers.join(", ")));
    reader.mistakes.push(mistake);
    None
}
