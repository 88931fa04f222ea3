//! Secrets in an answer, where they are hidden: the label stands in their place, wherever the text is repeated.

use serde_json::{Value, json};

use crate::client::{Client, HIDES};
use crate::dialect::{ALL, Dialect, Kind};
use crate::{Dice, access_key, characters, cut_at};

const LABEL: &str = "[REDACTED:AWS_ACCESS_KEY]";

fn text() -> String {
    format!("Use ü\naws_access_key_id = {}\nand \"nothing\" else.", access_key())
}

fn check(dialect: Dialect, kind: Kind, pieces: Vec<Vec<u8>>, how: &str) {
    let seen = Client::of(HIDES).hears(dialect, pieces);
    assert!(!seen.stopped, "{dialect:?} {kind:?} {how}: {}", seen.text());
    let view = dialect.read(&seen.bytes);
    assert_eq!(view.problems, Vec::<String>::new(), "{dialect:?} {kind:?} {how}");
    let expected = text().replace(&access_key(), LABEL);
    let plain = |text: &str| match kind {
        Kind::Tool => serde_json::from_str::<Value>(text).expect("arguments")["content"].as_str().unwrap().to_owned(),
        Kind::Text | Kind::Custom => text.to_owned(),
    };
    let got = if kind == Kind::Text { view.text } else { view.tools[&0].clone() };
    assert_eq!(plain(&got), expected, "{dialect:?} {kind:?} {how}");
    for repeated in &view.repeated {
        assert_eq!(plain(repeated), expected, "{dialect:?} {kind:?} {how}");
    }
    assert_eq!(seen.event.inbound_findings.len(), 1, "{:?}", seen.rules());
}

#[test]
fn the_label_takes_its_place_however_it_is_cut() {
    let mut dice = Dice(3);
    for dialect in ALL {
        for &kind in dialect.kinds() {
            let text = match kind {
                Kind::Tool => json!({"content": text(), "mode": 7}).to_string(),
                Kind::Text | Kind::Custom => text(),
            };
            for at in 0..text.len() {
                check(dialect, kind, dialect.events(kind, &cut_at(&text, &[at])), &format!("cut at {at}"));
            }
            check(dialect, kind, dialect.events(kind, &characters(&text)), "characters");
            for _ in 0..20 {
                let places = [dice.roll(text.len()), dice.roll(text.len()), dice.roll(text.len())];
                let bytes = dialect.events(kind, &cut_at(&text, &places)).concat();
                check(dialect, kind, dice.cut(&bytes), "bytes at random");
            }
        }
    }
}

#[test]
fn two_of_them_and_one_that_comes_again() {
    let text = format!("{} {} {}", access_key(), access_key().replace("Q7Z", "P4X"), access_key());
    for dialect in ALL {
        let seen = Client::of(HIDES).hears(dialect, dialect.events(Kind::Text, &characters(&text)));
        let view = dialect.read(&seen.bytes);
        assert_eq!(view.text, format!("{LABEL} {LABEL} {LABEL}"));
        assert_eq!(seen.event.inbound_findings.len(), 2);
    }
}

fn anthropic_blocks<const N: usize>(indices: [&str; N], texts: [&str; N], closes: bool) -> Vec<Vec<u8>> {
    let mut events = Dialect::Anthropic.events(Kind::Text, &["x"]);
    let end = events.split_off(events.len() - 2);
    events.truncate(1);
    let event = |name: &str, index: &str, rest: String| {
        format!("event: {name}\ndata: {{\"type\":\"{name}\",\"index\":{index}{rest}}}\n\n").into_bytes()
    };
    for (index, text) in indices.into_iter().zip(texts) {
        if closes {
            let start = json!({"type": "text", "text": ""});
            events.push(event("content_block_start", index, format!(",\"content_block\":{start}")));
        }
        for piece in characters(text) {
            let delta = json!({"type": "text_delta", "text": piece});
            events.push(event("content_block_delta", index, format!(",\"delta\":{delta}")));
        }
        if closes {
            events.push(event("content_block_stop", index, String::new()));
        }
    }
    events.extend(end);
    events
}

fn response_parts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    let mut push = |name: &str, mut data: Value| {
        data["type"] = name.into();
        data["sequence_number"] = events.len().into();
        events.push(format!("event: {name}\ndata: {data}\n\n").into_bytes());
    };
    push("response.created", json!({"response": {"id": "resp_1", "output": []}}));
    for (index, text) in texts.into_iter().enumerate() {
        let place =
            |key: &str, value: Value| json!({"item_id": "i", "output_index": 0, "content_index": index, key: value});
        push("response.content_part.added", place("part", json!({"type": "output_text", "text": ""})));
        characters(text).into_iter().for_each(|it| push("response.output_text.delta", place("delta", it.into())));
        push("response.output_text.done", place("text", text.into()));
    }
    let content = texts.map(|text| json!({"type": "output_text", "text": text, "annotations": []})).to_vec();
    let item = json!({"id": "i", "type": "message", "role": "assistant", "content": content});
    push("response.output_item.done", json!({"output_index": 0, "item": item}));
    push("response.completed", json!({"response": {"id": "resp_1", "output": [item]}}));
    events
}

