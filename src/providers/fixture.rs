//! What the tests of this room share: places in JSON spelled as one line.

use super::{Block, Completion, Note, Part, Refusal, RefusalKind, Role, Scope};
use crate::domain::{RequestId, Risk, Score};
use crate::wire::json::Step;

/// Spells steps and scopes: `messages[0]{user}.content[1]{,text}.text` is the member `text` of an object of type `text`
/// in the content of a message by the user. Braces stand behind what they describe: `{role,type}`; in front, for the root.
pub(super) fn place(spelled: &str) -> (Vec<Step>, Vec<Scope>) {
    let (mut steps, mut scopes) = (Vec::new(), Vec::new());
    let mut here = Scope::default();
    let mut rest = spelled;
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '{' => split_behind(rest, '}'),
            '[' => split_behind(rest, ']'),
            '.' => {
                rest = &rest[1..];
                continue;
            }
            _ => rest.split_at(rest.find(['.', '[', '{']).unwrap_or(rest.len())),
        };
        rest = after;
        if first == '{' {
            here = scope(token);
            continue;
        }
        scopes.push(std::mem::take(&mut here));
        steps.push(match first {
            '[' => Step::Index(token.trim_matches(['[', ']']).parse().unwrap_or_default()),
            _ => Step::Key(token.to_owned()),
        });
    }
    (steps, scopes)
}

fn split_behind(text: &str, end: char) -> (&str, &str) {
    text.split_at(text.find(end).map_or(text.len(), |at| at + end.len_utf8()))
}

fn scope(token: &str) -> Scope {
    let inner = token.trim_matches(['{', '}']);
    let (role, kind) = inner.split_once(',').unwrap_or((inner, ""));
    Scope { role: (!role.is_empty()).then(|| Role::parse(role)), kind: (!kind.is_empty()).then(|| kind.to_owned()) }
}

/// A refusal with this message.
pub(super) fn refusal(message: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::PolicyBlocked,
        message: message.to_owned(),
        flags: vec!["SQL_INJECTION".to_owned()],
        risk: Some(Risk::High),
        score: Score::new(0.9).unwrap_or_default(),
        request: RequestId::new("req-1"),
    }
}

/// Reads every event's data and spells what was understood, one line for each: blocks are numbered as they are first
/// heard of. `+0 Text`, `0=Hel`, `-0`, `Whole Text x`, and the note behind a bar if there is one.
pub(super) fn trace(reader: &mut dyn Completion, events: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut number = |block: &Block| match ids.iter().position(|id| *id == block.id) {
        Some(found) => found,
        None => {
            ids.push(block.id);
            ids.len() - 1
        }
    };
    let mut lines = Vec::new();
    for data in events {
        let mut parts = Vec::new();
        let note = reader.read("", data.as_bytes(), &mut parts);
        let mut words: Vec<String> = Vec::new();
        for part in &parts {
            words.push(match part {
                Part::Open(block) => format!("+{} {:?}", number(block), block.kind),
                Part::Delta(block, raw) => format!("{}={}", number(block), &data[raw.clone()]),
                Part::Close(block) => format!("-{}", number(block)),
                Part::Whole(kind, raw) => format!("{kind:?}:{}", &data[raw.clone()]),
                Part::Unreadable(why) => format!("!{why}"),
            });
        }
        if note != Note::None {
            words.push(format!("| {note:?}"));
        }
        lines.push(words.join(" "));
    }
    lines
}

/// Reads and releases every event, so that the client has seen them all.
pub(super) fn release(reader: &mut dyn Completion, events: &[&str]) {
    for data in events {
        let note = reader.read("", data.as_bytes(), &mut Vec::new());
        reader.released(note);
    }
}

/// The events of a stream's bytes: name and data. Panics at anything that is not one name and one line of data each.
pub(super) fn frames(bytes: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let frames = text.split_terminator("\n\n").map(|frame| match frame.split_once('\n') {
        Some((event, data)) => (event.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap()),
        None => ("", frame.strip_prefix("data: ").unwrap()),
    });
    frames.map(|(event, data)| (event.to_owned(), data.to_owned())).collect()
}

/// Feeds what a hostile or broken provider might send; nothing may panic and every range must lie inside the event.
pub(super) fn survives_anything(make: &dyn Fn() -> Box<dyn Completion>, events: &[&str]) {
    let mut odd: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"\"x\"".to_vec(),
        b"[[[]]]".to_vec(),
        b"{\"type\":7,\"index\":\"x\",\"delta\":\"y\",\"choices\":\"z\",\"item\":[],\"response\":1}".to_vec(),
        b"{\"choices\":[[],{},null,{\"delta\":[{\"content\":[1,{\"text\":\"q\"}]}]}]}".to_vec(),
        b"{\"index\":18446744073709551615,\"output_index\":99999999999999999999}".to_vec(),
        b"\xff\xfe".to_vec(),
        [b"[".repeat(100), b"]".repeat(100)].concat(),
    ];
    for event in events {
        for cut in 0..event.len() {
            odd.push(event.as_bytes()[..cut].to_vec());
            odd.push(event.as_bytes()[cut..].to_vec());
        }
        odd.push(event.replace("0", "4294967296").into_bytes());
        odd.push(event.replace(":\"", ":[\"").replace("\",", "\"],").into_bytes());
    }
    let mut reader = make();
    for data in &odd {
        let mut parts = Vec::new();
        let note = reader.read("odd", data, &mut parts);
        reader.released(note);
        for part in parts {
            if let Part::Delta(_, raw) | Part::Whole(_, raw) = part {
                assert!(data.get(raw).is_some_and(|range| !range.is_empty()));
            }
        }
        reader.ending(&refusal("m"));
    }
}

/// Puts a member nobody knows into every object of every event: each must be reported, key and value.
pub(super) fn reports_novelties(make: &dyn Fn() -> Box<dyn Completion>, events: &[&str]) {
    for event in events {
        for at in objects(event) {
            let (before, after) = event.split_at(at + 1);
            let comma = if after.starts_with('}') { "" } else { "," };
            let data = format!("{before}\"novelkey\":\"novelvalue\"{comma}{after}");
            let mut parts = Vec::new();
            make().read("", data.as_bytes(), &mut parts);
            for word in ["novelkey", "novelvalue"] {
                let told = parts.iter().any(|part| match part {
                    Part::Delta(_, raw) | Part::Whole(_, raw) => data[raw.clone()] == *word,
                    _ => false,
                });
                assert!(told, "{word} in {data}");
            }
        }
    }
}

/// Where the objects of a JSON text begin.
fn objects(event: &str) -> Vec<usize> {
    let (mut found, mut quoted, mut escaped) = (Vec::new(), false, false);
    for (at, byte) in event.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' if !quoted => found.push(at),
            _ => {}
        }
    }
    found
}
