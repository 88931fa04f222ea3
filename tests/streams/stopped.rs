//! What a policy blocks, cut anywhere: no byte of it arrives, and the stream ends so that clients understand.

use airiskguard_gateway::domain::{Direction, Source};
use serde_json::json;

use crate::client::{Client, STOPS, Seen};
use crate::dialect::{ALL, Dialect, Kind};
use crate::{Dice, access_key, characters, cut_at};

/// A text and from which byte on it must not arrive.
struct Planted {
    text: String,
    from: usize,
}

fn planted() -> Vec<Planted> {
    let query = r#"cursor.execute(f"SELECT * FROM users WHERE id = {user_id}")"#;
    let key = format!("aws_access_key_id = {}", access_key());
    [query, &key].map(plant).into()
}

fn plant(line: &str) -> Planted {
    let text = format!("Sure, here it is ü:\n```python\n{line}\n```\nAnything else?");
    let inspection = Client::of(STOPS).snapshot.inspect(&text, Direction::Inbound, Source::Assistant);
    let from = inspection.findings.iter().map(|it| it.span.start).min().expect("the line is found");
    Planted { text, from }
}

fn tool_input(kind: Kind, planted: &Planted) -> String {
    match kind {
        Kind::Tool => json!({"file_path": "a.py", "content": planted.text}).to_string(),
        Kind::Text | Kind::Custom => planted.text.clone(),
    }
}

fn check(dialect: Dialect, kind: Kind, planted: &Planted, pieces: Vec<Vec<u8>>, how: &str) {
    let seen = Client::of(STOPS).hears(dialect, pieces);
    check_seen(dialect, kind, planted, &seen, how);
}

fn check_seen(dialect: Dialect, kind: Kind, planted: &Planted, seen: &Seen, how: &str) {
    let shown = || format!("{dialect:?} {kind:?} {how}:\n{}", seen.text());
    assert!(seen.stopped, "not stopped: {}", shown());
    let view = dialect.read(&seen.bytes);
    assert!(view.problems.is_empty(), "{:?}: {}", view.problems, shown());
    assert!(view.notice.is_some(), "no notice: {}", shown());
    assert_eq!(view.repeated, Vec::<String>::new(), "{}", shown());
    assert_eq!(seen.event.refusal, Some("policy_blocked"));
    match kind {
        Kind::Text => assert!(planted.text[..planted.from].starts_with(&view.text), "too much: {}", shown()),
        _ => assert!(view.tools.values().all(String::is_empty) && view.text.is_empty(), "too much: {}", shown()),
    }
}

#[test]
fn two_deltas_cut_at_every_place() {
    for planted in planted() {
        for dialect in ALL {
            for &kind in dialect.kinds() {
                let text = tool_input(kind, &planted);
                for at in 0..text.len() {
                    let events = dialect.events(kind, &cut_at(&text, &[at]));
                    check(dialect, kind, &planted, events, &format!("cut at {at}"));
                }
            }
        }
    }
}

#[test]
fn three_deltas_and_one_per_character() {
    let mut dice = Dice(1);
    for planted in planted() {
        for dialect in ALL {
            for &kind in dialect.kinds() {
                let text = tool_input(kind, &planted);
                for _ in 0..30 {
                    let places = [dice.roll(text.len()), dice.roll(text.len()), dice.roll(text.len())];
                    let events = dialect.events(kind, &cut_at(&text, &places));
                    check(dialect, kind, &planted, events, &format!("cut at {places:?}"));
                }
                check(dialect, kind, &planted, dialect.events(kind, &characters(&text)), "characters");
            }
        }
    }
}

#[test]
fn bytes_cut_at_random() {
    let mut dice = Dice(2);
    for planted in planted() {
        for dialect in ALL {
            for &kind in dialect.kinds() {
                let text = tool_input(kind, &planted);
                let pieces = cut_at(&text, &[20, 45, 70]);
                for _ in 0..20 {
                    let bytes = dialect.events(kind, &pieces).concat();
                    check(dialect, kind, &planted, dice.cut(&bytes), "bytes at random");
                }
                let bytes = dialect.events(kind, &pieces).concat();
                check(dialect, kind, &planted, bytes.chunks(1).map(<[u8]>::to_vec).collect(), "single bytes");
            }
        }
    }
}

