//! Ways to a receiver, one file each. All of them are bounded in time and bytes.

mod elastic;
mod file;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod lines;
#[cfg(feature = "otlp")]
mod otlp;
mod splunk;
mod stream;
mod udp;

use std::time::Duration;

use async_trait::async_trait;

use super::{Message, tls};
use crate::config::{Siem, SiemTarget, SyslogOver};
use crate::sinks::Failure;

/// Longest time until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time until a batch is taken.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// A way to one receiver.
#[async_trait]
pub(super) trait Transport: Send {
    /// Sends messages, in order. `Failure::done` counts messages.
    async fn send(&mut self, messages: &[Message], now_ms: u64) -> Result<(), Failure>;

    /// Called about once a second while there is nothing to send.
    async fn idle(&mut self, _now_ms: u64) -> Result<(), Failure> {
        Ok(())
    }

    /// Most bytes of one text; longer ones are told in brief.
    fn text_bytes_max(&self) -> usize {
        256 << 10
    }
}

/// The way that a section of the configuration names.
///
/// # Errors
/// Files that cannot be used, and what this program was built without.
pub(super) fn open(siem: &Siem) -> Result<Box<dyn Transport>, String> {
    Ok(match &siem.to {
        SiemTarget::Syslog { over: SyslogOver::Udp, host, port } => Box::new(udp::Udp::new(host, *port, siem.facility)),
        SiemTarget::Syslog { over: SyslogOver::Tcp, host, port } => {
            Box::new(stream::Stream::new(host, *port, siem, None)?)
        }
        SiemTarget::Syslog { over: SyslogOver::Tls, host, port } => {
            Box::new(stream::Stream::new(host, *port, siem, Some(tls::config(siem)?))?)
        }
        SiemTarget::Splunk(url) => Box::new(http::Http::new(siem, splunk::Splunk::new(siem, url))?),
        SiemTarget::Elastic(url) => Box::new(http::Http::new(siem, elastic::Elastic::new(siem, url))?),
        SiemTarget::Http { origin, path } => Box::new(http::Http::new(siem, lines::Lines::new(siem, origin, path))?),
        SiemTarget::File { path } => Box::new(file::File::new(path, siem.file_bytes_max)),
        #[cfg(feature = "otlp")]
        SiemTarget::Otlp(url) => Box::new(http::Http::new(siem, otlp::Otlp::new(siem, url))?),
        #[cfg(not(feature = "otlp"))]
        SiemTarget::Otlp(_) => return Err(without("otlp")),
        #[cfg(feature = "kafka")]
        SiemTarget::Kafka { tls, brokers, topic } => {
            let tls = if *tls { Some(tls::config(siem)?) } else { None };
            Box::new(kafka::Kafka::new(brokers, topic, tls))
        }
        #[cfg(not(feature = "kafka"))]
        SiemTarget::Kafka { .. } => return Err(without("kafka")),
    })
}

#[cfg(not(all(feature = "kafka", feature = "otlp")))]
fn without(feature: &str) -> String {
    format!("this program was built without the feature `{feature}`")
}
