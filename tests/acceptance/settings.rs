//! Every setting changes something that can be seen, and no mistake in one goes unsaid.

use airiskguard_gateway::config::File;
use airiskguard_gateway::domain::Action;
use airiskguard_gateway::providers::RefusalKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::client::{CHAT, LABEL, MESSAGES, RESPONSES, forwarded, key, post, prompt, refusal, said, send, with_header};
use crate::support::Run;

const UPSTREAM: &str = "upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}\n";

/// What became of a prompt with a key.
fn outcome(settings: &str) -> &'static str {
    name_of(&ask(settings, &format!("id {}", key())))
}

fn ask(settings: &str, text: &str) -> Run {
    send(&post(&format!("{UPSTREAM}{settings}"), MESSAGES, prompt(text)))
}

fn name_of(run: &Run) -> &'static str {
    let sent = forwarded(run).map(|it| String::from_utf8_lossy(it).into_owned());
    match (refusal(run), sent) {
        (Some(RefusalKind::PolicyBlocked), None) => "block",
        (None, Some(sent)) if sent.contains("[REDACTED:") => "redact",
        (None, Some(_)) => run.event.outbound.action.name(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn block_on_secrets_and_redact_secrets() {
    assert_eq!(outcome(""), "block");
    assert_eq!(outcome("redact_secrets: true"), "redact");
    assert_eq!(outcome("block_on_secrets: false"), "log");
    assert_eq!(outcome("block_on_secrets: false\nredact_secrets: true"), "redact");
}

#[test]
fn the_actions_of_a_policy() {
    let policy = |action: &str| {
        format!("policies: [{{name: p, condition: {{checker: secrets, risk: '>= high'}}, action: {action}}}]")
    };
    for action in ["block", "redact", "review", "flag", "log", "allow"] {
        let run = ask(&policy(action), &key());
        assert_eq!(name_of(&run), action, "{action}");
        assert_eq!(run.event.outbound.policies, ["p"]);
    }
    assert_eq!(outcome(&format!("{}\nredact_secrets: true", policy("block"))), "redact");
    let strict =
        "policies: [{name: p, condition: {checker: secrets}, action: block, redact: false}]\nredact_secrets: true";
    assert_eq!(outcome(strict), "block");
}

#[test]
fn each_key_of_a_condition_decides() {
    for (condition, holds) in [
        ("checker: secrets", true),
        ("checker: compliance", false),
        ("checker: secrets, risk: critical", true),
        ("checker: secrets, risk: '< high'", false),
        ("checker: secrets, score: '> 0.5'", true),
        ("checker: secrets, score: '< 0.5'", false),
        ("contains_flag: AWS_ACCESS_KEY", true),
        ("contains_flag: SSN", false),
        ("checker: secrets, passed: false", true),
        ("checker: secrets, passed: true", false),
        ("overall_risk: '>= high'", true),
        ("overall_risk: '< high'", false),
        ("overall_score: '>= 0.5'", true),
        ("overall_score: '< 0.1'", false),
        ("checkers_above: {risk: high, count: 1}", true),
        ("checkers_above: {risk: high, count: 2}", false),
        ("team: default", true),
        ("team: other", false),
        ("model: 'claude-*'", true),
        ("model: 'gpt-*'", false),
        ("direction: outbound", true),
        ("direction: inbound", false),
        ("rule: 'secrets.aws.*'", true),
        ("rule: secrets.jwt.token", false),
        ("type: AWS_ACCESS_KEY", true),
        ("type: SSN", false),
        ("source: user", true),
        ("source: tool_result", false),
    ] {
        let teams = if condition.contains("team: other") { "\nopen_access: true" } else { "" };
        let settings = format!(
            "policies: [{{name: p, condition: {{{condition}}}, action: review}}]\nblock_on_secrets: false{teams}"
        );
        let Ok(_) = File::parse(&format!("{UPSTREAM}{settings}"), "gateway.yaml", &|_| Err("none".into())) else {
            assert!(!holds, "{condition} does not load");
            continue;
        };
        let run = ask(&settings, &key());
        assert_eq!(run.event.outbound.action == Action::Review, holds, "{condition}");
    }
}

#[test]
fn checks_decide_what_runs() {
    let text = "Her SSN is 536-22-8145";
    assert_eq!(name_of(&ask("checks: {outbound: [secrets, compliance]}", text)), "block");
    assert_eq!(name_of(&ask("checks: {outbound: [secrets]}", text)), "allow");
    assert_eq!(outcome("checks: {outbound: [compliance]}"), "allow");
    assert_eq!(name_of(&ask("checks: {outbound: [pii]}", text)), "block");
}

#[test]
fn teams_have_their_own_checks_redaction_and_models() {
    let gateway = "
upstream: {anthropic: {url: https://api.anthropic.com, api_key: company}}
redact_secrets: true
teams:
  strict: {api_keys: [gw-strict], redact_secrets: false}
  blind: {api_keys: [gw-blind], outbound_checks: [agent]}
  small: {api_keys: ['sha256:SHA'], model_allowlist: ['claude-haiku-*']}
";
    let digest: String = {
        use sha2::Digest;
        sha2::Sha256::digest(b"gw-small").iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let gateway = gateway.replace("SHA", &digest);
    let by = |team: &str| {
        let script = post(&gateway, MESSAGES, prompt(&key()));
        send(&with_header(script, "x-api-key", &format!("gw-{team}")))
    };
    assert_eq!(refusal(&by("strict")), Some(RefusalKind::PolicyBlocked));
    assert_eq!(forwarded(&by("blind")), Some(prompt(&key()).as_bytes()));
    let small = by("small");
    assert_eq!(refusal(&small), Some(RefusalKind::ModelNotAllowed));
    assert!(said(&small).contains("claude-haiku-*"), "{}", said(&small));
}

#[test]
fn upstreams_have_headers_and_dialects() {
    let gateway = "
upstream:
  local: {url: 'http://127.0.0.1:9/base', dialect: openai, headers: {x-team: core}}
";
    let run = send(&post(gateway, "/local/v1/chat/completions", prompt("hi")));
    let forward = run.forwarded.unwrap();
    assert_eq!(forward.path_and_query, "/base/v1/chat/completions");
    assert_eq!(forward.set_headers[0].0, "x-team");
    assert_eq!(forward.set_headers[0].1.expose(), "core");
    assert_eq!(refusal(&send(&post(gateway, MESSAGES, prompt("hi")))), Some(RefusalKind::NoUpstream));
}

#[test]
fn restore_gives_placeholders_that_depend_on_the_key() {
    let placeholder = |key_of: &str| {
        let run = ask(&format!("redact_secrets: true\nredaction: {{restore: true, key: {key_of}}}"), &key());
        String::from_utf8(forwarded(&run).unwrap().to_vec()).unwrap()
    };
    let one = placeholder("one-of-the-test-keys-32-characters");
    assert!(one.contains(&format!("{}:", LABEL.trim_end_matches(']'))), "{one}");
    assert_eq!(one, placeholder("one-of-the-test-keys-32-characters"));
    assert_ne!(one, placeholder("two-of-the-test-keys-32-characters"));
}

#[test]
fn what_cannot_be_scanned_is_counted_flagged_or_blocked() {
    let image = format!("iVBORw0KGgo{}", "A".repeat(60));
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{image}"}}}}]}}]}}"#
    );
    let with = |setting: &str| send(&post(&format!("{UPSTREAM}{setting}"), MESSAGES, body.clone()));
    let allowed = with("");
    assert_eq!(forwarded(&allowed), Some(body.as_bytes()));
    assert_eq!(allowed.event.outbound_coverage.skipped_bytes[0].1, image.len() as u64);
    assert_eq!(with("on_unscannable: flag").event.outbound.action, Action::Flag);
    let blocked = with("on_unscannable: block");
    assert_eq!(refusal(&blocked), Some(RefusalKind::PolicyBlocked));
    assert_eq!(
        (blocked.event.outbound.action, blocked.event.outbound.policies),
        (Action::Block, vec!["on_unscannable".into()])
    );
}

#[test]
fn files_that_hold_no_text_and_numbers_of_tokens_count_as_unread() {
    let octets: Vec<u8> = (0..600u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let zip = [b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00".as_slice(), &octets].concat();
    let mut unread = Vec::new();
    for bytes in [zip, octets.clone(), [b"BM\x36\x00\x0c\x00\x00\x00".as_slice(), &octets].concat()] {
        let data = STANDARD.encode(bytes);
        let url = format!("data:application/octet-stream;base64,{data}");
        unread.extend([
            (
                MESSAGES,
                json!({"messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "base64", "media_type": "application/x", "data": data}}]}]}),
                "media",
            ),
            (
                CHAT,
                json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": url}}]}]}),
                "media",
            ),
            (
                RESPONSES,
                json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_data": url}]}]}),
                "media",
            ),
        ]);
    }
    unread.push(("/v1/embeddings", json!({"input": [9125, 25, 342]}), "tokens"));
    unread.push(("/v1/embeddings", json!({"input": [[9125, 25], [342]]}), "tokens"));
    unread.push(("/v1/completions", json!({"prompt": [9125, 25, 342], "max_tokens": 7}), "tokens"));
    for (path, body, reason) in unread {
        let with = |setting: &str| send(&post(&format!("{UPSTREAM}{setting}"), path, body.to_string()));
        let blocked = with("on_unscannable: block");
        assert_eq!(refusal(&blocked), Some(RefusalKind::PolicyBlocked), "{path} {body}");
        assert!(said(&blocked).contains(&format!("({reason})")), "{}", said(&blocked));
        let allowed = with("");
        assert_eq!(forwarded(&allowed), Some(body.to_string().as_bytes()));
        assert_eq!(allowed.event.outbound_coverage.skipped_bytes.len(), 1, "{path} {body}");
    }
    let text = STANDARD.encode("# Конфигурация сервиса\nи ещё несколько слов для длины\n");
    for (path, body) in [
        ("/v1/embeddings", json!({"input": ["words", "more words"], "dimensions": 256})),
        ("/v1/completions", json!({"prompt": "words", "max_tokens": 7, "stop": ["x"]})),
        (
            CHAT,
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://host/a-picture-of-some-length.png"}}]}]}),
        ),
        (
            MESSAGES,
            json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": text}}]}]}),
        ),
    ] {
        let run = send(&post(&format!("{UPSTREAM}on_unscannable: block"), path, body.to_string()));
        assert!(run.forwarded.is_some(), "{body}: {}", said(&run));
    }
}

#[test]
fn text_behind_three_bytes_of_nothing_is_no_film() {
    let text = format!("\0\0\0aws_access_key_id = {}\nand more of it\n", crate::client::key());
    let data = STANDARD.encode(text);
    let body = json!({"messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]}]});
    crate::client::never_arrives(MESSAGES, &body.to_string(), &data);
}

#[test]
fn limits_hold() {
    let long = prompt(&"word ".repeat(2000));
    let with = |limit: &str| refusal(&send(&post(&format!("{UPSTREAM}limits: {{{limit}}}"), CHAT, long.clone())));
    assert_eq!(with("body_bytes_max: 1000000"), None);
    assert_eq!(with("body_bytes_max: 5000"), Some(RefusalKind::TooLarge));
    let deep = format!("{}1{}", "[".repeat(20), "]".repeat(20));
    for (limit, expected) in [(20, None), (19, Some(RefusalKind::BadRequest))] {
        let settings = format!("{UPSTREAM}limits: {{json_depth_max: {limit}}}");
        assert_eq!(refusal(&send(&post(&settings, CHAT, deep.clone()))), expected, "{limit}");
    }
}

#[test]
fn mistakes_are_named_with_their_place_and_what_was_expected() {
    for (text, parts) in [
        ("upstream: {anthropic: https://a.b}\nredact_secret: true", ["2:1", "redact_secrets"]),
        ("upstream: {anthropic: https://a.b}\nchecks: {outbound: [secret]}", ["2:21", "secrets"]),
        (
            "upstream: {anthropic: https://a.b}\npolicies:\n  - {name: p, condition: {checker: secrets}, action: stop}",
            ["3:", "block"],
        ),
        (
            "upstream: {anthropic: https://a.b}\npolicies:\n  - {name: p, condition: {cheker: secrets}, action: block}",
            ["3:", "checker"],
        ),
        (
            "upstream: {anthropic: https://a.b}\npolicies:\n  - {name: p, condition: {risk: '>= hihg'}, action: block}",
            ["3:", "high"],
        ),
        ("upstream: {anthropic: https://a.b}\nlimits: {body_bytes: 7}", ["2:", "body_bytes_max"]),
        ("upstream: {anthropic: ftp://a.b}", ["1:", "http"]),
    ] {
        let mistakes = File::parse(text, "gateway.yaml", &|_| Err("none".into())).unwrap_err().to_string();
        for part in parts {
            assert!(mistakes.contains(part), "{part} is not in: {mistakes}");
        }
    }
}
