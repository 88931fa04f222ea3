//! Response streams as they are sent, read and ended at every event.

use serde_json::Value;

use super::responses::ResponseEvents;
use crate::providers::Completion;
use crate::providers::fixture::{frames, refusal, release, reports_novelties, survives_anything, trace};

/// Reasoning, a message, a function call, a custom call, a shell call.
const STREAM: [&str; 27] = [
    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1700000000,"status":"in_progress","error":null,"incomplete_details":null,"instructions":"Be terse","model":"gpt-x","output":[],"tools":[{"type":"function","name":"shell","description":"runs"}],"tool_choice":"auto","metadata":{"a":"b"}}}"#,
    r#"{"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","status":"in_progress","model":"gpt-x","output":[]}}"#,
    r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA"}}"#,
    r#"{"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}"#,
    r#"{"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm","obfuscation":"xyz"}"#,
    r#"{"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"Hm"}"#,
    r#"{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAA"}}"#,
    r#"{"type":"response.output_item.added","sequence_number":7,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}"#,
    r#"{"type":"response.content_part.added","sequence_number":8,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}"#,
    r#"{"type":"response.output_text.delta","sequence_number":9,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hel","logprobs":[]}"#,
    r#"{"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1","delta":"lo","output_index":1,"content_index":0}"#,
    r#"{"type":"response.output_text.annotation.added","sequence_number":11,"output_index":1,"content_index":0,"annotation":{"type":"url_citation","url":"u","title":"t"}}"#,
    r#"{"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Hello"}"#,
    r#"{"type":"response.content_part.done","sequence_number":13,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":"Hello"}}"#,
    r#"{"type":"response.output_item.done","sequence_number":14,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"text":"Hello"}],"role":"assistant"}}"#,
    r#"{"type":"response.output_item.added","sequence_number":15,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"shell"}}"#,
    r#"{"type":"response.function_call_arguments.delta","sequence_number":16,"item_id":"fc_1","output_index":2,"delta":"{\"a\":"}"#,
    r#"{"type":"response.function_call_arguments.delta","sequence_number":17,"item_id":"fc_1","output_index":2,"delta":"1}"}"#,
    r#"{"type":"response.function_call_arguments.done","sequence_number":18,"item_id":"fc_1","output_index":2,"arguments":"{\"a\":1}"}"#,
    r#"{"type":"response.output_item.done","sequence_number":19,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"a\":1}","call_id":"call_1","name":"shell"}}"#,
    r#"{"type":"response.output_item.added","sequence_number":20,"output_index":3,"item":{"id":"ctc_1","type":"custom_tool_call","input":"","call_id":"call_2","name":"apply_patch"}}"#,
    r#"{"type":"response.custom_tool_call_input.delta","sequence_number":21,"item_id":"ctc_1","output_index":3,"delta":"*** B"}"#,
    r#"{"type":"response.custom_tool_call_input.done","sequence_number":22,"item_id":"ctc_1","output_index":3,"input":"*** B"}"#,
    r#"{"type":"response.output_item.done","sequence_number":23,"output_index":3,"item":{"id":"ctc_1","type":"custom_tool_call","input":"*** B","call_id":"call_2","name":"apply_patch"}}"#,
    r#"{"type":"response.output_item.added","sequence_number":24,"output_index":4,"item":{"id":"lsh_1","type":"local_shell_call","status":"in_progress","call_id":"call_3","action":{"type":"exec","command":["ls"]}}}"#,
    r#"{"type":"response.output_item.done","sequence_number":25,"output_index":4,"item":{"id":"lsh_1","type":"local_shell_call","status":"completed","call_id":"call_3","action":{"type":"exec","command":["ls"]}}}"#,
    r#"{"type":"response.completed","sequence_number":26,"response":{"id":"resp_1","status":"completed","model":"gpt-x","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]},{"type":"message","content":[{"type":"output_text","text":"Hello"}],"role":"assistant"},{"arguments":"{\"a\":1}","name":"shell","type":"function_call"}],"usage":{"input_tokens":1,"output_tokens":2}}}"#,
];

#[test]
fn every_string_is_classified() {
    let expected = [
        "| Start",
        "| Start",
        "| Open { index: 0, kind: Thinking }",
        "+0 Thinking",
        "0=Hm",
        "-0 Thinking:Hm",
        "Thinking:Hm | Close { index: 0 }",
        "| Open { index: 1, kind: Text }",
        "+1 Text",
        "1=Hel",
        "1=lo",
        "Text:u Text:t",
        "-1 Text:Hello",
        "Text:Hello",
        "Text:Hello | Close { index: 1 }",
        "+2 ToolJson Text:shell | Open { index: 2, kind: ToolJson }",
        r#"2={\"a\":"#,
        "2=1}",
        r#"ToolJson:{\"a\":1}"#,
        r#"-2 ToolJson:{\"a\":1} Text:shell | Close { index: 2 }"#,
        "+3 ToolText Text:apply_patch | Open { index: 3, kind: ToolText }",
        "3=*** B",
        "ToolText:*** B",
        "-3 ToolText:*** B Text:apply_patch | Close { index: 3 }",
        "ToolText:exec ToolText:ls | Open { index: 4, kind: ToolText }",
        "ToolText:exec ToolText:ls | Close { index: 4 }",
        r#"Thinking:Hm Text:Hello ToolJson:{\"a\":1} Text:shell | Finish"#,
    ];
    assert_eq!(trace(&mut ResponseEvents::default(), &STREAM), expected);
}

