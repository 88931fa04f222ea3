//! Ordinary answers: nothing of them waits, nothing of them changes.

use crate::Dice;
use crate::client::{Answer, Client, HIDES, RESTORES, STOPS, USUAL};
use crate::dialect::{ALL, Dialect, Kind};

const PROSE: &str = "The error comes from the way the connection pool is closed. When the worker receives a shutdown \
signal it drops the last handle, and the pool then waits for every connection to be returned. One of them is still \
held by the background task that refreshes the token, so that the wait never ends.\n\nThere are two ways to fix this:\n\n\
1. Cancel the task before the pool is closed. This is the simpler way, and it works if nothing else depends on it.\n\
2. Give the task a weak reference. Then it notices by itself that the pool is gone, and ends.\n\nI would take the \
first one. You can see in `worker.rs` that the order of the fields decides who is dropped first; a short comment there \
would save the next reader an afternoon. The password reset flow and the secret rotation are not touched by this, \
though both import the same module. After the change, run the tests again: the one named `drains_on_signal` should \
take about 20 ms, and not 30 seconds as before. If it fails, look at the log first (the level is read from \
`LOG_LEVEL`), then at the metrics on port 9090.\n\n";

const CODE: &str = r#"```python
import os
from dataclasses import dataclass, field


@dataclass
class Settings:
    host: str = "localhost"
    port: int = 5432
    retries: int = 3
    tags: list[str] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(host=os.environ.get("DB_HOST", "localhost"), port=int(os.environ.get("DB_PORT", "5432")))


def find_user(cursor, name: str) -> dict | None:
    cursor.execute("SELECT id, name FROM users WHERE name = %s", (name,))
    row = cursor.fetchone()
    if row is None:
        return None
    return {"id": row[0], "name": row[1]}


async def main() -> None:
    settings = Settings.from_environment()
    token = os.environ["API_TOKEN"]
    async with Client(settings.host, token=token) as client:
        for page in range(1, 10):
            items = await client.list(page=page, limit=1000)
            if not items:
                break
            print(f"{len(items)} items on page {page}")
