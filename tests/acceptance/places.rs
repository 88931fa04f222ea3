//! Wherever a coding agent puts text, a key in it is hidden, and every other byte stays as it was.

use airiskguard_gateway::providers::RefusalKind;

use crate::client::{
    BLOCKING, CHAT, LABEL, MESSAGES, REDACTING, RESPONSES, forwarded, hides, hides_as, key, post, refusal, said, send,
};

/// Bodies of Anthropic's API with the place marked.
const ANTHROPIC: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"id §, why?"}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"id §","cache_control":{"type":"ephemeral"}}]}]}"#,
    r#"{"model":"m","messages":[{"role":"assistant","content":"id §"}]}"#,
    r#"{"model":"m","messages":[{"role":"system","content":"id §"}]}"#,
    r#"{"model":"m","system":"id §","messages":[]}"#,
    r#"{"model":"m","system":[{"type":"text","text":"billing"},{"type":"text","text":"id §"}],"messages":[]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"id §\n"}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"id §"}]}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"content":[{"text":"id §","type":"text"}],"type":"tool_result"}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"search_result","content":[{"type":"text","text":"id §"}],"source":"s"}]}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"{\"a\":[{\"b\":\"id §\"}]}"}]}]}"#,
    r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"echo §"}}]}]}"#,
    r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Edit","input":{"edits":[{"to":{"x":[["id §"]]}}]}}]}]}"#,
    r#"{"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"t","name":"web_search","input":{"query":"§"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"id §"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"document","title":"§","context":"c","source":{"type":"content","content":[{"type":"text","text":"id §"}]}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://host/?a=§"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"§"}}]}]}"#,
    r#"{"tools":[{"name":"n","description":"uses §","input_schema":{"type":"object"}}],"messages":[]}"#,
    r#"{"tools":[{"name":"n","input_schema":{"properties":{"a":{"description":"like §","enum":["§"],"default":"§"}}}}],"messages":[]}"#,
    r#"{"metadata":{"user_id":"§"},"messages":[]}"#,
    r#"{"metadata":{"novelty":"§"},"messages":[]}"#,
    r#"{"stop_sequences":["§"],"messages":[]}"#,
    r#"{"messages":[],"not_known_yet":{"deep":[{"er":"id §"}]}}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"not_known_yet","novelty":{"deep":"id §"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"tool_result","§":"key of an object"}]}]}"#,
    r#"{"messages":[],"§":1}"#,
    r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"env":{"§":"x"}}}]}]}"#,
    r#"{"messages":[{"role":"§","content":[{"type":"§","text":"x"}]}]}"#,
    r#"{"model":"§","messages":[]}"#,
];

/// Bodies of OpenAI's chat with the place marked.
const CHATS: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"id §"}]}"#,
    r#"{"model":"m","messages":[{"role":"developer","content":[{"type":"text","text":"id §"}]}]}"#,
    r#"{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"command\":\"echo §\"}"}}]}]}"#,
    r#"{"messages":[{"role":"assistant","tool_calls":[{"type":"custom","custom":{"name":"f","input":"echo §"}}]}]}"#,
    r#"{"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{\"a\":{\"b\":[\"§\"]}}"}}]}"#,
    r#"{"messages":[{"role":"tool","tool_call_id":"c","content":"id §"}]}"#,
    r#"{"messages":[{"role":"tool","content":[{"type":"text","text":"id §"}]}]}"#,
    r#"{"messages":[{"role":"user","name":"§","content":"x"}]}"#,
    r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"§","parameters":{"a":{"description":"§"}}}}]}"#,
    r#"{"messages":[],"response_format":{"type":"json_schema","json_schema":{"schema":{"description":"§"}}}}"#,
    r#"{"messages":[],"metadata":{"§":"§"},"user":"§"}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://host/§"}}]}]}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"§","filename":"§"}}]}]}"#,
    r#"{"prediction":{"type":"content","content":"id §"},"messages":[]}"#,
];

