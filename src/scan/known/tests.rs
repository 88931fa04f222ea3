//! Known values against a naive search, over every cut; files against damage.
use std::ops::Range;

use base64::Engine as _;
use proptest::prelude::*;

use super::*;
use crate::domain::Secret;
use crate::scan::tests::{scan, shapes};
use crate::scan::{Engine, Hit, RuleSpec, Scanner, Seam};

fn key() -> FingerprintKey {
    FingerprintKey::new(&Secret::new("a key of tests, which is long enough".into()))
}

fn entry(value: &str) -> Entry {
    Entry::new(&key(), Kind::Secret, None, value.as_bytes()).unwrap()
}

fn engine_of(shapes: Vec<RuleSpec>, known: Vec<Entry>) -> Engine {
    Engine::new(Vec::new()).unwrap().extended(shapes, Some(Known::new(key(), known))).unwrap()
}

/// An engine that looks for these values, each under a label of its own: the rule of the value at `index` is `index`.
fn engine(values: &[&str]) -> Engine {
    let named = |(index, value): (usize, &&str)| {
        Entry::new(&key(), Kind::Secret, Some(&format!("V{index}")), value.as_bytes()).unwrap()
    };
    engine_of(Vec::new(), values.iter().enumerate().map(named).collect())
}

/// Label and span of each find, by span.
fn found(engine: &Engine, pieces: &[&[u8]]) -> Vec<(Range<usize>, String)> {
    let hits = scan(engine, &engine.select(|_| true), pieces);
    let mut found: Vec<_> = hits.into_iter().map(|hit| (hit.secret, engine.rules()[hit.rule].label.clone())).collect();
    found.sort_by_key(|(span, label)| (span.start, span.end, label.clone()));
    found
}

/// The oracle: each value at each place.
fn naive(values: &[&str], text: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for at in 0..text.len() {
        for (index, value) in values.iter().enumerate() {
            let value = &value.as_bytes()[..value.len().min(SECRET_BYTES_MAX)];
            if text[at..].starts_with(value) {
                found.push((at..at + value.len(), format!("V{index}")));
            }
        }
    }
    found.sort_by_key(|(span, label)| (span.start, span.end, label.clone()));
    found
}

#[test]
fn values_are_found_at_any_place() {
    let values = ["hunter2hunter2", "correct horse battery", "s3cr3t-with-\"quotes\"", "geheim-ß-ünïcode"];
    let engine = engine(&values);
    for value in values {
        for text in [value.to_owned(), format!("{value}{value}"), format!("x{value}"), format!("a\u{1F600}{value}=b")] {
            let expected = naive(&values, text.as_bytes());
            assert!(!expected.is_empty());
            assert_eq!(found(&engine, &[text.as_bytes()]), expected);
            for cut in 0..text.len() {
                let (left, right) = text.as_bytes().split_at(cut);
                assert_eq!(found(&engine, &[left, right]), expected, "{text} at {cut}");
            }
            for size in [1, 2, 3, 7, 64] {
                assert_eq!(found(&engine, &text.as_bytes().chunks(size).collect::<Vec<_>>()), expected);
            }
        }
        let almost = format!("{}!", &value[..value.len() - 1]);
        assert_eq!(found(&engine, &[almost.as_bytes()]), []);
    }
}

#[test]
fn large_pieces_hide_nothing() {
    let value = "Zk3-vQ9_xM1pL7rT";
    let engine = engine(&[value]);
    for at in (0..40_000).step_by(61).chain(4080..4110).chain(16_360..16_390) {
        let mut text = vec![b' '; 40_960];
        text[at..at + value.len()].copy_from_slice(value.as_bytes());
        assert_eq!(found(&engine, &[&text]), [(at..at + value.len(), "V0".to_owned())]);
    }
}

#[test]
fn long_values_are_found_by_their_first_bytes() {
    let long: String = (0..6000u64).map(|at| char::from(b'a' + (at * at * at % 6007 % 23) as u8)).collect();
    let engine = engine(&[&long]);
    let text = format!("{}{long} {}", " ".repeat(20_000), &long[..SECRET_BYTES_MAX - 1]);
    for size in [997, 60_000] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(found(&engine, &pieces), [(20_000..20_000 + SECRET_BYTES_MAX, "V0".to_owned())]);
    }
}

#[test]
fn short_values_are_refused() {
    assert_eq!(Entry::new(&key(), Kind::Secret, None, b"seven77"), Err(EntryError::Short));
    assert!(Entry::new(&key(), Kind::Secret, None, b"eight888").is_ok());
    assert_eq!(SECRET_BYTES_MIN, key::WINDOW_BYTES);
}

