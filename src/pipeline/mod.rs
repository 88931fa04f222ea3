//! The order of things: one exchange from open to close, and the compiled [`Snapshot`] it runs on.

mod exchange;
mod live;
mod reply;
mod snapshot;

pub use exchange::{Answering, Exchange, Flow, Forward, Head, Opening, Sending};
pub use live::Live;
pub use reply::Reply;
pub use snapshot::{Snapshot, SnapshotError, Upstream};