/// Bodies of OpenAI's Responses with the place marked.
const ITEMS: &[&str] = &[
    r#"{"model":"m","input":"id §"}"#,
    r#"{"model":"m","instructions":"id §","input":[]}"#,
    r#"{"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"id §"}]}]}"#,
    r#"{"input":[{"role":"user","content":"id §"}]}"#,
    r#"{"input":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"id §"}]}]}"#,
    r#"{"input":[{"type":"function_call","call_id":"c","name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"echo §\"]}"}]}"#,
    r#"{"input":[{"type":"function_call_output","call_id":"c","output":"id §"}]}"#,
    r#"{"input":[{"type":"function_call_output","call_id":"c","output":"{\"output\":\"id §\\n\",\"metadata\":{\"exit_code\":0}}"}]}"#,
    r#"{"input":[{"type":"function_call_output","output":[{"type":"input_text","text":"id §"}]}]}"#,
    r#"{"input":[{"type":"custom_tool_call","call_id":"c","name":"apply_patch","input":"+id §\n"}]}"#,
    r#"{"input":[{"type":"custom_tool_call_output","call_id":"c","output":"id §"}]}"#,
    r#"{"input":[{"type":"local_shell_call","action":{"type":"exec","command":["echo","§"],"env":{"K":"§"}}}]}"#,
    r#"{"input":[{"type":"additional_tools","tools":[{"type":"function","name":"f","description":"§"}]}]}"#,
    r#"{"input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"id §"}],"encrypted_content":null}]}"#,
    r#"{"input":[{"type":"reasoning","encrypted_content":"id §"}]}"#,
    r#"{"input":[{"type":"web_search_call","action":{"type":"search","query":"§"}}]}"#,
    r#"{"input":[],"tools":[{"type":"function","name":"f","description":"§","parameters":{"d":["§"]}}]}"#,
    r#"{"input":[],"prompt_cache_key":"§","client_metadata":{"a":"§"}}"#,
    r#"{"input":[],"text":{"format":{"schema":{"description":"§"}}}}"#,
];

#[test]
fn anthropic_messages_are_read_everywhere() {
    for template in ANTHROPIC {
        for path in [MESSAGES, "/v1/messages/count_tokens", "/anthropic/v1/messages"] {
            hides(path, template);
        }
    }
}

#[test]
fn openai_chats_are_read_everywhere() {
    for template in CHATS {
        hides(CHAT, template);
    }
}

#[test]
fn openai_responses_are_read_everywhere() {
    for template in ITEMS {
        hides(RESPONSES, template);
    }
}

#[test]
fn azure_speaks_openai_behind_its_own_paths() {
    for template in CHATS {
        hides("/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21", template);
    }
    for template in ITEMS {
        hides("/azure/openai/v1/responses?api-version=preview", template);
    }
}