#[test]
fn rules_and_known_values_stand_side_by_side() {
    let entries = vec![entry("ak_abcDE9"), Entry::new(&key(), Kind::Canary, None, b"tweet-tweet").unwrap()];
    let engine = engine_of(shapes(), entries);
    let rules = shapes().len();
    let ids: Vec<&str> = engine.rules()[rules..].iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["secrets.known.fingerprint", "secrets.known.canary"]);
    let text = b"ak_abcDE9 tweet-tweet";
    let mut hits = scan(&engine, &engine.select(|_| true), &[text]);
    hits.sort_by_key(|hit| (hit.secret.start, hit.rule));
    let seen: Vec<_> = hits.iter().map(|hit| (hit.rule, hit.secret.clone())).collect();
    assert_eq!(seen, [(0, 0..9), (rules, 0..9), (rules + 1, 10..21)]);
    assert_eq!(scan(&engine, &engine.select(|it| it.id == "token"), &[text]).len(), 1);
    assert_eq!(scan(&engine, &engine.select(|it| !it.redactable), &[text]).len(), 1);
    let known = engine.known().unwrap();
    assert_eq!((known.secrets(), known.canaries()), (1, 1));
}

#[test]
fn decoded_views_and_seams_are_read() {
    let value = "Zk3-vQ9_xM1pL7rT";
    let engine = engine(&[value]);
    let rules = engine.select(|_| true);
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("user:{value}"));
    for text in [format!("Basic {encoded} x"), value.replace('-', "%2D"), value.replace("Q9", "Q\u{200b}9")] {
        let (mut scanner, mut hits) = (Scanner::new(rules.clone(), true), Vec::new());
        scanner.push(&engine, text.as_bytes(), &mut hits);
        scanner.finish(&engine, &mut hits);
        assert_eq!(hits.len(), 1, "{text}");
    }
    for cut in 1..value.len() {
        let (mut seam, mut hits) = (Seam::new(rules.clone(), 512), Vec::new());
        for (index, part) in [&value[..cut], &value[cut..]].into_iter().enumerate() {
            seam.begin_segment(index);
            seam.push(&engine, part.as_bytes(), &mut hits);
            seam.end_segment(&engine, &mut hits);
        }
        seam.finish(&engine, &mut hits);
        assert_eq!(hits.len(), 1, "{cut}");
        assert_eq!((hits[0].pieces[0].range.clone(), hits[0].pieces[1].range.clone()), (0..cut, 0..value.len() - cut));
    }
}

/// At most the last ten bytes of prose wait; from the first bytes of a value on, all of it.
#[test]
fn what_may_be_a_value_waits() {
    let value = "Zk3-vQ9_xM1pL7rT";
    let engine = engine(&[value]);
    let mut stream = crate::scan::Stream::new(engine.select(|_| true));
    let mut hits = Vec::new();
    stream.push(&engine, b"The quick brown fox", &mut hits);
    assert_eq!(stream.settle(&engine), 9);
    stream.push(&engine, &value.as_bytes()[..12], &mut hits);
    assert_eq!(stream.settle(&engine), 19);
    stream.push(&engine, b"something else", &mut hits);
    assert_eq!(stream.settle(&engine), 37);
    assert_eq!(stream.length(), 45);
    assert_eq!(hits, []);
}

/// Text made of nothing but the beginnings of known values is decided on the side of finding, the same for every cut.
#[test]
fn dense_beginnings_are_decided_coarsely() {
    let values: Vec<String> = (0..600).map(|length| format!("aaaaaaaa{}!", "b".repeat(length))).collect();
    let engine = engine(&values.iter().map(String::as_str).collect::<Vec<_>>());
    let text = "a".repeat(6_000);
    let whole = found(&engine, &[text.as_bytes()]);
    assert!(!whole.is_empty() && whole.windows(2).all(|pair| pair[1].0.start <= pair[0].0.end));
    assert!(whole.last().is_some_and(|(span, _)| span.end == text.len()) && whole.len() < 20);
    for size in [64, 1000] {
        assert_eq!(found(&engine, &text.as_bytes().chunks(size).collect::<Vec<_>>()), whole);
    }
    assert_eq!(found(&engine, &[&text.as_bytes()[..500]]), []);
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let canary = Entry::new(&key(), Kind::Canary, Some("4 my bait!"), b"tweet-tweet").unwrap();
    let entries = vec![entry("hunter2hunter2"), canary];
    assert_eq!(entries[1].label.as_deref(), Some("MY_BAIT"));
    let text = write(&key(), &entries);
    assert_eq!(read(&key(), &text), Ok(entries.clone()));
    assert_eq!(read(&key(), &format!("# a note\n\n{}\n", text.replace('\n', "\r\n"))), Ok(entries));
    assert!(!text.contains("hunter") && text.lines().count() == 4, "{text}");
}

