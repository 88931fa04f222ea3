//! From single exchanges to one phase: counts, percentiles, CPU per request, memory per stream.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::client::{Outcome, Passed};
use crate::process::Memory;

/// Longest time a histogram holds: an hour, in nanoseconds.
const NANOSECONDS_MAX: u64 = 3_600_000_000_000;
/// Percentiles that are drawn and reported.
const DRAWN: [f64; 12] = [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// Values with three digits of precision.
#[derive(Clone, Debug)]
pub struct Values(Option<Histogram<u64>>);

impl Default for Values {
    fn default() -> Self {
        // The bounds are constants that the library accepts; without a histogram nothing would be counted.
        Values(Histogram::new_with_bounds(1, NANOSECONDS_MAX, 3).ok())
    }
}

impl Values {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(value);
        }
    }

    /// What they come to; `None` without values.
    pub fn summary(&self) -> Option<Summary> {
        let histogram = self.0.as_ref().filter(|it| !it.is_empty())?;
        let at = |percent: f64| histogram.value_at_percentile(percent);
        Some(Summary {
            count: histogram.len(),
            mean: histogram.mean(),
            minimum: histogram.min(),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            maximum: histogram.max(),
            curve: DRAWN.iter().map(|percent| (*percent, at(*percent))).collect(),
        })
    }
}

/// What many values come to, in the unit of the values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The least.
    pub minimum: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 90 of 100 are at most this.
    pub p90: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// 999 of 1,000 are at most this.
    pub p999: u64,
    /// The most.
    pub maximum: u64,
    /// Percent and value, for drawing.
    pub curve: Vec<(f64, u64)>,
}

/// Memory of the watched processes around a phase, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Resident before.
    pub before_bytes: u64,
    /// Resident while most was open.
    pub during_bytes: u64,
    /// Resident after all had ended.
    pub after_bytes: u64,
    /// Growth of the proportional set, for each open stream.
    pub stream_bytes: Option<u64>,
}

/// What one stretch of load came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Phase {
    /// What it was.
    pub name: String,
    /// Exchanges that were begun.
    pub requests: u64,
    /// Answered with 2xx and to the end.
    pub succeeded: u64,
    /// Answered with another status, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Of those, in the shape of the dialect.
    pub refused_shaped: u64,
    /// Without a whole answer, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Arrivals that the load test itself could not begin, because its own cap was reached.
    pub not_begun: u64,
    /// Requests that the provider got byte for byte, and others.
    pub unchanged: u64,
    /// Requests that the provider got with other bytes.
    pub changed: u64,
    /// Bytes of all request bodies.
    pub body_bytes: u64,
    /// Wall clock, in seconds.
    pub seconds: f64,
    /// CPU time of the watched processes, in nanoseconds.
    pub cpu_nanoseconds: Option<u64>,
    /// Memory of the watched processes.
    pub memory: Option<MemoryUse>,
    /// From the intended start to the end, in nanoseconds, of what succeeded.
    pub latency: Option<Summary>,
    /// From the intended start to the first text, in nanoseconds.
    pub first_text: Option<Summary>,
    /// From the provider to the client: the first text, in nanoseconds.
    pub first_delay: Option<Summary>,
    /// From the provider to the client: every text, in nanoseconds.
    pub delay: Option<Summary>,
    /// Between two texts at the client, in nanoseconds.
    pub gap: Option<Summary>,
    /// Text on its way or held whenever text arrived, in bytes.
    pub held: Option<Summary>,
    /// Time until a refusal was there, in nanoseconds.
    pub refusal: Option<Summary>,
    /// What else is known, by name.
    #[serde(default)]
    pub facts: BTreeMap<String, f64>,
    /// Remarks.
    pub notes: Vec<String>,
}

impl Phase {
    /// Microseconds of CPU for each exchange.
    pub fn cpu_per_request(&self) -> Option<f64> {
        (self.requests > 0).then_some(self.cpu_nanoseconds? as f64 / self.requests as f64 / 1e3)
    }

    /// Bytes of one request body.
    pub fn body_bytes_mean(&self) -> f64 {
        self.body_bytes as f64 / self.requests.max(1) as f64
    }

    /// Exchanges for each second.
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds.max(1e-9)
    }

    /// Refusals of all statuses.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Failures of all kinds.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// Counts exchanges while a phase runs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    phase: Phase,
    latency: Values,
    first_text: Values,
    first_delay: Values,
    delay: Values,
    gap: Values,
    held: Values,
    refusal: Values,
}

