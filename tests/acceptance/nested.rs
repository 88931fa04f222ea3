//! Documents inside strings are read twice, as text and string by string: what one reading finds and lets pass is no
//! cover for what the other one finds.

use crate::client::{CHAT, MESSAGES, REDACTING, RESPONSES, forwarded, never_arrives, post, send};
use serde_json::{Value, json};

/// A password that reads as an address of e-mail, which is only noted down.
fn password() -> String {
    ["Xk9mP2v", "Lq7Zt@mail.acme-corp.com"].concat()
}

fn tool_result(text: &str) -> String {
    let block = json!({"type": "tool_result", "tool_use_id": "t", "content": text});
    json!({"model": "m", "messages": [{"role": "user", "content": [block]}]}).to_string()
}

fn as_sent(path: &str, body: &str) -> Value {
    let run = send(&post(REDACTING, path, body));
    serde_json::from_slice(forwarded(&run).unwrap()).unwrap()
}

#[test]
fn a_finding_that_is_noted_down_hides_none_around_it() {
    let password = password();
    for document in [
        json!({"env": [{"name": "DB_PASSWORD", "value": password}]}),
        json!({"a": ["--password", password]}),
        json!({"env": [{"name": "DB_PASSWORD", "value": format!("x{password}")}]}),
    ] {
        never_arrives(MESSAGES, &tool_result(&document.to_string()), &password);
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": document.to_string()});
        never_arrives(RESPONSES, &json!({"model": "m", "input": [call]}).to_string(), &password);
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": document.to_string()}});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        never_arrives(CHAT, &json!({"model": "m", "messages": [message]}).to_string(), &password);
    }
}

#[test]
fn a_finding_that_covers_a_part_hides_no_more_than_that_part() {
    let token = ["ghp_", "q8ZtR4mW2xKv7NbL", "5cYd9JfHs3GpTe0AuD6o"].concat();
    let document = json!({"env": [{"name": "DB_PASSWORD", "value": format!("{}-{token}-Rt7Yp2", password())}]});
    never_arrives(MESSAGES, &tool_result(&document.to_string()), "Rt7Yp2");
    never_arrives(MESSAGES, &tool_result(&document.to_string()), "Xk9mP2v");
}

#[test]
fn what_both_readings_find_is_hidden_once_and_the_document_stays_one() {
    let key = crate::client::key();
    let lines = format!("A=1\nDB_PASSWORD=hunter{}\nC=3 \"quoted\"\nid {key}", 22 * 41);
    let document = json!({"content": lines, "other": ["a", 1, null]}).to_string();
    let sent = as_sent(MESSAGES, &tool_result(&document));
    let text = sent["messages"][0]["content"][0]["content"].as_str().unwrap();
    let inner: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let content = inner["content"].as_str().unwrap();
    assert!(content.starts_with("A=1\nDB_PASSWORD=[REDACTED:") && content.contains("\nC=3 \"quoted\"\nid "), "{content}");
    assert!(!content.contains(&key) && !content.contains("hunter9"), "{content}");
    assert_eq!(inner["other"], json!(["a", 1, null]));
}

#[test]
fn an_edit_leaves_no_half_of_an_escape() {
    for value in [
        "say \"DB_PASSWORD=Xk9mP2vLq7Zt\" twice",
        "C:\\x\\ DB_PASSWORD=Xk9mP2vLq7Zt\\",
        "DB_PASSWORD=\"Xk9mP2vLq7Zt\"",
        "DB_PASSWORD='Xk9mP2vLq7Zt@mail.acme-corp.com'\tand",
    ] {
        for document in [json!({"text": value}), json!({"env": [{"name": "DB_PASSWORD", "value": value}]})] {
            let sent = as_sent(MESSAGES, &tool_result(&document.to_string()));
            let text = sent["messages"][0]["content"][0]["content"].as_str().unwrap();
            assert!(!text.contains("Xk9mP2v"), "{text}");
            serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        }
    }
}
