//! Tool calls: held until they are complete, also side by side, while the client is kept waiting politely.

use serde_json::{Value, json};

use crate::client::{Answer, Client, STOPS};
use crate::dialect::{ALL, Dialect, Kind};

const QUERY: &str = r#"cursor.execute(f"SELECT * FROM users WHERE id = {user_id}")"#;

#[test]
fn nothing_of_a_call_passes_before_it_is_complete() {
    let input = json!({"file_path": "a.py", "content": "print(1)\n"}).to_string();
    for dialect in ALL {
        let events = dialect.events(Kind::Tool, &crate::characters(&input));
        let seen = Client::of(STOPS).hears(dialect, events.clone());
        assert_eq!(seen.bytes, events.concat(), "{dialect:?}");
        let before: String =
            seen.steps[..events.len() - 3].iter().take(input.len()).map(|it| String::from_utf8_lossy(it)).collect();
        assert!(!before.contains("Write") && !before.contains("write") && !before.contains("a.py"), "{before}");
    }
}

fn chat_calls(first: &[&str], second: &[&str]) -> Vec<Vec<u8>> {
    let chunk = |delta: Value, reason: Value| {
        let data = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        format!("data: {data}\n\n").into_bytes()
    };
    let mut all = vec![chunk(json!({"role": "assistant", "content": "two calls"}), Value::Null)];
    for index in 0..2 {
        let call = json!({"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": "write", "arguments": ""}});
        all.push(chunk(json!({"tool_calls": [call]}), Value::Null));
    }
    for at in 0..first.len().max(second.len()) {
        for (index, pieces) in [first, second].into_iter().enumerate() {
            if let Some(piece) = pieces.get(at) {
                let call = json!({"index": index, "function": {"arguments": piece}});
                all.push(chunk(json!({"tool_calls": [call]}), Value::Null));
            }
        }
    }
    all.push(chunk(json!({}), "tool_calls".into()));
    all.push(b"data: [DONE]\n\n".to_vec());
    all
}

#[test]
fn calls_side_by_side_are_told_apart() {
    let (fine, bad) = (json!({"content": "fine"}).to_string(), json!({"content": QUERY}).to_string());
    let events = chat_calls(&crate::characters(&fine), &crate::characters(&fine));
    let seen = Client::of(STOPS).hears(Dialect::Chat, events.clone());
    assert_eq!(seen.bytes, events.concat());
    for (first, second) in [(&fine, &bad), (&bad, &fine)] {
        let events = chat_calls(&crate::characters(first), &crate::characters(second));
        let seen = Client::of(STOPS).hears(Dialect::Chat, events);
        let view = Dialect::Chat.read(&seen.bytes);
        assert!(seen.stopped && view.tools.is_empty(), "{}", seen.text());
        assert!("two calls".starts_with(&view.text));
    }
}

#[test]
fn a_call_that_the_upstream_breaks_off_is_read_as_text() {
    let bad = json!({"content": format!("{QUERY}\nmore")}).to_string().replace("\\\"", "'");
    let fine = json!({"content": "fine and more"}).to_string();
    for dialect in ALL {
        for (input, is_stopped) in [(&bad, true), (&fine, false)] {
            let mut events = dialect.events(Kind::Tool, &crate::characters(input));
            let end = 2 + input.chars().count() - 3;
            events.truncate(end);
            let seen = Client::of(STOPS).hears(dialect, events.clone());
            assert_eq!(seen.stopped, is_stopped, "{dialect:?} {}", seen.text());
            match is_stopped {
                true => assert!(!seen.text().contains("{user_id}")),
                false => assert_eq!(seen.bytes, events.concat()),
            }
        }
    }
}

