//! How slow a client may be: who sends a byte now and then, or takes one, holds memory for nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Limits;

/// Until then a body may begin as slowly as it likes.
const GRACE: Duration = Duration::from_secs(10);
/// Longer than any exchange.
const LONG: Duration = Duration::from_secs(7 * 24 * 3600);

/// The pace of one request's body.
pub(super) struct Pace {
    begun: Instant,
    rate_min: u64,
}

impl Pace {
    /// Of a body that begins now.
    pub(super) fn new(limits: &Limits) -> Self {
        Pace { begun: Instant::now(), rate_min: limits.body_rate_min }
    }

    /// By when the next byte must be there, after so many.
    pub(super) fn due(&self, received_bytes: u64) -> Instant {
        self.begun + GRACE + time_of(received_bytes, self.rate_min)
    }
}

/// In what time a client must have taken so many bytes.
pub(super) fn time_to_send(limits: &Limits, bytes: usize) -> Duration {
    limits.send_timeout + time_of(bytes as u64, limits.send_rate_min)
}

/// Without a rate, any time.
fn time_of(bytes: u64, rate: u64) -> Duration {
    match rate {
        0 => LONG,
        rate => Duration::from_millis(bytes.saturating_mul(1000) / rate).min(LONG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_is_due_by_its_rate_after_a_grace() {
        let limits = Limits { body_rate_min: 1000, ..Limits::default() };
        let (now, pace) = (Instant::now(), Pace::new(&limits));
        assert_eq!(pace.due(0) - now, Duration::from_secs(10));
        assert_eq!(pace.due(5000) - now, Duration::from_secs(15));
        let without = Pace::new(&Limits { body_rate_min: 0, ..limits });
        assert!(without.due(0) - now > Duration::from_secs(24 * 3600));
    }

    #[test]
    fn more_takes_longer() {
        let limits = Limits { send_timeout: Duration::from_secs(60), send_rate_min: 1000, ..Limits::default() };
        assert_eq!(time_to_send(&limits, 0), Duration::from_secs(60));
        assert_eq!(time_to_send(&limits, 30_000), Duration::from_secs(90));
        assert!(time_to_send(&limits, usize::MAX) > LONG);
    }
}
