//! A configuration that changes while the program serves: by signal and by file, good and bad, under load.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::program::{PROGRAM, Running, free_address, program, start, start_in, write};
use super::provider::{self, Provider, anthropic_events, json, sse};

const ANSWER: &str = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}"#;

fn gateway() -> Command {
    program(&["--host", "127.0.0.1", "--port", "0"])
}

/// The start of a configuration. It asks for a free port, so it is made once in a test.
fn head(provider: &Provider) -> String {
    format!("upstream: {{anthropic: 'http://{}'}}\nadmin: {{listen: '{}'}}\n", provider.address, free_address())
}

/// A made-up key that is found.
fn key() -> String {
    ["AKIA", "Q3EGRW7TMZ5KX4PB"].concat()
}

fn prompt() -> String {
    let text = format!("aws_access_key_id = {}", key());
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

fn signal(running: &Running, name: &str) {
    let sent = Command::new("kill").args([name, &running.pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// An answer of the admin listener.
fn admin(running: &Running, path: &str) -> String {
    let mut stream = TcpStream::connect(running.addresses()[1]).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn configuration(running: &Running) -> Value {
    serde_json::from_str(&admin(running, "/config")).unwrap()
}

/// Until so many configurations were put in force since the start, and all that tells of it does.
fn wait_for_reloads(running: &Running, count: usize) {
    let line = format!("airiskguard_config_reloads_total {count}\n");
    wait_for("the configuration is not in force", || admin(running, "/metrics").contains(&line));
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Names and details of the acts in the audit log.
fn acts(folder: &tempfile::TempDir) -> Vec<(String, Value)> {
    let arguments = ["audit", "search", "--config", "gateway.yaml", "--kind", "act", "--json", "--limit", "1000"];
    let output = Command::new(PROGRAM).current_dir(folder.path()).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.map(|it| (it["act"]["act"].as_str().unwrap().to_owned(), it["act"]["details"].clone())).collect()
}

#[test]
fn a_signal_puts_a_file_in_force_and_a_bad_one_changes_nothing() {
    let provider = provider::start([json(ANSWER)]);
    let head = head(&provider);
    let running = start(gateway(), &format!("{head}redact_secrets: true\n"));
    let mut client = Client::connect(running.address());
    assert_eq!(client.post("/v1/messages", &[], prompt()).status, 200);
    let first = configuration(&running);
    assert_eq!((&first["reloads"], &first["refused"]), (&Value::from(0), &Value::Null));

    let blocking = "redact_secrets: false\npolicies: [{name: stop, condition: {checker: secrets}, action: block}]\n";
    write(running.folder(), "gateway.yaml", &format!("{head}{blocking}"));
    signal(&running, "-HUP");
    wait_for_reloads(&running, 1);
    assert_ne!(configuration(&running)["generation"], first["generation"]);
    assert_eq!(client.post("/v1/messages", &[], prompt()).status, 400, "the same connection, the new rules");

    let hidden = "a-key-nobody-may-see";
    let bad = format!("redact_secret: true\nteams: {{blue: {{api_keys: [{hidden}]}}}}\n");
    write(running.folder(), "gateway.yaml", &format!("{head}{bad}"));
    signal(&running, "-HUP");
    wait_for("the bad file is not refused", || configuration(&running)["refused"] != Value::Null);
    let told = configuration(&running);
    assert!(told["refused"]["why"].as_str().unwrap().contains("gateway.yaml:3:1"), "{told}");
    assert_eq!((&told["reloads"], &told["failures"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(client.post("/v1/messages", &[], prompt()).status, 400, "the policies before it stay in force");
    let metrics = admin(&running, "/metrics");
    for line in [
        "airiskguard_config_reloads_total 1",
        "airiskguard_config_reload_failures_total 1",
        "airiskguard_config_last_reload_success 0",
        "airiskguard_config_last_reload_success_timestamp_seconds 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }

    write(running.folder(), "gateway.yaml", &format!("{head}{blocking}"));
    signal(&running, "-HUP");
    wait_for_reloads(&running, 2);
    assert_eq!(configuration(&running)["refused"], Value::Null);
    assert!(admin(&running, "/metrics").contains("airiskguard_config_last_reload_success 1"));
    let log = running.log();
    assert!(log.contains("the configuration is refused") && log.contains("gateway.yaml:3:1"), "{log}");
    assert!(!log.contains(hidden) && !log.contains(&key()), "a key stands in the log");
    drop(client);
    let folder = running.stop_and_keep();
    let acts = acts(&folder);
    let named = |name: &str| acts.iter().filter(|(it, _)| it == name).map(|(_, details)| details).collect::<Vec<_>>();
    assert_eq!((named("config.reloaded").len(), named("config.refused").len()), (2, 1), "{acts:?}");
    let refused = named("config.refused")[0];
    assert_eq!(refused["cause"], "signal");
    assert!(refused["why"].as_str().unwrap().contains("redact_secrets"), "{refused}");
    assert!(!format!("{acts:?}").contains(hidden));
}

#[test]
fn a_file_that_changes_is_noticed_and_so_are_those_it_refers_to() {
    let provider = provider::start([json(ANSWER)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "provider.key", "first-key-of-the-company\n");
    write(&folder, "house.yaml", "rules: []\n");
    let head = format!(
        "upstream: {{anthropic: {{url: 'http://{}', api_key_file: provider.key}}}}\nadmin: {{listen: '{}'}}\nopen_access: true\n",
        provider.address,
        free_address()
    );
    write(&folder, "gateway.yaml", &head);
    let running = start_in(folder, gateway());
    let mut client = Client::connect(running.address());
    let mut sent = || {
        assert_eq!(client.post("/v1/messages", &[], r#"{"model":"m","messages":[]}"#).status, 200);
        provider.requests().last().unwrap().header("x-api-key").unwrap().to_owned()
    };
    assert_eq!(sent(), "first-key-of-the-company");
    write(running.folder(), "provider.key", "second-key-of-the-company\n");
    wait_for_reloads(&running, 1);
    assert_eq!(sent(), "second-key-of-the-company");

    write(
        running.folder(),
        "gateway.yaml",
        &format!("{head}port: 1\nlimits: {{connections_max: 7}}\non_unscannable: flag\n"),
    );
    wait_for_reloads(&running, 2);
    // The port is the command line's all along.
    assert_eq!(configuration(&running)["waits_for_restart"], serde_json::json!(["limits.connections_max"]));
    assert!(admin(&running, "/metrics").contains("airiskguard_config_restart_needed 1"));
    assert!(running.log().contains("`limits.connections_max` has changed and waits for a restart"));
    assert_eq!(sent(), "second-key-of-the-company");

    std::fs::remove_file(running.folder().path().join("provider.key")).unwrap();
    wait_for("the missing key is not told of", || configuration(&running)["refused"] != Value::Null);
    assert_eq!(sent(), "second-key-of-the-company");
    write(running.folder(), "provider.key", "third-key-of-the-company\n");
    wait_for_reloads(&running, 3);
    assert_eq!(sent(), "third-key-of-the-company");
    // As it is, but written again.
    write(running.folder(), "provider.key", "third-key-of-the-company\n");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(configuration(&running)["reloads"], 3);
    let log = running.stop().1;
    assert!(!log.contains("-key-of-the-company"), "a key stands in the log");
}

#[test]
fn the_service_manager_is_told_of_a_reload_and_its_end() {
    let provider = provider::start([json(ANSWER)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut message = [0; 1000];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut command = gateway();
    command.env("NOTIFY_SOCKET", &path);
    let running = start(command, &head(&provider));
    assert_eq!(heard().trim(), "READY=1");
    signal(&running, "-HUP");
    let reloading = heard();
    assert!(reloading.contains("RELOADING=1") && reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(heard().trim(), "READY=1");
    assert_eq!(configuration(&running)["reloads"], 1);
    running.stop();
    assert_eq!(heard().trim(), "STOPPING=1");
}

#[test]
fn reloads_under_load_fail_no_request_and_change_no_result() {
    let events = anthropic_events(&["one ", "two ", "three ", "four ", "five"]);
    let plain = provider::start([json(ANSWER)]);
    let streamed = provider::start([sse(events).paced(Duration::from_millis(40))]);
    let admin = free_address();
    let configuration_of = |more: &str| {
        format!(
            "upstream: {{anthropic: 'http://{}', slow: {{url: 'http://{}', dialect: anthropic}}}}\n\
             admin: {{listen: '{admin}'}}\nredact_secrets: true\n{more}",
            plain.address, streamed.address
        )
    };
    let running = start(gateway(), &configuration_of(""));
    let (address, stop, answered) = (running.address(), AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in 0..4 {
            let (stop, answered) = (&stop, &answered);
            scope.spawn(move || {
                let mut connection = Client::connect(address);
                while !stop.load(Ordering::Acquire) {
                    let path = if client % 2 == 0 { "/v1/messages" } else { "/slow/v1/messages" };
                    let answer = connection.post(path, &[], prompt());
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let text = answer.text();
                    assert!(text == ANSWER || text.contains("message_stop") && text.contains("five"), "{text}");
                    answered.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        for round in 0..5 {
            let more = ["", "policies: [{name: more, condition: {checker: vuln, risk: critical}, action: block}]\n"];
            write(running.folder(), "gateway.yaml", &configuration_of(more[round % 2]));
            let answered_before = answered.load(Ordering::Acquire);
            signal(&running, "-HUP");
            // A test that fails stops its clients first.
            let in_force = std::panic::catch_unwind(|| {
                wait_for_reloads(&running, round + 1);
                wait_for("nobody is answered", || answered.load(Ordering::Acquire) > answered_before + 5);
            });
            if let Err(failed) = in_force {
                stop.store(true, Ordering::Release);
                std::panic::resume_unwind(failed);
            }
        }
        stop.store(true, Ordering::Release);
    });
    let told = configuration(&running);
    assert!(told["reloads"] == 5 && told["failures"] == 0, "{told}");
    for received in plain.requests().iter().chain(&streamed.requests()) {
        let body = String::from_utf8_lossy(&received.body).into_owned();
        assert!(!body.contains(&key()) && body.contains("[REDACTED:"), "{body}");
    }
    assert_eq!(running.stop().0, Some(0));
}
