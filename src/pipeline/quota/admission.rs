//! The step between a head and its body: is there room, and may this team go on?

use std::sync::Arc;
use std::time::Duration;

use super::account::{Again, Reached};
use super::{Account, Load, Shed, Spent, counted};
use crate::domain::{Event, Stamp};
use crate::pipeline::exchange::Exchange;
use crate::pipeline::route::Destination;
use crate::pipeline::snapshot::TeamRules;
use crate::pipeline::{Reply, Snapshot};
use crate::providers::{Endpoint, RefusalKind};

/// What becomes of a request whose head was read.
pub enum Admission {
    /// It may go on.
    Open(Place),
    /// Its team has as many in flight as it may: worth asking again when one of them has ended.
    Wait(Waiting),
    /// It may not.
    Answer(Reply, Turned),
}

/// Why a request may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The gateway has too much to do.
    Shed(Shed),
    /// Its team has reached this limit, named as in the configuration.
    Limited(&'static str),
}

/// A request in flight, for as long as this lives.
pub struct Place(Arc<Account>);

impl Place {
    /// Ends it, and gives the account it was booked on.
    pub fn into_account(self) -> Arc<Account> {
        self.0.clone()
    }

    /// The team's account.
    pub fn account(&self) -> &Account {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A request that waits, for as long as this lives.
pub struct Waiting(Arc<Account>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waits(false);
    }
}

impl Exchange {
    /// Whether this exchange may go on, under this load. Asked once its head was read, and again after a wait.
    pub fn admit(&mut self, load: &Load, now: Stamp) -> Admission {
        let light = self.endpoint().is_some_and(|it| matches!(it, Endpoint::CountTokens | Endpoint::Models));
        let account = self.judge.team.account().clone();
        if let Some(shed) = load.shed(&self.snapshot.limits, light, || self.is_busiest(&account)) {
            return Admission::Answer(self.overloaded(), Turned::Shed(shed));
        }
        // Editors count tokens forty times in a second; it costs the team nothing.
        if light {
            account.enter(None);
            return Admission::Open(Place(account));
        }
        let limits = self.judge.team.limits;
        if !account.enter(limits.requests_in_flight_max) {
            account.waits(true);
            let waiting = Waiting(account.clone());
            // Who left before this one was known to wait did not wake it.
            if !account.enter(limits.requests_in_flight_max) {
                return Admission::Wait(waiting);
            }
        }
        let place = Place(account);
        match place.0.take(now, &limits) {
            Ok(()) => Admission::Open(place),
            Err(reached) => Admission::Answer(self.limited(reached), Turned::Limited(reached.limit)),
        }
    }

    /// The answer to a request that waited for its turn as long as it may.
    pub fn waited_too_long(&mut self) -> (Reply, Turned) {
        let limit = "requests_in_flight_max";
        let reached = Reached { limit, again: Again::After(Duration::from_secs(1)) };
        (self.limited(reached), Turned::Limited(limit))
    }

    fn overloaded(&mut self) -> Reply {
        self.refuse(RefusalKind::Overloaded, "the gateway has as much to do as it can; try again shortly".into())
    }

    /// Whether other teams ask, and none of them more than this one.
    fn is_busiest(&self, account: &Arc<Account>) -> bool {
        let others = self.snapshot.teams.iter().map(|it| it.account()).filter(|it| !Arc::ptr_eq(it, account));
        let most = others.map(|it| it.in_flight()).max().unwrap_or(0);
        most > 0 && account.in_flight() >= most
    }

    fn limited(&mut self, reached: Reached) -> Reply {
        let team = &self.judge.team;
        let (name, amount) = (&team.name, team.limits.amount(reached.limit));
        let limit = reached.limit.trim_end_matches("_max").trim_start_matches("cost_").replace('_', " ");
        let when = match reached.again {
            Again::After(wait) => {
                let message = format!("the team `{name}` is at its limit of {amount} {limit}; try again shortly");
                return self.refuse_for(RefusalKind::RateLimited, message, wait);
            }
            Again::NextDay => "tomorrow",
            Again::NextMonth => "next month",
        };
        let message = format!(
            "the budget of the team `{name}` is used up: {amount} {limit}. It begins anew {when} (UTC); an \
             administrator of the gateway can raise it"
        );
        self.refuse(RefusalKind::BudgetExhausted, message)
    }
}

/// Books the tokens that the provider has counted, and notes what they cost. `id` is the answer's own; an answer that is
/// only fetched, from where the provider keeps it, is booked where that was not done before: a batch's, or one that was
/// made in the background.
pub(in crate::pipeline) fn charge(
    snapshot: &Snapshot,
    team: &TeamRules,
    destination: &Destination,
    id: Option<&str>,
    event: &mut Event,
    now: Stamp,
) {
    let Some(tokens) = &event.tokens else { return };
    let kept = destination.route.kept_answer();
    let is_first = kept.or(id).is_none_or(|it| team.account().is_first(it));
    if kept.is_some() && !is_first {
        event.tokens = None;
        return;
    }
    let dialect = destination.upstream.dialect;
    let model = event.model_answered.as_ref().or(event.model.as_ref());
    event.cost = model.and_then(|it| snapshot.prices.cost(it.as_str(), dialect, tokens));
    let spent = Spent { tokens: counted(dialect, tokens), cost: event.cost.unwrap_or_default() };
    team.account().charge(now, spent, &team.limits);
}
