//! The next address and key to try: the first of the file that is in health, and not one that has failed this exchange.
//!
//! The order of the file is kept while all is well: a provider's cache of prompts belongs to a key.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::circuit::{Circuit, CircuitState};
use crate::config::CircuitLimits;
use crate::domain::Stamp;

/// What is known of all addresses and keys of one provider, in the order of the configuration.
#[derive(Debug)]
pub struct Health {
    pub(super) circuits: Vec<Arc<Circuit>>,
    keys: Vec<Arc<Backoff>>,
    limits: CircuitLimits,
}

/// Where one try goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Position of the address.
    pub address: usize,
    /// Position of the key; means nothing where none is configured.
    pub key: usize,
}

/// What has failed one exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// A bit for each address.
    addresses: u32,
    /// A bit for each key.
    keys: u32,
}

/// How a try went, as far as it is about the provider and not about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// With whatever the request deserved.
    Well,
    /// There was no connection, or no answer on it.
    NotAtAll,
    /// With a failure of its own, after which nobody knows what was done.
    Broken,
    /// It is not available, and has done nothing.
    Unavailable,
    /// The key is over its limits, or the provider is; nothing was done. It may have told for how long.
    Limited(Option<Duration>),
}

/// What a try has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The address is left alone from now on.
    Opened,
    /// The address is in use again.
    Closed,
}

impl Answered {
    /// From an answer's status and its `retry-after`.
    pub fn of(status: u16, retry_after: Option<&str>) -> Answered {
        match status {
            429 | 529 => Answered::Limited(retry_after.and_then(|it| it.trim().parse().ok()).map(Duration::from_secs)),
            503 => Answered::Unavailable,
            500 | 502 | 504 => Answered::Broken,
            _ => Answered::Well,
        }
    }

    /// Whether the same request may be sent again: nothing has been done with it.
    pub fn is_safe_to_repeat(self) -> bool {
        matches!(self, Answered::Unavailable | Answered::Limited(_))
    }

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Answered::Well => "well",
            Answered::NotAtAll => "not_at_all",
            Answered::Broken => "broken",
            Answered::Unavailable => "unavailable",
            Answered::Limited(_) => "limited",
        }
    }
}

impl Health {
    /// Nothing is known yet of so many addresses and keys.
    pub(in crate::pipeline) fn new(addresses: usize, keys: usize, limits: CircuitLimits) -> Health {
        let fresh = |count| std::iter::repeat_with(Arc::default).take(count).collect();
        Health { circuits: fresh(addresses), keys: std::iter::repeat_with(Arc::default).take(keys).collect(), limits }
    }

    /// Takes over what is known of an address from one of the same name.
    pub(in crate::pipeline) fn take_address(&mut self, at: usize, other: &Health, its: usize) {
        if let (Some(mine), Some(other)) = (self.circuits.get_mut(at), other.circuits.get(its)) {
            *mine = other.clone();
        }
    }

    /// Takes over what is known of the same key.
    pub(in crate::pipeline) fn take_key(&mut self, at: usize, other: &Health, its: usize) {
        if let (Some(mine), Some(other)) = (self.keys.get_mut(at), other.keys.get(its)) {
            *mine = other.clone();
        }
    }

    /// Where an exchange goes first. `Err`: every address is left alone, for so long at least.
    pub fn first(&self, now: Stamp) -> Result<Choice, Duration> {
        let address = (0..self.circuits.len()).find(|it| self.circuits[*it].allows(now));
        match address {
            Some(address) => Ok(Choice { address, key: self.key(now) }),
            None => {
                let waits = self.circuits.iter().map(|it| match it.state(now) {
                    CircuitState::Open(left) => left,
                    CircuitState::HalfOpen | CircuitState::Closed => Duration::from_secs(1),
                });
                Err(waits.min().unwrap_or(Duration::from_secs(1)))
            }
        }
    }

