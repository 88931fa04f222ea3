//! Evasions that must not pass, cut everywhere.
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use crate::scan::tests::{rule, shapes};
use crate::scan::{Engine, Hit, RuleSet, Scanner, Views};

const KEY: &str = "ak_abcDE9";

fn scan(engine: &Engine, rules: &RuleSet, pieces: &[&[u8]]) -> Vec<Hit> {
    let (mut views, mut hits) = (Views::new(rules.clone()), Vec::new());
    for piece in pieces {
        views.push(engine, piece, &mut hits);
    }
    views.finish(engine, &mut hits);
    hits.sort_by_key(|hit| (hit.whole.start, hit.rule, hit.whole.end));
    hits
}

fn check(text: &str, expected: &[&str]) {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|rule| rule.id == "token");
    let whole = scan(&engine, &rules, &[text.as_bytes()]);
    let seen: Vec<_> = whole.iter().map(|hit| String::from_utf8_lossy(&text.as_bytes()[hit.secret.clone()])).collect();
    assert_eq!(seen, expected, "{text:?}");
    for cut in 0..text.len() {
        let (left, right) = text.as_bytes().split_at(cut);
        assert_eq!(scan(&engine, &rules, &[left, right]), whole, "cut at {cut} of {text:?}");
    }
    for size in [1, 2, 3, 7, 64] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(scan(&engine, &rules, &pieces), whole, "pieces of {size} of {text:?}");
    }
}

#[test]
fn what_stands_there_as_it_is_belongs_to_the_plain_stream() {
    check(&format!("plain {KEY} 100% café “{KEY}” \u{200b} {KEY}"), &[]);
}

#[test]
fn invisible_characters_do_not_hide() {
    for hidden in
        ["\0", "\u{200b}", "\u{ad}", "\u{180e}", "\u{2060}", "\u{feff}", "\u{fe0f}", "\u{200b}\u{200d}", "\u{e0001}"]
    {
        let split = format!("ak_ab{hidden}cDE9");
        check(&format!("x {split} y"), &[&split]);
        check(&split, &[&split]);
        check(&format!("{hidden}{KEY}{hidden}"), &[]);
    }
}

#[test]
fn other_forms_of_ascii_do_not_hide() {
    let wide: String = KEY.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect();
    check(&format!("a {wide} b"), &[&wide]);
    let tags: String = KEY.chars().map(|c| char::from_u32(c as u32 + 0xE0000).unwrap()).collect();
    check(&format!("a {tags} b"), &[&tags]);
    check("a%20%61k%5FabcDE%39 b", &["%61k%5FabcDE%39"]);
    check("%61k_abcDE9", &["%61k_abcDE9"]);
}

#[test]
fn encoded_text_is_read() {
    let text = format!("the key is {KEY} and so on");
    let standard = STANDARD.encode(&text);
    check(&format!("see {standard} there"), &[standard.trim_end_matches('=')]);
    let url_safe = URL_SAFE_NO_PAD.encode(format!("{text}?~~>>"));
    check(&url_safe, &[&url_safe]);
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    check(&format!("0x {hex}."), &[&hex]);
    check(&format!("ab/{}", STANDARD.encode(&text)), &[&format!("ab/{}", standard.trim_end_matches('='))]);
    check(&format!("src/scan/views/encoded and {}", STANDARD.encode([0x9Fu8; 40])), &[]);
}

#[test]
fn broken_lines_are_one_run() {
    let text = format!("{}{KEY}{}", "words and words ".repeat(3), " more of the same".repeat(4));
    let encoded = STANDARD.encode(&text);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let joined = lines.join("\r\n");
    check(&format!("{joined}\n"), &[joined.trim_end_matches('=')]);
}

#[test]
fn shorter_and_indented_lines_are_one_run() {
    let text = format!("{}{KEY}{}", "words and words ".repeat(3), " more of the same".repeat(2));
    let encoded = STANDARD.encode(&text);
    for (width, indent) in [(20, ""), (40, ""), (48, "    "), (76, "  "), (64, "\t")] {
        let lines: Vec<_> =
            encoded.as_bytes().chunks(width).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        let joined = lines.join(&format!("\n{indent}"));
        let found = hidden(&format!("data:\n{indent}{joined}\n\nend"));
        assert!(!found.is_empty() && joined.starts_with(&found[0]), "{width} {indent:?}: {found:?}");
        check(&format!("data:\n{indent}{joined}\n\nend"), &[&found[0]]);
    }
    check("first/second/third/fourth\nfifth/sixth/seventh/eig\n", &[]);
}

