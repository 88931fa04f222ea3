//! Streamed answers: passed on as they come, ended properly where a policy stops them.

use std::time::{Duration, Instant};

use super::client::Client;
use super::gateway::{self, QUICK_START};
use super::provider::{self, anthropic_events, json, sse};

const PROMPT: &str = r#"{"model":"m","messages":[{"role":"user","content":"say hello"}],"stream":true}"#;
const PACE: Duration = Duration::from_millis(200);

/// The chunks of an answer until its proper end.
fn rest(client: &mut Client) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(chunk) = client.chunk().expect("the stream breaks off") {
        all.extend(chunk);
    }
    all
}

#[test]
fn events_arrive_as_they_are_sent_and_unchanged() {
    let events = anthropic_events(&["Hello ", "there, ", "you."]);
    let provider = provider::start([sse(events.clone()).paced(PACE), json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    let started = Instant::now();
    client.send("/v1/messages", &[], PROMPT);
    let head = client.read_head();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(head.header("content-length"), None);
    let first = client.chunk().unwrap().unwrap();
    assert!(started.elapsed() < PACE * 3, "the first event waited: {:?}", started.elapsed());
    let all = [first, rest(&mut client)].concat();
    assert_eq!(String::from_utf8(all).unwrap(), events.concat());
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200, "the connection is kept");
    assert_eq!(provider.connections(), 1);
    let event = &gateway.events(2)[0];
    assert!(event.streamed && event.outcome.name() == "forwarded");
    gateway.wait_metric("airiskguard_active_streams 0");
}

#[test]
fn a_stop_ends_the_stream_properly_and_drops_the_provider() {
    let mut events =
        anthropic_events(&["```python\ncur", "sor.execute(f\"SELECT * FROM users WHE", "RE id = {user_id}\")\n```\n"]);
    // A provider that goes on for a minute after what is stopped.
    let tail = events.split_off(5);
    events.extend(std::iter::repeat_n("event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned(), 300));
    events.extend(tail);
    let provider = provider::start([sse(events).paced(PACE), json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    client.send("/v1/messages", &[], PROMPT);
    assert_eq!(client.read_head().status, 200);
    let all = String::from_utf8(rest(&mut client)).unwrap();
    assert!(!all.contains("{user_id}") && all.contains("message_stop"), "{all}");
    provider.wait_cancelled(1);
    let event = &gateway.events(1)[0];
    assert_eq!(event.outcome.name(), "stopped");
    let other = PROMPT.replace("hello", "something else");
    assert_eq!(client.post("/v1/messages", &[], other).status, 200, "the connection is kept");
}

#[test]
fn a_client_that_leaves_cancels_the_provider() {
    let provider = provider::start([sse(anthropic_events(&["a"; 300])).paced(Duration::from_millis(50))]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    client.send("/v1/messages", &[], PROMPT);
    client.read_head();
    drop(client);
    provider.wait_cancelled(1);
    assert_eq!(gateway.events(1)[0].outcome.name(), "cancelled");
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_as_well() {
    let provider = provider::start([json("{}").after(Duration::from_secs(30))]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    client.send("/v1/messages", &[], PROMPT);
    while provider.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(client);
    provider.wait_cancelled(1);
    assert_eq!(gateway.events(1)[0].outcome.name(), "cancelled");
}

#[test]
fn a_provider_that_breaks_off_a_stream_is_seen_to() {
    let provider =
        provider::start([sse(anthropic_events(&["a", "b"])).paced(Duration::from_millis(20)).breaking_off()]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    client.send("/v1/messages", &[], PROMPT);
    client.read_head();
    while let Some(chunk) = client.chunk() {
        assert!(chunk.is_some(), "a broken stream must not look complete");
    }
    assert_eq!(gateway.events(1)[0].outcome.name(), "upstream_failed");
}

#[test]
fn an_exchange_ends_at_its_deadline() {
    let provider = provider::start([json("{}").after(Duration::from_secs(30))]);
    let gateway = gateway::start(&provider, "limits: {total_timeout: 1s}");
    let started = Instant::now();
    let answer = gateway.connect().post("/v1/messages", &[], PROMPT);
    assert_eq!(answer.status, 502);
    assert!(started.elapsed() < Duration::from_secs(3));
    provider.wait_cancelled(1);
}
