//! One key: left alone for as long as the provider asked for when it said that the key is over its limits.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::circuit::millis;
use crate::domain::Stamp;

/// Where the provider says nothing: at first, doubled each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest that doubling comes to.
const DOUBLED_MAX: Duration = Duration::from_secs(60);
/// The longest that a provider is believed.
const TOLD_MAX: Duration = Duration::from_secs(600);

/// What is known of one key.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Milliseconds of monotonic time; 0 is none.
    until: AtomicU64,
    /// How often in a row.
    times: AtomicU32,
}

impl Backoff {
    /// How long it is still left alone; nothing for a key that may be used.
    pub(super) fn left(&self, now: Stamp) -> Duration {
        Duration::from_millis(self.until.load(Ordering::Acquire).saturating_sub(millis(now)))
    }

    /// It was used without complaint.
    pub(super) fn succeeded(&self) {
        if self.times.load(Ordering::Acquire) > 0 {
            self.times.store(0, Ordering::Release);
            self.until.store(0, Ordering::Release);
        }
    }

    /// It is over its limits; the provider may have told for how long.
    pub(super) fn limited(&self, now: Stamp, told: Option<Duration>) {
        let times = self.times.fetch_add(1, Ordering::AcqRel).min(10);
        let time = told.map_or_else(|| (FIRST * (1 << times)).min(DOUBLED_MAX), |it| it.min(TOLD_MAX));
        let until = millis(now).saturating_add(time.as_millis() as u64);
        self.until.fetch_max(until, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp { monotonic: Duration::from_secs(seconds), ..Stamp::default() }
    }

    #[test]
    fn it_lasts_as_long_as_was_told_or_longer_each_time() {
        let backoff = Backoff::default();
        backoff.limited(at(0), Some(Duration::from_secs(7)));
        assert_eq!((backoff.left(at(0)).as_secs(), backoff.left(at(8)).as_secs()), (7, 0));
        backoff.succeeded();
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.limited(at(100), None);
            assert_eq!(backoff.left(at(100)).as_secs(), seconds);
        }
        backoff.limited(at(100), Some(Duration::from_secs(1)));
        assert_eq!(backoff.left(at(100)).as_secs(), 60, "an answer that comes late shortens nothing");
        backoff.limited(at(100), Some(Duration::from_secs(86_400)));
        assert_eq!(backoff.left(at(100)), TOLD_MAX);
        backoff.succeeded();
        assert!(backoff.left(at(100)).is_zero());
    }
}
