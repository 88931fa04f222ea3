//! A provider on loopback: answers as the vendors do, counts what it was sent, and misbehaves as much as it is told.
//!
//! Every answer names in `x-loadtest-body` the length and a digest of the body that arrived, so that a client can tell
//! whether a gateway passed its bytes on unchanged, and that nothing was answered that was not sent.

mod answer;
mod log;

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use self::answer::{Answer, Content, Fate};
use crate::dialect::Dialect;
use crate::random::Random;

pub use self::log::{Logs, Sent};

/// Largest body that is taken.
const BODY_BYTES_MAX: usize = 64 << 20;
/// How much slower a slow answer streams.
const SLOW_TIMES: u64 = 20;
/// Names length and digest of the body that arrived.
pub const BODY_HEADER: &str = "x-loadtest-body";

/// How the provider answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Milliseconds until an answer begins.
    pub latency_ms: u64,
    /// Tokens of one answer.
    pub tokens: usize,
    /// Milliseconds between two tokens of a streamed answer.
    pub token_gap_ms: u64,
    /// Part of the requests that get an error of the dialect, 0 to 1.
    pub error_rate: f64,
    /// Part of the answers that take twenty times as long.
    pub slow_rate: f64,
    /// Part of the answers whose connection breaks half way.
    pub dying_rate: f64,
    /// Part of the streamed answers that end in a tool call.
    pub tool_rate: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            latency_ms: 0,
            tokens: 32,
            token_gap_ms: 0,
            error_rate: 0.0,
            slow_rate: 0.0,
            dying_rate: 0.0,
            tool_rate: 0.0,
        }
    }
}

/// What has arrived and left so far.
#[derive(Debug, Default)]
pub struct Counts {
    requests: AtomicU64,
    body_bytes: AtomicU64,
    errors: AtomicU64,
    died: AtomicU64,
    connections: AtomicU64,
}

/// A reading of [`Counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Requests whose whole body arrived.
    pub requests: u64,
    /// Bytes of their bodies.
    pub body_bytes: u64,
    /// Answered with an error on purpose.
    pub errors: u64,
    /// Answers broken off on purpose.
    pub died: u64,
    /// Connections that were opened.
    pub connections: u64,
}

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    behaviour: Mutex<Behaviour>,
    counts: Counts,
    logs: Logs,
    answers: AtomicU64,
}

impl Provider {
    /// Listens on `address` (port 0: any free one) and answers until the runtime ends. With `timed`, it remembers when each
    /// token left, for a client in the same process.
    pub async fn start(address: SocketAddr, behaviour: Behaviour, timed: bool) -> io::Result<Arc<Provider>> {
        let socket = TcpListener::bind(address).await?;
        let provider = Arc::new(Provider {
            address: socket.local_addr()?,
            behaviour: Mutex::new(behaviour),
            counts: Counts::default(),
            logs: Logs::new(timed),
            answers: AtomicU64::new(0),
        });
        tokio::spawn(accept(provider.clone(), socket));
        Ok(provider)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests from now on are answered like this.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// What has arrived and left so far.
    pub fn counted(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        Counted {
            requests: read(&counts.requests),
            body_bytes: read(&counts.body_bytes),
            errors: read(&counts.errors),
            died: read(&counts.died),
            connections: read(&counts.connections),
        }
    }

    /// When the tokens of streamed answers left.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Content> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if head.method == Method::GET && path == "/loadtest/counts" {
            let text = serde_json::to_string(&self.counted()).unwrap_or_default();
            return answer::json(StatusCode::OK, text);
        }
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return answer::json(StatusCode::BAD_REQUEST, answer::error(Dialect::Chat, "the body broke off"));
        };
        let body = body.to_bytes();
        if head.method == Method::PUT && path == "/loadtest/behaviour" {
            return self.told(&body);
        }
        let dialect = Dialect::of_path(path).filter(|_| head.method == Method::POST);
        let Some(dialect) = dialect else {
            let text = answer::error(Dialect::Chat, "no such path");
            return answer::json(StatusCode::NOT_FOUND, text);
        };
        let mut response = self.reply(dialect, &body).await;
        if let Ok(value) = digest(&body).parse() {
            response.headers_mut().insert(BODY_HEADER, value);
        }
        response
    }

    fn told(&self, body: &Bytes) -> Response<Content> {
        match serde_json::from_slice(body) {
            Ok(behaviour) => {
                self.behave(behaviour);
                answer::json(StatusCode::OK, "{}".into())
            }
            Err(error) => {
                let text = answer::error(Dialect::Chat, &error.to_string());
                answer::json(StatusCode::BAD_REQUEST, text)
            }
        }
    }

    async fn reply(&self, dialect: Dialect, body: &Bytes) -> Response<Content> {
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        self.counts.body_bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let behaviour = self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut random = Random::new(number);
        let slow = if random.chance(behaviour.slow_rate) { SLOW_TIMES } else { 1 };
        if behaviour.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(behaviour.latency_ms * slow)).await;
        }
        if random.chance(behaviour.error_rate) {
            self.counts.errors.fetch_add(1, Ordering::Relaxed);
            let text = answer::error(dialect, "made to fail");
            return answer::json(StatusCode::INTERNAL_SERVER_ERROR, text);
        }
        let dies = random.chance(behaviour.dying_rate);
        if dies {
            self.counts.died.fetch_add(1, Ordering::Relaxed);
        }
        let answer = Answer {
            dialect,
            number,
            input_bytes: body.len(),
            tokens: behaviour.tokens.max(1),
            gap: Duration::from_millis(behaviour.token_gap_ms * slow),
            fate: if dies { Fate::Dies } else { Fate::Completes },
            calls_tool: random.chance(behaviour.tool_rate),
        };
        if dialect != Dialect::CountTokens && wants_stream(body) {
            answer.streamed(self.logs.begin(number), random)
        } else {
            answer.whole(&mut random)
        }
    }
}

async fn accept(provider: Arc<Provider>, socket: TcpListener) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        provider.counts.connections.fetch_add(1, Ordering::Relaxed);
        // Without it a token would wait for the acknowledgement of the one before; a refusal only makes that so.
        drop(stream.set_nodelay(true));
        let provider = provider.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let provider = provider.clone();
                async move { Ok::<_, Infallible>(provider.answer(request).await) }
            });
            // A connection that ends badly is what the client sees, or what was asked for.
            drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// Length and digest of a body, as in [`BODY_HEADER`].
pub fn digest(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    format!("{}-{:016x}", body.len(), hasher.finish())
}

/// Whether the body asks for a stream. The last mention counts: it is the tool's own, at the end.
fn wants_stream(body: &[u8]) -> bool {
    let Some(at) = memchr::memmem::rfind(body, b"\"stream\":") else { return false };
    body[at + b"\"stream\":".len()..].trim_ascii_start().starts_with(b"true")
}
