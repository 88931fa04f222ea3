//! The one thread that chains records: it takes what is queued, writes it together, and syncs it together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use tokio::sync::oneshot;

use super::convert::{exchange, seal};
use super::follow::Place;
use super::left::Leaver;
use super::syncer::{Report, Syncer, Waiting, settle};
use super::{State, Ticket};
use crate::config::Durability;
use crate::domain::{Event, Stamp};
use crate::sinks::request_id;
use crate::store::{Act, Journal, Left, LeftWriter, Marker, Subject};

/// Longest time a record waits for the disk where decisions do not: what a power failure can take.
const SYNC_INTERVAL: Duration = Duration::from_millis(100);
/// How long more records are waited for once one has come, where nobody waits for them: waking this thread for each would
/// cost a busy gateway more than writing them.
const GATHERING_TIME: Duration = Duration::from_millis(20);
/// Records that are written together.
const BATCH_MAX: usize = 1024;
/// Bytes that are written together.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Records between two signatures.
const CHECKPOINT_RECORDS: u64 = 1000;
/// Longest time an entry stays without a signature over it.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// Between two tries to write to a disk that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Tries to write all that was chained before the journal is given away.
const LEAVING_TRIES: usize = 200;
/// Between two looks at what the outlets have read.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(1);

/// Records that an outlet passes over at a time when the journal has no more room for it.
const SKIP_RECORDS: u64 = 10_000;

/// What is to be written.
pub(super) enum Message {
    Exchange {
        event: Arc<Event>,
        ticket: Ticket,
    },
    Decision {
        event: Box<Event>,
        ticket: Ticket,
        done: oneshot::Sender<()>,
    },
    Act(Act),
    /// What another process has left; `done` is told when it is on disk.
    Adopt {
        records: Vec<Left>,
        done: oneshot::Sender<()>,
    },
    /// The journal is given to another process: what comes from now on goes into this file. `done` is told when the
    /// journal is closed.
    Leave {
        file: LeftWriter,
        done: SyncSender<()>,
    },
    /// A sync has ended.
    Wake,
    Finish,
}

/// The writer's state.
pub(super) struct Writer {
    journal: Journal,
    marker: Marker,
    text_key: Option<[u8; 32]>,
    strict: bool,
    state: Arc<State>,
    places: Vec<Place>,
    spool_bytes_max: u64,
    /// What was chained since the last sync was begun.
    unsynced: Waiting,
    syncer: Syncer,
    /// When the last sync was begun.
    synced: Stamp,
    signed: (u64, Stamp),
    kept_house: Stamp,
    /// Whether the last look found the store in trouble.
    store_down: bool,
    /// Where records go once the journal is another's, and who is told that it is closed.
    leaving: Option<(LeftWriter, SyncSender<()>)>,
    /// Whether the last look found the outlets too far behind.
    full: bool,
    failing: bool,
}

impl Writer {
    pub(super) fn new(
        journal: Journal,
        marker: Marker,
        text_key: Option<[u8; 32]>,
        durability: Durability,
        state: Arc<State>,
        syncer: Syncer,
    ) -> Writer {
        let now = state.clock.now();
        let signed = (journal.head().sequence, now);
        Writer {
            journal,
            marker,
            text_key,
            strict: durability == Durability::Strict,
            state,
            places: Vec::new(),
            spool_bytes_max: u64::MAX,
            unsynced: Vec::new(),
            syncer,
            synced: now,
            signed,
            kept_house: now,
            store_down: false,
            leaving: None,
            full: false,
            failing: false,
        }
    }

    /// With these readers behind it.
    pub(super) fn behind(self, places: Vec<Place>, spool_bytes_max: u64) -> Writer {
        Writer { places, spool_bytes_max, ..self }
    }

