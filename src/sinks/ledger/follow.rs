//! One outlet's way through the journal: its place, kept over restarts; patience with it; what it will never take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::millis;
use crate::domain::Clock;
use crate::sinks::{DELIVERY_TIMEOUT, Failure, Hope, Metrics, Outlet, STATE_BYTES_MAX};
use crate::store::{Entry, Feed, Head, Link, write_whole};

/// Entries delivered together.
const ENTRIES_MAX: usize = 500;
/// Bytes delivered together, roughly.
const BYTES_MAX: usize = 4 << 20;
/// Wait before the first repeat; it doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(200);
/// How long more records are waited for where there are not enough for a whole delivery: one of few costs as much as one
/// of many.
const GATHERING_TIME: Duration = Duration::from_millis(200);
/// Longest wait between two tries.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The same for the store, which the journal fills up behind.
const STORE_BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How often an outlet that has nothing to do is asked.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Least time between two writes of the place.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// Failing for longer than this is trouble that people are told of.
const TROUBLE_AFTER: Duration = Duration::from_secs(10);
/// Larger cursor files are none of ours.
const CURSOR_BYTES_MAX: u64 = 2 * STATE_BYTES_MAX as u64;

/// Where an outlet begins, and how long one entry may keep it.
pub struct Following {
    /// The file its place is kept in.
    cursor: PathBuf,
    /// After so long without success an entry becomes a dead letter; `None`: never.
    dead_letter_after: Option<Duration>,
    /// The newest entry it has for certain, whatever the file says.
    known: u64,
}

/// The newest entry that the outlet with this cursor file has, as far as the file tells.
pub fn known_head(cursor: &Path) -> Option<Head> {
    let cursor = read(cursor);
    Some(Head { sequence: cursor.sequence, hash: cursor.hash.parse().ok()? })
}

/// How far an outlet has come; shared with the writer, which drops what all have read.
#[derive(Clone)]
pub(super) struct Place {
    name: Arc<str>,
    done: Arc<AtomicU64>,
    /// Whether it has failed for longer than [`TROUBLE_AFTER`].
    failing: Arc<AtomicBool>,
    may_skip: bool,
}

impl Place {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Whether its deliveries have failed for some time.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Whether it may be told to pass over entries: not the store.
    pub(super) fn may_skip(&self) -> bool {
        self.may_skip
    }

    /// It goes on behind `sequence`, at the latest.
    pub(super) fn skip_to(&self, sequence: u64) {
        self.done.fetch_max(sequence, Ordering::AcqRel);
    }
}

/// What the cursor file holds.
#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    sequence: u64,
    /// Its hash; empty where it is not known.
    #[serde(default)]
    hash: String,
    /// Since when the entry behind it could not be delivered, Unix milliseconds.
    #[serde(default)]
    failing_since_ms: Option<u64>,
    #[serde(default)]
    state: Option<Value>,
}

impl Following {
    /// With its place in `cursor`; `known`, where it is more, is what the outlet has for certain.
    pub fn new(cursor: PathBuf, dead_letter_after: Option<Duration>, known: u64) -> Following {
        Following { cursor, dead_letter_after, known }
    }

    /// Ready to run.
    pub(super) fn run(
        self,
        mut outlet: Box<dyn Outlet>,
        feed: Feed,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Follower {
        let cursor = read(&self.cursor);
        if let Some(state) = cursor.state {
            outlet.restore(state);
        }
        // A journal that was begun anew is read from its beginning.
        let sequence = cursor.sequence.max(self.known).min(feed.newest());
        let place = Place {
            name: outlet.name().into(),
            done: Arc::new(AtomicU64::new(sequence)),
            failing: Arc::default(),
            may_skip: self.dead_letter_after.is_some(),
        };
        let hash = cursor.hash.parse().ok().filter(|_| cursor.sequence == sequence);
        let failing_since_ms = cursor.failing_since_ms;
        Follower {
            following: self,
            outlet,
            feed,
            metrics,
            clock,
            place,
            failing_since_ms,
            sequence,
            hash,
            failures: 0,
            saved_ms: 0,
            saved: Vec::new(),
        }
    }
}

/// An outlet on its way.
pub(super) struct Follower {
    following: Following,
    outlet: Box<dyn Outlet>,
    feed: Feed,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    place: Place,
    /// The newest entry it has.
    sequence: u64,
    hash: Option<Link>,
    failing_since_ms: Option<u64>,
    /// Tries in a row that failed.
    failures: u32,
    saved_ms: u64,
    /// What its cursor file holds.
    saved: Vec<u8>,
}

impl Follower {
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Delivers until told to stop and all is delivered, or a delivery fails after that.
    pub(super) async fn until(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            self.sequence = self.sequence.max(self.place.done());
            let stopping = *stop.borrow();
            if self.feed.newest() == self.sequence {
                if stopping {
                    break;
                }
                self.wait(&mut stop).await;
                continue;
            }
            if self.feed.newest().saturating_sub(self.sequence) < ENTRIES_MAX as u64 {
                // An error means that the gateway is gone, and what is there is delivered at once.
                drop(tokio::time::timeout(GATHERING_TIME, stop.wait_for(|it| *it)).await);
            }
            let delivered = self.step().await;
            if !delivered && stopping {
                break;
            }
            if !delivered {
                let longest = if self.place.may_skip() { BACKOFF_MAX } else { STORE_BACKOFF_MAX };
                let pause = backoff(self.failures).min(longest);
                // Either ends the pause; an error means that the gateway is gone, which is a stop as well.
                drop(tokio::time::timeout(pause, stop.wait_for(|it| *it)).await);
            }
            self.save(false);
        }
        self.save(true);
    }

