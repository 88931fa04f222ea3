//! One side of a socket: frames to messages and back over any stream, with a bound on everything.
//!
//! The protocol itself is the library's, without its sockets: bytes in, messages out. Reading and writing share one
//! poll, so that waiting for a message can be given up at any time without losing a byte.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use pingora_core::protocols::Stream;
use sockudo_ws::deflate::{DeflateConfig, DeflateEncoder};
use sockudo_ws::error::CloseReason;
use sockudo_ws::frame::encode_frame_with_rsv;
use sockudo_ws::protocol::{CompressedReaderProtocol, Message, Protocol};
use sockudo_ws::{Error, OpCode, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::code;
use crate::edge::held::Lease;

/// Bytes read at once. What is compressed in them can grow a thousandfold before anyone can say stop.
const PIECE_BYTES: usize = 8 << 10;
/// Messages of fewer bytes are sent as they are: to compress them costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 4 << 10;
/// Level of compression: the fastest.
const COMPRESS_LEVEL: u32 = 1;
/// Messages below this may be compressed to whatever they can.
const RATIO_BYTES_MIN: usize = 1 << 20;
/// Bytes that wait to be written beyond which pings are not answered.
const PONGS_BYTES_MAX: usize = 64 << 10;
/// Room that a buffer keeps while it is empty.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// How long a closing side waits for the other to read what it was sent.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a side may cost.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// One message, before and after it was inflated.
    pub(super) message_bytes_max: u64,
    /// Inflated over received bytes, for large messages.
    pub(super) ratio_max: u64,
    /// All exchanges and sockets together.
    pub(super) held_bytes_max: u64,
    /// From a message's first byte to its last.
    pub(super) message_timeout: Duration,
    /// Until what was queued is written.
    pub(super) write_timeout: Duration,
}

/// What came from the other side.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole text message.
    Text(Bytes),
    /// It closes, with this code if it gave one. The answer to that is queued.
    Closed(Option<u16>),
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The connection is gone.
    Gone,
    /// What came cannot be accepted; the code to close with, and the reason.
    Refused(u16, &'static str),
}

/// One side of a socket.
pub(super) struct Link {
    stream: Stream,
    role: Role,
    reader: Reader,
    /// Frames what is sent.
    writer: Protocol,
    deflate: Option<DeflateConfig>,
    /// Bytes of frames that are not complete.
    incoming: BytesMut,
    ready: VecDeque<Message>,
    /// Told once what came before it was taken.
    broken: Option<Broken>,
    outgoing: BytesMut,
    is_flushed: bool,
    /// Bytes received since the last whole message.
    partial_bytes: u64,
    partial_since: Option<Instant>,
    bounds: Bounds,
    lease: Lease,
}

enum Reader {
    Plain(Box<Protocol>),
    Inflating(Box<CompressedReaderProtocol>),
}

impl Link {
    /// A side that was just agreed upon. `early` is what came behind the head of the upgrade.
    pub(super) fn new(
        stream: Stream,
        role: Role,
        deflate: Option<DeflateConfig>,
        early: &[u8],
        bounds: Bounds,
        lease: Lease,
    ) -> Self {
        let bytes_max = usize::try_from(bounds.message_bytes_max).unwrap_or(usize::MAX);
        let reader = match (&deflate, role) {
            (None, _) => Reader::Plain(Box::new(Protocol::new(role, bytes_max, bytes_max))),
            (Some(agreed), Role::Server) => {
                Reader::Inflating(Box::new(CompressedReaderProtocol::server(bytes_max, bytes_max, agreed)))
            }
            (Some(agreed), Role::Client) => {
                Reader::Inflating(Box::new(CompressedReaderProtocol::client(bytes_max, bytes_max, agreed)))
            }
        };
        let mut link = Link {
            stream,
            role,
            reader,
            writer: Protocol::new(role, bytes_max, bytes_max),
            deflate,
            incoming: BytesMut::new(),
            ready: VecDeque::new(),
            broken: None,
            outgoing: BytesMut::new(),
            is_flushed: true,
            partial_bytes: 0,
            partial_since: None,
            bounds,
            lease,
        };
        if !early.is_empty() {
            link.take_in(early);
        }
        link
    }

    /// The next message, writing what is queued meanwhile. May be given up and called again.
    pub(super) async fn next(&mut self) -> Result<Received, Broken> {
        loop {
            while let Some(message) = self.ready.pop_front() {
                if let Some(received) = self.sort(message)? {
                    return Ok(received);
                }
            }
            if let Some(broken) = self.broken {
                return Err(broken);
            }
            if poll_fn(|context| self.poll_exchange(context)).await.map_or(0, |bytes| bytes) == 0 {
                return Err(Broken::Gone);
            }
        }
    }

