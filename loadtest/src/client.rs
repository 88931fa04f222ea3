//! One client of a gateway: sends a request, reads the answer to its end, and says when what arrived.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::dialect::Dialect;
use crate::provider::{self, Provider, Sent};
use crate::stream::Reader;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Longest time for one exchange.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(600);
/// A refusal's body is looked at so far.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Largest page that is read.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Call {
    /// Decides path and headers.
    pub dialect: Dialect,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer, or none that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// No connection.
    Connect,
    /// The connection ended before or within the answer.
    Broken,
    /// The stream ended without its last event.
    Incomplete,
    /// It took longer than ten minutes.
    TimedOut,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Connect => "no connection",
            Failure::Broken => "connection broken",
            Failure::Incomplete => "stream incomplete",
            Failure::TimedOut => "timed out",
        })
    }
}

/// What the provider got of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passed {
    /// The same bytes.
    Same,
    /// Other bytes.
    Changed,
    /// The gateway did not pass on the provider's word for it.
    #[default]
    Unknown,
}

/// How one exchange went. All times are from the intended start.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// From the intended to the real start.
    pub waited: Duration,
    /// To the head of the answer.
    pub head: Duration,
    /// To the first text of a streamed answer.
    pub first_text: Option<Duration>,
    /// To the end of the answer.
    pub whole: Duration,
    /// The status; `None` without a head.
    pub status: Option<u16>,
    /// Why the answer is not whole.
    pub failure: Option<Failure>,
    /// Whether an error answer has its dialect's shape.
    pub shaped: bool,
    /// What the provider got.
    pub passed: Passed,
    /// Pauses between texts of a stream, in nanoseconds.
    pub gaps: Vec<u64>,
    /// How long texts were under way between provider and client, in nanoseconds.
    pub delays: Vec<u64>,
    /// How long the first text was under way, in nanoseconds.
    pub first_delay: Option<u64>,
    /// Bytes of text that had left the provider but not arrived, whenever text arrived.
    pub held: Vec<u64>,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Target {
    host: String,
    port: u16,
    tls: bool,
    prefix: String,
}

impl Target {
    /// From a base URL, with or without a path; `/v1` belongs to the dialect and is taken off.
    pub fn parse(url: &str) -> Result<Target, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(format!("{url}: a URL begins with http:// or https://")),
        };
        let host = uri.host().ok_or_else(|| format!("{url}: has no host"))?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').trim_end_matches("/v1").to_string();
        Ok(Target { host: host.trim_matches(['[', ']']).into(), port, tls, prefix })
    }
}

/// Sends requests to one gateway and keeps its connections.
#[derive(Debug)]
pub struct Client {
    target: Target,
    headers: Vec<(HeaderName, HeaderValue)>,
    key: Option<HeaderValue>,
    tls: Option<Tls>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    opened: AtomicU64,
    provider: Option<Arc<Provider>>,
}

#[derive(Clone)]
struct Tls(TlsConnector, ServerName<'static>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.1).finish()
    }
}

impl Client {
    /// A client with a key and headers of its own. A provider in the same process tells when its tokens left.
    pub fn new(
        target: Target,
        key: Option<&str>,
        headers: &[(String, String)],
        provider: Option<Arc<Provider>>,
    ) -> Result<Client, String> {
        let parsed = headers.iter().map(|(name, value)| {
            let name = name.parse::<HeaderName>().map_err(|error| format!("{name}: {error}"))?;
            let value = value.parse::<HeaderValue>().map_err(|error| format!("{name}: {error}"))?;
            Ok((name, value))
        });
        let key = key.map(str::parse).transpose().map_err(|_| "the key cannot stand in a header".to_string())?;
        let tls = if target.tls { Some(connector(&target.host)?) } else { None };
        let headers = parsed.collect::<Result<_, String>>()?;
        Ok(Client { target, headers, key, tls, idle: Mutex::default(), opened: AtomicU64::new(0), provider })
    }

    /// Connections that were opened so far.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Closes the connections that are kept.
    pub fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// One exchange, which should have begun at `intended`.
    pub async fn exchange(&self, call: &Call, intended: Instant) -> Outcome {
        let mut outcome = Outcome { waited: intended.elapsed(), ..Outcome::default() };
        let read = self.read(call, intended, &mut outcome);
        outcome.failure = match tokio::time::timeout(EXCHANGE_TIMEOUT, read).await {
            Ok(result) => result.err(),
            Err(_) => Some(Failure::TimedOut),
        };
        outcome.whole = intended.elapsed();
        outcome
    }

