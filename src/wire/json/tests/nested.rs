//! Documents inside strings: told as reading the decoded string would tell them, in any cutting.

use super::*;

/// What the deep visitor was told, texts put together.
#[derive(Clone, Debug, PartialEq)]
enum Deep {
    Text { level: usize, path: Path, inner: Option<Path>, role: Role, place: Place, text: String },
    Scalar { level: usize, inner: Option<Path>, place: Place, raw: Vec<u8> },
    Enter(usize, Option<Path>, Container, Place),
    Leave(usize, Option<Path>, Container, Place),
    Done,
    Failed(Error),
}

#[derive(Default)]
struct Recorder {
    seen: Vec<Deep>,
    open: [Option<String>; 2],
}

impl DeepVisitor for Recorder {
    fn enter(&mut self, node: NodeAt<'_>, container: Container) {
        self.seen.push(Deep::Enter(node.level, node.inner.cloned(), container, node.place));
    }

    fn leave(&mut self, node: NodeAt<'_>, container: Container) {
        self.seen.push(Deep::Leave(node.level, node.inner.cloned(), container, node.place));
    }

    fn string_start(&mut self, leaf: LeafAt<'_>) {
        assert_eq!(leaf.level == 1, leaf.inner.is_some());
        assert_eq!(leaf.level == 1, leaf.place.inner.is_some());
        assert!(self.open[leaf.level].replace(String::new()).is_none(), "a string begins inside a string");
    }

    fn text(&mut self, level: usize, decoded: &str) {
        self.open[level].as_mut().expect("text belongs to a string").push_str(decoded);
    }

    fn string_end(&mut self, leaf: LeafAt<'_>) {
        let LeafAt { level, path, inner, role, place } = leaf;
        let text = self.open[level].take().expect("a string ends that has begun");
        self.seen.push(Deep::Text { level, path: path.clone(), inner: inner.cloned(), role, place, text });
    }

    fn scalar(&mut self, node: NodeAt<'_>, raw: &[u8]) {
        let NodeAt { level, inner, place, .. } = node;
        self.seen.push(Deep::Scalar { level, inner: inner.cloned(), place, raw: raw.to_vec() });
    }

    fn inner_failed(&mut self, error: Error) {
        self.open[1] = None;
        self.seen.push(Deep::Failed(error));
    }

    fn inner_done(&mut self) {
        assert_eq!(self.open[1], None);
        self.seen.push(Deep::Done);
    }
}

fn deep(raw: &[u8], cuts: &[usize]) -> (Vec<Deep>, Result<(), Error>) {
    let mut nested = Nested::new(Limits::default());
    let mut recorder = Recorder::default();
    let result = pieces(raw, cuts)
        .try_for_each(|piece| nested.push(piece, &mut recorder))
        .and_then(|()| nested.finish(&mut recorder));
    (recorder.seen, result)
}

fn inner_texts(seen: &[Deep]) -> Vec<&str> {
    seen.iter()
        .filter_map(|seen| if let Deep::Text { level: 1, text, .. } = seen { Some(text.as_str()) } else { None })
        .collect()
}

#[test]
fn follows_a_document_in_a_string() {
    let raw = br#"{"arguments":" {\"path\":\"a\\u0041\",\"n\":[1]}"}"#;
    let (seen, result) = deep(raw, &[]);
    assert_eq!(result, Ok(()));
    assert_eq!(inner_texts(&seen), ["path", "aA", "n"]);
    assert!(seen.contains(&Deep::Done));
    let value = seen.iter().find_map(|seen| match seen {
        Deep::Text { level: 1, path, inner, role: Role::Value, place, .. } => Some((path, inner, place)),
        _ => None,
    });
    let (path, inner, place) = value.unwrap();
    assert_eq!(path.last_key(), Some("arguments"));
    assert_eq!(inner.as_ref().unwrap().last_key(), Some("path"));
    assert_eq!(*place, Place { start: 14, inner: Some(10) });
    assert_eq!(decode(raw, *place).unwrap(), "aA");
}

