//! Several addresses and keys of one provider: the next is used where nothing was done, and only there.

use std::time::{Duration, Instant};

use super::gateway::{self, Gateway};
use super::provider::{self, Answer, Provider, anthropic_events, json, sse};

const PROMPT: &str = r#"{"model":"claude-sonnet-4-6","messages":[{"role":"user","content":"hello"}]}"#;
const KEY: [(&str, &str); 1] = [("x-api-key", "gw-core-key")];

fn answer() -> Answer {
    json(r#"{"type":"message","content":[{"type":"text","text":"ok"}]}"#)
}

fn error(status: u16) -> Answer {
    json(r#"{"type":"error","error":{"type":"api_error","message":"as the provider says it"}}"#).status(status)
}

/// A gateway before these addresses, with these further settings of the upstream.
fn gateway_at(addresses: &[String], settings: &str) -> Gateway {
    let urls: Vec<String> = addresses.iter().map(|it| format!("'http://{it}'")).collect();
    let yaml = format!(
        "upstream: {{anthropic: {{urls: [{}], {settings}}}}}\nteams: {{core: {{api_keys: [gw-core-key]}}}}\n",
        urls.join(", ")
    );
    gateway::start_with(&yaml, None)
}

fn gateway_before(providers: &[&Provider], settings: &str) -> Gateway {
    let addresses: Vec<String> = providers.iter().map(|it| it.address.to_string()).collect();
    gateway_at(&addresses, settings)
}

/// An address at which nobody listens.
fn nobody() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn an_address_without_anyone_gives_way_and_is_left_alone() {
    let second = provider::start([answer()]);
    let settings = "api_key: one-key-of-ours, circuit: {failures_max: 2, open: 1h}";
    let gateway = gateway_at(&[nobody(), second.address.to_string()], settings);
    let mut client = gateway.connect();
    for _ in 0..4 {
        assert_eq!(client.post("/v1/messages", &KEY, PROMPT).status, 200);
    }
    assert!(second.requests().iter().all(|it| it.body == PROMPT.as_bytes()));
    assert_eq!(second.requests()[0].header("host"), Some(second.address.to_string().as_str()));
    gateway.wait_metric(r#"airiskguard_failovers_total{reason="not_at_all",upstream="anthropic"} 2"#);
    let status = gateway.admin("/status").1;
    assert!(status.contains(r#""circuit": "open""#) && !status.contains("one-key-of-ours"), "{status}");
}

#[test]
fn a_key_over_its_limits_gives_way_to_the_second() {
    let provider = provider::start([error(429).header("retry-after", "600"), answer()]);
    let gateway = gateway_before(&[&provider], "api_keys: [one-key-of-ours, two-keys-of-ours]");
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.post("/v1/messages", &KEY, PROMPT).status, 200);
    }
    let keys: Vec<_> = provider.requests().iter().map(|it| it.header("x-api-key").unwrap().to_owned()).collect();
    assert_eq!(keys, ["one-key-of-ours", "two-keys-of-ours", "two-keys-of-ours", "two-keys-of-ours"]);
    assert_eq!(provider.requests()[1].body, PROMPT.as_bytes());
    gateway.wait_metric(r#"airiskguard_key_backoffs_total{key="1",upstream="anthropic"} 1"#);
    assert!(gateway.events(3).iter().all(|it| it.upstream_status == Some(200)));
}

#[test]
fn where_no_other_is_left_the_provider_is_heard() {
    let provider = provider::start([error(429).header("retry-after", "7")]);
    let gateway = gateway_before(&[&provider], "api_keys: [one-key-of-ours, two-keys-of-ours]");
    let refused = gateway.connect().post("/v1/messages", &KEY, PROMPT);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("7")));
    assert!(refused.text().contains("as the provider says it"));
    assert_eq!(provider.requests().len(), 2);
}

#[test]
fn an_address_that_is_not_available_gives_way_for_the_same_key() {
    let (first, second) = (provider::start([error(503)]), provider::start([answer()]));
    let gateway = gateway_before(&[&first, &second], "api_key: one-key-of-ours");
    assert_eq!(gateway.connect().post("/v1/messages", &KEY, PROMPT).status, 200);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    assert_eq!(second.request().header("x-api-key"), Some("one-key-of-ours"));
}

#[test]
fn what_may_have_been_acted_upon_is_not_sent_again() {
    let second = provider::start([answer()]);
    for failing in [error(500), error(502), error(504), answer().breaking_off()] {
        let first = provider::start([failing]);
        let gateway = gateway_before(&[&first, &second], "api_key: one-key-of-ours");
        assert!(gateway.connect().post("/v1/messages", &KEY, PROMPT).status >= 500);
        assert_eq!(first.requests().len(), 1);
    }
    let first = provider::start([sse(anthropic_events(&["a", "b"])).breaking_off()]);
    let gateway = gateway_before(&[&first, &second], "api_key: one-key-of-ours");
    let mut client = gateway.connect();
    client.send("/v1/messages", &KEY, PROMPT);
    assert_eq!(client.read_head().status, 200);
    while client.chunk().flatten().is_some() {}
    assert_eq!(first.requests().len(), 1);
    assert_eq!(second.requests().len(), 0);
}

#[test]
fn a_circuit_opens_says_so_and_closes() {
    let provider = provider::start([error(503), error(503), answer()]);
    let gateway = gateway_before(&[&provider], "api_key: one-key-of-ours, circuit: {failures_max: 2, open: 1s}");
    for _ in 0..2 {
        assert_eq!(gateway.connect().post("/v1/messages", &KEY, PROMPT).status, 503);
    }
    let opened = Instant::now();
    let refused = gateway.connect().post("/v1/messages", &KEY, PROMPT);
    // Whoever is slower than the circuit finds it closed again.
    if opened.elapsed() < Duration::from_millis(900) {
        assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (529, Some("overloaded_error")));
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(provider.requests().len(), 2);
        // An exchange ends behind its answer, so the one before may be told later.
        let refusals = gateway.events(3).into_iter().filter_map(|it| it.refusal).collect::<Vec<_>>();
        assert_eq!(refusals, ["upstream_unavailable"]);
    }
    gateway.wait_metric(&format!(
        "airiskguard_circuits_opened_total{{address=\"http://{}\",upstream=\"anthropic\"}} 1",
        provider.address
    ));
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(gateway.connect().post("/v1/messages", &KEY, PROMPT).status, 200);
    gateway.wait_metric(&format!(
        "airiskguard_circuit_open{{address=\"http://{}\",upstream=\"anthropic\"}} 0",
        provider.address
    ));
}
