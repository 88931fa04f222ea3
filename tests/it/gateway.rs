//! The gateway in this process, on a free port, with every event kept for the test to read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use airiskguard_gateway::config::{File, Tls};
use airiskguard_gateway::domain::Event;
use airiskguard_gateway::edge::{self, Handle, Options};
use airiskguard_gateway::pipeline::{Live, Snapshot};
use airiskguard_gateway::sinks::{Metrics, Sink};

use super::client::Client;
use super::provider::Provider;

/// The seed's quick start: secrets are redacted, vulnerable completions stopped.
pub const QUICK_START: &str = r#"
checks: {outbound: [secrets, compliance, agent], inbound: [vuln, agent]}
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: ">= high"}, action: block}
  - {name: block_vuln_code, condition: {checker: vuln, risk: ">= high"}, action: block}
redact_secrets: true
"#;

/// The same, but a secret blocks the prompt.
pub const BLOCKING: &str = r#"
policies:
  - {name: block_secrets, condition: {checker: secrets, risk: ">= high"}, action: block}
redact_secrets: false
"#;

/// A running gateway; drains when dropped.
pub struct Gateway {
    pub address: SocketAddr,
    handle: Option<Handle>,
    admin: SocketAddr,
    events: Arc<Mutex<Vec<Event>>>,
}

struct Keep(Arc<Mutex<Vec<Event>>>);

impl Sink for Keep {
    fn accept(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Starts with both vendors at this provider and the rest of the configuration as given.
pub fn start(provider: &Provider, yaml: &str) -> Gateway {
    start_at(&format!("http://{}", provider.address), yaml, None)
}

/// Starts with both vendors at this address.
pub fn start_at(provider: &str, yaml: &str, tls: Option<Tls>) -> Gateway {
    let yaml = format!("upstream:\n  anthropic: {provider}\n  openai: {provider}\n{yaml}");
    start_with(&yaml, tls)
}

/// Starts with this configuration.
pub fn start_with(yaml: &str, tls: Option<Tls>) -> Gateway {
    let resolve = |_: &_| Err("no references in tests".to_owned());
    let file = File::parse(yaml, "gateway.yaml", &resolve).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let snapshot = Snapshot::compile(&file, [7; 32]).unwrap_or_else(|error| panic!("{error}"));
    let events = Arc::new(Mutex::new(Vec::new()));
    let handle = edge::start(Options {
        ledger: None,
        metrics: Arc::new(Metrics::new().unwrap()),
        live: Arc::new(Live::new(Arc::new(snapshot))),
        listeners: vec![TcpListener::bind("127.0.0.1:0").unwrap()],
        tls,
        admin: Some(TcpListener::bind("127.0.0.1:0").unwrap()),
        pages: None,
        sinks: vec![Box::new(Keep(events.clone()))],
        threads: Some(2),
    })
    .unwrap_or_else(|error| panic!("{error}"));
    Gateway { address: handle.addresses[0], admin: handle.admin.unwrap(), handle: Some(handle), events }
}

impl Gateway {
    /// A new client connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until so many exchanges have ended.
    pub fn events(&self, count: usize) -> Vec<Event> {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let events = self.events.lock().unwrap().clone();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < until, "{count} events were expected, {} came", events.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Status line and body of an answer of the admin listener.
    pub fn admin(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// One metric's line must be there, sooner or later.
    pub fn wait_metric(&self, line: &str) {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let text = self.admin("/metrics").1;
            if text.contains(line) {
                return;
            }
            assert!(Instant::now() < until, "{line} is missing in\n{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until exchanges hold at least so many bytes.
    pub fn wait_held(&self, bytes: i64) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.handle.as_ref().unwrap().metrics.held_bytes.get() < bytes {
            assert!(Instant::now() < until, "nothing is held");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its certificates are looked at now.
    pub fn look_again(&self) {
        self.handle.as_ref().unwrap().look_again();
    }

    /// Begins to drain, without waiting.
    pub fn stop(&self) {
        self.handle.as_ref().unwrap().stop();
    }

    /// Waits until it has drained.
    pub fn join(mut self) {
        self.handle.take().unwrap().join();
    }
}
