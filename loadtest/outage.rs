//! Load while everything behind the gateway is away: the audit database stopped, every alert channel hanging.
//!
//! `cargo build --release --bin airiskguard-gateway && cargo run --release --example outage -- target/release/airiskguard-gateway`
//!
//! Healthy and broken stretches alternate in one run, so that a busy machine hits both; printed are throughput and
//! latency of each and their ratio. Afterwards everything comes back, and every record and alert must arrive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs, unreachable_pub)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, dead_code)]

#[path = "../tests/support/postgres.rs"]
mod postgres;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::{any, post};
use postgres::Cluster;
use sha2::Digest;

/// Connections that ask at the same time.
const CLIENTS: usize = 16;
/// One request in so many carries a secret, and so is an alert.
const ALERT_EVERY: usize = 200;

/// Where alerts go.
#[derive(Default)]
struct Receiver {
    hangs: AtomicBool,
    alerts: Mutex<HashSet<String>>,
}

/// What one stretch of load came to.
#[derive(Default)]
struct Stretch {
    latencies: Vec<Duration>,
    seconds: f64,
}

impl Stretch {
    fn add(&mut self, other: Stretch) {
        self.latencies.extend(other.latencies);
        self.seconds += other.seconds;
    }

    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    fn quantile(&mut self, part: f64) -> f64 {
        self.latencies.sort_unstable();
        let at = (self.latencies.len() as f64 * part) as usize;
        self.latencies[at.min(self.latencies.len() - 1)].as_secs_f64() * 1e3
    }
}

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider");
    let program = std::env::args().nth(1).expect("the path of the gateway's binary");
    let program = std::fs::canonicalize(program).unwrap();
    let seconds: u64 = std::env::var("SECONDS_EACH").ok().and_then(|it| it.parse().ok()).unwrap_or(6);
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(3);
    let cluster = tokio::task::spawn_blocking(|| Arc::new(Cluster::new(&[]))).await.unwrap();
    let receiver = Arc::new(Receiver::default());
    let provider = serve(Router::new().route("/v1/messages", post(answer))).await;
    let alerts = serve(Router::new().fallback(any(take)).with_state(receiver.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    let (gateway, address) = start(&program, folder.path(), &provider, &alerts, &cluster.database("outage"));

    let sent = Arc::new(AtomicUsize::new(0));
    let (mut healthy, mut broken) = (Stretch::default(), Stretch::default());
    load(&address, &sent, Duration::from_secs(2)).await;
    for round in 1..=rounds {
        healthy.add(load(&address, &sent, Duration::from_secs(seconds)).await);
        receiver.hangs.store(true, Ordering::Release);
        blocking(&cluster, Cluster::stop).await;
        broken.add(load(&address, &sent, Duration::from_secs(seconds)).await);
        receiver.hangs.store(false, Ordering::Release);
        blocking(&cluster, Cluster::start).await;
        println!("round {round} of {rounds}");
        // The backlog is delivered before the next healthy stretch, which would otherwise pay for the outage.
        recorded(&program, folder.path(), sent.load(Ordering::Acquire)).await;
    }
    print("all healthy", &mut healthy);
    print("database stopped, alerts hanging", &mut broken);
    println!(
        "ratio: throughput {:.2}, median latency {:.2}, p99 latency {:.2}",
        broken.rate() / healthy.rate(),
        broken.quantile(0.5) / healthy.quantile(0.5),
        broken.quantile(0.99) / healthy.quantile(0.99)
    );
    arrived(&program, folder.path(), &receiver, sent.load(Ordering::Acquire)).await;
    drop(gateway);
}

fn print(name: &str, stretch: &mut Stretch) {
    let (rate, p50, p99) = (stretch.rate(), stretch.quantile(0.5), stretch.quantile(0.99));
    println!("{name}: {} requests, {rate:.0} per second, p50 {p50:.2} ms, p99 {p99:.2} ms", stretch.latencies.len());
}

async fn blocking(cluster: &Arc<Cluster>, work: fn(&Cluster)) {
    let cluster = cluster.clone();
    tokio::task::spawn_blocking(move || work(&cluster)).await.unwrap();
}

/// Every record is in the store exactly once, the chain holds, and every alert has arrived.
async fn arrived(program: &Path, folder: &Path, receiver: &Receiver, sent: usize) {
    let records = recorded(program, folder, sent).await;
    let different: HashSet<&String> = records.iter().collect();
    println!("records: {} of {sent} in the store, {} of them different", records.len(), different.len());
    assert_eq!((records.len(), different.len()), (sent, sent));
    let expected = sent.div_ceil(ALERT_EVERY);
    let begun = Instant::now();
    while receiver.alerts.lock().unwrap().len() < expected && begun.elapsed() < Duration::from_secs(180) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let alerts = receiver.alerts.lock().unwrap().len();
    println!("alerts: {alerts} of {expected} arrived");
    assert_eq!(alerts, expected);
    let verify =
        Command::new(program).current_dir(folder).args(["audit", "verify", "--config", "gateway.yaml"]).output();
    let verify = verify.unwrap();
    print!("{}", String::from_utf8_lossy(&verify.stdout));
    assert!(verify.status.success());
}

/// Ids of the exchanges in the store, once there are so many.
async fn recorded(program: &Path, folder: &Path, count: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let export = ["audit", "export", "--config", "gateway.yaml", "--output", "records.jsonl"];
        Command::new(program).current_dir(folder).args(export).output().unwrap();
        let text = std::fs::read_to_string(folder.join("records.jsonl")).unwrap_or_default();
        let record = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
        let exchanges =
            text.lines().filter_map(record).map(|it| it["record"].clone()).filter(|it| it["exchange"].is_object());
        let ids: Vec<String> = exchanges.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        if ids.len() >= count {
            return ids;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "{} of {count} records after three minutes", ids.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Asks from all clients for so long.
async fn load(address: &str, sent: &Arc<AtomicUsize>, time: Duration) -> Stretch {
    let begun = Instant::now();
    let client = |sent: Arc<AtomicUsize>, url: String| async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut latencies = Vec::new();
        while begun.elapsed() < time {
            let number = sent.fetch_add(1, Ordering::AcqRel);
            let body = prompt(number);
            let asked = Instant::now();
            let answer = client.post(&url).header("content-type", "application/json").body(body).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.bytes().await.unwrap();
            latencies.push(asked.elapsed());
        }
        latencies
    };
    let url = format!("http://{address}/v1/messages");
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(sent.clone(), url.clone()))).collect();
    let mut stretch = Stretch::default();
    for client in clients {
        stretch.latencies.extend(client.await.unwrap());
    }
    stretch.seconds = begun.elapsed().as_secs_f64();
    stretch
}

