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
            let until = self.partial_since.map(|since| since + self.bounds.message_timeout);
            let exchanged = poll_fn(|context| self.poll_exchange(context));
            let exchanged = match until {
                Some(until) => tokio::time::timeout_at(until, exchanged).await,
                None => Ok(exchanged.await),
            };
            match exchanged {
                Err(_) => return Err(Broken::Refused(code::POLICY, "the message did not arrive in time")),
                Ok(Err(_)) | Ok(Ok(0)) => return Err(Broken::Gone),
                Ok(Ok(_)) => {}
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sockudo_ws::deflate::DeflateWindowBits;

    use super::*;
    use crate::sinks::Metrics;

    fn bounds() -> Bounds {
        Bounds {
            message_bytes_max: 1 << 20,
            ratio_max: 200,
            held_bytes_max: 1 << 30,
            message_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(1),
        }
    }

    fn server(bounds: Bounds) -> (Link, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let lease = Lease::new(Arc::new(Metrics::new().unwrap()));
        (Link::new(Box::new(ours), Role::Server, Some(DeflateConfig::default()), b"", bounds, lease), theirs)
    }

    fn frame(to: &mut BytesMut, code: OpCode, payload: &[u8], last: bool, compressed: bool) {
        encode_frame_with_rsv(to, code, payload, last, Some([9, 8, 7, 6]), compressed);
    }

    fn deflated(text: &str) -> Bytes {
        DeflateEncoder::new(DeflateWindowBits::Bits15, true, 6, 0).compress(text.as_bytes()).unwrap().unwrap()
    }

    /// Plain, compressed, in fragments with a ping between them, compressed in fragments, empty, and a goodbye.
    fn stream() -> (BytesMut, Vec<String>) {
        let long = "wide \u{96ea} ".repeat(40);
        let (mut bytes, compressed) = (BytesMut::new(), deflated(&long));
        frame(&mut bytes, OpCode::Text, b"{}", true, false);
        frame(&mut bytes, OpCode::Text, &compressed, true, true);
        frame(&mut bytes, OpCode::Text, "a\u{96ea}".as_bytes().split_at(2).0, false, false);
        frame(&mut bytes, OpCode::Ping, b"?", true, false);
        frame(&mut bytes, OpCode::Continuation, "a\u{96ea}".as_bytes().split_at(2).1, true, false);
        frame(&mut bytes, OpCode::Text, &compressed[..7], false, true);
        frame(&mut bytes, OpCode::Continuation, b"", false, false);
        frame(&mut bytes, OpCode::Continuation, &compressed[7..], true, false);
        frame(&mut bytes, OpCode::Text, b"", true, false);
        frame(&mut bytes, OpCode::Close, &1001u16.to_be_bytes(), true, false);
        (bytes, vec!["{}".into(), long.clone(), "a\u{96ea}".into(), long, String::new()])
    }

    async fn all(link: &mut Link) -> (Vec<String>, Option<u16>) {
        let mut texts = Vec::new();
        loop {
            match link.next().await.unwrap() {
                Received::Text(text) => texts.push(String::from_utf8(text.to_vec()).unwrap()),
                Received::Closed(code) => return (texts, code),
            }
        }
    }

    #[tokio::test]
    async fn no_cutting_changes_a_message() {
        let (bytes, texts) = stream();
        for cut in 0..=bytes.len() {
            let (mut link, _client) = server(bounds());
            link.take_in(&bytes[..cut]);
            link.take_in(&bytes[cut..]);
            assert_eq!(all(&mut link).await, (texts.clone(), Some(1001)), "cut at {cut}");
        }
        for size in [1, 2, 3, 7, 64] {
            let (mut link, _client) = server(bounds());
            bytes.chunks(size).for_each(|piece| link.take_in(piece));
            assert_eq!(all(&mut link).await, (texts.clone(), Some(1001)), "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn waiting_may_be_given_up_at_any_byte() {
        let (bytes, texts) = stream();
        let (mut link, mut client) = server(bounds());
        let mut seen = Vec::new();
        for byte in &bytes {
            client.write_all(&[*byte]).await.unwrap();
            while let Some(received) = futures::FutureExt::now_or_never(link.next()) {
                seen.push(received.unwrap());
            }
        }
        let expected = texts.iter().map(|it| Received::Text(Bytes::copy_from_slice(it.as_bytes())));
        assert_eq!(seen, expected.chain([Received::Closed(Some(1001))]).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_came_before_a_broken_frame_is_still_taken() {
        let mut bytes = BytesMut::new();
        frame(&mut bytes, OpCode::Text, b"good", true, false);
        bytes.extend_from_slice(&[0xff; 20]);
        let (mut link, _client) = server(bounds());
        link.take_in(&bytes);
        assert_eq!(link.next().await, Ok(Received::Text("good".into())));
        assert!(matches!(link.next().await, Err(Broken::Refused(code::PROTOCOL, _))));
        assert!(matches!(link.next().await, Err(Broken::Refused(code::PROTOCOL, _))), "for good");
    }

    #[tokio::test]
    async fn everything_has_a_bound() {
        let refused = async |bounds: Bounds, fill: &dyn Fn(&mut BytesMut)| {
            let mut bytes = BytesMut::new();
            fill(&mut bytes);
            let (mut link, _client) = server(bounds);
            bytes.chunks(PIECE_BYTES).for_each(|piece| link.take_in(piece));
            match link.next().await {
                Err(Broken::Refused(code, _)) => code,
                other => panic!("{other:?}"),
            }
        };
        let zeros = "0".repeat(3 << 20);
        let small = |it: &mut BytesMut| frame(it, OpCode::Text, &deflated(&zeros), true, true);
        assert_eq!(refused(bounds(), &small).await, code::TOO_BIG, "inflated over the limit of a message");
        let roomy = Bounds { message_bytes_max: 8 << 20, ..bounds() };
        assert_eq!(refused(roomy, &small).await, code::TOO_BIG, "inflated over the ratio");
        let held = Bounds { held_bytes_max: 10_000, ..bounds() };
        let partial = |it: &mut BytesMut| {
            frame(it, OpCode::Text, &[b'x'; 50_000], true, false);
            it.truncate(40_000);
        };
        assert_eq!(refused(held, &partial).await, code::TRY_LATER);
        let announced = |it: &mut BytesMut| it.extend_from_slice(&[0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(refused(bounds(), &announced).await, code::TOO_BIG, "by its head alone");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_sides_are_given_up() {
        let (mut link, mut client) = server(bounds());
        client.write_all(&[0x81]).await.unwrap();
        let begun = Instant::now();
        assert!(matches!(link.next().await, Err(Broken::Refused(code::POLICY, _))));
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        let (mut link, _client) = server(Bounds { message_bytes_max: 8 << 20, ..bounds() });
        link.deflate = None;
        link.queue("x".repeat(1 << 20).as_bytes());
        let begun = Instant::now();
        assert_eq!(link.flush().await, Err(Broken::Gone));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn pings_are_answered_and_not_hoarded() {
        let (mut link, mut client) = server(bounds());
        let mut bytes = BytesMut::new();
        (0..2000).for_each(|_| frame(&mut bytes, OpCode::Ping, &[b'p'; 125], true, false));
        bytes.chunks(PIECE_BYTES).for_each(|piece| link.take_in(piece));
        assert!(futures::FutureExt::now_or_never(link.next()).is_none());
        assert!(link.outgoing.len() < 2 * PONGS_BYTES_MAX);
        let mut pong = [0; 127];
        client.read_exact(&mut pong).await.unwrap();
        assert_eq!(pong[..3], [0x8a, 125, b'p']);
    }

    #[tokio::test]
    async fn large_texts_leave_compressed_and_come_back() {
        let text = "the same words again ".repeat(1000);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let lease = || Lease::new(Arc::new(Metrics::new().unwrap()));
        let agreed =
            Some(DeflateConfig { client_max_window_bits: DeflateWindowBits::Bits10, ..DeflateConfig::default() });
        let mut client = Link::new(Box::new(ours), Role::Client, agreed.clone(), b"", bounds(), lease());
        let mut server = Link::new(Box::new(theirs), Role::Server, agreed, b"", bounds(), lease());
        for text in [text.as_str(), "short", text.as_str()] {
            client.queue(text.as_bytes());
            assert!(client.outgoing.len() < 4000);
            client.flush().await.unwrap();
            assert_eq!(server.next().await, Ok(Received::Text(Bytes::copy_from_slice(text.as_bytes()))));
        }
        tokio::join!(client.close(code::NORMAL), async {
            assert_eq!(server.next().await, Ok(Received::Closed(Some(code::NORMAL))));
            server.close(code::NORMAL).await;
        });
    }
}
