//! What was used in the current day and month, UTC, and whether that is all there was.

use std::time::Duration;

use super::Spent;
use crate::config::{Day, TeamLimits};

/// The sums of the current day and month.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    day: Option<Day>,
    in_day: Spent,
    in_month: Spent,
}

/// A budget that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedUp {
    /// The key of the limit in the configuration.
    pub(super) limit: &'static str,
    /// Whether it is the day's.
    pub(super) daily: bool,
}

impl Budget {
    /// Adds what was used at this moment, since 1970-01-01T00:00:00Z.
    pub(super) fn add(&mut self, now: Duration, spent: Spent) {
        self.turn(Day::of(now));
        self.in_day = self.in_day.plus(spent);
        self.in_month = self.in_month.plus(spent);
    }

    /// Adds what was used at a moment in the past.
    pub(super) fn recall(&mut self, now: Duration, then: Duration, spent: Spent) {
        self.turn(Day::of(now));
        let (Some(today), day) = (self.day, Day::of(then)) else { return };
        if day.month() == today.month() {
            self.in_month = self.in_month.plus(spent);
        }
        if day == today {
            self.in_day = self.in_day.plus(spent);
        }
    }

    /// What was used in the day and in the month of this moment.
    pub(super) fn spent(&self, now: Duration) -> (Spent, Spent) {
        let mut turned = *self;
        turned.turn(Day::of(now));
        (turned.in_day, turned.in_month)
    }

    /// The budget that is used up, the one that lasts longer first.
    pub(super) fn used_up(&self, now: Duration, limits: &TeamLimits) -> Option<UsedUp> {
        let (day, month) = self.spent(now);
        let checks = [
            ("cost_per_month", false, limits.cost_per_month.is_some_and(|it| month.cost >= it)),
            ("tokens_per_month", false, limits.tokens_per_month.is_some_and(|it| month.tokens >= it)),
            ("cost_per_day", true, limits.cost_per_day.is_some_and(|it| day.cost >= it)),
            ("tokens_per_day", true, limits.tokens_per_day.is_some_and(|it| day.tokens >= it)),
        ];
        checks.into_iter().find(|(.., over)| *over).map(|(limit, daily, _)| UsedUp { limit, daily })
    }

    /// Begins a new day or month. A clock that is set back begins neither.
    fn turn(&mut self, today: Day) {
        match self.day {
            Some(day) if today <= day => return,
            Some(day) if today.month() == day.month() => self.in_day = Spent::default(),
            _ => (self.in_day, self.in_month) = (Spent::default(), Spent::default()),
        }
        self.day = Some(today);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Money;

    fn noon(day: &str) -> Duration {
        day.parse::<Day>().unwrap().end() - Duration::from_secs(12 * 3600)
    }

    fn tokens(tokens: u64) -> Spent {
        Spent { tokens, cost: Money::from_nanos(tokens * 1000) }
    }

    #[test]
    fn days_and_months_begin_anew() {
        let mut budget = Budget::default();
        budget.add(noon("2026-11-29"), tokens(5));
        budget.add(noon("2026-11-30"), tokens(7));
        assert_eq!(budget.spent(noon("2026-11-30")), (tokens(7), tokens(12)));
        assert_eq!(budget.spent(noon("2026-12-01")), (tokens(0), tokens(0)), "asking alone changes nothing");
        assert_eq!(budget.spent(noon("2026-11-30")), (tokens(7), tokens(12)));
        budget.add(noon("2026-12-01"), tokens(1));
        assert_eq!(budget.spent(noon("2026-12-01")), (tokens(1), tokens(1)));
        budget.add(noon("2026-11-30"), tokens(1));
        assert_eq!(budget.spent(noon("2026-11-30")), (tokens(2), tokens(2)), "a clock set back opens no old day");
    }

    #[test]
    fn the_past_counts_where_it_belongs() {
        let mut budget = Budget::default();
        let now = noon("2026-11-22");
        for (then, spent) in [("2026-10-31", 100), ("2026-11-01", 10), ("2026-11-22", 1)] {
            budget.recall(now, noon(then), tokens(spent));
        }
        budget.add(now, tokens(2));
        assert_eq!(budget.spent(now), (tokens(3), tokens(13)));
    }

    #[test]
    fn what_is_used_up_is_named_the_month_first() {
        let mut budget = Budget::default();
        let now = noon("2026-11-22");
        let limits =
            TeamLimits { tokens_per_day: Some(10), cost_per_month: "0.00002".parse().ok(), ..TeamLimits::default() };
        budget.add(now, tokens(9));
        assert_eq!(budget.used_up(now, &limits), None);
        budget.add(now, tokens(1));
        assert_eq!(budget.used_up(now, &limits), Some(UsedUp { limit: "tokens_per_day", daily: true }));
        assert_eq!(budget.used_up(noon("2026-11-23"), &limits), None);
        budget.add(noon("2026-11-23"), tokens(10));
        let used_up = budget.used_up(noon("2026-11-23"), &limits);
        assert_eq!(used_up, Some(UsedUp { limit: "cost_per_month", daily: false }));
    }
}
