//! Documents inside strings are read twice, as text and string by string: what one reading finds and lets pass is no
//! cover for what the other one finds. What tools are called with as real JSON is read no less.

use airiskguard_gateway::providers::RefusalKind;
use serde_json::{Value, json};

use crate::client::{
    BLOCKING, CHAT, MESSAGES, REDACTING, RESPONSES, forwarded, never_arrives, passes, post, refusal, said, send,
};

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

/// A call of a tool with this input, once as a document and once as a string.
fn calls(input: &Value) -> [(&'static str, String); 2] {
    let tool_use = json!({"type": "tool_use", "id": "t", "name": "f", "input": input});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": input.to_string()});
    [
        (MESSAGES, json!({"model": "m", "messages": [{"role": "assistant", "content": [tool_use]}]}).to_string()),
        (RESPONSES, json!({"model": "m", "input": [call]}).to_string()),
    ]
}

fn private_key() -> Vec<String> {
    let line = "MIIEpAIBAAKCAQEAq8ZtR4mW2xKv7NbL5cYd9JfHs3GpTe0AuD6oXk9mP2vLq7Zt";
    let lines = (0..6).map(|at| format!("{}{}", &line[at..], &line[..at]));
    let (begin, end) =
        (["-----BEGIN RSA PRIVATE", " KEY-----"].concat(), ["-----END RSA PRIVATE", " KEY-----"].concat());
    [begin].into_iter().chain(lines).chain([end]).collect()
}

#[test]
fn what_a_tool_is_called_with_is_read_as_json_too() {
    let password = ["Xk9mP2v", "Lq7Zt4wY"].concat();
    let secret = ["wJalrXUt", "nFEMI9K7MDENGpPxRfiCY", "mAdEuPkEy12"].concat();
    for (input, clear) in [
        (json!({"env": [{"name": "DB_PASSWORD", "value": password}]}), password.as_str()),
        (json!({"env": [{"name": "DB_PASSWORD", "value": password}], "content": "words ".repeat(5000)}), &password),
        (json!({"Key": "AWS_SECRET_ACCESS_KEY", "Value": secret}), &secret),
        (json!({"args": ["aws_secret_access_key", secret]}), &secret),
        (json!({"args": ["--password", password]}), &password),
        (json!({"lines": private_key()}), &private_key()[3]),
        (json!({"cells": [{"source": private_key()}]}), &private_key()[3]),
    ] {
        for (path, body) in calls(&input) {
            never_arrives(path, &body, clear);
        }
    }
    let settings =
        json!({"model": "m", "messages": [], "metadata": {"env": [{"name": "DB_PASSWORD", "value": password}]}});
    never_arrives(MESSAGES, &settings.to_string(), &password);
    let settings = json!({"model": "m", "messages": [], "tools": [{"name": "f", "env": [{"name": "DB_PASSWORD", "value": password}]}]});
    never_arrives(MESSAGES, &settings.to_string(), &password);
}

/// The name is in one string and the password in another: neither says it alone, and only decoded both do.
#[test]
fn a_name_with_escapes_is_one_of_a_password_too() {
    let password = ["Xk9mP2v", "Lq7Zt4wY"].concat();
    let input = json!({"env": [{"name": "DB_PASSWORD", "value": password}]});
    let (path, body) = calls(&input)[0].clone();
    never_arrives(path, &body.replace("PASSWORD", "PASS\\u0057ORD"), &password);
}

#[test]
fn a_number_that_must_not_leave_blocks() {
    for (input, clear) in
        [(json!({"card_number": 4556737586899855u64}), "4556737586899855"), (json!({"ssn": 536221846}), "536221846")]
    {
        let (path, body) = calls(&input)[0].clone();
        for gateway in [REDACTING, BLOCKING] {
            let run = send(&post(gateway, path, body.clone()));
            assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked), "{body}");
            assert!(!said(&run).contains(clear));
        }
    }
}

#[test]
fn what_is_found_in_no_one_place_is_not_cut_out_of_it() {
    let key = private_key();
    let input = json!({"a": [key[..4].join("\n")], "b": key[4..].join("\n")});
    never_arrives(MESSAGES, &calls(&input)[0].1, &key[3]);
}

#[test]
fn a_call_that_was_read_once_is_read_no_less_when_it_comes_again() {
    let password = ["Xk9mP2v", "Lq7Zt4wY"].concat();
    let clean = json!({"env": [{"name": "DB_HOST", "value": "localhost"}], "limit": 20, "ids": [1, 2, 3]});
    let bad = json!({"env": [{"name": "DB_PASSWORD", "value": password}]});
    let call = |input: &Value| json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": input}]});
    let body = json!({"model": "m", "messages": [call(&clean), call(&bad), call(&clean), call(&clean)]}).to_string();
    for _ in 0..3 {
        never_arrives(MESSAGES, &body, &password);
    }
    passes(MESSAGES, &calls(&clean)[0].1);
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
    assert!(
        content.starts_with("A=1\nDB_PASSWORD=[REDACTED:") && content.contains("\nC=3 \"quoted\"\nid "),
        "{content}"
    );
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
