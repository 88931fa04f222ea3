//! Records on their way to a SIEM: what they are called there, how they are written, and how they get there.

mod document;
mod encode;
mod frame;
mod genai;
mod mapping;
mod tls;
mod transport;
mod view;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use self::transport::Transport;
use self::view::{Detail, Level, View};
use super::outlet::{Failure, Outlet};
use crate::config::{self, SiemFormat, SiemInclude, SiemTarget};
use crate::store::{Entry, Record};

pub use self::document::document;

/// Most records of one batch.
const BATCH_EVENTS_MAX: usize = 500;
/// Most bytes of text of one batch; a single longer one goes alone.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// After this time no further batch is begun, so that a slow receiver gets on batch by batch and is never cut off.
const DELIVERY_BUDGET: Duration = Duration::from_secs(12);

/// The outlets that the configuration names, in its order.
///
/// # Errors
/// Certificates that cannot be used, and receivers that this program was built without.
pub fn outlets(sections: &[config::Siem]) -> Result<Vec<Box<dyn Outlet>>, String> {
    let outlet = |it: &config::Siem| -> Result<Box<dyn Outlet>, String> {
        let name = format!("siem.{}", it.name);
        let transport = transport::open(it).map_err(|error| format!("{name}: {error}"))?;
        let form = match it.to {
            SiemTarget::Otlp(_) => Form::OpenTelemetry,
            _ => Form::Format(it.format),
        };
        Ok(Box::new(Siem { name, form, include: it.include, transport }))
    };
    sections.iter().map(outlet).collect()
}

/// How an event is written.
#[derive(Clone, Copy)]
enum Form {
    Format(SiemFormat),
    OpenTelemetry,
}

/// One receiver.
struct Siem {
    name: String,
    form: Form,
    include: SiemInclude,
    transport: Box<dyn Transport>,
}

/// One event on its way.
struct Message {
    /// The event in its format, without line breaks.
    text: String,
    gateway: Arc<str>,
    sequence: u64,
    id: String,
    hash: String,
    kind: &'static str,
    level: Level,
    written_ms: u64,
    /// Which of the delivered entries it is.
    entry: usize,
}

impl Message {
    fn new(view: &View<'_>, text: String, entry: usize) -> Self {
        Message {
            text,
            gateway: view.entry.gateway.clone(),
            sequence: view.entry.sequence,
            id: view.record.id.clone(),
            hash: view.entry.hash.to_string(),
            kind: view.record.subject.kind(),
            level: view.level(),
            written_ms: view.entry.written_ms,
            entry,
        }
    }
}

/// What is sent at once.
struct Batch {
    messages: Vec<Message>,
    /// Entries that it settles, with those that nobody here wants.
    entries: usize,
    /// What is wrong with the entry behind them.
    unreadable: Option<String>,
}

impl Siem {
    fn batch(&self, entries: &[Entry]) -> Batch {
        let mut batch = Batch { messages: Vec::new(), entries: 0, unreadable: None };
        let mut bytes = 0;
        for entry in entries {
            let record = match entry.record() {
                Ok(record) => record,
                Err(error) => {
                    batch.unreadable = Some(format!("no record that this version knows: line {}", error.line()));
                    break;
                }
            };
            if let Some(message) = self.message(entry, &record, batch.entries) {
                let full = batch.messages.len() >= BATCH_EVENTS_MAX || bytes + message.text.len() > BATCH_BYTES_MAX;
                if full && !batch.messages.is_empty() {
                    break;
                }
                bytes += message.text.len();
                batch.messages.push(message);
            }
            batch.entries += 1;
        }
        batch
    }

    fn message(&self, entry: &Entry, record: &Record, index: usize) -> Option<Message> {
        let view = View::new(entry, record, Detail::FULL);
        if self.include == SiemInclude::Findings && !view.concerns() {
            return None;
        }
        let mut text = self.text(&view);
        if text.len() > self.transport.text_bytes_max() {
            text = self.text(&View::new(entry, record, Detail::BRIEF));
        }
        Some(Message::new(&view, text, index))
    }

    fn text(&self, view: &View<'_>) -> String {
        match self.form {
            Form::Format(format) => encode::encode(format, view),
            Form::OpenTelemetry => encode::otel::record(view).to_string(),
        }
    }
}

#[async_trait]
impl Outlet for Siem {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut done = 0;
        while done < entries.len() {
            if done > 0 && begun.elapsed() > DELIVERY_BUDGET {
                return Err(Failure::later("the receiver is slow").after(done));
            }
            let batch = self.batch(&entries[done..]);
            if !batch.messages.is_empty()
                && let Err(failure) = self.transport.send(&batch.messages, now_ms).await
            {
                let within = batch.messages.get(failure.done).map_or(batch.entries, |it| it.entry);
                return Err(failure.after(done + within));
            }
            done += batch.entries;
            if let Some(what) = batch.unreadable {
                return Err(Failure::never(what).after(done));
            }
        }
        Ok(())
    }

    async fn idle(&mut self, now_ms: u64) -> Result<(), Failure> {
        self.transport.idle(now_ms).await
    }
}
