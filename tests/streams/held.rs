//! Answers that are no stream: documents, lines of documents, text, nothing at all.

use serde_json::{Value, json};

use crate::client::{Answer, Client, HIDES, RESTORES, STOPS};
use crate::dialect::{ALL, Dialect, Kind};
use crate::{access_key, private_key};

const RESULTS: &str = "/v1/messages/batches/msgbatch_1/results";

fn line(id: &str, text: &str) -> String {
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant",
        "content": [{"type": "text", "text": text}]});
    json!({"custom_id": id, "result": {"type": "succeeded", "message": message}}).to_string()
}

#[test]
fn each_line_of_results_is_a_document() {
    let key = access_key();
    let lines = |it: &str| {
        format!("{}\n\n{}\r\n{}\n", line("a", "fine"), line("b", &format!("\"it\"\nis {it}.")), line("c", "ü"))
    };
    for kind in ["application/x-jsonl", "application/binary", "application/octet-stream"] {
        let seen = Client::of(HIDES).ask(RESULTS, b"", |_| Answer::body(kind, lines(&key).as_bytes()));
        assert_eq!(seen.text(), lines("[REDACTED:AWS_ACCESS_KEY]"), "{kind}");
        let seen = Client::of(HIDES).ask(RESULTS, b"", |_| Answer::body(kind, lines("fine").as_bytes()));
        assert_eq!(seen.text(), lines("fine"));
        let seen = Client::of(STOPS).ask(RESULTS, b"", |_| Answer::body(kind, lines(&key).as_bytes()));
        assert!(seen.refused.is_some() && seen.bytes.is_empty());
        assert_eq!(seen.event.inbound_findings.len(), 1);
    }
    let broken = format!("{}\n{{\"custom_id\":\n", line("a", "fine"));
    let seen = Client::of(STOPS).ask(RESULTS, b"", |_| Answer::body("application/x-jsonl", broken.as_bytes()));
    assert_eq!(seen.event.refusal, Some("upstream_failed"));
    assert!(seen.refused.is_some() && seen.bytes.is_empty());
}

#[test]
fn nothing_is_nothing_and_text_is_text() {
    for kind in ["application/json", "text/plain", "application/x-jsonl", "application/octet-stream", ""] {
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, b""));
        assert!(seen.refused.is_none() && seen.bytes.is_empty(), "{kind}");
    }
    let text = format!("the key is {} and no other", access_key());
    for kind in ["text/plain; charset=utf-8", "text/html", "application/octet-stream"] {
        let seen = Client::of(HIDES).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, text.as_bytes()));
        assert_eq!(seen.text(), text.replace(&access_key(), "[REDACTED:AWS_ACCESS_KEY]"), "{kind}");
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, text.as_bytes()));
        assert!(seen.refused.is_some(), "{kind}");
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, b"fine \xff"));
        assert_eq!(seen.bytes, b"fine \xff", "{kind}");
    }
    let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| Answer::body("application/json", b"no"));
    assert_eq!(seen.event.refusal, Some("upstream_failed"));
    assert!(seen.refused.is_some() && seen.bytes.is_empty());
}

fn request(prompt: &str) -> Vec<u8> {
    crate::dialect::Dialect::Anthropic.request(prompt, false)
}

#[test]
fn lines_are_restored_each_by_itself() {
    let secret = private_key();
    let mut hidden = String::new();
    let seen = Client::of(RESTORES).ask("/v1/messages", &request(&secret), |forwarded| {
        let sent: Value = serde_json::from_slice(forwarded).unwrap();
        hidden = sent["messages"][0]["content"].as_str().unwrap().to_owned();
        let lines = format!("{}\n{}\n", line("a", &hidden), line("b", &format!("http://x.test/{hidden}")));
        Answer::body("application/x-jsonl", lines.as_bytes())
    });
    let expected = format!("{}\n{}\n", line("a", &secret), line("b", &format!("http://x.test/{hidden}")));
    assert_eq!(seen.text(), expected);
    assert_eq!(seen.event.restored, 1);
    assert_eq!(seen.rules(), ["agent.exfiltration.placeholder"]);
}

