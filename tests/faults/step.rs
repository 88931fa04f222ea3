//! What one end of a connection does, step by step. Both ends speak it: the provider's and the client's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Longest wait for the other end. Longer than every time limit of the gateway under test.
const PATIENCE: Duration = Duration::from_secs(8);

/// Most bytes of one read.
const PIECE_BYTES: usize = 64 << 10;

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads until these bytes have come since the step before.
    Until(&'static [u8]),
    /// The same; what came behind these bytes with them is left to the next step.
    Through(&'static [u8]),
    /// Reads one request or answer as its head frames it.
    Message,
    /// Writes, as far as the other end takes it.
    Write(Vec<u8>),
    /// The same, one byte at a time.
    Dribble(Vec<u8>),
    /// Writes the same again and again.
    Flood(Vec<u8>, usize),
    /// Does nothing for a while.
    Pause(Duration),
    /// Says that nothing more will come, and goes on reading.
    HalfClose,
    /// Breaks the connection, so that the other end sees a reset.
    Reset,
    /// Reads until the other end is done.
    Drain,
}

/// Plays the steps; everything that was read. Ends early where the other end ended.
pub fn play(mut stream: TcpStream, steps: &[Step], read: &mut Vec<u8>) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut left = None;
    for step in steps {
        let begin = left.take().unwrap_or(read.len());
        let goes_on = match step {
            Step::Until(bytes) | Step::Through(bytes) => {
                // Only what came with the last piece is new: bodies are large.
                let recent = |read: &[u8]| begin.max(read.len().saturating_sub(PIECE_BYTES + bytes.len()));
                let has_come = |read: &[u8]| read[recent(read)..].windows(bytes.len()).any(|it| it == *bytes);
                let has_come = read_until(&mut stream, read, has_come);
                if matches!(step, Step::Through(_)) {
                    let found = read[begin..].windows(bytes.len()).position(|it| it == *bytes);
                    left = found.map(|at| begin + at + bytes.len());
                }
                has_come
            }
            Step::Message => read_until(&mut stream, read, |read| is_whole(&read[begin..])),
            Step::Write(bytes) => stream.write_all(bytes).is_ok(),
            Step::Dribble(bytes) => bytes.iter().all(|byte| stream.write_all(&[*byte]).is_ok()),
            Step::Flood(bytes, times) => (0..*times).all(|_| stream.write_all(bytes).is_ok()),
            Step::Pause(time) => {
                std::thread::sleep(*time);
                true
            }
            Step::HalfClose => stream.shutdown(Shutdown::Write).is_ok(),
            Step::Reset => return reset(stream),
            Step::Drain => read_until(&mut stream, read, |_| false),
        };
        if !goes_on {
            // What came before the end belongs to what was seen.
            read_until(&mut stream, read, |_| false);
            return;
        }
    }
}

/// Whether it came to that before the other end was done or patience was.
fn read_until(stream: &mut TcpStream, read: &mut Vec<u8>, is_enough: impl Fn(&[u8]) -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    let mut piece = vec![0; PIECE_BYTES];
    while Instant::now() < until {
        if is_enough(read) {
            return true;
        }
        match stream.read(&mut piece) {
            Ok(0) => return false,
            Ok(bytes) => read.extend_from_slice(&piece[..bytes]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
    }
    false
}

fn reset(stream: TcpStream) {
    let socket = tokio::net::TcpSocket::from_std_stream(stream);
    socket.set_zero_linger().unwrap();
}

/// Whether these bytes are one message by its own head: with its length, with its chunks, or without a body.
pub fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let body = &bytes[end + 4..];
    match head.lines().find_map(|it| it.strip_prefix("content-length:")).and_then(|it| it.trim().parse::<usize>().ok())
    {
        Some(length) => body.len() >= length,
        None if head.contains("transfer-encoding: chunked") => body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n",
        None => true,
    }
}