    /// Until there is something to deliver, with the outlet asked now and then for what is due by time.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>) {
        tokio::select! {
            _ = self.feed.wait(self.sequence) => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(IDLE_INTERVAL) => {
                let now_ms = self.now_ms();
                if let Ok(Err(failure)) = tokio::time::timeout(DELIVERY_TIMEOUT, self.outlet.idle(now_ms)).await {
                    self.count(&failure.what);
                }
                self.save(false);
            }
        }
    }

    /// One batch. Says whether all of it was delivered.
    async fn step(&mut self) -> bool {
        let batch = match self.feed.read(self.sequence, ENTRIES_MAX, BYTES_MAX) {
            Ok(batch) => batch,
            Err(error) => {
                self.count(&format!("the journal cannot be read: {error}"));
                return false;
            }
        };
        if batch.missing > 0 {
            self.metrics.audit().dead_letters(self.outlet.name(), batch.missing);
            tracing::error!(outlet = self.outlet.name(), records = batch.missing, "records are missing in the journal");
        }
        let Some(first) = batch.entries.first() else {
            self.failures = self.failures.saturating_add(1);
            return false;
        };
        if first.sequence > self.sequence + 1 {
            self.advance(first.sequence - 1, None);
        }
        let now_ms = self.now_ms();
        let delivery = self.outlet.deliver(&batch.entries, now_ms);
        let failure = match tokio::time::timeout(DELIVERY_TIMEOUT, delivery).await {
            Ok(Ok(())) => {
                self.advance_to(batch.entries.last());
                return true;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::later("no answer in time"),
        };
        self.advance_to(batch.entries[..failure.done.min(batch.entries.len())].last());
        self.bury_if_hopeless(&failure, batch.entries.get(failure.done), now_ms)
    }

    /// Notes a failure; an entry that will never be taken becomes a dead letter. Says whether to go on at once.
    fn bury_if_hopeless(&mut self, failure: &Failure, entry: Option<&Entry>, now_ms: u64) -> bool {
        self.count(&failure.what);
        let Some(entry) = entry else { return false };
        let since = *self.failing_since_ms.get_or_insert(now_ms);
        let lasted = Duration::from_millis(now_ms.saturating_sub(since));
        self.place.failing.store(lasted >= TROUBLE_AFTER, Ordering::Release);
        let hopeless = failure.hope == Hope::Never || self.following.dead_letter_after.is_some_and(|it| lasted >= it);
        if hopeless && self.place.may_skip() {
            self.metrics.audit().dead_letters(self.outlet.name(), 1);
            tracing::error!(outlet = self.outlet.name(), sequence = entry.sequence, "a record is a dead letter");
            self.advance_to(Some(entry));
        }
        hopeless && self.place.may_skip()
    }

    fn advance_to(&mut self, entry: Option<&Entry>) {
        if let Some(entry) = entry {
            self.advance(entry.sequence, Some(entry.hash));
        }
    }

    fn advance(&mut self, sequence: u64, hash: Option<Link>) {
        (self.sequence, self.hash, self.failing_since_ms, self.failures) = (sequence, hash, None, 0);
        self.place.failing.store(false, Ordering::Release);
        self.place.skip_to(sequence);
    }

    fn count(&mut self, what: &str) {
        self.metrics.audit().outlet_failed(self.outlet.name());
        if self.failures == 0 {
            tracing::warn!(outlet = self.outlet.name(), "delivery failed, it is tried again: {what}");
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Keeps its place, if that was not done just now.
    fn save(&mut self, at_once: bool) {
        let now_ms = self.now_ms();
        if !at_once && now_ms.saturating_sub(self.saved_ms) < millis(SAVE_INTERVAL) {
            return;
        }
        self.saved_ms = now_ms;
        let cursor = Cursor {
            sequence: self.sequence,
            hash: self.hash.map(|it| it.to_string()).unwrap_or_default(),
            failing_since_ms: self.failing_since_ms,
            state: self.outlet.state(),
        };
        let written = serde_json::to_vec(&cursor).map_err(std::io::Error::other).and_then(|mut text| {
            if text.len() > STATE_BYTES_MAX {
                let bare = Cursor { state: None, ..cursor };
                text = serde_json::to_vec(&bare).map_err(std::io::Error::other)?;
            }
            if text != self.saved {
                write_whole(&self.following.cursor, &text)?;
                self.saved = text;
            }
            Ok(())
        });
        if let Err(error) = written {
            tracing::warn!(outlet = self.outlet.name(), %error, "its place could not be kept");
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.clock.now().unix)
    }
}

/// Waits that double, up to a bound.
fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX)
}

/// A cursor that is missing or damaged is one at the beginning: at least once is kept.
#[expect(clippy::disallowed_methods, reason = "behind `Read::take` with CURSOR_BYTES_MAX")]
fn read(path: &Path) -> Cursor {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path);
    match file.and_then(|it| it.take(CURSOR_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Cursor::default(),
    }
}
