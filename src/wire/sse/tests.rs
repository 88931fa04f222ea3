//! Frames against another parser of event streams, in every cutting, and put back together byte by byte.
use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures::StreamExt;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const FRAME_BYTES_MAX: usize = 1 << 20;

/// The frames of a stream pushed in these pieces, and what is left of it.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Vec<u8>) {
    let mut parser = Parser::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    for piece in pieces {
        parser.push(piece).unwrap();
        frames.extend(parser.by_ref());
    }
    while let Some(frame) = parser.finish() {
        frames.push(frame);
    }
    (frames, parser.tail().to_vec())
}

fn whole(stream: &str) -> Vec<Frame> {
    frames([stream.as_bytes()]).0
}

fn only(stream: &str) -> Frame {
    let (mut frames, tail) = frames([stream.as_bytes()]);
    assert_eq!((frames.len(), tail.len()), (1, 0), "{frames:?}");
    frames.remove(0)
}

/// What a client would be told: event name and data of each frame that has data.
fn told(frames: &[Frame]) -> Vec<(String, String)> {
    frames
        .iter()
        .filter(|frame| frame.has_data())
        .map(|frame| {
            let event = frame.event().map_or("message".into(), |event| event.into_owned());
            (event, String::from_utf8(frame.data().to_vec()).unwrap())
        })
        .collect()
}

fn oracle(stream: &str) -> Vec<(String, String)> {
    // The other parser panics at a byte order mark.
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    // One more byte decides whether a CR at the end stands alone, which the other parser never does by itself.
    let stream = futures::stream::iter([Ok::<_, std::convert::Infallible>(format!("{stream}:"))]);
    let events = futures::executor::block_on(stream.eventsource().collect::<Vec<_>>());
    events.into_iter().map(|event| event.unwrap()).map(|event| (event.event, event.data)).collect()
}

#[test]
fn reads_the_usual_frame_with_the_place_of_its_data() {
    let frame = only("event: content_block_delta\ndata: {\"a\":1}\n\n");
    assert_eq!(frame.event().as_deref(), Some("content_block_delta"));
    assert_eq!(frame.data(), b"{\"a\":1}");
    assert_eq!(&frame.raw()[frame.data_range().unwrap()], b"{\"a\":1}");
}

#[test]
fn reads_every_spelling_of_data() {
    assert_eq!(only("data:x\n\n").data(), b"x");
    assert_eq!(only("data:  x\n\n").data(), b" x");
    assert_eq!(only("data: a:b\n\n").data(), b"a:b");
    let empty = only("data\n\n");
    assert!(empty.has_data() && empty.data().is_empty());
    let joined = only("data: a\ndata\ndata: b\n\n");
    assert_eq!((joined.data(), joined.data_range()), (&b"a\n\nb"[..], None));
    assert_eq!(only("\u{feff}data: x\n\n").data(), b"x");
}

#[test]
fn frames_without_data_are_frames() {
    for stream in
        [": ping\n\n", "\n", "\r\n", "event: x\nid: 1\nretry: 5\n\n", "Data: x\n\n", " data: x\n\n", "\u{feff}\n"]
    {
        let frame = only(stream);
        assert!(!frame.has_data() && frame.data().is_empty());
        assert_eq!(frame.raw(), stream.as_bytes());
    }
}

#[test]
fn the_last_event_name_counts_and_an_empty_one_is_none() {
    assert_eq!(only("event: a\nevent: b\ndata\n\n").event().as_deref(), Some("b"));
    assert_eq!(only("event: a\nevent\ndata\n\n").event(), None);
}

#[test]
fn a_frame_of_bare_carriage_returns_does_not_wait() {
    let mut parser = Parser::new(FRAME_BYTES_MAX);
    parser.push(b"data: x\r\r").unwrap();
    assert_eq!(parser.next().unwrap().data(), b"x");
    // The LF that comes all the same belongs to the last line break, and to no frame of its own.
    parser.push(b"\ndata: y\r\r").unwrap();
    let next = parser.next().unwrap();
    assert_eq!((next.data(), &next.raw()[..]), (&b"y"[..], &b"\ndata: y\r\r"[..]));
}

#[test]
fn a_pair_cut_in_two_stays_one_line_break() {
    let (frames, tail) = frames([&b"data: x\r"[..], b"\n\r", b"\ndata: y\r\n\r", b"\n"]);
    let raw: Vec<&[u8]> = frames.iter().map(|frame| &frame.raw()[..]).collect();
    assert_eq!(raw, [b"data: x\r\n\r\n", b"data: y\r\n\r\n"]);
    assert_eq!(tail, b"");
}

#[test]
fn finish_yields_the_frame_whose_end_was_open_and_leaves_the_tail() {
    let mut parser = Parser::new(FRAME_BYTES_MAX);
    parser.push(b"data: x\r\n\r").unwrap();
    assert_eq!(parser.next(), None);
    assert_eq!(parser.finish().unwrap().raw(), &b"data: x\r\n\r"[..]);
    parser.push(b"data: lost").unwrap();
    assert_eq!(parser.finish(), None);
    assert_eq!(parser.tail(), b"data: lost");
}

