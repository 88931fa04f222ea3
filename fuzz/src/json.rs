//! The JSON lexers: the same in every cutting, no other grammar than serde_json's, and the way back to the raw bytes.

use std::fmt;

use airiskguard_gateway::wire::json::{self, ErrorKind, Place};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::dice::{Choices, Dice};
use super::leaves::{Deep, Flat, Leaf, Told, deep, flat};

/// Two bytes choose the cuts, the others are the document.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let mut dice = Dice::new(choices.number());
    let raw = choices.0;
    let whole = flat(&[raw]);
    let nested = deep(&[raw]);
    let bytes: Vec<&[u8]> = raw.chunks(1).collect();
    for pieces in [bytes, dice.cut(raw)] {
        assert_eq!(flat(&pieces), whole, "another cutting, another document");
        assert_eq!(deep(&pieces), nested, "another cutting, another nested document");
    }
    assert_eq!(whole.error, nested.error);
    as_the_oracle(raw, &whole);
    as_documents(&nested);
    back_to_the_bytes(raw, &nested, &mut dice);
}

/// What serde_json accepts, and the strings it reads.
fn as_the_oracle(raw: &[u8], whole: &Flat) {
    let body = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    // It does not look at the bytes of what it ignores.
    let is_valid = std::str::from_utf8(body).is_ok() && serde_json::from_slice::<IgnoredAny>(body).is_ok();
    match whole.error.map(|it| it.kind) {
        None => assert!(is_valid, "read what is no JSON"),
        Some(ErrorKind::Depth | ErrorKind::NumberTooLong) => {}
        Some(kind) => assert!(!is_valid, "refused what is JSON: {kind:?}"),
    }
    let mut strings = Vec::new();
    let mut oracle = serde_json::Deserializer::from_slice(body);
    // It refuses half a surrogate pair and numbers beyond a double; there is nothing to compare then.
    if whole.error.is_none() && Strings(&mut strings).deserialize(&mut oracle).is_ok() {
        let ours = whole.told.iter().filter_map(|it| match it {
            Told::Text { role, text, .. } => Some((*role == json::Role::Key, text.clone())),
            _ => None,
        });
        assert_eq!(ours.collect::<Vec<_>>(), strings, "other strings than the oracle's");
    }
}

/// A string is a document exactly if the lexer by itself says so of its text.
fn as_documents(nested: &Deep) {
    for outer in nested.outers.iter().filter(|it| it.leaf.is_whole && it.leaf.role == json::Role::Value) {
        let text = outer.leaf.text.as_bytes();
        let begins = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start().first();
        let alone = flat(&[text]);
        let is_document = matches!(begins, Some(b'{' | b'[')) && alone.error.is_none();
        assert_eq!(outer.is_document, is_document, "{:?}", outer.leaf.text);
        if is_document {
            let strings = alone.told.iter().filter_map(|it| match it {
                Told::Text { text, start, .. } => Some((text.as_str(), Some(*start))),
                _ => None,
            });
            let inner = outer.inner.iter().map(|it| (it.text.as_str(), it.place.inner));
            assert!(strings.eq(inner), "other strings inside than alone");
        }
    }
}

fn back_to_the_bytes(raw: &[u8], nested: &Deep, dice: &mut Dice) {
    for outer in nested.outers.iter().filter(|it| it.leaf.is_whole) {
        let inner = outer.inner.iter().filter(|it| it.is_whole);
        std::iter::once(&outer.leaf).chain(inner).for_each(|leaf| check_leaf(raw, leaf, dice));
    }
}

fn check_leaf(raw: &[u8], leaf: &Leaf, dice: &mut Dice) {
    assert_eq!(json::decode(raw, leaf.place).as_ref(), Ok(&leaf.text));
    let length = leaf.text.len();
    let mut ends = [dice.roll(length + 1), dice.roll(length + 1)].map(|at| leaf.text.floor_char_boundary(at));
    ends.sort_unstable();
    let [start, end] = ends;
    let found = json::locate(raw, leaf.place, &[start..end, 0..length]).expect("a span inside");
    assert!(found[1].start <= found[0].start && found[0].end <= found[1].end, "a part outside of the whole");
    let piece = [&raw[found[0].clone()], b"\"\""].concat();
    if leaf.place.inner.is_none() && start < end {
        assert_eq!(json::decode(&piece, Place::outer(0)).as_deref(), Ok(&leaf.text[start..end]));
    }
    assert!(json::locate(raw, leaf.place, std::slice::from_ref(&(0..length + 1))).is_err(), "a span outside");
}

/// Every string in its order, with whether it is a key.
struct Strings<'a>(&'a mut Vec<(bool, String)>);

impl<'de> DeserializeSeed<'de> for Strings<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, oracle: D) -> Result<(), D::Error> {
        oracle.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strings<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push((false, text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Strings(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            self.0.push((true, key));
            members.next_value_seed(Strings(self.0))?;
        }
        Ok(())
    }
}
