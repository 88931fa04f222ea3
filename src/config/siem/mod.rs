//! `siem:` where the records of the audit log are sent, each as typed data.

mod read;
#[cfg(test)]
mod tests;

use super::{Tls, UpstreamUrl};
use crate::domain::Secret;

pub(super) use self::read::{check, read};

/// One receiver of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siem {
    /// `name:` unique; in metrics and logs it is `siem.<name>`.
    pub name: String,
    /// `to:` the receiver, and how it is spoken to.
    pub to: SiemTarget,
    /// `format:` of one event. The default depends on the receiver.
    pub format: SiemFormat,
    /// `token:` what lets us in, for receivers over HTTP.
    pub token: Option<Secret>,
    /// `headers:` set on every request, for receivers over HTTP.
    pub headers: Vec<(String, Secret)>,
    /// `ca_file:` PEM roots that replace the system's.
    pub ca_file: Option<String>,
    /// `client_certificate:` what we show to a receiver that asks who we are.
    pub client_certificate: Option<Tls>,
    /// `facility:` of syslog. Default `local0`.
    pub facility: Facility,
    /// `framing:` how events are divided. Default `octet_counting` for syslog and `lines` for HTTP.
    pub framing: SiemFraming,
    /// `index:` of Splunk, or the data stream of Elasticsearch.
    pub index: Option<String>,
    /// `include:` all records, or only those that tell of a finding. Default all.
    pub include: SiemInclude,
    /// `file_bytes_max:` before a file is rotated. Default 100 MiB.
    pub file_bytes_max: u64,
}

/// Where records go. Paths that may hold a secret are secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiemTarget {
    /// `syslog+udp://`, `syslog+tcp://` and `syslog+tls://`: RFC 5424.
    Syslog {
        /// What it travels over.
        over: SyslogOver,
        /// Host name or address, without brackets.
        host: String,
        /// 514 by default, 6514 over TLS.
        port: u16,
    },
    /// `splunk+https://`: the HTTP Event Collector.
    Splunk(UpstreamUrl),
    /// `elastic+https://`: the bulk interface.
    Elastic(UpstreamUrl),
    /// `otlp+https://`: OpenTelemetry logs.
    Otlp(UpstreamUrl),
    /// `https://`: JSON posted to an address.
    Http {
        /// Scheme, host and port.
        origin: UpstreamUrl,
        /// Path and query.
        path: Secret,
    },
    /// `file:/path`: lines appended to a file.
    File {
        /// The file.
        path: String,
    },
    /// `kafka://broker:9092,broker:9092/topic`, and `kafka+tls://`.
    Kafka {
        /// Whether to speak TLS.
        tls: bool,
        /// `host:port` of brokers that know the others.
        brokers: Vec<String>,
        /// The topic.
        topic: String,
    },
}

/// What syslog travels over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogOver {
    /// A datagram for each message.
    Udp,
    /// One connection.
    Tcp,
    /// One connection under TLS.
    Tls,
}

/// How one event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiemFormat {
    /// ArcSight Common Event Format.
    Cef,
    /// IBM Log Event Extended Format 2.0.
    Leef,
    /// The record of the audit log, with its hash.
    Json,
    /// Elastic Common Schema.
    Ecs,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
}

/// The names of `format:`.
pub(super) const FORMATS: [(&str, SiemFormat); 5] = [
    ("cef", SiemFormat::Cef),
    ("leef", SiemFormat::Leef),
    ("json", SiemFormat::Json),
    ("ecs", SiemFormat::Ecs),
    ("ocsf", SiemFormat::Ocsf),
];

impl SiemFormat {
    /// Every format.
    pub const ALL: [SiemFormat; 5] =
        [SiemFormat::Cef, SiemFormat::Leef, SiemFormat::Json, SiemFormat::Ecs, SiemFormat::Ocsf];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, it)| *it == self).map_or("", |(name, _)| name)
    }

    /// Whether an event is a JSON object.
    pub fn is_json(self) -> bool {
        !matches!(self, SiemFormat::Cef | SiemFormat::Leef)
    }
}

/// How events are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiemFraming {
    /// The length before each message: RFC 6587 and RFC 5425.
    OctetCounting,
    /// A line break after each message.
    Newline,
    /// One JSON object a line.
    Lines,
    /// One JSON array.
    Array,
}

/// Which records are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SiemInclude {
    /// Every record.
    #[default]
    All,
    /// Exchanges with findings, exchanges that were stopped, changed or marked, and acts.
    Findings,
}

/// Facility of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

/// The names of `facility:`, by number.
pub(super) const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

impl Facility {
    /// 0 to 23.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        FACILITIES.get(usize::from(self.0)).copied().unwrap_or("")
    }
}

impl Default for Facility {
    /// `local0`.
    fn default() -> Self {
        Facility(16)
    }
}

impl Siem {
    /// Where it goes, in words without a secret: `syslog over TLS to siem.example port 6514`.
    pub fn destination(&self) -> String {
        match &self.to {
            SiemTarget::Syslog { over, host, port } => {
                let over = match over {
                    SyslogOver::Udp => "UDP",
                    SyslogOver::Tcp => "TCP",
                    SyslogOver::Tls => "TLS",
                };
                format!("syslog over {over} to {host} port {port}")
            }
            SiemTarget::Splunk(url) => format!("Splunk at {url}"),
            SiemTarget::Elastic(url) => format!("Elasticsearch at {url}"),
            SiemTarget::Otlp(url) => format!("OpenTelemetry at {url}"),
            SiemTarget::Http { origin, .. } => format!("{origin}"),
            SiemTarget::File { path } => format!("the file {path}"),
            SiemTarget::Kafka { brokers, topic, .. } => format!("the topic {topic} of Kafka at {}", brokers.join(", ")),
        }
    }
}
