//! Pingora's phases to pipeline verbs: the way of one request through the edge, read top to bottom.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::http::ServerSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use tokio::time::Instant;

use super::Shared;
use super::call::Call;
use super::connection::HEAD_TIMER;
use super::failover::Tries;
use super::pace::Pace;
use super::replay::{CUT, DEADLINE, Replay, SLOT, Slot};
use super::{framing, front, gate, respond, socket, upstream};
use crate::config::Fronts;
use crate::domain::Outcome;
use crate::pipeline::RefusalKind;
use crate::pipeline::{Choice, Forward, Head, Opening, Reply, Sending};
use crate::sinks::request_id;

/// Bytes still accepted from a client that was answered before its request was read.
const DRAIN_BYTES_MAX: usize = 64 << 20;
/// Time still given to such a client.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// Error type of an answer that is dropped for another address or key.
const FAILOVER: ErrorType = ErrorType::Custom("Failover");
/// Error type of a provider that cannot be contacted; the explanation is for the client.
const UNREACHABLE: ErrorType = ErrorType::Custom("Unreachable");

/// The proxy.
pub(super) struct Gateway {
    pub(super) shared: Arc<Shared>,
}

/// What the phases of one request keep.
pub(super) struct Phase {
    slot: Option<Arc<Slot>>,
    call: Option<Arc<Call>>,
    forward: Option<Forward>,
    body_bytes: usize,
    tries: Tries,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Phase;

    fn new_ctx(&self) -> Phase {
        let slot = SLOT.try_with(Arc::clone).ok();
        Phase { slot, call: None, forward: None, body_bytes: 0, tries: Tries::default() }
    }