```
"#;

fn tokens(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(4).map(|it| it.iter().collect()).collect()
}

#[test]
fn ordinary_text_goes_out_with_the_delta_that_brings_it() {
    for (name, text) in [("prose", PROSE.repeat(3)), ("code", CODE.repeat(4))] {
        assert!(text.len() >= 3000, "{}", text.len());
        for gateway in [USUAL, STOPS] {
            for dialect in ALL {
                let tokens = tokens(&text);
                let events = dialect.events(Kind::Text, &tokens);
                let first =
                    events.iter().position(|it| String::from_utf8_lossy(it).contains("Settings") || dialect_delta(it));
                let seen = Client::of(gateway).hears(dialect, events.clone());
                assert_eq!(seen.bytes, events.concat(), "{dialect:?} {name}: changed");
                let mut held = Vec::new();
                let mut balance = 0;
                let mut slow = Vec::new();
                let first = first.expect("a delta");
                for (index, (event, out)) in events.iter().zip(&seen.steps).enumerate() {
                    balance = balance + event.len() - out.len();
                    if let Some(token) = index.checked_sub(first).and_then(|it| tokens.get(it)) {
                        held.push(balance);
                        if balance > 0 {
                            slow.push(token.clone());
                        }
                    }
                }
                held.sort_unstable();
                let share = slow.len() * 100 / held.len();
                println!("{dialect:?} {name}: {} of {} tokens held ({share} %): {slow:?}", slow.len(), held.len());
                // A token waits for the next one or two at most, whatever is looked for.
                let longest = events.iter().map(Vec::len).max().unwrap_or_default();
                assert!(held.iter().all(|it| *it <= 24 * longest), "{dialect:?} {name}: {held:?}");
                if gateway == USUAL {
                    assert_eq!(held[held.len() / 2], 0, "{dialect:?} {name}");
                    assert!(share < 50, "{dialect:?} {name}: {share} % {slow:?}");
                }
            }
        }
    }
}

fn dialect_delta(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event);
    let is_delta = text.contains("_delta\"") || text.contains("output_text.delta") || text.contains("chunk");
    is_delta && !text.contains("\"role\"") && !text.contains("message_delta")
}

#[test]
fn an_untouched_stream_keeps_every_byte_however_it_is_written() {
    let odd = "\u{feff}: hello\r\rid: 7\revent: content_block_start\rdata: {\"type\":\"content_block_start\",\"index\":0,\
               \"content_block\":{\"type\":\"text\",\"text\":\"\"}}\r\revent:content_block_delta\r\ndata:{\"type\":\r\n\
               data: \"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\r\ndata:\"text\":\"hi\"}}\r\n\r\n\
               retry: 10\n\ndata: {\"type\":\"brand_new\",\"x\":[1,2,{\"y\":\"z\"}]}\n\ndata: [DONE]\n\ndata: plain words\n\ndata:\n\n\
               event: ping\ndata: {\"type\": \"ping\"}\n\ndata: {\"type\":\"message_stop\"}\n\ndata: cut of";
    let mut dice = Dice(5);
    for dialect in ALL {
        for gateway in [STOPS, HIDES, RESTORES] {
            for _ in 0..20 {
                let seen = Client::of(gateway).hears(dialect, dice.cut(odd.as_bytes()));
                assert_eq!(seen.text(), odd, "{dialect:?}");
                assert!(!seen.stopped);
            }
        }
    }
}

#[test]
fn events_of_several_lines_are_scanned_and_edited() {
    let key = crate::access_key();
    let stream = format!(
        "event: content_block_delta\r\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\r\n\
         data: \"delta\":{{\"type\":\"text_delta\",\r\ndata: \"text\":\"k = {key}.\"}}}}\r\n\r\n"
    );
    let seen = Client::of(HIDES).hears(Dialect::Anthropic, vec![stream.clone().into_bytes()]);
    assert_eq!(seen.text(), stream.replace(&key, "[REDACTED:AWS_ACCESS_KEY]"));
}

#[test]
fn compressed_streams_are_read() {
    use std::io::Write;
    let text = format!("it is {}.", crate::access_key());
    let plain = Dialect::Chat.events(Kind::Text, &crate::characters(&text)).concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    for gateway in [STOPS, HIDES] {
        let seen = Client::of(gateway).ask(Dialect::Chat.path(), &Dialect::Chat.request("hello", true), |_| Answer {
            status: 200,
            headers: vec![("content-type", "text/event-stream"), ("content-encoding", "gzip")],
            pieces: packed.chunks(7).map(|it| (3, it.to_vec())).collect(),
        });
        assert_eq!(seen.stopped, gateway == STOPS, "{}", seen.text());
        let view = Dialect::Chat.read(&seen.bytes);
        assert_eq!(view.problems, Vec::<String>::new());
        assert!(!seen.text().contains(&crate::access_key()[..8]));
        if gateway == HIDES {
            assert_eq!(view.text, "it is [REDACTED:AWS_ACCESS_KEY].");
        }
    }
}

#[test]
fn what_cannot_be_read_ends_the_stream_and_breaks_nothing() {
    let delta = |text: &[u8]| {
        [
            b"data: {\"type\":\"content_block_delta\",\"index\":0,\"choices\":[{\"delta\":{\"content\":\"",
            text,
            b"\"}}]}\n\n",
        ]
        .concat()
    };
    let broken: [Vec<u8>; 4] = [
        delta(b"\xff\xfe"),
        b"data: {\"type\":\"content_block_delta\"\n\n".to_vec(),
        b"data: {\"a\":NaN,\"choices\":[]}\n\n".to_vec(),
        [b"data: ".to_vec(), vec![b'['; 5000], b"\n\n".to_vec()].concat(),
    ];
    for dialect in ALL {
        for event in &broken {
            let whole = dialect.events(Kind::Text, &["fine so far"]);
            let pieces = [&whole[..2], std::slice::from_ref(event), &whole[2..]].concat();
            let seen = Client::of(STOPS).hears(dialect, pieces);
            assert!(seen.stopped, "{dialect:?}");
            let view = dialect.read(&seen.bytes);
            assert_eq!(view.problems, Vec::<String>::new(), "{dialect:?} {}", seen.text());
            assert!(view.notice.unwrap().contains("cut off"));
            assert_eq!(seen.event.refusal, Some("upstream_failed"));
        }
    }
}

#[test]
fn noise_never_panics() {
    let mut dice = Dice(6);
    let words = [
        "data: ",
        "event: ",
        "\n",
        "\r",
        "\n\n",
        "{\"type\":\"content_block_delta\"",
        "}",
        "\"",
        ",",
        "\"index\":0",
        "\"delta\":{\"text\":\"a\"}",
        "message_stop",
        "\\ud83d",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\"}}]}}]}",
        "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"x\"}",
        ":",
        "\u{feff}",
        "ü",
        "[DONE]",
    ];
    for _ in 0..400 {
        let count = 1 + dice.roll(40);
        let text: String = (0..count).map(|_| words[dice.roll(words.len())]).collect();
        for dialect in ALL {
            let seen = Client::of(RESTORES).hears(dialect, dice.cut(text.as_bytes()));
            // Comments may overtake a tool call that never ends, and an event that is cut off is dropped.
            assert!(seen.stopped || seen.bytes.len() <= text.len(), "{dialect:?} {text:?} became {}", seen.text());
        }
    }
}

#[test]
fn an_event_beyond_all_measure_ends_the_stream() {
    for dialect in ALL {
        let mut events = dialect.events(Kind::Text, &["fine"]);
        events.truncate(3);
        events.extend((0..18).map(|_| vec![b'x'; 1 << 20]));
        let seen = Client::of(STOPS).hears(dialect, events);
        assert!(seen.stopped);
        assert_eq!(dialect.read(&seen.bytes).problems, Vec::<String>::new());
    }
}
