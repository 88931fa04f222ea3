//! What is fuzzed: each target is a function over bytes that panics when something does not hold.
//!
//! libFuzzer drives them from `fuzz_targets/`, and `tests/fuzz_replay.rs` runs them over the kept corpora in `make test`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod config;
#[path = "../../tests/streams/dialect.rs"]
mod dialect;
mod dice;
pub mod encoding;
pub mod exchange;
mod golden;
pub mod json;
pub mod known;
mod leaves;
mod mutate;
pub mod rules;
pub mod splice;
pub mod sse;
pub mod stream;
#[path = "../../tests/support/mod.rs"]
mod support;

/// A target: takes bytes, panics on a finding.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus folder.
pub const ALL: [(&str, Target); 9] = [
    ("config", config::run),
    ("encoding", encoding::run),
    ("exchange", exchange::run),
    ("json", json::run),
    ("known", known::run),
    ("rules", rules::run),
    ("splice", splice::run),
    ("sse", sse::run),
    ("stream", stream::run),
];

/// A made-up key of a cloud, never whole in a file: where an input wants it, it says `§`.
fn planted() -> String {
    ["AK", "IAQ7ZT3WKXN5", "VBM2RD"].concat()
}
