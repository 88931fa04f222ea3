//! The end of a ledger whose journal another process has: its last records go into a file, and that process chains them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::State;
use super::convert::{exchange, seal};
use super::syncer::{Waiting, settle};
use super::writer::Message;
use crate::sinks::request_id;
use crate::store::{Left, LeftReader, LeftWriter, Subject};

/// Records that are written together.
const BATCH_MAX: usize = 256;
/// Between two tries to write to a disk that failed, and longest wait for a record.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);
/// Between two looks for files of others.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What goes on writing records when the journal is another's.
pub(super) struct Leaver {
    pub(super) file: LeftWriter,
    pub(super) text_key: Option<[u8; 32]>,
    pub(super) state: Arc<State>,
}

impl Leaver {
    /// Until [`Message::Finish`], or until nobody can send any more. A record is on disk before its place is free.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let (mut records, mut waiting): (Vec<Left>, Waiting) = (Vec::new(), Vec::new());
        let mut finished = false;
        loop {
            while !finished && records.len() < BATCH_MAX {
                let next = match records.is_empty() {
                    true => messages.recv_timeout(RETRY_INTERVAL),
                    false => messages.try_recv().map_err(|_| RecvTimeoutError::Timeout),
                };
                match next {
                    Ok(Message::Finish) | Err(RecvTimeoutError::Disconnected) => finished = true,
                    Ok(message) => self.note(message, &mut records, &mut waiting),
                    Err(RecvTimeoutError::Timeout) => break,
                }
            }
            let written = if records.is_empty() { Ok(()) } else { self.file.write(&records) };
            match written {
                Ok(()) => {
                    records.clear();
                    settle(std::mem::take(&mut waiting));
                    self.state.stuck.store(false, Ordering::Release);
                    if finished {
                        return;
                    }
                }
                Err(error) => {
                    self.fail(&error);
                    if finished {
                        return records.iter().for_each(|_| self.state.lose());
                    }
                }
            }
        }
    }

    fn note(&self, message: Message, records: &mut Vec<Left>, waiting: &mut Waiting) {
        match message {
            Message::Exchange { event, ticket } => {
                let key = self.text_key.as_ref();
                let sealed = key.zip(event.texts.as_ref()).and_then(|(key, it)| seal(key, &event, it));
                let subject = Subject::Exchange(Box::new(exchange(&event, sealed.as_deref())));
                records.push(Left::new(event.request.as_str().to_owned(), subject, sealed.as_deref()));
                waiting.push((ticket, None));
            }
            Message::Decision { event, ticket, done } => {
                let subject = Subject::Decision(Box::new(exchange(&event, None)));
                records.push(Left::new(event.request.as_str().to_owned(), subject, None));
                waiting.push((ticket, Some(done)));
            }
            Message::Act(act) => records.push(Left::new(request_id().as_str().to_owned(), Subject::Act(act), None)),
            Message::Adopt { .. } | Message::Leave { .. } | Message::Wake | Message::Finish => {}
        }
    }

    fn fail(&self, error: &io::Error) {
        self.state.metrics.audit().sync_failed();
        tracing::error!(%error, "the last records cannot be written: it is tried again");
        self.state.stuck.store(true, Ordering::Release);
        #[expect(clippy::disallowed_methods, reason = "a thread of its own, between two tries of the disk")]
        std::thread::sleep(RETRY_INTERVAL);
    }
}

/// Chains what others have left, on a thread of its own.
pub(super) struct Adopter {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Adopter {
    /// Looks into the gateway's folder from now on, and tells what it has chained.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(
        directory: PathBuf,
        sender: SyncSender<Message>,
        on_left: impl Fn(&Subject) + Send + 'static,
    ) -> io::Result<Adopter> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let mut failing = false;
            while !stopped.load(Ordering::Acquire) {
                let adopted = adopt(&directory, &sender, &stopped, &on_left);
                if let Err(error) = &adopted
                    && !failing
                {
                    tracing::error!(%error, "the records of another process cannot be read: it is tried again");
                }
                failing = adopted.is_err();
                #[expect(clippy::disallowed_methods, reason = "a thread of its own, between two looks")]
                std::thread::sleep(LOOK_INTERVAL);
            }
        };
        let thread = std::thread::Builder::new().name("ledger-left".into()).spawn(work)?;
        Ok(Adopter { stop, thread })
    }

    /// Ends it. What is not chained yet stays for the next process.
    pub(super) fn finish(self) {
        self.stop.store(true, Ordering::Release);
        // A panic there has been printed; there is nothing to add.
        drop(self.thread.join());
    }
}

fn adopt(
    directory: &Path,
    sender: &SyncSender<Message>,
    stopped: &AtomicBool,
    on_left: &impl Fn(&Subject),
) -> io::Result<()> {
    for mut file in LeftReader::all(directory)? {
        while !stopped.load(Ordering::Acquire) {
            let records = file.unchained()?;
            if records.is_empty() {
                if file.remove_if_over()? {
                    tracing::info!("all records of another process are chained");
                }
                break;
            }
            let subjects: Vec<Subject> = records.iter().map(|it| it.subject.clone()).collect();
            let (done, chained) = oneshot::channel();
            if sender.send(Message::Adopt { records, done }).is_err() || chained.blocking_recv().is_err() {
                return Err(io::Error::other("the journal takes nothing any more"));
            }
            file.chained()?;
            // Behind that: what could not be noted comes again.
            subjects.iter().for_each(on_left);
        }
    }
    Ok(())
}
