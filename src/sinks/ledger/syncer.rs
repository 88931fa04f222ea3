//! The thread that waits for the disk, so that the writer does not: records reach the operating system meanwhile.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::{State, Ticket};
use crate::store::Unsynced;

/// Places that are held until what they stand for is on disk, and who waits for that.
pub(super) type Waiting = Vec<(Ticket, Option<oneshot::Sender<()>>)>;

/// What a sync came to.
pub(super) enum Report {
    /// So many bytes are safe.
    Safe(usize),
    /// Nothing is: who waited goes on waiting.
    Failed(io::Error, Waiting),
}

/// One sync at a time.
pub(super) struct Syncer {
    jobs: Option<SyncSender<(Unsynced, Waiting)>>,
    reports: Receiver<Report>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Syncer {
    /// Starts the thread; `wake` is called whenever there is a report.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(state: Arc<State>, wake: impl Fn() + Send + 'static) -> io::Result<Syncer> {
        let (jobs, received) = sync_channel::<(Unsynced, Waiting)>(1);
        let (report, reports) = sync_channel(1);
        let work = move || {
            while let Ok((unsynced, waiting)) = received.recv() {
                let begun = state.clock.now();
                let said = match unsynced.sync() {
                    Ok(bytes) => {
                        state.metrics.audit().synced(state.clock.now().since(begun));
                        settle(waiting);
                        Report::Safe(bytes)
                    }
                    Err(error) => Report::Failed(error, waiting),
                };
                if report.send(said).is_err() {
                    return;
                }
                wake();
            }
        };
        let thread = std::thread::Builder::new().name("ledger-sync".into()).spawn(work)?;
        Ok(Syncer { jobs: Some(jobs), reports, thread: Some(thread), busy: false })
    }

    /// Whether a sync is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Begins a sync; not while one is under way.
    pub(super) fn begin(&mut self, unsynced: Unsynced, waiting: Waiting) {
        if let Some(jobs) = &self.jobs {
            self.busy = jobs.send((unsynced, waiting)).is_ok();
        }
    }

    /// The report of the sync that was begun, once there is one.
    pub(super) fn report(&mut self) -> Option<Report> {
        let report = self.reports.try_recv().ok()?;
        self.busy = false;
        Some(report)
    }

    /// The report of the sync that is under way, waited for; then the thread ends.
    pub(super) fn finish(&mut self) -> Option<Report> {
        self.jobs = None;
        let report = if self.busy { self.reports.recv().ok() } else { None };
        self.busy = false;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to add.
            drop(thread.join());
        }
        report
    }
}

/// What they stand for is on disk.
pub(super) fn settle(waiting: Waiting) {
    for (ticket, done) in waiting {
        drop(ticket);
        if let Some(done) = done {
            // Whoever waited may have gone away.
            let _ = done.send(());
        }
    }
}
