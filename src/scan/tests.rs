//! What the engine guarantees, rule shape by rule shape, over every cut.
use std::ops::Range;

use proptest::prelude::*;

use super::compile::Fit;
use super::*;
use crate::domain::{Checker, Risk, RuleInfo, Score, Sources};

pub(super) fn info(id: &str) -> RuleInfo {
    RuleInfo {
        id: id.to_string(),
        checker: Checker::new("secrets"),
        title: id.to_string(),
        label: "TEST".to_string(),
        risk: Risk::High,
        score: Score::new(0.9).unwrap(),
        why: String::new(),
        advice: None,
        cwe: None,
        sources: Sources::of(&[]),
        directions: Vec::new(),
        redactable: true,
        flag_only: false,
    }
}

pub(super) fn rule(id: &str, keywords: &[&str], pattern: &str) -> RuleSpec {
    RuleSpec {
        info: info(id),
        trigger: Trigger::Keywords(keywords.iter().map(|word| word.to_string()).collect()),
        lead: None,
        pattern: Pattern::Regex(pattern.to_string()),
        unless: None,
        confirm: Vec::new(),
    }
}

fn region(id: &str) -> RuleSpec {
    let pattern = Pattern::Region {
        begin: "-----BEGIN [A-Z ]{0,20}KEY-----".to_string(),
        end: "-----END KEY-----".to_string(),
        body: "[A-Za-z0-9+/=\\s]".to_string(),
        length_max: 64,
        prefixed_lines: false,
    };
    RuleSpec { pattern, ..rule(id, &["-----BEGIN"], "x") }
}

/// A region whose lines may have prefixes.
fn listed() -> RuleSpec {
    let pattern = Pattern::Region {
        begin: "-----BEGIN LIST-----".to_string(),
        end: "LIST-----".to_string(),
        body: "[A-Za-z0-9+/=\\s-]".to_string(),
        length_max: 256,
        prefixed_lines: true,
    };
    RuleSpec { pattern, ..rule("listed", &["-----BEGIN LIST"], "x") }
}

/// One rule of each shape.
pub(super) fn shapes() -> Vec<RuleSpec> {
    let email = Lead { class: "[A-Za-z0-9._%+-]".to_string(), length_max: 16 };
    vec![
        rule("token", &["ak_"], r"\bak_[A-Za-z0-9]{6}\b"),
        rule("dense", &["key"], r"key[a-z]{12}!"),
        rule(
            "assigned",
            &["password", "passwd"],
            r#"(?i)passw(?:or)?d["']?\s{0,3}[=:]\s{0,3}["']?(?P<secret>[^\s"']{4,20})"#,
        ),
        RuleSpec {
            lead: Some(email),
            ..rule("email", &["@"], r"\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,15}@[a-z]{1,8}\.[a-z]{2,3}\b")
        },
        RuleSpec { unless: Some("xx".to_string()), ..rule("unless", &["tok-", "tok-a"], r"tok-[a-z]{2,8}") },
        RuleSpec { trigger: Trigger::Digits(9), ..rule("ssn", &[], r"\b\d{3}[- ]?\d{2}[- ]?\d{4}\b") },
        RuleSpec { trigger: Trigger::Digits(4), ..rule("ip", &[], r"\b(?:\d{1,3}\.){3}\d{1,3}\b") },
        region("region"),
        rule("line", &["import"], r"(?m)^import evil$"),
        rule("wide", &["exec("], r#"exec\(.{0,60}["'].{0,60}\+.{0,60}\)"#),
        listed(),
    ]
}

pub(super) fn scan(engine: &Engine, rules: &RuleSet, pieces: &[&[u8]]) -> Vec<Hit> {
    let mut stream = Stream::new(rules.clone());
    let (mut hits, mut length) = (Vec::new(), 0);
    for piece in pieces {
        let settled = stream.settle(engine);
        let from = hits.len();
        stream.push(engine, piece, &mut hits);
        length += piece.len();
        assert!(hits[from..].iter().all(|hit| hit.whole.start >= settled), "a settled byte was covered");
        let now = stream.settle(engine);
        assert!(now >= settled && now <= length);
        assert_eq!(stream.length(), length);
    }
    let (from, settled) = (hits.len(), stream.settle(engine));
    stream.finish(engine, &mut hits);
    assert!(hits[from..].iter().all(|hit| hit.whole.start >= settled), "a settled byte was covered");
    assert_eq!(stream.settled(), length);
    hits.sort_by_key(|hit| (hit.whole.start, hit.rule, hit.whole.end));
    hits
}

fn found(specs: Vec<RuleSpec>, text: &str) -> Vec<(usize, Range<usize>)> {
    let engine = Engine::new(specs).unwrap();
    let rules = engine.select(|_| true);
    let whole = scan(&engine, &rules, &[text.as_bytes()]);
    for cut in 0..text.len() {
        let (left, right) = text.as_bytes().split_at(cut);
        assert_eq!(scan(&engine, &rules, &[left, right]), whole, "cut at {cut} of {text:?}");
    }
    for size in [1, 2, 3, 7, 64] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        assert_eq!(scan(&engine, &rules, &pieces), whole, "pieces of {size} of {text:?}");
    }
    whole.into_iter().map(|hit| (hit.rule, hit.secret)).collect()
}