    /// None: Pingora's compression would only cost.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, phase: &mut Phase) -> Result<bool> {
        if let Ok(timer) = HEAD_TIMER.try_with(Arc::clone) {
            timer.head_complete();
        }
        let session = session.as_downstream_mut();
        self.set_times(session);
        if is_probe(session.req_header()) {
            respond::send_probe(session).await?;
            return Ok(true);
        }
        if framing::asks_for_socket(session.req_header()) {
            return Box::pin(self.open_socket(session, phase)).await;
        }
        let (call, opening) = self.open(session);
        let call = phase.call.insert(Arc::new(call)).clone();
        let opening = gate::admitted(&self.shared, &call, opening).await;
        match self.receive(session, &call, opening).await? {
            Received::Answer(reply) => {
                self.answer(session, &call, &reply).await?;
                Ok(true)
            }
            Received::Forward(forward, body) => {
                phase.body_bytes = body.len();
                phase.forward = Some(forward);
                Replay::install(session, body, call, self.shared.draining.clone());
                Ok(false)
            }
        }
    }

    async fn upstream_peer(&self, _session: &mut Session, phase: &mut Phase) -> Result<Box<HttpPeer>> {
        let (Some(forward), Some(call)) = (&phase.forward, &phase.call) else {
            return Error::e_explain(UNREACHABLE, "nowhere to forward to");
        };
        let Some((choice, attempt)) = phase.tries.begin(&self.shared, &forward.upstream) else {
            return Error::e_explain(UNREACHABLE, "every address is left alone");
        };
        call.unsent();
        if attempt == 0 {
            call.forwarded();
        }
        match self.shared.peers.peer(&forward.upstream, &forward.upstream.urls[choice.address], attempt).await {
            Ok(peer) => Ok(Box::new(peer)),
            Err(error) => {
                let mut error = Error::explain(UNREACHABLE, error.to_string());
                error.set_retry(phase.tries.unknown(&self.shared, &forward.upstream));
                Err(error)
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        head: &mut RequestHeader,
        phase: &mut Phase,
    ) -> Result<()> {
        match &phase.forward {
            Some(forward) => dress(head, forward, phase.tries.choice(), phase.body_bytes),
            None => Error::e_explain(UNREACHABLE, "nowhere to forward to"),
        }
    }

    /// Nothing was sent yet, so the next address may be tried.
    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        phase: &mut Phase,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let again = |it: &Forward| phase.tries.unconnected(&self.shared, &it.upstream);
        error.set_retry(phase.forward.as_ref().is_some_and(again));
        error
    }

    /// A provider that says it did nothing with the request may be left for another, while the client has seen nothing.
    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        head: &mut ResponseHeader,
        phase: &mut Phase,
    ) -> Result<()> {
        let Some(forward) = phase.forward.as_ref().filter(|_| !head.status.is_informational()) else { return Ok(()) };
        match phase.tries.answered(&self.shared, &forward.upstream, head) {
            true => Err(Error::new_up(FAILOVER)),
            false => Ok(()),
        }
    }

    /// A pooled connection may have been closed by the provider while it lay idle; that is found out only by using it, and
    /// soon. Who loses it later may have worked on the request, which is not sent again then.
    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        _session: &mut Session,
        mut error: Box<Error>,
        phase: &mut Phase,
        reused: bool,
    ) -> Box<Error> {
        let begun = phase.call.as_ref().is_none_or(|call| call.has_begun());
        let upstream = phase.forward.as_ref().map(|it| &it.upstream);
        let worked_on = phase.call.as_ref().is_some_and(|call| call.may_be_worked_on());
        let reused = reused && !worked_on;
        if begun || upstream.is_none_or(|it| !phase.tries.are_left(it)) {
            error.set_retry(false);
        } else if worked_on && *error.root_etype() == ErrorType::InvalidH2 {
            // The rules of the connection were broken, perhaps for another request on it: this one was read.
            error.set_retry(false);
        } else if *error.root_etype() == FAILOVER || reused && is_dead_connection(&error) {
            error.set_retry(true);
        } else {
            error.retry.decide_reuse(reused);
        }
        let failed = !begun && !error.retry() && matches!(error.esource(), ErrorSource::Upstream);
        if let Some(upstream) = upstream.filter(|_| failed) {
            phase.tries.broke(&self.shared, upstream);
        }
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, phase: &mut Phase) -> FailToProxy {
        let Some(call) = phase.call.clone() else { return failed(0) };
        if *error.root_etype() == CUT {
            return failed(0);
        }
        // Pingora blames the client for whatever ends the wait for it, our deadline included.
        let by_client = matches!(error.esource(), ErrorSource::Downstream) && *error.root_etype() != DEADLINE;
        call.ends(if by_client { Outcome::Cancelled } else { Outcome::UpstreamFailed });
        let begun = session.response_written().is_some_and(|head| !head.status.is_informational());
        if begun || by_client {
            return failed(0);
        }
        let reply = match phase.tries.unavailable() {
            Some(wait) => call.unavailable(wait),
            None => self.explain(error, &call),
        };
        let Some(reply) = reply else { return failed(0) };
        let code = respond::status(reply.kind, reply.dialect);
        match respond::send(session.as_downstream_mut(), &reply, &call.request()).await {
            Ok(bytes) => {
                call.wrote(bytes);
                // The request was read to its end before it was forwarded, so the connection is clean.
                if let Some(slot) = &phase.slot {
                    slot.reuse.store(true, Ordering::Release);
                }
            }
            Err(_) => call.ends(Outcome::Cancelled),
        }
        failed(code)
    }

    /// Only asked where the connection may be used again.
    fn persist_connection_context(
        &self,
        _session: &Session,
        phase: &Phase,
    ) -> Option<Box<dyn Any + Send + Sync + 'static>> {
        if let Some(slot) = &phase.slot {
            slot.reuse.store(true, Ordering::Release);
        }
        None
    }

    async fn logging(&self, _session: &mut Session, _error: Option<&Error>, phase: &mut Phase) {
        if let Some(call) = &phase.call {
            call.close();
        }
    }

    /// The event says how an exchange ended; Pingora's line would name path and query.
    fn suppress_error_log(&self, _session: &Session, _phase: &Phase, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _phase: &Phase,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    /// Without the query, which may carry keys.
    fn request_summary(&self, session: &Session, phase: &Phase) -> String {
        let request = phase.call.as_ref().map(|call| call.request());
        let head = session.req_header();
        format!("{} {}, {}", head.method, head.uri.path(), request.as_ref().map_or("-", |it| it.as_str()))
    }
}

