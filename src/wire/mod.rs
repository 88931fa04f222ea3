//! Formats as bytes: JSON, server-sent events, content encodings, splices. No meaning.

pub mod encoding;
pub mod json;
pub mod splice;
pub mod sse;
