//! The gateway as a process of its own between a provider and clients that do what a row of the table says, and what
//! must hold after every row.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::certificate::certificate;
use super::program::{self, PROGRAM, Running, program};
use super::step::{Step, play};
use super::tls;

/// How long everything may take to be as it was.
const SETTLE: Duration = Duration::from_secs(12);
/// Memory that the gateway may keep of the second half of a table, KiB: automata that only faults need, and what the
/// allocator does not give back. One leaked body a row would be more.
const MEMORY_GROWTH_KIB: u64 = 64 << 10;

pub const ANSWER: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"well"}],"stop_reason":"end_turn"}"#;

/// A fault: what both ends do, and what is to be seen of it.
pub struct Fault {
    pub name: String,
    pub provider: Vec<Step>,
    /// `None`: asks for a completion.
    pub client: Option<Vec<Step>>,
    /// Exchanges that it opens, at least and at most.
    pub opens: (u64, u64),
    /// Statuses of which the client sees one; 0 is no answer at all.
    pub statuses: &'static [u16],
    /// An answer that was cut off and must not look as if it had come whole.
    pub is_cut: bool,
    /// An answer that must come whole.
    pub is_whole: bool,
    /// The provider may not even be connected to.
    pub is_refused: bool,
}

/// A fault of which nothing is said yet: one exchange, an ordinary request, an ordinary answer.
pub fn fault(name: impl Into<String>) -> Fault {
    Fault {
        name: name.into(),
        provider: healthy(),
        client: None,
        opens: (1, 1),
        statuses: &[],
        is_cut: false,
        is_whole: false,
        is_refused: false,
    }
}

impl Fault {
    pub fn provider(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.provider = steps.into();
        self
    }

    pub fn client(mut self, steps: impl Into<Vec<Step>>) -> Self {
        self.client = Some(steps.into());
        self
    }

    pub fn opens(mut self, least: u64, most: u64) -> Self {
        self.opens = (least, most);
        self
    }

    pub fn sees(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    pub fn cut(mut self) -> Self {
        self.is_cut = true;
        self
    }

    pub fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    pub fn refused(mut self) -> Self {
        self.is_refused = true;
        self
    }
}

/// A client that asks, and reads what comes.
fn asks(prefix: &str) -> Vec<Step> {
    vec![Step::Write(request(&format!("{prefix}/v1/messages"), "")), Step::Drain]
}

/// A made-up key that stands in every prompt.
pub fn prompt_key() -> String {
    ["AK", "IAQ7ZT3WKXN5", "VBM2RD"].concat()
}

/// A made-up key that stands in answers.
pub fn answer_key() -> String {
    ["AK", "IAW5RM2TQKZ7", "XBN3VD"].concat()
}

/// A provider that goes on: the next request on a connection that the gateway keeps gets its own answer.
pub fn goes_on() -> Vec<Step> {
    healthy()
}

/// A provider that does its work and closes.
pub fn healthy() -> Vec<Step> {
    vec![Step::Message, Step::Write(answer("connection: close\r\n", ANSWER.as_bytes()))]
}

/// An answer with a length and more headers.
pub fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The body of a request with a key in it that must not leave; `mark` makes it another conversation.
pub fn prompt(mark: &str) -> String {
    let content = format!("{mark} my key is {} ok?", prompt_key());
    serde_json::json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": content}]}).to_string()
}

/// A request with a length, after which the connection is not needed any more.
pub fn request(path: &str, mark: &str) -> Vec<u8> {
    framed(path, "connection: close\r\n", &prompt(mark))
}

/// A request with a length and more headers.
pub fn framed(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: g\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// What the provider speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// HTTP/1.1, plain.
    Http1,
    /// HTTP/2 over TLS; HTTP/1.1, where the gateway asks for it, is sound.
    Http2,
}

impl Wire {
    fn healthy(self) -> Vec<Step> {
        match self {
            Wire::Http1 => healthy(),
            Wire::Http2 => super::provider_http2::healthy(),
        }
    }
}

struct Provider {
    address: SocketAddr,
    script: Arc<Mutex<Vec<Step>>>,
    /// Everything that was sent to it.
    received: Arc<Mutex<Vec<u8>>>,
    connections: Arc<Mutex<usize>>,
}

fn provider() -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (script, received, connections) = (Arc::new(Mutex::new(healthy())), Arc::default(), Arc::default());
    let all = Provider { address, script, received, connections };
    let (script, received, connections) = (all.script.clone(), all.received.clone(), all.connections.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            *connections.lock().unwrap() += 1;
            let (steps, received) = (script.lock().unwrap().clone(), received.clone());
            std::thread::spawn(move || {
                let mut read = Vec::new();
                play(stream, &steps, &mut read);
                received.lock().unwrap().extend(read);
            });
        }
    });
    all
}

/// A gateway between a provider and whoever connects.
pub struct Stage {
    provider: Provider,
    /// Sound, for who wants no HTTP/2.
    http1: Provider,
    wire: Wire,
    /// Where its provider's certificate is.
    folder: TempDir,
    running: Running,
    address: SocketAddr,
    admin: SocketAddr,
    /// Exchanges that were recorded so far, by the gateway's own count.
    exchanges: u64,
    memory_kib: u64,
    sockets: usize,
}

