//! How much there is to do, and who is turned away first when it is too much.
//!
//! The order is: what only counts tokens, then the team that has most in flight, then every new request. Nothing that is
//! under way is ever cut for it.

use std::time::Duration;

use crate::config::Limits;

/// From here on, in hundredths of any limit, requests that only count tokens are turned away.
const LIGHT_FROM: u128 = 75;
/// From here on, requests of the team that has most in flight.
const BUSIEST_FROM: u128 = 90;
/// From here on, every new one.
const FULL_FROM: u128 = 100;

/// What the gateway has to do at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Body bytes that all exchanges hold.
    pub held_bytes: u64,
    /// Exchanges in flight.
    pub requests: u64,
    /// How long work that is ready waits for a thread.
    pub lag: Duration,
}

/// Why a request was turned away by a gateway that has too much to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// It only counts tokens, or lists models.
    Light,
    /// Its team has most in flight.
    BusiestTeam,
    /// There is room for nobody.
    Full,
    /// It had waited for its turn as long as it may.
    Queue,
}

impl Shed {
    /// Every reason.
    pub const ALL: [Shed; 4] = [Shed::Light, Shed::BusiestTeam, Shed::Full, Shed::Queue];

    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Shed::Light => "light",
            Shed::BusiestTeam => "busiest_team",
            Shed::Full => "full",
            Shed::Queue => "queue",
        }
    }
}

impl Load {
    /// Whether a new request is turned away. `busiest` is asked only where it matters.
    pub(super) fn shed(&self, limits: &Limits, light: bool, busiest: impl FnOnce() -> bool) -> Option<Shed> {
        match self.hundredths(limits) {
            FULL_FROM.. => Some(Shed::Full),
            BUSIEST_FROM.. if busiest() => Some(Shed::BusiestTeam),
            LIGHT_FROM.. if light => Some(Shed::Light),
            _ => None,
        }
    }

    /// How much of the limit that is nearest is used.
    fn hundredths(&self, limits: &Limits) -> u128 {
        let part = |is: u128, most: u128| is * 100 / most.max(1);
        let held = part(self.held_bytes.into(), limits.held_bytes_max.into());
        // This request is already counted among those in flight.
        let others = self.requests.saturating_sub(1);
        let requests = part(others.into(), limits.requests_max.into());
        held.max(requests).max(part(self.lag.as_nanos(), limits.queue_timeout.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_requests_are_turned_away() {
        let limits = Limits { held_bytes_max: 1000, requests_max: 100, ..Limits::default() };
        let shed = |held_bytes, light, busiest| Load { held_bytes, ..Load::default() }.shed(&limits, light, || busiest);
        assert_eq!(shed(749, true, true), None);
        assert_eq!(shed(750, true, true), Some(Shed::Light));
        assert_eq!(shed(899, false, true), None);
        assert_eq!(shed(900, false, true), Some(Shed::BusiestTeam));
        assert_eq!(shed(999, false, false), None);
        assert_eq!(shed(1000, false, false), Some(Shed::Full));
    }

    #[test]
    fn the_nearest_limit_counts() {
        let limits = Limits { requests_max: 2, ..Limits::default() };
        let full = |load: Load| load.shed(&limits, false, || false) == Some(Shed::Full);
        assert!(!full(Load { requests: 2, ..Load::default() }), "the second of two");
        assert!(full(Load { requests: 3, ..Load::default() }));
        assert!(full(Load { lag: limits.queue_timeout, ..Load::default() }));
        assert!(!full(Load { lag: limits.queue_timeout / 2, ..Load::default() }));
    }
}