/// What was before the border may be gone; the rest of the secret does not follow it.
#[test]
fn a_secret_that_is_split_over_two_texts() {
    let key = access_key();
    for at in 4..key.len() - 1 {
        let texts = [&format!("id {}", &key[..at]), &format!("{} ok, and more", &key[at..])];
        let texts = texts.map(String::as_str);
        let expected = format!("id {}{LABEL} ok, and more", &key[..at]);
        for (dialect, events) in [
            (Dialect::Anthropic, anthropic_blocks(["0", "1"], texts, true)),
            (Dialect::Responses, response_parts(texts)),
        ] {
            let seen = Client::of(HIDES).hears(dialect, events.clone());
            assert!(!seen.text().contains(&key[at..]), "{dialect:?} {at}: {}", seen.text());
            let view = dialect.read(&seen.bytes);
            assert_eq!(view.text, expected, "{dialect:?} {at}");
            assert!(view.repeated.iter().all(|it| !it.contains(&key[at..])), "{dialect:?} {:?}", view.repeated);
            assert_eq!(seen.event.inbound_findings.len(), 1);
            let seen = Client::of(crate::client::STOPS).hears(dialect, events);
            assert!(seen.stopped && !seen.text().contains(&key[at..]), "{dialect:?} {at}");
        }
        let twice = anthropic_blocks(["0", "0"], texts, true);
        let seen = Client::of(HIDES).hears(Dialect::Anthropic, twice);
        assert!(seen.stopped && !seen.text().contains(&key[at..]), "a block that begins twice, {at}: {}", seen.text());
    }
    let fine = ["an ordinary text", " and another one, key = "];
    for events in [anthropic_blocks(["0", "1"], fine, true), response_parts(fine)] {
        assert_eq!(Client::of(HIDES).hears(Dialect::Anthropic, events.clone()).bytes, events.concat());
    }
}

/// A short text between two others holds a part of it and neither end.
#[test]
fn a_secret_that_is_split_over_three_texts() {
    let key = access_key();
    for (from, to) in (4..key.len() - 2).flat_map(|from| (from + 1..key.len() - 1).map(move |to| (from, to))) {
        let (first, last) = (format!("id {}", &key[..from]), format!("{} ok", &key[to..]));
        let texts = [first.as_str(), &key[from..to], last.as_str()];
        for (dialect, events) in [
            (Dialect::Anthropic, anthropic_blocks(["0", "1", "2"], texts, true)),
            (Dialect::Responses, response_parts(texts)),
        ] {
            let seen = Client::of(HIDES).hears(dialect, events);
            let view = dialect.read(&seen.bytes);
            assert_eq!(view.text, format!("id {}{LABEL} ok", &key[..to]), "{dialect:?} {from} {to}");
            assert!(view.repeated.iter().all(|it| !it.contains(&key[to..])), "{dialect:?} {:?}", view.repeated);
            assert_eq!(seen.event.inbound_findings.len(), 1);
        }
    }
}

/// Also where it is the same each time: looking at each of them costs time.
#[test]
fn more_findings_in_one_delta_than_the_limit_end_the_stream() {
    let gateway = format!("{HIDES}limits: {{findings_max: 3}}\n");
    for (count, is_stopped) in [(3, false), (9, true)] {
        let text = format!("{} ", access_key()).repeat(count);
        for dialect in ALL {
            let seen = Client::of(&gateway).hears(dialect, dialect.events(Kind::Text, &[&text]));
            assert_eq!(seen.stopped, is_stopped, "{dialect:?} {}", seen.text());
            assert_eq!(seen.event.refusal, is_stopped.then_some("upstream_failed"));
            assert!(!seen.text().contains(&access_key()));
        }
    }
}

/// Rules match bytes: what a pattern has room for may end within a character.
#[test]
fn a_secret_over_two_texts_that_ends_within_a_character() {
    for letters in 0..4 {
        let texts = [
            r"psexec \\10.0.0.5 -u admin -p ",
            &format!("{}{}", &"Tr0ub4d¦or3x".replace('¦', "")[letters..], "界".repeat(40)),
        ];
        let seen = Client::of(HIDES).hears(Dialect::Anthropic, anthropic_blocks(["0", "1"], texts, true));
        assert!(!seen.text().contains("ub4d"), "{letters}: {}", seen.text());
        assert_eq!(seen.event.inbound_findings.len(), 1, "{letters}");
    }
}

