//! Formats as bytes: JSON, server-sent events, content encodings, splices. No meaning.

pub mod json;
pub mod splice;
