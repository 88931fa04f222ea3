//! The list of models, cut down to those a team may use.

use serde_json::Value;

use crate::policy::Allowlist;

/// Characters of a model's name that a message shows; the name comes from the client.
const SHOWN_CHARS_MAX: usize = 80;

/// The list with only the models that the team may use. What is no list stays as it is.
pub(super) fn filter(body: &[u8], allowlist: &Allowlist) -> Vec<u8> {
    let Ok(mut list) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    let Some(models) = list.get_mut("data").and_then(Value::as_array_mut) else { return body.to_vec() };
    models.retain(|model| model.get("id").and_then(Value::as_str).is_some_and(|id| allowlist.allows(id)));
    let ends: Vec<Option<Value>> =
        vec![models.first(), models.last()].into_iter().map(|it| it?.get("id").cloned()).collect();
    for (key, id) in ["first_id", "last_id"].into_iter().zip(ends) {
        if let Some(slot) = list.get_mut(key) {
            *slot = id.unwrap_or(Value::Null);
        }
    }
    list.to_string().into_bytes()
}

/// A model's name as a message may show it.
pub(super) fn shown(model: &str) -> String {
    model.chars().filter(|it| !it.is_control()).take(SHOWN_CHARS_MAX).collect()
}
