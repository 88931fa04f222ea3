//! Prompts and plain answers are held until they are decided: nothing leaves before, everything leaves unchanged.

use std::time::Duration;

use super::gateway::{self, BLOCKING, QUICK_START};
use super::provider::{self, json};

/// A prompt without findings, with what a client that counts on byte-exactness has in it.
const PROMPT: &str = "{ \"model\":\"claude-sonnet-4-6\",  \"messages\":[{\"role\":\"user\",\"content\":\"adds\\n\\u00e9\"}],\n  \"max_tokens\":64 }";
const ANSWER: &str =
    "{\"id\":\"msg_1\", \"content\":[{\"type\":\"text\",\"text\":\"fine\"}],\"stop_reason\":\"end_turn\"}";

/// A line of generated code that is stopped, inside an answer.
pub fn vulnerable_answer() -> String {
    let code = "```python\ncursor.execute(f\"SELECT * FROM users WHERE id = {user_id}\")\n```";
    let content = serde_json::json!([{"type": "text", "text": code}]);
    serde_json::json!({"id": "msg_4", "type": "message", "role": "assistant", "content": content}).to_string()
}

/// A prompt with a key in it. Assembled, so that no scanner takes this file for a leak.
fn prompt_with_key() -> String {
    let key = ["AKIA", "Q3EGRW7TMZ5KX4PB"].concat();
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": format!("my key is {key}")}]}).to_string()
}

/// A prompt of about this size without findings.
fn large_prompt(bytes: usize) -> String {
    let text = "All work and no play makes for a dull prompt. ".repeat(bytes / 46);
    serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string()
}

#[test]
fn without_findings_both_ways_are_byte_identical() {
    let provider = provider::start([json(ANSWER).header("x-vendor", "kept")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let answer = gateway.connect().post("/v1/messages?beta=true", &[("anthropic-beta", "a,b")], PROMPT);
    assert_eq!((answer.status, answer.text().as_str()), (200, ANSWER));
    assert_eq!(answer.header("x-vendor"), Some("kept"));
    assert!(answer.header("x-airiskguard-request-id").is_some());
    let request = provider.request();
    assert_eq!(String::from_utf8(request.body.clone()).unwrap(), PROMPT);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/messages?beta=true"));
    assert_eq!(request.header("host"), Some(provider.address.to_string().as_str()));
    assert_eq!(request.header("anthropic-beta"), Some("a,b"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert_eq!(request.header("transfer-encoding"), None);
}

#[test]
fn large_prompts_arrive_whole_however_they_come() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, QUICK_START);
    let prompt = large_prompt(3 << 20);
    assert_eq!(gateway.connect().post("/v1/messages", &[], &prompt).status, 200);
    assert_eq!(gateway.connect().post_chunked("/v1/messages", prompt.as_bytes(), 40_000).status, 200);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
        let url = format!("http://{}/v1/messages", gateway.address);
        let answer = client.post(url).body(prompt.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.text().await.unwrap(), ANSWER);
        status
    });
    assert_eq!(status, 200);
    let requests = provider.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.body == prompt.as_bytes(), "{} bytes arrived", request.body.len());
        assert_eq!(request.header("content-length"), Some(prompt.len().to_string().as_str()));
    }
}

#[test]
fn a_blocked_prompt_opens_no_connection() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, BLOCKING);
    let mut client = gateway.connect();
    let answer = client.post("/v1/messages", &[], prompt_with_key());
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "policy_blocked");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(answer.header("x-airiskguard-blocked"), Some("true"));
    assert!(answer.header("x-risk-level").is_some() && answer.header("request-id").is_some());
    assert_eq!(provider.connections(), 0);
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200, "the connection is kept");
    assert_eq!(gateway.events(2)[0].outcome.name(), "refused");
}

#[test]
fn a_redacted_prompt_goes_on_with_its_new_length() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, QUICK_START);
    assert_eq!(gateway.connect().post_chunked("/v1/messages", prompt_with_key().as_bytes(), 7).status, 200);
    let body = String::from_utf8(provider.request().body).unwrap();
    assert!(body.contains("my key is [REDACTED:AWS_ACCESS_KEY]") && !body.contains("Q3EGRW"), "{body}");
}

#[test]
fn a_stopped_answer_changes_status_and_length() {
    let provider = provider::start([json(vulnerable_answer()).header("x-vendor", "gone"), json(ANSWER)]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    let answer = client.post("/v1/messages", &[], PROMPT);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "policy_blocked");
    assert_eq!(answer.header("x-vendor"), None);
    assert_eq!(client.post("/v1/messages", &[], PROMPT.replace("adds", "other")).status, 200, "the connection is kept");
    assert_eq!(provider.connections(), 1, "and so is the provider's");
    let event = &gateway.events(2)[0];
    assert_eq!((event.outcome.name(), event.upstream_status), ("stopped", Some(200)));
}

