//! Message streams as they are sent, read and ended at every event.

use serde_json::Value;

use super::completion::MessageEvents;
use crate::providers::fixture::{frames, refusal, release, reports_novelties, survives_anything, trace};
use crate::providers::{Completion, Part};

/// Thinking, prose, a tool call, a search by the provider, a citation.
const STREAM: [&str; 21] = [
    r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1,"service_tier":"standard"}}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Let me"}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCg=="}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}"#,
    r#"{"delta":{"text":"lo \"you\"","type":"text_delta"},"index":1,"type":"content_block_delta"}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"said","document_title":"Doc"}}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"command\":"}}"#,
    r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"ls\"}"}}"#,
    r#"{"type":"content_block_stop","index":2}"#,
    r#"{"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[{"type":"web_search_result","title":"T","url":"u","encrypted_content":"AAAA","page_age":null}]}}"#,
    r#"{"type":"content_block_stop","index":3}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}"#,
    r#"{"type":"message_stop"}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
];

#[test]
fn every_string_is_classified() {
    let expected = [
        "| Start",
        "| Idle",
        "+0 Thinking | Open { index: 0, kind: Thinking }",
        "0=Let me",
        "",
        "-0 | Close { index: 0 }",
        "+1 Text | Open { index: 1, kind: Text }",
        "1=Hel",
        r#"1=lo \"you\""#,
        "Text:said Text:Doc",
        "-1 | Close { index: 1 }",
        "+2 ToolJson Text:Bash | Open { index: 2, kind: ToolJson }",
        "",
        r#"2={\"command\":"#,
        r#"2=\"ls\"}"#,
        "-2 | Close { index: 2 }",
        "Text:T Text:u | Open { index: 3, kind: Text }",
        "| Close { index: 3 }",
        "",
        "| Finish",
        "Text:Overloaded",
    ];
    assert_eq!(trace(&mut MessageEvents::default(), &STREAM), expected);
}

#[test]
fn odd_events() {
    let check = |data: &str, expected: &str| {
        assert_eq!(trace(&mut MessageEvents::default(), &[data]), [expected], "{data}");
    };
    check("not json", "Text:not json");
    check(r#"{"type":"novelty","a":{"b":["c"]},"type2":"d"}"#, "Text:a Text:b Text:c Text:type2 Text:d");
    let doubled = r#"{"type":"content_block_delta","delta":{"text":"a","text":"b"}}"#;
    check(doubled, &format!("Text:{doubled}"));
    check(
        r#"{"type":"content_block_delta","index":5,"delta":{"t\u0065xt":"a","partial_json":"b"}}"#,
        "+0 Text 0=a +1 ToolJson 1=b",
    );
    check(
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":"n","input":{"id":"x"}}}"#,
        "+0 ToolJson Text:n ToolText:x | Open { index: 0, kind: ToolJson }",
    );
    survives_anything(&|| Box::new(MessageEvents::default()), &STREAM);
}

/// Clients append blocks and take indices for places among them: what stood at an index would grow with the other.
#[test]
fn a_block_begins_once() {
    let start = |index: u8, block: &str| {
        format!(r#"{{"type":"content_block_start","index":{index},"content_block":{{{block}}}}}"#)
    };
    let text = r#""type":"text","text":"a""#;
    let call = r#""type":"tool_use","id":"t","name":"n","input":{}"#;
    for begun in [text, call] {
        for ended in [true, false] {
            for (index, again) in [(1, text), (1, call), (0, text), (0, call)] {
                let mut events = MessageEvents::default();
                let mut read = |data: &str| {
                    let mut parts = Vec::new();
                    events.read("", data.as_bytes(), &mut parts);
                    parts
                };
                assert!(!read(&start(1, begun)).iter().any(|it| matches!(it, Part::Unreadable(_))));
                if ended {
                    read(r#"{"type":"content_block_stop","index":1}"#);
                }
                let parts = read(&start(index, again));
                assert_eq!(parts, [Part::Unreadable("a block begins twice")], "{begun} {ended} {index} {again}");
            }
        }
    }
}

/// Some clients go by the name of an event, others by its type.
#[test]
fn an_event_is_what_it_is_called() {
    let parts = |event: &str, data: &str| {
        let mut parts = Vec::new();
        MessageEvents::default().read(event, data.as_bytes(), &mut parts);
        parts
    };
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    for event in ["", "message", "content_block_delta"] {
        assert_eq!(parts(event, delta).len(), 2, "{event}");
    }
    let error = r#"{"type":"overloaded_error","message":"Overloaded"}"#;
    assert!(matches!(parts("error", error).as_slice(), [Part::Whole(..)]));
    assert_eq!(parts("ping", r#"{"type":"keep_alive"}"#), []);
    for (event, data) in [
        ("ping", delta),
        ("content_block_start", delta),
        ("content_block_delta ", delta),
        ("content_block_delta", r#"{"type":"ping","index":0,"delta":{"type":"text_delta","text":"a"}}"#),
    ] {
        assert!(matches!(parts(event, data).as_slice(), [Part::Unreadable(_)]), "{event} {data}");
    }
}

/// What a strict client checks: one start, blocks in order, each closed once, a reason, a stop, nothing behind.
fn conforms(events: &[Value]) {
    let (mut open, mut next, mut reason) = (None, 0, false);
    let last = events.len() - 1;
    for (at, event) in events.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        let index = event["index"].as_u64();
        assert_eq!(kind == "message_start", at == 0, "{event}");
        assert_eq!(kind == "message_stop", at == last, "{event}");
        match kind {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(next)), "{event}");
                (open, next) = (index, next + 1);
            }
            "content_block_delta" => assert!(open.is_some() && open == index, "{event}"),
            "content_block_stop" => assert!(open.take().is_some_and(|it| Some(it) == index), "{event}"),
            "message_delta" => {
                assert!(open.is_none() && event["delta"]["stop_reason"].is_string(), "{event}");
                reason = true;
            }
            _ => {}
        }
    }
    assert!(reason && open.is_none());
}

#[test]
fn an_ending_fits_wherever_it_comes() {
    let message = "Stopped: \"line 3\"\nSee the policy.";
    // Tool calls are held: the client sees all of one or nothing.
    for seen in (0..=STREAM.len() - 3).filter(|seen| !(12..16).contains(seen)) {
        let mut reader = MessageEvents::default();
        release(&mut reader, &STREAM[..seen]);
        let ending = frames(&reader.ending(&refusal(message)));
        let mut events: Vec<Value> = STREAM[..seen].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        for (name, data) in &ending {
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!(event["type"], name.as_str());
            events.push(event);
        }
        conforms(&events);
        let notice = events.iter().rfind(|event| event["type"] == "content_block_delta").unwrap();
        assert_eq!(notice["delta"]["text"], message);
        let reason = if seen < 16 { "end_turn" } else { "tool_use" };
        assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], reason, "{seen}");
    }
}