#[test]
fn a_file_shows_nothing_that_values_have_in_common() {
    let text = write(&key(), &[entry("postgres://one-Zk3vQ9"), entry("postgres://two-Zk3vQ9")]);
    let lines: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split(' ').collect()).collect();
    let alike = lines[0][3].bytes().zip(lines[1][3].bytes()).filter(|(a, b)| a == b).count();
    assert_eq!((entry("postgres://one").heads, lines[0][1]), (entry("postgres://two").heads, lines[1][1]));
    assert!(alike < 16, "{text}");
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_line() {
    let text = write(&key(), &[entry("hunter2hunter2"), entry("correct horse")]);
    let other = FingerprintKey::new(&Secret::new("another key of tests, long enough".into()));
    let line = text.lines().nth(3).unwrap();
    let cases = [
        ("", 1, FileMistake::NoTitle),
        ("\nhunter2\n", 2, FileMistake::NoTitle),
        ("airiskguard-fingerprints 2\n", 1, FileMistake::Version),
        ("airiskguard-fingerprints 1\n", 2, FileMistake::NoKey),
        (&write(&other, &[]), 2, FileMistake::OtherKey),
        (&text.replace("secret", "word"), 3, FileMistake::Line),
        (&format!("{text}hunter2hunter2"), 5, FileMistake::Line),
        (&format!("{text}{line} lower"), 5, FileMistake::Line),
        (&format!("{text}{line} A B"), 5, FileMistake::Line),
        (&text.replace("secret 13", "secret 7"), 4, FileMistake::Length),
        (&text.replace("secret 13", "secret 14"), 4, FileMistake::Altered),
        (&text.replace("secret 13", "canary 13"), 4, FileMistake::Altered),
        (&format!("{text}{line} LABEL"), 5, FileMistake::Altered),
    ];
    for (text, line, what) in cases {
        let error = read(&key(), text).unwrap_err();
        assert_eq!(error, FileError { line, what }, "{text}");
        assert!(!error.to_string().contains("hunter"));
    }
    for at in text.find(line).unwrap()..text.len() - 1 {
        let mut damaged = text.clone().into_bytes();
        damaged[at] ^= 1;
        let damaged = String::from_utf8(damaged).unwrap();
        let error = read(&key(), &damaged).unwrap_err();
        assert_eq!(error.line, 4, "{damaged}");
    }
}

/// Values over a small alphabet, so that they overlap, contain each other and begin alike.
fn values() -> impl Strategy<Value = Vec<String>> {
    let words = prop::collection::btree_set("[ab]{8,14}|a{8,20}|(ab){4,9}|[ab]{8}c{0,30}", 1..12);
    // The shortest value decides how many places of a text are looked at.
    (words, 0usize..5).prop_map(|(words, more)| words.into_iter().map(|it| it + &"b".repeat(more)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn finds_what_a_naive_search_finds(
        values in values(), noise in prop::collection::vec("[abc]{0,12}", 0..20), cuts in prop::collection::vec(0usize..300, 0..8)
    ) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let engine = engine(&values);
        let text: String =
            noise.iter().enumerate().map(|(at, it)| format!("{it}{}", values[at * 7 % values.len()])).collect();
        let expected = naive(&values, text.as_bytes());
        prop_assert_eq!(&found(&engine, &[text.as_bytes()]), &expected);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&text.as_bytes()[from..cut]);
            from = cut;
        }
        pieces.push(&text.as_bytes()[from..]);
        prop_assert_eq!(&found(&engine, &pieces), &expected);
        for size in [1, 3, 64] {
            prop_assert_eq!(&found(&engine, &text.as_bytes().chunks(size).collect::<Vec<_>>()), &expected);
        }
    }

    #[test]
    fn no_text_makes_the_reader_stumble(text in "\\PC{0,400}") {
        let _ = read(&key(), &text);
        let _ = read(&key(), &format!("{}{text}", write(&key(), &[entry("hunter2hunter2")])));
    }
}

#[test]
fn equal_values_are_looked_for_once() {
    let labelled = Entry::new(&key(), Kind::Secret, Some("A"), b"hunter2hunter2").unwrap();
    let canary = Entry::new(&key(), Kind::Canary, None, b"hunter2hunter2").unwrap();
    let engine = engine_of(Vec::new(), vec![entry("hunter2hunter2"), labelled, canary]);
    let hits: Vec<Hit> = scan(&engine, &engine.select(|_| true), &[b"hunter2hunter2"]);
    assert_eq!(hits.len(), 1);
    assert_eq!(engine.rules()[hits[0].rule].id, "secrets.known.canary");
}