/// Clients discard what no blank line ends; it does not run into what was held.
#[test]
fn an_unended_ping_behind_a_call_that_is_broken_off_is_left_out() {
    let input = json!({"content": "fine and more"}).to_string();
    for (dialect, ping) in [
        (Dialect::Anthropic, "event: ping\ndata: {\"type\": \"ping\"}"),
        (Dialect::Chat, ": still here"),
        (Dialect::Responses, ": still here\n"),
    ] {
        let mut events = dialect.events(Kind::Tool, &crate::characters(&input));
        events.truncate(2 + input.chars().count() - 3);
        let call = events.concat();
        events.push(ping.into());
        let seen = Client::of(STOPS).hears(dialect, events);
        assert_eq!(seen.text(), String::from_utf8_lossy(&call), "{dialect:?}");
    }
}

/// Clients append to a call what comes behind its end, and run what was read in two halves.
#[test]
fn a_call_that_goes_on_after_its_end_ends_the_stream() {
    for (dialect, piece, behind) in [(Dialect::Anthropic, 4, 2), (Dialect::Chat, 3, 1), (Dialect::Responses, 4, 1)] {
        let mut events = dialect.events(Kind::Tool, &["{\"content\":", "\"fine\"}"]);
        assert!(!Client::of(STOPS).hears(dialect, events.clone()).stopped, "{dialect:?}");
        let piece = events.remove(events.len() - piece);
        events.insert(events.len() - behind, piece.clone());
        let seen = Client::of(STOPS).hears(dialect, events);
        assert!(seen.stopped && seen.event.refusal == Some("upstream_failed"), "{dialect:?} {}", seen.text());
        assert!(!seen.text().contains(&*String::from_utf8_lossy(&piece)), "{dialect:?} {}", seen.text());
    }
}

#[test]
fn pings_and_comments_overtake_what_is_held() {
    let input = json!({"content": "fine"}).to_string();
    for (dialect, ping) in [
        (Dialect::Anthropic, "event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        (Dialect::Chat, ": still here\n\n"),
        (Dialect::Responses, ": still here\n\n"),
    ] {
        let mut events = dialect.events(Kind::Tool, &crate::characters(&input));
        events.insert(8, ping.into());
        let seen = Client::of(STOPS).hears(dialect, events.clone());
        assert_eq!(seen.steps[8], ping.as_bytes(), "{dialect:?}");
        assert_eq!(seen.bytes.len(), events.concat().len());
        assert_eq!(dialect.read(&seen.bytes).problems, Vec::<String>::new());
    }
}

#[test]
fn silence_while_a_call_is_held_is_broken_after_five_seconds() {
    let input = json!({"content": "a long file"}).to_string();
    for dialect in ALL {
        let events = dialect.events(Kind::Tool, &crate::characters(&input));
        let pieces: Vec<(u64, Vec<u8>)> = (0..).map(|at| at * 1000).zip(events.clone()).collect();
        let seen = Client::of(STOPS).ask(dialect.path(), &dialect.request("hello", true), |_| Answer {
            status: 200,
            headers: vec![("content-type", "text/event-stream")],
            pieces,
        });
        let alive = if dialect == Dialect::Anthropic { "event: ping" } else { ": keep-alive" };
        let moments: Vec<usize> =
            (0..seen.steps.len()).filter(|&at| seen.steps[at].starts_with(alive.as_bytes())).collect();
        assert!(moments.len() >= 2, "{dialect:?} {moments:?}");
        assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == 6), "{dialect:?} {moments:?}");
        let view = dialect.read(&seen.bytes);
        assert_eq!(view.problems, Vec::<String>::new());
        assert_eq!(view.tools[&0], input);
    }
}

#[test]
fn too_many_open_texts_end_the_stream() {
    let start = |index: usize| {
        let data =
            json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "a"}});
        format!("event: content_block_start\ndata: {data}\n\n").into_bytes()
    };
    let mut events = Dialect::Anthropic.events(Kind::Text, &["x"]);
    events.truncate(1);
    events.extend((0..1200).map(start));
    let seen = Client::of(STOPS).hears(Dialect::Anthropic, events);
    assert!(seen.stopped);
    assert!(seen.text().contains("too many parts"));
}

