//! Who may send, and whose credential the provider sees.

use airiskguard_gateway::config::File;
use airiskguard_gateway::pipeline::Forward;
use airiskguard_gateway::providers::RefusalKind;

use crate::client::{
    BLOCKING, CHAT, MESSAGES, REDACTING, RESPONSES, hides_as, post, prompt, refusal, said, send, with_header,
};
use crate::support::Script;

const TEAMS: &str = "
upstream:
  anthropic: {url: https://api.anthropic.com, api_key: company-anthropic}
  openai: {url: https://api.openai.com, api_key: company-openai}
  azure: {url: https://acme.openai.azure.com, api_key: company-azure}
  bare: {url: https://bare.example.com, dialect: anthropic}
teams:
  core: {api_keys: [gw-core-key]}
  other: {api_keys: [gw-other-key]}
";

const GATEWAY_KEYS: [&str; 2] = ["gw-core-key", "gw-other-key"];

fn hello(path: &str) -> Script {
    post(TEAMS, path, prompt("hello"))
}

/// What goes out of the client's headers, with what the gateway sets: as the edge does it.
fn outgoing(script: &Script, forward: &Forward) -> Vec<(String, String)> {
    let set: Vec<(String, String)> =
        forward.set_headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect();
    let is_set = |name: &str| set.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    let mut all: Vec<(String, String)> = script
        .headers
        .iter()
        .filter(|(name, _)| !forward.remove_headers.contains(name) && !is_set(name))
        .cloned()
        .collect();
    all.extend(set);
    all
}

fn credentials(script: &Script) -> Vec<(String, String)> {
    let run = send(script);
    let forward = run.forwarded.as_ref().unwrap_or_else(|| panic!("{}", said(&run)));
    let all = outgoing(script, forward);
    for (name, value) in &all {
        assert!(!GATEWAY_KEYS.iter().any(|key| value.contains(key)), "the gateway key leaves in {name}");
    }
    let carries = |name: &str| matches!(name, "x-api-key" | "authorization" | "api-key" | "x-goog-api-key");
    all.into_iter().filter(|(name, _)| carries(name)).collect()
}

#[test]
fn every_header_of_every_client_is_read_and_the_providers_key_takes_its_place() {
    let ways = [
        ("x-api-key", "gw-core-key"),
        ("authorization", "Bearer gw-core-key"),
        ("authorization", "bearer gw-core-key"),
        ("authorization", "BEARER   gw-core-key "),
        ("authorization", "gw-core-key"),
        ("api-key", "gw-core-key"),
        ("x-goog-api-key", "gw-core-key"),
        ("x-airiskguard-key", "gw-core-key"),
    ];
    let providers = [
        (MESSAGES, "x-api-key", "company-anthropic"),
        (CHAT, "authorization", "Bearer company-openai"),
        (RESPONSES, "authorization", "Bearer company-openai"),
        ("/azure/openai/deployments/gpt/chat/completions?api-version=1", "api-key", "company-azure"),
    ];
    for (path, name, value) in providers {
        for (header, key) in ways {
            // `api-key` is how Azure's clients are told apart.
            if header == "api-key" && path.starts_with("/v1") && path != MESSAGES {
                continue;
            }
            let sent = credentials(&with_header(hello(path), header, key));
            assert_eq!(sent, [(name.to_owned(), value.to_owned())], "{path} with {header}: {key}");
        }
    }
}

#[test]
fn both_credentials_at_once_are_both_taken_out() {
    for (first, second) in [("gw-core-key", "sk-of-the-developer"), ("sk-of-the-developer", "gw-core-key")] {
        let script = with_header(hello(MESSAGES), "x-api-key", first);
        let script = with_header(script, "authorization", &format!("Bearer {second}"));
        assert_eq!(credentials(&script), [("x-api-key".to_owned(), "company-anthropic".to_owned())]);
    }
    let mut script = hello(MESSAGES);
    for name in ["x-api-key", "authorization", "api-key", "x-goog-api-key", "x-airiskguard-key"] {
        script = with_header(script, name, "gw-core-key");
    }
    assert_eq!(credentials(&script), [("x-api-key".to_owned(), "company-anthropic".to_owned())]);
}

#[test]
fn a_gateway_key_in_any_other_header_does_not_leave_either() {
    for (name, value) in [
        ("x-custom", "gw-core-key"),
        ("proxy-authorization", "Bearer gw-core-key"),
        ("x-litellm-api-key", "Bearer gw-other-key"),
    ] {
        let script = with_header(with_header(hello(MESSAGES), "x-api-key", "gw-core-key"), name, value);
        assert_eq!(credentials(&script).len(), 1);
    }
    let script = with_header(hello("/bare/v1/messages"), "x-airiskguard-key", "gw-core-key");
    let script = with_header(script, "authorization", "Bearer developer");
    let script = with_header(script, "authorization", "Bearer gw-core-key");
    let run = send(&script);
    if let Some(forward) = &run.forwarded {
        assert!(outgoing(&script, forward).iter().all(|(_, value)| !value.contains("gw-core-key")));
    }
}

#[test]
fn a_gateway_key_in_the_query_does_not_leave() {
    let script = with_header(hello("/v1/messages?beta=true&key=gw-core-key"), "x-api-key", "gw-core-key");
    let run = send(&script);
    let leaves = run.forwarded.as_ref().is_some_and(|it| it.path_and_query.contains("gw-core-key"));
    assert!(!leaves);
}

/// A key as `keygen` makes it, which never was one.
fn long_key() -> String {
    ["gw-core-x7kq2mvn9hr4tb", "wz3cjy8fsp6gdea5ui"].concat()
}

fn long_hello(path: &str) -> Script {
    let gateway = TEAMS.replace("gw-core-key", &long_key());
    with_header(post(&gateway, path, prompt("hello")), "x-api-key", &long_key())
}

#[test]
fn a_gateway_key_within_another_header_does_not_leave() {
    let key = long_key();
    for (name, value) in [
        ("cookie", format!("a=b; k={key}")),
        ("x-foo", format!("token={key}")),
        ("x-foo", format!("\"{key}\"")),
        ("x-foo", format!("Bearer\t{key}")),
        ("authorization", format!("Bearer\t{key}")),
        ("referer", format!("https://x/?key={key}")),
        ("referer", format!("https://x/?key={}", key.replace('-', "%2D"))),
        ("sec-websocket-protocol", format!("realtime, openai-insecure-api-key.{key}")),
    ] {
        let script = with_header(long_hello(MESSAGES), name, &value);
        let run = send(&script);
        let sent = outgoing(&script, run.forwarded.as_ref().unwrap_or_else(|| panic!("{}", said(&run))));
        assert!(sent.iter().all(|it| it.0 != name), "{name}: {value} in {sent:?}");
        assert!(!format!("{:?}", run.event).contains(&key));
    }
}

#[test]
fn a_gateway_key_within_path_or_query_is_refused_without_being_repeated() {
    let key = long_key();
    for path in [
        format!("/v1/messages?a=b%3D{key}"),
        format!("/v1/messages?a=Bearer+{key}"),
        format!("/v1/messages?a=1;key={key}"),
        format!("/v1/messages?{key}=1"),
        format!("/v1/messages?a={}", key.replace('w', "%77")),
        format!("/v1/responses/{key}/cancel"),
        format!("/v1/unknown/{key}"),
        format!("/azure/openai/deployments/{key}/chat/completions?api-version=1"),
        format!("/azure/openai/deployments/{}/chat/completions", key.replace("gw", "%67w")),
    ] {
        let run = send(&long_hello(&path));
        assert_eq!(refusal(&run), Some(RefusalKind::Unauthorized), "{path}");
        let record = format!("{:?}", run.event);
        assert!(!said(&run).contains(&key) && !record.contains(&key), "{}", said(&run));
    }
}

#[test]
fn a_gateway_key_in_a_prompt_is_hidden() {
    let key = long_key();
    let issued = ["gw-blue-team-Xk9mP2vLq7ZtR4wY8sNb", "3cJh6fDg5AeUiTx1QoKzWvM"].concat();
    for key in [key, issued] {
        hides_as(
            CHAT,
            r#"{"model":"m","messages":[{"role":"user","content":"use § ok"}]}"#,
            &key,
            "[REDACTED:AIRISKGUARD_KEY]",
        );
    }
}

#[test]
fn what_would_be_stopped_in_a_prompt_is_stopped_in_a_header() {
    let key = crate::client::key();
    for (name, value) in [
        ("x-note", key.clone()),
        ("cookie", format!("a={key}")),
        ("user-agent", format!("tool/1.0 ({key})")),
        ("anthropic-beta", format!("context-1m-2025-08-07,{key}")),
    ] {
        for gateway in [BLOCKING, REDACTING] {
            let run = send(&with_header(post(gateway, MESSAGES, prompt("hello")), name, &value));
            assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked), "{name}: {value}");
            assert!(said(&run).contains(&format!("header {name}")), "{}", said(&run));
            assert!(!said(&run).contains(&key) && !format!("{:?}", run.event.outbound_findings).contains(&key));
        }
    }
    // A credential is for the provider, whoever's it is.
    let run = send(&with_header(post(BLOCKING, MESSAGES, prompt("hello")), "authorization", &format!("Bearer {key}")));
    assert!(run.forwarded.is_some(), "{}", said(&run));
}

#[test]
fn the_headers_of_real_clients_pass() {
    for (name, value) in [
        ("user-agent", "claude-cli/2.0.14 (external, cli)"),
        ("user-agent", "codex_cli_rs/0.45.0 (Ubuntu 24.4.0; x86_64) xterm-256color"),
        (
            "anthropic-beta",
            "claude-code-20250219,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14",
        ),
        ("x-stainless-runtime-version", "v22.18.0"),
        ("idempotency-key", "stainless-node-retry-8f0a2c54-1c5b-4b3c-9a53-0f6f9f1f4a10"),
        ("x-claude-code-session-id", "8f0a2c54-1c5b-4b3c-9a53-0f6f9f1f4a10"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-datadog-trace-id", "4556737586899855"),
        ("x-forwarded-for", "203.0.113.7, 10.1.2.3"),
        ("openai-organization", "org-AbCdEfGhIjKlMnOpQrStUvWx"),
        ("openai-project", "proj_AbCdEfGhIjKlMnOpQrStUvWx"),
        ("chatgpt-account-id", "8f0a2c54-1c5b-4b3c-9a53-0f6f9f1f4a10"),
        (
            "cookie",
            "__cf_bm=q8ZtR4mW2xKv7NbL5cYd9JfHs3GpTe0AuD6o.Xk-1759412345-1.0.1.1-q8ZtR4mW2xKv7NbL5cYd9JfHs3GpTe0AuD6o",
        ),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json; charset=utf-8"),
        ("helicone-auth", "Bearer sk-helicone-q8ztr4m-w2xkv7n-bl5cyd9-jfhs3gp"),
    ] {
        for gateway in [BLOCKING, REDACTING] {
            let run = send(&with_header(post(gateway, MESSAGES, prompt("hello")), name, value));
            assert!(run.forwarded.is_some(), "{name}: {value}: {}", said(&run));
        }
    }
}

#[test]
fn no_key_and_an_unknown_key_are_refused_before_anything_is_read() {
    assert_eq!(refusal(&send(&hello(MESSAGES))), Some(RefusalKind::Unauthorized));
    for (name, value) in [
        ("x-api-key", "gw-nobody"),
        ("authorization", "Bearer gw-nobody"),
        ("authorization", "Basic gw-core-key"),
        ("authorization", "Bearer"),
        ("api-key", ""),
        ("x-other", "gw-core-key"),
        ("x-airiskguard-key", "gw-core-ke"),
        ("cookie", "gw-core-key"),
    ] {
        let run = send(&with_header(hello(MESSAGES), name, value));
        assert_eq!(refusal(&run), Some(RefusalKind::Unauthorized), "{name}: {value}");
        assert!(!said(&run).contains("gw-"), "{}", said(&run));
    }
}

#[test]
fn without_a_provider_key_the_refusal_says_what_to_configure() {
    let run = send(&with_header(hello("/bare/v1/messages"), "x-api-key", "gw-core-key"));
    assert_eq!(refusal(&run), Some(RefusalKind::NoProviderKey));
    assert!(said(&run).contains("`bare`") && said(&run).contains("api_key"), "{}", said(&run));
}

#[test]
fn with_the_gateways_own_header_the_developers_credential_goes_on() {
    let script = with_header(hello("/bare/v1/messages"), "x-airiskguard-key", "gw-core-key");
    let script = with_header(script, "authorization", "Bearer developer");
    assert_eq!(credentials(&script), [("authorization".to_owned(), "Bearer developer".to_owned())]);
}

#[test]
fn without_teams_the_developers_own_key_goes_on_unchanged() {
    let gateway = "upstream: {anthropic: https://api.anthropic.com}";
    let script = with_header(post(gateway, MESSAGES, prompt("hello")), "x-api-key", "developer");
    let script = with_header(script, "x-airiskguard-key", "anything");
    let run = send(&script);
    let sent = outgoing(&script, run.forwarded.as_ref().unwrap());
    assert_eq!(sent, [("x-api-key".to_owned(), "developer".to_owned())]);
}

#[test]
fn a_provider_key_without_teams_must_be_meant() {
    let resolve = |_: &_| Err("none".to_owned());
    let open = "upstream: {anthropic: {url: https://api.anthropic.com, api_key: company}}";
    let mistakes = File::parse(open, "gateway.yaml", &resolve).unwrap_err().to_string();
    assert!(mistakes.contains("open_access"), "{mistakes}");
    assert!(File::parse(&format!("{open}\nopen_access: true"), "gateway.yaml", &resolve).is_ok());
}

#[test]
fn the_teams_name_reaches_the_record_and_the_key_does_not() {
    let run = send(&with_header(hello(MESSAGES), "authorization", "Bearer gw-other-key"));
    assert_eq!(run.event.team.as_str(), "other");
    assert!(run.event.key.is_some());
    assert!(!format!("{:?}", run.event).contains("gw-other-key"));
    assert!(!format!("{:?}", run.forwarded.as_ref().unwrap().set_headers).contains("company"));
}
