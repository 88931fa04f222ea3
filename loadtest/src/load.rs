//! Load itself: requests one after the other, at times of their own, or streams that stay open; measured and shown.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::client::{Call, Client};
use crate::measure::{MemoryUse, Phase, Tally};
use crate::process::{Cpu, Memory, Watched};
use crate::random::Random;

/// Between the last answer and the reading of CPU time: what a gateway does behind its answers counts, too.
const SETTLE: Duration = Duration::from_millis(200);
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);
/// When memory is read while streams are open, as parts of the time they are.
const EARLY_AND_LATE: [f64; 2] = [0.1, 0.9];
/// Arrivals of an open load that may be in flight.
pub const IN_FLIGHT_MAX: usize = 10_000;

/// One gateway under load, and who watches it.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Sends.
    pub client: Arc<Client>,
    /// The gateway's processes, if they are on this machine.
    pub watched: Watched,
    /// What stands before each line of progress; no progress without.
    pub label: Option<String>,
}

/// How arrivals come.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    /// A second, in the mean.
    pub per_second: f64,
    /// So many at the same moment.
    pub burst: usize,
    /// At most so many in flight; further ones are counted and not begun.
    pub in_flight_max: usize,
    /// Of the Poisson process.
    pub seed: u64,
}

/// Streams that are open at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many.
    pub streams: usize,
    /// Opened over this time.
    pub ramp: Duration,
    /// Opened again until this time is over.
    pub lasts: Duration,
    /// From the end until memory is read for the last time.
    pub settle: Duration,
}

type Shared = Arc<Mutex<Tally>>;

