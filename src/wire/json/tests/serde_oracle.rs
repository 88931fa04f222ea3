//! The lexer against another parser: the same documents are accepted and the same strings are read.
//!
//! Where the two differ: the other refuses halves of surrogate pairs and numbers beyond a double, knows no byte order
//! mark, and counts depth by its own limit; each of these differences is stated below and nothing else is let through.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess};

use super::*;

/// All strings of a document, keys too, in their order.
#[derive(Debug, PartialEq)]
struct Strings(Vec<String>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Collect)
    }
}

struct Collect;

impl<'de> serde::de::Visitor<'de> for Collect {
    type Value = Strings;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("any document")
    }

    fn visit_str<E>(self, text: &str) -> Result<Strings, E> {
        Ok(Strings(vec![text.into()]))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Strings, E> {
        Ok(Strings(vec![]))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Strings, E> {
        Ok(Strings(vec![]))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Strings, E> {
        Ok(Strings(vec![]))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Strings, E> {
        Ok(Strings(vec![]))
    }

    fn visit_unit<E>(self) -> Result<Strings, E> {
        Ok(Strings(vec![]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strings, A::Error> {
        let mut all = Vec::new();
        while let Some(Strings(strings)) = items.next_element()? {
            all.extend(strings);
        }
        Ok(Strings(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strings, A::Error> {
        let mut all = Vec::new();
        while let Some((key, Strings(strings))) = members.next_entry::<String, Strings>()? {
            all.push(key);
            all.extend(strings);
        }
        Ok(Strings(all))
    }
}

/// What only the other parser refuses.
fn is_known_difference(raw: &[u8], message: &str) -> bool {
    raw.starts_with(b"\xef\xbb\xbf")
        || message.contains("lone leading surrogate")
        || message.contains("unexpected end of hex escape")
        || message.contains("number out of range")
}

fn agree(raw: &[u8]) -> Result<(), TestCaseError> {
    let (seen, ours) = read(raw, &[], Limits { depth_max: 100 });
    match (ours, serde_json::from_slice::<Strings>(raw)) {
        (Ok(()), Ok(Strings(expected))) => {
            let texts: Vec<String> = seen
                .into_iter()
                .filter_map(|seen| if let Seen::Text { text, .. } = seen { Some(text) } else { None })
                .collect();
            prop_assert_eq!(texts, expected);
        }
        (Ok(()), Err(error)) => prop_assert!(is_known_difference(raw, &error.to_string()), "only we accept: {}", error),
        (Err(error), Ok(_)) => prop_assert!(false, "only we refuse: {}", error),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

#[test]
fn known_differences_are_as_stated() {
    for raw in [&b"\xef\xbb\xbf1"[..], br#""\ud800""#, br#""\ud800\n""#, br#""\udc00""#, b"1e999"] {
        assert_eq!(read(raw, &[], Limits::default()).1, Ok(()));
        let error = serde_json::from_slice::<Strings>(raw).unwrap_err().to_string();
        assert!(is_known_difference(raw, &error), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn damaged_documents(raw in damaged()) {
        agree(&raw)?;
    }

    #[test]
    fn arbitrary_tokens(tokens in prop::collection::vec(
        select(vec!["{", "}", "[", "]", ":", ",", "\"a\"", "\"\\u00", "\\", "\"", "1", "-", "0", ".", "e", "+", "true",
            "nul", "null", " ", "\n", "\u{7f}", "\u{1}", "é"]), 0..12)) {
        agree(tokens.concat().as_bytes())?;
    }

    #[test]
    fn arbitrary_bytes(raw in prop::collection::vec(any::<u8>(), 0..24)) {
        agree(&raw)?;
        agree(&[b"\"", &raw[..], b"\""].concat())?;
    }
}
