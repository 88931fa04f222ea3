//! One process after the other on the same socket and the same audit log, under load: nothing fails, nothing is missing.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Answer, Client};
use super::program::{PROGRAM, Running, free_address, program, start, start_in, write};
use super::provider::{self, Provider, anthropic_events, json, sse};

const ANSWER: &str = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}"#;

fn gateway() -> Command {
    program(&["--host", "127.0.0.1", "--port", "0"])
}

fn yaml(plain: &Provider, streamed: &Provider, more: &str) -> String {
    format!(
        "upstream: {{anthropic: 'http://{}', slow: {{url: 'http://{}', dialect: anthropic}}}}\n{more}",
        plain.address, streamed.address
    )
}

const PROMPT: &str = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"count"}]}"#;

fn signal(pid: u32, name: &str) {
    // One that is gone needs no signal.
    let _ = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(200);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The log's lines with this message.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|it| it["fields"]["message"].as_str().is_some_and(|it| it.starts_with(message))).collect()
}

/// Whether the process runs; one that has ended and was not waited for does not.
fn runs(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|it| !it.trim().is_empty() && !it.trim_start().starts_with('Z'))
}

/// Ends the newest of the processes, also when the test fails.
struct Last<'a>(&'a Running);

impl Last<'_> {
    fn pid(&self) -> u32 {
        let all = lines(&self.0.log(), "listening");
        all.last().unwrap()["fields"]["pid"].as_u64().unwrap() as u32
    }
}

impl Drop for Last<'_> {
    fn drop(&mut self) {
        for it in lines(&self.0.log(), "listening") {
            signal(
                it["fields"]["pid"].as_u64().unwrap() as u32,
                if std::thread::panicking() { "-KILL" } else { "-TERM" },
            );
        }
    }
}

/// What a client does while processes come and go: on one connection as long as that is kept, or on a new one each time.
fn ask(address: SocketAddr, path: &str, keep: bool, stop: &AtomicBool) -> Vec<String> {
    let mut ids = Vec::new();
    let mut connection: Option<Client> = None;
    while !stop.load(Ordering::Acquire) {
        let mut client = connection.take().unwrap_or_else(|| Client::connect_for(address, Duration::from_secs(60)));
        let answer: Answer = client.post(path, &[], PROMPT);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        assert!(text == ANSWER || text.contains("message_stop"), "{text}");
        ids.push(answer.header("x-airiskguard-request-id").unwrap().to_owned());
        if keep && answer.header("connection") != Some("close") {
            connection = Some(client);
        }
    }
    ids
}

fn audit(folder: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM).current_dir(folder).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The chain holds, and every exchange has its record, once.
fn assert_recorded(folder: &std::path::Path, ids: &HashSet<String>) {
    let (code, text) = audit(folder, &["audit", "verify", "--config", "gateway.yaml"]);
    assert_eq!(code, Some(0), "{text}");
    let search = ["audit", "search", "--config", "gateway.yaml", "--kind", "exchange", "--json", "--limit", "100000"];
    let (_, text) = audit(folder, &search);
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let recorded: Vec<String> = records.map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    let once: HashSet<String> = recorded.iter().cloned().collect();
    assert_eq!(recorded.len(), once.len(), "records stand twice");
    let missing: Vec<_> = ids.difference(&once).collect();
    assert!(missing.is_empty(), "{} of {} have no record: {missing:?}", missing.len(), ids.len());
    let left = std::fs::read_dir(folder.join("airiskguard-data/left")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "records of an older process were left behind");
}

