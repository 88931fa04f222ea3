//! Every change is a record in the audit log: who, what, and what is different now.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::Value;

use super::http::Actor;
use crate::sinks::Scribe;
use crate::store::Act;

/// Longest value of a particular, bytes; more is cut.
const VALUE_BYTES_MAX: usize = 2000;

/// Writes acts of people down.
#[derive(Default)]
pub(super) struct Acts(OnceLock<Scribe>);

impl Acts {
    /// To this one; without one nothing is recorded.
    pub(super) fn new(scribe: Option<Scribe>) -> Acts {
        let acts = Acts::default();
        scribe.into_iter().for_each(|it| acts.write_to(it));
        acts
    }

    /// To this one from now on, where there was none.
    pub(super) fn write_to(&self, scribe: Scribe) {
        // The first one stays, as is documented.
        drop(self.0.set(scribe));
    }

    /// Writes down that `actor` did this. Nothing secret may stand in the details.
    pub(super) fn note<const N: usize>(&self, actor: &Actor, act: &str, details: [(&str, String); N]) {
        self.write(actor, act, details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    }

    /// The same, with what differs between two states of one thing: `name: before -> after`.
    pub(super) fn changed<T: Serialize>(
        &self,
        actor: &Actor,
        act: &str,
        id: &str,
        before: Option<&T>,
        after: Option<&T>,
    ) {
        let mut details = difference(before, after);
        details.insert("id".to_owned(), id.to_owned());
        self.write(actor, act, details);
    }

    /// The same, with details whose number is not known beforehand.
    pub(super) fn write(&self, actor: &Actor, act: &str, mut details: BTreeMap<String, String>) {
        for value in details.values_mut() {
            value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
        }
        if let Some(address) = actor.address() {
            details.insert("from".to_owned(), address.to_string());
        }
        tracing::info!(act, actor = actor.name(), "control");
        if let Some(scribe) = self.0.get() {
            let act = Act { act: act.to_owned(), actor: actor.name(), details };
            // Acts stand in the order in which they happened; one waits only where the queue is full, and must not hold up
            // the others that this thread serves.
            let Err(act) = scribe.try_act(act) else { return };
            let scribe = scribe.clone();
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || scribe.act(act))),
                Err(_) => scribe.act(act),
            }
        }
    }
}

/// What differs between two states, by field.
pub(super) fn difference<T: Serialize>(before: Option<&T>, after: Option<&T>) -> BTreeMap<String, String> {
    let fields = |it: Option<&T>| match it.and_then(|it| serde_json::to_value(it).ok()) {
        Some(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let names = before.keys().chain(after.keys().filter(|it| !before.contains_key(*it)));
    let mut difference = BTreeMap::new();
    for name in names {
        let shown = |it: Option<&Value>| match it {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let (old, new) = (shown(before.get(name)), shown(after.get(name)));
        if old != new {
            difference.insert(name.clone(), format!("{old} -> {new}"));
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_changed_and_nothing_else() {
        let before = serde_json::json!({"name": "a", "models": ["x"], "note": null});
        let after = serde_json::json!({"name": "a", "models": ["x", "y"], "note": "new"});
        let difference = difference(Some(&before), Some(&after));
        let shown: Vec<_> = difference.iter().map(|(name, it)| format!("{name}: {it}")).collect();
        assert_eq!(shown, [r#"models: ["x"] -> ["x","y"]"#, "note: - -> new"]);
    }
}
