//! From text back to bytes: what a span covers decodes to that span, and what is escaped decodes to what it was.

use super::*;

/// A string one or two levels deep, with what it reads as.
fn placed() -> impl Strategy<Value = (Vec<u8>, Place, String)> {
    (content(), any::<bool>(), content()).prop_map(|(content, is_deep, before)| {
        let text = decode(format!("{content}\"").as_bytes(), Place::outer(0)).expect("sound content");
        if !is_deep {
            let raw = format!("[\"{before}\",\"{content}\"]").into_bytes();
            return (raw, Place::outer(before.len() + 5), text);
        }
        let inner = format!("[\"{before}\",\"{content}\"]");
        let mut raw = b"[\"".to_vec();
        escape(&inner, 1, &mut raw);
        raw.extend_from_slice(b"\"]");
        (raw, Place { start: 2, inner: Some(before.len() + 5) }, text)
    })
}

fn boundary(text: &str, index: &prop::sample::Index) -> usize {
    text.floor_char_boundary(index.index(text.len() + 1))
}

#[test]
fn covers_whole_escapes() {
    let raw = br#"["a\n\u0041\ud83d\ude00z"]"#;
    let place = Place::outer(2);
    assert_eq!(decode(raw, place).unwrap(), "a\nA😀z");
    let spans = [0..1, 1..2, 1..3, 2..3, 3..7, 4..5, 7..8, 0..8];
    let expected = [2..3, 3..5, 3..11, 5..11, 11..23, 11..23, 23..24, 2..24];
    assert_eq!(locate(raw, place, &spans).unwrap(), expected);
}

#[test]
fn composes_two_levels() {
    let raw = br#"{"a":"{\"k\":\"x\\ny\\u00e9\"}"}"#;
    let place = Place { start: 6, inner: Some(6) };
    assert_eq!(decode(raw, place).unwrap(), "x\nyé");
    assert_eq!(locate(raw, place, &[0..1, 1..2, 2..3, 3..5]).unwrap(), [15..16, 16..19, 19..20, 20..27]);
}

#[test]
fn halves_of_pairs_keep_their_own_bytes() {
    let raw = br#""\ud83d\u0041\ud83dz\ud83d\n\ude00""#;
    let text = decode(raw, Place::outer(1)).unwrap();
    assert_eq!(text, "\u{fffd}A\u{fffd}z\u{fffd}\n\u{fffd}");
    let spans = [0..3, 3..4, 4..7, 7..8, 8..11, 11..12, 12..15];
    let expected = [1..7, 7..13, 13..19, 19..20, 20..26, 26..28, 28..34];
    assert_eq!(locate(raw, Place::outer(1), &spans).unwrap(), expected);
}

#[test]
fn empty_spans_stand_between_characters() {
    let raw = br#""a\nb""#;
    assert_eq!(locate(raw, Place::outer(1), &[0..0, 1..1, 2..2, 3..3]).unwrap(), [1..1, 2..2, 4..4, 5..5]);
    assert_eq!(locate(br#""""#, Place::outer(1), &[0..0]).unwrap(), [1..1]);
    let inside = Place { start: 2, inner: Some(2) };
    assert_eq!(locate(br#"["[\"\"]"]"#, inside, &[0..0]).unwrap(), [5..5]);
}

#[test]
fn spans_outside_and_broken_strings_are_errors() {
    let outside = |at| Err(Error { offset: at, kind: ErrorKind::SpanOutside });
    assert_eq!(locate(br#""abc""#, Place::outer(1), &[0..1, 2..4]), outside(4));
    assert_eq!(locate(br#""abc""#, Place::outer(1), &[9..9]), outside(4));
    let backwards = Range { start: 2, end: 1 };
    assert_eq!(locate(br#""abc""#, Place::outer(1), &[backwards]).unwrap_err().kind, ErrorKind::SpanOutside);
    assert_eq!(decode(br#""abc""#, Place { start: 1, inner: Some(9) }).unwrap_err().kind, ErrorKind::SpanOutside);
    assert_eq!(decode(br#""abc"#, Place::outer(1)).unwrap_err().kind, ErrorKind::UnexpectedEnd);
    assert_eq!(decode(b"\"a\xff\"", Place::outer(1)), Err(Error { offset: 2, kind: ErrorKind::InvalidUtf8 }));
    assert_eq!(decode(b"", Place::outer(7)).unwrap_err().kind, ErrorKind::UnexpectedEnd);
}

proptest! {
    #[test]
    fn a_located_span_decodes_to_itself(
        (raw, place, text) in placed(),
        ends in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
    ) {
        prop_assert_eq!(&decode(&raw, place).unwrap(), &text);
        let mut spans: Vec<Range<usize>> = ends
            .iter()
            .map(|(one, other)| (boundary(&text, one), boundary(&text, other)))
            .map(|(one, other)| one.min(other)..one.max(other))
            .collect();
        spans.sort_by_key(|span| span.start);
        let found = locate(&raw, place, &spans).unwrap();
        for (span, range) in spans.iter().zip(found) {
            let mut alone = raw[range].to_vec();
            // The span by itself, as content of strings that end behind it.
            let place = match place.inner {
                None => {
                    alone.push(b'"');
                    Place::outer(0)
                }
                Some(_) => {
                    alone.extend_from_slice(b"\\\"\"");
                    Place { start: 0, inner: Some(0) }
                }
            };
            prop_assert_eq!(decode(&alone, place).unwrap(), &text[span.clone()]);
        }
    }

    #[test]
    fn escaped_text_decodes_to_itself(text in any::<String>(), more in "[\\x00-\\x7f]{0,20}") {
        let text = text + &more;
        for (levels, end) in [(1, "\""), (2, "\\\"\"")] {
            let mut raw = Vec::new();
            escape(&text, levels, &mut raw);
            raw.extend_from_slice(end.as_bytes());
            let place = Place { start: 0, inner: (levels == 2).then_some(0) };
            prop_assert_eq!(place.levels(), levels);
            prop_assert_eq!(&decode(&raw, place).unwrap(), &text);
        }
        let mut quoted = b"\"".to_vec();
        escape(&text, 1, &mut quoted);
        quoted.push(b'"');
        prop_assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text);
    }

    #[test]
    fn hostile_places_never_panic(raw in damaged(), start in 0usize..80, inner in prop::option::of(0usize..80)) {
        let place = Place { start, inner };
        let text = decode(&raw, place);
        if let Ok(text) = text {
            let whole = 0..text.len();
            prop_assert!(locate(&raw, place, &[whole]).is_ok());
        }
    }
}
