//! What a group of gateways runs on, as one text in the words of `gateway.yaml`: what the author wrote stands first, so
//! that its lines are the author's; behind it stand providers, teams and rules as they are kept here, a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::inputs::Inputs;
use crate::config::{Authored, Mistakes, Moment};
use crate::control::keys::Key;
use crate::control::providers::Provider;
use crate::control::teams::Team;
use crate::domain::Held;

/// What an author may write; everything else is kept in other places, or belongs to each gateway.
const SECTIONS: [&str; 10] = [
    "checks",
    "policies",
    "exceptions",
    "redaction",
    "block_on_secrets",
    "redact_secrets",
    "on_unscannable",
    "team_limits",
    "prices",
    "quarantine",
];
/// A group without teams lets nobody in, not everybody.
const NO_TEAM: &str = "default";
/// What the names of providers' keys begin with.
pub(super) const SECRET_PREFIX: &str = "PROVIDER_KEY_";

/// What a bundle is about, without what is secret in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// What the author wrote.
    pub(crate) policy: String,
    /// `upstream:`
    upstream: Map<String, Value>,
    /// `teams:`
    teams: Map<String, Value>,
    /// Rule files by path.
    pub(crate) files: BTreeMap<String, String>,
    /// What stands for providers' keys: where each is kept, by the name that the text has for it.
    pub(crate) secrets: BTreeMap<String, SecretPlace>,
    /// Users by the key that records name.
    pub(crate) owners: BTreeMap<String, String>,
    /// Who is kept out.
    pub(crate) held: Vec<Held>,
}

/// Where a provider's key is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SecretPlace {
    pub(crate) provider: String,
    pub(crate) key: String,
}

/// The checks that teams' own rules add to.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnChecks {
    /// `checks.outbound` and `checks.inbound`, as they hold for teams that name none.
    pub(super) common: [Vec<String>; 2],
    /// By team: the checkers of its own rules.
    pub(super) of_teams: BTreeMap<String, Vec<String>>,
}

/// Whether these are sections that an author may write.
pub(crate) fn check_authored(policy: &str) -> Result<(), Mistakes> {
    Authored { origin: "policy", sections: &SECTIONS, except: &[("redaction", "key")] }.check(policy)
}

impl Content {
    /// Of these parts. `own` are the checkers of teams' own rules: what each team's checks are longer by, with the
    /// checks that hold for teams that name none.
    pub(super) fn compose(inputs: &Inputs, own: &OwnChecks) -> Content {
        let mut content = Content { policy: inputs.policy.clone(), held: inputs.held.clone(), ..Content::default() };
        for provider in &inputs.providers {
            let upstream = content.upstream(provider);
            content.upstream.insert(provider.name.clone(), upstream);
        }
        for team in &inputs.teams {
            let keys = inputs.keys.iter().filter(|it| it.team == team.name);
            content.teams.insert(team.name.clone(), team_of(team, keys, own));
        }
        if content.teams.is_empty() {
            content.teams.insert(NO_TEAM.to_owned(), json!({}));
        }
        for rules in &inputs.rules {
            content.files.insert(rules.path.clone(), rules.text.clone());
        }
        let owned = inputs.keys.iter().filter_map(|it| Some((it.in_records().to_owned(), it.owner.clone()?)));
        content.owners = owned.collect();
        content
    }

