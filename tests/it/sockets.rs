//! Both ends of WebSockets around the gateway: a provider that plays scripts, and a client that says what is on the
//! wire. The framing is the library's; the handshakes are written by hand.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use sockudo_ws::deflate::{DeflateConfig, DeflateEncoder, DeflateWindowBits};
use sockudo_ws::error::CloseReason;
use sockudo_ws::frame::encode_frame_with_rsv;
use sockudo_ws::handshake::generate_accept_key;
use sockudo_ws::protocol::{CompressedProtocol, Message};
use sockudo_ws::{OpCode, Role};

use super::provider::{read_body, read_head};

const BYTES_MAX: usize = 64 << 20;
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What a scripted provider does in answer to a message.
#[derive(Clone)]
pub enum Say {
    Text(String),
    Binary(Vec<u8>),
    Wait(Duration),
    Close(u16),
    /// Ends the connection without a word.
    Cut,
}

/// How a scripted provider meets an upgrade.
#[derive(Clone)]
pub enum Welcome {
    Open { deflate: bool },
    Refuse { status: u16, body: &'static str },
}

/// What a client sees next.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Close(Option<u16>),
    Gone,
}

/// One end of an open WebSocket; every read fails after ten seconds.
pub struct Peer {
    stream: TcpStream,
    protocol: CompressedProtocol,
    role: Role,
    deflate: bool,
    buffer: BytesMut,
    ready: Vec<Message>,
}

impl Peer {
    fn new(stream: TcpStream, role: Role, deflate: bool, early: &[u8]) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let config = DeflateConfig { compression_threshold: usize::MAX, ..DeflateConfig::default() };
        let protocol = match role {
            Role::Client => CompressedProtocol::client(BYTES_MAX, BYTES_MAX, config),
            Role::Server => CompressedProtocol::server(BYTES_MAX, BYTES_MAX, config),
        };
        Peer { stream, protocol, role, deflate, buffer: BytesMut::from(early), ready: Vec::new() }
    }

    /// Sends a text message, compressed where that was agreed.
    pub fn send(&mut self, text: &str) {
        match self.deflate {
            true => self.send_frame(OpCode::Text, &deflated(text.as_bytes()), true, true),
            false => self.send_frame(OpCode::Text, text.as_bytes(), true, false),
        }
    }

    /// Sends one frame as told.
    pub fn send_frame(&mut self, code: OpCode, payload: &[u8], last: bool, compressed: bool) {
        let mut frame = BytesMut::new();
        let mask = (self.role == Role::Client).then_some([1, 2, 3, 4]);
        encode_frame_with_rsv(&mut frame, code, payload, last, mask, compressed);
        self.write(&frame);
    }

    /// Writes these bytes; whether the other side is still there does not matter.
    pub fn write(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    pub fn close(&mut self, code: u16) {
        let mut frame = BytesMut::new();
        let close = Message::Close(Some(CloseReason::new(code, "")));
        self.protocol.encode_message(&close, &mut frame).unwrap();
        self.write(&frame);
    }

    /// Ends the connection without a word.
    pub fn cut(&self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }

    /// The next text, or the end. Control frames pass unseen.
    pub fn receive(&mut self) -> Seen {
        loop {
            while !self.ready.is_empty() {
                match self.ready.remove(0) {
                    Message::Text(text) => return Seen::Text(String::from_utf8(text.to_vec()).unwrap()),
                    Message::Close(reason) => return Seen::Close(reason.map(|it| it.code)),
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
                }
            }
            let mut messages = Vec::new();
            self.protocol.process_into(&mut self.buffer, &mut messages).unwrap();
            self.ready.extend(messages);
            if !self.ready.is_empty() {
                continue;
            }
            let mut piece = [0; 16 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return Seen::Gone,
                Ok(bytes) => self.buffer.extend_from_slice(&piece[..bytes]),
            }
        }
    }

    /// The next text.
    pub fn text(&mut self) -> String {
        match self.receive() {
            Seen::Text(text) => text,
            other => panic!("a text was expected: {other:?}"),
        }
    }

    /// The next text as JSON.
    pub fn json(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The next texts, so many.
    pub fn texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.text()).collect()
    }
}

/// A message compressed by itself.
pub fn deflated(bytes: &[u8]) -> Bytes {
    DeflateEncoder::new(DeflateWindowBits::Bits15, false, 9, 0).compress(bytes).unwrap().unwrap()
}