    /// Where it goes after a try that went like this; `None`: nowhere that promises more.
    pub fn next(&self, last: Choice, answered: Answered, tried: &mut Tried, now: Stamp) -> Option<Choice> {
        match answered {
            Answered::Well | Answered::Broken => None,
            Answered::NotAtAll | Answered::Unavailable => self.other_address(last, tried, now),
            Answered::Limited(_) => {
                tried.keys |= bit(last.key);
                let usable = |key: &usize| tried.keys & bit(*key) == 0 && self.keys[*key].left(now).is_zero();
                let key = (0..self.keys.len()).find(usable);
                key.map(|key| Choice { key, ..last }).or_else(|| self.other_address(last, tried, now))
            }
        }
    }

    fn other_address(&self, last: Choice, tried: &mut Tried, now: Stamp) -> Option<Choice> {
        tried.addresses |= bit(last.address);
        let usable = |it: &usize| tried.addresses & bit(*it) == 0 && self.circuits[*it].allows(now);
        let address = (0..self.circuits.len()).find(usable)?;
        Some(Choice { address, key: last.key })
    }

    /// The first key that is not left alone; where all are, the one that is for the shortest time: the provider says
    /// it best itself.
    fn key(&self, now: Stamp) -> usize {
        let (mut best, mut least) = (0, Duration::MAX);
        for (index, key) in self.keys.iter().enumerate() {
            let left = key.left(now);
            if left.is_zero() {
                return index;
            }
            if left < least {
                (best, least) = (index, left);
            }
        }
        best
    }

    /// Notes how a try went.
    pub fn note(&self, choice: Choice, answered: Answered, now: Stamp) -> Option<Changed> {
        let (circuit, key) = (self.circuits.get(choice.address), self.keys.get(choice.key));
        match answered {
            // A request that breaks every provider must not take the last one from everybody else: it has answered.
            Answered::Broken if !self.has_other(choice.address, now) => {}
            Answered::NotAtAll | Answered::Broken | Answered::Unavailable => {
                return circuit.filter(|it| it.failed(now, &self.limits)).map(|_| Changed::Opened);
            }
            Answered::Limited(told) => key.into_iter().for_each(|it| it.limited(now, told)),
            Answered::Well => key.into_iter().for_each(|it| it.succeeded()),
        }
        // Whoever says that it is asked too often, answers.
        circuit.filter(|it| it.succeeded()).map(|_| Changed::Closed)
    }

    fn has_other(&self, address: usize, now: Stamp) -> bool {
        let others = self.circuits.iter().enumerate().filter(|(at, _)| *at != address);
        others.into_iter().any(|(_, it)| it.state(now) == CircuitState::Closed)
    }

    /// How an address stands, and its failures in a row.
    pub fn address(&self, at: usize, now: Stamp) -> (CircuitState, u32) {
        self.circuits.get(at).map_or((CircuitState::Closed, 0), |it| (it.state(now), it.failures()))
    }

    /// For how long each key is left alone.
    pub fn keys(&self, now: Stamp) -> impl Iterator<Item = Duration> {
        self.keys.iter().map(move |it| it.left(now))
    }
}