impl Stage {
    /// Sends every call once, so many at a time.
    pub async fn closed(&self, name: &str, calls: Arc<Vec<Call>>, concurrency: usize) -> Phase {
        let total = calls.len();
        let next = Arc::new(AtomicUsize::new(0));
        let run = |tally: Shared| {
            let mut workers = JoinSet::new();
            for _ in 0..concurrency.max(1) {
                let (client, calls, next, tally) = (self.client.clone(), calls.clone(), next.clone(), tally.clone());
                workers.spawn(async move {
                    while let Some(call) = calls.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = client.exchange(call, Instant::now()).await;
                        add(&tally, |it| it.add(&outcome, call.body.len()));
                    }
                });
            }
            async move { while workers.join_next().await.is_some() {} }
        };
        self.measured(name, Some(total), run).await
    }

    /// Sends calls over and over, so many at a time, until the time is over.
    pub async fn closed_for(&self, name: &str, calls: Arc<Vec<Call>>, concurrency: usize, lasts: Duration) -> Phase {
        let next = Arc::new(AtomicUsize::new(0));
        let run = |tally: Shared| {
            let until = Instant::now() + lasts;
            let mut workers = JoinSet::new();
            for _ in 0..concurrency.max(1) {
                let (client, calls, next, tally) = (self.client.clone(), calls.clone(), next.clone(), tally.clone());
                workers.spawn(async move {
                    while Instant::now() < until {
                        let call = &calls[next.fetch_add(1, Ordering::Relaxed) % calls.len()];
                        let outcome = client.exchange(call, Instant::now()).await;
                        add(&tally, |it| it.add(&outcome, call.body.len()));
                    }
                });
            }
            async move { while workers.join_next().await.is_some() {} }
        };
        self.measured(name, None, run).await
    }

    /// Sends calls when they are due, whether or not the earlier ones are answered. `next` gives the call and how many
    /// times the usual rate holds until the following one; `None` ends the load.
    pub async fn open(
        &self,
        name: &str,
        arrivals: Arrivals,
        mut next: impl FnMut(Duration) -> Option<(Call, f64)>,
    ) -> Phase {
        let run = |tally: Shared| async move {
            let permits = Arc::new(Semaphore::new(arrivals.in_flight_max));
            let mut random = Random::new(arrivals.seed);
            let mut open = JoinSet::new();
            let begin = Instant::now();
            let mut due = begin;
            'load: loop {
                tokio::time::sleep_until(due.into()).await;
                let mut pace = 1.0;
                for _ in 0..arrivals.burst {
                    let Some((call, now)) = next(due - begin) else { break 'load };
                    pace = now;
                    let Ok(permit) = permits.clone().try_acquire_owned() else {
                        add(&tally, Tally::not_begun);
                        continue;
                    };
                    let (client, tally) = (self.client.clone(), tally.clone());
                    open.spawn(async move {
                        let outcome = client.exchange(&call, due).await;
                        add(&tally, |it| it.add(&outcome, call.body.len()));
                        drop(permit);
                    });
                }
                while open.try_join_next().is_some() {}
                let pause = random.pause(arrivals.per_second * pace / arrivals.burst as f64);
                due += Duration::from_secs_f64(pause);
            }
            while open.join_next().await.is_some() {}
        };
        self.measured(name, None, run).await
    }

    /// Opens streams and keeps them open; reads memory before, while all are open, and after.
    pub async fn streams(&self, name: &str, calls: Arc<Vec<Call>>, crowd: Crowd) -> Phase {
        let before = self.memory();
        let readings = Arc::new(Mutex::new([Memory::default(); 2]));
        let reading = readings.clone();
        let run = |tally: Shared| {
            let begin = Instant::now();
            let mut workers = JoinSet::new();
            for place in 0..crowd.streams {
                let (client, calls, tally) = (self.client.clone(), calls.clone(), tally.clone());
                let start = begin + crowd.ramp.mul_f64(place as f64 / crowd.streams as f64);
                workers.spawn(async move {
                    let call = &calls[place % calls.len()];
                    let mut intended = start;
                    tokio::time::sleep_until(start.into()).await;
                    while intended < begin + crowd.ramp + crowd.lasts {
                        let outcome = client.exchange(call, intended).await;
                        add(&tally, |it| it.add(&outcome, call.body.len()));
                        intended = Instant::now();
                    }
                });
            }
            let watched = self.watched.clone();
            async move {
                // Early, and shortly before the streams end, when the most has been seen of each.
                for (place, part) in EARLY_AND_LATE.into_iter().enumerate() {
                    tokio::time::sleep_until((begin + crowd.ramp + crowd.lasts.mul_f64(part)).into()).await;
                    reading.lock().unwrap_or_else(PoisonError::into_inner)[place] = watched.memory();
                }
                while workers.join_next().await.is_some() {}
            }
        };
        let mut phase = self.measured(name, None, run).await;
        self.client.close();
        tokio::time::sleep(crowd.settle).await;
        let [early, late] = *readings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = before {
            let after = self.watched.memory();
            phase.memory = Some(MemoryUse::new(before, late, after, crowd.streams as u64));
            for (name, memory) in [("before", before), ("early", early), ("late", late), ("after", after)] {
                phase.facts.insert(format!("resident_{name}"), memory.resident_bytes as f64);
            }
        }
        phase
    }

    fn memory(&self) -> Option<Memory> {
        (!self.watched.is_empty()).then(|| self.watched.memory())
    }

    async fn measured<F: Future<Output = ()>>(
        &self,
        name: &str,
        total: Option<usize>,
        run: impl FnOnce(Shared) -> F,
    ) -> Phase {
        let tally = Shared::default();
        let before = self.watched.cpu();
        let begin = Instant::now();
        let load = run(tally.clone());
        tokio::pin!(load);
        let mut lines = tokio::time::interval_at((begin + PROGRESS).into(), PROGRESS);
        lines.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = &mut load => break,
                _ = lines.tick() => self.progress(name, total, &tally, begin, &before),
            }
        }
        let took = begin.elapsed();
        tokio::time::sleep(SETTLE).await;
        let cpu = (!self.watched.is_empty()).then(|| self.watched.cpu().since(&before));
        let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        tally.finish(name, took, cpu)
    }

    fn progress(&self, name: &str, total: Option<usize>, tally: &Shared, begin: Instant, before: &Cpu) {
        let Some(label) = &self.label else { return };
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let (phase, latency) = (tally.so_far(), tally.latency());
        let seconds = begin.elapsed().as_secs_f64();
        let done = total.map_or(phase.requests.to_string(), |total| format!("{} of {total}", phase.requests));
        let milliseconds = |value: fn(&crate::measure::Summary) -> u64| {
            latency.as_ref().map_or("-".into(), |it| format!("{:.1}", value(it) as f64 / 1e6))
        };
        let cpu = self.watched.cpu().since(before).as_secs_f64();
        eprintln!(
            "{label} {name}: {seconds:.0} s, {done} ended, {:.0}/s, p50 {} ms, p99 {} ms, refused {}, failed {}, CPU {cpu:.2} s",
            phase.requests as f64 / seconds,
            milliseconds(|it| it.p50),
            milliseconds(|it| it.p99),
            phase.refusals(),
            phase.failures(),
        );
    }
}

fn add(tally: &Shared, count: impl FnOnce(&mut Tally)) {
    count(&mut tally.lock().unwrap_or_else(PoisonError::into_inner));
}