/// An address that nobody listens on; a port of 0 is no port for operators.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a row came to.
pub struct Seen {
    pub name: String,
    pub status: u16,
    pub opened: u64,
    pub wrong: Vec<String>,
}

impl Stage {
    /// For a table of so many rows.
    pub fn start(wire: Wire, rows: usize) -> Self {
        let (provider, http1) = (provider(), provider());
        let folder = tempfile::tempdir().unwrap();
        let times = "timeouts: {connect: 1s, read: 1s, write: 1s, idle: 1s}";
        let upstreams = match wire {
            Wire::Http1 => format!("anthropic: {{url: 'http://{}', {times}}}", provider.address),
            Wire::Http2 => {
                let certificate = certificate(folder.path(), "provider");
                let behind = tls::Behind { http2: provider.address, http1: http1.address };
                let ports = tls::before(behind, &certificate, rows + 1);
                let names = (0..rows).map(|row| format!("row{row}")).chain(["anthropic".to_owned()]);
                let one = |(name, port): (String, u16)| {
                    let ca_file = &certificate.cert;
                    format!(
                        "{name}: {{url: 'https://localhost:{port}', ca_file: '{ca_file}', dialect: anthropic, {times}}}"
                    )
                };
                names.zip(ports).map(one).collect::<Vec<_>>().join(", ")
            }
        };
        let yaml = format!(
            "upstream: {{{upstreams}}}\n\
             checks: {{outbound: [secrets], inbound: [secrets, vuln]}}\nredact_secrets: true\n\
             admin: {{listen: '{}'}}\n\
             limits: {{header_timeout: 1s, body_timeout: 1s, idle_timeout: 1s, total_timeout: 4s, drain_timeout: 3s,\n\
             \x20 body_bytes_max: 1MiB, response_bytes_max: 1MiB, held_bytes_max: 8MiB, connections_max: 200}}\n",
            free_address()
        );
        let running = program::start(program(&["--host", "127.0.0.1", "--port", "0"]), &yaml);
        let (address, admin) = (running.addresses()[0], running.addresses()[1]);
        let mut stage =
            Stage { provider, http1, wire, folder, running, address, admin, exchanges: 0, memory_kib: 0, sockets: 0 };
        // Automata are built by the first requests and beside them; what they take is no leak.
        for round in 0..3 {
            stage.next_request_works("", &format!("first {round}")).unwrap();
        }
        stage.settled().unwrap();
        stage.sockets = stage.open_sockets();
        stage
    }

