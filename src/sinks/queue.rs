//! The bounded queue between the request path and the sinks: emitting never blocks, a full queue is a counted drop.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::domain::Event;

use super::{Metrics, Sink};

/// Events that may wait for the sinks.
const EVENTS_MAX: usize = 4096;
/// How long more events are waited for once one has been handed out: waking the thread for each would cost a busy gateway
/// more than what it does with them.
const GATHERING_TIME: Duration = Duration::from_millis(5);

/// Counts every event, and hands it to the sinks on a thread of its own.
pub struct Queue {
    metrics: Arc<Metrics>,
    running: Mutex<Option<Running>>,
}

struct Running {
    sender: SyncSender<Arc<Event>>,
    thread: JoinHandle<()>,
}

impl Queue {
    /// Starts the thread.
    pub fn start(metrics: Arc<Metrics>, sinks: Vec<Box<dyn Sink>>) -> Self {
        let (sender, receiver) = sync_channel::<Arc<Event>>(EVENTS_MAX);
        let thread = std::thread::spawn(move || {
            let hand_out = |event: Arc<Event>| sinks.iter().for_each(|sink| sink.accept(&event));
            while let Ok(event) = receiver.recv() {
                hand_out(event);
                #[expect(clippy::disallowed_methods, reason = "a thread of its own")]
                std::thread::sleep(GATHERING_TIME);
                receiver.try_iter().for_each(hand_out);
            }
        });
        Queue { metrics, running: Mutex::new(Some(Running { sender, thread })) }
    }

    /// Counts an event and hands it over. Never waits: with a full queue the event is dropped, and that is counted.
    pub fn emit(&self, event: Arc<Event>) {
        self.metrics.observe(&event);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = running.as_ref() else { return self.metrics.event_dropped() };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = running.sender.try_send(event) {
            self.metrics.event_dropped();
        }
    }

    /// Waits until all that was emitted has been handed out. Later events are dropped and counted.
    pub fn finish(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { sender, thread }) = running {
            drop(sender);
            // A sink that panicked has already said so on standard error; nothing is left to hand out.
            drop(thread.join());
        }
    }
}
