//! The gateway's own key for a provider: whatever the provider answers, the client does not learn it.

use std::io::Write;

use serde_json::json;

use crate::client::{Answer, Client, Seen};
use crate::dialect::{ALL, Dialect, Kind};

const KEY: &str = "made-up-key-of-the-company";
const WORD: &str = "[provider key]";

fn gateway() -> String {
    format!(
        "
upstream:
  anthropic: {{url: 'https://api.anthropic.com', api_keys: [another-key, {KEY}]}}
  openai: {{url: 'https://api.openai.com', api_key: {KEY}}}
open_access: true
checks: {{outbound: [secrets], inbound: [vuln, agent]}}
"
    )
}

fn ask(dialect: Dialect, answer: Answer) -> Seen {
    Client::of(&gateway()).ask(dialect.path(), &dialect.request("hello", true), |_| answer)
}

#[test]
fn an_error_that_repeats_it_does_not_tell_it_however_it_is_cut() {
    let body = format!("{{\"error\":\"no such key: Bearer {KEY}, made-up-key-of {KEY}{KEY} made-up-key\"}}");
    let expected = body.replace(KEY, WORD);
    for cut in 1..body.len() {
        for cut in [vec![cut], vec![cut, (cut + 9).min(body.len())]] {
            let mut answer = Answer::body("application/json", b"").status(401);
            answer.pieces.clear();
            let mut from = 0;
            for at in cut.into_iter().chain([body.len()]) {
                answer.pieces.push((3, body.as_bytes()[from..at].to_vec()));
                from = at;
            }
            assert_eq!(ask(Dialect::Anthropic, answer).text(), expected);
        }
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(body.as_bytes()).unwrap();
    let answer = Answer::body("application/json", &packed.finish().unwrap()).status(500);
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    assert_eq!(ask(Dialect::Chat, answer.headers(&headers)).text(), expected);
}

#[test]
fn nor_does_an_answer() {
    for dialect in ALL {
        let (said, expected) = (format!("your key is {KEY}."), format!("your key is {WORD}."));
        for kind in [Kind::Text, Kind::Tool] {
            let said = if kind == Kind::Text { said.clone() } else { json!({"content": said}).to_string() };
            let events = dialect.events(kind, &[said]).concat();
            for size in [1, 2, 3, 7, 64, 100_000] {
                let pieces = events.chunks(size).map(<[u8]>::to_vec).collect();
                let seen = ask(dialect, Answer::stream(pieces));
                assert_eq!(seen.text(), String::from_utf8_lossy(&events).replace(KEY, WORD), "{dialect:?} {size}");
            }
        }
        let body = json!({"id": "x", "output": said, "content": [{"type": "text", "text": said}]}).to_string();
        for kind in ["application/json", "text/plain"] {
            assert_eq!(ask(dialect, Answer::body(kind, body.as_bytes())).text(), body.replace(&said, &expected));
        }
    }
}
