//! Tests of the JSON room: what documents look like, what was seen of them, and the properties they are held against.
#![allow(clippy::single_range_in_vec_init, reason = "a list of one span is meant")]

mod lexer;
mod located;
mod nested;
mod serde_oracle;

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What a visitor was told, with the pieces of each text put together.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Enter(Path, Container, usize),
    Leave(Path, Container, usize),
    Text {
        path: Path,
        role: Role,
        at: Range<usize>,
        text: String,
    },
    Scalar(Path, String, usize),
    /// The text of a string that did not end.
    Open(String),
}

#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) seen: Vec<Seen>,
    open: Option<(usize, String)>,
}

impl Visitor for Recorder {
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        self.seen.push(Seen::Enter(path.clone(), container, at));
    }

    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        self.seen.push(Seen::Leave(path.clone(), container, at));
    }

    fn string_start(&mut self, _path: &Path, _role: Role, start: usize) {
        assert!(self.open.replace((start, String::new())).is_none(), "a string begins inside a string");
    }

    fn text(&mut self, decoded: &str) {
        assert!(!decoded.is_empty(), "an empty piece");
        self.open.as_mut().expect("text belongs to a string").1.push_str(decoded);
    }

    fn string_end(&mut self, path: &Path, role: Role, end: usize) {
        let (start, text) = self.open.take().expect("a string ends that has begun");
        self.seen.push(Seen::Text { path: path.clone(), role, at: start..end, text });
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        self.seen.push(Seen::Scalar(path.clone(), String::from_utf8(raw.to_vec()).expect("ASCII"), at));
    }
}

/// Pushes the pieces of `raw` between the cuts and tells what was seen.
pub(super) fn read(raw: &[u8], cuts: &[usize], limits: Limits) -> (Vec<Seen>, Result<(), Error>) {
    let mut lexer = Lexer::new(limits);
    let mut recorder = Recorder::default();
    let result = pieces(raw, cuts)
        .try_for_each(|piece| lexer.push(piece, &mut recorder))
        .and_then(|()| lexer.finish(&mut recorder));
    if let Some((_, text)) = recorder.open.take() {
        recorder.seen.push(Seen::Open(text));
    }
    (recorder.seen, result)
}

pub(super) fn pieces<'a>(raw: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(raw.len()));
    starts.zip(ends).map(|(start, end)| &raw[start..end])
}

/// Places to cut bytes at, sorted; made fit to their number by `fit`.
pub(super) fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..12)
}

pub(super) fn fit(cuts: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

/// The content of a string as it is written, with every kind of escape, sound and broken halves of pairs.
pub(super) fn content() -> impl Strategy<Value = String> {
    let long = "plain text that goes on for a while, ".repeat(20);
    let words = vec![
        "a".into(),
        "Zoë".into(),
        "雪".into(),
        "😀".into(),
        "{".into(),
        "[".into(),
        ": ".into(),
        ",".into(),
        "\\n".into(),
        "\\t".into(),
        "\\/".into(),
        "\\\"".into(),
        "\\\\".into(),
        "\\u0041".into(),
        "\\u00e9".into(),
        "\\uD83D\\uDE00".into(),
        "\\u007b".into(),
        "\u{7f}".into(),
        long,
    ];
    prop::collection::vec(select(words), 0..6).prop_map(|words| words.concat())
}

/// Documents as they are written; some of the strings hold documents themselves.
pub(super) fn document() -> impl Strategy<Value = String> {
    let scalar = select(vec!["0", "-0", "12", "-1.5e+3", "1E9", "0.25", "true", "false", "null"]);
    let leaf = prop_oneof![
        3 => content().prop_map(|content| format!("\"{content}\"")),
        1 => scalar.prop_map(str::to_string),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let space = select(vec!["", "", " ", "\n\t", "\r\n"]);
        let member = (content(), space.clone(), inner.clone())
            .prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}"));
        let array = (prop::collection::vec(inner.clone(), 0..4), space.clone())
            .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},{space}"))));
        let object = (prop::collection::vec(member, 0..4), space)
            .prop_map(|(members, space)| format!("{{{}{space}}}", members.join(",")));
        let nested = inner.prop_map(|text| {
            let mut quoted = Vec::new();
            escape(&text, 1, &mut quoted);
            format!("\"{}\"", String::from_utf8(quoted).expect("UTF-8"))
        });
        prop_oneof![array, object, nested]
    })
}

/// Documents, and documents that were damaged at a few places.
pub(super) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let bytes = select(b"{}[]\",:\\u0dD8ef.-+ tn\n\x01\xff\xc3\xa9\xe2\x82\xf0".to_vec());
    let damage = prop::collection::vec((any::<prop::sample::Index>(), bytes, any::<bool>()), 0..3);
    (document(), damage).prop_map(|(document, damage)| {
        let mut raw = document.into_bytes();
        for (place, byte, is_insert) in damage {
            let at = place.index(raw.len() + 1);
            if is_insert || at == raw.len() {
                raw.insert(at, byte);
            } else {
                raw[at] = byte;
            }
        }
        raw
    })
}
