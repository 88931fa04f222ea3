//! Bodies that no honest client sends: never a panic, never passed unread.

use airiskguard_gateway::domain::Action;
use airiskguard_gateway::providers::RefusalKind;

use crate::client::{
    BLOCKING, CHAT, LABEL, MESSAGES, REDACTING, RESPONSES, forwarded, hides, key, passes, post, prompt, refusal, said,
    send,
};
use crate::support::run;

#[test]
fn what_is_no_json_is_refused() {
    for body in [
        "hello",
        "{",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":1} {\"b\":2}",
        "{\"a\":1}\n{\"b\":2}",
        "{'a':1}",
        "{\"a\":1,}",
        "[1,]",
        "{\"a\":\"\\x41\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"tab\there\"}",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\" 1}",
        "\u{feff}{\"a\":",
        "\"open",
        "{\"a\":1}\0",
        "--b\r\ncontent: x",
        " ",
        "{\"a\":.5}",
        "{a:1}",
        "{\"a\":1/**/}",
        "nul",
    ] {
        let run = send(&post(REDACTING, MESSAGES, body));
        assert_eq!(refusal(&run), Some(RefusalKind::BadRequest), "{body:?}");
    }
    for bytes in [&b"{\"a\":\"\xff\"}"[..], b"{\"a\":\"\xc0\x80\"}", b"\xff\xfe{\0}\0", b"{\"a\":\"\xed\xa0\x80\"}"] {
        assert_eq!(refusal(&send(&post(REDACTING, MESSAGES, bytes))), Some(RefusalKind::BadRequest), "{bytes:?}");
    }
}

#[test]
fn a_key_before_the_mistake_does_not_pass() {
    for body in ["{\"messages\":[{\"content\":\"§\"}]", "{\"messages\":\"§\"}x", "\u{feff}\u{feff}{\"a\":\"§\"}"] {
        let run = send(&post(REDACTING, MESSAGES, body.replace('§', &key())));
        assert_eq!(refusal(&run), Some(RefusalKind::BadRequest));
    }
}

#[test]
fn both_of_two_equal_keys_are_read() {
    for template in [
        r#"{"messages":[{"role":"user","content":"§","content":"x"}]}"#,
        r#"{"messages":[{"role":"user","content":"x","content":"§"}]}"#,
        r#"{"messages":[{"role":"user","content":"x","c\u006fntent":"§"}]}"#,
        r#"{"messages":[],"messages":[{"role":"user","content":"§"}]}"#,
        r#"{"messages":[{"role":"user","content":"§"}],"messages":[]}"#,
        r#"{"model":"a","model":"§","messages":[]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image","type":"text","text":"§"}]}]}"#,
    ] {
        hides(MESSAGES, template);
    }
}

