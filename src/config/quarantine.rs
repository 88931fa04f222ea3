//! `quarantine:` after how many findings a session, a key, a user or a team is kept out, and who lets them in again.

use std::time::Duration;

use super::keys;
use super::mistake::Mistake;
use super::node::Value;
use super::policies::risk;
use super::reader::{Field, Reader, Section};
use super::units::duration_text;
use super::{Compare, Operator};
use crate::domain::{HeldKind, Risk};

const NAME_CHARS_MAX: usize = 64;
const CONTACT_CHARS_MAX: usize = 200;
/// Rules of one file: every exchange with findings goes through all of them.
const RULES_MAX: usize = 32;
const FINDINGS_MAX: u64 = 1000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Who is kept out, and who is to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quarantine {
    /// `contact:` whom developers are told to ask. Default none: their administrator.
    pub contact: Option<String>,
    /// `rules:` in the order of the file. Default none.
    pub rules: Vec<QuarantineRule>,
}

/// When somebody is kept out.
#[derive(Clone, Debug, PartialEq)]
pub struct QuarantineRule {
    /// `name:` unique.
    pub name: String,
    /// `findings:` so many different ones; the same value again is the same finding.
    pub findings: u32,
    /// `risk:` that they have. Default any; a bare level means at least that one.
    pub risk: Compare<Risk>,
    /// `within:` this time.
    pub within: Duration,
    /// `per:` session, key, user or team.
    pub per: HeldKind,
    /// `for:` how long; `None`: until somebody releases.
    pub lasts: Option<Duration>,
}

impl QuarantineRule {
    /// What has happened when it trips, for people: `3 findings of risk >= high within 10m (rule many_secrets)`.
    pub fn reason(&self) -> String {
        let sign = match self.risk.operator {
            Operator::AtLeast => ">=",
            Operator::AtMost => "<=",
            Operator::Above => ">",
            Operator::Below => "<",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
        };
        let findings = if self.findings == 1 { "finding" } else { "different findings" };
        let (count, risk, within) = (self.findings, self.risk.value, duration_text(self.within));
        format!("{count} {findings} of risk {sign} {risk} within {within} (rule {})", self.name)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Quarantine {
    let Some(field) = top.find("quarantine").filter(|it| !matches!(it.node.value, Value::Null)) else {
        return Quarantine::default();
    };
    let Some(section) = reader.section(field, keys::QUARANTINE) else { return Quarantine::default() };
    let contact = section.find("contact").and_then(|it| contact(reader, it));
    let mut rules: Vec<QuarantineRule> = Vec::new();
    let items = section.find("rules").and_then(|it| reader.list(it)).unwrap_or_default();
    if items.len() > RULES_MAX {
        reader.reject(field, "there are too many rules", "at most 32");
    }
    for item in items.iter().take(RULES_MAX) {
        let Some(rule) = rule(reader, item) else { continue };
        match rules.iter().any(|it| it.name == rule.name) {
            true => {
                let what = format!("there is another rule of the name `{}`", rule.name);
                reader.reject(item, what, "a name of its own for each rule");
            }
            false => rules.push(rule),
        }
    }
    Quarantine { contact, rules }
}

fn contact(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if text.chars().count() > CONTACT_CHARS_MAX || text.chars().any(char::is_control) {
        let what = "this cannot be shown to developers as the one to ask";
        reader.reject(field, what, "at most 200 characters in one line: a name, an address, a channel");
        return None;
    }
    Some(text)
}

fn rule(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<QuarantineRule> {
    let section = reader.section(field, keys::QUARANTINE_RULE)?;
    for key in ["name", "findings", "within", "per"] {
        if section.find(key).is_none() {
            let mistake = Mistake::new(&field.path, Some(field.node.span), format!("this rule has no `{key}`"));
            let help = "such as `{name: many_secrets, findings: 3, risk: \">= high\", within: 10m, per: session}`";
            reader.mistakes.push(mistake.expected("`name`, `findings`, `within` and `per`").help(help));
        }
    }
    let name = section.find("name").and_then(|it| name(reader, it));
    let findings = section.find("findings").and_then(|it| reader.integer(it, 1..=FINDINGS_MAX));
    let risk = match section.find("risk") {
        Some(it) => risk(reader, it, Operator::AtLeast),
        None => Some(Compare { operator: Operator::AtLeast, value: Risk::Low }),
    };
    let within = section.find("within").and_then(|it| reader.duration(it, Duration::from_secs(1)..=7 * DAY));
    let kinds = HeldKind::ALL.map(|it| (it.name(), it));
    let per = section.find("per").and_then(|it| reader.choice(it, &kinds));
    let lasts = match section.find("for") {
        Some(it) => Some(reader.duration(it, Duration::from_secs(1)..=366 * DAY)?),
        None => None,
    };
    let findings = u32::try_from(findings?).ok()?;
    Some(QuarantineRule { name: name?, findings, risk: risk?, within: within?, per: per?, lasts })
}

/// The name stands in records and in what developers read.
fn name(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if text.len() > NAME_CHARS_MAX || !text.bytes().all(safe) {
        let what = format!("{} cannot be the name of a rule", reader.quote(field));
        reader.reject(field, what, "at most 64 letters, digits, `-`, `_` and `.`");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{File, Mistakes};

    fn read(quarantine: &str) -> Result<File, Mistakes> {
        let text = format!("upstream: {{anthropic: https://one.example}}\nquarantine: {quarantine}\n");
        File::parse(&text, "gateway.yaml", &|_| Err("none".into()))
    }

    #[test]
    fn rules_are_read_and_say_what_has_happened() {
        let text = "{contact: '#security', rules: [{name: many, findings: 3, risk: high, within: 10m, per: session}, \
                    {name: one, findings: 1, within: 1h, per: key, for: 2h}]}";
        let it = read(text).unwrap().quarantine;
        assert_eq!(it.contact.as_deref(), Some("#security"));
        assert_eq!(it.rules[0].reason(), "3 different findings of risk >= high within 10m (rule many)");
        assert_eq!((it.rules[0].per, it.rules[0].lasts), (HeldKind::Session, None));
        assert_eq!(it.rules[1].reason(), "1 finding of risk >= low within 1h (rule one)");
        assert_eq!(it.rules[1].lasts, Some(Duration::from_secs(7200)));
        assert_eq!(read("").unwrap().quarantine, Quarantine::default());
    }

    #[test]
    fn what_cannot_be_enforced_is_a_mistake() {
        for (text, part) in [
            ("{rules: [{name: a, findings: 0, within: 1m, per: key}]}", "findings"),
            ("{rules: [{name: a, findings: 1, within: 1m, per: group}]}", "per"),
            ("{rules: [{name: a, findings: 1, within: 0s, per: key}]}", "within"),
            ("{rules: [{name: a, findings: 1, per: key}]}", "within"),
            ("{rules: [{name: a b, findings: 1, within: 1m, per: key}]}", "name"),
            ("{rules: [{name: a, findings: 1, within: 1m, per: key, risk: bad}]}", "risk"),
            (
                "{rules: [{name: a, findings: 1, within: 1m, per: key}, {name: a, findings: 2, within: 1m, per: key}]}",
                "another",
            ),
            ("{contact: \"a\\u0007b\"}", "contact"),
            ("{who: me}", "who"),
        ] {
            let mistakes = read(text).unwrap_err().to_string();
            assert!(mistakes.contains(part), "{text}: {mistakes}");
        }
    }
}
