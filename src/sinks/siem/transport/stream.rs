//! Syslog over TCP and TLS. The protocol knows no answer: what was written lately is kept, and sent again when the
//! connection turns out to be dead.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::{Message, frame};
use super::{CONNECT_TIMEOUT, SEND_TIMEOUT, Transport};
use crate::config::{Facility, Siem, SiemFraming};
use crate::sinks::Failure;

/// Most bytes of one message.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Room for the header beside the text.
const HEADER_BYTES_MAX: usize = 1024;
/// What the system may hold that the other side has not acknowledged: far less than is kept here.
const SEND_BUFFER_BYTES: u32 = 64 << 10;
/// Most bytes that are kept for sending again.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// A connection that takes nothing is dead by then: Linux gives up after a quarter of an hour.
const KEPT_TIME_MS: u64 = 16 * 60 * 1000;
/// How long the other side is listened to before a write. Only a closed connection has anything to say.
const LISTEN: Duration = Duration::from_millis(1);
/// Most reads of what the other side says out of turn.
const READS_MAX: usize = 16;

trait Connection: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Connection for T {}

pub(super) struct Stream {
    host: String,
    port: u16,
    facility: Facility,
    framing: SiemFraming,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    connection: Option<Box<dyn Connection>>,
    kept: Kept,
}

impl Stream {
    pub(super) fn new(host: &str, port: u16, siem: &Siem, tls: Option<ClientConfig>) -> Result<Self, String> {
        let name = || ServerName::try_from(host.to_owned()).map_err(|error| error.to_string());
        let tls = match tls {
            Some(config) => Some((TlsConnector::from(Arc::new(config)), name()?)),
            None => None,
        };
        let (facility, framing) = (siem.facility, siem.framing);
        Ok(Stream { host: host.to_owned(), port, facility, framing, tls, connection: None, kept: Kept::default() })
    }

    /// An open connection, on which everything stands again that may have been lost with the last one.
    async fn connected(&mut self, now_ms: u64) -> Result<&mut Box<dyn Connection>, Failure> {
        if let Some(connection) = &mut self.connection
            && !is_open(connection).await
        {
            self.connection = None;
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let opened = timeout(CONNECT_TIMEOUT, self.open()).await;
                let opened = opened.unwrap_or_else(|_| Err(std::io::Error::other("no connection in time")));
                let mut connection = opened.map_err(|error| Failure::later(format!("cannot be reached: {error}")))?;
                self.kept.forget(now_ms);
                write(&mut connection, self.kept.all()).await?;
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    async fn open(&self) -> std::io::Result<Box<dyn Connection>> {
        let mut last = std::io::Error::other("the name has no address");
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
            socket.set_keepalive(true)?;
            match socket.connect(address).await {
                Ok(stream) => return self.secured(stream).await,
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn secured(&self, stream: TcpStream) -> std::io::Result<Box<dyn Connection>> {
        Ok(match &self.tls {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        })
    }
}

/// Whether the other side has not closed. What it says is read and dropped: syslog has no answers.
async fn is_open(connection: &mut Box<dyn Connection>) -> bool {
    let mut dropped = [0; 512];
    for _ in 0..READS_MAX {
        match timeout(LISTEN, connection.read(&mut dropped)).await {
            Err(_) => return true,
            Ok(Ok(0) | Err(_)) => return false,
            Ok(Ok(_)) => {}
        }
    }
    true
}

/// Writes all of it within the one time.
async fn write<'b>(
    connection: &mut Box<dyn Connection>,
    batches: impl Iterator<Item = &'b [u8]>,
) -> Result<(), Failure> {
    let written = timeout(SEND_TIMEOUT, async {
        for bytes in batches {
            connection.write_all(bytes).await?;
        }
        connection.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::later(format!("the connection broke: {error}"))),
        Err(_) => Err(Failure::later("the receiver reads too slowly")),
    }
}

#[async_trait]
impl Transport for Stream {
    async fn send(&mut self, messages: &[Message], now_ms: u64) -> Result<(), Failure> {
        let frames: String = messages
            .iter()
            .map(|it| frame::framed(self.framing, &frame::message(self.facility, it, MESSAGE_BYTES_MAX)))
            .collect();
        let written = match self.connected(now_ms).await {
            Ok(connection) => write(connection, std::iter::once(frames.as_bytes())).await,
            Err(failure) => return Err(failure),
        };
        match written {
            Ok(()) => self.kept.keep(frames.into_bytes(), now_ms),
            // Half a message may stand on it.
            Err(_) => self.connection = None,
        }
        written
    }

    async fn idle(&mut self, now_ms: u64) -> Result<(), Failure> {
        self.kept.forget(now_ms);
        if !self.kept.batches.is_empty() {
            self.connected(now_ms).await?;
        }
        Ok(())
    }

    fn text_bytes_max(&self) -> usize {
        MESSAGE_BYTES_MAX - HEADER_BYTES_MAX
    }
}

/// Batches that were written, newest last.
#[derive(Default)]
struct Kept {
    batches: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, batch: Vec<u8>, now_ms: u64) {
        self.bytes += batch.len();
        self.batches.push_back((now_ms, batch));
        // The last batch stays, whatever its size.
        while self.bytes > KEPT_BYTES_MAX && self.batches.len() > 1 {
            self.drop_oldest();
        }
    }

    fn forget(&mut self, now_ms: u64) {
        while self.batches.front().is_some_and(|(kept_ms, _)| kept_ms.saturating_add(KEPT_TIME_MS) < now_ms) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, batch)) = self.batches.pop_front() {
            self.bytes -= batch.len();
        }
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.batches.iter().map(|(_, batch)| batch.as_slice())
    }
}
