//! The one place where edge and control meet: the snapshot in force, swapped atomically.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;

/// Holder of the snapshot in force. An exchange keeps the one it started with.
pub struct Live(ArcSwap<Snapshot>);

impl Live {
    /// Starts with this snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Live(ArcSwap::new(snapshot))
    }

    /// The snapshot in force.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts another in force.
    pub fn store(&self, snapshot: Arc<Snapshot>) {
        self.0.store(snapshot);
    }
}