#[test]
fn older_endpoints_are_read_too() {
    hides("/v1/completions", r#"{"model":"m","prompt":["fn main","id §"],"suffix":"§"}"#);
    hides("/v1/embeddings", r#"{"model":"m","input":["id §","x"]}"#);
    hides("/v1/embeddings", r#"{"model":"m","input":"id §"}"#);
    hides("/v1/responses/compact", r#"{"model":"m","input":[{"role":"user","content":"id §"}]}"#);
}

#[test]
fn every_request_of_a_batch_is_read() {
    for template in ANTHROPIC {
        let batch = format!(
            r#"{{"requests":[{{"custom_id":"a","params":{{"messages":[]}}}},{{"custom_id":"b","params":{template}}}]}}"#
        );
        hides("/v1/messages/batches", &batch);
    }
    hides("/v1/messages/batches", r#"{"requests":[{"custom_id":"§","params":{}}]}"#);
}

#[test]
fn every_model_of_a_batch_must_be_allowed() {
    let gateway = "
upstream: {anthropic: {url: https://api.anthropic.com, api_key: company}}
teams: {core: {api_keys: [gw-core], model_allowlist: ['claude-*']}}
";
    let body = r#"{"requests":[{"params":{"model":"claude-x"}},{"params":{"model":"other"}}]}"#;
    let mut script = post(gateway, "/v1/messages/batches", body);
    script.headers.push(("x-api-key".into(), "gw-core".into()));
    assert_eq!(refusal(&send(&script)), Some(RefusalKind::ModelNotAllowed));
}

#[test]
fn signed_thinking_is_never_altered_so_a_key_in_it_blocks() {
    let template =
        r#"{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"id §","signature":"c2ln"}]}]}"#;
    let run = send(&post(REDACTING, MESSAGES, template.replace('§', &key())));
    assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked));
    assert!(!said(&run).contains(&key()));
    let clean = template.replace('§', "the key");
    assert_eq!(forwarded(&send(&post(REDACTING, MESSAGES, clean.clone()))), Some(clean.as_bytes()));
}

#[test]
fn the_type_of_a_thinking_block_may_come_last_or_twice_and_nothing_passes_unread() {
    for block in [
        r#"{"thinking":"id §","signature":"c2ln","type":"thinking"}"#,
        r#"{"type":"text","thinking":"id §","type":"thinking"}"#,
        r#"{"type":"redacted_thinking","data":"id §"}"#,
        r#"{"type":"thinking","signature":"id §"}"#,
    ] {
        let body = format!(r#"{{"messages":[{{"role":"assistant","content":[{block}]}}]}}"#).replace('§', &key());
        let run = send(&post(REDACTING, MESSAGES, body.clone()));
        let sent = forwarded(&run).map(String::from_utf8_lossy).unwrap_or_default();
        assert!(!sent.contains(&key()), "{body}");
    }
}

#[test]
fn the_example_with_an_at_sign_in_the_password_is_hidden_whole() {
    let url = ["postgres", "ql://admin:MyP@ssw", "0rd@prod.db.company.com/app"].concat();
    let template = r#"{"messages":[{"role":"user","content":"DATABASE_URL=§\nwhy?"}]}"#;
    hides_as(MESSAGES, template, &url, "[REDACTED:DB_CONNECTION_STRING]");
}

#[test]
fn only_the_secret_goes_and_the_message_around_it_stays() {
    let template = "{ \"messages\" :\t[ {\"role\":\"user\",\r\n \"content\":\"caf\\u00e9 \\ud83d\\ude00 \\/ é § \\\"§\\\" §\" } ],\"n\":[1.0,-0e3,1e400,\ttrue] }\n";
    hides(MESSAGES, template);
}

#[test]
fn a_key_pair_keeps_its_names_and_loses_its_values() {
    let secret = ["wJalrXUt", "nFEMI9K7MDENGpPxRfiCY", "mAdEuPkEy12"].concat();
    assert_eq!(secret.len(), 40);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"aws_access_key_id = {}\naws_secret_access_key = {secret}\nregion = eu-west-1"}}]}}"#,
        key()
    );
    let run = send(&post(REDACTING, MESSAGES, body));
    let expected = format!(
        r#"{{"messages":[{{"role":"user","content":"aws_access_key_id = {LABEL}\naws_secret_access_key = [REDACTED:AWS_SECRET_KEY]\nregion = eu-west-1"}}]}}"#
    );
    assert_eq!(forwarded(&run).map(String::from_utf8_lossy).as_deref(), Some(expected.as_str()));
}

#[test]
fn a_block_names_rule_and_place_and_never_the_key() {
    for template in ANTHROPIC {
        let body = template.replace('§', &key());
        let run = send(&post(BLOCKING, MESSAGES, body.clone()));
        assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked), "{body}");
        let said = said(&run);
        assert!(said.contains("AWS_ACCESS_KEY") && said.contains("req-test"), "{said}");
        assert!(!said.contains(&key()) && !format!("{:?}", run.event).contains(&key()), "{said}");
    }
}
