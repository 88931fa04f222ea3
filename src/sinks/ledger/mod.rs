//! The way from the request path into the audit log: admission before an exchange begins, its record when it ends.
//!
//! The request path only takes a place in a bounded queue, and waits for nothing unless every decision is to be on disk
//! before the provider is contacted. One thread chains and writes; outlets read behind it, each at its own pace.

mod archive;
mod convert;
mod follow;
mod left;
mod syncer;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::archive::Archive;
pub use self::follow::{Following, known_head};
use self::left::Adopter;
use self::syncer::Syncer;
use self::writer::{Message, Writer};
use super::{Metrics, Outlet};
use crate::config::{Durability, OnAuditFailure};
use crate::domain::{Clock, Event};
use crate::store::{Act, Journal, LeftWriter, Lock, Marker, Subject};

/// Exchanges that may be under way, or wait to be written, at the same time.
const TICKETS_MAX: usize = 16_384;
/// Longest wait for a decision to be on disk.
const DECISION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long outlets are given to catch up when the gateway stops.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);
/// The same when another process takes over, which waits for it, and goes on where they stop.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(1);
/// Threads that deliver.
const DELIVERY_THREADS: usize = 2;

/// What a ledger is started with.
pub struct Setup {
    /// The open journal.
    pub journal: Journal,
    /// Signs checkpoints.
    pub marker: Marker,
    /// What encrypts full text; `None` where none is kept.
    pub text_key: Option<[u8; 32]>,
    /// Who reads the journal, with the place where each stopped.
    pub readers: Vec<Reader>,
    /// When a record counts as written.
    pub durability: Durability,
    /// What happens to requests that cannot be recorded.
    pub on_failure: OnAuditFailure,
    /// Bytes of the journal that outlets may lag behind.
    pub spool_bytes_max: u64,
    /// Where failures and lags are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Someone who reads the journal.
pub struct Reader {
    /// Who.
    pub outlet: Box<dyn Outlet>,
    /// From where on, and how patient one is with it.
    pub following: Following,
}

/// The request path's side of the audit log.
pub struct Ledger {
    state: Arc<State>,
    strict: bool,
    running: Mutex<Option<Running>>,
    sender: SyncSender<Message>,
}

/// What request path and writer know of each other.
struct State {
    /// Places taken.
    taken: AtomicUsize,
    /// Why nothing can be written at the moment, if so.
    stuck: AtomicBool,
    /// Records that were given up since the last one that was not.
    lost: AtomicU64,
    on_failure: OnAuditFailure,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

struct Running {
    writer: JoinHandle<()>,
    /// `None` once the journal is another's.
    outlets: Option<Outlets>,
    /// Who chains what other processes have left.
    adopter: Option<Adopter>,
    /// The right to write in the gateway's folder; `None` where the caller keeps it, and once it is another's.
    lock: Option<Lock>,
}

/// Who reads the journal.
struct Outlets {
    runtime: tokio::runtime::Runtime,
    stop: tokio::sync::watch::Sender<bool>,
    followers: Vec<tokio::task::JoinHandle<()>>,
}

impl Outlets {
    /// Lets them catch up, for so long.
    fn finish(self, patience: Duration) {
        self.stop.send_replace(true);
        let all = async {
            for follower in self.followers {
                drop(follower.await);
            }
        };
        drop(self.runtime.block_on(async { tokio::time::timeout(patience, all).await }));
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// Writes acts down, for whoever has no more to do with the audit log.
#[derive(Clone)]
pub struct Scribe {
    state: Arc<State>,
    sender: SyncSender<Message>,
}

impl Scribe {
    /// Writes down what the gateway or an administrator did. Waits while the queue is full: not for the request path.
    pub fn act(&self, act: Act) {
        if self.sender.send(Message::Act(act)).is_err() {
            self.state.lose();
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// The queue is full: the act, to be written down by whoever may wait.
    pub fn try_act(&self, act: Act) -> Result<(), Act> {
        match self.sender.try_send(Message::Act(act)) {
            Err(TrySendError::Full(Message::Act(act))) => return Err(act),
            Err(_) => self.state.lose(),
            Ok(()) => {}
        }
        Ok(())
    }
}

/// A place in the queue; given back when it is dropped.
#[derive(Default)]
pub struct Ticket(Option<Arc<State>>);

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.taken.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The audit log takes no record at the moment, and requests that cannot be recorded are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

impl Ledger {
    /// Starts the writer and the outlets.
    ///
    /// # Errors
    /// Threads that cannot be had.
    pub fn start(setup: Setup) -> std::io::Result<Ledger> {
        let state = Arc::new(State {
            taken: AtomicUsize::new(0),
            stuck: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            on_failure: setup.on_failure,
            metrics: setup.metrics.clone(),
            clock: setup.clock.clone(),
        });
        let outlets = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(DELIVERY_THREADS)
            .thread_name("outlets")
            .enable_all()
            .build()?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (mut followers, mut places) = (Vec::new(), Vec::new());
        for Reader { outlet, following } in setup.readers {
            let run = following.run(outlet, setup.journal.feed(), setup.metrics.clone(), setup.clock.clone());
            setup.metrics.audit().outlet(run.place().name());
            places.push(run.place());
            followers.push(outlets.spawn(run.until(stopped.clone())));
        }
        // Every sender holds a ticket, so that there is room for each; acts of the gateway itself wait for theirs.
        let (sender, receiver) = sync_channel(TICKETS_MAX + 64);
        let wakes = sender.clone();
        // A full queue wakes the writer by itself.
        let syncer = Syncer::start(state.clone(), move || drop(wakes.try_send(Message::Wake)))?;
        let writer = Writer::new(setup.journal, setup.marker, setup.text_key, setup.durability, state.clone(), syncer);
        let writer = writer.behind(places, setup.spool_bytes_max);
        let write = move || {
            if let Some(leaver) = writer.run(&receiver) {
                leaver.run(&receiver);
            }
        };
        let writer = std::thread::Builder::new().name("ledger".into()).spawn(write)?;
        let strict = setup.durability == Durability::Strict;
        let outlets = Some(Outlets { runtime: outlets, stop, followers });
        let running = Mutex::new(Some(Running { writer, outlets, adopter: None, lock: None }));
        Ok(Ledger { state, strict, running, sender })
    }

    /// A place for the record of an exchange that begins.
    ///
    /// # Errors
    /// None is to be had, and requests that cannot be recorded are refused.
    pub fn admit(&self) -> Result<Ticket, Unavailable> {
        match self.state.ticket() {
            Some(ticket) => Ok(ticket),
            None if self.state.on_failure == OnAuditFailure::Allow => Ok(Ticket(None)),
            None => {
                self.state.metrics.audit().refused();
                Err(Unavailable)
            }
        }
    }

    /// Whether decisions must be on disk before the provider is contacted: see [`Ledger::decided`].
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Writes the decision over a prompt down and waits until it is on disk.
    ///
    /// # Errors
    /// It was not within five seconds, and requests that cannot be recorded are refused.
    pub async fn decided(&self, event: Event) -> Result<(), Unavailable> {
        let (done, on_disk) = oneshot::channel();
        let waited = match self.state.ticket() {
            Some(ticket) => {
                let sent = self.sender.try_send(Message::Decision { event: Box::new(event), ticket, done });
                sent.is_ok() && matches!(tokio::time::timeout(DECISION_TIMEOUT, on_disk).await, Ok(Ok(())))
            }
            None => false,
        };
        if waited || self.state.on_failure == OnAuditFailure::Allow {
            return Ok(());
        }
        self.state.metrics.audit().refused();
        Err(Unavailable)
    }

    /// Hands over the record of an exchange that ended. Never waits.
    pub fn record(&self, ticket: Ticket, event: Arc<Event>) {
        if ticket.0.is_none() || self.sender.try_send(Message::Exchange { event, ticket }).is_err() {
            self.state.lose();
        }
    }

    /// Writes down what the gateway or an administrator did. Waits while the queue is full: not for the request path.
    pub fn act(&self, act: Act) {
        self.scribe().act(act);
    }

    /// For those who write down acts beside it.
    pub fn scribe(&self) -> Scribe {
        Scribe { state: self.state.clone(), sender: self.sender.clone() }
    }

    /// Keeps the right to write in the gateway's folder until the end, or until another process is given it; chains what
    /// processes before this one have left there, and tells `on_left` of each once, on a thread of its own.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn keep(&self, lock: Lock, on_left: impl Fn(&Subject) + Send + 'static) -> std::io::Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &mut *running {
            running.adopter = Some(Adopter::start(lock.path().to_owned(), self.sender.clone(), on_left)?);
            running.lock = Some(lock);
        }
        Ok(())
    }

    /// Gives the journal and the folder to the process that waits for them, if one does: everything up to now is chained,
    /// signed and on disk, and what comes from now on goes into a file that the other process chains. Returns whether
    /// there is nothing left to give. Takes up to some seconds: not for the request path.
    pub fn hand_over_if_awaited(&self) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(it) = &mut *running else { return true };
        let Some(lock) = it.lock.take_if(|it| it.is_awaited()) else { return it.lock.is_none() };
        let name = format!("{:020}-{}", self.state.now_ms(), std::process::id());
        let file = match LeftWriter::begin(lock.path(), &name) {
            Ok(file) => file,
            Err(error) => {
                tracing::error!(%error, "the audit log is not handed over before this process ends");
                it.lock = Some(lock);
                return true;
            }
        };
        if let Some(adopter) = it.adopter.take() {
            adopter.finish();
        }
        self.act(Act::of_gateway("gateway.handed_over", []));
        let (done, closed) = sync_channel(1);
        // The writer is gone only if it panicked, which it has said on standard error.
        if self.sender.send(Message::Leave { file, done }).is_ok() {
            let _ = closed.recv();
        }
        if let Some(outlets) = it.outlets.take() {
            // What they have not got yet, the other process sends.
            outlets.finish(HAND_OVER_TIMEOUT);
        }
        drop(lock);
        tracing::info!("the audit log is handed over");
        true
    }

    /// Writes what is queued, says farewell, and gives the outlets some seconds to catch up.
    pub fn finish(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return };
        if let Some(adopter) = running.adopter {
            adopter.finish();
        }
        if running.outlets.is_some() {
            self.act(Act::of_gateway("gateway.stopped", []));
        }
        // The writer is gone only if it panicked, which it has said on standard error.
        let _ = self.sender.send(Message::Finish);
        drop(running.writer.join());
        if let Some(outlets) = running.outlets {
            outlets.finish(FAREWELL_TIMEOUT);
        }
    }
}

impl State {
    fn ticket(self: &Arc<Self>) -> Option<Ticket> {
        if self.stuck.load(Ordering::Acquire) {
            return None;
        }
        let taken = self.taken.fetch_add(1, Ordering::AcqRel);
        let ticket = Ticket(Some(self.clone()));
        (taken < TICKETS_MAX).then_some(ticket)
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::AcqRel);
        self.metrics.audit().lost();
    }

    fn now_ms(&self) -> u64 {
        millis(self.clock.now().unix)
    }
}

/// Whole milliseconds.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