#[test]
fn a_request_without_a_body_is_held_as_well() {
    let provider = provider::start([json("{\"data\":[{\"id\":\"m\"}]}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let answer = gateway.connect().get("/v1/models");
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"data\":[{\"id\":\"m\"}]}"));
    assert_eq!(provider.request().header("content-length"), None);
}

#[test]
fn a_provider_s_error_passes_unmodified() {
    let body = "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}";
    let provider = provider::start([json(body).status(529).header("retry-after", "9")]);
    let gateway = gateway::start(&provider, QUICK_START);
    let answer = gateway.connect().post("/v1/messages", &[], PROMPT);
    assert_eq!((answer.status, answer.text().as_str(), answer.header("retry-after")), (529, body, Some("9")));
}

#[test]
fn sizes_are_bounded_before_and_while_reading() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, "limits: {body_bytes_max: 1024}");
    let prompt = large_prompt(5000);
    let declared = gateway.connect().post("/v1/messages", &[], &prompt);
    let chunked = gateway.connect().post_chunked("/v1/messages", prompt.as_bytes(), 500);
    for answer in [declared, chunked] {
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("too_large") || answer.text().contains("1024 bytes"), "{}", answer.text());
    }
    assert_eq!(provider.connections(), 0);
}

#[test]
fn all_exchanges_together_hold_only_so_much() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, "limits: {held_bytes_max: 1MiB, body_bytes_max: 1MiB}");
    let (prompt, mut hoarder) = (large_prompt(700_000), gateway.connect());
    hoarder.write(format!("POST /v1/messages HTTP/1.1\r\nhost: g\r\ncontent-length: {}\r\n\r\n", prompt.len()));
    hoarder.write(&prompt[..600_000]);
    gateway.wait_held(600_000);
    let anthropic = gateway.connect().post("/v1/messages", &[], &prompt);
    assert_eq!((anthropic.status, anthropic.header("retry-after")), (529, Some("2")));
    let openai = gateway.connect().post("/v1/chat/completions", &[], &prompt);
    assert_eq!((openai.status, openai.header("x-should-retry")), (503, None));
    assert_eq!(gateway.connect().post("/v1/messages", &[], PROMPT).status, 200);
    hoarder.write(&prompt[600_000..]);
    assert_eq!(hoarder.read().status, 200);
    gateway.wait_metric("airiskguard_held_bytes 0");
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let provider = provider::start([json(ANSWER)]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut client = gateway.connect();
    let length = PROMPT.len();
    client.write(format!(
        "POST /v1/messages HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    std::thread::sleep(Duration::from_millis(50));
    let answer = client.write(PROMPT).read();
    assert_eq!(answer.status, 200);
    assert_eq!(provider.request().header("expect"), None);
    assert_eq!(client.post("/v1/messages", &[], PROMPT).status, 200, "the connection is kept");
}

#[test]
fn an_unreachable_provider_is_a_dialect_shaped_502() {
    let gateway = gateway::start_at("http://127.0.0.1:9", QUICK_START, None);
    let mut client = gateway.connect();
    let answer = client.post("/v1/messages", &[], PROMPT);
    assert_eq!((answer.status, answer.json()["type"].as_str()), (502, Some("error")));
    assert_eq!(client.post("/v1/chat/completions", &[], PROMPT).status, 502, "the connection is kept");
    assert_eq!(gateway.events(2)[1].outcome.name(), "upstream_failed");
    gateway.wait_metric("airiskguard_upstream_errors_total{upstream=\"openai\"} 1");
    let named = gateway::start_at("http://provider.invalid", QUICK_START, None);
    let answer = named.connect().post("/v1/messages", &[], PROMPT);
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("provider.invalid could not be resolved"), "{}", answer.text());
}

#[test]
fn a_provider_that_breaks_off_a_held_answer_is_a_502() {
    let provider = provider::start([json(ANSWER).breaking_off()]);
    let gateway = gateway::start(&provider, QUICK_START);
    assert_eq!(gateway.connect().post("/v1/messages", &[], PROMPT).status, 502);
}

#[test]
fn no_client_is_sent_elsewhere() {
    for status in [301, 302, 303, 307, 308] {
        let provider =
            provider::start([json("{}").status(status).header("location", "http://elsewhere.test/v1/messages")]);
        let gateway = gateway::start(&provider, QUICK_START);
        let answer = gateway.connect().post("/v1/messages", &[], PROMPT);
        assert_eq!((answer.status, answer.header("location")), (502, None), "{status}");
        assert_eq!(answer.json()["error"]["type"], "api_error");
        assert_eq!(gateway.events(1)[0].upstream_status, Some(status));
    }
    let provider = provider::start([json("{}").status(429).header("location", "http://elsewhere.test/")]);
    let answer = gateway::start(&provider, QUICK_START).connect().post("/v1/messages", &[], PROMPT);
    assert_eq!((answer.status, answer.header("location")), (429, None));
}

#[test]
fn the_providers_key_does_not_come_back() {
    let yaml = "upstream: {anthropic: {url: 'URL', api_key: made-up-key-of-the-company}}\nopen_access: true\n";
    let key = "made-up-key-of-the-company";
    for status in [200, 401] {
        let body = format!("{{\"type\":\"error\",\"message\":\"{key}\"}}");
        let answer =
            json(body.clone()).status(status).header("x-echo", &format!("Bearer {key}")).header("x-other", "fine");
        let provider = provider::start([answer]);
        let gateway = gateway::start_with(&yaml.replace("URL", &format!("http://{}", provider.address)), None);
        let answer = gateway.connect().post("/v1/messages", &[], PROMPT);
        assert_eq!((answer.status, answer.text()), (status, body.replace(key, "[provider key]")));
        assert_eq!(answer.header("x-echo"), Some("Bearer [provider key]"));
        assert_eq!(answer.header("x-other"), Some("fine"));
        assert_eq!(provider.request().header("x-api-key"), Some(key));
    }
}