/// A prompt; now and then with a key that no other prompt has.
fn prompt(number: usize) -> String {
    let filler = "The build fails since the last change, and I do not see why. ".repeat(16);
    let secret = match number % ALERT_EVERY {
        0 => {
            let digest = |part: u8| sha2::Sha256::digest(format!("{number} {part}"));
            let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
            let letter = |byte: u8| char::from(letters[usize::from(byte) % letters.len()]);
            let tail: String = (0..3).flat_map(digest).take(93).map(letter).collect();
            ["sk-ant-", "api03-", &tail, "AA"].concat()
        }
        _ => String::new(),
    };
    let text = format!("{filler}{secret}");
    serde_json::json!({"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": text}]}).to_string()
}

async fn answer() -> ([(&'static str, &'static str); 1], &'static str) {
    let body = r#"{"type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{"type":"text","text":"I will have a look."}],"usage":{"input_tokens":300,"output_tokens":6}}"#;
    ([("content-type", "application/json")], body)
}

async fn take(State(receiver): State<Arc<Receiver>>, body: String) -> &'static str {
    while receiver.hangs.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let alert: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    if let Some(id) = alert["request_id"].as_str() {
        receiver.alerts.lock().unwrap().insert(id.to_owned());
    }
    "ok"
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn start(program: &Path, folder: &Path, provider: &str, alerts: &str, store: &str) -> (Gateway, String) {
    let yaml = format!(
        "upstream: {{anthropic: 'http://{provider}'}}\nredact_secrets: true\naudit: {{store: '{store}'}}\n\
         notifications:\n  deduplicate_for: 0s\n\
         \x20 webhook: {{url: 'http://{alerts}/hook', rate_per_minute: 6000}}\n\
         \x20 slack: {{url: 'http://{alerts}/slack', rate_per_minute: 6000}}\n\
         \x20 pagerduty: {{key: 0123456789abcdef0123456789abcdef, url: 'http://{alerts}/pagerduty', rate_per_minute: 6000}}\n"
    );
    std::fs::write(folder.join("gateway.yaml"), yaml).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let arguments = ["--config", "gateway.yaml", "--host", "127.0.0.1", "--port", "0", "--port-file", "ports"];
    let child = Command::new(program).current_dir(folder).args(arguments).stderr(log).spawn().unwrap();
    let gateway = Gateway(child);
    let ports: PathBuf = folder.join("ports");
    let begun = Instant::now();
    loop {
        if let Some(address) = std::fs::read_to_string(&ports).ok().and_then(|it| it.lines().next().map(String::from)) {
            return (gateway, address);
        }
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(30), "the gateway did not start: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
