//! The world's time and new ids: the only place of a running gateway that asks for either.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::{Clock, RequestId, Stamp};

/// Where monotonic time counts from, for all clocks of this process: moments of one are compared with those of another.
static START: OnceLock<Instant> = OnceLock::new();

/// The machine's clocks.
pub struct WallClock {
    start: Instant,
}

impl WallClock {
    /// Monotonic time counts from the first one.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    pub fn new() -> Self {
        WallClock { start: *START.get_or_init(Instant::now) }
    }
}

impl Default for WallClock {
    fn default() -> Self {
        WallClock::new()
    }
}

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is handed")]
    fn now(&self) -> Stamp {
        // A clock set before 1970 reads as 1970. Wall time decides about one thing: which exceptions have expired.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Stamp { monotonic: self.start.elapsed(), unix }
    }
}

/// A new id: UUIDv7, so that ids sort by time.
pub fn request_id() -> RequestId {
    let mut buffer = uuid::Uuid::encode_buffer();
    RequestId::new(uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_ids_differ() {
        let clock = WallClock::new();
        let (first, second) = (clock.now(), clock.now());
        assert!(second.monotonic >= first.monotonic && first.unix.as_secs() > 1_000_000_000);
        let (one, other) = (request_id(), request_id());
        assert_ne!(one, other);
        assert_eq!(one.as_str().len(), 36);
    }
}