/// At most 16 addresses and keys are read from a configuration.
fn bit(position: usize) -> u32 {
    1 << (position % 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CircuitLimits = CircuitLimits { failures_max: 2, open: Duration::from_secs(5) };

    fn at(seconds: u64) -> Stamp {
        Stamp { monotonic: Duration::from_secs(seconds), ..Stamp::default() }
    }

    fn choice(address: usize, key: usize) -> Choice {
        Choice { address, key }
    }

    #[test]
    fn a_key_over_its_limits_gives_way_to_the_next() {
        let health = Health::new(1, 2, LIMITS);
        let (mut tried, limited) = (Tried::default(), Answered::of(429, Some("30")));
        assert_eq!(limited, Answered::Limited(Some(Duration::from_secs(30))));
        let first = health.first(at(0)).unwrap();
        health.note(first, limited, at(0));
        assert_eq!(health.next(first, limited, &mut tried, at(0)), Some(choice(0, 1)));
        health.note(choice(0, 1), limited, at(10));
        assert_eq!(health.next(choice(0, 1), limited, &mut tried, at(10)), None, "both have failed this exchange");
        assert_eq!(health.first(at(11)), Ok(choice(0, 0)), "the one whose time is over sooner");
        assert_eq!(health.first(at(35)), Ok(choice(0, 0)));
    }

    #[test]
    fn an_address_that_fails_gives_way_and_comes_back() {
        let health = Health::new(2, 0, LIMITS);
        let mut tried = Tried::default();
        assert_eq!(health.note(choice(0, 0), Answered::NotAtAll, at(0)), None);
        assert_eq!(health.next(choice(0, 0), Answered::NotAtAll, &mut tried, at(0)), Some(choice(1, 0)));
        assert_eq!(health.first(at(0)), Ok(choice(0, 0)), "once is not enough");
        assert_eq!(health.note(choice(0, 0), Answered::Broken, at(0)), Some(Changed::Opened));
        assert_eq!(health.next(choice(0, 0), Answered::Broken, &mut tried, at(0)), None, "it may have been acted upon");
        assert_eq!(health.first(at(1)), Ok(choice(1, 0)));
        assert_eq!(health.first(at(5)), Ok(choice(0, 0)), "one exchange finds out");
        assert_eq!(health.first(at(5)), Ok(choice(1, 0)), "the others do not wait for it");
        assert_eq!(health.note(choice(0, 0), Answered::Well, at(6)), Some(Changed::Closed));
        assert_eq!(health.note(choice(0, 0), Answered::Well, at(6)), None);
        assert_eq!(health.first(at(6)), Ok(choice(0, 0)));
    }

    #[test]
    fn where_every_address_is_left_alone_that_is_said() {
        let health = Health::new(2, 1, LIMITS);
        for address in [0, 1, 0, 1] {
            health.note(choice(address, 0), Answered::Unavailable, at(0));
        }
        assert_eq!(health.first(at(2)), Err(Duration::from_secs(3)));
        let mut tried = Tried::default();
        let limited = Answered::Limited(None);
        assert_eq!(health.next(choice(0, 0), limited, &mut tried, at(2)), None);
    }

    #[test]
    fn failures_that_a_request_may_cause_do_not_take_the_last_address() {
        let health = Health::new(2, 0, LIMITS);
        for address in [0, 0, 1, 1, 1, 1] {
            health.note(choice(address, 0), Answered::Broken, at(0));
        }
        assert_eq!(health.first(at(1)), Ok(choice(1, 0)));
        let alone = Health::new(1, 0, LIMITS);
        assert!((0..9).all(|_| alone.note(choice(0, 0), Answered::Broken, at(0)).is_none()));
        assert_eq!(alone.first(at(1)), Ok(choice(0, 0)));
    }

    #[test]
    fn the_last_address_is_in_use_again_with_whatever_it_answers() {
        let health = Health::new(1, 1, LIMITS);
        for _ in 0..2 {
            health.note(choice(0, 0), Answered::NotAtAll, at(0));
        }
        assert_eq!(health.first(at(1)), Err(Duration::from_secs(4)));
        assert_eq!(health.first(at(5)), Ok(choice(0, 0)), "one exchange finds out");
        assert_eq!(health.note(choice(0, 0), Answered::Broken, at(5)), Some(Changed::Closed));
        assert_eq!(health.first(at(5)), Ok(choice(0, 0)));
    }

    #[test]
    fn only_what_did_nothing_is_repeated() {
        let repeated = [429, 503, 529].map(|it| Answered::of(it, None).is_safe_to_repeat());
        assert_eq!(repeated, [true; 3]);
        let others = [200, 400, 401, 404, 408, 500, 502, 504].map(|it| Answered::of(it, None).is_safe_to_repeat());
        assert_eq!(others, [false; 8]);
        assert_eq!(Answered::of(429, Some("Wed, 21 Oct 2026 07:28:00 GMT")), Answered::Limited(None));
    }
}
