//! What holds for every dialect in [`ALL`], and whole bodies read with the real lexer.

use serde_json::Value;

use super::fixture::{refusal, trace};
use super::*;
use crate::domain::Source::*;
use crate::wire::json::{self, Container, Lexer, Limits, Visitor};

const STREAMED: [Endpoint; 4] =
    [Endpoint::Messages, Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Responses];

#[test]
fn every_dialect_is_in_the_list_once() {
    for dialect in [Dialect::Anthropic, Dialect::OpenAi, Dialect::Azure] {
        assert_eq!(for_dialect(dialect).dialect(), dialect);
        assert_eq!(ALL.iter().filter(|provider| provider.dialect() == dialect).count(), 1);
    }
    assert_eq!(ALL.len(), 3);
}

#[test]
fn refusals_are_json_whatever_they_say() {
    for provider in ALL {
        for kind in RefusalKind::ALL {
            for message in ["", "\"}{\u{0}\n\\", "\u{2028}\u{1F600}"] {
                let body = provider.refusal(&Refusal { kind, ..refusal(message) });
                let body: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body["error"]["message"], message);
            }
        }
    }
}

#[test]
fn keys_go_into_one_header() {
    for provider in ALL {
        let (name, value) = provider.credential("key-1");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        assert!(value.ends_with("key-1"));
    }
}

#[test]
fn a_route_leads_to_itself() {
    let paths = ["/v1/messages", "/v1/chat/completions", "/openai/deployments/d/chat/completions", "/openai/responses"];
    for provider in ALL {
        for path in paths {
            if let Some(route) = provider.route("POST", path) {
                assert_eq!(provider.route("POST", &route.path), Some(route), "{path}");
            }
        }
    }
}

#[test]
fn endings_are_never_cut_off_and_streams_without_json_are_still_read() {
    for provider in ALL {
        for endpoint in STREAMED {
            let mut reader = provider.completion(endpoint);
            assert_eq!(trace(reader.as_mut(), &["plain", "[\"a\"]"]), ["Text:plain", "Text:a"]);
            let ending = reader.ending(&refusal("stop here"));
            assert!(ending.ends_with(b"\n\n"));
            assert!(String::from_utf8(ending).unwrap().contains("stop here"));
            assert!(reader.keep_alive().ends_with(b"\n\n"));
        }
    }
}

/// Classifies every string value of a body as the pipeline does: scopes hold what was read so far.
struct Leaves {
    provider: &'static dyn Provider,
    scopes: Vec<Scope>,
    text: String,
    found: Vec<(String, Leaf)>,
}

impl Visitor for Leaves {
    fn enter(&mut self, _path: &Path, _container: Container, _at: usize) {
        self.scopes.push(Scope::default());
    }

    fn leave(&mut self, _path: &Path, _container: Container, _at: usize) {
        self.scopes.pop();
    }

    fn string_start(&mut self, _path: &Path, _role: json::Role, _start: usize) {
        self.text.clear();
    }

    fn text(&mut self, decoded: &str) {
        self.text.push_str(decoded);
    }

    fn string_end(&mut self, path: &Path, role: json::Role, _end: usize) {
        if role == json::Role::Key {
            return;
        }
        assert_eq!(path.steps().len(), self.scopes.len());
        self.found.push((self.text.clone(), self.provider.leaf(path, &self.scopes)));
        let Some(scope) = self.scopes.last_mut() else { return };
        match path.last_key() {
            Some("role") => scope.role = Some(Role::parse(&self.text)),
            Some("type") => scope.kind = Some(self.text.clone()),
            _ => {}
        }
    }
}

/// Every string of `body` that is not plain metadata, in order.
fn check(dialect: Dialect, body: &str, expected: &[(&str, Leaf)]) {
    let mut leaves = Leaves { provider: for_dialect(dialect), scopes: vec![], text: String::new(), found: vec![] };
    let mut lexer = Lexer::new(Limits::default());
    lexer.push(body.as_bytes(), &mut leaves).unwrap();
    lexer.finish(&mut leaves).unwrap();
    let found: Vec<(&str, Leaf)> = leaves.found.iter().map(|(text, leaf)| (text.as_str(), *leaf)).collect();
    let found: Vec<(&str, Leaf)> = found.into_iter().filter(|(_, leaf)| *leaf != Leaf::Text(Metadata)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_turn_of_claude_code() {
    let body = r#"{"model":"claude-x","messages":[
        {"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},
            {"type":"tool_use","id":"toolu_1","name":"Read","input":{"path":"/a","type":"b"}}]},
        {"role":"user","content":[{"tool_use_id":"toolu_1","type":"tool_result","content":[{"type":"text","text":"file"}]},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]},
        {"role":"system","content":"remember"}],
        "system":[{"type":"text","text":"billing"}],
        "tools":[{"name":"Read","description":"reads"}],
        "metadata":{"user_id":"{}"},"stream":true}"#;
    let expected = [
        ("claude-x", Leaf::Model),
        ("hi", Leaf::Text(User)),
        ("hm", Leaf::Sealed(Assistant)),
        ("c2ln", Leaf::Opaque(Skipped::Signature)),
        ("/a", Leaf::Text(ToolInput)),
        ("b", Leaf::Text(ToolInput)),
        ("file", Leaf::Text(ToolResult)),
        ("iVBO", Leaf::Opaque(Skipped::Media)),
        ("remember", Leaf::Text(System)),
        ("billing", Leaf::Text(System)),
        ("Read", Leaf::Text(ToolSchema)),
        ("reads", Leaf::Text(ToolSchema)),
        ("{}", Leaf::Session),
    ];
    check(Dialect::Anthropic, body, &expected);
}

#[test]
fn a_turn_of_codex() {
    let body = r#"{"model":"gpt-x","instructions":"be","input":[
        {"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
        {"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},
        {"type":"function_call","name":"shell","arguments":"{\"a\":1}","call_id":"c"},
        {"type":"function_call_output","call_id":"c","output":"file"},
        {"type":"additional_tools","tools":[{"name":"n","description":"d"}]}],
        "tools":[{"type":"function","name":"shell"}],"store":false,"prompt_cache_key":"k"}"#;
    let expected = [
        ("gpt-x", Leaf::Model),
        ("be", Leaf::Text(System)),
        ("rules", Leaf::Text(System)),
        ("hi", Leaf::Text(User)),
        ("hm", Leaf::Sealed(Assistant)),
        ("gAAA", Leaf::Opaque(Skipped::Encrypted)),
        ("{\"a\":1}", Leaf::Text(ToolInput)),
        ("file", Leaf::Text(ToolResult)),
        ("n", Leaf::Text(ToolSchema)),
        ("d", Leaf::Text(ToolSchema)),
        ("function", Leaf::Text(ToolSchema)),
        ("shell", Leaf::Text(ToolSchema)),
    ];
    check(Dialect::OpenAi, body, &expected);
    check(Dialect::Azure, body, &expected);
}

#[test]
fn members_in_another_order_make_text_more_suspicious_never_less() {
    let body = r#"{"messages":[{"content":"a","role":"user"},{"content":[{"content":"b","type":"tool_result"}],"role":"user"}]}"#;
    let expected = [("a", Leaf::Text(ToolResult)), ("b", Leaf::Text(ToolResult))];
    check(Dialect::Anthropic, body, &expected);
    check(Dialect::OpenAi, body, &expected);
}