#[test]
fn frames_beyond_the_limit_are_refused_however_they_come() {
    let stream = b"data: 1\n\ndata: 123456789\n\n";
    for size in 1..=stream.len() {
        let mut parser = Parser::new(12);
        let mut taken = 0;
        let result = stream.chunks(size).try_for_each(|piece| {
            let result = parser.push(piece);
            taken += parser.by_ref().count();
            result
        });
        assert_eq!((result, taken), (Err(FrameTooLarge { frame_bytes_max: 12 }), 1), "{size}");
        assert!(parser.push(b"\n\n").is_err());
    }
}

#[test]
fn other_data_keeps_the_other_lines() {
    let with = |stream: &str, data: &str| String::from_utf8(only(stream).with_data(data.as_bytes()).to_vec()).unwrap();
    assert_eq!(with("event: e\ndata: x\nid: 1\n\n", "y"), "event: e\ndata: y\nid: 1\n\n");
    assert_eq!(with("data:x\r\n\r\n", "y"), "data:y\r\n\r\n");
    assert_eq!(with("data:x\n\n", " y"), "data:  y\n\n");
    assert_eq!(with("data\n\n", "y"), "data: y\n\n");
    assert_eq!(with("data: a\r: c\rdata: b\r\r", "y"), "data: y\r: c\r\r");
    assert_eq!(with("data: a\n\n", "y\nz\r\n"), "data: y\ndata: z\ndata: \n\n");
    assert_eq!(with(": c\n\n", "y"), ": c\ndata: y\n\n");
    assert_eq!(with("\u{feff}data: a\n\n", "y"), "\u{feff}data: y\n\n");
}

#[test]
fn what_a_stream_says_is_not_shown() {
    let mut parser = Parser::new(FRAME_BYTES_MAX);
    parser.push(b"data: hidden\n\ndata: hidden").unwrap();
    assert!(!format!("{parser:?}").contains("hidden"));
    assert_eq!(format!("{:?}", parser.next().unwrap()), "Frame { raw_bytes: 14, data_bytes: 6, .. }");
}

fn stream() -> impl Strategy<Value = String> {
    let line = select(vec![
        "data: a",
        "data:b",
        "data",
        "data:",
        "data:  two",
        "data: {\"k\":\"雪\"}",
        ":",
        ": comment",
        "event: e",
        "event: f",
        "event",
        "event:",
        "id: 1",
        "id",
        "retry: 5",
        "unknown: x",
        "Data: x",
        "é:x",
        "",
        "",
        "",
        "",
    ]);
    let end = select(vec!["\n", "\r", "\r\n"]);
    let mixed = prop::collection::vec((line.clone(), end.clone()), 0..24)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| format!("{line}{end}")).collect::<String>());
    let uniform = (prop::collection::vec(line, 0..24), end)
        .prop_map(|(lines, end)| lines.into_iter().map(|line| format!("{line}{end}")).collect::<String>());
    (select(vec!["", "\u{feff}"]), prop_oneof![mixed, uniform], select(vec!["", "data: lost", "\r"]))
        .prop_map(|(mark, lines, tail)| format!("{mark}{lines}{tail}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn clients_are_told_what_the_other_parser_tells(stream in stream()) {
        prop_assert_eq!(told(&whole(&stream)), oracle(&stream));
    }

    #[test]
    fn no_cutting_changes_a_frame_and_nothing_is_lost(stream in stream(), size in 1usize..9) {
        let expected = frames([stream.as_bytes()]);
        prop_assert_eq!(&frames(stream.as_bytes().chunks(size)), &expected);
        let together: Vec<u8> =
            expected.0.iter().flat_map(|frame| frame.raw().to_vec()).chain(expected.1.iter().copied()).collect();
        prop_assert_eq!(together, stream.as_bytes());
    }

    #[test]
    fn arbitrary_bytes_are_not_lost(
        raw in prop::collection::vec(select(b"\r\n:d\xef\xbb\xbf\xff".to_vec()), 0..32),
        size in 1usize..9,
    ) {
        let (frames, tail) = frames(raw.chunks(size));
        let together: Vec<u8> = frames.iter().flat_map(|frame| frame.raw().to_vec()).chain(tail).collect();
        prop_assert_eq!(together, raw);
    }

    #[test]
    fn other_data_is_told_and_the_same_data_changes_nothing(stream in stream(), data in "[ -~]{0,12}") {
        for frame in whole(&stream) {
            if let Some(range) = frame.data_range() {
                prop_assert_eq!(&frame.raw()[range], frame.data());
                let is_bare = !frame.raw().windows(5).any(|bytes| bytes == b"data:");
                if !is_bare {
                    prop_assert_eq!(&frame.with_data(frame.data()), frame.raw());
                }
            }
            let changed: Bytes = frame.with_data(data.as_bytes());
            let (again, tail) = frames([&changed[..]]);
            prop_assert_eq!(&again.last().unwrap().data(), &data.as_bytes());
            prop_assert_eq!(again.last().unwrap().event(), frame.event());
            // Where line breaks are mixed, the LF of the last one may not be needed any more.
            prop_assert!(tail.is_empty() || tail == b"\n");
        }
    }
}
