//! The audit log of the real program: killed under load, with its store away, with its disk full, read by its commands.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::Digest;

use super::client::Client;
use super::postgres::Cluster;
use super::program::{PROGRAM, Running, program, start, start_in, write};
use super::provider::{self, Provider, anthropic_events, json, sse};
use super::sockets;

const ANSWER: &str = r#"{"type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{"type":"text","text":"ok"}],"usage":{"input_tokens":12,"output_tokens":3}}"#;
/// Clients that ask at the same time.
const CLIENTS: usize = 4;
/// How long a process is let live; what `batched` may lose of it is a tenth of a second.
const LIFE: Duration = Duration::from_millis(700);

fn yaml(provider: &Provider, more: &str) -> String {
    format!("upstream: {{anthropic: 'http://{}'}}\nredact_secrets: true\n{more}", provider.address)
}

fn gateway() -> Command {
    program(&["--host", "127.0.0.1", "--port", "0"])
}

/// A made-up key, another one for each number.
fn secret(number: usize) -> String {
    let letters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letter = |byte: u8| char::from(letters[usize::from(byte) % letters.len()]);
    let digest = |part: u8| sha2::Sha256::digest(format!("{number} {part}"));
    let tail: String = (0..3).flat_map(digest).take(93).map(letter).collect();
    ["sk-ant-", "api03-", &tail, "AA"].concat()
}

fn prompt(text: &str) -> String {
    serde_json::json!({"model": "claude-sonnet-4-6", "messages": [{"role": "user", "content": text}]}).to_string()
}

/// What a command prints, and its exit code.
fn command_of(running: &Running, arguments: &[&str]) -> (Option<i32>, String) {
    command_in(running.folder(), arguments)
}

