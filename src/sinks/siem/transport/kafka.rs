//! A topic of Kafka. All records of a gateway go to one partition, so that their order is kept, and every replica has
//! them before they count as taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::super::Message;
use super::{CONNECT_TIMEOUT, SEND_TIMEOUT, Transport};
use crate::sinks::Failure;

/// Most characters of an error of the client library in a log.
const CAUSE_CHARS_MAX: usize = 200;

pub(super) struct Kafka {
    brokers: Vec<String>,
    topic: String,
    tls: Option<Arc<ClientConfig>>,
    open: Option<Topic>,
}

/// The topic on a cluster that was reached.
struct Topic {
    client: Client,
    name: String,
    partitions: Vec<i32>,
    /// Those that were written to.
    open: BTreeMap<i32, PartitionClient>,
}

impl Kafka {
    pub(super) fn new(brokers: &[String], topic: &str, tls: Option<ClientConfig>) -> Self {
        Kafka { brokers: brokers.to_vec(), topic: topic.to_owned(), tls: tls.map(Arc::new), open: None }
    }

    async fn find(&self) -> Result<Topic, Failure> {
        let mut builder = ClientBuilder::new(self.brokers.clone()).client_id("airiskguard-gateway");
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(tls.clone());
        }
        let client = builder.build().await.map_err(failure)?;
        let topics = client.list_topics().await.map_err(failure)?;
        let partitions: Vec<i32> =
            topics.into_iter().filter(|it| it.name == self.topic).flat_map(|it| it.partitions).collect();
        if partitions.is_empty() {
            return Err(Failure::later("there is no such topic"));
        }
        Ok(Topic { client, name: self.topic.clone(), partitions, open: BTreeMap::new() })
    }
}

impl Topic {
    async fn produce(&mut self, gateway: &str, records: Vec<Record>) -> Result<(), Failure> {
        let hash = usize::try_from(crc32fast::hash(gateway.as_bytes())).unwrap_or_default();
        let number = self.partitions.get(hash % self.partitions.len().max(1)).copied().unwrap_or_default();
        if !self.open.contains_key(&number) {
            let unknown = UnknownTopicHandling::Error;
            let opened = self.client.partition_client(self.name.as_str(), number, unknown).await.map_err(failure)?;
            self.open.insert(number, opened);
        }
        let Some(partition) = self.open.get(&number) else { return Err(Failure::later("no partition")) };
        partition.produce(records, Compression::NoCompression).await.map_err(failure)?;
        Ok(())
    }
}

fn record(message: &Message) -> Record {
    let written = i64::try_from(message.written_ms).ok().and_then(DateTime::from_timestamp_millis);
    Record {
        key: Some(message.gateway.as_bytes().to_vec()),
        value: Some(message.text.clone().into_bytes()),
        headers: BTreeMap::from([("sequence".to_owned(), message.sequence.to_string().into_bytes())]),
        timestamp: written.unwrap_or_default(),
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::ServerError { protocol_error, .. } => match protocol_error {
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge | ProtocolError::InvalidRecord => {
                Failure::never(format!("the broker refuses the event: {protocol_error:?}"))
            }
            other => Failure::later(format!("the broker says {other:?}")),
        },
        other => Failure::later(other.to_string().chars().take(CAUSE_CHARS_MAX).collect::<String>()),
    }
}

#[async_trait]
impl Transport for Kafka {
    async fn send(&mut self, messages: &[Message], _now_ms: u64) -> Result<(), Failure> {
        let late = |_| Failure::later("no answer in time");
        let mut topic = match self.open.take() {
            Some(topic) => topic,
            None => timeout(CONNECT_TIMEOUT, self.find()).await.unwrap_or_else(|it| Err(late(it)))?,
        };
        // The library tries again for ever; the time is ours.
        let sent = timeout(SEND_TIMEOUT, async {
            let mut done = 0;
            for run in messages.chunk_by(|one, other| one.gateway == other.gateway) {
                let Some(first) = run.first() else { continue };
                let whole = topic.produce(&first.gateway, run.iter().map(record).collect()).await;
                match whole {
                    Ok(()) => {}
                    Err(failure) if failure.hope == crate::sinks::Hope::Never && run.len() > 1 => {
                        // One of them is too large; one by one tells which.
                        for (index, message) in run.iter().enumerate() {
                            let one = topic.produce(&message.gateway, vec![record(message)]).await;
                            one.map_err(|failure| failure.after(done + index))?;
                        }
                    }
                    Err(failure) => return Err(failure.after(done)),
                }
                done += run.len();
            }
            Ok(())
        });
        let sent = sent.await.unwrap_or_else(|it| Err(late(it)));
        if sent.is_ok() {
            self.open = Some(topic);
        }
        sent
    }
}
