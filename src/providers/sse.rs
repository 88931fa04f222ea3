//! Writing server-sent events whose data is one JSON value on one line.

use serde::Serialize;

/// Appends `event: …` (if the dialect names its events) and `data: …`.
pub(super) fn push(out: &mut Vec<u8>, event: Option<&str>, data: &impl Serialize) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&json(data));
    out.extend_from_slice(b"\n\n");
}

/// JSON bytes of one of this room's own shapes.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // The shapes written here have string keys and finite numbers only, for which serialisation into memory cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}
