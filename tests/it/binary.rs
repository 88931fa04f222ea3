//! The program itself, as an administrator starts it: the seed's quick start, exit codes, inherited sockets, the log.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use super::client::Client;
use super::program::{PROGRAM, program, start, write};
use super::provider::{self, Provider, json};

const ANSWER: &str = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}"#;

/// `gateway.yaml` of the quick start, with nothing but the two addresses changed.
fn quick_start(provider: &Provider) -> String {
    let (anthropic, openai) = ("https://api.anthropic.com", "https://api.openai.com");
    let address = format!("http://{}", provider.address);
    format!(
        "upstream:\n  anthropic: {anthropic}\n  openai: {openai}\n\
         checks:\n  outbound: [secrets, compliance, agent]\n  inbound: [vuln, agent]\n\
         policies:\n  - name: block_secrets\n    condition: {{checker: secrets, risk: \">= high\"}}\n    action: block\n\
         \x20 - name: block_vuln_code\n    condition: {{checker: vuln, risk: \">= high\"}}\n    action: block\n\
         redact_secrets: true\n"
    )
    .replace(anthropic, &address)
    .replace(openai, &address)
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The seed's own connection string, in two parts so that it never stands whole in a source line.
fn connection_string() -> String {
    ["post", "gresql://admin:MyP@ssw0rd@prod.db.company.com/app"].concat()
}

#[test]
fn the_quick_start_works_as_pasted() {
    let provider = provider::start([json(ANSWER)]);
    let running = start(program(&["--host", "127.0.0.1", "--port", "0"]), &quick_start(&provider));
    let body = |value: &str| {
        format!(
            r#"{{"model": "claude-sonnet-4-6",  "messages":[{{"role":"user","content":"DATABASE_URL={value}\nwhy?"}}]}}"#
        )
    };
    let mut client = Client::connect(running.address());
    let answer =
        client.post("/v1/messages?beta=true", &[("x-api-key", "the developer's own")], body(&connection_string()));
    assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
    let received = provider.request();
    assert_eq!(text(&received.body), body("[REDACTED:DB_CONNECTION_STRING]"));
    assert_eq!(received.header("x-api-key"), Some("the developer's own"));
    drop(client);
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("secrets.databases.url"), "no record of the exchange: {log}");
    for secret in [connection_string().as_str(), "MyP@ssw0rd", "the developer's own"] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

#[test]
fn a_socket_of_the_service_manager_is_taken_over() {
    let provider = provider::start([json(ANSWER)]);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // The shell puts the socket where a service manager would, and becomes the gateway.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"", PROGRAM]);
    command.stdin(Stdio::from(OwnedFd::from(socket)));
    let running = start(command, &quick_start(&provider));
    assert_eq!(running.address(), address);
    let answer = Client::connect(address).post("/v1/messages", &[], r#"{"model":"m","messages":[]}"#);
    assert_eq!(answer.status, 200);
    assert_eq!(running.stop().0, Some(0));
}

#[test]
fn check_explains_a_good_file_and_points_into_a_bad_one() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(&folder, "good.yaml", "upstream: {anthropic: https://api.anthropic.com}\n");
    let bad = write(&folder, "bad.yaml", "upstream: {anthropic: https://api.anthropic.com}\nredact_secret: true\n");
    let output = run(&["check", "--config", good.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("everyone is the team `default`"));
    let output = run(&["check", "--config", bad.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("bad.yaml:2:1") && message.contains("redact_secrets"), "{message}");
    assert_eq!(run(&["check", "--no-such-flag"], "").status.code(), Some(2));
    let output = run(&["check", "--config", "/nowhere/gateway.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read"), "{}", text(&output.stderr));
}

#[test]
fn scan_reads_lines_and_prints_a_line_for_each() {
    let line = |id: u32, text: &str| format!("{}\n", serde_json::json!({"id": id, "text": text}));
    let prompt = format!("url = {}", connection_string());
    let output = run(&["scan", "--jsonl"], &(line(1, &prompt) + &line(2, "nothing to see")));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let finding = &lines[0]["findings"][0];
    assert_eq!(
        (finding["type"].as_str(), finding["checker"].as_str()),
        (Some("DB_CONNECTION_STRING"), Some("secrets"))
    );
    let (start, end) = (finding["start"].as_u64().unwrap() as usize, finding["end"].as_u64().unwrap() as usize);
    assert_eq!(&prompt[start..end], connection_string());
    assert_eq!(lines[1], serde_json::json!({"id": 2, "findings": [], "action": "allow"}));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(run(&["scan", "--jsonl"], &line(3, "fine")).status.code(), Some(0));
    let wrong = run(&["scan", "--jsonl"], "{\"id\":1}\n");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("line 1"), "{}", text(&wrong.stderr));
}

#[test]
fn a_generated_key_opens_the_gateway_by_its_digest() {
    let output = text(&run(&["keygen", "--team", "blue"], "").stdout);
    let key = output.lines().find(|line| line.contains("gw-blue-")).unwrap().trim();
    let digest = output.lines().find(|line| line.contains("sha256:")).unwrap().trim().trim_start_matches("- ");
    let provider = provider::start([json(ANSWER)]);
    let yaml = format!(
        "upstream: {{anthropic: {{url: \"http://{}\", api_key: a-key-of-the-company}}}}\nteams: {{blue: {{api_keys: [\"{digest}\"]}}}}\n",
        provider.address
    );
    let running = start(program(&["--host", "127.0.0.1", "--port", "0"]), &yaml);
    let mut client = Client::connect(running.address());
    let body = r#"{"model":"m","messages":[]}"#;
    assert_eq!(client.post("/v1/messages", &[("authorization", &format!("Bearer {key}"))], body).status, 200);
    assert_eq!(provider.request().header("x-api-key"), Some("a-key-of-the-company"));
    assert_eq!(client.post("/v1/messages", &[("x-api-key", "gw-blue-guessed")], body).status, 401);
    drop(client);
    let (_, log) = running.stop();
    assert!(!log.contains(key) && !log.contains("a-key-of-the-company"), "a key stands in the log");
}