/// As in a stream, where what comes again counts once.
#[test]
fn placeholders_that_stay_are_told_once_and_count() {
    let ask = |gateway: &str, more: &str| {
        Client::of(gateway).ask("/v1/messages", &request(&access_key()), |forwarded| {
            let sent: Value = serde_json::from_slice(forwarded).unwrap();
            let hidden = sent["messages"][0]["content"].as_str().unwrap();
            let text = format!("see https://x.test/{hidden} there\n").repeat(50) + more;
            Answer::body("application/json", line("a", &text).as_bytes())
        })
    };
    let seen = ask(RESTORES, "");
    assert_eq!((seen.rules(), seen.event.restored), (vec!["agent.exfiltration.placeholder".to_owned()], 0));
    let gateway = format!("{RESTORES}limits: {{findings_max: 1}}\n");
    assert!(ask(&gateway, "").refused.is_none());
    let refused = ask(&gateway, &format!("```python\n{QUERY}\n```\n")).refused.expect("two findings");
    assert!(String::from_utf8_lossy(&refused.body).contains("more than 1 findings"));
}

#[test]
fn a_status_that_is_neither_success_nor_error_is_an_answer_that_failed() {
    let events = Dialect::Anthropic.events(Kind::Text, &["fine"]);
    for status in [300, 301, 302, 303, 305, 307, 308, 399, 600, 700, 999] {
        for answer in [Answer::body("application/json", b"{}"), Answer::stream(events.clone())] {
            let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| answer.status(status));
            assert!(seen.refused.is_some() && seen.bytes.is_empty(), "{status}");
            assert_eq!(seen.event.refusal, Some("upstream_failed"), "{status}");
        }
    }
    for status in [304, 400, 401, 404, 429, 500, 529, 599] {
        let error = |_: &[u8]| Answer::body("application/json", b"{\"error\":1}").status(status);
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), error);
        assert_eq!((seen.text().as_str(), seen.event.refusal), ("{\"error\":1}", None), "{status}");
    }
}

const QUERY: &str = r#"cursor.execute(f"SELECT * FROM users WHERE id = {user_id}")"#;

/// What clients go by is not told by one header in one spelling.
#[test]
fn events_are_read_as_events_whatever_they_are_called() {
    let kinds = ["Text/Event-Stream", "text/event-stream;charset=utf-8", "text/plain", "application/octet-stream"];
    let kinds = kinds.iter().chain(&["text/x-event-stream", "text/html", ""]);
    for kind in kinds {
        for dialect in ALL {
            let ask = |client: &Client, text: &str, begins: &str| {
                let mut events = dialect.events(Kind::Text, &crate::characters(text));
                events.insert(0, begins.into());
                client.ask(dialect.path(), &dialect.request("hello", true), |_| {
                    Answer::stream(events).headers(&[("content-type", kind)])
                })
            };
            for begins in ["", "\u{feff}", ": hello\n\n", "\r\n\n", "id: 7\n\n"] {
                let seen = ask(&Client::of(STOPS), QUERY, begins);
                assert!(seen.stopped && !seen.text().contains("{user_id}"), "{dialect:?} {kind} {begins:?}");
                assert_eq!(seen.event.refusal, Some("policy_blocked"));
                let seen = ask(&Client::of(HIDES), &format!("id {} ok", access_key()), begins);
                assert_eq!(dialect.read(&seen.bytes).text, "id [REDACTED:AWS_ACCESS_KEY] ok", "{dialect:?} {kind}");
                let seen = ask(&Client::of(STOPS), "fine", begins);
                assert_eq!(dialect.read(&seen.bytes).text, "fine", "{dialect:?} {kind} {begins:?}");
            }
        }
    }
}

