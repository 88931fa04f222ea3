//! `exceptions:` findings that somebody answers for, within a scope and until a day.

use super::day::Day;
use super::keys;
use super::mistake::Mistake;
use super::node::Value;
use super::parse::checker;
use super::policies::{rule, rule_of_checker, team};
use super::reader::{Field, Reader, Section};
use super::{Exception, File, Scope, Team};
use crate::domain::{Direction, Source, Stamp};

const NAME_CHARS_MAX: usize = 64;
/// An exception for more days than this is worth a warning.
const DAYS_MAX: u32 = 366;
/// Keys that say what is excepted; the others say only where.
const WHAT: [&str; 4] = ["rule", "type", "checker", "fingerprint"];

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>, teams: &[Team]) -> Vec<Exception> {
    let Some(field) = top.find("exceptions").filter(|it| !matches!(it.node.value, Value::Null)) else {
        return Vec::new();
    };
    let mut exceptions: Vec<Exception> = Vec::new();
    for item in reader.list(field).unwrap_or_default() {
        let Some(exception) = exception(reader, &item, teams) else { continue };
        match exceptions.iter().any(|it| it.name == exception.name) {
            true => {
                let what = format!("there is another exception of the name `{}`", exception.name);
                reader.reject(&item, what, "a name of its own for each exception");
            }
            false => exceptions.push(exception),
        }
    }
    exceptions
}

fn exception(reader: &mut Reader<'_>, field: &Field<'_>, teams: &[Team]) -> Option<Exception> {
    let section = reader.section(field, keys::EXCEPTION)?;
    let mut required = |key: &str, help: &str| {
        let found = section.find(key).cloned();
        if found.is_none() {
            let mistake = Mistake::new(&field.path, Some(field.node.span), format!("this exception has no `{key}`"));
            reader.mistakes.push(mistake.expected("`name`, `reason`, `expires` and `scope`").help(help));
        }
        found
    };
    let name_field = required("name", "write `name: sample_key`: records and metrics call it so");
    let reason = required("reason", "write `reason: …`: why this may pass, and who answers for it");
    let expires = required("expires", "write `expires: 2030-12-31`: the last day, UTC, on which it holds");
    let scope_field = required("scope", "write `scope: {rule: secrets.aws.access_key}`: what may pass, and where");
    let name = name_field.as_ref().and_then(|it| name(reader, it));
    let reason = reason.and_then(|it| reader.text(&it));
    let expires = expires.and_then(|it| Some((day(reader, &it)?, it.node.span)));
    let scope = scope_field.as_ref().and_then(|it| scope(reader, it, teams));
    let (expires, place) = expires?;
    Some(Exception { name: name?, reason: reason?, expires, scope: scope?, place })
}

/// The name is a metric label and a word of records.
fn name(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if text.len() > NAME_CHARS_MAX || !text.bytes().all(safe) {
        let what = format!("{} cannot be the name of an exception", reader.quote(field));
        reader.reject(field, what, "at most 64 letters, digits, `-`, `_` and `.`");
        return None;
    }
    Some(text)
}

fn day(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Day> {
    let text = reader.text(field)?;
    if let Ok(day) = text.parse() {
        return Some(day);
    }
    let expected = "the last day, UTC, on which it holds, such as `2030-12-31`";
    reader.reject(field, format!("{} is no day", reader.quote(field)), expected);
    None
}

fn scope(reader: &mut Reader<'_>, field: &Field<'_>, teams: &[Team]) -> Option<Scope> {
    let before = reader.mistakes.len();
    let section = reader.section(field, keys::SCOPE)?;
    let expected = "at least one of rule, type, checker and fingerprint: what may pass";
    let none = |names: &[&str]| names.iter().all(|it| section.find(it).is_none());
    if reader.mistakes.len() == before && none(&WHAT) {
        match none(keys::SCOPE) {
            true => reader.reject(field, "this scope is empty: everything would be excepted", expected),
            false => reader.reject(field, "this scope says where, but not what may pass there", expected),
        }
    }
    let directions = [Direction::Outbound, Direction::Inbound].map(|it| (it.name(), it));
    let sources = Source::ALL.map(|it| (it.name(), it));
    let scope = Scope {
        rule: section.find("rule").and_then(|it| rule(reader, it)),
        label: section.find("type").and_then(|it| reader.text(it)),
        checker: section.find("checker").and_then(|it| checker(reader, it)),
        fingerprint: section.find("fingerprint").and_then(|it| fingerprint(reader, it)),
        team: section.find("team").and_then(|it| team(reader, it, teams)),
        model: section.find("model").and_then(|it| reader.text(it)),
        direction: section.find("direction").and_then(|it| reader.choice(it, &directions)),
        source: section.find("source").and_then(|it| reader.choice(it, &sources)),
    };
    rule_of_checker(reader, &section, scope.checker.as_ref(), scope.rule.as_deref());
    // A key that could not be read would widen the scope; the mistake is noted, the exception is not used.
    Some(scope)
}

/// What stands here by mistake may be the value itself: it is never shown.
fn fingerprint(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<crate::domain::Fingerprint> {
    let text = reader.text(field)?;
    if let Ok(fingerprint) = text.parse() {
        return Some(fingerprint);
    }
    reader.hide(field.node);
    let what = "this is no fingerprint";
    reader.reject(field, what, "32 hex digits, as `airiskguard-gateway fingerprint --digest` prints them");
    None
}

/// Whether what is configured can be told apart at all.
pub(super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let by_value = file.exceptions.iter().find(|it| it.scope.fingerprint.is_some());
    let (Some(field), Some(exception), None) = (top.find("exceptions"), by_value, &file.known_secrets.key) else {
        return;
    };
    let what = format!("the exception `{}` names a fingerprint, but there is no key to compare with", exception.name);
    let help = "write `known_secrets: {key: ${AIRISKGUARD_FINGERPRINT_KEY}}`, the key it was made with";
    let mistake = Mistake::new(&field.path, Some(field.node.span), what);
    reader.mistakes.push(mistake.expected("`known_secrets.key`").help(help));
}

impl File {
    /// What is doubtful on this day, and was not on the day the file was written: exceptions that no longer hold, and
    /// those that hold for longer than anybody looks ahead.
    pub fn doubtful_at(&self, now: Stamp) -> Vec<Mistake> {
        let today = Day::of(now.unix);
        let mut doubtful = Vec::new();
        for (index, it) in self.exceptions.iter().enumerate() {
            let (what, help) = match it.expires {
                day if day < today => (
                    format!("the exception `{}` expired on {day}: what it excepted is stopped again", it.name),
                    "remove it, or renew `expires` once somebody has looked whether its reason still holds",
                ),
                day if day.since(today) > DAYS_MAX => (
                    format!(
                        "the exception `{}` holds until {day}: nobody will look at it for more than a year",
                        it.name
                    ),
                    "choose an earlier day; an exception can be renewed",
                ),
                _ => continue,
            };
            doubtful.push(Mistake::new(&format!("exceptions[{index}].expires"), Some(it.place), what).help(help));
        }
        doubtful
    }
}
