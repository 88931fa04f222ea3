//! A client that writes HTTP/1.1 by hand, so that tests say exactly what is on the wire and when.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::provider::{read_body, read_chunk, read_head};

/// One connection.
pub struct Client {
    reader: BufReader<TcpStream>,
    stream: TcpStream,
}

/// An answer as it arrived.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    /// Connects; every read fails after ten seconds.
    pub fn connect(address: SocketAddr) -> Self {
        Client::connect_for(address, Duration::from_secs(10))
    }

    /// Connects; every read fails after this time.
    pub fn connect_for(address: SocketAddr, patience: Duration) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Writes these bytes.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Asks with a body of known length and reads the answer.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        self.send(path, headers, body);
        self.read()
    }

    /// Asks with a body of known length.
    pub fn send(&mut self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let head = head("POST", path, headers, &format!("content-length: {}\r\n", body.len()));
        self.write(head).write(body);
    }

    /// Asks with a body in chunks of this size and reads the answer.
    pub fn post_chunked(&mut self, path: &str, body: &[u8], size: usize) -> Answer {
        self.write(head("POST", path, &[], "transfer-encoding: chunked\r\n"));
        for chunk in body.chunks(size) {
            self.write(format!("{:x}\r\n", chunk.len())).write(chunk).write("\r\n");
        }
        self.write("0\r\n\r\n");
        self.read()
    }

    /// Asks without a body and reads the answer.
    pub fn get(&mut self, path: &str) -> Answer {
        self.write(head("GET", path, &[], ""));
        self.read()
    }

    /// Reads one answer to its end.
    pub fn read(&mut self) -> Answer {
        let mut answer = self.read_head();
        answer.body = read_body(&mut self.reader, &answer.headers).expect("the body breaks off");
        answer
    }

    /// Reads the head of an answer alone.
    pub fn read_head(&mut self) -> Answer {
        loop {
            let (first, headers) = read_head(&mut self.reader).expect("no answer");
            let status = first.split(' ').nth(1).unwrap().parse().unwrap();
            if status != 100 {
                return Answer { status, headers, body: Vec::new() };
            }
        }
    }

    /// Reads one chunk of a streamed answer; `Some(None)` is its proper end, `None` a broken one.
    pub fn chunk(&mut self) -> Option<Option<Vec<u8>>> {
        read_chunk(&mut self.reader)
    }

    /// A second handle to write with.
    pub fn clone_stream(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Whether the other side closes now, without another byte.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0]), Ok(0) | Err(_))
    }
}

fn head(method: &str, path: &str, headers: &[(&str, &str)], framing: &str) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\n{framing}");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}
