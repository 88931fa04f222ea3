//! Before a body is read: is there room for it, and may its team go on? A request waits here for its turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Shared;
use super::call::{Call, Level};
use crate::domain::Team;
use crate::pipeline::{Admission, Load, Opening, Reply, Turned};

/// How often it is looked how long ready work waits.
const LAG_INTERVAL: Duration = Duration::from_millis(50);

/// Who waits, and how late everything is.
#[derive(Default)]
pub(super) struct Gate {
    /// Woken when an exchange of the team has ended. Only looked into where someone waits.
    turns: Mutex<HashMap<Team, Arc<Notify>>>,
    lag_nanos: AtomicU64,
}

impl Gate {
    /// Wakes one request of the team.
    pub(super) fn wake(&self, team: &Team) {
        self.turn(team).notify_one();
    }

    fn turn(&self, team: &Team) -> Arc<Notify> {
        // Teams are those of the configuration, past ones included: a few bytes each.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(team.clone()).or_default().clone()
    }

    /// What there is to do at this moment.
    pub(super) fn load(&self, shared: &Shared) -> Load {
        let level = |gauge: &crate::sinks::Gauge| u64::try_from(gauge.get()).unwrap_or(0);
        Load {
            held_bytes: level(&shared.metrics.held_bytes),
            requests: level(&shared.metrics.active_requests),
            lag: Duration::from_nanos(self.lag_nanos.load(Ordering::Relaxed)),
        }
    }
}

/// The opening, once there is room for the request; or the answer that there is none.
pub(super) async fn admitted(shared: &Shared, call: &Call, opening: Opening) -> Opening {
    if matches!(opening, Opening::Answer(_)) {
        return opening;
    }
    let (mut until, mut waits) = (None, None);
    loop {
        let load = shared.gate.load(shared);
        let Some(admission) = call.admit(&load) else { return opening };
        let waiting = match admission {
            Admission::Open(place) => {
                let waited_for = place.account().is_waited_for();
                call.take(place);
                // Two who left at once may have woken only one.
                if waited_for {
                    shared.gate.wake(&call.team());
                }
                return opening;
            }
            Admission::Answer(reply, turned) => return Opening::Answer(turned_away(shared, call, reply, turned)),
            Admission::Wait(waiting) => waiting,
        };
        waits.get_or_insert_with(|| Level::up(shared.metrics.waiting()));
        let until = *until.get_or_insert_with(|| Instant::now() + call.limits().queue_timeout);
        let turn = shared.gate.turn(&call.team());
        let woken = tokio::time::timeout_at(until, turn.notified()).await;
        drop(waiting);
        if woken.is_err() {
            return match call.waited_too_long() {
                Some((reply, turned)) => Opening::Answer(turned_away(shared, call, reply, turned)),
                None => opening,
            };
        }
    }
}

fn turned_away(shared: &Shared, call: &Call, reply: Reply, turned: Turned) -> Reply {
    let team = call.team();
    match turned {
        Turned::Shed(shed) => shared.metrics.shed(shed.name()),
        Turned::Limited(limit) => shared.metrics.limited(team.as_str(), limit),
    }
    // It may have been woken in place of another, or have taken a place for a moment that another saw.
    if shared.metrics.waiting().get() > 0 {
        shared.gate.wake(&team);
    }
    reply
}

/// Measures how long ready work waits for a thread, by a task that is late by as much.
pub(super) async fn watch_lag(shared: Arc<Shared>) {
    let (mut last, mut lag) = (Duration::ZERO, Duration::ZERO);
    loop {
        let due = Instant::now() + LAG_INTERVAL;
        tokio::time::sleep_until(due).await;
        let late = due.elapsed();
        // Twice in a row, because a machine that stood still once is not busy; and down by an eighth, because one thread
        // that was free by chance says little.
        lag = late.min(last).max(lag - lag / 8);
        last = late;
        shared.gate.lag_nanos.store(u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        shared.metrics.lag(lag.as_secs_f64());
    }
}
