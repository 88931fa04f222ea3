//! The metrics of the configuration: how often it was loaded again, and whether the newest one is in force.

use prometheus::{IntCounter, IntGauge, Registry};

use super::prometheus::{counter, gauge};
use crate::domain::Stamp;

/// What is counted of reloads.
pub(super) struct ConfigMetrics {
    reloads: IntCounter,
    failures: IntCounter,
    success: IntGauge,
    success_seconds: IntGauge,
    waiting: IntGauge,
}

impl ConfigMetrics {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = ConfigMetrics {
            reloads: counter(to, "config_reloads_total", "Configurations put in force since the start.")?,
            failures: counter(to, "config_reload_failures_total", "Configurations that could not be put in force.")?,
            success: gauge(to, "config_last_reload_success", "Whether the newest configuration is in force.")?,
            success_seconds: gauge(
                to,
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was loaded, Unix seconds; 0 at the start.",
            )?,
            waiting: gauge(to, "config_restart_needed", "Settings of the newest configuration that need a restart.")?,
        };
        metrics.success.set(1);
        Ok(metrics)
    }

    /// A configuration is in force, but for so many settings, and whole unless something newer is refused.
    pub(super) fn renewed(&self, waiting: usize, is_whole: bool, now: Stamp) {
        self.success.set(i64::from(is_whole));
        self.success_seconds.set(i64::try_from(now.unix.as_secs()).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        // Last: who sees it counted sees the rest, too.
        self.reloads.inc();
    }

    /// One was refused.
    pub(super) fn refused(&self) {
        self.failures.inc();
        self.success.set(0);
    }
}