/// What policy lets pass stays as it is, also where the text is told once more.
#[test]
fn what_is_only_noted_down_over_two_texts_is_not_hidden_later() {
    let texts = ["write to jane.doe@", "acme-corp.co.uk now"];
    let noting = HIDES.replace("[secrets]", "[secrets, compliance]");
    assert_ne!(noting, HIDES);
    let events = response_parts(texts);
    let seen = Client::of(&noting).hears(Dialect::Responses, events.clone());
    assert_eq!(seen.bytes, events.concat(), "{}", seen.text());
}

#[test]
fn one_text_stays_one_however_its_number_is_written() {
    let key = access_key();
    for at in 4..key.len() - 1 {
        for indices in [["1", "1.0"], ["1e0", "1"], ["0", "0.0"]] {
            let events = anthropic_blocks(indices, [&key[..at], &key[at..]], false);
            let seen = Client::of(HIDES).hears(Dialect::Anthropic, events);
            let texts: String = seen
                .text()
                .lines()
                .filter_map(|it| it.strip_prefix("data: "))
                .filter_map(|it| serde_json::from_str::<Value>(it).unwrap()["delta"]["text"].as_str().map(String::from))
                .collect();
            assert_eq!(texts, LABEL, "{indices:?} {at}");
        }
    }
}

/// `events` of chunks, in each of which a piece of the text stands where `place` puts it.
fn chunks(place: impl Fn(&str) -> Value, text: &str) -> Vec<Vec<u8>> {
    let chunk = |choice: Value| {
        let data =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": [choice]});
        format!("data: {data}\n\n").into_bytes()
    };
    let mut events: Vec<Vec<u8>> = characters(text).into_iter().map(|it| chunk(place(it))).collect();
    events.push(chunk(json!({"index": 0, "delta": {}, "finish_reason": "stop"})));
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

#[test]
fn the_words_of_sound_are_a_text() {
    let said = |it: &str| json!({"index": 0, "delta": {"audio": {"id": "a", "transcript": it}}});
    let seen = Client::of(HIDES).hears(Dialect::Chat, chunks(said, &format!("it is {} ok", access_key())));
    let heard: String = events_of(&seen.text())
        .iter()
        .filter_map(|it| it["choices"][0]["delta"]["audio"]["transcript"].as_str().map(String::from))
        .collect();
    assert_eq!(heard, format!("it is {LABEL} ok"));
}

fn events_of(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|it| it.strip_prefix("data: ")).filter(|it| *it != "[DONE]");
    data.map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Tokens repeat the text in pieces.
#[test]
fn what_is_told_of_tokens_goes_with_the_text() {
    let key = access_key();
    let odds =
        |it: &str| json!({"content": [{"token": it, "bytes": it.as_bytes(), "logprob": -0.1, "top_logprobs": []}]});
    let said = |it: &str| json!({"index": 0, "delta": {"content": it}, "logprobs": odds(it)});
    let seen = Client::of(HIDES).hears(Dialect::Chat, chunks(said, &format!("it is {key} ok")));
    let told: String = events_of(&seen.text())
        .iter()
        .filter_map(|it| it["choices"][0]["logprobs"]["content"][0]["token"].as_str().map(String::from))
        .collect();
    assert_eq!(told, "it is  ok");

    let mut events = Dialect::Responses.events(Kind::Text, &characters(&key));
    for event in &mut events {
        let text = String::from_utf8_lossy(event).into_owned();
        let Some((name, data)) = text.split_once("\ndata: ") else { continue };
        let mut data: Value = serde_json::from_str(data.trim()).unwrap();
        if let Some(delta) = data["delta"].as_str() {
            data["logprobs"] = json!([{"token": delta, "logprob": -0.1, "bytes": delta.as_bytes()}]);
        }
        *event = format!("{name}\ndata: {data}\n\n").into_bytes();
    }
    let seen = Client::of(HIDES).hears(Dialect::Responses, events);
    assert!(events_of(&seen.text()).iter().all(|it| it["logprobs"].as_array().is_none_or(Vec::is_empty)));

    let tokens: Vec<Value> = characters(&key).into_iter().map(|it| odds(it)["content"][0].clone()).collect();
    let message = json!({"role": "assistant", "content": key});
    let choice = json!({"index": 0, "message": message, "logprobs": {"content": tokens}});
    let legacy = json!({"index": 0, "text": key, "logprobs": {"tokens": characters(&key), "text_offset": [0]}});
    for choice in [choice, legacy] {
        let body = json!({"id": "c", "choices": [choice]}).to_string();
        let seen = Client::of(HIDES).ask(Dialect::Chat.path(), &Dialect::Chat.request("hello", false), |_| {
            crate::client::Answer::body("application/json", body.as_bytes())
        });
        let answer: Value = serde_json::from_slice(&seen.bytes).unwrap();
        assert_eq!(answer["choices"][0]["logprobs"], Value::Null, "{answer}");
    }
}
