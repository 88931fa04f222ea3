//! The metrics of a gateway that follows a policy server.

use prometheus::{IntCounterVec, IntGauge, Registry};

use super::Metrics;
use super::prometheus::{counters, gauge};
use crate::domain::Stamp;

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Another bundle is in force.
    Changed,
    /// There is nothing new.
    Unchanged,
    /// There is a bundle that is not put in force.
    Refused,
    /// No answer.
    Failed,
}

impl Polled {
    const ALL: [Polled; 4] = [Polled::Changed, Polled::Unchanged, Polled::Refused, Polled::Failed];

    fn name(self) -> &'static str {
        match self {
            Polled::Changed => "changed",
            Polled::Unchanged => "unchanged",
            Polled::Refused => "refused",
            Polled::Failed => "failed",
        }
    }
}

/// What is counted of polls.
pub(super) struct ControlMetrics {
    polls: IntCounterVec,
    generation: IntGauge,
    contact_seconds: IntGauge,
}

impl ControlMetrics {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let polls = counters(to, "control_polls_total", "Polls of the policy server.", &["result"])?;
        for it in Polled::ALL {
            polls.with_label_values(&[it.name()]).inc_by(0);
        }
        Ok(ControlMetrics {
            polls,
            generation: gauge(to, "control_generation", "Generation of the bundle in force; 0: none.")?,
            contact_seconds: gauge(
                to,
                "control_last_contact_timestamp_seconds",
                "When the policy server answered last, or following began, Unix seconds; 0 where none is followed.",
            )?,
        })
    }
}

impl Metrics {
    /// This gateway follows a policy server from now on, with this generation in force.
    pub fn control_follows(&self, generation: u64, now: Stamp) {
        self.control_in_force(generation);
        self.control_heard(now);
    }

    /// A poll came to this.
    pub fn control_polled(&self, result: Polled) {
        self.control().polls.with_label_values(&[result.name()]).inc();
    }

    /// The policy server has answered.
    pub fn control_heard(&self, now: Stamp) {
        self.control().contact_seconds.set(level(now.unix.as_secs()));
    }

    /// This generation is in force.
    pub fn control_in_force(&self, generation: u64) {
        self.control().generation.set(level(generation));
    }

    /// How many records this outlet has not taken yet, as the ledger saw it last.
    pub fn records_behind(&self, outlet: &str) -> u64 {
        self.audit().records_behind(outlet)
    }
}

fn level(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