/// Status and body of an upgrade that was refused.
#[derive(Debug)]
pub struct Refused {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Asks for a WebSocket at this path, by default with `permessage-deflate`.
pub fn connect(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Peer, Refused> {
    connect_offering(address, path, headers, "permessage-deflate; client_max_window_bits")
}

/// The same with these extensions offered.
pub fn connect_offering(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    extensions: &str,
) -> Result<Peer, Refused> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n"
    );
    if !extensions.is_empty() {
        head.push_str(&format!("sec-websocket-extensions: {extensions}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all((head + "\r\n").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (first, headers) = read_head(&mut reader).expect("no answer");
    let status: u16 = first.split(' ').nth(1).unwrap().parse().unwrap();
    let header = |name: &str| headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
    if status != 101 {
        let body = read_body(&mut reader, &headers).unwrap();
        return Err(Refused { status, headers, body: String::from_utf8(body).unwrap() });
    }
    assert_eq!(header("sec-websocket-accept"), Some(generate_accept_key(KEY)));
    assert_eq!(header("upgrade").as_deref(), Some("websocket"));
    let deflate = header("sec-websocket-extensions").is_some_and(|it| it.starts_with("permessage-deflate"));
    assert_eq!(deflate, extensions.contains("permessage-deflate"));
    Ok(Peer::new(stream, Role::Client, deflate, reader.buffer()))
}

/// A provider whose sockets play these answers in turn, one to each message, and the last one for ever.
pub struct Provider {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    welcome: Welcome,
    answers: Mutex<Vec<Vec<Say>>>,
    heads: Mutex<Vec<Vec<(String, String)>>>,
    targets: Mutex<Vec<String>>,
    messages: Mutex<Vec<String>>,
    ends: Mutex<Vec<Seen>>,
}

/// Starts a provider that opens sockets with compression.
pub fn start(answers: impl IntoIterator<Item = Vec<Say>>) -> Provider {
    start_with(Welcome::Open { deflate: true }, answers)
}

/// Starts a provider that meets upgrades like this.
pub fn start_with(welcome: Welcome, answers: impl IntoIterator<Item = Vec<Say>>) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut answers: Vec<Vec<Say>> = answers.into_iter().collect();
    answers.reverse();
    let state = Arc::new(State {
        welcome,
        answers: Mutex::new(answers),
        heads: Mutex::default(),
        targets: Mutex::default(),
        messages: Mutex::default(),
        ends: Mutex::default(),
    });
    let serving = state.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = serving.clone();
            std::thread::spawn(move || state.serve(stream));
        }
    });
    Provider { address, state }
}

impl Provider {
    /// Heads of the upgrades that arrived.
    pub fn heads(&self) -> Vec<Vec<(String, String)>> {
        self.state.heads.lock().unwrap().clone()
    }

    /// What the upgrades asked for.
    pub fn targets(&self) -> Vec<String> {
        self.state.targets.lock().unwrap().clone()
    }

    /// Messages that arrived.
    pub fn messages(&self) -> Vec<String> {
        self.state.messages.lock().unwrap().clone()
    }

    /// Waits until a socket was ended from the other side; with which code.
    pub fn wait_end(&self) -> Option<u16> {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match self.state.ends.lock().unwrap().last() {
                Some(Seen::Close(code)) => return *code,
                Some(other) => panic!("no goodbye: {other:?}"),
                None => assert!(Instant::now() < until, "the socket is still open"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some((first, headers)) = read_head(&mut reader) else { return };
        let key = headers.iter().find(|(name, _)| name == "sec-websocket-key").map(|(_, value)| value.clone());
        let offers = headers
            .iter()
            .any(|(name, value)| name == "sec-websocket-extensions" && value.starts_with("permessage-deflate"));
        self.targets.lock().unwrap().push(first);
        self.heads.lock().unwrap().push(headers);
        let deflate = match self.welcome {
            Welcome::Open { deflate } => deflate && offers,
            Welcome::Refuse { status, body } => {
                let head = format!(
                    "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                drop(stream.write_all((head + body).as_bytes()));
                return;
            }
        };
        let extensions = if deflate { "sec-websocket-extensions: permessage-deflate\r\n" } else { "" };
        let accept = generate_accept_key(&key.unwrap());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accept}\r\n{extensions}x-turn-state: sticky\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut peer = Peer::new(stream, Role::Server, deflate, reader.buffer());
        loop {
            match peer.receive() {
                Seen::Text(text) => {
                    self.messages.lock().unwrap().push(text);
                    if !self.play(&mut peer) {
                        return;
                    }
                }
                end => {
                    self.ends.lock().unwrap().push(end);
                    return;
                }
            }
        }
    }

    fn play(&self, peer: &mut Peer) -> bool {
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }
        };
        for say in answer.unwrap_or_default() {
            match say {
                Say::Text(text) => peer.send(&text),
                Say::Binary(bytes) => peer.send_frame(OpCode::Binary, &bytes, true, false),
                Say::Wait(time) => std::thread::sleep(time),
                Say::Close(code) => {
                    peer.close(code);
                    return false;
                }
                Say::Cut => {
                    peer.cut();
                    return false;
                }
            }
        }
        true
    }
}

/// The messages of an answer whose text comes in these pieces.
pub fn events(pieces: &[&str]) -> Vec<String> {
    let delta = |text: &&str| {
        let delta = serde_json::to_string(text).unwrap();
        format!(
            r#"{{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta": {delta}}}"#
        )
    };
    let mut events = vec![
        r#"{"type":"response.created","response":{"id":"resp_1","model":"gpt-5","status":"in_progress","output":[]}}"#.to_owned(),
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}"#.to_owned(),
        r#"{"type":"response.content_part.added","item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#.to_owned(),
    ];
    events.extend(pieces.iter().map(delta));
    events.push(completed());
    events
}

/// The message that completes an answer.
pub fn completed() -> String {
    r#"{"type":"response.completed","response":{"id":"resp_1","model":"gpt-5","status":"completed","output":[],"usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}}}"#.to_owned()
}

/// A script that says these messages.
pub fn says(events: &[String]) -> Vec<Say> {
    events.iter().cloned().map(Say::Text).collect()
}
