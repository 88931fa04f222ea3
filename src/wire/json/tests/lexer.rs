//! The lexer: what it tells, what it refuses and where, and that no cutting changes either.

use super::*;

fn whole(raw: impl AsRef<[u8]>) -> (Vec<Seen>, Result<(), Error>) {
    read(raw.as_ref(), &[], Limits::default())
}

fn path(steps: &[Step]) -> Path {
    Path::from(steps.to_vec())
}

fn key(key: &str) -> Step {
    Step::Key(key.into())
}

#[track_caller]
fn fails(raw: impl AsRef<[u8]>, offset: usize, kind: ErrorKind) {
    let raw = raw.as_ref();
    let every_byte: Vec<usize> = (0..raw.len()).collect();
    assert_eq!(whole(raw).1, Err(Error { offset, kind }), "{:?}", String::from_utf8_lossy(raw));
    assert_eq!(read(raw, &every_byte, Limits::default()).1, Err(Error { offset, kind }));
}

#[track_caller]
fn reads_as(content: &[u8], expected: &str) {
    let raw = [b"\"", content, b"\""].concat();
    let every_byte: Vec<usize> = (0..raw.len()).collect();
    for cuts in [vec![], every_byte] {
        let (seen, result) = read(&raw, &cuts, Limits::default());
        assert_eq!(result, Ok(()), "{:?}", String::from_utf8_lossy(content));
        let at = 1..raw.len() - 1;
        assert_eq!(seen, [Seen::Text { path: path(&[]), role: Role::Value, at, text: expected.into() }]);
    }
}

#[test]
fn tells_containers_keys_values_and_scalars_with_their_places() {
    let raw = br#"{"a":[1,"x",{}],"b":true}"#;
    let (seen, result) = whole(raw);
    assert_eq!(result, Ok(()));
    let text = |steps: &[Step], role, at, text: &str| Seen::Text { path: path(steps), role, at, text: text.into() };
    let a = |index| path(&[key("a"), Step::Index(index)]);
    assert_eq!(
        seen,
        [
            Seen::Enter(path(&[]), Container::Object, 0),
            text(&[], Role::Key, 2..3, "a"),
            Seen::Enter(path(&[key("a")]), Container::Array, 5),
            Seen::Scalar(a(0), "1".into(), 6),
            text(&[key("a"), Step::Index(1)], Role::Value, 9..10, "x"),
            Seen::Enter(a(2), Container::Object, 12),
            Seen::Leave(a(2), Container::Object, 13),
            Seen::Leave(path(&[key("a")]), Container::Array, 14),
            text(&[], Role::Key, 17..18, "b"),
            Seen::Scalar(path(&[key("b")]), "true".into(), 20),
            Seen::Leave(path(&[]), Container::Object, 24),
        ]
    );
}