/// What became of a request once it was read as far as needed.
enum Received {
    Answer(Reply),
    Forward(Forward, Bytes),
}

impl Gateway {
    fn set_times(&self, session: &mut ServerSession) {
        let limits = self.shared.live.load().limits;
        let draining = self.shared.draining.load(Ordering::Acquire);
        // Pingora takes "no timeout" for zero.
        let idle_seconds = limits.idle_timeout.as_secs().max(1);
        let stays = !draining && framing::keeps_alive(session.req_header());
        session.set_keepalive(stays.then_some(idle_seconds));
        session.set_read_timeout(Some(limits.body_timeout));
        session.set_write_timeout(Some(limits.idle_timeout));
        session.set_total_drain_timeout(Some(DRAIN_TIMEOUT));
    }

    fn open(&self, session: &mut ServerSession) -> (Call, Opening) {
        let snapshot = self.shared.live.load();
        let client = client_of(&snapshot.fronts, session);
        Call::open(&self.shared, snapshot, request_id(), &head_of(session.req_header(), client))
    }

    /// An upgrade to a socket: refused like any request, or left in the slot for the wrapping app to run.
    async fn open_socket(&self, session: &mut ServerSession, phase: &mut Phase) -> Result<bool> {
        let snapshot = self.shared.live.load();
        let client = client_of(&snapshot.fronts, session);
        let head = head_of(session.req_header(), client);
        let (call, sending) = Call::open_socket(&self.shared, snapshot, request_id(), &head);
        let call = phase.call.insert(Arc::new(call)).clone();
        let raw = session.as_http1().map(|it| it.get_headers_raw_bytes()).unwrap_or_default();
        let objection = framing::objection(session.req_header(), &raw, call.limits().header_bytes_max);
        let reply = match (objection, sending) {
            (Some(it), _) => call.refuse(it.kind, it.message),
            (None, Sending::Answer(reply)) => Some(reply),
            (None, Sending::Forward(forward)) => match (call.decided().await, &phase.slot) {
                (Some(reply), _) => Some(reply),
                (None, Some(slot)) => socket::upgrade(&self.shared, session, &call, &forward, (client, slot)).await?,
                (None, None) => call.refuse(RefusalKind::UpgradeRefused, "this connection cannot be upgraded"),
            },
        };
        if let Some(reply) = reply {
            call.ends(Outcome::Refused);
            self.answer(session, &call, &reply).await?;
        }
        Ok(true)
    }

    /// Reads the body as far as it is wanted.
    async fn receive(&self, session: &mut ServerSession, call: &Call, opening: Opening) -> Result<Received> {
        let raw = session.as_http1().map(|it| it.get_headers_raw_bytes()).unwrap_or_default();
        if let Some(it) = framing::objection(session.req_header(), &raw, call.limits().header_bytes_max) {
            session.set_keepalive(None);
            return refusal(call, it.kind, it.message);
        }
        let bytes_max = match opening {
            Opening::Answer(reply) => return Ok(answered(call, reply)),
            Opening::ReadBody { bytes_max } => bytes_max,
        };
        if framing::declared_bytes(&session.req_header().headers).is_some_and(|bytes| bytes > bytes_max) {
            return too_large(call, bytes_max);
        }
        if framing::expects_continue(session.req_header()) {
            // Otherwise the go-ahead would itself count as an early answer and close the connection.
            session.set_close_on_response_before_downstream_finish(false);
            session.write_continue_response().await?;
        }
        match tokio::time::timeout(call.limits().body_timeout, self.read_body(session, call, bytes_max)).await {
            // One read and the whole body have the same time, so either clock may run out first.
            Ok(Err(error)) if *error.root_etype() != ErrorType::ReadTimedout => Err(error),
            Ok(Ok(received)) => Ok(received),
            Ok(Err(_)) | Err(_) => {
                session.set_keepalive(None);
                self.shared.metrics.slow_client("sending");
                refusal(call, RefusalKind::Timeout, "the request body did not arrive in time")
            }
        }
    }