impl Tally {
    /// Counts one exchange with a body of so many bytes.
    pub fn add(&mut self, outcome: &Outcome, body_bytes: usize) {
        let phase = &mut self.phase;
        phase.requests += 1;
        phase.body_bytes += body_bytes as u64;
        match outcome.passed {
            Passed::Same => phase.unchanged += 1,
            Passed::Changed => phase.changed += 1,
            Passed::Unknown => {}
        }
        if let Some(failure) = outcome.failure {
            *phase.failed.entry(failure.to_string()).or_default() += 1;
            return;
        }
        let status = outcome.status.unwrap_or(0);
        if !(200..300).contains(&status) {
            *phase.refused.entry(status).or_default() += 1;
            phase.refused_shaped += u64::from(outcome.shaped);
            self.refusal.add(nanoseconds(outcome.whole));
            return;
        }
        phase.succeeded += 1;
        self.latency.add(nanoseconds(outcome.whole));
        outcome.first_text.into_iter().for_each(|it| self.first_text.add(nanoseconds(it)));
        outcome.first_delay.into_iter().for_each(|it| self.first_delay.add(it));
        outcome.gaps.iter().for_each(|it| self.gap.add(*it));
        outcome.delays.iter().for_each(|it| self.delay.add(*it));
        outcome.held.iter().for_each(|it| self.held.add(*it));
    }

    /// An arrival that could not be begun.
    pub fn not_begun(&mut self) {
        self.phase.not_begun += 1;
    }

    /// What has been counted so far, without percentiles.
    pub fn so_far(&self) -> &Phase {
        &self.phase
    }

    /// The latency so far.
    pub fn latency(&self) -> Option<Summary> {
        self.latency.summary()
    }

    /// The whole phase.
    pub fn finish(self, name: &str, took: Duration, cpu: Option<Duration>) -> Phase {
        Phase {
            name: name.into(),
            seconds: took.as_secs_f64(),
            cpu_nanoseconds: cpu.map(nanoseconds),
            latency: self.latency.summary(),
            first_text: self.first_text.summary(),
            first_delay: self.first_delay.summary(),
            delay: self.delay.summary(),
            gap: self.gap.summary(),
            held: self.held.summary(),
            refusal: self.refusal.summary(),
            ..self.phase
        }
    }
}

impl MemoryUse {
    /// From three readings and the number of streams that were open at the second.
    pub fn new(before: Memory, during: Memory, after: Memory, streams: u64) -> Self {
        // A process that gave memory back in between has no growth that could be told from that.
        let grown = during.proportional_bytes.checked_sub(before.proportional_bytes);
        MemoryUse {
            before_bytes: before.resident_bytes,
            during_bytes: during.resident_bytes,
            after_bytes: after.resident_bytes,
            stream_bytes: grown.and_then(|it| it.checked_div(streams)),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The middle of the values, the mean of both middles if they are even in number; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The least of the values.
pub fn minimum(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Failure;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut values = Values::default();
        (1..=10_000_u64).for_each(|it| values.add(it * 1_000));
        let summary = values.summary().unwrap();
        let near = |value: u64, wanted: u64| value.abs_diff(wanted) * 1_000 <= wanted;
        assert!(near(summary.p50, 5_000_000) && near(summary.p99, 9_900_000) && near(summary.maximum, 10_000_000));
        assert_eq!((summary.count, summary.curve.len()), (10_000, DRAWN.len()));
        assert_eq!(Values::default().summary(), None);
    }

    #[test]
    fn zero_and_what_is_beyond_an_hour_are_counted() {
        let mut values = Values::default();
        [0, u64::MAX].into_iter().for_each(|it| values.add(it));
        let summary = values.summary().unwrap();
        assert_eq!((summary.count, summary.minimum), (2, 0));
        assert!(summary.maximum >= NANOSECONDS_MAX);
    }

    #[test]
    fn only_what_succeeded_counts_for_latency() {
        let outcome = |status, failure, millis| Outcome {
            status,
            failure,
            shaped: true,
            whole: Duration::from_millis(millis),
            ..Outcome::default()
        };
        let mut tally = Tally::default();
        tally.add(&outcome(Some(200), None, 5), 100);
        tally.add(&outcome(Some(529), None, 1), 100);
        tally.add(&outcome(Some(200), Some(Failure::Incomplete), 900), 100);
        tally.not_begun();
        let phase = tally.finish("", Duration::from_secs(2), Some(Duration::from_micros(600)));
        assert_eq!((phase.requests, phase.succeeded, phase.refusals(), phase.failures()), (3, 1, 1, 1));
        assert_eq!((phase.refused_shaped, phase.not_begun, phase.body_bytes), (1, 1, 300));
        let latency = phase.latency.as_ref().unwrap();
        assert_eq!(latency.count, 1);
        assert!(latency.maximum < 6_000_000);
        assert_eq!(phase.cpu_per_request(), Some(200.0));
        assert!((phase.per_second() - 1.5).abs() < 1e-9);
    }

    #[test]
    fn memory_for_each_stream_is_the_growth_of_the_proportional_set() {
        let at = |bytes| Memory { resident_bytes: 2 * bytes, proportional_bytes: bytes, threads: 1 };
        let memory = MemoryUse::new(at(10_000), at(60_000), at(20_000), 100);
        assert_eq!((memory.stream_bytes, memory.during_bytes), (Some(500), 120_000));
        assert_eq!(MemoryUse::new(at(1), at(2), at(3), 0).stream_bytes, None);
        assert_eq!(MemoryUse::new(at(20_000), at(10_000), at(20_000), 100).stream_bytes, None);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!((median(&[]), minimum(&[])), (None, None));
        assert_eq!(minimum(&[3.0, 1.0, 2.0]), Some(1.0));
    }
}
