//! Nested objects, built by path.

use serde_json::{Map, Value};

/// Sets the value at `a.b[0].c`. Where a list is named, only its first item is meant.
pub(super) fn put(tree: &mut Map<String, Value>, path: &str, value: impl Into<Value>) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let (key, listed) = head.strip_suffix("[0]").map_or((head, false), |key| (key, true));
    let Some(rest) = rest else {
        tree.insert(key.to_owned(), value.into());
        return;
    };
    let empty = || Value::Object(Map::new());
    let slot = tree.entry(key).or_insert_with(|| if listed { Value::Array(vec![empty()]) } else { empty() });
    let slot = match slot {
        Value::Array(items) => match items.first_mut() {
            Some(first) => first,
            None => return,
        },
        slot => slot,
    };
    if let Value::Object(inner) = slot {
        put(inner, rest, value);
    }
}
