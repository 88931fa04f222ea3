//! Limits of teams, load that is shed, and clients that are too slow, over real connections.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::client::Client;
use super::gateway::{self, Gateway};
use super::program::{free_address, program, start, start_in};
use super::provider::{self, Provider, anthropic_events, json, jsonl, sse};

const PROMPT: &str = r#"{"model":"claude-sonnet-4-6","messages":[{"role":"user","content":"hello"}]}"#;
const ANSWER: &str = r#"{"type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{"type":"text","text":"ok"}],"usage":{"input_tokens":600,"output_tokens":400}}"#;
const KEY: [(&str, &str); 1] = [("x-api-key", "gw-core-key")];

/// A team with these limits, before a provider that counts a thousand tokens.
fn yaml(provider: &Provider, limits: &str) -> String {
    format!(
        "upstream: {{anthropic: {{url: 'http://{}', api_key: a-key-of-the-company}}}}\n\
         teams: {{core: {{api_keys: [gw-core-key], limits: {{{limits}}}}}, other: {{api_keys: [gw-other-key]}}}}\n",
        provider.address
    )
}

fn gateway_with(provider: &Provider, limits: &str) -> Gateway {
    gateway::start_with(&yaml(provider, limits), None)
}

#[test]
fn requests_beyond_the_rate_are_told_when_to_come_again() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway_with(&provider, "requests_per_minute: 2");
    let mut client = gateway.connect();
    for _ in 0..2 {
        assert_eq!(client.post("/v1/messages", &KEY, PROMPT).status, 200);
    }
    // A refusal comes before the body was read, which ends the connection.
    let refused = gateway.connect().post("/v1/messages", &KEY, PROMPT);
    assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds) && refused.header("x-should-retry").is_none(), "{:?}", refused.headers);
    assert_eq!(gateway.connect().post("/v1/messages/count_tokens", &KEY, PROMPT).status, 200);
    assert_eq!(gateway.connect().post("/v1/messages", &[("x-api-key", "gw-other-key")], PROMPT).status, 200);
    let events = gateway.events(5);
    let refusal = events.iter().find(|it| it.refusal.is_some()).unwrap();
    assert_eq!((refusal.refusal, refusal.team.as_str()), (Some("rate_limit_exceeded"), "core"));
    gateway.wait_metric(r#"airiskguard_limited_total{limit="requests_per_minute",team="core"} 1"#);
    gateway.wait_metric(r#"airiskguard_tokens_total{kind="input",team="core"} 1800"#);
}

#[test]
fn tokens_beyond_the_rate_hold_up_the_next_request() {
    let provider = provider::start([sse(anthropic_events(&["hello"]))]);
    let gateway = gateway_with(&provider, "tokens_per_minute: 10");
    assert_eq!(gateway.connect().post("/v1/messages", &KEY, PROMPT).status, 200);
    gateway.events(1);
    let refused = gateway.connect().post("/v1/messages", &KEY, PROMPT);
    assert_eq!(refused.status, 429, "fourteen tokens were used");
    assert!(refused.text().contains("10 tokens per minute"), "{}", refused.text());
}

#[test]
fn a_request_waits_for_its_turn_and_not_for_ever() {
    let provider = provider::start([json(ANSWER).after(Duration::from_millis(700)), json(ANSWER)]);
    let yaml = yaml(&provider, "requests_in_flight_max: 1");
    let gateway = gateway::start_with(&format!("{yaml}limits: {{queue_timeout: 5s}}\n"), None);
    let mut first = gateway.connect();
    first.send("/v1/messages", &KEY, PROMPT);
    gateway.wait_metric("airiskguard_active_requests 1");
    let mut second = gateway.connect();
    second.send("/v1/messages", &KEY, PROMPT);
    gateway.wait_metric("airiskguard_waiting_requests 1");
    assert_eq!((first.read().status, second.read().status), (200, 200));

    let provider = provider::start([sse(anthropic_events(&["a", "b", "c"])).paced(Duration::from_secs(1))]);
    let gateway = gateway_with(&provider, "requests_in_flight_max: 1");
    let mut stream = gateway.connect();
    stream.send("/v1/messages", &KEY, PROMPT);
    assert_eq!(stream.read_head().status, 200);
    let refused = gateway.connect().post("/v1/messages", &KEY, PROMPT);
    assert_eq!(refused.status, 429, "{}", refused.text());
    gateway.wait_metric(r#"airiskguard_limited_total{limit="requests_in_flight_max",team="core"} 1"#);
    assert_eq!(gateway.connect().post("/v1/messages", &[("x-api-key", "gw-other-key")], PROMPT).status, 200);
}

#[test]
fn what_was_used_before_a_restart_counts() {
    let provider = provider::start([json(ANSWER)]);
    let command = || program(&["--host", "127.0.0.1", "--port", "0"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let yaml = format!("{}admin: {{listen: '127.0.0.1:{port}'}}\n", yaml(&provider, "tokens_per_month: 2500"));
    let running = start(command(), &yaml);
    for _ in 0..3 {
        assert_eq!(Client::connect(running.address()).post("/v1/messages", &KEY, PROMPT).status, 200);
    }
    let refused = |address| {
        let begun = Instant::now();
        loop {
            let answer = Client::connect(address).post("/v1/messages", &KEY, PROMPT);
            if answer.status != 200 || begun.elapsed() > Duration::from_secs(60) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let answer = refused(running.address());
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json()["error"]["type"], "budget_exhausted");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert!(answer.header("retry-after").is_none() && answer.text().contains("2500 tokens per month"));
    let asked = provider.requests().len() as u64;
    // What was answered is in the journal a moment later.
    std::thread::sleep(Duration::from_millis(500));
    let running = start_in(running.kill(), command());
    let admin = running.addresses()[1];
    let status = || Client::connect(admin).get("/status").json();
    let begun = Instant::now();
    while status()["teams"][0]["tokens_this_month"] != asked * 1000 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let team = &status()["teams"][0];
    assert_eq!(team["tokens_this_month"], asked * 1000, "{team}");
    // 600 tokens at $3 and 400 at $15 for a million.
    assert_eq!(team["cost_today"], format!("{:.4}", 0.0078 * asked as f64));
    assert_eq!(refused(running.address()).status, 400);
    assert_eq!(provider.requests().len() as u64, asked, "nothing was sent after the restart");
}

/// Waits until so many were counted: what ends last is counted behind its last byte.
fn wait_for_tokens(used: impl Fn() -> u64, expected: u64) {
    let begun = Instant::now();
    while used() != expected && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(used(), expected);
}

#[test]
fn answers_that_are_fetched_count_once_and_those_of_a_batch_count() {
    let kept = r#"{"id":"resp_1","object":"response","model":"gpt-a","output":[],"usage":{"input_tokens":30,"output_tokens":20}}"#;
    let line = |id: &str| {
        format!(
            "{{\"custom_id\":\"{id}\",\"result\":{{\"type\":\"succeeded\",\"message\":{{\"id\":\"{id}\",\"model\":\"claude-a\",\
             \"content\":[],\"usage\":{{\"input_tokens\":100,\"output_tokens\":50}}}}}}}}\n"
        )
    };
    let results = jsonl([line("msg_1"), line("msg_2")].concat());
    let answers = [json(kept), json(kept), json(kept), results.clone(), results, json(kept)];
    let provider = provider::start(answers);
    let admin = free_address();
    let yaml = format!("{}admin: {{listen: '{admin}'}}\n", yaml(&provider, "tokens_per_day: 100000")).replace(
        "upstream: {",
        &format!("upstream: {{openai: {{url: 'http://{}', api_key: another-key}}, ", provider.address),
    );
    let running = start(program(&["--host", "127.0.0.1", "--port", "0"]), &yaml);
    let ask = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: g\r\nx-api-key: {}\r\n\r\n", KEY[0].1);
        Client::connect(running.address()).write(head).read().status
    };
    let used = || Client::connect(admin).get("/status").json()["teams"][0]["tokens_today"].as_u64().unwrap();
    let mut client = Client::connect(running.address());
    assert_eq!(client.post("/v1/responses", &KEY, r#"{"model":"gpt-a","input":"hello"}"#).status, 200);
    wait_for_tokens(used, 50);
    for _ in 0..2 {
        assert_eq!(ask("/v1/responses/resp_1"), 200);
    }
    assert_eq!(ask("/v1/messages/batches/msgbatch_1/results"), 200);
    wait_for_tokens(used, 350);
    assert_eq!(ask("/v1/messages/batches/msgbatch_1/results"), 200);
    assert_eq!(client.post("/v1/responses", &KEY, r#"{"model":"gpt-a","input":"hello"}"#).status, 200);
    wait_for_tokens(used, 400);
    assert_eq!(ask("/v1/messages/batches"), 404, "the batches of all teams");
}

#[test]
fn a_full_gateway_turns_new_requests_away_and_cuts_no_stream() {
    let events = anthropic_events(&["one ", "two ", "three"]);
    let provider = provider::start([sse(events.clone()).paced(Duration::from_millis(300)), json(ANSWER)]);
    let gateway = gateway::start(&provider, "limits: {requests_max: 1}");
    let mut stream = gateway.connect();
    stream.send("/v1/messages", &[], PROMPT);
    assert_eq!(stream.read_head().status, 200);
    let refused = gateway.connect().post("/v1/messages", &[], PROMPT);
    assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (529, Some("overloaded_error")));
    assert!(refused.header("retry-after").is_some() && refused.header("x-should-retry").is_none());
    let other = gateway.connect().post("/v1/chat/completions", &[], PROMPT);
    assert_eq!((other.status, other.json()["error"]["code"].as_str()), (503, Some("overloaded")));
    let mut seen = Vec::new();
    while let Some(Some(chunk)) = stream.chunk() {
        seen.extend(chunk);
    }
    assert_eq!(String::from_utf8(seen).unwrap(), events.concat());
    gateway.wait_metric(r#"airiskguard_shed_total{reason="full"} 2"#);
    assert_eq!(gateway.events(3).iter().filter(|it| it.refusal == Some("overloaded")).count(), 2);
}

#[test]
fn a_client_has_so_many_connections() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {connections_per_client_max: 2}");
    let (mut one, mut two) = (gateway.connect(), gateway.connect());
    assert_eq!((one.get("/health").status, two.get("/health").status), (200, 200));
    assert!(gateway.connect().is_closed());
    gateway.wait_metric(r#"airiskguard_shed_total{reason="client_connections"} 1"#);
    drop(one);
    gateway.wait_metric("airiskguard_connections 1");
    assert_eq!(gateway.connect().get("/health").status, 200);
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    let large = format!("{{\"text\":\"{}\"}}", "word ".repeat(4 << 20));
    // The provider's own errors are passed on as they come: nothing of this is held or scanned.
    let provider = provider::start([json(large).status(400)]);
    let gateway = gateway::start(&provider, "limits: {send_timeout: 1s, send_rate_min: 1GiB}");
    let mut client = gateway.connect();
    client.send("/v1/messages", &[], PROMPT);
    // The body does not fit into what lies between the two.
    gateway.wait_metric(r#"airiskguard_slow_clients_total{side="reading"} 1"#);
    gateway.wait_metric("airiskguard_held_bytes 0");
    gateway.wait_metric("airiskguard_active_requests 0");
}

#[test]
fn a_body_that_dribbles_is_a_408() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {body_rate_min: 1MiB, body_timeout: 50s}");
    let mut client = gateway.connect();
    client.write("POST /v1/messages HTTP/1.1\r\nhost: g\r\ncontent-length: 100000\r\n\r\n{");
    let mut dribble = client.clone_stream();
    dribble.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let writing = dribble.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut writing = writing;
        while writing.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let begun = Instant::now();
    let mut answer = [0; 12];
    dribble.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(40), "earlier than the body as a whole is due");
    gateway.wait_metric(r#"airiskguard_slow_clients_total{side="sending"} 1"#);
    assert_eq!(provider.connections(), 0);
}