#[test]
fn three_successors_under_load_fail_no_request_and_lose_no_record() {
    let plain = provider::start([json(ANSWER).after(Duration::from_millis(20))]);
    let events = anthropic_events(&["one ", "two ", "three ", "four ", "five ", "six ", "seven"]);
    let streamed = provider::start([sse(events).paced(Duration::from_millis(200))]);
    let running = start(gateway(), &yaml(&plain, &streamed, &format!("admin: {{listen: '{}'}}\n", free_address())));
    let (addresses, last, stop) = (running.addresses(), Last(&running), AtomicBool::new(false));
    let ids = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|number| {
                let path = if number % 2 == 0 { "/v1/messages" } else { "/slow/v1/messages" };
                let (address, stop) = (addresses[0], &stop);
                scope.spawn(move || ask(address, path, number % 4 < 2, stop))
            })
            .collect();
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 1..=3 {
                std::thread::sleep(Duration::from_millis(700));
                let old = last.pid();
                signal(old, "-USR2");
                wait_for("no successor serves", || (lines(&running.log(), "listening").len() > round).then_some(()));
                assert_ne!(last.pid(), old);
                wait_for("the one before it does not end", || (!runs(old)).then_some(()));
            }
            std::thread::sleep(Duration::from_millis(500));
        }));
        stop.store(true, Ordering::Release);
        let ids: Vec<_> = clients.into_iter().map(|it| it.join()).collect();
        rounds.unwrap();
        ids.into_iter().flat_map(|it| it.unwrap_or_else(|_| panic!("a request failed: {}", running.log()))).collect()
    });
    let ids: HashSet<String> = ids;
    assert!(ids.len() > 50, "{}", ids.len());
    assert_eq!(running.addresses(), addresses, "the sockets stay the same ones");
    let newest = last.pid();
    wait_for("what was left behind is not chained", || {
        let left = running.folder().path().join("airiskguard-data/left");
        std::fs::read_dir(left).map_or(true, |it| it.count() == 0).then_some(())
    });
    drop(last);
    wait_for("the last one does not end", || (!runs(newest)).then_some(()));
    let log = running.log();
    assert_eq!(lines(&log, "the audit log is handed over").len(), 3, "{log}");
    assert!(!log.contains("cut off"), "{log}");
    assert_recorded(running.folder().path(), &ids);
}

