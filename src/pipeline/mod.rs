//! The order of things: one exchange from open to close, and the compiled [`Snapshot`] it runs on.

mod access;
mod answer;
mod block;
mod body;
mod completion;
mod credentials;
mod document;
mod exchange;
mod held;
mod inbound;
mod inspect;
mod judge;
mod label;
mod live;
mod locate;
mod memory;
mod models;
mod notice;
mod opaque;
mod opening;
mod prompt;
mod queue;
mod record;
mod redact;
mod reply;
mod restore;
mod route;
mod rules;
mod snapshot;
mod tally;
mod witness;
mod written;

pub use answer::{Answering, Flow};
pub use exchange::Exchange;
pub use inspect::Inspection;
pub use live::{History, Live};
pub use opening::{Head, Opening};
pub use prompt::{Forward, Sending};
pub use reply::Reply;
pub use rules::custom_checkers;
pub use snapshot::{Snapshot, SnapshotError, Upstream};

pub use crate::providers::RefusalKind;