    /// When the message whose beginning is there must be complete.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.partial_since.map(|since| since + self.bounds.message_timeout)
    }

    /// Queues a text message.
    pub(super) fn queue(&mut self, text: &[u8]) {
        let compressed = match &self.deflate {
            Some(agreed) if text.len() >= COMPRESS_BYTES_MIN => compress(agreed, self.role, text),
            _ => None,
        };
        match compressed {
            Some(compressed) => {
                let mask = (self.role == Role::Client).then(sockudo_ws::mask::generate_mask);
                encode_frame_with_rsv(&mut self.outgoing, OpCode::Text, &compressed, true, mask, true);
            }
            None => self.encode(&Message::Text(Bytes::copy_from_slice(text))),
        }
    }

    /// Queues a ping, unless something else is on its way.
    pub(super) fn ping(&mut self) {
        if self.outgoing.is_empty() {
            self.encode(&Message::Ping(Bytes::new()));
        }
    }

    /// Writes what is queued, within the time it may take.
    pub(super) async fn flush(&mut self) -> Result<(), Broken> {
        let write_timeout = self.bounds.write_timeout;
        match tokio::time::timeout(write_timeout, poll_fn(|context| self.poll_drain(context))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Broken::Gone),
        }
    }

    /// Nothing was read for a while that was not the other side's fault.
    pub(super) fn restart_clock(&mut self) {
        self.partial_since = self.partial_since.map(|_| Instant::now());
    }

    /// Says goodbye with this code, unless that was done, and ends the connection. What the other side still sends is taken in for a moment,
    /// so that it gets to reading the goodbye.
    pub(super) async fn close(mut self, code: u16) {
        if !self.writer.is_closing() {
            self.encode(&Message::Close(Some(CloseReason::new(code, ""))));
        }
        let ending = async {
            poll_fn(|context| self.poll_drain(context)).await?;
            self.stream.shutdown().await?;
            let mut piece = [0; 512];
            while self.stream.read(&mut piece).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether it listened or not, this side is done.
        drop(tokio::time::timeout(CLOSE_TIMEOUT, ending).await);
    }

    fn encode(&mut self, message: &Message) {
        self.is_flushed = false;
        // The library has no error for an encoding into memory.
        drop(self.writer.encode_message(message, &mut self.outgoing));
    }

    /// What a message is to the caller; control frames are dealt with here.
    fn sort(&mut self, message: Message) -> Result<Option<Received>, Broken> {
        match message {
            Message::Text(text) => {
                self.book();
                Ok(Some(Received::Text(text)))
            }
            Message::Binary(_) => Err(Broken::Refused(code::UNSUPPORTED, "binary messages cannot be scanned")),
            Message::Ping(data) => {
                if self.outgoing.len() < PONGS_BYTES_MAX {
                    self.encode(&Message::Pong(data));
                }
                Ok(None)
            }
            Message::Pong(_) => Ok(None),
            Message::Close(reason) => {
                let code = reason.map(|it| it.code);
                self.encode(&Message::Close(code.map(|it| CloseReason::new(it, ""))));
                Ok(Some(Received::Closed(code)))
            }
        }
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &self.outgoing))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.outgoing.advance(bytes),
            }
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_flushed = true;
            self.outgoing = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what can be written and reads one piece; how many bytes, zero at the end.
    fn poll_exchange(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Err(error)) = self.poll_drain(context) {
            return Poll::Ready(Err(error));
        }
        let mut piece = [0; PIECE_BYTES];
        let mut buffer = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let bytes = buffer.filled().len();
        self.take_in(&piece[..bytes]);
        Poll::Ready(Ok(bytes))
    }

    fn take_in(&mut self, piece: &[u8]) {
        self.incoming.extend_from_slice(piece);
        self.partial_bytes += piece.len() as u64;
        self.partial_since.get_or_insert_with(Instant::now);
        let mut messages = Vec::new();
        let read = match &mut self.reader {
            Reader::Plain(reader) => reader.process_into(&mut self.incoming, &mut messages),
            Reader::Inflating(reader) => reader.process_into(&mut self.incoming, &mut messages),
        };
        let grown = messages.iter().any(|it| self.is_bomb(it));
        let is_whole = messages.iter().any(|it| !it.is_control()) || !messages.is_empty() && self.incoming.is_empty();
        if is_whole {
            self.partial_bytes = self.incoming.len() as u64;
            self.partial_since = (!self.incoming.is_empty()).then(Instant::now);
        }
        self.ready.extend(messages);
        if self.incoming.is_empty() && self.incoming.capacity() > KEPT_BYTES_MAX {
            self.incoming = BytesMut::new();
        }
        self.broken = match read {
            Err(error) => Some(refusal(&error)),
            Ok(()) if grown => Some(Broken::Refused(code::TOO_BIG, "a message grows too much when it is inflated")),
            Ok(()) if !self.book() => Some(Broken::Refused(code::TRY_LATER, "the gateway holds as much as it may")),
            Ok(()) => None,
        };
        if grown {
            self.ready.clear();
        }
    }

    /// Whether an inflated message is far larger than what came for it.
    fn is_bomb(&self, message: &Message) -> bool {
        let bytes = message.as_bytes().len();
        let received = self.partial_bytes.max(PIECE_BYTES as u64);
        bytes > RATIO_BYTES_MIN && bytes as u64 > received.saturating_mul(self.bounds.ratio_max)
    }

    /// Books what is held here, whether there is room for it.
    fn book(&mut self) -> bool {
        let ready: usize = self.ready.iter().map(|it| it.as_bytes().len()).sum();
        self.lease.hold(self.partial_bytes + ready as u64, self.bounds.held_bytes_max)
    }
}

/// The message deflated, if that makes it smaller. By a compressor of its own: one that is kept would cost a quarter of
/// a megabyte for every socket, and a message that refers to none before it can always be inflated.
fn compress(agreed: &DeflateConfig, role: Role, text: &[u8]) -> Option<Bytes> {
    let window = if role == Role::Client { agreed.client_max_window_bits } else { agreed.server_max_window_bits };
    DeflateEncoder::new(window, true, COMPRESS_LEVEL, 0).compress(text).ok().flatten()
}

fn refusal(error: &Error) -> Broken {
    match error {
        Error::MessageTooLarge | Error::FrameTooLarge => Broken::Refused(code::TOO_BIG, "a message is too large"),
        Error::InvalidUtf8 => Broken::Refused(code::INVALID, "a message is not UTF-8"),
        Error::Compression(_) => Broken::Refused(code::INVALID, "a message cannot be inflated"),
        _ => Broken::Refused(code::PROTOCOL, "the frames break the protocol"),
    }
}