#[test]
fn a_long_stream_goes_on_beside_the_successor_and_its_record_is_chained() {
    let plain = provider::start([json(ANSWER)]);
    let events = anthropic_events(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let streamed = provider::start([sse(events).paced(Duration::from_millis(400))]);
    // Nothing of this may be cut off by the drain time: nobody waits for a process that has a successor.
    let admin = free_address();
    let more = format!(
        "limits: {{drain_timeout: 100ms}}\naudit: {{full_text: true}}\nadmin: {{listen: '{admin}'}}\n\
         team_limits: {{tokens_per_day: 1000000}}\n"
    );
    let running = start(gateway(), &yaml(&plain, &streamed, &more));
    let (address, last) = (running.address(), Last(&running));
    let mut long = Client::connect(address);
    long.send("/slow/v1/messages", &[], PROMPT);
    assert_eq!(long.read_head().status, 200);
    let old = last.pid();
    let began = Instant::now();
    signal(old, "-USR2");
    wait_for("no successor serves", || (last.pid() != old).then_some(()));
    let mut short = Client::connect(address);
    let answer = short.post("/v1/messages", &[], PROMPT);
    assert_eq!(answer.status, 200);
    assert!(runs(old), "the stream has not ended yet, after {:?}", began.elapsed());
    let mut text = Vec::new();
    while let Some(chunk) = long.chunk().expect("the stream breaks off") {
        text.extend(chunk);
    }
    assert!(String::from_utf8(text).unwrap().contains("message_stop"));
    drop((long, short));
    wait_for("the one before it does not end", || (!runs(old)).then_some(()));
    let folder = running.folder().path().to_owned();
    let ended = || {
        let search = ["audit", "search", "--config", "gateway.yaml", "--kind", "exchange", "--json"];
        let (_, text) = audit(&folder, &search);
        (text.lines().filter(|it| it.contains("\"exchange\"")).count() == 2).then_some(())
    };
    wait_for("the record of the stream is missing", ended);
    wait_for("the successor does not count what the stream has used", || {
        let status: Value = serde_json::from_str(&Client::connect(admin).get("/status").text()).ok()?;
        (status["teams"][0]["tokens_today"] == 14).then_some(())
    });
    let newest = last.pid();
    drop(last);
    wait_for("the last one does not end", || (!runs(newest)).then_some(()));
    assert_recorded(&folder, &HashSet::new());
}

#[test]
fn what_the_old_process_begins_beside_its_successor_counts_against_budgets_too() {
    let usage = r#""usage":{"input_tokens":5,"output_tokens":2},"content""#;
    let plain = provider::start([json(ANSWER.replacen(r#""content""#, usage, 1))]);
    let admin = free_address();
    let more = format!("admin: {{listen: '{admin}'}}\nteam_limits: {{tokens_per_day: 1000000}}\n");
    let running = start(gateway(), &yaml(&plain, &plain, &more));
    let (mut kept, last) = (Client::connect(running.address()), Last(&running));
    assert_eq!(kept.post("/v1/messages", &[], PROMPT).status, 200);
    let old = last.pid();
    signal(old, "-USR2");
    wait_for("no successor serves", || (last.pid() != old).then_some(()));
    let answer = kept.post("/v1/messages", &[], PROMPT);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "it is the old one that answers");
    drop(kept);
    wait_for("the one before it does not end", || (!runs(old)).then_some(()));
    let folder = running.folder().path().to_owned();
    wait_for("what was left behind is not chained", || {
        std::fs::read_dir(folder.join("airiskguard-data/left")).map_or(true, |it| it.count() == 0).then_some(())
    });
    wait_for("the successor does not count both requests, once each", || {
        let status: Value = serde_json::from_str(&Client::connect(admin).get("/status").text()).ok()?;
        (status["teams"][0]["tokens_today"] == 14).then_some(())
    });
    let newest = last.pid();
    drop(last);
    wait_for("the last one does not end", || (!runs(newest)).then_some(()));
    assert_recorded(&folder, &HashSet::new());
}

#[test]
fn a_successor_that_cannot_start_changes_nothing() {
    let plain = provider::start([json(ANSWER)]);
    let running = start(gateway(), &yaml(&plain, &plain, ""));
    let mut client = Client::connect(running.address());
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200);
    write(running.folder(), "gateway.yaml", "upstream: [no\n");
    signal(running.pid(), "-USR2");
    wait_for("it is not told", || running.log().contains("no other process has taken over").then_some(()));
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200, "it serves as before");
    drop(client);
    assert_eq!(running.stop().0, Some(0));
}

/// A gateway on sockets that someone else holds, as a service manager or a supervisor starts it.
fn on(socket: &TcpListener) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"", PROGRAM]);
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    command
}

#[test]
fn with_the_socket_in_other_hands_a_plain_restart_makes_clients_wait_and_fails_none() {
    let plain = provider::start([json(ANSWER)]);
    let streamed = provider::start([sse(anthropic_events(&["a", "b", "c"])).paced(Duration::from_millis(100))]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "gateway.yaml", &yaml(&plain, &streamed, ""));
    let (stop, mut folder) = (AtomicBool::new(false), Some(folder));
    let ids: HashSet<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|number| {
                let path = if number % 2 == 0 { "/v1/messages" } else { "/slow/v1/messages" };
                let stop = &stop;
                // A kept connection that is idle when its process stops is closed: those have their own test above.
                scope.spawn(move || ask(address, path, false, stop))
            })
            .collect();
        let mut clients = Some(clients);
        let mut ids = Vec::new();
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..3 {
                let running = start_in(folder.take().unwrap(), on(&socket));
                assert_eq!(running.address(), address);
                std::thread::sleep(Duration::from_millis(600));
                if round == 2 {
                    stop.store(true, Ordering::Release);
                    // The last of them still want their answers.
                    ids.extend(clients.take().into_iter().flatten().map(|it| it.join()));
                }
                folder = Some(running.stop_and_keep());
            }
        }));
        stop.store(true, Ordering::Release);
        rounds.unwrap();
        ids.into_iter().flat_map(|it| it.expect("a request failed")).collect()
    });
    assert!(ids.len() > 20, "{}", ids.len());
    assert_recorded(folder.unwrap().path(), &ids);
}
