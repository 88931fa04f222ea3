//! Streams of chunks as they are sent, read and ended at every event.

use serde_json::Value;

use super::chat::ChatEvents;
use crate::providers::Completion;
use crate::providers::fixture::{frames, refusal, release, reports_novelties, survives_anything, trace};

fn chunk(choices: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-x","service_tier":"default","system_fingerprint":"fp_1","choices":[{choices}],"obfuscation":"abc"}}"#
    )
}

fn delta(delta: &str) -> String {
    chunk(&format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}"#))
}

fn finish(reason: &str) -> String {
    chunk(&format!(r#"{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}"#))
}

/// Reasoning, prose, two tool calls, usage.
fn stream() -> Vec<String> {
    vec![
        delta(r#"{"role":"assistant","content":"","refusal":null}"#),
        delta(r#"{"reasoning_content":"Hm"}"#),
        delta(r#"{"content":"Hel"}"#),
        delta(r#"{"content":"lo \"you\""}"#),
        delta(
            r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"bash","arguments":""}}]}"#,
        ),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]}"#),
        delta(r#"{"tool_calls":[{"function":{"arguments":"1}"},"index":0}]}"#),
        delta(
            r#"{"tool_calls":[{"index":1,"id":"call_2","type":"custom","custom":{"name":"patch","input":"*** B"}}]}"#,
        ),
        finish("tool_calls"),
        chunk("").replace("\"obfuscation\"", "\"usage\":{\"prompt_tokens\":1},\"obfuscation\""),
        "[DONE]".to_owned(),
    ]
}

fn borrowed(events: &[String]) -> Vec<&str> {
    events.iter().map(String::as_str).collect()
}

fn check(events: &[String], expected: &[&str]) {
    assert_eq!(trace(&mut ChatEvents::default(), &borrowed(events)), expected);
}

#[test]
fn every_string_is_classified() {
    check(
        &stream(),
        &[
            "| Start",
            "+0 Thinking 0=Hm | Open { index: 0, kind: Thinking }",
            "+1 Text 1=Hel | Open { index: 0, kind: Text }",
            r#"1=lo \"you\" | Open { index: 0, kind: Text }"#,
            "+2 ToolJson Text:bash | Open { index: 0, kind: ToolJson }",
            r#"2={\"a\": | Open { index: 0, kind: ToolJson }"#,
            "2=1} | Open { index: 0, kind: ToolJson }",
            "+3 ToolText Text:patch 3=*** B | Open { index: 0, kind: ToolText }",
            "-1 -0 -2 -3 | Close { index: 0 }",
            "",
            "| Finish",
        ],
    );
}

#[test]
fn choices_are_told_apart_by_their_index() {
    let both = chunk(
        r#"{"delta":{"content":"b"},"index":1,"finish_reason":null},{"index":0,"delta":{"content":"a"},"finish_reason":null}"#,
    );
    let second = chunk(r#"{"index":1,"delta":{"content":"c"},"finish_reason":"stop"}"#);
    check(
        &[both, second, "[DONE]".to_owned()],
        &["+0 Text 0=b +1 Text 1=a | Several", "0=c -0 | Close { index: 1 }", "-1 | Finish"],
    );
}

#[test]
fn other_shapes() {
    let open = "| Open { index: 0, kind: Text }";
    check(&[delta(r#"{"refusal":"no"}"#)], &[&format!("+0 Text 0=no {open}")]);
    check(&[delta(r#"{"content":[{"type":"text","text":"x"}]}"#)], &[&format!("Text:text +0 Text 0=x {open}")]);
    let doubled = delta(r#"{"content":"a","content":null}"#);
    check(std::slice::from_ref(&doubled), &[&format!("Text:{doubled}")]);
    check(
        &[delta(r#"{"function_call":{"name":"f","arguments":"{}"}}"#)],
        &["+0 ToolJson Text:f 0={} | Open { index: 0, kind: ToolJson }"],
    );
    check(&[chunk(r#"{"index":0,"delta":{"novelty":"x"}}"#)], &["Text:novelty Text:x | Start"]);
    check(&[r#"{"error":{"message":"over","type":"t"}}"#.to_owned()], &["Text:over Text:t"]);
    check(&["<html>".to_owned()], &["Text:<html>"]);
    check(&[String::new()], &[""]);
    let legacy =
        [r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":"x","index":0,"finish_reason":"stop"}]}"#];
    assert_eq!(trace(&mut ChatEvents::legacy(), &legacy), ["+0 Text 0=x -0 | Close { index: 0 }"]);
    survives_anything(&|| Box::new(ChatEvents::default()), &borrowed(&stream()));
}

#[test]
fn a_choice_and_its_calls_have_numbers_of_their_own() {
    let many = "!it has too many parts";
    let large = chunk(r#"{"index":268435456,"delta":{"content":"a"},"finish_reason":"stop"}"#);
    check(
        &[delta(r#"{"content":"b"}"#), large],
        &["+0 Text 0=b | Open { index: 0, kind: Text }", &format!("{many} | Close {{ index: 268435456 }}")],
    );
    let call = delta(r#"{"tool_calls":[{"index":268435456,"function":{"arguments":"{"}}]}"#);
    check(&[call], &[&format!("{many} | Open {{ index: 0, kind: ToolJson }}")]);
}

#[test]
fn a_call_ends_with_its_choice() {
    let piece = |text: &str| delta(&format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}}"#));
    let open = "| Open { index: 0, kind: ToolJson }";
    check(
        &[piece("{"), finish("tool_calls"), piece(""), finish("stop"), piece("}")],
        &[
            &format!("+0 ToolJson 0={{ {open}"),
            "-0 | Close { index: 0 }",
            "| Start",
            "| Close { index: 0 }",
            &format!("!a tool call goes on after its end {open}"),
        ],
    );
}

/// What a strict client checks: one name throughout, nothing of a choice behind its finish, `[DONE]` last.
fn conforms(seen: &[String], ending: &[(String, String)]) {
    let (last, chunks) = ending.split_last().unwrap();
    assert_eq!(last.1, "[DONE]");
    let mut finished = false;
    let seen = seen.iter().map(String::as_str);
    for data in seen.chain(chunks.iter().map(|(_, data)| data.as_str())) {
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&chunk["id"], &chunk["model"]), (&Value::from("chatcmpl-1"), &Value::from("gpt-x")), "{data}");
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["created"], 1_700_000_000);
        for choice in chunk["choices"].as_array().unwrap() {
            assert!(!finished, "{data}");
            finished = choice["finish_reason"].is_string();
        }
    }
    assert!(finished);
}

#[test]
fn an_ending_fits_wherever_it_comes() {
    let events = stream();
    for seen in 1..events.len() {
        let mut reader = ChatEvents::default();
        release(&mut reader, &borrowed(&events[..seen]));
        let ending = frames(&reader.ending(&refusal("Stopped: \"x\"\n")));
        conforms(&events[..seen], &ending);
        if let [notice, stop, _] = ending.as_slice() {
            let notice: Value = serde_json::from_str(&notice.1).unwrap();
            let text = notice["choices"][0]["delta"]["content"].as_str().unwrap();
            assert_eq!(text.trim_start(), "Stopped: \"x\"\n");
            assert_eq!(text.starts_with("\n\n"), seen > 2);
            assert!(stop.1.contains(r#""finish_reason":"stop""#));
        }
    }
}

#[test]
fn nothing_seen_and_everything_seen() {
    let mut reader = ChatEvents::default();
    trace(&mut reader, &borrowed(&stream()[..3]));
    let ending = frames(&reader.ending(&refusal("m")));
    conforms(&[], &ending);
    assert!(ending[0].1.contains(r#""role":"assistant""#));
    release(&mut reader, &["[DONE]"]);
    assert!(reader.ending(&refusal("m")).is_empty());
}

#[test]
fn legacy_endings_are_text() {
    let mut reader = ChatEvents::legacy();
    release(&mut reader, &[r#"{"id":"cmpl-1","created":5,"model":"m","choices":[{"text":"x","index":0}]}"#]);
    let ending = frames(&reader.ending(&refusal("n")));
    let notice: Value = serde_json::from_str(&ending[0].1).unwrap();
    assert_eq!(notice["object"], "text_completion");
    assert_eq!(notice["choices"][0]["text"], "\n\nn");
}

#[test]
fn keep_alive_is_a_comment() {
    assert_eq!(ChatEvents::default().keep_alive(), b": keep-alive\n\n");
}

#[test]
fn nothing_new_goes_unseen() {
    reports_novelties(&|| Box::new(ChatEvents::default()), &borrowed(&stream()));
}
