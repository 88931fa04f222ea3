//! The replaying session: stands between Pingora's proxy loop and the real client session. It plays a request that was
//! already read (and perhaps rewritten) as often as a retry needs it, and owns the answer until it is decided.
//!
//! Pingora sends a request's head upstream before it reads the body, and an answer's head downstream before it sees
//! the answer's body. Both would be too early here. `custom::server::Session` is the hook that lets us be the client
//! session ourselves; it is public but undocumented, hence the exact version pin.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use http::HeaderMap;
use pingora_core::protocols::Digest;
use pingora_core::protocols::http::custom::CustomMessageWrite;
use pingora_core::protocols::http::custom::server::Session as CustomSession;
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::Sleep;

use super::answer::{Answer, Next};
use super::call::Call;
use super::pace::time_to_send;
use super::socket::Socket;
use crate::config::Limits;

/// The body goes to the proxy loop in pieces of this many bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Error type that ends an exchange whose answer to the client is complete while the provider still talks.
pub(super) const CUT: ErrorType = ErrorType::Custom("AnswerComplete");
/// Error type of an exchange that took longer than it may.
pub(super) const DEADLINE: ErrorType = ErrorType::Custom("TotalTimeout");

/// Where the client's session goes when its replaying session is dropped, so that the connection can be kept.
/// One per request: the proxy phases and the session set `reuse`, the wrapping app takes the session out.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) reuse: AtomicBool,
    session: Mutex<Option<ServerSession>>,
    socket: Mutex<Option<Box<Socket>>>,
}

impl Slot {
    /// The client's session, if it was left here and its connection may be used again.
    pub(super) fn take(&self) -> Option<ServerSession> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        session.filter(|_| self.reuse.load(Ordering::Acquire))
    }

    /// Leaves what the connection was upgraded to, for the wrapping app to run.
    pub(super) fn put_socket(&self, socket: Box<Socket>) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
    }

    /// What the connection was upgraded to, if it was.
    pub(super) fn take_socket(&self) -> Option<Box<Socket>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

tokio::task_local! {
    /// The slot of the request that this task serves.
    pub(super) static SLOT: Arc<Slot>;
}

/// The session that Pingora sees instead of the client's.
pub(super) struct Replay {
    /// The client's; `None` only while dropping.
    inner: Option<ServerSession>,
    /// The request's body. Invariant: `position <= body.len()`; everything before it was handed out in this try.
    body: Bytes,
    position: usize,
    answer: Answer,
    call: Arc<Call>,
    limits: Limits,
    deadline: Pin<Box<Sleep>>,
    draining: Arc<AtomicBool>,
    slot: Option<Arc<Slot>>,
}