    /// One provider, with the names of its keys.
    fn upstream(&mut self, provider: &Provider) -> Value {
        let settings = &provider.settings;
        let mut upstream = Map::new();
        match settings.urls.as_slice() {
            [one] => upstream.insert("url".to_owned(), text(one)),
            several => upstream.insert("urls".to_owned(), several.iter().map(|it| text(it)).collect()),
        };
        upstream.insert("dialect".to_owned(), text(&settings.dialect));
        let mut names = Vec::new();
        for key in &provider.keys {
            let fit = |it: char| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' };
            let name = format!("{SECRET_PREFIX}{}", key.id.chars().map(fit).collect::<String>());
            names.push(Value::String(format!("${{{name}}}")));
            self.secrets.insert(name, SecretPlace { provider: provider.name.clone(), key: key.id.clone() });
        }
        if !names.is_empty() {
            upstream.insert("api_keys".to_owned(), Value::Array(names));
        }
        Value::Object(upstream)
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.policy.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let files: Vec<&String> = self.files.keys().collect();
        let sections = [("upstream", json!(self.upstream)), ("teams", json!(self.teams)), ("rules", json!(files))];
        for (name, value) in sections {
            let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
            if !empty {
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        text
    }

    /// Lines that are the author's.
    pub(crate) fn authored_lines(&self) -> usize {
        self.policy.lines().count()
    }

    /// Names of the teams, and of the providers.
    pub(super) fn names(&self) -> (Vec<&str>, Vec<&str>) {
        (self.teams.keys().map(String::as_str).collect(), self.upstream.keys().map(String::as_str).collect())
    }

    /// Without the gateway keys that `now` does not have: what is taken back is taken back, whatever else is wrong.
    /// Who is kept out is as it is in `now`.
    pub(super) fn without_what_ended(&self, now: &Content) -> Content {
        let mut kept = self.clone();
        for (name, team) in kept.teams.iter_mut() {
            let holding =
                now.teams.get(name).and_then(|it| it.get("api_keys")?.as_array().cloned()).unwrap_or_default();
            if let Some(keys) = team.get_mut("api_keys").and_then(Value::as_array_mut) {
                // As they are now: their end may be another.
                let is_known = |it: &Value| keys.iter().any(|known| digest_in(known) == digest_in(it));
                let still = holding.into_iter().filter(is_known).collect();
                *keys = still;
            }
        }
        kept.secrets.retain(|name, _| now.secrets.contains_key(name));
        for upstream in kept.upstream.values_mut() {
            let holding = |it: &Value| it.as_str().is_some_and(|it| refers_to_one_of(it, &now.secrets));
            if let Some(keys) = upstream.get_mut("api_keys").and_then(Value::as_array_mut) {
                keys.retain(holding);
            }
            // A list of keys that is empty is a mistake; a provider without keys is none.
            if let Some(fields) = upstream.as_object_mut()
                && fields.get("api_keys").and_then(Value::as_array).is_some_and(Vec::is_empty)
            {
                fields.remove("api_keys");
            }
        }
        kept.owners.retain(|key, _| now.owners.contains_key(key));
        kept.held = now.held.clone();
        kept
    }
}

fn refers_to_one_of(reference: &str, secrets: &BTreeMap<String, SecretPlace>) -> bool {
    let name = reference.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
    name.is_some_and(|it| secrets.contains_key(it))
}

fn team_of<'k>(team: &Team, keys: impl Iterator<Item = &'k Key>, own: &OwnChecks) -> Value {
    let mut value = escaped(json!(team.settings));
    let Some(fields) = value.as_object_mut() else { return value };
    fields.remove("description");
    if let Some(checkers) = own.of_teams.get(&team.name) {
        for (key, common) in ["outbound_checks", "inbound_checks"].into_iter().zip(&own.common) {
            let checks = fields.entry(key).or_insert_with(|| json!(common));
            let Some(checks) = checks.as_array_mut() else { continue };
            for checker in checkers.iter().map(|it| json!(it)) {
                if !checks.contains(&checker) {
                    checks.push(checker);
                }
            }
        }
    }
    let keys: Vec<Value> = keys.map(entry_of).collect();
    if !keys.is_empty() {
        fields.insert("api_keys".to_owned(), Value::Array(keys));
    }
    value
}

/// What gateways know a key by, with its end, which they judge by their own clock, whether they hear of it or not.
fn entry_of(key: &Key) -> Value {
    let end = key.expires_ms.map(|it| format!(" until {}", Moment::of(Duration::from_millis(it))));
    json!(format!("sha256:{}{}", key.digest, end.unwrap_or_default()))
}

/// The digest of such an entry.
fn digest_in(entry: &Value) -> Option<&str> {
    entry.as_str()?.split(' ').next()
}

/// Text that stands for itself, whatever dollar signs are in it.
fn text(text: &str) -> Value {
    Value::String(text.replace('$', "$$"))
}

fn escaped(value: Value) -> Value {
    match value {
        Value::String(it) => text(&it),
        Value::Array(items) => items.into_iter().map(escaped).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, it)| (name, escaped(it))).collect(),
        other => other,
    }
}