#[test]
fn text_of_every_language_is_read() {
    for text in [
        format!("# Конфигурация сервиса обмена данными\n{KEY}\n# конец файла"),
        format!("サービスの設定ファイルです。変更しないでください。{KEY}、終わり。"),
        format!("Größe für Überprüfung möglichst öfter: äöüÄÖÜß {KEY} ÄÖÜ"),
        format!("🔑🔑🔑 🚀🚀 ╔═══╗ {KEY} ╚═══╝ 🚀🚀🚀"),
        format!("the key is {KEY} and so on"),
    ] {
        let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        for bytes in [text.as_bytes().to_vec(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
            let run = STANDARD_NO_PAD.encode(&bytes);
            check(&format!("see {run} there"), &[&run]);
            let run: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            check(&run, &[&run]);
        }
        let run = STANDARD_NO_PAD.encode(packed(&text));
        check(&run, &[&run]);
        let zeros: String = KEY.chars().map(|letter| format!("{letter}\0")).collect();
        check(&format!("a\0 \0{zeros} \0"), &[zeros.trim_end_matches('\0')]);
    }
}

#[test]
fn long_runs_are_read_in_pieces_from_any_letter_on() {
    let filler = "all sorts of words, ".repeat(2457);
    for before in ["", "/", "ab", "ab/"] {
        let run = format!("{before}{}", STANDARD_NO_PAD.encode(format!("{filler}{filler}{KEY} {filler}")));
        assert_eq!(hidden(&run).len(), 1, "{before:?}");
    }
}

#[test]
fn long_runs_are_read_in_pieces() {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|rule| rule.id == "token");
    let filler = "all sorts of words, ".repeat(2457);
    let text = STANDARD.encode(format!("{filler}{KEY} {filler}{filler}"));
    let hits = scan(&engine, &rules, &[text.as_bytes()]);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].secret.start, 0);
    assert!(hits[0].secret.end >= (filler.len() + KEY.len()) * 4 / 3);
}

#[test]
fn a_scanner_reads_both() {
    let engine = Engine::new(vec![rule("token", &["ak_"], r"\bak_[A-Za-z0-9]{6}\b")]).unwrap();
    let text = format!("{KEY} ak_ab\u{200b}cDE9");
    for (views, count) in [(false, 1), (true, 2)] {
        let (mut scanner, mut hits) = (Scanner::new(engine.select(|_| true), views), Vec::new());
        scanner.push(&engine, text.as_bytes(), &mut hits);
        scanner.finish(&engine, &mut hits);
        assert_eq!(hits.len(), count);
    }
}

/// A way of writing, for the engine that must see through it.
type Disguise = (&'static str, fn(&str) -> String);

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect()
}

fn shifted(text: &str, by: u32) -> String {
    each(text, |c| if c > ' ' { char::from_u32(c as u32 + by).unwrap().to_string() } else { c.to_string() })
}

