//! Mutations that know what they mutate: tokens of JSON, of event streams and of the dialects, frames, escapes, a key.

use super::dice::Choices;
use super::planted;

/// Most mutations of one body.
const STEPS_MAX: usize = 12;
/// Bodies do not grow beyond this.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Words that mean something to somebody on the way.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u0041",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\n",
    "\\\\",
    "\\\"",
    "null",
    "true",
    "1e5",
    "-0",
    "\u{feff}",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\n\r\n",
    "data: ",
    "data:",
    "data",
    "event: ",
    ": ping\n\n",
    "id: 1\n",
    "retry: 5\n",
    "data: [DONE]\n\n",
    "\"stream\":true,",
    "\"type\":\"text\",",
    "\"type\":\"tool_use\",",
    "\"type\":\"tool_result\",",
    "\"type\":\"thinking\",",
    "\"type\":\"image\",",
    "\"signature\":\"AAAA\",",
    "\"content\":",
    "\"text\":\"",
    "\"arguments\":\"{\\\"a\\\":\\\"",
    "\"partial_json\":\"",
    "\"role\":\"assistant\",",
    "\"role\":\"tool\",",
    "\"model\":\"gpt-5\",",
    "\"index\":1,",
    "\"index\":0,",
    "\"finish_reason\":\"stop\",",
    "event: content_block_delta\n",
    "event: content_block_stop\n",
    "event: message_stop\n",
    "event: error\n",
    "data: {\"type\":\"ping\"}\n\n",
    "[REDACTED:AWS_ACCESS_KEY]",
    "[REDACTED:AWS_ACCESS_KEY:k7f3a9q2]",
    "\u{200b}",
    "AKIA",
    "```python\n",
    "```\n",
    "password = \"",
    "\\u0000",
    "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n",
    "%41",
    "QUtJQQ==",
];

/// Mutates `body` as the input says.
pub(crate) fn mutate(body: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let mut steps = 0;
    while !choices.is_empty() && steps < STEPS_MAX {
        steps += 1;
        step(body, choices);
        body.truncate(BODY_BYTES_MAX);
    }
}

fn step(body: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let kind = choices.byte() % 12;
    let at = choices.below(body.len() + 1);
    let span = at..(at + 1 + usize::from(choices.byte())).min(body.len()).max(at);
    match kind {
        0 | 1 => insert(body, at, choices.one_of(TOKENS).as_bytes()),
        2 => insert(body, at, planted().as_bytes()),
        3 => insert(body, at, &with_key(choices.take(40))),
        4 => drop(body.drain(span)),
        5 => {
            let copy = body[span].to_vec();
            insert(body, choices.below(body.len() + 1), &copy);
        }
        6 => body.truncate(at),
        7 => {
            let with = choices.byte();
            body[span].iter_mut().take(1).for_each(|it| *it = with);
        }
        8 => escape(body, at),
        9 => swap_frames(body, choices),
        10 => {
            // Between the letters of a string, where text is.
            let quoted = body[at..].windows(2).position(|it| it[0].is_ascii_alphabetic() && it[1] == b'"');
            insert(body, at + quoted.map_or(0, |it| it + 1), format!(" {} ", planted()).as_bytes());
        }
        _ => *body = body[at..].to_vec(),
    }
}

fn insert(body: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    drop(body.splice(at..at, bytes.iter().copied()));
}

/// `§` becomes the key.
pub(crate) fn with_key(bytes: &[u8]) -> Vec<u8> {
    let mark = "§".as_bytes();
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(mark.len()).position(|it| it == mark) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(planted().as_bytes());
        rest = &rest[at + mark.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// Writes the next letter as an escape.
fn escape(body: &mut Vec<u8>, at: usize) {
    if let Some(found) = body[at..].iter().position(u8::is_ascii_alphanumeric) {
        let byte = body[at + found];
        drop(body.splice(at + found..=at + found, format!("\\u{byte:04x}").into_bytes()));
    }
}

/// Puts a frame of a stream in another's place.
fn swap_frames(body: &mut Vec<u8>, choices: &mut Choices<'_>) {
    let text = String::from_utf8_lossy(body).into_owned();
    let mut frames: Vec<&str> = text.split_inclusive("\n\n").collect();
    let (one, other) = (choices.below(frames.len().max(1)), choices.below(frames.len().max(1)));
    if !frames.is_empty() {
        frames.swap(one, other);
        *body = frames.concat().into_bytes();
    }
}
