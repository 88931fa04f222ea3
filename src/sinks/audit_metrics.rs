//! The metrics of the audit log: the queue, the journal, and each outlet behind it.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::prometheus::{counter, counters, gauge, histogram};

/// Edges of the sync histogram, in seconds: 100 µs to 5 s.
const SYNC_SECONDS: &[f64] = &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// What is counted of the audit log.
pub(super) struct AuditMetrics {
    queue: IntGauge,
    sequence: IntGauge,
    journal_bytes: IntGauge,
    sync_seconds: Histogram,
    sync_failures: IntCounter,
    refused: IntCounter,
    lost: IntCounter,
    lag: IntGaugeVec,
    failures: IntCounterVec,
    dead_letters: IntCounterVec,
}

impl AuditMetrics {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let lag = Opts::new("airiskguard_audit_lag_records", "Records that an outlet has not taken yet.");
        let lag = IntGaugeVec::new(lag, &["outlet"])?;
        to.register(Box::new(lag.clone()))?;
        Ok(AuditMetrics {
            queue: gauge(to, "audit_queue", "Exchanges under way or waiting to be written to the journal.")?,
            sequence: gauge(to, "audit_sequence", "Number of the newest record.")?,
            journal_bytes: gauge(to, "audit_journal_bytes", "Bytes of the journal.")?,
            sync_seconds: histogram(to, "audit_sync_seconds", "Time to make records safe on disk.", SYNC_SECONDS)?,
            sync_failures: counter(to, "audit_sync_failures_total", "Failures to write the journal.")?,
            refused: counter(to, "audit_refused_total", "Requests refused because they could not be recorded.")?,
            lost: counter(to, "audit_lost_total", "Records lost: only where on_failure allows it.")?,
            lag,
            failures: counters(to, "audit_outlet_failures_total", "Deliveries that failed.", &["outlet"])?,
            dead_letters: counters(to, "audit_dead_letters_total", "Records an outlet never took.", &["outlet"])?,
        })
    }

    /// A sync that took this long.
    pub(super) fn synced(&self, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
    }

    /// The journal could not be written.
    pub(super) fn sync_failed(&self) {
        self.sync_failures.inc();
    }

    /// A request was refused because it could not be recorded.
    pub(super) fn refused(&self) {
        self.refused.inc();
    }

    /// A record was lost.
    pub(super) fn lost(&self) {
        self.lost.inc();
    }

    /// How far the journal is, how large, and how many places of its queue are taken.
    pub(super) fn journal(&self, sequence: u64, bytes: u64, queue: usize) {
        self.sequence.set(level(sequence));
        self.journal_bytes.set(level(bytes));
        self.queue.set(level(queue as u64));
    }

    /// How far an outlet is behind.
    pub(super) fn lag(&self, outlet: &str, records: u64) {
        self.lag.with_label_values(&[outlet]).set(level(records));
    }

    /// How far it was behind when that was looked at last.
    pub(super) fn records_behind(&self, outlet: &str) -> u64 {
        u64::try_from(self.lag.with_label_values(&[outlet]).get()).unwrap_or_default()
    }

    /// A delivery failed.
    pub(super) fn outlet_failed(&self, outlet: &str) {
        self.failures.with_label_values(&[outlet]).inc();
    }

    /// Records that an outlet will never take.
    pub(super) fn dead_letters(&self, outlet: &str, records: u64) {
        self.dead_letters.with_label_values(&[outlet]).inc_by(records);
    }

    /// An outlet exists: its counters are there from the beginning.
    pub(super) fn outlet(&self, outlet: &str) {
        self.lag(outlet, 0);
        self.failures.with_label_values(&[outlet]).inc_by(0);
        self.dead_letters.with_label_values(&[outlet]).inc_by(0);
    }
}

fn level(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