    /// What is kept from here on is a leak. The automata are built beside the first requests, and are waited for here.
    pub fn weigh(&mut self) {
        let until = Instant::now() + Duration::from_secs(40);
        let mut since = Instant::now();
        self.memory_kib = self.memory();
        while since.elapsed() < Duration::from_secs(3) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(100));
            if self.memory() > self.memory_kib + 2048 {
                (self.memory_kib, since) = (self.memory(), Instant::now());
            }
        }
    }

    /// Plays a fault and checks everything that must hold after it.
    pub fn suffer(&mut self, row: usize, fault: &Fault) -> Seen {
        let prefix = match self.wire {
            Wire::Http1 => String::new(),
            Wire::Http2 => format!("/row{row}"),
        };
        let connections = *self.provider.connections.lock().unwrap();
        *self.provider.script.lock().unwrap() = fault.provider.clone();
        let mut read = Vec::new();
        let client = fault.client.clone().unwrap_or_else(|| asks(&prefix));
        play(TcpStream::connect(self.address).unwrap(), &client, &mut read);
        let mut wrong = Vec::new();
        let status = status(&read);
        if !fault.statuses.is_empty() && !fault.statuses.contains(&status) {
            wrong.push(format!("the client saw {status}: {}", shown(&read)));
        }
        if fault.is_cut && status == 200 && super::step::is_whole(&read) {
            wrong.push(format!("a broken answer looks whole: {}", shown(&read)));
        }
        if fault.is_whole && !super::step::is_whole(&read) {
            wrong.push(format!("the answer is not whole: {}", shown(&read)));
        }
        wrong.extend(self.settled().err());
        let opened = self.opened(fault.opens.0);
        self.exchanges += opened;
        if opened < fault.opens.0 || opened > fault.opens.1 {
            wrong.push(format!("{opened} exchanges were recorded, not {:?}", fault.opens));
        }
        if fault.is_refused && *self.provider.connections.lock().unwrap() > connections {
            wrong.push("the provider was contacted".to_owned());
        }
        wrong.extend(self.leaks(&read));
        wrong.extend(self.next_request_works(&prefix, &fault.name).err());
        Seen { name: fault.name.clone(), status, opened, wrong }
    }

    /// Nothing of a key that was hidden or held came through, in either direction.
    fn leaks(&self, read: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        let holds = |bytes: &[u8], key: &str| bytes.windows(key.len()).any(|it| it == key.as_bytes());
        let sent = [&self.provider, &self.http1].map(|it| holds(&it.received.lock().unwrap(), &prompt_key()));
        if sent.contains(&true) {
            wrong.push("the prompt's key reached the provider".to_owned());
        }
        // Not even its beginning, which was held because it could become the key.
        if holds(read, &answer_key()[..12]) {
            wrong.push(format!("the answer's key reached the client: {}", shown(read)));
        }
        if self.running.log().contains("panicked") {
            wrong.push(format!("a panic: {}", self.running.log()));
        }
        wrong
    }

    /// A healthy exchange gets its own answer.
    fn next_request_works(&mut self, prefix: &str, mark: &str) -> Result<(), String> {
        *self.provider.script.lock().unwrap() = self.wire.healthy();
        let mut read = Vec::new();
        let mark = format!("after {mark}");
        play(
            TcpStream::connect(self.address).unwrap(),
            &[Step::Write(request(&format!("{prefix}/v1/messages"), &mark)), Step::Message],
            &mut read,
        );
        self.exchanges += 1;
        match status(&read) == 200 && read.ends_with(ANSWER.as_bytes()) {
            true => Ok(()),
            false => Err(format!("the next request does not work: {}", shown(&read))),
        }
    }

    /// Waits until nothing is in flight, held or open.
    fn settled(&self) -> Result<(), String> {
        let until = Instant::now() + SETTLE;
        loop {
            let text = self.metrics();
            let left: Vec<&str> = ["connections", "active_requests", "active_streams", "held_bytes"]
                .into_iter()
                .filter(|name| value(&text, &format!("airiskguard_{name} ")) != 0)
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("not back at the baseline: {left:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Exchanges that were recorded since the last look. They are counted behind the exchange, so they are waited for.
    fn opened(&self, least: u64) -> u64 {
        let until = Instant::now() + Duration::from_secs(3);
        loop {
            let counted = self.counted();
            if counted >= self.exchanges + least || Instant::now() > until {
                return counted.saturating_sub(self.exchanges);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Exchanges that the gateway says have ended.
    fn counted(&self) -> u64 {
        let text = self.metrics();
        let lines = text.lines().filter(|it| it.starts_with("airiskguard_requests_total{"));
        lines.filter_map(|it| it.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: admin\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid())).unwrap();
        let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn open_sockets(&self) -> usize {
        let all = std::fs::read_dir(format!("/proc/{}/fd", self.running.pid())).unwrap();
        let links = all.filter_map(|it| std::fs::read_link(it.ok()?.path()).ok());
        links.filter(|it| it.to_string_lossy().starts_with("socket:")).count()
    }

    /// Ends it: memory and sockets are as before, it stops as asked, and every exchange is in the audit log once.
    pub fn end(self) -> Vec<String> {
        let mut wrong = Vec::new();
        let until = Instant::now() + SETTLE;
        // Connections to the provider are kept for a second.
        while self.open_sockets() > self.sockets && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.open_sockets() > self.sockets {
            wrong.push(format!("{} sockets were open before, {} after", self.sockets, self.open_sockets()));
        }
        let (before, after) = (self.memory_kib, self.memory());
        println!("memory: {before} KiB before, {after} KiB after");
        if after > before + MEMORY_GROWTH_KIB {
            wrong.push(format!("{before} KiB of memory before, {after} KiB after"));
        }
        let exchanges = self.exchanges;
        let log = self.running.log();
        let folder = self.running.stop_and_keep();
        if log.contains("panicked") || log.contains(&prompt_key()) || log.contains(&answer_key()) {
            wrong.push(format!("the log tells of a panic, or a key: {log}"));
        }
        let command =
            ["audit", "search", "--config", "gateway.yaml", "--json", "--limit", "100000", "--kind", "exchange"];
        let output = Command::new(PROGRAM).current_dir(folder.path()).args(command).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut ids: Vec<String> = text
            .lines()
            .filter_map(|it| Some(serde_json::from_str::<serde_json::Value>(it).ok()?["id"].as_str()?.to_owned()))
            .collect();
        let recorded = ids.len() as u64;
        ids.sort();
        ids.dedup();
        if recorded != exchanges || ids.len() as u64 != recorded {
            wrong.push(format!("{exchanges} exchanges, {recorded} records of {} ids", ids.len()));
        }
        println!("audit: {recorded} records of {exchanges} exchanges");
        wrong
    }
}

fn value(metrics: &str, name: &str) -> i64 {
    let line = metrics.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {metrics}"));
    line.trim().parse::<f64>().unwrap() as i64
}

/// The status of the first final answer; 0 without one.
fn status(read: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(read);
    let heads = text.split("HTTP/1.1 ").skip(1);
    let mut statuses = heads.filter_map(|it| it.get(..3)?.parse().ok());
    statuses.find(|it| *it >= 200).unwrap_or(0)
}

fn shown(read: &[u8]) -> String {
    String::from_utf8_lossy(&read[..read.len().min(1500)]).into_owned()
}