#[test]
fn odd_events() {
    let check = |data: &str, expected: &str| {
        assert_eq!(trace(&mut ResponseEvents::default(), &[data]), [expected], "{data}");
    };
    check("not json", "Text:not json");
    check("[DONE]", "| Finish");
    check(r#"{"type":"response.novelty","deep":{"words":["x"]}}"#, "Text:deep Text:words Text:x");
    check(r#"{"type":"response.refusal.delta","delta":"no"}"#, "+0 Text 0=no");
    check(r#"{"type":"response.shell_call_command.delta","delta":"ls"}"#, "+0 ToolText 0=ls");
    check(r#"{"type":"response.novel_arguments.delta","delta":"{"}"#, "+0 ToolJson 0={");
    check(r#"{"type":"response.audio.delta","delta":"AAAA"}"#, "");
    check(r#"{"type":"response.output_audio_transcript.delta","delta":"hi"}"#, "+0 Text 0=hi");
    check(r#"{"type":"delta","delta":"x"}"#, "+0 Text 0=x");
    check(r#"{"delta":"x"}"#, "Text:x");
    let doubled = r#"{"type":"response.output_text.delta","delta":"a","delta":"b"}"#;
    check(doubled, &format!("Text:{doubled}"));
    check(
        r#"{"type":"response.completed","response":{"novelty":"x","output_text":"y"}}"#,
        "Text:novelty Text:x Text:y | Finish",
    );
    check(r#"{"type":"error","code":"c","message":"m","param":null}"#, "Text:c Text:m | Finish");
    check(
        r#"{"type":"response.output_item.done","item":{"type":"image_generation_call","result":"iVBO","name":"n"}}"#,
        "Text:n | Close { index: 0 }",
    );
    survives_anything(&|| Box::new(ResponseEvents::default()), &STREAM);
}

#[test]
fn a_call_ends_with_its_item() {
    let mut events = STREAM[15..20].to_vec();
    events.push(STREAM[17]);
    events.push(STREAM[15]);
    let trace = trace(&mut ResponseEvents::default(), &events);
    assert_eq!(trace[5], "!a tool call goes on after its end");
    assert!(trace[6].starts_with("!a tool call begins twice"), "{}", trace[6]);
}

/// What a strict client checks: created first, numbers that grow, one terminal event at the end, one id.
fn conforms(events: &[Value]) {
    let mut sequence = None;
    for (at, event) in events.iter().enumerate() {
        let kind = event["type"].as_str().unwrap();
        let number = event["sequence_number"].as_u64();
        assert!(number > sequence, "{event}");
        sequence = number;
        assert_eq!(kind == "response.created", at == 0, "{event}");
        assert_eq!(matches!(kind, "response.failed" | "response.completed"), at == events.len() - 1, "{event}");
        if let Some(response) = event.get("response") {
            assert_eq!(response["id"], "resp_1");
            assert_eq!(response["model"], "gpt-x");
        }
    }
}

#[test]
fn an_ending_fits_wherever_it_comes() {
    for seen in 0..STREAM.len() {
        let mut reader = ResponseEvents::default();
        trace(&mut reader, &STREAM[..1]);
        release(&mut reader, &STREAM[..seen]);
        let mut events: Vec<Value> = STREAM[..seen].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        for (name, data) in frames(&reader.ending(&refusal("Stopped: \"x\"\n"))) {
            let event: Value = serde_json::from_str(&data).unwrap();
            assert_eq!(event["type"], name.as_str());
            events.push(event);
        }
        conforms(&events);
        let last = events.last().unwrap();
        assert_eq!(last["response"]["status"], "failed");
        assert_eq!(last["response"]["error"]["code"], "invalid_prompt");
        assert_eq!(last["response"]["error"]["message"], "Stopped: \"x\"\n");
    }
}

#[test]
fn behind_the_end_there_is_nothing_to_end() {
    let mut reader = ResponseEvents::default();
    release(&mut reader, &STREAM);
    assert!(reader.ending(&refusal("m")).is_empty());
}

#[test]
fn an_ending_without_any_event_names_the_exchange() {
    let ending = frames(&ResponseEvents::default().ending(&refusal("m")));
    assert_eq!(ending.len(), 2);
    assert!(ending.iter().all(|(_, data)| data.contains("\"resp_req-1\"")));
}

#[test]
fn nothing_new_goes_unseen() {
    // The first event repeats the client's own tools and metadata, which are not read again.
    reports_novelties(&|| Box::new(ResponseEvents::default()), &STREAM[1..]);
}