    /// The pipeline keeps the bytes; the edge only counts them.
    async fn read_body(&self, session: &mut ServerSession, call: &Call, bytes_max: u64) -> Result<Received> {
        let pace = Pace::new(&call.limits());
        let mut received_bytes = 0;
        let mut last = session.is_body_done();
        loop {
            let chunk = if last { None } else { read_piece(session, pace.due(received_bytes)).await? };
            last = chunk.is_none() || session.is_body_done();
            let chunk = chunk.unwrap_or_default();
            received_bytes += chunk.len() as u64;
            if received_bytes > bytes_max {
                return too_large(call, bytes_max);
            }
            match call.request_body(&chunk, last) {
                Some(Sending::Answer(reply)) => return Ok(answered(call, reply)),
                Some(Sending::Forward(mut forward)) => {
                    let body = Bytes::from(std::mem::take(&mut forward.body));
                    if !call.keep(body.len() as u64) {
                        return overloaded(call);
                    }
                    return Ok(match call.decided().await {
                        None => Received::Forward(forward, body),
                        Some(reply) => Received::Answer(reply),
                    });
                }
                None if last => return refusal(call, RefusalKind::BadRequest, "the request is incomplete"),
                None if call.keep(0) => {}
                None => return overloaded(call),
            }
        }
    }

    /// Answers a client without contacting anyone. What it still sends is taken in for a while, so that it gets to
    /// reading the answer.
    async fn answer(&self, session: &mut ServerSession, call: &Call, reply: &Reply) -> Result<()> {
        let read = session.is_body_done();
        let waits = framing::expects_continue(session.req_header()) && session.body_bytes_read() == 0;
        if !read {
            session.set_keepalive(None);
        }
        if session.req_header().method != Method::HEAD {
            call.wrote(reply.body.len() as u64);
        }
        // Before the answer goes out: whoever reads it may count on what this exchange held being free again.
        call.close();
        respond::send(session, reply, &call.request()).await?;
        if !read && !waits {
            // A client that breaks off now has its answer; nothing is left to report.
            drop(tokio::time::timeout(DRAIN_TIMEOUT, drain(session)).await);
        }
        Ok(())
    }

    /// A failure in the client's own dialect. `None` only after the call was closed.
    fn explain(&self, error: &Error, call: &Call) -> Option<Reply> {
        match error.root_etype() {
            etype if *etype == DEADLINE => call.refuse(RefusalKind::UpstreamFailed, "the exchange took too long"),
            etype if *etype == UNREACHABLE => {
                let reason = error.context.as_ref().map_or("it is not reachable", |it| it.as_str());
                call.refuse(RefusalKind::UpstreamFailed, format!("the provider cannot be contacted: {reason}"))
            }
            ErrorType::ReadTimedout => call.refuse(RefusalKind::UpstreamFailed, "the provider did not answer in time"),
            etype => {
                let message = format!("the provider could not be reached or broke off ({})", etype.as_str());
                call.refuse(RefusalKind::UpstreamFailed, message)
            }
        }
    }
}

/// A head as the pipeline reads it.
pub(super) fn head_of(head: &RequestHeader, client: IpAddr) -> Head<'_> {
    Head {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query(),
        headers: head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        client,
    }
}

