//! A client, in a few words: it sends a body and says what the provider should receive.

use airiskguard_gateway::providers::RefusalKind;
use serde_json::Value;

use crate::support::{Before, Run, Script, run};

/// Everything on, and what was found is hidden.
pub const REDACTING: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com, azure: https://acme.openai.azure.com}
checks: {outbound: [secrets, compliance, agent, security, vuln, pii]}
redact_secrets: true
";

/// Everything on, and what was found stops the prompt.
pub const BLOCKING: &str = "
upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com, azure: https://acme.openai.azure.com}
checks: {outbound: [secrets, compliance, agent, security, vuln, pii]}
";

pub const MESSAGES: &str = "/v1/messages?beta=true";
pub const CHAT: &str = "/v1/chat/completions";
pub const RESPONSES: &str = "/v1/responses";

/// Cuttings that everything is sent in; 0 is in one piece.
const CUTS: [usize; 4] = [0, 1, 7, 64];

/// An access key that never was one.
pub fn key() -> String {
    ["AKIA", "Q3EGRW7TMZ5KX4PB"].concat()
}

/// What stands for it.
pub const LABEL: &str = "[REDACTED:AWS_ACCESS_KEY]";

pub fn post(gateway: &str, path: &str, body: impl Into<Vec<u8>>) -> Script {
    Script {
        gateway: gateway.into(),
        method: "POST".into(),
        path: path.into(),
        headers: Vec::new(),
        body: body.into(),
        answer: None,
        before: Before::default(),
    }
}

pub fn with_header(mut script: Script, name: &str, value: &str) -> Script {
    script.headers.push((name.into(), value.into()));
    script
}

/// Sends it in every cutting; they must agree.
pub fn send(script: &Script) -> Run {
    let whole = run(script, 0);
    for cut in CUTS {
        let other = run(script, cut);
        assert_eq!(forwarded(&other), forwarded(&whole), "pieces of {cut} bytes give another body");
        assert_eq!(refusal(&other), refusal(&whole), "pieces of {cut} bytes give another refusal");
    }
    whole
}

pub fn forwarded(run: &Run) -> Option<&[u8]> {
    run.forwarded.as_ref().map(|it| it.body.as_slice())
}

pub fn refusal(run: &Run) -> Option<RefusalKind> {
    run.refused.as_ref().map(|it| it.kind)
}

/// The refusal's body as text.
pub fn said(run: &Run) -> String {
    String::from_utf8(run.refused.as_ref().expect("it was not refused").body.clone()).unwrap()
}

/// In `template`, `§` stands for what must not pass. Each is replaced by the label, and no other byte changes.
pub fn hides_as(path: &str, template: &str, planted: &str, label: &str) {
    let body = template.replace('§', planted);
    let run = send(&post(REDACTING, path, body.clone()));
    let Some(sent) = forwarded(&run) else { panic!("{path}: refused: {}\n{body}", said(&run)) };
    let sent = String::from_utf8(sent.to_vec()).unwrap();
    assert_eq!(sent, template.replace('§', label), "{path}: of {body}");
    assert!(serde_json::from_str::<Value>(&sent).is_ok(), "no JSON any more: {sent}");
}

pub fn hides(path: &str, template: &str) {
    hides_as(path, template, &key(), LABEL);
}

/// Byte for byte what came in, and nothing is held against it but notes.
pub fn passes(path: &str, body: &str) {
    for gateway in [REDACTING, BLOCKING] {
        let run = send(&post(gateway, path, body));
        let findings: Vec<String> =
            run.event.outbound_findings.iter().map(|it| format!("{} {}", it.rule.id, it.place)).collect();
        assert!(run.refused.is_none(), "refused: {}\n{findings:?}\n{body}", said(&run));
        assert_eq!(forwarded(&run).map(String::from_utf8_lossy).as_deref(), Some(body), "changed: {findings:?}");
    }
}

/// Whatever the gateway does with it, the provider cannot read `clear` in it; what goes on is JSON.
pub fn never_arrives(path: &str, body: &str, clear: &str) {
    for gateway in [REDACTING, BLOCKING] {
        let run = send(&post(gateway, path, body));
        let Some(sent) = forwarded(&run) else {
            assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked), "{body}");
            continue;
        };
        assert_eq!(gateway, REDACTING, "not blocked: {body}");
        let sent = String::from_utf8(sent.to_vec()).unwrap();
        assert_ne!(sent, body, "unchanged");
        let document: Value = serde_json::from_str(&sent).unwrap_or_else(|error| panic!("{error}: {sent}"));
        assert!(!leaves(&document).iter().any(|leaf| leaf.contains(clear)), "{sent}");
    }
}

/// Every key and string of a document, and of the documents inside its strings.
pub fn leaves(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::String(text) => {
            if text.trim_start().starts_with(['{', '['])
                && let Ok(inner) = serde_json::from_str::<Value>(text)
            {
                found.extend(leaves(&inner));
            }
            found.push(text.clone());
        }
        Value::Array(items) => found.extend(items.iter().flat_map(leaves)),
        Value::Object(members) => {
            for (name, member) in members {
                found.push(name.clone());
                found.extend(leaves(member));
            }
        }
        _ => {}
    }
    found
}

/// A prompt of one user message.
pub fn prompt(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    format!(r#"{{"model":"claude-sonnet-4-6","messages":[{{"role":"user","content":{text}}}],"max_tokens":64}}"#)
}

/// A prompt of one user message with a block for each text.
pub fn blocks(texts: &[&str]) -> String {
    let blocks: Vec<String> = texts
        .iter()
        .map(|text| format!(r#"{{"type":"text","text":{}}}"#, serde_json::to_string(text).unwrap()))
        .collect();
    format!(r#"{{"model":"claude-sonnet-4-6","messages":[{{"role":"user","content":[{}]}}]}}"#, blocks.join(","))
}