#[test]
fn visits_duplicate_keys_all() {
    let (seen, _) = whole(r#"{"a":"1","a":"2"}"#);
    let texts = seen.iter().filter(|seen| matches!(seen, Seen::Text { .. })).count();
    assert_eq!(texts, 4);
}

#[test]
fn skips_a_byte_order_mark_only_at_the_start() {
    let (seen, result) = whole(b"\xef\xbb\xbf[]");
    assert_eq!(result, Ok(()));
    assert_eq!(seen[0], Seen::Enter(path(&[]), Container::Array, 3));
    fails(b" \xef\xbb\xbf[]", 1, ErrorKind::UnexpectedByte);
    fails(b"\xef\xbb[]", 2, ErrorKind::UnexpectedByte);
    fails(b"\xef\xbb\xbf", 3, ErrorKind::UnexpectedEnd);
}

#[test]
fn decodes_escapes_and_halves_of_pairs() {
    reads_as(br#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t");
    reads_as(br"\u0041\u00e9\u20AC\ud83d\ude00", "Aé€😀");
    reads_as(br"\ud83d", "\u{fffd}");
    reads_as(br"\ude00", "\u{fffd}");
    reads_as(br"\ud83dx", "\u{fffd}x");
    reads_as(br"\ud83d\n", "\u{fffd}\n");
    reads_as(br"\ud83d\u0041", "\u{fffd}A");
    reads_as(br"\ud83d\ud83d\ude00", "\u{fffd}😀");
    reads_as(br"\ude00\ud83d", "\u{fffd}\u{fffd}");
    reads_as("Zoë 雪 😀".as_bytes(), "Zoë 雪 😀");
}

#[test]
fn long_runs_are_whole_whatever_stands_at_their_seams() {
    for padding in 16_370..16_400 {
        let text = format!("{}雪{}", "a".repeat(padding), "b".repeat(700));
        reads_as(text.as_bytes(), &text);
    }
}

#[test]
fn refuses_what_the_grammar_refuses_and_says_where() {
    fails("", 0, ErrorKind::UnexpectedEnd);
    fails(" ", 1, ErrorKind::UnexpectedEnd);
    fails("[1,]", 3, ErrorKind::UnexpectedByte);
    fails("[,1]", 1, ErrorKind::UnexpectedByte);
    fails(r#"{"a":1,}"#, 7, ErrorKind::UnexpectedByte);
    fails(r#"{"a" 1}"#, 5, ErrorKind::UnexpectedByte);
    fails("{1:2}", 1, ErrorKind::UnexpectedByte);
    fails("[1}", 2, ErrorKind::UnexpectedByte);
    fails("[01]", 2, ErrorKind::UnexpectedByte);
    fails("[1.]", 3, ErrorKind::UnexpectedByte);
    fails("[-]", 2, ErrorKind::UnexpectedByte);
    fails("[+1]", 1, ErrorKind::UnexpectedByte);
    fails("1e", 2, ErrorKind::UnexpectedEnd);
    fails("[tru]", 4, ErrorKind::UnexpectedByte);
    fails("nul", 3, ErrorKind::UnexpectedEnd);
    fails("NaN", 0, ErrorKind::UnexpectedByte);
    fails("'a'", 0, ErrorKind::UnexpectedByte);
    fails("// x\n1", 0, ErrorKind::UnexpectedByte);
    fails("1 2", 2, ErrorKind::TrailingData);
    fails("{}x", 2, ErrorKind::TrailingData);
    fails(r#""abc"#, 4, ErrorKind::UnexpectedEnd);
    fails(r#""\x""#, 2, ErrorKind::InvalidEscape);
    fails(r#""\u00g0""#, 5, ErrorKind::InvalidEscape);
    fails(r#""\u00"#, 5, ErrorKind::UnexpectedEnd);
    fails("\"a\nb\"", 2, ErrorKind::ControlCharacter);
    fails(b"\"ab\xff\"", 3, ErrorKind::InvalidUtf8);
    fails(b"\"ab\xe2\x82\"", 3, ErrorKind::InvalidUtf8);
    fails(b"\"ab\xe2\x82\\n\"", 3, ErrorKind::InvalidUtf8);
    fails(b"\"\xed\xa0\x80\"", 1, ErrorKind::InvalidUtf8);
    fails(b"\"\xc0\x80\"", 1, ErrorKind::InvalidUtf8);
}

#[test]
fn an_error_stays() {
    let mut lexer = Lexer::new(Limits::default());
    let error = lexer.push(b"[}", &mut ()).unwrap_err();
    assert_eq!(lexer.push(b"1]", &mut ()), Err(error));
    assert_eq!(lexer.finish(&mut ()), Err(error));
    lexer.reset();
    assert_eq!(lexer.push(b"[]", &mut ()).and_then(|()| lexer.finish(&mut ())), Ok(()));
}

#[test]
fn what_a_document_says_is_not_shown() {
    let mut lexer = Lexer::new(Limits::default());
    lexer.push(br#"{"hidden":["hidden"#, &mut ()).unwrap();
    assert!(!format!("{lexer:?}").contains("hidden"));
}

#[test]
fn the_depth_has_a_limit() {
    let limits = Limits { depth_max: 3 };
    assert_eq!(read(b"[[[]]]", &[], limits).1, Ok(()));
    assert_eq!(read(b"[[{\"a\":[]}]]", &[], limits).1, Err(Error { offset: 7, kind: ErrorKind::Depth }));
}

#[test]
fn numbers_have_a_limit() {
    assert_eq!(whole("1".repeat(1024)).1, Ok(()));
    fails(format!("[{}]", "1".repeat(1025)), 1, ErrorKind::NumberTooLong);
}

#[test]
fn long_keys_are_cut_in_the_path_alone() {
    let long = "雪".repeat(100);
    let (seen, result) = whole(format!("{{\"{long}\":1}}"));
    assert_eq!(result, Ok(()));
    assert!(matches!(&seen[1], Seen::Text { role: Role::Key, text, .. } if *text == long));
    assert!(matches!(&seen[2], Seen::Scalar(path, ..) if path.last_key() == Some(&"雪".repeat(42))));
}

#[test]
fn a_mebibyte_in_single_bytes_is_told_once() {
    let text = "a line of code(\\\"x\\\");\\n".repeat(1024 * 1024 / 24);
    let raw = format!("{{\"content\":\"{text}\"}}");
    let mut lexer = Lexer::new(Limits::default());
    /// Counts what it is told and how often.
    #[derive(Default)]
    struct Count {
        calls: usize,
        bytes: usize,
    }
    impl Visitor for Count {
        fn text(&mut self, decoded: &str) {
            self.calls += 1;
            self.bytes += decoded.len();
        }
    }
    let mut count = Count::default();
    for byte in raw.as_bytes().chunks(1) {
        lexer.push(byte, &mut count).unwrap();
    }
    assert_eq!(lexer.finish(&mut count), Ok(()));
    let decoded = "content".len() + text.replace("\\\"", "\"").replace("\\n", "\n").len();
    assert_eq!((count.bytes, count.calls), (decoded, decoded));
}

proptest! {
    #[test]
    fn no_cutting_changes_what_is_seen(raw in damaged(), cuts in cuts()) {
        let expected = read(&raw, &[], Limits::default());
        prop_assert_eq!(&read(&raw, &fit(&cuts, raw.len()), Limits::default()), &expected);
        let every_byte: Vec<usize> = (0..raw.len()).collect();
        prop_assert_eq!(&read(&raw, &every_byte, Limits::default()), &expected);
    }
}