#[test]
fn the_second_of_two_models_must_be_allowed_too() {
    let gateway = "
upstream: {anthropic: {url: https://api.anthropic.com, api_key: company}}
teams: {core: {api_keys: [gw-core], model_allowlist: ['claude-*']}}
";
    for body in [
        r#"{"model":"claude-x","model":"other","messages":[]}"#,
        r#"{"model":"other","model":"claude-x","messages":[]}"#,
        r#"{"model":"claude-x","mod\u0065l":"other","messages":[]}"#,
    ] {
        let mut script = post(gateway, MESSAGES, body);
        script.headers.push(("x-api-key".into(), "gw-core".into()));
        assert_eq!(refusal(&send(&script)), Some(RefusalKind::ModelNotAllowed), "{body}");
    }
}

#[test]
fn a_model_with_a_long_tail_is_not_the_model_it_begins_with() {
    let gateway = "
upstream: {anthropic: {url: https://api.anthropic.com, api_key: company}}
teams: {core: {api_keys: [gw-core], model_allowlist: [claude-x]}}
";
    let body = format!(r#"{{"model":"claude-\u0078{}","messages":[]}}"#, "y".repeat(3000));
    let mut script = post(gateway, MESSAGES, body);
    script.headers.push(("x-api-key".into(), "gw-core".into()));
    assert_eq!(refusal(&send(&script)), Some(RefusalKind::ModelNotAllowed));
}

#[test]
fn a_team_with_an_allowlist_says_which_model_it_asks_for() {
    let gateway = "
upstream:
  anthropic: {url: https://api.anthropic.com, api_key: company}
  openai: {url: https://api.openai.com, api_key: company}
  azure: {url: https://acme.openai.azure.com, api_key: company}
teams: {core: {api_keys: [gw-core], model_allowlist: ['claude-*']}, free: {api_keys: [gw-free]}}
";
    let ask = |method: &str, path: &str, key: &str, body: &str| {
        let mut script = post(gateway, path, body);
        script.method = method.into();
        script.headers.push(("x-api-key".into(), key.into()));
        send(&script)
    };
    for (path, body) in [
        (RESPONSES, r#"{"prompt":{"id":"pmpt_1"},"input":"x"}"#),
        (RESPONSES, r#"{"input":"x","previous_response_id":"r1"}"#),
        (MESSAGES, r#"{"messages":[]}"#),
        (MESSAGES, r#"{"model":null,"messages":[]}"#),
        (MESSAGES, r#"{"model":["claude-opus"],"messages":[]}"#),
        (MESSAGES, r#"{"model":{"id":"claude-opus"},"messages":[]}"#),
        (MESSAGES, r#"[{"model":"claude-opus"}]"#),
        (MESSAGES, ""),
        ("/v1/embeddings", r#"{"input":"x"}"#),
        ("/v1/messages/batches", r#"{"requests":[{"params":{}}]}"#),
    ] {
        let run = ask("POST", path, "gw-core", body);
        assert_eq!(refusal(&run), Some(RefusalKind::ModelNotAllowed), "{path}: {body}");
        assert!(said(&run).contains("does not say in `model`"), "{}", said(&run));
        assert!(ask("POST", path, "gw-free", body).forwarded.is_some(), "{path}: {body}");
    }
    for (method, path, body) in [
        ("POST", MESSAGES, r#"{"model":"claude-x","messages":[]}"#),
        ("POST", "/v1/responses/r1/cancel", ""),
        ("POST", "/v1/messages/batches/b1/cancel", ""),
        ("GET", "/v1/responses/r1", ""),
        ("DELETE", "/v1/messages/batches/b1", ""),
        ("GET", "/v1/models", ""),
        ("POST", "/azure/openai/deployments/claude-x/chat/completions?api-version=1", r#"{"messages":[]}"#),
    ] {
        let run = ask(method, path, "gw-core", body);
        assert!(run.forwarded.is_some(), "{method} {path}: {}", said(&run));
    }
}

#[test]
fn odd_shapes_are_read_like_any_other() {
    for template in [
        r#"["§"]"#,
        r#""§""#,
        r#"[[[["id §"]]]]"#,
        r#"{"messages":"§"}"#,
        r#"{"messages":{"content":"§"}}"#,
        r#"{"messages":[null,7,true,"§"]}"#,
        r#"{"messages":[["§"]]}"#,
        r#"{"messages":[{"role":7,"content":{"a":"§"}}]}"#,
        r#"{"messages":[{"role":null,"content":["§",null,{"text":["§"]}]}]}"#,
        r#"{"system":{"text":{"text":"§"}}}"#,
        r#"{"tools":"§"}"#,
        r#"{"model":{"name":"§"}}"#,
        r#"{"metadata":"§"}"#,
        r#"{"input":{"a":"§"}}"#,
        r#"{"requests":"§"}"#,
        r#"{"requests":[{"params":["§"]}]}"#,
        r#"{"":"§"}"#,
        r#"{"":{"":{"":"§"}}}"#,
    ] {
        for path in [MESSAGES, CHAT, RESPONSES, "/v1/messages/batches"] {
            hides(path, template);
        }
    }
    for body in [
        "null",
        "7",
        "{}",
        "[]",
        "\"\"",
        "\u{feff}{}",
        r#"{"messages":null}"#,
        r#"{"messages":[{"role":"user","content":null}]}"#,
        r#"{"messages":[{"role":"user","content":3.5e-7}]}"#,
        r#"{"stream":"yes","model":7,"messages":{}}"#,
        " {} \r\n\t",
    ] {
        for path in [MESSAGES, CHAT, RESPONSES, "/v1/messages/batches"] {
            passes(path, body);
        }
    }
}

#[test]
fn half_a_surrogate_pair_hides_nothing_behind_it() {
    for template in [r#"{"a":"\ud800§"}"#, r#"{"a":"§\udc00x"}"#, r#"{"a":"\ud83d \ude00 § \ud83d"}"#] {
        let run = send(&post(REDACTING, MESSAGES, template.replace('§', &key())));
        assert_eq!(forwarded(&run), Some(template.replace('§', LABEL).as_bytes()));
    }
}

#[test]
fn an_empty_body_goes_on_empty() {
    assert_eq!(forwarded(&send(&post(REDACTING, MESSAGES, ""))), Some(&b""[..]));
}

#[test]
fn nesting_is_read_to_its_limit_and_refused_beyond() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    hides(MESSAGES, &nested(100, "\"§\""));
    for depth in [200, 5_000, 200_000] {
        let run = run(&post(REDACTING, MESSAGES, nested(depth, "1")), 0);
        assert_eq!(refusal(&run), Some(RefusalKind::BadRequest), "{depth}");
    }
    // A string that holds such a document could hide escapes below the limit.
    let inner = nested(5_000, &format!("\\\"{}\\\"", key()));
    let run = run(&post(REDACTING, MESSAGES, format!("{{\"a\":\"{inner}\"}}")), 0);
    assert_eq!(refusal(&run), Some(RefusalKind::BadRequest));
}

#[test]
fn more_findings_than_the_limit_block() {
    let gateway = format!("{REDACTING}\nlimits: {{findings_max: 3}}\n");
    let cases = [(3, None, Action::Redact), (4, Some(RefusalKind::PolicyBlocked), Action::Block)];
    for (count, expected, recorded) in cases {
        let run = send(&post(&gateway, MESSAGES, prompt(&format!("{} ", key()).repeat(count))));
        assert_eq!((refusal(&run), run.event.outbound.action), (expected, recorded), "{count}");
    }
}

/// Texts that make careless patterns and views slow: a cost beyond linear would run into the test runner's limit.
#[test]
fn no_prompt_takes_for_ever() {
    let size = 1 << 20;
    let fill = |unit: &str| unit.repeat(size / unit.len());
    for unit in [
        "a",
        " ",
        "\n",
        "\"",
        "%",
        "%4",
        "\u{a0}",
        "\u{200b}",
        "\u{ff21}",
        "AKIA",
        "-----BEGIN ",
        "sk-",
        "eyJ",
        "password=",
        "select ",
        "' or '",
        "\\",
        "\\u",
        "{",
        "[",
        "{\"a\":",
        "@",
        "a@",
        "://",
        "postgres://a:",
        "1",
        "1 ",
        "1-",
        "é",
        "€",
        "+",
        "\"+\"",
        "\" + \"",
        "==",
        "=",
        "A1b2/",
        "ignore ",
        "ignore all previous ",
        "Bearer ",
        "xoxb-",
        "\u{e0041}",
        "-----BEGIN PRIVATE KEY-----\n",
    ] {
        for body in [prompt(&fill(unit)), blocks_of(unit, 2000)] {
            let run = run(&post(BLOCKING, MESSAGES, body), 0);
            assert_ne!(run.forwarded.is_some(), run.refused.is_some(), "{unit:?}: {:?}", refusal(&run));
        }
    }
}

fn blocks_of(unit: &str, count: usize) -> String {
    crate::client::blocks(&vec![unit; count])
}
