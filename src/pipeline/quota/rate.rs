//! So many in a minute, as a single number: the moment at which everything that was taken will have flowed back.
//!
//! This is the generic cell rate algorithm. A minute's worth may be taken at once; after that it comes back evenly. One
//! atomic operation a request, and nothing to clean up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::Stamp;

/// Nanoseconds of a minute: how far ahead the moment may lie before nothing is left.
const MINUTE: u64 = 60_000_000_000;
/// Further ahead it never lies: what was used without having been asked for is a debt of an hour at most.
const DEBT_MAX: u64 = 60 * MINUTE;

/// What was taken of one rate.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Nanoseconds of monotonic time.
    full_at: AtomicU64,
}

impl Rate {
    /// Takes one. `Err`: nothing is left, but will be after that time.
    pub(super) fn take(&self, now: Stamp, per_minute: u64) -> Result<(), Duration> {
        let now = nanos(now);
        let cost = time_of(1, per_minute);
        let taken = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
            let full_at = full_at.max(now) + cost;
            // A rate of less than one a minute could else never be taken from.
            (full_at - now <= MINUTE.max(cost)).then_some(full_at)
        });
        match taken {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Duration::from_nanos((full_at + cost).saturating_sub(now + MINUTE).max(1))),
        }
    }

    /// Takes what has been used already, whether it is left or not.
    pub(super) fn charge(&self, now: Stamp, units: u64, per_minute: u64) {
        let now = nanos(now);
        let cost = time_of(units, per_minute);
        let charged = |full_at: u64| Some(full_at.max(now).saturating_add(cost).min(now + DEBT_MAX));
        // The closure always gives a value.
        let _ = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, charged);
    }

    /// How long until something is left; `None` if something is.
    pub(super) fn wait(&self, now: Stamp) -> Option<Duration> {
        let ahead = self.full_at.load(Ordering::Acquire).saturating_sub(nanos(now));
        (ahead >= MINUTE).then(|| Duration::from_nanos(ahead - MINUTE + 1))
    }
}

/// In how many nanoseconds so many units flow back.
fn time_of(units: u64, per_minute: u64) -> u64 {
    let time = u128::from(units) * u128::from(MINUTE) / u128::from(per_minute.max(1));
    u64::try_from(time).unwrap_or(u64::MAX).min(DEBT_MAX)
}

fn nanos(now: Stamp) -> u64 {
    u64::try_from(now.monotonic.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Stamp {
        Stamp { monotonic: Duration::from_millis(millis), ..Stamp::default() }
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_evenly() {
        let rate = Rate::default();
        for _ in 0..6 {
            assert_eq!(rate.take(at(0), 6), Ok(()));
        }
        assert_eq!(rate.take(at(0), 6), Err(Duration::from_secs(10)));
        assert_eq!(rate.take(at(4_000), 6), Err(Duration::from_secs(6)));
        assert_eq!(rate.take(at(10_000), 6), Ok(()));
        assert!(rate.take(at(10_000), 6).is_err());
    }

    #[test]
    fn what_was_used_beyond_the_rate_is_a_debt_with_an_end() {
        let rate = Rate::default();
        rate.charge(at(0), 99, 100);
        assert_eq!(rate.wait(at(0)), None);
        rate.charge(at(0), 101, 100);
        assert_eq!(rate.wait(at(0)).unwrap().as_secs(), 60);
        assert_eq!(rate.wait(at(60_001)), None);
        rate.charge(at(60_001), u64::MAX, 100);
        assert_eq!(rate.wait(at(60_001)).unwrap().as_secs(), 59 * 60);
    }

    proptest! {
        /// In no minute does more pass than a minute's burst and what flowed back in it, whatever the times are; and
        /// who waits as long as it is told, passes.
        #[test]
        fn no_window_lets_more_pass(per_minute in 1u64..500, gaps in prop::collection::vec(0u64..2_000, 1..300)) {
            let rate = Rate::default();
            let (mut now, mut passed) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                match rate.take(at(now), per_minute) {
                    Ok(()) => passed.push(now),
                    Err(wait) => {
                        let then = Stamp { monotonic: at(now).monotonic + wait, ..Stamp::default() };
                        let other = Rate { full_at: AtomicU64::new(rate.full_at.load(Ordering::Acquire)) };
                        prop_assert_eq!(other.take(then, per_minute), Ok(()));
                    }
                }
            }
            for (index, from) in passed.iter().enumerate() {
                let inside = passed[index..].iter().take_while(|it| *it - from < 60_000).count() as u64;
                prop_assert!(inside <= 2 * per_minute, "{} in one minute", inside);
            }
        }
    }
}