#[test]
fn what_was_read_ahead_is_not_what_was_seen() {
    let mut reader = MessageEvents::default();
    release(&mut reader, &STREAM[..11]);
    trace(&mut reader, &STREAM[11..15]);
    let ending = frames(&reader.ending(&refusal("m")));
    let names: Vec<&str> = ending.iter().map(|(name, _)| name.as_str()).collect();
    let expected =
        ["content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"];
    assert_eq!(names, expected);
    assert!(ending[0].1.contains("\"index\":2"));
}

#[test]
fn before_the_start_the_ending_is_a_whole_message() {
    let mut reader = MessageEvents::default();
    trace(&mut reader, &STREAM[..1]);
    let ending = frames(&reader.ending(&refusal("m")));
    let start: Value = serde_json::from_str(&ending[0].1).unwrap();
    assert_eq!(start["message"]["id"], "msg_1");
    assert_eq!(start["message"]["model"], "claude-x");
    assert_eq!(start["message"]["usage"]["input_tokens"], 25);
}

#[test]
fn behind_the_stop_there_is_nothing_to_end() {
    let mut reader = MessageEvents::default();
    release(&mut reader, &STREAM[..20]);
    assert!(reader.ending(&refusal("m")).is_empty());
}

#[test]
fn a_half_seen_tool_call_is_not_completed() {
    let mut reader = MessageEvents::default();
    release(&mut reader, &STREAM[..14]);
    let ending = frames(&reader.ending(&refusal("m")));
    assert!(ending.iter().all(|(name, data)| name != "content_block_stop" || data.contains("\"index\":3")));
}

#[test]
fn keep_alive_is_a_ping() {
    let frames = frames(MessageEvents::default().keep_alive());
    assert_eq!(frames, [("ping".to_owned(), "{\"type\":\"ping\"}".to_owned())]);
}

#[test]
fn nothing_new_goes_unseen() {
    reports_novelties(&|| Box::new(MessageEvents::default()), &STREAM);
}
