//! Time as a value that is handed in, so that the pure rooms have none of their own.

use std::time::Duration;

/// A moment: monotonic for durations, wall clock for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Since an arbitrary start; never goes back.
    pub monotonic: Duration,
    /// Since 1970-01-01T00:00:00Z.
    pub unix: Duration,
}

impl Stamp {
    /// Time from `earlier` to this, zero if it lies ahead.
    pub fn since(self, earlier: Stamp) -> Duration {
        self.monotonic.saturating_sub(earlier.monotonic)
    }
}

/// Where moments come from.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Stamp;
}
