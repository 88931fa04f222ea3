//! The catalogue through the real engine: every hit hits however it is cut, and every miss misses.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use airiskguard_gateway::checkers::{self, Entry};
use airiskguard_gateway::scan::{Engine, Hit, RuleSet, Scanner, Stream};

fn catalogue() -> (Engine, Vec<Entry>) {
    let entries = checkers::entries().unwrap();
    (Engine::new(entries.iter().map(|entry| entry.rule.clone()).collect()).unwrap(), entries)
}

/// What one rule finds in a text that comes in pieces, in order of place.
fn found<'a>(engine: &Engine, rules: &RuleSet, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Hit> {
    let (mut stream, mut hits) = (Stream::new(rules.clone()), Vec::new());
    for piece in pieces {
        let (settled, from) = (stream.settled(), hits.len());
        stream.push(engine, piece, &mut hits);
        assert!(hits[from..].iter().all(|hit| hit.whole.start >= settled), "a settled byte was covered");
    }
    stream.finish(engine, &mut hits);
    hits.sort_by_key(|hit| (hit.whole.start, hit.whole.end));
    hits
}

fn whole(engine: &Engine, rules: &RuleSet, text: &str, views: bool) -> Vec<Hit> {
    let (mut scanner, mut hits) = (Scanner::new(rules.clone(), views), Vec::new());
    scanner.push(engine, text.as_bytes(), &mut hits);
    scanner.finish(engine, &mut hits);
    hits
}

/// Calls `check` for each rule of the catalogue, chosen alone.
fn for_each_rule(check: impl Fn(&Engine, &RuleSet, &Entry) -> Vec<String>) {
    let (engine, entries) = catalogue();
    let mut wrong = Vec::new();
    for entry in &entries {
        let rules = engine.select(|rule| rule.id == entry.rule.info.id);
        assert_eq!(rules.len(), 1);
        wrong.extend(check(&engine, &rules, entry).into_iter().map(|it| format!("{}: {it}", entry.rule.info.id)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_hit_hits_however_it_is_cut() {
    for_each_rule(|engine, rules, entry| {
        let mut wrong = Vec::new();
        for text in &entry.hits {
            let bytes = text.as_bytes();
            let expected = found(engine, rules, [bytes]);
            if expected.is_empty() {
                wrong.push(format!("does not find {text:?}"));
            }
            let cuts = (1..bytes.len()).map(|cut| vec![&bytes[..cut], &bytes[cut..]]);
            for pieces in cuts.chain([bytes.chunks(1).collect()]) {
                let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len()).take(3).collect();
                if found(engine, rules, pieces) != expected {
                    wrong.push(format!("pieces of {lengths:?} change what is found in {text:?}"));
                }
            }
        }
        wrong
    });
}

#[test]
fn every_miss_misses() {
    for_each_rule(|engine, rules, entry| {
        let finds = |text: &&String| !whole(engine, rules, text, false).is_empty();
        entry.misses.iter().filter(finds).map(|text| format!("finds something in {text:?}")).collect()
    });
}

#[test]
fn views_change_nothing_for_texts_without_disguise() {
    for_each_rule(|engine, rules, entry| {
        let plain = |text: &String| whole(engine, rules, text, false);
        let viewed = |text: &String| whole(engine, rules, text, true);
        let hits = entry.hits.iter().filter(|text| !plain(text).iter().all(|hit| viewed(text).contains(hit)));
        let misses = entry.misses.iter().filter(|text| !viewed(text).is_empty());
        hits.chain(misses).map(|text| format!("views read {text:?} otherwise")).collect()
    });
}

/// What is found is the same before and after all automata are built, and none is too large.
#[test]
fn a_warm_engine_finds_the_same() {
    let (engine, entries) = catalogue();
    let rules = engine.select(|_| true);
    let text: String = entries.iter().flat_map(|entry| &entry.hits).map(|hit| format!("{hit}\n")).collect();
    let cold = whole(&engine, &rules, &text, false);
    assert_eq!(engine.warm(), []);
    assert!(cold.len() > entries.len());
    assert_eq!(whole(&engine, &rules, &text, false), cold);
}

/// An answer comes in words: none waits for the next one because a key could stand behind a space.
#[test]
fn no_secret_begins_with_white_space() {
    for_each_rule(|engine, rules, entry| {
        let waits = |text: &&str| {
            let mut stream = Stream::new(rules.clone());
            stream.push(engine, text.as_bytes(), &mut Vec::new());
            stream.settle(engine) < text.len()
        };
        let is_secret = entry.rule.info.checker.name() == "secrets";
        ["is ", "is\n"].iter().filter(|it| is_secret && waits(it)).map(|it| format!("waits behind {it:?}")).collect()
    });
}

/// Values that are no secret, line after line, are ordinary text however many there are.
#[test]
fn many_refused_matches_are_refused() {
    let (engine, entries) = catalogue();
    let rules = engine.select(|_| true);
    let misses = |id: &str| entries.iter().find(|it| it.rule.info.id == id).unwrap().misses.clone();
    for miss in misses("secrets.generic.password").iter().chain(&misses("secrets.generic.key")) {
        let line = format!("{miss:<60} # one of many lines, with a remark behind it\n");
        if whole(&engine, &rules, &line, false).is_empty() {
            let hits = whole(&engine, &rules, &line.repeat(5_000), false);
            let first = hits.first().map(|hit| (&engine.rules()[hit.rule].id, hit.secret.clone()));
            assert_eq!(first, None, "{miss}");
        }
    }
}
