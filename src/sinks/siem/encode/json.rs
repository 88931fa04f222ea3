//! The record as it stands in the audit log, and its hash: who has the hash before can verify it.

use serde_json::{Value, json};

use super::super::view::{Detail, View};
use crate::store::{Record, Side, Subject};

pub(super) fn encode(view: &View<'_>) -> String {
    let hash = &view.entry.hash;
    if view.detail == Detail::BRIEF {
        return brief(view).to_string();
    }
    // A body is an object whose JSON was written by this program, in one line.
    match view.entry.body.strip_suffix('}') {
        Some(open) if !open.contains(['\n', '\r']) => format!("{open},\"hash\":\"{hash}\"}}"),
        _ => json!({"record": &*view.entry.body, "hash": hash.to_string()}).to_string(),
    }
}

/// With the first findings only. It says so, because the hash is that of the whole.
fn brief(view: &View<'_>) -> Value {
    let mut record: Record = view.record.clone();
    if let Subject::Exchange(it) | Subject::Decision(it) = &mut record.subject {
        shorten(&mut it.outbound, view.detail.items_max);
        shorten(&mut it.inbound, view.detail.items_max);
    }
    let mut value = serde_json::to_value(&record).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("hash".to_owned(), view.entry.hash.to_string().into());
        fields.insert("shortened".to_owned(), true.into());
    }
    value
}

fn shorten(side: &mut Side, items_max: usize) {
    for left_out in side.findings.drain(items_max.min(side.findings.len())..) {
        side.findings_omitted = side.findings_omitted.saturating_add(left_out.count);
    }
}
