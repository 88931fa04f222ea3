//! Content encodings: what a header names, decoded as the bytes arrive, never beyond its limits.

mod coding;
mod decoder;
mod stage;

pub use coding::{Coding, Unknown, codings};
pub use decoder::{Decoder, Error, Limits};

#[cfg(test)]
mod tests;
