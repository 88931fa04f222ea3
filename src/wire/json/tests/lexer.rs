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

/// Knows the strings of a document that it was shown whole, by what they are for and what they hold.
#[derive(Default)]
struct Knowing {
    recorder: Recorder,
    knows: std::collections::HashSet<(bool, Vec<u8>)>,
    passed: usize,
}

impl Visitor for Knowing {
    fn enter(&mut self, path: &Path, container: Container, at: usize) {
        self.recorder.enter(path, container, at);
    }

    fn leave(&mut self, path: &Path, container: Container, at: usize) {
        self.recorder.leave(path, container, at);
    }

    fn string_ahead(&mut self, path: &Path, role: Role, start: usize, content: &[u8]) -> bool {
        let known = !self.knows.insert((role == Role::Key, content.to_vec()));
        self.passed += usize::from(known);
        if known {
            // What it would have been told, had it been read.
            let raw = [b"\"", content, b"\""].concat();
            let (seen, result) = read(&raw, &[], Limits::default());
            assert_eq!(result, Ok(()));
            let Some(Seen::Text { text, .. }) = seen.into_iter().next() else { panic!("no string") };
            let at = start..start + content.len();
            self.recorder.seen.push(Seen::Text { path: path.clone(), role, at, text });
        }
        known
    }

    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        self.recorder.string_start(path, role, start);
    }

    fn text(&mut self, decoded: &str) {
        self.recorder.text(decoded);
    }

    fn string_end(&mut self, path: &Path, role: Role, end: usize) {
        self.recorder.string_end(path, role, end);
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], at: usize) {
        self.recorder.scalar(path, raw, at);
    }
}

/// Reads with strings waited for, as one who knows a string that came before in the document.
fn read_knowing(raw: &[u8], cuts: &[usize]) -> (Vec<Seen>, Result<(), Error>, usize) {
    let (mut lexer, mut knowing, mut unread) = (Lexer::new(Limits::default()), Knowing::default(), Vec::new());
    let result = pieces(raw, cuts).try_for_each(|piece| {
        unread.extend_from_slice(piece);
        let read = lexer.push_ahead(&unread, false, &mut knowing)?;
        unread.drain(..read);
        Ok(())
    });
    let result = result.and_then(|()| lexer.push_ahead(&unread, true, &mut knowing).map(drop));
    let result = result.and_then(|()| lexer.finish(&mut knowing));
    if let Some((_, text)) = knowing.recorder.open.take() {
        knowing.recorder.seen.push(Seen::Open(text));
    }
    (knowing.recorder.seen, result, knowing.passed)
}

#[test]
fn a_string_that_is_known_is_passed_over() {
    let raw = br#"{"a":["x\n\"","x\n\"",{"a":"x\n\"" }],"b\n":"a","b\n":"x\\"}"#;
    let every_byte: Vec<usize> = (0..raw.len()).collect();
    let expected = whole(raw);
    for cuts in [vec![], every_byte] {
        let (seen, result, passed) = read_knowing(raw, &cuts);
        assert_eq!((seen, result), expected);
        // The second and the third value, and the key `a`; a key with an escape is always read.
        assert_eq!(passed, 3);
    }
}

#[test]
fn a_long_string_is_not_waited_for() {
    let raw = format!("[\"{}\",\"x\"]", "a".repeat(crate::wire::json::lexer::AHEAD_BYTES_MAX + 1));
    let mut lexer = Lexer::new(Limits::default());
    let mut read = 0;
    for end in [100, 1000, crate::wire::json::lexer::AHEAD_BYTES_MAX + 1] {
        read += lexer.push_ahead(&raw.as_bytes()[read..end], false, &mut ()).unwrap();
        assert_eq!(read, 1);
    }
    read +=
        lexer.push_ahead(&raw.as_bytes()[read..crate::wire::json::lexer::AHEAD_BYTES_MAX + 3], false, &mut ()).unwrap();
    assert_eq!(read, crate::wire::json::lexer::AHEAD_BYTES_MAX + 3);
    read += lexer.push_ahead(&raw.as_bytes()[read..], true, &mut ()).unwrap();
    assert_eq!((read, lexer.finish(&mut ())), (raw.len(), Ok(())));
}

proptest! {
    #[test]
    fn what_is_known_changes_nothing_else(raw in damaged(), cuts in cuts()) {
        let expected = read(&raw, &[], Limits::default());
        let every_byte: Vec<usize> = (0..raw.len()).collect();
        for cuts in [vec![], fit(&cuts, raw.len()), every_byte] {
            let (seen, result, _) = read_knowing(&raw, &cuts);
            prop_assert_eq!(&(seen, result), &expected);
        }
    }
}

#[test]
fn names_that_python_gives_to_numbers_are_scalars_where_it_may_have_written_them() {
    let text = br#"{"a":[NaN,-Infinity,Infinity,-1],"b":NaN}"#;
    for size in 1..=text.len() {
        let (mut lexer, mut recorder) = (Lexer::of_python(Limits::default()), Recorder::default());
        text.chunks(size).for_each(|piece| lexer.push(piece, &mut recorder).unwrap());
        lexer.finish(&mut recorder).unwrap();
        let scalars: Vec<String> = recorder
            .seen
            .iter()
            .filter_map(|it| match it {
                Seen::Scalar(_, raw, at) => Some(format!("{raw}@{at}")),
                _ => None,
            })
            .collect();
        assert_eq!(scalars, ["NaN@6", "-Infinity@10", "Infinity@20", "-1@29", "NaN@37"], "{size}");
    }
    for broken in ["[Nan]", "[-NaN]", "[-Inf]", "[Infinit]", "[-]", "[--Infinity]", "[Infinity1]"] {
        let mut lexer = Lexer::of_python(Limits::default());
        assert!(lexer.push(broken.as_bytes(), &mut ()).is_err(), "{broken}");
    }
    assert!(Lexer::new(Limits::default()).push(text, &mut ()).is_err());
}