#[test]
fn goes_one_level_deep_and_no_further() {
    let inner = r#"{"again":"{\"x\":\"y\"}"}"#;
    let mut quoted = Vec::new();
    escape(inner, 1, &mut quoted);
    let raw = [b"[\"", &quoted[..], b"\"]"].concat();
    let (seen, _) = deep(&raw, &[]);
    assert_eq!(inner_texts(&seen), ["again", r#"{"x":"y"}"#]);
}

#[test]
fn what_only_looks_like_a_document_fails_and_the_outer_one_goes_on() {
    for raw in [&br#"["[link](there)","z"]"#[..], br#"["{\"a\":\"b","z"]"#, br#"["[1] x","z"]"#] {
        let (seen, result) = deep(raw, &[]);
        assert_eq!(result, Ok(()));
        assert_eq!(seen.iter().filter(|seen| matches!(seen, Deep::Failed(_))).count(), 1);
        assert!(!seen.contains(&Deep::Done));
        assert!(seen.iter().any(|seen| matches!(seen, Deep::Text { level: 0, text, .. } if text == "z")));
    }
}

#[test]
fn the_depth_of_the_inner_document_has_its_own_limit() {
    let mut nested = Nested::new(Limits { depth_max: 2 });
    let mut recorder = Recorder::default();
    nested.push(br#"[["[[0]]","[[[0]]]"]]"#, &mut recorder).unwrap();
    nested.finish(&mut recorder).unwrap();
    let ends: Vec<&Deep> = recorder.seen.iter().filter(|seen| matches!(seen, Deep::Done | Deep::Failed(_))).collect();
    assert_eq!(ends, [&Deep::Done, &Deep::Failed(Error { offset: 2, kind: ErrorKind::Depth })]);
}

#[test]
fn keys_and_other_values_are_no_documents() {
    let (seen, _) = deep(br#"{"{}":"x","[1]":" ","a":"1","b":"\"q\""}"#, &[]);
    assert!(!seen.iter().any(|seen| matches!(seen, Deep::Done | Deep::Failed(_))));
}

proptest! {
    #[test]
    fn no_cutting_changes_what_is_seen(raw in damaged(), cuts in cuts()) {
        let expected = deep(&raw, &[]);
        prop_assert_eq!(&deep(&raw, &fit(&cuts, raw.len())), &expected);
        let every_byte: Vec<usize> = (0..raw.len()).collect();
        prop_assert_eq!(&deep(&raw, &every_byte), &expected);
    }

    #[test]
    fn the_outer_document_is_told_as_without_depth(raw in document()) {
        let outer: Vec<Deep> = deep(raw.as_bytes(), &[]).0;
        let texts: Vec<&String> = outer
            .iter()
            .filter_map(|seen| if let Deep::Text { level: 0, text, .. } = seen { Some(text) } else { None })
            .collect();
        let (plain, _) = read(raw.as_bytes(), &[], Limits::default());
        let expected: Vec<&String> =
            plain.iter().filter_map(|seen| if let Seen::Text { text, .. } = seen { Some(text) } else { None }).collect();
        prop_assert_eq!(texts, expected);
    }

    #[test]
    fn an_inner_document_is_told_as_if_it_stood_alone(inner in document()) {
        let mut quoted = Vec::new();
        escape(&inner, 1, &mut quoted);
        let raw = [b"{\"x\":\"", &quoted[..], b"\"}"].concat();
        let (seen, result) = deep(&raw, &[]);
        prop_assert_eq!(result, Ok(()));
        let is_followed = inner.starts_with(['{', '[']);
        prop_assert_eq!(seen.contains(&Deep::Done), is_followed);
        if is_followed {
            let (alone, _) = read(inner.as_bytes(), &[], Limits::default());
            let expected: Vec<&str> = alone
                .iter()
                .filter_map(|seen| if let Seen::Text { text, .. } = seen { Some(text.as_str()) } else { None })
                .collect();
            prop_assert_eq!(inner_texts(&seen), expected);
        }
    }

    #[test]
    fn every_place_decodes_to_what_was_told(raw in document()) {
        for seen in deep(raw.as_bytes(), &[]).0 {
            if let Deep::Text { place, text, .. } = seen {
                prop_assert_eq!(decode(raw.as_bytes(), place).unwrap(), text);
            }
        }
    }
}