#[test]
fn too_many_pieces_in_one_event_end_the_stream() {
    for (count, is_stopped) in [(128, false), (600, true)] {
        let delta = json!({"content": vec![json!({"text": "a"}); count]});
        let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
        let data =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": [choice]});
        let events = vec![format!("data: {data}\n\n").into_bytes(), b"data: [DONE]\n\n".to_vec()];
        let seen = Client::of(STOPS).hears(Dialect::Chat, events.clone());
        assert_eq!(seen.stopped, is_stopped, "{count}");
        assert!(is_stopped || seen.bytes == events.concat(), "{}", seen.text());
    }
}

#[test]
fn too_much_to_keep_back_ends_the_stream() {
    let gateway = format!("{STOPS}limits: {{response_bytes_max: 64KiB}}\n");
    for dialect in ALL {
        let pieces: Vec<String> = (0..3000).map(|at| format!("{at} many words in a file ")).collect();
        let seen = Client::of(&gateway).hears(dialect, dialect.events(Kind::Tool, &pieces));
        assert!(seen.stopped, "{dialect:?}");
        let view = dialect.read(&seen.bytes);
        assert_eq!(view.problems, Vec::<String>::new());
        assert!(view.tools.values().all(String::is_empty));
        assert!(view.notice.unwrap().contains("keep back"));
    }
}

/// An edit that takes vulnerable code away is what a user wants; and code counts in the language of its file.
#[test]
fn what_an_edit_takes_away_does_not_stop_it() {
    let edit = |old: &str, new: &str| json!({"file_path": "a.py", "old_string": old, "new_string": new}).to_string();
    let comment = "# cursor.execute(f\"SELECT * FROM users WHERE id = {user_id}\")\npass\n";
    let go = json!({"path": "a.go", "text": format!("{QUERY}\n")}).to_string();
    for (input, is_stopped) in
        [(edit(QUERY, "pass"), false), (edit("pass", QUERY), true), (edit("pass", comment), false), (go, false)]
    {
        for dialect in ALL {
            let events = dialect.events(Kind::Tool, &crate::characters(&input));
            let seen = Client::of(STOPS).hears(dialect, events);
            assert_eq!(seen.stopped, is_stopped, "{dialect:?} {input}: {}", seen.text());
        }
    }
}

