//! The sum of body bytes held by all exchanges, and its bound.

use std::sync::Arc;

use crate::sinks::Metrics;

/// What one exchange holds. Given back when dropped.
pub(super) struct Lease {
    metrics: Arc<Metrics>,
    bytes: i64,
}

impl Lease {
    /// Nothing yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Lease { metrics, bytes: 0 }
    }

    /// This exchange now holds `bytes`, however much all of them hold: what is under way is not cut.
    pub(super) fn hold_anyway(&mut self, bytes: u64) {
        self.hold(bytes, u64::MAX);
    }

    /// This exchange now holds `bytes`. `false` if all exchanges together then hold more than `bytes_max`:
    /// nothing was booked and the caller has to let go. Growing past the bound by a race is limited to one chunk
    /// per exchange that grows at the same moment.
    pub(super) fn hold(&mut self, bytes: u64, bytes_max: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let more = bytes.saturating_sub(self.bytes);
        let sum = self.metrics.held_bytes.get().saturating_add(more);
        if more > 0 && u64::try_from(sum).unwrap_or(0) > bytes_max {
            return false;
        }
        self.metrics.held_bytes.add(more);
        self.bytes = bytes;
        true
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.metrics.held_bytes.sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_bounded_and_given_back() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (mut one, mut other) = (Lease::new(metrics.clone()), Lease::new(metrics.clone()));
        assert!(one.hold(60, 100));
        assert!(!other.hold(41, 100));
        assert!(other.hold(40, 100));
        assert!(one.hold(10, 100), "letting go is always possible");
        assert_eq!(metrics.held_bytes.get(), 50);
        drop((one, other));
        assert_eq!(metrics.held_bytes.get(), 0);
    }
}