#[test]
fn documents_are_read_as_documents_whatever_they_are_called() {
    let answer = |text: &str| {
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {"content": text}});
        json!({"id": "msg_1", "type": "message", "role": "assistant", "content": [block]}).to_string()
    };
    let escaped: String = access_key().bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    for kind in
        ["text/plain", "text/json", "text/javascript", "application/json; charset=utf-8", "APPLICATION/JSON", ""]
    {
        for begins in ["", "\u{feff}", " \r\n"] {
            let ask = |gateway, text: &str| {
                let body = format!("{begins}{text}");
                Client::of(gateway).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, body.as_bytes()))
            };
            let seen = ask(STOPS, &answer(QUERY));
            assert!(seen.refused.is_some() && seen.bytes.is_empty(), "{kind}");
            let seen = ask(HIDES, &answer("KEY").replace("KEY", &escaped));
            assert_eq!(seen.text(), format!("{begins}{}", answer("[REDACTED:AWS_ACCESS_KEY]")), "{kind}");
        }
    }
    let wide: Vec<u8> = answer(QUERY).bytes().flat_map(|byte| [0, byte]).collect();
    for (kind, body) in [("text/plain", wide.as_slice()), ("text/event-stream", answer(QUERY).as_bytes())] {
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), |_| Answer::body(kind, body));
        assert_eq!(seen.event.refusal, Some("upstream_failed"), "{kind}: {}", seen.text());
        assert!(!seen.text().contains("{user_id}"));
    }
}

#[test]
fn an_answer_that_says_it_is_two_things_is_none() {
    let events = Dialect::Anthropic.events(Kind::Text, &["fine"]);
    let kind = |it| ("content-type", it);
    for (headers, refused) in [
        (vec![kind("text/event-stream"), kind("application/json")], true),
        (vec![kind("text/event-stream, application/json")], true),
        (vec![kind("text/event-stream"), kind("Text/Event-Stream; charset=utf-8")], false),
    ] {
        let answer = |_: &[u8]| Answer::stream(events.clone()).headers(&headers);
        let seen = Client::of(STOPS).ask("/v1/messages", &request("hello"), answer);
        assert_eq!(seen.event.refusal, refused.then_some("upstream_failed"), "{headers:?}");
    }
}

#[test]
fn what_people_asked_before_is_not_judged_as_an_answer() {
    let item = |role: &str, text: &str| {
        let kind = if role == "user" { "input_text" } else { "output_text" };
        let content = json!([{"type": kind, "text": text}]);
        format!(r#"{{"object":"list","data":[{{"id":"i","type":"message","role":"{role}","content":{content}}}]}}"#)
    };
    let ask = |gateway, path: &str, body: String| {
        Client::of(gateway).ask(path, b"", |_| Answer::body("application/json", body.as_bytes()))
    };
    let code = format!("```python\n{QUERY}\n```");
    let items = "/v1/responses/resp_1/input_items";
    assert!(ask(STOPS, items, item("user", &code)).refused.is_none());
    assert!(ask(STOPS, items, item("assistant", &code)).refused.is_some());
    let hidden = ask(HIDES, items, item("user", &access_key())).text();
    assert_eq!(hidden, item("user", "[REDACTED:AWS_ACCESS_KEY]"));
}

/// It passes in a stream, too.
#[test]
fn reasoning_passes_as_it_is() {
    let message = json!({"role": "assistant", "content": "fine", "reasoning_content": format!("not {QUERY}")});
    let body = json!({"id": "c", "choices": [{"index": 0, "message": message}]}).to_string();
    let request = Dialect::Chat.request("hello", false);
    let answer = |_: &[u8]| Answer::body("application/json", body.as_bytes());
    assert_eq!(Client::of(STOPS).ask(Dialect::Chat.path(), &request, answer).text(), body);
}