/// Where a session comes from; see [`front::client`].
fn client_of(fronts: &Fronts, session: &mut ServerSession) -> IpAddr {
    let peer = session.client_addr().and_then(|it| it.as_inet()).map(|it| it.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    // A listener of both families names clients of IPv4 by an address of IPv6.
    front::client(fronts, peer, session.req_header_mut()).to_canonical()
}

/// Requests that tools send to see whether anyone is there. They carry no key and get no more than that.
fn is_probe(head: &RequestHeader) -> bool {
    let reads = matches!(head.method, Method::GET | Method::HEAD);
    match head.uri.path() {
        "/health" | "/healthz" | "/api/hello" => reads,
        "/" => head.method == Method::HEAD,
        _ => false,
    }
}

fn refusal(call: &Call, kind: RefusalKind, message: impl Into<String>) -> Result<Received> {
    let reply = call.refuse(kind, message);
    reply.map(Received::Answer).ok_or_else(|| Error::explain(ErrorType::InternalError, "the call is closed"))
}

fn too_large(call: &Call, bytes_max: u64) -> Result<Received> {
    refusal(call, RefusalKind::TooLarge, format!("the request body has more than {bytes_max} bytes"))
}

fn overloaded(call: &Call) -> Result<Received> {
    refusal(call, RefusalKind::Overloaded, "the gateway holds as much as it may; try again shortly")
}

fn answered(call: &Call, reply: Reply) -> Received {
    call.ends(Outcome::Refused);
    Received::Answer(reply)
}

/// The next piece of a body, if it is there in time.
async fn read_piece(session: &mut ServerSession, due: Instant) -> Result<Option<Bytes>> {
    let late = || Error::new_down(ErrorType::ReadTimedout);
    if due <= Instant::now() {
        return Err(late());
    }
    match tokio::time::timeout_at(due, session.read_request_body()).await {
        Ok(read) => read.map_err(|error| error.into_down()),
        Err(_) => Err(late()),
    }
}

async fn drain(session: &mut ServerSession) {
    let mut left = DRAIN_BYTES_MAX;
    while let Ok(Some(chunk)) = session.read_request_body().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Whether this is how a connection fails that the other side had closed before.
fn is_dead_connection(error: &Error) -> bool {
    let closed = [ErrorType::ConnectionClosed, ErrorType::ReadError, ErrorType::WriteError];
    matches!(error.esource(), ErrorSource::Upstream) && closed.contains(error.root_etype())
}

fn failed(error_code: u16) -> FailToProxy {
    FailToProxy { error_code, can_reuse_downstream: false }
}

/// Turns the client's head into the provider's. Sessions of our own are not reconciled by Pingora, so everything that
/// frames or addresses the request is set here.
pub(super) fn dress(head: &mut RequestHeader, forward: &Forward, choice: Choice, body_bytes: usize) -> Result<()> {
    for name in &forward.remove_headers {
        head.remove_header(name.as_str());
    }
    for name in [header::EXPECT, header::TRANSFER_ENCODING, header::TE, header::PROXY_AUTHORIZATION] {
        head.remove_header(&name);
    }
    head.insert_header(header::ACCEPT_ENCODING, "identity")?;
    let had_length = head.remove_header(&header::CONTENT_LENGTH).is_some();
    if body_bytes > 0 || had_length || matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        head.insert_header(header::CONTENT_LENGTH, body_bytes.to_string())?;
    }
    head.insert_header(header::HOST, upstream::authority(&forward.upstream.urls[choice.address]))?;
    // The first key stands among the headers of the request already.
    let other_key = forward.upstream.credentials.get(choice.key).filter(|_| choice.key > 0);
    for (name, value) in forward.set_headers.iter().chain(other_key) {
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| Error::explain(UNREACHABLE, format!("the configured header {name} has an invalid value")))?;
        value.set_sensitive(true);
        head.insert_header(name.clone(), value)?;
    }
    let target = Uri::try_from(forward.path_and_query.as_str())
        .map_err(|_| Error::explain(UNREACHABLE, "the path cannot be forwarded"))?;
    head.set_uri(target);
    Ok(())
}