fn command_in(folder: &tempfile::TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).current_dir(folder.path()).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Every record that matches, as JSON.
fn records(folder: &tempfile::TempDir, arguments: &[&str]) -> Vec<Value> {
    let all = [&["audit", "search", "--config", "gateway.yaml", "--json", "--limit", "100000"], arguments].concat();
    let (_, text) = command_in(folder, &all);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn ids(records: &[Value]) -> HashSet<String> {
    records.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Clients that ask until the gateway is gone; ids of answered requests, with the moment of each answer.
fn load(address: SocketAddr, stop: &Arc<AtomicBool>) -> Vec<std::thread::JoinHandle<Vec<(String, Instant)>>> {
    let client = |stop: Arc<AtomicBool>| {
        move || {
            let mut answered = Vec::new();
            let ask = |answered: &mut Vec<(String, Instant)>| {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Acquire) {
                    let answer = client.post("/v1/messages", &[], prompt("hello"));
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.push((answer.header("x-airiskguard-request-id").unwrap().to_owned(), Instant::now()));
                }
            };
            // The connection breaks when the process is killed, which is what this is about.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&mut answered)));
            answered
        }
    };
    (0..CLIENTS).map(|_| std::thread::spawn(client(stop.clone()))).collect()
}

/// Kills the gateway under load, again and again; then the chain holds, and nothing is missing that must be there.
fn killed(durability: &str, rounds: usize) {
    let provider = provider::start([json(ANSWER)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "gateway.yaml", &yaml(&provider, &format!("audit: {{durability: {durability}}}\n")));
    let (mut folder, mut all, mut late) = (folder, Vec::new(), HashSet::new());
    for _ in 0..rounds {
        let running = start_in(folder, gateway());
        let stop = Arc::new(AtomicBool::new(false));
        let clients = load(running.address(), &stop);
        std::thread::sleep(LIFE);
        let killed = Instant::now();
        folder = running.kill();
        stop.store(true, Ordering::Release);
        for (id, at) in clients.into_iter().flat_map(|it| it.join().unwrap()) {
            if killed.saturating_duration_since(at) < Duration::from_millis(100) {
                late.insert(id.clone());
            }
            all.push(id);
        }
    }
    // What the journal still holds is delivered by the next start.
    let running = start_in(folder, gateway());
    running.address();
    let kind = if durability == "strict" { "decision" } else { "exchange" };
    let excused = |id: &String| durability == "batched" && late.contains(id);
    let begun = Instant::now();
    let recorded = loop {
        let recorded = ids(&records(running.folder(), &["--kind", kind]));
        let complete = all.iter().all(|id| recorded.contains(id) || excused(id));
        if complete || begun.elapsed() > Duration::from_secs(30) {
            break recorded;
        }
    };
    let folder = running.stop_and_keep();
    let (code, said) = command_in(&folder, &["audit", "verify", "--config", "gateway.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(all.len() > rounds * 20, "{} answers", all.len());
    let missing: Vec<&String> = all.iter().filter(|it| !recorded.contains(*it)).collect();
    let lost: Vec<_> = missing.iter().filter(|id| !excused(id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged records are missing: {said}", lost.len(), all.len());
    println!(
        "{durability}: {rounds} kills, {} answers, {} within the last interval are missing",
        all.len(),
        missing.len()
    );
}

/// `KILL_ROUNDS=50` for the whole of it.
fn rounds() -> usize {
    std::env::var("KILL_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(4)
}

#[test]
fn killed_under_load_strict_loses_nothing() {
    killed("strict", rounds());
}

#[test]
fn killed_under_load_batched_loses_at_most_its_interval() {
    killed("batched", rounds());
}

#[test]
fn an_exchange_is_recorded_with_all_that_an_auditor_asks_for() {
    let provider = provider::start([sse(anthropic_events(&["fine, ", "thank you"]))]);
    let running = start(gateway(), &yaml(&provider, ""));
    let mut client = Client::connect(running.address());
    let headers =
        [("user-agent", "claude-cli/2.1"), ("x-claude-code-session-id", "5f0c7f0e-0000-4000-8000-000000000001")];
    let answer = client.post("/v1/messages", &headers, prompt(&format!("why does {} fail?", secret(1))));
    let id = answer.header("x-airiskguard-request-id").unwrap().to_owned();
    let found = wait_for("the record", || records(running.folder(), &["--id", &id]).pop());
    let exchange = &found["exchange"];
    for (name, value) in [
        ("team", "default"),
        ("agent", "claude-cli/2.1"),
        ("client", "127.0.0.1"),
        ("upstream", "anthropic"),
        ("dialect", "anthropic"),
        ("endpoint", "messages"),
        ("model", "claude-sonnet-4-6"),
        ("model_answered", "claude-sonnet-4-6"),
        ("outcome", "forwarded"),
        ("action", "redact"),
        ("session", "5f0c7f0e-0000-4000-8000-000000000001"),
    ] {
        assert_eq!(exchange[name], value, "{name} of {found:#}");
    }
    assert_eq!(exchange["tokens"], serde_json::json!({"input": 5, "output": 9, "cache_read": 0, "cache_write": 0}));
    assert_eq!(exchange["upstream_status"], 200);
    for side in ["outbound", "inbound"] {
        assert_eq!(exchange[side]["digest"].as_str().map(str::len), Some(64), "{side}");
        assert!(exchange[side]["scanned_bytes"].as_u64().unwrap() > 0, "{side}");
    }
    let finding = &exchange["outbound"]["findings"][0];
    assert_eq!((finding["type"].as_str(), finding["action"].as_str()), (Some("ANTHROPIC_API_KEY"), Some("redact")));
    assert_eq!(finding["value"].as_str().map(str::len), Some(32));
    let (code, said) = command_of(
        &running,
        &["audit", "search", "--config", "gateway.yaml", "--rule", finding["rule"].as_str().unwrap()],
    );
    assert!(code == Some(0) && said.contains(&id), "{said}");
}

#[test]
fn text_is_kept_only_when_asked_for_and_only_redacted_and_encrypted() {
    let provider = provider::start([sse(anthropic_events(&["the key is ", &secret(2), ", keep it"]))]);
    let running = start(gateway(), &yaml(&provider, "audit: {full_text: true}\n"));
    let mut client = Client::connect(running.address());
    let answer = client.post("/v1/messages", &[], prompt(&format!("why does {} fail?", secret(1))));
    let id = answer.header("x-airiskguard-request-id").unwrap().to_owned();
    let arguments = ["audit", "search", "--config", "gateway.yaml", "--id", &id, "--text"];
    let said = wait_for("the record", || Some(command_of(&running, &arguments).1).filter(|it| it.contains("prompt")));
    assert!(said.contains("why does [REDACTED:ANTHROPIC_API_KEY] fail?"), "{said}");
    assert!(said.contains("the key is [REDACTED:ANTHROPIC_API_KEY], keep it"), "{said}");
    let folder = running.stop_and_keep();
    let files = everything_in(&folder);
    for text in ["why does", "keep it", &secret(1), &secret(2)] {
        assert!(!contains(&files, text), "{text} stands in the clear");
    }
}

#[test]
fn of_five_hundred_secrets_none_is_anywhere() {
    let provider = provider::start([sse(anthropic_events(&["an answer with ", &secret(499)]))]);
    let lines = tempfile::tempdir().unwrap();
    let siem = lines.path().join("siem.log");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let more = format!(
        "audit: {{full_text: true}}\nadmin: {{listen: '127.0.0.1:{port}'}}\nlog_level: debug\n\
         checks: {{outbound: [secrets, compliance], inbound: [secrets, compliance]}}\n\
         siem: [{{name: lines, to: 'file:{}', format: ocsf}}]\n",
        siem.display()
    );
    let running = start(gateway(), &yaml(&provider, &more));
    let social = |number: usize| format!("{:03}-{:02}-{:04}", 101 + number % 500, 1 + number % 90, 1000 + number * 7);
    for number in 0..500 {
        let (key, person) = (secret(number), social(number));
        let text = match number % 5 {
            0 => format!("key = {key}"),
            1 => format!("{{\"{key}\": \"SSN {person}\"}}"),
            2 => format!("-H 'x-api-key: {key}' # SSN: {person}"),
            3 => format!("ANTHROPIC_API_KEY={key}"),
            _ => format!("my SSN is {person}, the key {key}"),
        };
        let headers: [(&str, &str); 1] =
            if number % 7 == 0 { [("user-agent", &key)] } else { [("x-claude-code-session-id", &key)] };
        let path = if number % 50 == 3 { format!("/v1/messages?beta={key}") } else { "/v1/messages".to_owned() };
        // A refusal may come before the body was read, which ends the connection.
        let answer = Client::connect(running.address()).post(&path, &headers, prompt(&text));
        assert!([200, 400].contains(&answer.status), "{}", answer.text());
    }
    let metrics = running.addresses()[1];
    let scraped = Client::connect(metrics).get("/metrics").text();
    let export = ["audit", "export", "--config", "gateway.yaml", "--output", "out.jsonl"];
    let found = wait_for("all records", || {
        let found = records(running.folder(), &["--kind", "exchange"]);
        (found.len() == 500).then_some(found)
    });
    let untouched: Vec<&Value> = found.iter().filter(|it| it["exchange"]["action"] == "allow").collect();
    assert!(untouched.is_empty(), "{} prompts passed as they were: {:#}", untouched.len(), untouched[0]);
    assert_eq!(command_of(&running, &export).0, Some(0));
    let (code, said) = command_of(&running, &["audit", "verify", "--config", "gateway.yaml", "--file", "out.jsonl"]);
    assert_eq!(code, Some(0), "{said}");
    let folder = running.stop_and_keep();
    let mut files = [everything_in(&folder), everything_in(&lines)].concat();
    files.extend(scraped.into_bytes());
    assert!(contains(&files, "REDACTED") || contains(&files, "ANTHROPIC_API_KEY"), "nothing was recorded at all");
    for number in 0..500 {
        for value in [secret(number), social(number)] {
            assert!(!contains(&files, &value), "value {number} stands in the clear");
        }
    }
}

#[test]
fn with_its_store_away_a_gateway_goes_on_and_then_delivers_everything_once() {
    let cluster = Cluster::new(&[]);
    let provider = provider::start([json(ANSWER)]);
    let store = cluster.database("recording");
    let running = start(gateway(), &yaml(&provider, &format!("audit: {{store: '{store}'}}\n")));
    let mut client = Client::connect(running.address());
    let mut asked = HashSet::new();
    let mut ask = |count: usize| {
        for _ in 0..count {
            let answer = client.post("/v1/messages", &[], prompt("hello"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            asked.insert(answer.header("x-airiskguard-request-id").unwrap().to_owned());
        }
    };
    ask(100);
    cluster.stop();
    ask(300);
    cluster.start();
    ask(100);
    let found = wait_for("all records", || {
        let found = records(running.folder(), &["--kind", "exchange"]);
        (found.len() >= 500).then_some(found)
    });
    assert_eq!((found.len(), ids(&found)), (500, asked));
    let (code, said) = command_of(&running, &["audit", "verify", "--config", "gateway.yaml"]);
    assert_eq!(code, Some(0), "{said}");
}

/// A limit on the size of files stands in for a disk without room: writes fail half way, as they do there.
#[test]
fn with_its_disk_full_a_gateway_refuses_and_loses_nothing() {
    let provider = provider::start([json(ANSWER)]);
    let mut command = Command::new("sh");
    let limited = "trap '' XFSZ; exec prlimit --fsize=400000:unlimited \"$0\" \"$@\"";
    command.args(["-c", limited, PROGRAM, "--host", "127.0.0.1", "--port", "0"]);
    let running = start(command, &yaml(&provider, ""));
    let mut asked = HashSet::new();
    // A refusal comes before the body was read, which ends the connection.
    let mut ask = || {
        let answer = Client::connect(running.address()).post("/v1/messages", &[], prompt("hello"));
        if answer.status == 200 {
            asked.insert(answer.header("x-airiskguard-request-id").unwrap().to_owned());
        } else {
            assert_eq!((answer.status, answer.json()["error"]["type"].as_str()), (529, Some("overloaded_error")));
            assert_eq!(answer.header("retry-after").map(str::is_empty), Some(false));
        }
        answer.status
    };
    wait_for("a refusal", || (ask() != 200).then_some(()));
    assert!(
        Command::new("prlimit")
            .args(["--fsize=unlimited:unlimited", "--pid", &running.pid().to_string()])
            .status()
            .unwrap()
            .success()
    );
    wait_for("an answer", || (ask() == 200).then_some(()));
    let found = wait_for("all records", || {
        let found = records(running.folder(), &["--kind", "exchange"]);
        (ids(&found).is_superset(&asked)).then_some(found)
    });
    assert_eq!(ids(&found).len(), found.len(), "a record stands twice");
    let (code, said) = command_of(&running, &["audit", "verify", "--config", "gateway.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(asked.len() > 50, "{}", asked.len());
}

#[test]
fn a_gateway_starts_while_its_store_is_away() {
    let cluster = Cluster::new(&[]);
    let store = cluster.database("starting");
    cluster.stop();
    let provider = provider::start([json(ANSWER)]);
    let running = start(gateway(), &yaml(&provider, &format!("audit: {{store: '{store}'}}\n")));
    let answer = Client::connect(running.address()).post("/v1/messages", &[], prompt("hello"));
    assert_eq!(answer.status, 200);
    cluster.start();
    wait_for("the record", || records(running.folder(), &["--kind", "exchange"]).pop());
}

#[test]
fn a_damaged_store_is_told_of_and_the_gateway_goes_on() {
    let provider = provider::start([json(ANSWER)]);
    let running = start(gateway(), &yaml(&provider, ""));
    let mut client = Client::connect(running.address());
    for _ in 0..50 {
        client.post("/v1/messages", &[], prompt("hello"));
    }
    wait_for("all records", || (records(running.folder(), &["--kind", "exchange"]).len() == 50).then_some(()));
    let mut folder = running.stop_and_keep();
    let path = folder.path().join("airiskguard-data/audit.db");
    let whole = std::fs::read(&path).unwrap();
    // The last page, then everything behind the middle.
    for from in [whole.len() - 4096, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[from..].fill(0x5a);
        for beside in ["airiskguard-data/audit.db-wal", "airiskguard-data/audit.db-shm"] {
            // Gone already, where the last connection was closed in order.
            let _ = std::fs::remove_file(folder.path().join(beside));
        }
        std::fs::write(&path, bytes).unwrap();
        let (_, before) = command_in(&folder, &["audit", "verify", "--config", "gateway.yaml"]);
        let running = start_in(folder, gateway());
        let answer = Client::connect(running.address()).post("/v1/messages", &[], prompt("hello"));
        assert_eq!(answer.status, 200);
        let id = answer.header("x-airiskguard-request-id").unwrap().to_owned();
        wait_for("the new record", || records(running.folder(), &["--id", &id]).pop());
        folder = running.stop_and_keep();
        let (code, after) = command_in(&folder, &["audit", "verify", "--config", "gateway.yaml"]);
        let was_seen = code == Some(1) && (after.contains("missing") || after.contains("cannot be read"));
        assert!(was_seen || before.contains("the chain holds"), "before: {before}after: {code:?} {after}");
        assert!(was_seen || from != whole.len() / 2, "{before}{after}");
    }
}

#[test]
fn a_command_that_finds_no_store_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "gateway.yaml", "upstream: {anthropic: 'https://a.example'}\n");
    let (code, said) = command_in(&folder, &["audit", "verify", "--config", "gateway.yaml"]);
    assert!(code == Some(1) && said.contains("airiskguard-data/audit.db"), "{said}");
}

/// The bytes of every file below a folder, but for the configuration.
fn everything_in(folder: &tempfile::TempDir) -> Vec<u8> {
    let (mut open, mut bytes) = (vec![folder.path().to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|it| it.unwrap().path()));
        } else if !path.ends_with("gateway.yaml") {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

#[test]
fn every_message_on_a_socket_has_its_decision_and_its_record() {
    let answer = sockets::events(&["ok"]);
    let provider = sockets::start([sockets::says(&answer)]);
    let yaml = format!("upstream: {{openai: 'http://{}'}}\naudit: {{durability: strict}}\n", provider.address);
    let running = start(gateway(), &yaml);
    let mut client = sockets::connect(running.address(), "/v1/responses", &[]).unwrap();
    for number in 0..3 {
        client.send(&format!(r#"{{"type":"response.create","model":"gpt-5","input":"turn {number}"}}"#));
        assert_eq!(client.texts(answer.len()), answer);
        // The provider was asked, so the decision was on disk before.
        let decided = || Some(records(running.folder(), &["--kind", "decision"])).filter(|it| it.len() == number + 2);
        wait_for("the decisions over the upgrade and each message", decided);
    }
    client.close(1000);
    let exchanges = || Some(records(running.folder(), &["--kind", "exchange"])).filter(|it| it.len() == 4);
    let exchanges = wait_for("the records of the upgrade and each message", exchanges);
    assert_eq!(ids(&exchanges), ids(&records(running.folder(), &["--kind", "decision"])));
}
