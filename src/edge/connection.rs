//! A client's connection as Pingora reads it: the deadline of a request's head, and a bounded look at its first bytes.
//!
//! Pingora's own timeouts are per read, so that one byte now and then keeps a connection open for ever.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::{SslDigest, TlsRef};
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::drain::{Ending, linger};

/// Length of the bytes an HTTP/2 client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

tokio::task_local! {
    /// The timer of the connection that this task serves. Not set in the tasks of HTTP/2 streams.
    pub(super) static HEAD_TIMER: Arc<HeadTimer>;
}

/// When the head that is being waited for must be there.
pub(super) struct HeadTimer {
    state: Mutex<Waiting>,
    header_timeout: Duration,
    idle_timeout: Duration,
    /// Whether the gateway ends: then nobody waits long for a request that may never come.
    ending: watch::Receiver<Ending>,
}

#[derive(Clone, Copy)]
enum Waiting {
    /// For nothing: a request is being served.
    No,
    /// For the first bytes of a new connection, which tell its protocol.
    Preface { until: Instant, missing: usize },
    /// For the rest of a head; `quiet` before its first byte.
    Head { until: Instant, quiet: bool },
    /// For the first byte of the next head.
    Idle { until: Instant },
}

/// A connection on which nothing of a request has come yet.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Quiet {
    /// It had none before.
    fresh: bool,
}