/// Every character as an escape.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Clients read all of these, or what they can of them.
#[test]
fn input_that_only_some_parsers_take_is_read_as_they_read_it() {
    let (query, plain) = (escaped(QUERY), json!(QUERY).to_string());
    let stopped = [
        format!(r#"{{"pad":{},"file_path":"a.py","content":"{query}"}}"#, nested(66)),
        format!(r#"{{"content":{},"content":"{query}"}}"#, nested(66)),
        format!(r#"{{"t":NaN,"content":{plain}}}"#),
        format!(r#"{{"t":[-Infinity,Infinity],"content":"{query}"}}"#),
        format!(r#"{{"t":1,,"content":"{query}"}}"#),
        format!(r#"{{"content":"{query}"}}xx"#),
        format!(r#"{{"content":"{query}"#),
        json!({"call": format!(r#"{{"t":NaN,"content":{plain}}}"#)}).to_string(),
    ];
    let unreadable = [
        format!(r#"{{"pad":{},"file_path":"a.py","content":"{query}"}}"#, nested(200)),
        json!({"call": format!(r#"{{"pad":{},"content":"{query}"}}"#, nested(200))}).to_string(),
        format!(r#"{{"pad":{},"content":"fine"}}"#, "1".repeat(2000)),
    ];
    let refusals = stopped.iter().map(|it| (it, "policy_blocked"));
    for (input, refusal) in refusals.chain(unreadable.iter().map(|it| (it, "upstream_failed"))) {
        for dialect in ALL {
            for events in [dialect.events(Kind::Tool, &[input]), dialect.events(Kind::Tool, &crate::characters(input))]
            {
                let seen = Client::of(STOPS).hears(dialect, events);
                assert_eq!(seen.event.refusal, Some(refusal), "{dialect:?} {input}: {}", seen.text());
                let view = dialect.read(&seen.bytes);
                assert!(view.tools.values().all(String::is_empty), "{dialect:?} {input}");
                assert_eq!(view.problems, Vec::<String>::new());
            }
        }
    }
    let fine = json!({"t": 1, "content": "fine"}).to_string().replace('1', "NaN");
    for dialect in ALL {
        let events = dialect.events(Kind::Tool, &crate::characters(&fine));
        assert_eq!(Client::of(STOPS).hears(dialect, events.clone()).bytes, events.concat());
    }
}

#[test]
fn a_key_in_input_that_is_no_json_is_hidden_where_it_is_written() {
    let key = crate::access_key();
    let input = format!(r#"{{"t":1,,"content":"so {} ü""#, escaped(&key));
    for dialect in [Dialect::Anthropic, Dialect::Chat] {
        let seen =
            Client::of(crate::client::HIDES).hears(dialect, dialect.events(Kind::Tool, &crate::characters(&input)));
        let expected = r#"{"t":1,,"content":"so [REDACTED:AWS_ACCESS_KEY] ü""#;
        assert_eq!(dialect.read(&seen.bytes).tools[&0], expected, "{dialect:?}");
    }
}

fn two_calls(second: &str) -> Vec<Vec<u8>> {
    let block = |index: u64, kind: &str, input: &str| {
        Dialect::Anthropic.events(Kind::Tool, &[input])[1..4]
            .iter()
            .map(|it| String::from_utf8_lossy(it).replace("\"index\":0", &format!("\"index\":{index}")))
            .map(|it| it.replace("\"tool_use\"", &format!("\"{kind}\"")).into_bytes())
            .collect::<Vec<_>>()
            .concat()
    };
    let mut events = Dialect::Anthropic.events(Kind::Tool, &[""]);
    let end = events.split_off(events.len() - 2);
    events.truncate(1);
    events.push(block(0, second, &json!({"content": "fine"}).to_string()));
    events.push(block(1, "tool_use", &json!({"content": QUERY}).to_string()));
    events.extend(end);
    events
}

/// A call without a result has the vendor refuse the next turn; results of its own tools come from itself.
#[test]
fn an_answer_that_is_stopped_behind_a_whole_call_still_asks_for_its_result() {
    for (kind, reason) in [("tool_use", "tool_use"), ("server_tool_use", "end_turn")] {
        let seen = Client::of(STOPS).hears(Dialect::Anthropic, two_calls(kind));
        let view = Dialect::Anthropic.read(&seen.bytes);
        assert!(seen.stopped && view.notice.is_some() && !seen.text().contains("{user_id}"), "{}", seen.text());
        assert_eq!((view.stop_reason.as_deref(), view.problems), (Some(reason), Vec::new()), "{kind}");
    }
}

#[test]
fn every_choice_of_a_chunk_gets_its_end() {
    let chunk = |first: &str, second: &str, reason: Value| {
        let choices = json!([{"index": 0, "delta": {"content": first}, "finish_reason": reason},
            {"index": 1, "delta": {"content": second}, "finish_reason": null}]);
        let data =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": choices});
        format!("data: {data}\n\n").into_bytes()
    };
    for finished in [false, true] {
        let mut events = vec![chunk("so ", "so ", Value::Null)];
        events.extend(finished.then(|| chunk("", "", "stop".into())));
        events.extend(crate::characters(QUERY).into_iter().map(|it| chunk("", it, Value::Null)));
        events.push(b"data: [DONE]\n\n".to_vec());
        let seen = Client::of(STOPS).hears(Dialect::Chat, events);
        let (mut notices, mut reasons) = ([0; 2], [0; 2]);
        for data in seen.text().lines().filter_map(|it| it.strip_prefix("data: {")) {
            let event: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
            for choice in event["choices"].as_array().unwrap() {
                let index = choice["index"].as_u64().unwrap() as usize;
                let text = choice["delta"]["content"].as_str().unwrap_or_default();
                notices[index] += usize::from(text.contains(crate::dialect::NOTICE));
                reasons[index] += usize::from(choice["finish_reason"] == "stop");
            }
        }
        assert!(seen.stopped, "{}", seen.text());
        assert_eq!((notices, reasons), ([usize::from(!finished), 1], [1, 1]), "{}", seen.text());
    }
}