#[test]
fn an_index_that_comes_back_is_a_text_of_its_own() {
    let planted = plant(r#"cursor.execute(f"SELECT * FROM users WHERE id = {user_id}")"#);
    for at in 30..planted.text.len() - 25 {
        let first = Dialect::Anthropic.events(Kind::Text, &["fine"]);
        let second = Dialect::Anthropic.events(Kind::Text, &cut_at(&planted.text, &[at]));
        let block = |events: &[Vec<u8>]| events[1..events.len() - 2].concat();
        let end = first[first.len() - 2..].concat();
        let pieces = vec![first[0].clone(), block(&first), block(&second), end];
        let seen = Client::of(STOPS).hears(Dialect::Anthropic, pieces);
        assert!(seen.stopped, "{at}");
        assert!(!seen.text().contains("execute(f"), "{}", seen.text());
    }
}

/// Of two equal members, or of a name and a type that differ, one client goes by this and another by that.
#[test]
fn what_clients_read_differently_ends_the_stream() {
    let key = access_key();
    let member = |dialect: Dialect| match dialect {
        Dialect::Anthropic => "text",
        Dialect::Chat => "content",
        Dialect::Responses => "delta",
    };
    let doubled = ["null", "false", "1.5", "{}", "[]", "\"\""];
    for dialect in ALL {
        let between = format!("\"{}\":\"zz\"", member(dialect));
        let mut odd: Vec<String> = doubled.iter().map(|it| format!("{between},\"{}\":{it}", member(dialect))).collect();
        odd.push(between.clone());
        for odd in odd {
            let mut events = dialect.events(Kind::Text, &[&key[..7], "zz", &key[7..]]);
            let has_text = |event: &&mut Vec<u8>| String::from_utf8_lossy(event).contains(&between);
            let event = events.iter_mut().find(has_text).expect("the text between");
            let mut text = String::from_utf8_lossy(event).replace(&between, &odd);
            let is_renamed = odd == between;
            if is_renamed {
                text = text.replace("event: content_block_delta", "event: ping");
            }
            *event = text.into_bytes();
            let seen = Client::of(STOPS).hears(dialect, events);
            let is_refused = !is_renamed || dialect == Dialect::Anthropic;
            assert_eq!(seen.stopped, is_refused, "{dialect:?} {odd}: {}", seen.text());
            assert_eq!(seen.event.refusal, is_refused.then_some("upstream_failed"), "{dialect:?} {odd}");
            assert!(!is_refused || !seen.text().contains(&key[7..]), "{dialect:?} {odd}");
        }
    }
}

#[test]
fn the_block_is_remembered_for_the_same_question_alone() {
    let planted = plant(r#"cursor.execute(f"SELECT * FROM users WHERE id = {user_id}")"#);
    for dialect in ALL {
        let client = Client::of(STOPS);
        let seen = client.hears(dialect, dialect.events(Kind::Text, &[&planted.text]));
        assert!(seen.stopped);
        let again = client.ask(dialect.path(), &dialect.request("hello", false), |_| panic!("asked again"));
        let refused = again.refused.expect("a block");
        assert!(String::from_utf8_lossy(&refused.body).contains("vuln.sql_injection"), "{dialect:?}");
        assert!(again.forwarded.is_none());
        let harmless = |_: &[u8]| crate::client::Answer::body("application/json", b"{}");
        let other = client.ask(dialect.path(), &dialect.request("hello you", false), harmless);
        assert!(other.forwarded.is_some(), "another question");
        let stranger = Client::of(STOPS).ask(dialect.path(), &dialect.request("hello", false), harmless);
        assert!(stranger.forwarded.is_some(), "another client");
    }
}
