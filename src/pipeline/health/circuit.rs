//! One address: closed while it works, open after failures in a row, half open for one exchange that finds out.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::CircuitLimits;
use crate::domain::Stamp;

/// How often the time of an open circuit is doubled while the address goes on failing.
const DOUBLINGS_MAX: u32 = 3;
/// After this time another exchange may find out: an answer can be long in coming, or its client gone.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of one address. Closed, it costs a request two loads.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// In a row.
    failures: AtomicU32,
    /// Milliseconds of monotonic time until which it is left alone; 0 is closed.
    open_until: AtomicU64,
    /// How often it was opened without a success in between.
    opened: AtomicU32,
    /// Until when an exchange is finding out; 0 is none.
    probing_until: AtomicU64,
}

/// How a circuit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// In use.
    Closed,
    /// Left alone for so long.
    Open(Duration),
    /// One exchange finds out.
    HalfOpen,
}

impl CircuitState {
    /// The name in pages and metrics.
    pub fn name(self) -> &'static str {
        match self {
            CircuitState::Closed => "closed",
            CircuitState::Open(_) => "open",
            CircuitState::HalfOpen => "half_open",
        }
    }
}

impl Circuit {
    /// Whether this exchange may use the address. Of those that ask when its time is over, one may.
    pub(super) fn allows(&self, now: Stamp) -> bool {
        match self.state(now) {
            CircuitState::Closed => true,
            CircuitState::Open(_) => false,
            CircuitState::HalfOpen => {
                let probing_until = self.probing_until.load(Ordering::Acquire);
                let free = probing_until <= millis(now);
                let mine = millis(now).saturating_add(PROBE_TIMEOUT.as_millis() as u64);
                let swap =
                    |it: &AtomicU64| it.compare_exchange(probing_until, mine, Ordering::AcqRel, Ordering::Acquire);
                free && swap(&self.probing_until).is_ok()
            }
        }
    }

    /// How it stands.
    pub(super) fn state(&self, now: Stamp) -> CircuitState {
        match self.open_until.load(Ordering::Acquire) {
            0 => CircuitState::Closed,
            until if millis(now) < until => CircuitState::Open(Duration::from_millis(until - millis(now))),
            _ => CircuitState::HalfOpen,
        }
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Acquire)
    }

    /// It answered. Whether that closed it.
    pub(super) fn succeeded(&self) -> bool {
        if self.failures() == 0 && self.open_until.load(Ordering::Acquire) == 0 {
            return false;
        }
        self.failures.store(0, Ordering::Release);
        self.opened.store(0, Ordering::Release);
        self.probing_until.store(0, Ordering::Release);
        self.open_until.swap(0, Ordering::AcqRel) > 0
    }

    /// It did not answer, or with a failure of its own. Whether that opened it.
    pub(super) fn failed(&self, now: Stamp, limits: &CircuitLimits) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let state = self.state(now);
        let enough = limits.failures_max > 0 && failures >= limits.failures_max;
        // Exchanges that began before it was opened say nothing new.
        if !enough || matches!(state, CircuitState::Open(_)) {
            return false;
        }
        let opened = self.opened.fetch_add(1, Ordering::AcqRel).min(DOUBLINGS_MAX);
        let time = limits.open.as_millis() as u64;
        self.probing_until.store(0, Ordering::Release);
        self.open_until.store(millis(now).saturating_add(time << opened).max(1), Ordering::Release);
        true
    }
}

pub(super) fn millis(now: Stamp) -> u64 {
    u64::try_from(now.monotonic.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CircuitLimits = CircuitLimits { failures_max: 3, open: Duration::from_secs(5) };

    fn at(seconds: u64) -> Stamp {
        Stamp { monotonic: Duration::from_secs(seconds), ..Stamp::default() }
    }

    #[test]
    fn it_opens_tries_and_closes() {
        let circuit = Circuit::default();
        assert_eq!([1, 1, 1].map(|now| circuit.failed(at(now), &LIMITS)), [false, false, true]);
        assert!(!circuit.allows(at(1)) && !circuit.allows(at(5)));
        assert_eq!(circuit.state(at(2)), CircuitState::Open(Duration::from_secs(4)));
        assert!(circuit.allows(at(6)), "one finds out");
        assert!(!circuit.allows(at(6)), "and only one");
        circuit.succeeded();
        assert!(circuit.allows(at(6)) && circuit.allows(at(6)));
        assert_eq!(circuit.failures(), 0);
    }

    #[test]
    fn it_stays_open_longer_while_it_fails() {
        let circuit = Circuit::default();
        for _ in 0..3 {
            circuit.failed(at(0), &LIMITS);
        }
        let mut now = 5;
        for seconds in [10, 20, 40, 40] {
            assert!(circuit.allows(at(now)));
            assert!(circuit.failed(at(now), &LIMITS));
            assert!(!circuit.allows(at(now + seconds - 1)));
            now += seconds;
        }
    }

    #[test]
    fn a_success_in_between_counts_anew_and_a_lost_probe_is_given_up() {
        let circuit = Circuit::default();
        for _ in 0..10 {
            circuit.failed(at(0), &LIMITS);
            circuit.failed(at(0), &LIMITS);
            circuit.succeeded();
        }
        assert!(circuit.allows(at(0)));
        for _ in 0..3 {
            circuit.failed(at(0), &LIMITS);
        }
        assert!(circuit.allows(at(5)) && !circuit.allows(at(9)));
        assert!(circuit.allows(at(10)));
        let never = CircuitLimits { failures_max: 0, ..LIMITS };
        let circuit = Circuit::default();
        assert!((0..100).all(|_| !circuit.failed(at(0), &never)));
    }
}
