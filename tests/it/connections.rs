//! Client and provider connections: reuse, retries, heads that are too slow, too large or two things at once.

use std::time::{Duration, Instant};

use super::gateway::{self, QUICK_START};
use super::provider::{self, json};

const PROMPT: &str = r#"{"model":"m","messages":[{"role":"user","content":"say hello"}]}"#;

#[test]
fn both_sides_keep_their_connection() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    for _ in 0..5 {
        assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200);
    }
    assert_eq!(provider.connections(), 1);
    gateway.wait_metric("airiskguard_connections 1");
}

#[test]
fn a_pooled_connection_that_died_is_tried_again_with_the_whole_body() {
    let provider = provider::start([json("{}").then_close(), json("{\"second\":true}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200);
    let large = PROMPT.replace("hello", &"hello ".repeat(200_000));
    let answer = client.post("/v1/messages", &[], &large);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"second\":true}"));
    let requests = provider.requests();
    assert!(requests.last().unwrap().body == large.as_bytes(), "the whole body was not sent again");
    assert_eq!((requests.last().unwrap().connection, provider.connections()), (2, 2));
    assert_eq!(gateway.events(2)[1].outcome.name(), "forwarded");
}

#[test]
fn what_a_provider_may_have_worked_on_is_not_sent_again() {
    let provider =
        provider::start([json("{}"), provider::silence(Duration::from_millis(1_500)), json("{\"second\":true}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200);
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 502);
    assert_eq!((provider.requests().len(), provider.connections()), (2, 1));
}

#[test]
fn probes_need_no_key_and_leave_no_event() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    for path in ["/health", "/healthz", "/api/hello"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{\"status\":\"ok\"}"), "{path}");
    }
    client.write("HEAD / HTTP/1.1\r\nhost: g\r\n\r\n");
    assert_eq!(client.read_head().status, 200);
    assert_eq!(provider.connections(), 0);
    assert!(gateway.events(0).is_empty());
}

#[test]
fn an_upgrade_is_answered_with_426() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    client.write("GET /v1/responses HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert_eq!(client.read().status, 426);
    assert_eq!(provider.connections(), 0);
}

#[test]
fn smuggling_shapes_are_refused_and_the_rest_is_never_a_request() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let hidden = "GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 5",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip, chunked",
    ] {
        let mut client = gateway.connect();
        client.write(format!("POST /v1/messages HTTP/1.1\r\nhost: g\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}"));
        assert_eq!(client.read_head().status, 400, "{framing}");
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(provider.connections(), 0);
}

#[test]
fn a_head_has_a_size_and_a_deadline() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {header_timeout: 1s, header_bytes_max: 2000}");
    let large = gateway.connect().post("/v1/messages", &[("x-much", &"y".repeat(3000))], PROMPT);
    assert_eq!(large.status, 400);

    let mut slow = gateway.connect();
    let started = Instant::now();
    slow.write("POST /v1/messages HTTP/1.1\r\n");
    let mut dribble = slow.clone_stream();
    std::thread::spawn(move || {
        use std::io::Write;
        while dribble.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(slow.is_closed());
    assert!(started.elapsed() >= Duration::from_millis(900) && started.elapsed() < Duration::from_secs(3));

    let mut silent = gateway.connect();
    assert!(silent.is_closed(), "a connection that says nothing is closed");
    gateway.wait_metric("airiskguard_connections 0");
}

#[test]
fn an_idle_connection_is_closed_in_its_time_and_the_next_head_has_its_own() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {header_timeout: 1s, idle_timeout: 2s}");
    let mut client = gateway.connect();
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200);
    std::thread::sleep(Duration::from_millis(1300));
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200, "idle longer than a head may take");
    let started = Instant::now();
    assert!(client.is_closed());
    assert!(started.elapsed() >= Duration::from_millis(1500) && started.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_body_that_does_not_come_is_a_408() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {body_timeout: 1s}");
    let mut client = gateway.connect();
    client.write("POST /v1/messages HTTP/1.1\r\nhost: g\r\ncontent-length: 100\r\n\r\n{");
    assert_eq!(client.read().status, 408);
    assert_eq!(provider.connections(), 0);
}

#[test]
fn more_connections_than_allowed_wait() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, "limits: {connections_max: 2}");
    let (mut one, mut two) = (gateway.connect(), gateway.connect());
    assert_eq!((one.get("/health").status, two.get("/health").status), (200, 200));
    let address = gateway.address;
    let waiting = std::thread::spawn(move || super::client::Client::connect(address).get("/health").status);
    std::thread::sleep(Duration::from_millis(200));
    assert!(!waiting.is_finished());
    drop(one);
    assert_eq!(waiting.join().unwrap(), 200);
}
