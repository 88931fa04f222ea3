//! Where records go beyond the gateway, and what can go wrong there.

use async_trait::async_trait;
use serde_json::Value;

use crate::store::Entry;

/// A receiver of the audit log: the store, a channel for alerts, a SIEM. Each has a cursor of its own: it is given
/// every entry, in order, at least once.
#[async_trait]
pub trait Outlet: Send {
    /// Its name for cursors, metrics and logs: `store`, `slack`, `siem.splunk`. Stable over restarts.
    fn name(&self) -> &str;

    /// Takes entries, in order; of those it has no use for it takes no notice. The call is cut off after
    /// [`DELIVERY_TIMEOUT`](super::DELIVERY_TIMEOUT), so that each try of its own is best bounded below that.
    async fn deliver(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Failure>;

    /// Called about once a second while there is nothing to deliver, for what is due by time.
    async fn idle(&mut self, _now_ms: u64) -> Result<(), Failure> {
        Ok(())
    }

    /// What it must remember over a restart beside its cursor; at most [`STATE_BYTES_MAX`](super::STATE_BYTES_MAX).
    fn state(&self) -> Option<Value> {
        None
    }

    /// What [`Outlet::state`] returned before the restart.
    fn restore(&mut self, _state: Value) {}
}

/// Why a delivery did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How many of the entries need not be delivered again.
    pub done: usize,
    /// Whether trying again can help.
    pub hope: Hope,
    /// For the log: what the other side said, without addresses that hold secrets and without record text.
    pub what: String,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hope {
    /// The other side is away, slow or overloaded: the same entry again, later and later.
    Later,
    /// It does not want this very entry, and never will: the entry becomes a dead letter at once.
    Never,
}

impl Failure {
    /// Worth another try; nothing of the batch was taken.
    pub fn later(what: impl Into<String>) -> Self {
        Failure { done: 0, hope: Hope::Later, what: what.into() }
    }

    /// The first entry of the batch is refused for good.
    pub fn never(what: impl Into<String>) -> Self {
        Failure { done: 0, hope: Hope::Never, what: what.into() }
    }

    /// The same, after this many entries were taken.
    pub fn after(self, done: usize) -> Self {
        Failure { done, ..self }
    }
}
