//! The control plane in the gateway's own process: one program, one database, its pages on the admin listener.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::program::{Running, free_address, program, start, start_in};
use crate::provider::{self, json as answer};
use crate::server::{self, PASSWORD};

const ANSWER: &str = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}"#;
const PROMPT: &str = r#"{"model":"claude-sonnet-4-6","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}"#;

/// The first owner of this gateway's control plane.
fn owner(runtime: &tokio::runtime::Runtime, running: &Running) -> server::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).build();
    let url = format!("http://{}", running.addresses()[1]);
    let mut owner = server::Client { http: http.unwrap(), url, csrf: None, token: None };
    let token = std::fs::read_to_string(running.folder().path().join("airiskguard-data/setup-token")).unwrap();
    runtime.block_on(async {
        owner.post("/api/v1/setup", json!({"token": token, "name": "olga", "password": PASSWORD})).await.ok();
        owner.remember().await;
    });
    owner
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn one_process_is_gateway_and_control_plane() {
    let provider = provider::start([answer(ANSWER)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let yaml = format!("control: {{embedded: true}}\nadmin: {{listen: '{}'}}\n", free_address());
    let command = || program(&["--host", "127.0.0.1", "--port", "0"]);
    let running = start(command(), &yaml);
    let ask = |running: &Running, key: &str| {
        Client::connect(running.address()).post("/v1/messages", &[("x-api-key", key)], PROMPT).status
    };
    assert_ne!(ask(&running, "gw-made-up"), 200, "nobody is served before there is a policy");
    let owner = owner(&runtime, &running);
    let post = |path: &str, body: Value| runtime.block_on(owner.post(path, body)).ok();
    let url = format!("http://{}", provider.address);
    post("/api/v1/providers", json!({"name": "anthropic", "settings": {"urls": [url], "dialect": "anthropic"}}));
    let provider_key = ["made", "up", "for", "tests"].join("-");
    post("/api/v1/providers/anthropic/keys", json!({"name": "main", "key": provider_key}));
    post("/api/v1/teams", json!({"name": "red"}));
    let made = post("/api/v1/teams/red/keys", json!({"name": "laptops"}));
    let key = made["key"].as_str().unwrap().to_owned();

    until("the key holds", || ask(&running, &key) == 200);
    let sent = provider.requests().pop().unwrap();
    assert!(sent.headers.iter().any(|(name, value)| name == "x-api-key" && *value == provider_key));
    until("the request is in the audit log", || {
        let records = runtime.block_on(owner.get("/api/v1/records?team=red")).ok();
        records.to_string().contains("\"team\":\"red\"")
    });
    // What the gateway itself answers operators stays where it was.
    let metrics = Client::connect(running.addresses()[1]).get("/metrics").text();
    assert!(metrics.contains("airiskguard_requests_total"), "{metrics}");

    let running = start_in(running.stop_and_keep(), command());
    until("the same key holds after a restart", || ask(&running, &key) == 200);
    let owner = server::Client { url: format!("http://{}", running.addresses()[1]), ..owner };
    runtime.block_on(owner.delete(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap()))).ok();
    until("the key is revoked", || ask(&running, &key) == 401);
}
