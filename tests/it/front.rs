//! Behind a balancer: whose address is recorded and counted, and what the provider does not learn.

use crate::gateway;
use crate::provider::{self, json};

const ANSWER: &str = r#"{"type":"message","content":[{"type":"text","text":"hello"}]}"#;
const PROMPT: &str = r#"{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;

#[test]
fn what_a_trusted_balancer_says_of_the_client_is_recorded_and_goes_no_further() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, "trusted_proxies: [127.0.0.0/8]\n");
    let said = [("x-forwarded-for", "198.51.100.9, 192.0.2.1"), ("x-real-ip", "192.0.2.1"), ("x-other", "stays")];
    assert_eq!(gateway.connect().post("/v1/messages", &said, PROMPT).status, 200);
    assert_eq!(gateway.events(1)[0].client.unwrap().to_string(), "192.0.2.1");
    let sent = &provider.requests()[0].headers;
    assert!(!sent.iter().any(|(name, _)| name == "x-forwarded-for" || name == "x-real-ip"), "{sent:?}");
    assert!(sent.iter().any(|(name, _)| name == "x-other"));
}

#[test]
fn nobody_else_is_believed() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, "trusted_proxies: [192.0.2.0/24]\n");
    assert_eq!(gateway.connect().post("/v1/messages", &[("x-forwarded-for", "192.0.2.1")], PROMPT).status, 200);
    assert_eq!(gateway.events(1)[0].client.unwrap().to_string(), "127.0.0.1");
}

#[test]
fn a_proxy_header_names_the_client_and_its_connections_are_counted_by_it() {
    let provider = provider::start([json(ANSWER), json(ANSWER)]);
    let settings = "trusted_proxies: [127.0.0.1]\nproxy_protocol: true\nlimits: {connections_per_client_max: 1}\n";
    let gateway = gateway::start(&provider, settings);
    let connect = |client: &str| {
        let mut connection = gateway.connect();
        connection.write(format!("PROXY TCP4 {client} 127.0.0.1 4711 80\r\n"));
        connection
    };
    let mut one = connect("192.0.2.1");
    assert_eq!(one.post("/v1/messages", &[], PROMPT).status, 200);
    assert_eq!(gateway.events(1)[0].client.unwrap().to_string(), "192.0.2.1");
    assert!(connect("192.0.2.1").is_closed(), "one connection for each client");
    assert_eq!(connect("192.0.2.2").post("/v1/messages", &[], PROMPT).status, 200);
    let mut without = gateway.connect();
    without.write("GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n");
    assert!(without.is_closed(), "a connection without the header is nobody's");
}