impl HeadTimer {
    /// For a connection that begins now.
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration, ending: watch::Receiver<Ending>) -> Self {
        let until = Instant::now() + header_timeout;
        let state = Mutex::new(Waiting::Preface { until, missing: PREFACE.len() });
        HeadTimer { state, header_timeout, idle_timeout, ending }
    }

    /// HTTP/1.1: the next thing to be read is a head.
    pub(super) fn await_head(&self) {
        let mut state = self.state();
        *state = match *state {
            Waiting::Preface { until, missing } => Waiting::Head { until, quiet: missing == PREFACE.len() },
            _ => Waiting::Idle { until: Instant::now() + self.idle_timeout },
        };
    }

    /// The head is complete.
    pub(super) fn head_complete(&self) {
        *self.state() = Waiting::No;
    }

    fn received(&self, bytes: usize) {
        let mut state = self.state();
        *state = match *state {
            Waiting::Preface { until, missing } if bytes < missing => {
                Waiting::Preface { until, missing: missing - bytes }
            }
            // Over HTTP/2 the connection's idle timeout takes over; over HTTP/1.1 `await_head` comes first.
            Waiting::Preface { .. } => Waiting::No,
            Waiting::Idle { .. } if bytes > 0 => {
                Waiting::Head { until: Instant::now() + self.header_timeout, quiet: false }
            }
            Waiting::Head { until, .. } if bytes > 0 => Waiting::Head { until, quiet: false },
            other => other,
        };
    }

    fn until(&self) -> Option<Instant> {
        match *self.state() {
            Waiting::No => None,
            Waiting::Preface { until, .. } | Waiting::Head { until, .. } | Waiting::Idle { until } => Some(until),
        }
    }

    /// Whether nothing of a request has come yet, and then whether it would be the first.
    fn quiet(&self) -> Option<Quiet> {
        match *self.state() {
            Waiting::Preface { missing, .. } => (missing == PREFACE.len()).then_some(Quiet { fresh: true }),
            Waiting::Head { quiet, .. } => quiet.then_some(Quiet { fresh: true }),
            Waiting::Idle { .. } => Some(Quiet { fresh: false }),
            Waiting::No => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until a connection on which nothing comes is closed, once the gateway ends.
type Lingering = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A plain or TLS stream with a timer on it.
pub(super) struct Connection {
    inner: Stream,
    timer: Arc<HeadTimer>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Ends when the gateway waits for no further request; made when one is waited for.
    linger: Option<(Quiet, Lingering)>,
    /// `linger` has ended.
    unwanted: bool,
    /// Bytes that were looked at and not read yet.
    looked_at: Vec<u8>,
}

impl Connection {
    /// Puts the timer on the stream.
    pub(super) fn new(inner: Stream, timer: Arc<HeadTimer>) -> Self {
        Connection { inner, timer, sleep: None, linger: None, unwanted: false, looked_at: Vec::new() }
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.timer.until() else {
            self.sleep = None;
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        if sleep.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match self.timer.quiet() {
            Some(quiet) => self.poll_unwanted(quiet, context),
            None => Poll::Pending,
        }
    }

    /// Ready when the gateway ends and has waited long enough for a request on this connection.
    fn poll_unwanted(&mut self, quiet: Quiet, context: &mut Context<'_>) -> Poll<()> {
        if !self.unwanted {
            let ending = &self.timer.ending;
            if self.linger.as_ref().is_none_or(|(it, _)| *it != quiet) {
                self.linger = Some((quiet, Box::pin(linger(ending.clone(), quiet.fresh))));
            }
            if let Some((_, linger)) = &mut self.linger {
                ready!(linger.as_mut().poll(context));
            }
            (self.unwanted, self.linger) = (true, None);
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.looked_at.is_empty() {
            let bytes = this.looked_at.len().min(buffer.remaining());
            buffer.put_slice(&this.looked_at[..bytes]);
            this.looked_at.drain(..bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(context, buffer) {
            Poll::Ready(read) => {
                this.timer.received(buffer.filled().len() - before);
                Poll::Ready(read)
            }
            Poll::Pending => {
                ready!(this.poll_late(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Peek for Connection {
    /// Looks at the first bytes until they are those of HTTP/2 or certainly are not; then the buffer is left as it is.
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let mut seen = Vec::with_capacity(PREFACE.len());
        while seen.len() < PREFACE.len() && PREFACE.starts_with(&seen) {
            let mut piece = [0; PREFACE.len()];
            let room = PREFACE.len() - seen.len();
            match self.read(&mut piece[..room]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                bytes => seen.extend_from_slice(&piece[..bytes]),
            }
        }
        if seen == PREFACE && buffer.len() == PREFACE.len() {
            buffer.copy_from_slice(&seen);
        }
        self.looked_at = seen;
        Ok(true)
    }
}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

impl UniqueID for Connection {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Connection {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Connection {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.inner.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn connection() -> (Connection, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1000);
        let (ending, _) = ending();
        let timer = Arc::new(HeadTimer::new(Duration::from_secs(1), Duration::from_secs(5), ending));
        (Connection::new(Box::new(ours), timer), theirs)
    }

    /// A gateway that serves; its sender is kept for the rest of the process, as the gateway's own is.
    fn ending() -> (watch::Receiver<Ending>, &'static watch::Sender<Ending>) {
        let (sender, ending) = watch::channel(Ending::No);
        (ending, Box::leak(Box::new(sender)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_just_after_the_end_began_is_read_and_an_idle_connection_is_closed() {
        let (ours, mut client) = tokio::io::duplex(1000);
        let (ending, sender) = ending();
        let timer = Arc::new(HeadTimer::new(Duration::from_secs(15), Duration::from_secs(75), ending));
        let mut connection = Connection::new(Box::new(ours), timer);
        connection.timer.head_complete();
        connection.timer.await_head();
        let reading = tokio::spawn(async move {
            let mut head = [0; 4];
            connection.read_exact(&mut head).await.unwrap();
            connection.timer.head_complete();
            connection.timer.await_head();
            let began = Instant::now();
            assert_eq!(connection.read(&mut head).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            began.elapsed()
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        sender.send_replace(Ending::Stopped);
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.write_all(b"GE").await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        client.write_all(b"T ").await.unwrap();
        assert!(reading.await.unwrap() < Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_dribbles_is_late() {
        let (mut connection, mut client) = connection();
        connection.timer.await_head();
        let dribble = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        let mut all = Vec::new();
        let started = Instant::now();
        let error = connection.read_to_end(&mut all).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() <= Duration::from_secs(1) && all.len() >= 3);
        dribble.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_waits_longer_and_a_served_one_for_ever() {
        let (mut connection, _client) = connection();
        connection.timer.head_complete();
        let mut byte = [0];
        let served = tokio::time::timeout(Duration::from_secs(100), connection.read(&mut byte)).await;
        assert!(served.is_err(), "no deadline while a request is served");
        connection.timer.await_head();
        let started = Instant::now();
        assert_eq!(connection.read(&mut byte).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn looking_ahead_loses_nothing_and_ends_in_time() {
        let (mut connection, mut client) = connection();
        client.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
        let mut looked = [0; 24];
        assert!(connection.try_peek(&mut looked).await.unwrap());
        assert_ne!(looked, PREFACE);
        let mut line = [0; 17];
        connection.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"POST / HTTP/1.1\r\n");

        let (mut silent, mut client) = super::tests::connection();
        client.write_all(b"PRI * ").await.unwrap();
        assert_eq!(silent.try_peek(&mut looked).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
