//! How many sockets there are, in all and of each team, and what opens the provider's side of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pingora_core::connectors::TransportConnector;

use crate::config::Limits;
use crate::edge::call::Level;
use crate::sinks::Metrics;

/// The sockets of one gateway.
#[derive(Default)]
pub(in crate::edge) struct Seats {
    taken: Mutex<Taken>,
    connector: OnceLock<TransportConnector>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    /// The keys are the teams of the configuration, so the map does not grow.
    by_team: HashMap<String, u32>,
}

/// One socket's place. Given back when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    team: String,
    _level: Level,
}

impl Seats {
    /// A place, if there is one left for this team.
    pub(super) fn take(self: &Arc<Self>, team: &str, limits: Limits, metrics: &Metrics) -> Option<Seat> {
        let mut taken = self.taken();
        let of_team = taken.by_team.get(team).copied().unwrap_or(0);
        if taken.all >= limits.sockets_max || of_team >= limits.team_sockets_max {
            return None;
        }
        taken.all += 1;
        taken.by_team.insert(team.to_owned(), of_team + 1);
        Some(Seat { seats: self.clone(), team: team.to_owned(), _level: Level::up(&metrics.sockets) })
    }

    /// Opens connections.
    pub(super) fn connector(&self) -> &TransportConnector {
        self.connector.get_or_init(|| TransportConnector::new(None))
    }

    /// Makes what opens connections before the first is wanted: it reads the system's roots, which takes a while.
    pub(super) async fn prepare(self: &Arc<Self>) {
        if self.connector.get().is_none() {
            let seats = self.clone();
            // If the runtime stops, nobody will connect.
            drop(
                tokio::task::spawn_blocking(move || {
                    seats.connector();
                })
                .await,
            );
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(count) = taken.by_team.get_mut(&self.team) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_in_all_and_by_team_and_given_back() {
        let (seats, metrics) = (Arc::new(Seats::default()), Metrics::new().unwrap());
        let limits = Limits { sockets_max: 3, team_sockets_max: 2, ..Limits::default() };
        let take = |team: &str| seats.take(team, limits, &metrics);
        let (one, _two) = (take("a").unwrap(), take("a").unwrap());
        assert!(take("a").is_none(), "the team has its share");
        let _three = take("b").unwrap();
        assert!(take("c").is_none(), "no seat is left at all");
        assert_eq!(metrics.sockets.get(), 3);
        drop(one);
        assert!(take("a").is_some());
        assert_eq!(metrics.sockets.get(), 2);
    }
}