fn texts(text: &str) -> Vec<(usize, &str)> {
    found(shapes(), text).into_iter().map(|(rule, span)| (rule, &text[span])).collect()
}

#[test]
fn a_token_is_found_whole_and_only_at_boundaries() {
    assert_eq!(texts("see ak_abcDE9, xak_abcDE9 ak_abcDE99 AK_abcDE9 ak_ab"), [(0, "ak_abcDE9")]);
    assert_eq!(texts("ak_abcDE9"), [(0, "ak_abcDE9")]);
}

#[test]
fn the_group_is_what_gets_hidden() {
    assert_eq!(texts(r#"{"password": 1, PASSWORD = "hunter22" , passwd:letmein}"#), [(2, "hunter22"), (2, "letmein}")]);
}

#[test]
fn a_lead_belongs_to_the_match() {
    assert_eq!(texts("mail jo.doe+x@corp.com or ..ann@b.org, @c.com"), [(3, "jo.doe+x@corp.com"), (3, "ann@b.org")]);
}

#[test]
fn a_refused_match_hides_nothing_behind_it() {
    assert_eq!(texts("tok-xxtok-ab"), [(4, "tok-ab")]);
}

#[test]
fn digits_are_found_in_any_group_of_a_run() {
    assert_eq!(texts("id 7 123-45-6789 and 10.0.0.1, v1.2, x123456789"), [(5, "123-45-6789"), (6, "10.0.0.1")]);
}

#[test]
fn a_region_reaches_to_its_end_or_as_far_as_its_body() {
    let whole = "-----BEGIN RSA KEY-----\nAb9\n-----END KEY-----";
    assert_eq!(texts(&format!("a {whole} b")), [(7, whole)]);
    assert_eq!(texts("-----BEGIN KEY-----\nAb9-- rest"), [(7, "-----BEGIN KEY-----\nAb9")]);
    assert_eq!(texts("-----BEGIN KEY-----\nAb9"), [(7, "-----BEGIN KEY-----\nAb9")]);
    let long = format!("-----BEGIN KEY-----\n{}", "b".repeat(100));
    let spans: Vec<_> = found(shapes(), &long).into_iter().map(|(_, span)| span).collect();
    assert_eq!(spans, [0..64, 64..120]);
}

#[test]
fn a_region_may_begin_with_a_pattern_too_rich_for_an_automaton() {
    let rich = || {
        let begin = r#"exec\(.{0,60}["'].{0,60}\+.{0,60}\)"#.to_string();
        let (end, body) = (";".to_string(), "[a-z]".to_string());
        let pattern = Pattern::Region { begin, end, body, length_max: 400, prefixed_lines: false };
        RuleSpec { pattern, ..rule("rich", &["exec("], "x") }
    };
    assert_eq!(Engine::new(vec![rich()]).unwrap().rules[0].matcher().fit(), Fit::Wide);
    let text = "exec('a' + b)cde; exec";
    assert_eq!(found(vec![rich()], text), [(0, 0..17)]);
    assert_eq!(found(vec![rich()], &format!(r#"exec("{}" + b)cde;"#, "a".repeat(200))), []);
}

#[test]
fn regions_may_follow_each_other() {
    let text = "-----BEGIN KEY-----\nAb-----BEGIN A KEY-----\nCd-----END KEY-----";
    assert_eq!(texts(text), [(7, "-----BEGIN KEY-----\nAb"), (7, "-----BEGIN A KEY-----\nCd-----END KEY-----")]);
}

const LINE: &str = "m5T/RnH8iv1PxIZ7b9BW5HApUvO9+T5xYiUI0ZoQ";

#[test]
fn lines_of_a_region_may_have_prefixes() {
    let listed = |prefix: &str| {
        format!(
            "-----BEGIN LIST-----\n{prefix}{LINE}\n{prefix}{LINE}\n{prefix}ab==\n{prefix}\n{prefix}-----END LIST-----"
        )
    };
    for prefix in ["", "12→", "a_b.c:12:", "[1] (2024-01-01 10:00:00.5) ", "<b>"] {
        let whole = listed(prefix);
        assert_eq!(texts(&format!("{whole} (and so on)")), [(10, whole.as_str())]);
    }
    let one_line = listed("12→").replace('\n', "\\n");
    assert_eq!(texts(&format!("{one_line}\\n")), [(10, one_line.as_str())]);
}

#[test]
fn a_region_without_its_end_takes_no_prose() {
    let begun = format!("-----BEGIN LIST-----\n1→{LINE}\n2→{LINE}");
    for rest in [
        "\n3→",
        "\n3→end(); {}",
        "\n\n(A word,\nand more of\nthese words.\n)\n)\n",
        "(a)\n.src/scan/place/language/of/a/text.",
    ] {
        let found = texts(&format!("{begun}{rest}")).remove(0).1.len();
        assert!((begun.len()..begun.len() + 3).contains(&found), "{rest:?}: {found} of {}", begun.len());
    }
    let short = format!("{begun}\n3→my8Yzt9xFhW7ks4l");
    assert_eq!(texts(&short), [(10, short.as_str())]);
    let another = format!("{begun}\n(cut off)\n-----BEGIN LIST-----\n4→{LINE}\n5→-----END LIST-----");
    assert_eq!(texts(&format!("{another}, (x)")), [(10, another.as_str())]);
    let apart = format!("{begun}\n({}) -----BEGIN LIST-----\nAb-----END LIST-----", "\n".repeat(5));
    assert_eq!(texts(&apart).len(), 2);
}

#[test]
fn a_line_anchor_looks_behind() {
    assert_eq!(texts("import evil\n import evil\nimport evil\nimport evil2"), [(8, "import evil"), (8, "import evil")]);
}

#[test]
fn a_pattern_too_rich_for_an_automaton_is_checked_exactly() {
    assert_eq!(Engine::new(shapes()).unwrap().rules[9].matcher().fit(), Fit::Wide);
    let near = format!(r#"exec("{}" + name)"#, "a".repeat(50));
    assert_eq!(texts(&near), [(9, near.as_str())]);
    assert_eq!(texts(&format!(r#"exec("{}" + name)"#, "a".repeat(200))), []);
}

/// Another rule in an organisation costs what that rule costs, not the whole catalogue again.
#[test]
fn an_extended_engine_shares_what_was_compiled() {
    let more = || shapes().into_iter().chain([rule("more", &["zz_"], r"\bzz_[a-z0-9]{6}\b")]).collect::<Vec<_>>();
    let (first, alone) = (Engine::new(shapes()).unwrap(), Engine::new(more()).unwrap());
    let extended = first.extended(more(), None).unwrap();
    first.warm();
    let built = |engine: &Engine| engine.memory() - engine.keywords.memory();
    assert_eq!(built(&extended), built(&first), "what one builds, the other has");
    let text = "zz_abc123 ak_abc123 import evil";
    let scanned = |engine: &Engine| scan(engine, &engine.select(|_| true), &[text.as_bytes()]);
    assert_eq!(scanned(&extended), scanned(&alone));
    assert!(built(&extended) > built(&first), "and it has more");
    let twice = shapes().into_iter().chain(shapes().into_iter().take(1)).collect();
    assert_eq!(first.extended(twice, None).unwrap_err().len(), 1);
}

/// Such a rule is slow and is named, but it holds, and exactly.
#[test]
fn a_pattern_too_rich_for_any_automaton_still_holds() {
    let rich = || rule("rich", &["key"], &format!("key.{{0,40}}a{}b", ".".repeat(20)));
    let engine = Engine::new(vec![rich()]).unwrap();
    assert_eq!(engine.warm(), [RuleError { rule: "rich".to_string(), what: Mistake::TooLarge }]);
    let near = format!("key {}a{}c", "x".repeat(30), "y".repeat(20));
    assert_eq!(found(vec![rich()], &near), []);
    let hit = near.replace('c', "b");
    assert_eq!(found(vec![rich()], &hit), [(0, 0..hit.len())]);
}

/// In a text full of accepted matches, what looks like them is hidden without a check, and the same for every cut.
#[test]
fn a_thousand_accepted_matches_vouch_for_the_rest() {
    let spec = || RuleSpec { confirm: vec![Confirm::Mixed], ..rule("long", &["key-"], r"\bkey-[a-z0-9]{6,90}") };
    let engine = Engine::new(vec![spec()]).unwrap();
    let rules = engine.select(|_| true);
    let (good, bad) = ("key-abc123 ", "key-abcdef ");
    assert_eq!(scan(&engine, &rules, &[format!("{}{bad}", good.repeat(999)).as_bytes()]).len(), 999);
    let text = format!("{}{}", good.repeat(1000), bad.repeat(10));
    let whole = scan(&engine, &rules, &[text.as_bytes()]);
    assert_eq!(whole.len(), 1010);
    for size in [1, 7, 1000] {
        assert_eq!(scan(&engine, &rules, &text.as_bytes().chunks(size).collect::<Vec<_>>()), whole);
    }
}

#[test]
fn prose_is_settled_at_once() {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|rule| rule.id == "wide" || rule.id == "token");
    let mut stream = Stream::new(rules);
    for piece in ["The quick brown fox", " jumps over ", "an executor"] {
        stream.push(&engine, piece.as_bytes(), &mut Vec::new());
        assert_eq!(stream.settle(&engine), stream.length());
    }
    stream.push(&engine, b" exe", &mut Vec::new());
    assert_eq!(stream.settle(&engine), stream.length() - 3);
    stream.push(&engine, b"rcising", &mut Vec::new());
    assert_eq!(stream.settle(&engine), stream.length());
}

#[test]
fn context_takes_part_but_is_not_reported() {
    let engine = Engine::new(shapes()).unwrap();
    let mut stream = Stream::new(engine.select(|_| true));
    let mut hits = Vec::new();
    stream.context(&engine, b"ak_abcDE9 {\"password\": \"");
    stream.push(&engine, b"hunter22\" ak_abcDE9", &mut hits);
    stream.finish(&engine, &mut hits);
    let spans: Vec<_> = hits.iter().map(|hit| (hit.rule, hit.secret.clone(), hit.whole.clone())).collect();
    assert_eq!(spans, [(2, 0..8, 0..8), (0, 10..19, 10..19)]);
}

#[test]
fn a_stream_starts_afresh_after_reset() {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|_| true);
    let mut stream = Stream::new(rules.clone());
    let mut hits = Vec::new();
    stream.push(&engine, b"ak_abcDE9 123-45 tok-ab", &mut hits);
    stream.reset(&rules);
    hits.clear();
    stream.push(&engine, b"cDE9 -6789 ak_zzzzzz", &mut hits);
    stream.finish(&engine, &mut hits);
    assert_eq!(hits, [Hit { rule: 0, secret: 11..20, whole: 11..20 }]);
}

#[test]
fn only_chosen_rules_are_found() {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|rule| rule.id == "ssn");
    assert_eq!((rules.len(), rules.has(5), rules.has(0)), (1, true, false));
    assert_eq!(scan(&engine, &rules, &[b"ak_abcDE9 10.0.0.1 123-45-6789"]).len(), 1);
    assert!(engine.select(|_| false).is_empty());
}

/// Text made to cost much is decided on the side of finding, and the same for every cut.
#[test]
fn dense_near_matches_are_decided_coarsely() {
    let engine = Engine::new(vec![rule("long", &["key"], "key[a-z]{400}!")]).unwrap();
    let rules = engine.select(|_| true);
    let text = "key".repeat(20_000);
    let whole = scan(&engine, &rules, &[text.as_bytes()]);
    assert!(!whole.is_empty());
    assert!(whole.windows(2).all(|pair| pair[0].whole.end <= pair[1].whole.start));
    for size in [5, 64, 1000, 30_000] {
        assert_eq!(scan(&engine, &rules, &text.as_bytes().chunks(size).collect::<Vec<_>>()), whole);
    }
    assert_eq!(scan(&engine, &rules, &[&text.as_bytes()[..3000]]), []);
}

/// Blocks and lanes are invisible: a token is found wherever it stands in a large piece.
#[test]
fn large_pieces_hide_nothing() {
    let engine = Engine::new(shapes()).unwrap();
    let rules = engine.select(|_| true);
    for at in (0..40_000).step_by(61).chain(4080..4110).chain(16_370..16_390) {
        let mut text = vec![b' '; 40_960];
        text[at..at + 9].copy_from_slice(b"ak_abcDE9");
        let hits = scan(&engine, &rules, &[&text]);
        assert_eq!(hits, [Hit { rule: 0, secret: at..at + 9, whole: at..at + 9 }]);
    }
}

#[test]
fn every_mistake_is_named() {
    let refused = |spec: RuleSpec| Engine::new(vec![spec]).unwrap_err().remove(0).what;
    assert_eq!(refused(rule("a", &[], "abc")), Mistake::NoKeywords);
    assert_eq!(refused(rule("a", &["a"], "abc")), Mistake::ShortKeyword("a".to_string()));
    assert_eq!(refused(rule("a", &["bc"], "abc")), Mistake::KeywordStartsNoMatch("bc".to_string()));
    assert_eq!(refused(rule("a", &["ab"], "ab+")), Mistake::Unbounded);
    assert_eq!(refused(rule("a", &["ab"], "ab{1,5000}")), Mistake::LongerThan(4096));
    assert_eq!(refused(rule("a", &["ab"], "(?:ab)?")), Mistake::MatchesEmpty);
    assert_eq!(refused(rule("a", &["ab"], "(?u)ab\\b")), Mistake::UnicodeBoundary);
    assert_eq!(refused(rule("a", &["ab"], "(?P<key>ab)")), Mistake::UnknownGroup("key".to_string()));
    assert!(matches!(refused(rule("a", &["ab"], "ab(")), Mistake::BadRegex(_)));
    assert_eq!(refused(RuleSpec { trigger: Trigger::Digits(1), ..rule("a", &[], "abc") }), Mistake::DigitCount(1));
    assert_eq!(refused(RuleSpec { confirm: vec![Confirm::Card], ..region("a") }), Mistake::RegionWithChecks);
    let twice = Engine::new(vec![rule("a", &["ab"], "ab"), rule("a", &["ab"], "ab")]).unwrap_err();
    assert_eq!(twice, [RuleError { rule: "a".to_string(), what: Mistake::DuplicateId }]);
}

/// Pieces that together come near to every rule of [`shapes`].
fn fragments() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "ak_",
        "abcDE9",
        "key",
        "abcdefghijkl",
        "!",
        "password",
        "passwd",
        " = ",
        "\"",
        "'",
        "hunter22",
        "@",
        "corp.com",
        "jo.doe",
        ".",
        "tok-",
        "xx",
        "ab",
        "123",
        "-",
        "45",
        "6789",
        " ",
        "10.",
        "0.",
        "1",
        "-----BEGIN ",
        "KEY-----",
        "-----END KEY-----",
        "\n",
        "import evil",
        "exec(",
        " + ",
        ")",
        "é",
        "p",
        "-----",
        "aaaaaaaaaaaaaaaaaaaaaaaaa",
        "-----BEGIN LIST-----",
        "-----END LIST-----",
        LINE,
        "m5T/RnH8iv1PxIZ7=",
        "→",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

thread_local! {
    static ENGINE: Engine = Engine::new(shapes()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cuts_change_nothing(text in fragments(), cuts in prop::collection::vec(0usize..400, 0..12)) {
        ENGINE.with(|engine| {
            let rules = engine.select(|_| true);
            let bytes = text.as_bytes();
            let whole = scan(engine, &rules, &[bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            assert_eq!(scan(engine, &rules, &pieces), whole);
            for size in [1, 3, 64] {
                assert_eq!(scan(engine, &rules, &bytes.chunks(size).collect::<Vec<_>>()), whole);
            }
        });
    }

    /// Where a rule has no lead and no checks, the engine finds what an ordinary regex search finds.
    #[test]
    fn a_plain_rule_finds_what_a_regex_finds(text in fragments()) {
        ENGINE.with(|engine| {
            for (rule, pattern) in [(0, r"(?-u)\bak_[A-Za-z0-9]{6}\b"), (1, "key[a-z]{12}!"), (8, "(?m)^import evil$")] {
                let chosen = engine.select(|info| info.id == shapes()[rule].info.id);
                let hits = scan(engine, &chosen, &[text.as_bytes()]);
                let regex = regex_automata::meta::Regex::new(pattern).unwrap();
                let expected: Vec<_> = regex.find_iter(&text).map(|found| found.range()).collect();
                assert_eq!(hits.into_iter().map(|hit| hit.whole).collect::<Vec<_>>(), expected, "{text:?}");
            }
        });
    }
}
