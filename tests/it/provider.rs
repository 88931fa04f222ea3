//! A provider on loopback that plays scripted answers and remembers every byte it was sent.
//! Hand-written HTTP/1.1, because tests need its connections: how many, when they die, and that none was opened.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An answer to be played.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
    chunked: bool,
    before: Duration,
    between: Duration,
    then_close: bool,
    break_off: bool,
}

/// A JSON answer with a length.
pub fn json(body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type".into(), "application/json".into())],
        pieces: vec![body.into()],
        chunked: false,
        before: Duration::ZERO,
        between: Duration::ZERO,
        then_close: false,
        break_off: false,
    }
}

/// Lines of JSON with a length, as a batch's results come.
pub fn jsonl(body: impl Into<Vec<u8>>) -> Answer {
    Answer { headers: vec![("content-type".into(), "application/x-jsonl".into())], ..json(body) }
}

/// No answer: the connection is closed after this time.
pub fn silence(before: Duration) -> Answer {
    Answer { status: 0, before, then_close: true, ..json("") }
}

/// A streamed answer, one piece per event.
pub fn sse<T: Into<Vec<u8>>>(events: impl IntoIterator<Item = T>) -> Answer {
    let pieces = events.into_iter().map(Into::into).collect();
    let headers = vec![("content-type".into(), "text/event-stream".into())];
    Answer { headers, pieces, chunked: true, ..json("") }
}

/// The events of an Anthropic answer whose text comes in these pieces.
pub fn anthropic_events(pieces: &[&str]) -> Vec<String> {
    let event = |kind: &str, data: serde_json::Value| format!("event: {kind}\ndata: {data}\n\n");
    let mut events = vec![
        event(
            "message_start",
            serde_json::json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
                "role": "assistant", "model": "claude-sonnet-4-6", "content": [], "stop_reason": null,
                "usage": {"input_tokens": 5, "output_tokens": 1}}}),
        ),
        event(
            "content_block_start",
            serde_json::json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
    ];
    events.extend(pieces.iter().map(|text| {
        let delta = serde_json::json!({"type": "text_delta", "text": text});
        event("content_block_delta", serde_json::json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }));
    events.push(event("content_block_stop", serde_json::json!({"type": "content_block_stop", "index": 0})));
    events.push(event(
        "message_delta",
        serde_json::json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
    ));
    events.push(event("message_stop", serde_json::json!({"type": "message_stop"})));
    events
}

impl Answer {
    /// With this status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With this header, too.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Begins only after this time.
    pub fn after(mut self, time: Duration) -> Self {
        self.before = time;
        self
    }

    /// With this time before each piece.
    pub fn paced(mut self, time: Duration) -> Self {
        self.between = time;
        self
    }

    /// Closes the connection right after, without having said so.
    pub fn then_close(mut self) -> Self {
        self.then_close = true;
        self
    }

    /// Stops before the last piece and closes.
    pub fn breaking_off(mut self) -> Self {
        self.break_off = true;
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Number of the connection it came on, from 1.
    pub connection: usize,
}

impl Received {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }
}

/// A running provider. Its threads end with the process.
pub struct Provider {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answers: Mutex<Vec<Answer>>,
    requests: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    cancelled: AtomicUsize,
}

/// A provider that plays these answers in turn, and the last one for ever.
pub fn start(answers: impl IntoIterator<Item = Answer>) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut answers: Vec<Answer> = answers.into_iter().collect();
    answers.reverse();
    let state = Arc::new(State { answers: Mutex::new(answers), ..State::default() });
    let serving = state.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = serving.connections.fetch_add(1, Ordering::SeqCst) + 1;
            let state = serving.clone();
            std::thread::spawn(move || state.serve(stream, connection));
        }
    });
    Provider { address, state }
}

impl Provider {
    /// Everything that arrived so far.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The only request that arrived.
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "one request was expected: {requests:?}");
        requests[0].clone()
    }

    /// Connections opened so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many answers were cut off by the other side.
    pub fn wait_cancelled(&self, count: usize) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.state.cancelled.load(Ordering::SeqCst) < count {
            assert!(Instant::now() < until, "no answer was cut off");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl State {
    fn serve(&self, stream: TcpStream, connection: usize) {
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(received) = read_request(&mut reader, connection) {
            self.requests.lock().unwrap().push(received);
            let answer = {
                let mut answers = self.answers.lock().unwrap();
                if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }
            };
            let Some(answer) = answer else { return };
            if play(&stream, &answer).is_err() {
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if answer.then_close || answer.break_off {
                return;
            }
        }
    }
}

fn play(mut stream: &TcpStream, answer: &Answer) -> std::io::Result<()> {
    pause(stream, answer.before)?;
    if answer.status == 0 {
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match answer.chunked {
        true => head.push_str("transfer-encoding: chunked\r\n\r\n"),
        false => {
            let length: usize = answer.pieces.iter().map(Vec::len).sum();
            head.push_str(&format!("content-length: {length}\r\n\r\n"));
        }
    }
    stream.write_all(head.as_bytes())?;
    for (index, piece) in answer.pieces.iter().enumerate() {
        if answer.break_off && index + 1 == answer.pieces.len() {
            return Ok(());
        }
        pause(stream, answer.between)?;
        match answer.chunked {
            true => stream.write_all(&[format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat())?,
            false => stream.write_all(piece)?,
        }
    }
    if answer.chunked {
        stream.write_all(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// Waits; an error as soon as the other side closes.
fn pause(stream: &TcpStream, time: Duration) -> std::io::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    stream.set_read_timeout(Some(time))?;
    let looked = stream.peek(&mut [0]);
    stream.set_read_timeout(None)?;
    match looked {
        Ok(0) => Err(std::io::ErrorKind::ConnectionReset.into()),
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let (first, headers) = read_head(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let body = read_body(reader, &headers)?;
    Some(Received { method, target, headers, body, connection })
}

/// The first line and the headers, names in lower case.
pub fn read_head(reader: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let line = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line(reader)?;
    let mut headers = Vec::new();
    loop {
        let field = line(reader)?;
        match field.split_once(':') {
            Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
            None => return Some((first, headers)),
        }
    }
}

/// The body that these headers frame; without any framing, none.
pub fn read_body(reader: &mut impl BufRead, headers: &[(String, String)]) -> Option<Vec<u8>> {
    let header = |name: &str| headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
    if header("transfer-encoding") == Some("chunked") {
        return read_chunks(reader);
    }
    let length = header("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = read_chunk(reader)? {
        body.extend(chunk);
    }
    Some(body)
}

/// One chunk; `Some(None)` for the last, `None` if the connection broke.
pub fn read_chunk(reader: &mut impl BufRead) -> Option<Option<Vec<u8>>> {
    let mut size = String::new();
    reader.read_line(&mut size).ok().filter(|bytes| *bytes > 0)?;
    let size = usize::from_str_radix(size.trim(), 16).ok()?;
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some((size > 0).then_some(chunk))
}
