//! The bounded queue between the request path and the sinks: emitting never blocks, a full queue is a counted drop.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use crate::domain::Event;

use super::{Metrics, Sink};

/// Events that may wait for the sinks.
const EVENTS_MAX: usize = 4096;

/// A thread that hands every event to the metrics and to the sinks.
pub struct Queue {
    metrics: Arc<Metrics>,
    running: Mutex<Option<Running>>,
}

struct Running {
    sender: SyncSender<Event>,
    thread: JoinHandle<()>,
}

impl Queue {
    /// Starts the thread.
    pub fn start(metrics: Arc<Metrics>, sinks: Vec<Box<dyn Sink>>) -> Self {
        let (sender, receiver) = sync_channel::<Event>(EVENTS_MAX);
        let observed = metrics.clone();
        let thread = std::thread::spawn(move || {
            while let Ok(event) = receiver.recv() {
                observed.observe(&event);
                sinks.iter().for_each(|sink| sink.accept(&event));
            }
        });
        Queue { metrics, running: Mutex::new(Some(Running { sender, thread })) }
    }

    /// Hands an event over. Never waits: with a full queue the event is dropped and counted.
    pub fn emit(&self, event: Event) {
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