impl Replay {
    /// Puts a replaying session in place of the client's. `body` is what the provider will get.
    pub(super) fn install(session: &mut ServerSession, body: Bytes, call: Arc<Call>, draining: Arc<AtomicBool>) {
        // The placeholder is replaced before anyone can call it.
        let inner = std::mem::replace(session, ServerSession::new_custom(Box::new(())));
        let without_body = inner.req_header().method == http::Method::HEAD;
        let replay = Replay {
            answer: Answer::new(inner.req_header().version == http::Version::HTTP_11, without_body),
            inner: Some(inner),
            body,
            position: 0,
            deadline: Box::pin(tokio::time::sleep_until(call.deadline())),
            limits: call.limits(),
            call,
            draining,
            slot: SLOT.try_with(Arc::clone).ok(),
        };
        *session = ServerSession::new_custom(Box::new(replay));
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the session out")]
    fn inner(&self) -> &ServerSession {
        self.inner.as_ref().expect("present until dropped")
    }

    #[expect(clippy::expect_used, reason = "only `drop` takes the session out")]
    fn inner_mut(&mut self) -> &mut ServerSession {
        self.inner.as_mut().expect("present until dropped")
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let end = self.body.len().min(self.position + PIECE_BYTES);
        let piece = (self.position < end).then(|| self.body.slice(self.position..end));
        self.position = end;
        if piece.is_some() && self.is_replayed() {
            self.call.sent();
        }
        piece
    }

    fn is_replayed(&self) -> bool {
        self.position >= self.body.len()
    }

    /// A retry is impossible once the provider answers, so its body is not needed any more.
    fn forget_body(&mut self) {
        if self.answer.has_begun() && self.is_replayed() && !self.body.is_empty() {
            self.body = Bytes::new();
            self.position = 0;
        }
    }

    /// A connection that is about to be closed says so.
    fn announce_close(&mut self) {
        if self.draining.load(Ordering::Acquire) {
            self.inner_mut().set_keepalive(None);
        }
    }

    /// Gives the client time for so many bytes.
    fn allow_time_for(&mut self, bytes: usize) {
        let time = time_to_send(&self.limits, bytes);
        self.inner_mut().set_write_timeout(Some(time));
    }

    fn allow_reuse(&self) {
        if let Some(slot) = &self.slot {
            slot.reuse.store(true, Ordering::Release);
        }
    }
}

fn body_bytes(task: &HttpTask) -> usize {
    match task {
        HttpTask::Body(data, _) | HttpTask::UpgradedBody(data, _) => data.as_ref().map_or(0, Bytes::len),
        HttpTask::Header(..) | HttpTask::Trailer(_) | HttpTask::Done | HttpTask::Failed(_) => 0,
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if let (Some(slot), Some(inner)) = (self.slot.take(), self.inner.take()) {
            *slot.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        }
    }
}

#[async_trait]
impl CustomSession for Replay {
    fn req_header(&self) -> &RequestHeader {
        self.inner().req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner_mut().req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        Ok(self.next_piece())
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        Ok(())
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, _end: bool) -> Result<()> {
        self.announce_close();
        self.inner_mut().write_response_header(head).await
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, _end: bool) -> Result<()> {
        self.announce_close();
        self.inner_mut().write_response_header_ref(head).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.allow_time_for(data.len());
        self.inner_mut().write_response_body(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.inner_mut().write_response_trailers(trailers).await
    }

    /// Everything the provider sends comes through here, in order, and only through here.
    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut ready = Vec::with_capacity(tasks.len() + 1);
        let mut next = Ok(Next::Continue);
        for task in tasks {
            next = self.answer.take(task, &self.call, &mut ready);
            if !matches!(next, Ok(Next::Continue)) {
                break;
            }
        }
        self.forget_body();
        let mut ended = false;
        if !ready.is_empty() {
            // Said in the head or not at all: a client that was promised the connection may have used it again already.
            if ready.iter().any(|task| matches!(task, HttpTask::Header(..))) {
                self.announce_close();
            }
            self.allow_time_for(ready.iter().map(body_bytes).sum());
            let written = self.inner_mut().response_duplex_vec(ready).await;
            if written.as_ref().is_err_and(|error| *error.root_etype() == ErrorType::WriteTimedout) {
                self.call.slow_client();
            }
            ended = written?;
        }
        if next? == Next::Cut {
            self.inner_mut().finish_body().await?;
            self.allow_reuse();
            return Err(Error::new_in(CUT));
        }
        Ok(ended)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.inner_mut().set_read_timeout(timeout);
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.inner().get_read_timeout()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner_mut().set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner().get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner_mut().set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner().get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.inner().request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner().response_written()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.inner_mut().shutdown().await;
    }

    fn is_body_done(&mut self) -> bool {
        self.is_replayed()
    }

    async fn finish(&mut self) -> Result<()> {
        self.inner_mut().finish_body().await
    }

    fn is_body_empty(&mut self) -> bool {
        self.body.is_empty()
    }

    /// Plays the body; after it, waits for what ends an exchange early: a client that goes away, or the deadline.
    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if !no_body_expected && !self.is_replayed() {
            return Ok(self.next_piece());
        }
        let Replay { inner, deadline, .. } = self;
        let Some(inner) = inner.as_mut() else { return Ok(None) };
        tokio::select! {
            read = inner.read_body_or_idle(true) => read,
            () = deadline.as_mut() => Err(Error::new_in(DEADLINE)),
        }
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner().body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner().body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.inner().digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.inner_mut().digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner().client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner().server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.inner().to_h1_raw()
    }

    /// Called once in every try, behind its head: the body is played from its beginning again, so Pingora needs no buffer
    /// of what it has sent.
    fn enable_retry_buffering(&mut self) {
        self.position = 0;
    }

    fn retry_buffer_truncated(&self) -> bool {
        false
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        None
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Error::e_explain(ErrorType::InternalError, "there are no custom messages")
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        Error::e_explain(ErrorType::InternalError, "there are no custom messages")
    }
}