    /// Until [`Message::Finish`], or until nobody can send any more. Where the journal goes to another process before,
    /// what writes the rest.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Option<Leaver> {
        loop {
            let finished = self.take(messages);
            self.sign_if_due(finished);
            self.hear();
            match finished {
                true => self.last_flush(),
                false => self.flush(),
            }
            self.keep_house();
            if finished {
                return self.leave();
            }
        }
    }

    /// Closes the journal, with everything in it that was chained.
    fn leave(mut self) -> Option<Leaver> {
        let (file, done) = self.leaving.take()?;
        for _ in 0..LEAVING_TRIES {
            if !self.failing {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "a thread of its own, between two tries of the disk")]
            std::thread::sleep(RETRY_INTERVAL);
            self.sync_here();
        }
        let leaver = Leaver { file, text_key: self.text_key, state: self.state.clone() };
        drop(self);
        // Who asked waits for it.
        let _ = done.send(());
        Some(leaver)
    }

    /// Chains what is queued, up to a batch; waits for the first of it. Says whether that was all there will be.
    fn take(&mut self, messages: &Receiver<Message>) -> bool {
        let wait = if self.failing { RETRY_INTERVAL } else { SYNC_INTERVAL };
        if self.journal.pending_bytes() > BATCH_BYTES_MAX {
            // The disk takes nothing: what is queued waits in its places.
            #[expect(clippy::disallowed_methods, reason = "a thread of its own, between two tries of the disk")]
            std::thread::sleep(wait);
            return false;
        }
        for number in 0..BATCH_MAX {
            let next = match number {
                0 => messages.recv_timeout(wait),
                _ => messages.try_recv().map_err(|_| RecvTimeoutError::Timeout),
            };
            match next {
                Ok(Message::Finish) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(Message::Leave { file, done }) => {
                    self.leaving = Some((file, done));
                    return true;
                }
                Ok(message) => self.note(message),
                Err(RecvTimeoutError::Timeout) => return false,
            }
            if number == 0 && !self.strict {
                #[expect(clippy::disallowed_methods, reason = "a thread of its own")]
                std::thread::sleep(GATHERING_TIME);
            }
            if self.journal.pending_bytes() > BATCH_BYTES_MAX {
                return false;
            }
        }
        false
    }

    fn note(&mut self, message: Message) {
        match message {
            Message::Exchange { event, ticket } => {
                let sealed =
                    self.text_key.as_ref().zip(event.texts.as_ref()).and_then(|(key, it)| seal(key, &event, it));
                let subject = Subject::Exchange(Box::new(exchange(&event, sealed.as_deref())));
                self.append(event.request.as_str().to_owned(), subject, sealed);
                self.unsynced.push((ticket, None));
            }
            Message::Decision { event, ticket, done } => {
                let subject = Subject::Decision(Box::new(exchange(&event, None)));
                self.append(event.request.as_str().to_owned(), subject, None);
                self.unsynced.push((ticket, Some(done)));
            }
            Message::Act(act) => self.act(act),
            Message::Adopt { records, done } => {
                for it in records {
                    let sealed = it.sealed().map(Arc::from);
                    self.append(it.id, it.subject, sealed);
                }
                self.unsynced.push((Ticket::default(), Some(done)));
            }
            Message::Leave { .. } | Message::Wake | Message::Finish => {}
        }
    }

    fn act(&mut self, act: Act) {
        self.append(request_id().as_str().to_owned(), Subject::Act(act), None);
    }

    fn append(&mut self, id: String, subject: Subject, sealed: Option<Arc<[u8]>>) {
        if let Err(error) = self.journal.append(id, subject, sealed, self.state.now_ms()) {
            tracing::error!(%error, "a record could not be put into JSON");
            self.state.lose();
        }
    }

    /// A checkpoint signs the entry before it.
    fn sign_if_due(&mut self, finished: bool) {
        let (now, head) = (self.state.clock.now(), self.journal.head());
        let (signed, at) = self.signed;
        let unsigned = head.sequence - signed;
        let late = now.since(at) >= CHECKPOINT_INTERVAL;
        if unsigned > 0 && (finished || late || unsigned >= CHECKPOINT_RECORDS) {
            let mark = self.marker.mark(head, self.state.now_ms());
            self.append(request_id().as_str().to_owned(), Subject::Checkpoint(mark), None);
            self.signed = (self.journal.head().sequence, now);
        } else if unsigned == 0 {
            self.signed.1 = now;
        }
    }

    /// Hands what was chained to the system, and has it synced when someone waits for that or it has waited long enough.
    fn flush(&mut self) {
        if let Err(error) = self.journal.write() {
            return self.fail(&error);
        }
        let now = self.state.clock.now();
        let awaited = self.strict || self.unsynced.iter().any(|(_, done)| done.is_some());
        let due = awaited || self.failing || now.since(self.synced) >= SYNC_INTERVAL;
        if !due || self.syncer.is_busy() {
            return;
        }
        self.synced = now;
        if self.journal.is_full() {
            return self.sync_here();
        }
        match self.journal.begin_sync() {
            Ok(Some(unsynced)) => self.syncer.begin(unsynced, std::mem::take(&mut self.unsynced)),
            Ok(None) => self.recovered(),
            Err(error) => self.fail(&error),
        }
    }

    /// Syncs on this thread: once per segment, and at the end.
    fn sync_here(&mut self) {
        match self.journal.sync() {
            Ok(()) => {
                settle(std::mem::take(&mut self.unsynced));
                self.recovered();
            }
            Err(error) => self.fail(&error),
        }
    }

    fn last_flush(&mut self) {
        if let Some(report) = self.syncer.finish() {
            self.take_report(report);
        }
        self.sync_here();
    }

    /// What the syncer has to say.
    fn hear(&mut self) {
        if let Some(report) = self.syncer.report() {
            self.take_report(report);
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Safe(bytes) => {
                self.journal.synced(bytes);
                self.recovered();
            }
            Report::Failed(error, mut waiting) => {
                self.journal.not_synced();
                waiting.append(&mut self.unsynced);
                self.unsynced = waiting;
                self.fail(&error);
            }
        }
    }

    /// The disk takes what is written.
    fn recovered(&mut self) {
        if self.failing {
            self.failing = false;
            tracing::warn!("the audit journal can be written again");
        }
        self.unstick();
    }

    fn fail(&mut self, error: &std::io::Error) {
        self.state.metrics.audit().sync_failed();
        if !self.failing {
            tracing::error!(%error, "the audit journal cannot be written: it is tried again");
        }
        self.failing = true;
        self.state.stuck.store(true, Ordering::Release);
    }

    /// Takes records again, and writes down how many were lost.
    fn unstick(&mut self) {
        if self.full || self.failing {
            return;
        }
        self.state.stuck.store(false, Ordering::Release);
        let lost = self.state.lost.swap(0, Ordering::AcqRel);
        if lost > 0 {
            self.act(Act::of_gateway("audit.lost", [("records", Some(lost.to_string()))]));
        }
    }

    /// Drops what all outlets have read, and looks how far they are behind.
    fn keep_house(&mut self) {
        let now = self.state.clock.now();
        if now.since(self.kept_house) < HOUSEKEEPING_INTERVAL {
            return;
        }
        self.kept_house = now;
        let head = self.journal.head().sequence;
        let done = self.places.iter().map(Place::done).min().unwrap_or(head);
        if let Err(error) = self.journal.prune(done) {
            tracing::error!(%error, "a segment of the audit journal could not be removed");
        }
        self.tell_of_store();
        let bytes = self.journal.bytes();
        self.state.metrics.audit().journal(head, bytes, self.state.taken.load(Ordering::Acquire));
        for place in &self.places {
            self.state.metrics.audit().lag(place.name(), head.saturating_sub(place.done()));
        }
        if bytes <= self.spool_bytes_max {
            if self.full {
                self.full = false;
                tracing::warn!("the audit journal has room again");
                self.unstick();
            }
            return;
        }
        // Alerts and the SIEM may be behind for as long as there is room; then the store alone decides.
        let late = self.places.iter().filter(|it| it.may_skip() && it.done() == done);
        let skipped = late.map(|it| it.skip_to(done + SKIP_RECORDS)).count();
        if skipped == 0 && !self.full {
            self.full = true;
            self.state.stuck.store(true, Ordering::Release);
            tracing::error!(bytes, "the audit journal is full: the store does not take what is spooled");
        }
    }

    /// People are told, through the log itself, when the store has been away for some time, and when it is back.
    fn tell_of_store(&mut self) {
        let down = self.places.iter().any(|it| !it.may_skip() && it.is_failing());
        if down != self.store_down {
            self.store_down = down;
            let act = if down { "audit.store_down" } else { "audit.store_back" };
            self.act(Act::of_gateway(act, []));
        }
    }
}