fn hexed(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn base32(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<u8> = text.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let value = |group: &[u8]| (0..5).fold(0, |value, index| value << 1 | group.get(index).copied().unwrap_or(0));
    bits.chunks(5).map(|group| char::from(alphabet[usize::from(value(group))])).collect()
}

/// Cyrillic and Greek letters for those that look like them.
fn alike(text: &str) -> String {
    each(text, |c| match c {
        'a' => "\u{430}".to_string(),
        'c' => "\u{441}".to_string(),
        'k' => "\u{3ba}".to_string(),
        'E' => "\u{395}".to_string(),
        other => other.to_string(),
    })
}

/// Each hides the whole of what it writes.
const DISGUISES: &[Disguise] = &[
    ("percent", |it| each(it, |c| format!("%{:02X}", c as u32))),
    ("unicode escapes", |it| each(it, |c| format!("\\u{:04x}", c as u32))),
    ("braced escapes", |it| each(it, |c| format!("\\u{{{:x}}}", c as u32))),
    ("long escapes", |it| each(it, |c| format!("\\U{:08x}", c as u32))),
    ("hex escapes", |it| each(it, |c| format!("\\x{:02x}", c as u32))),
    ("octal escapes", |it| each(it, |c| format!("\\{:03o}", c as u32))),
    ("decimal references", |it| each(it, |c| format!("&#{};", c as u32))),
    ("hexadecimal references", |it| each(it, |c| format!("&#x{:04X};", c as u32))),
    ("named references", |it| it.replace('_', "&lowbar;")),
    ("full width", |it| shifted(it, 0xFEE0)),
    ("tags", |it| shifted(it, 0xE0000)),
    ("zero width", |it| it.replace("bc", "b\u{200b}c")),
    ("marks", |it| it.replace("bc", "b\u{336}c\u{336}")),
    ("likenesses", alike),
    ("joints", |it| it.replace("bc", "b\" + \"c")),
    ("appended", |it| it.replace("bc", "b\";\nkey += \"c")),
    ("base64", |it| STANDARD_NO_PAD.encode(format!("the key is {it} and more"))),
    ("base32", |it| base32(&format!("the key is {it} and more"))),
    ("hex", |it| hexed(&format!("the key is {it} and more"))),
    ("gzip", |it| STANDARD_NO_PAD.encode(packed(&format!("the key is {it} and more")))),
    ("gzip as hex", |it| hexed("").clone() + &packed(it).iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
];

/// Hits of the views, as the text that they hide.
fn hidden(text: &str) -> Vec<String> {
    let engine = Engine::new(vec![rule("token", &["ak_"], r"\bak_[A-Za-z0-9]{6}\b")]).unwrap();
    let hits = scan(&engine, &engine.select(|_| true), &[text.as_bytes()]);
    hits.iter().map(|hit| text[hit.secret.clone()].to_string()).collect()
}

#[test]
fn each_disguise_is_seen_through() {
    for (name, disguise) in DISGUISES {
        let written = disguise(KEY);
        let text = format!("it is \"{written}\" there");
        assert!(hidden(&text).contains(&written), "{name}: {:?} of {text}", hidden(&text));
        check(&text, &[&written]);
    }
}

#[test]
fn two_disguises_are_seen_through() {
    for (outer, disguise) in DISGUISES {
        for (inner, disguised) in DISGUISES {
            // What has no such letters is not disguised twice, and of what is packed twice nothing is left to see.
            let once = disguised(KEY);
            if !once.is_ascii() {
                continue;
            }
            let written = disguise(&once);
            // Letters that look alike stand in the names of references, too, where they mean nothing.
            if written == once || *outer == "likenesses" {
                continue;
            }
            let text = format!("it is \"{written}\" there");
            let found = hidden(&text);
            assert!(!found.is_empty(), "{outer} of {inner}: {text}");
        }
    }
}

#[test]
fn a_key_behind_an_escape_stands_alone() {
    check(&format!("a%20{KEY} b"), &[KEY]);
    check(&format!("a\\n{KEY} b"), &[KEY]);
    check(&format!("a&nbsp;{KEY} b"), &[]);
}

/// A text that is decodable on every level is read a bounded number of times.
#[test]
fn deep_disguises_stay_linear() {
    let mut text = "ak_abcDE9 and more. ".repeat(2_000);
    for _ in 0..4 {
        text = STANDARD_NO_PAD.encode(&text);
    }
    assert_eq!(hidden(&text), Vec::<String>::new());
    let bomb = STANDARD_NO_PAD.encode(packed(&"a".repeat(1 << 22)));
    assert_eq!(hidden(&format!("{bomb} {bomb}")), Vec::<String>::new());
}

proptest! {
    #[test]
    fn cuts_change_nothing(words in prop::collection::vec(prop::sample::select(vec![
        "ak_", "abcDE9", " ", "\u{200b}", "%61k", "%5F", "%", "5", "\u{ff41}", "é", "“", "\u{fe0f}",
        "dGhlIGtleSBpcyBha19hYmNERTkgYW5kIG1vcmU=", "YQ", "%25", "61k", "\"", " + ", "&#9", "5;", "\\", "u005f",
        "&lowbar;", "\\nak", "\u{430}k", "\u{441}", "\u{336}", "c", "H4sIAAAAAAAAA0vMjk9MSnZxtVTISE1RyMxLBwBpZtjAEAAAAA", ";\n", "key += ",
        "plain words of sixteen", "JVKFE", "\n", "61", "74686520", "pl-ain_words/and",
    ]), 0..60), cuts in prop::collection::vec(0usize..600, 0..8)) {
        let engine = Engine::new(vec![rule("token", &["ak_"], r"\bak_[A-Za-z0-9]{6}\b")]).unwrap();
        let rules = engine.select(|_| true);
        let text = words.concat();
        let whole = scan(&engine, &rules, &[text.as_bytes()]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&text.as_bytes()[from..cut]);
            from = cut;
        }
        pieces.push(&text.as_bytes()[from..]);
        prop_assert_eq!(scan(&engine, &rules, &pieces), whole.clone());
        prop_assert_eq!(scan(&engine, &rules, &text.as_bytes().chunks(1).collect::<Vec<_>>()), whole);
    }
}