    async fn read(&self, call: &Call, intended: Instant, outcome: &mut Outcome) -> Result<(), Failure> {
        let (sender, response) = self.send(call).await?;
        outcome.head = intended.elapsed();
        let status = response.status();
        outcome.status = Some(status.as_u16());
        outcome.passed = passed(&response, call);
        let streamed =
            response.headers().get("content-type").is_some_and(|it| it.as_bytes().starts_with(b"text/event"));
        if streamed && status.is_success() {
            self.events(call.dialect, response.into_body(), intended, outcome).await?;
        } else {
            let body = whole(response.into_body(), if status.is_success() { 0 } else { REFUSAL_BYTES_MAX }).await?;
            outcome.shaped = !status.is_success() && call.dialect.is_error_shape(&body);
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(())
    }

    async fn send(&self, call: &Call) -> Result<(SendRequest<Full<Bytes>>, Response<Incoming>), Failure> {
        // A kept connection may have been closed in the meantime; then another one is taken, at last a new one.
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = kept.is_none();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect().await.map_err(|_| Failure::Connect)?,
            };
            if sender.ready().await.is_err() {
                if fresh {
                    return Err(Failure::Connect);
                }
                continue;
            }
            match sender.try_send_request(self.request(call)).await {
                Ok(response) => return Ok((sender, response)),
                Err(mut error) => {
                    // Taken back unsent, the connection had closed before.
                    if fresh || error.take_message().is_none() {
                        return Err(Failure::Broken);
                    }
                }
            }
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        // Prefix and path were part of a URL that was parsed.
        *request.uri_mut() = format!("{}{}", self.target.prefix, call.dialect.path()).parse().unwrap_or_default();
        let headers = request.headers_mut();
        let host = format!("{}:{}", self.target.host, self.target.port);
        headers.insert("host", HeaderValue::from_str(&host).unwrap_or(HeaderValue::from_static("localhost")));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("accept", HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert("user-agent", HeaderValue::from_static("airiskguard-loadtest"));
        if call.dialect.is_anthropic() {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        if let Some(key) = &self.key {
            if call.dialect.is_anthropic() {
                headers.insert("x-api-key", key.clone());
            } else if let Ok(value) = HeaderValue::try_from([b"Bearer ".as_slice(), key.as_bytes()].concat()) {
                headers.insert("authorization", value);
            }
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        request
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        stream.set_nodelay(true)?;
        match &self.tls {
            None => handshake(TokioIo::new(stream)).await,
            Some(Tls(connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                handshake(TokioIo::new(stream)).await
            }
        }
    }

    async fn events(
        &self,
        dialect: Dialect,
        mut body: Incoming,
        intended: Instant,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let mut reader = Reader::new(dialect);
        let mut log: Option<Arc<Sent>> = None;
        let mut last: Option<Instant> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failure::Broken)?;
            let Some(bytes) = frame.data_ref() else { continue };
            let now = Instant::now();
            let brought = reader.push(bytes);
            if brought == 0 {
                continue;
            }
            if log.is_none() {
                log = reader.number.zip(self.provider.as_ref()).and_then(|(number, it)| it.logs().take(number));
            }
            outcome.first_text.get_or_insert(now - intended);
            outcome.gaps.extend(last.map(|it| nanoseconds(now - it)));
            last = Some(now);
            if let Some(log) = &log {
                outcome.held.push(log.bytes().saturating_sub(reader.text_bytes) as u64);
                let delay = log.left_at(reader.text_bytes).map(|left| nanoseconds(now.saturating_duration_since(left)));
                outcome.first_delay = outcome.first_delay.or(delay);
                outcome.delays.extend(delay);
            }
        }
        if reader.complete && !reader.failed { Ok(()) } else { Err(Failure::Incomplete) }
    }
}

/// The text of a page on a port of this machine, up to a megabyte; `None` if there is none.
pub async fn page(port: u16, path: &Path) -> Option<String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let mut sender = handshake(TokioIo::new(stream)).await.ok()?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = path.to_str()?.parse().ok()?;
    request.headers_mut().insert("host", HeaderValue::from_static("localhost"));
    let response = sender.send_request(request).await.ok()?;
    let body = whole(response.into_body(), PAGE_BYTES_MAX).await.ok()?;
    String::from_utf8(body).ok()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn passed(response: &Response<Incoming>, call: &Call) -> Passed {
    match response.headers().get(provider::BODY_HEADER) {
        None => Passed::Unknown,
        Some(value) if value.as_bytes() == provider::digest(&call.body).as_bytes() => Passed::Same,
        Some(_) => Passed::Changed,
    }
}

/// Reads a body to its end and gives its first bytes.
async fn whole(mut body: Incoming, keep_bytes: usize) -> Result<Vec<u8>, Failure> {
    let (mut kept, mut read) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Broken)?;
        let Some(bytes) = frame.data_ref() else { continue };
        read += bytes.len();
        if read > ANSWER_BYTES_MAX {
            return Err(Failure::Incomplete);
        }
        kept.extend_from_slice(&bytes[..bytes.len().min(keep_bytes - kept.len())]);
    }
    Ok(kept)
}

async fn handshake<T>(stream: T) -> io::Result<SendRequest<Full<Bytes>>>
where
    T: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
    // How it ended is what the exchange on it sees.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn connector(host: &str) -> Result<Tls, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_string()).map_err(|error| format!("{host}: {error}"))?;
    Ok(Tls(TlsConnector::from(Arc::new(config)), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_base_url_as_clients_have_it() {
        let parts = |url| Target::parse(url).map(|it| (it.host, it.port, it.tls, it.prefix));
        assert_eq!(parts("http://127.0.0.1:8080"), Ok(("127.0.0.1".into(), 8080, false, String::new())));
        assert_eq!(parts("https://gateway.example/v1/"), Ok(("gateway.example".into(), 443, true, String::new())));
        assert_eq!(parts("http://[::1]:80/team/v1"), Ok(("::1".into(), 80, false, "/team".into())));
        assert!(parts("gateway:8080").is_err());
    }
}
