//! The order of things: one exchange from open to close, and the compiled [`Snapshot`] it runs on.

mod access;
mod block;
mod body;
mod completion;
mod credentials;
mod document;
mod exchange;
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
mod record;
mod redact;
mod reply;
mod restore;
mod route;
mod snapshot;

pub use exchange::{Answering, Exchange, Flow, Forward, Head, Opening, Sending};
pub use inspect::Inspection;
pub use live::Live;
pub use reply::Reply;
pub use snapshot::{Snapshot, SnapshotError, Upstream};

pub use crate::providers::RefusalKind;
