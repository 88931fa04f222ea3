//! Edits of strings, as redaction makes them: the result is JSON, the edited texts are edited, all else is as it was.

use airiskguard_gateway::wire::json;
use airiskguard_gateway::wire::splice::Splices;

use super::dice::{Choices, Dice};
use super::leaves::{Deep, Leaf, deep};

/// What is put in: labels, and everything that has to be escaped.
const TEXTS: [&str; 6] = ["[REDACTED:AWS_ACCESS_KEY]", "", "\"", "\\", "\n\u{0}\u{1f}é😀", "-----BEGIN\nA\\B\"C\"\n"];
/// Most edits of one document.
const EDITS_MAX: usize = 4;

/// What half a surrogate pair reads as. Two halves between which all is taken out are a character, and no longer two.
const LONE_HALF: char = char::REPLACEMENT_CHARACTER;

/// An edit that was made: the outer string, the inner one if it was that, and its text now.
struct Edit {
    outer: usize,
    inner: Option<usize>,
    text: String,
}

/// Two bytes choose the edits, the others are the document.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut dice = Dice::new(choices.number());
    let raw = choices.0;
    let before = deep(&[raw]);
    if before.error.is_some() {
        return;
    }
    let mut splices = Splices::new();
    let edits = edit(raw, &before, &mut dice, &mut splices);
    let out = splices.apply(raw).expect("inside of the document");
    if edits.is_empty() {
        assert_eq!(out, raw);
    }
    let after = deep(&[&out]);
    assert_eq!(after.error, None, "no JSON any more");
    assert_eq!(after.outers.len(), before.outers.len(), "another number of strings");
    assert_eq!(after.nodes.len(), before.nodes.len(), "another number of values");
    for (index, (was, is)) in before.outers.iter().zip(&after.outers).enumerate() {
        assert_eq!(was.leaf.role, is.leaf.role);
        match edits.iter().find(|it| it.outer == index) {
            None => {
                assert_eq!((&was.leaf.text, was.is_document), (&is.leaf.text, is.is_document));
                assert_eq!(texts(&was.inner), texts(&is.inner));
            }
            Some(Edit { inner: None, text, .. }) => assert_eq!(&is.leaf.text, text, "not the edited text"),
            Some(Edit { inner: Some(edited), text, .. }) => {
                assert!(is.is_document, "the document inside is none any more");
                let mut expected = texts(&was.inner);
                expected[*edited] = text;
                assert_eq!(texts(&is.inner), expected);
            }
        }
    }
}

fn texts(leaves: &[Leaf]) -> Vec<&str> {
    leaves.iter().map(|it| it.text.as_str()).collect()
}

/// At most one edit in each outer string, so that what must come out is known without splicing.
fn edit(raw: &[u8], before: &Deep, dice: &mut Dice, splices: &mut Splices) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for _ in 0..dice.roll(EDITS_MAX + 1).min(before.outers.len()) {
        let outer = dice.roll(before.outers.len());
        if edits.iter().any(|it| it.outer == outer) {
            continue;
        }
        let string = &before.outers[outer];
        let inner = (string.is_document && !string.inner.is_empty()).then(|| dice.roll(string.inner.len()));
        let leaf = inner.map_or(&string.leaf, |it| &string.inner[it]);
        let mut ends = [0; 2].map(|_| leaf.text.floor_char_boundary(dice.roll(leaf.text.len() + 1)));
        ends.sort_unstable();
        let span = ends[0]..ends[1];
        let mut with = TEXTS[dice.roll(TEXTS.len())];
        let (left, right) = (&leaf.text[..span.start], &leaf.text[span.end..]);
        if with.is_empty() && left.ends_with(LONE_HALF) && right.starts_with(LONE_HALF) {
            with = TEXTS[0];
        }
        let range = json::locate(raw, leaf.place, std::slice::from_ref(&span)).expect("inside").remove(0);
        let mut escaped = Vec::new();
        json::escape(with, leaf.place.levels(), &mut escaped);
        splices.replace(range, escaped);
        let text = [left, with, right].concat();
        edits.push(Edit { outer, inner, text });
    }
    edits
}
