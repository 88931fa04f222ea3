//! What one team uses: shared by all its exchanges, and kept when the configuration changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::booked::Booked;
use super::budget::{Budget, UsedUp};
use super::rate::Rate;
use crate::config::TeamLimits;
use crate::domain::{Money, Stamp};

/// Tokens that count, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens without those that were read from the provider's cache.
    pub tokens: u64,
    /// By the table of prices; models that are not in it cost nothing.
    pub cost: Money,
}

impl Spent {
    pub(super) fn plus(self, other: Spent) -> Spent {
        Spent { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost.plus(other.cost) }
    }
}

/// The account of one team.
#[derive(Debug, Default)]
pub struct Account {
    in_flight: AtomicU64,
    /// Requests that wait for one of those in flight to end.
    waiting: AtomicU64,
    requests: Rate,
    tokens: Rate,
    /// Held for a few additions, once an exchange.
    budget: Mutex<Budget>,
    booked: Mutex<Booked>,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// Its key in the configuration.
    pub(super) limit: &'static str,
    /// When it is worth asking again.
    pub(super) again: Again,
}

/// When it is worth asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// After that time.
    After(Duration),
    /// Tomorrow.
    NextDay,
    /// In the next month.
    NextMonth,
}

impl Account {
    /// Exchanges in flight.
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// What was used in the current day and month.
    pub fn spent(&self, now: Stamp) -> (Spent, Spent) {
        self.budget().spent(now.unix)
    }

    /// Adds what an exchange of the past used, which a restart forgot.
    pub fn recall(&self, now: Stamp, then: Duration, spent: Spent) {
        self.budget().recall(now.unix, then, spent);
    }

    /// Whether someone waits for an exchange of this team to end.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// One more waits, or one less.
    pub(super) fn waits(&self, more: bool) {
        match more {
            true => self.waiting.fetch_add(1, Ordering::SeqCst),
            false => self.waiting.fetch_sub(1, Ordering::SeqCst),
        };
    }

    /// One more in flight, unless there are as many as may be.
    pub(super) fn enter(&self, most: Option<u64>) -> bool {
        let most = most.unwrap_or(u64::MAX);
        let entered = |count: u64| (count < most).then_some(count + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, entered).is_ok()
    }

    /// One less in flight.
    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes one request from the rates and budgets; the limit that stands against it.
    pub(super) fn take(&self, now: Stamp, limits: &TeamLimits) -> Result<(), Reached> {
        if limits.has_budget()
            && let Some(UsedUp { limit, daily }) = self.budget().used_up(now.unix, limits)
        {
            return Err(Reached { limit, again: if daily { Again::NextDay } else { Again::NextMonth } });
        }
        let after = |limit, wait| Reached { limit, again: Again::After(wait) };
        if limits.tokens_per_minute.is_some()
            && let Some(wait) = self.tokens.wait(now)
        {
            return Err(after("tokens_per_minute", wait));
        }
        match limits.requests_per_minute {
            Some(rate) => self.requests.take(now, rate).map_err(|wait| after("requests_per_minute", wait)),
            None => Ok(()),
        }
    }

    /// Whether an answer with this id was not booked before.
    pub(super) fn is_first(&self, id: &str) -> bool {
        self.booked.lock().unwrap_or_else(PoisonError::into_inner).is_first(id)
    }

    /// Books what an exchange has used.
    pub(super) fn charge(&self, now: Stamp, spent: Spent, limits: &TeamLimits) {
        if let Some(rate) = limits.tokens_per_minute {
            self.tokens.charge(now, spent.tokens, rate);
        }
        self.budget().add(now.unix, spent);
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(1_800_000_000 + seconds) }
    }

    #[test]
    fn a_budget_stands_before_a_rate_and_a_refusal_takes_nothing() {
        let account = Account::default();
        let limits = TeamLimits {
            requests_per_minute: Some(1),
            tokens_per_minute: Some(100),
            tokens_per_day: Some(1000),
            ..TeamLimits::default()
        };
        assert_eq!(account.take(at(0), &limits), Ok(()));
        let spent = Spent { tokens: 150, ..Spent::default() };
        account.charge(at(0), spent, &limits);
        let reached = account.take(at(0), &limits).map_err(|it| it.limit);
        assert_eq!(reached, Err("tokens_per_minute"));
        assert_eq!(account.take(at(60), &limits), Ok(()));
        assert_eq!(account.take(at(60), &limits).map_err(|it| it.limit), Err("requests_per_minute"));
        account.recall(at(60), at(0).unix, Spent { tokens: 850, ..Spent::default() });
        let used_up = Reached { limit: "tokens_per_day", again: Again::NextDay };
        assert_eq!(account.take(at(10_000), &limits), Err(used_up));
        assert_eq!(account.spent(at(10_000)).0.tokens, 1000);
    }

    #[test]
    fn no_more_enter_than_may_be_in_flight() {
        let account = Account::default();
        assert!(account.enter(Some(2)) && account.enter(Some(2)) && !account.enter(Some(2)));
        assert_eq!(account.in_flight(), 2);
        account.leave();
        assert!(account.enter(Some(2)) && account.enter(None));
    }
}
