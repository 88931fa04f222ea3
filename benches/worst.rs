//! The worst texts of every family of rules: how many times what ordinary text costs they cost, per byte.
//!
//! `cargo bench --bench worst [-- FAMILY…]` prints the dearest cases and fails above a limit, which only ever falls; the
//! aim is ten times. Each case is measured in turns with ordinary text, the fastest of some rounds, so that a busy
//! machine does not decide.
//!
//! Of each rule's texts a few are drawn, always the same ones; with `WORST_ALL=1` all are measured, which takes hours.
//! What belongs to no rule is always measured.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Instant;

use airiskguard_gateway::checkers::{self, Entry};
use airiskguard_gateway::scan::{Engine, Hit, Pattern, RuleSet, Stream, Trigger};

mod texts;

const TEXT_BYTES: usize = 256 << 10;
/// How often ordinary text may go into the time of a case, on a machine that does other things, too.
const RATIO_MAX: f64 = 250.0;
/// How often it should.
const RATIO_AIM: f64 = 10.0;
const ROUNDS: usize = 5;
/// Texts of each rule that are measured, unless all are.
const CASES_MAX: usize = 3;
/// Draws them.
const SEED: u64 = 20_260_314;
const LINES: usize = 40;

struct Case {
    family: String,
    shape: String,
    /// The text is this again and again.
    piece: String,
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let entries = checkers::entries().unwrap();
    let engine = Engine::new(entries.iter().map(|entry| entry.rule.clone()).collect()).unwrap();
    let begun = Instant::now();
    let large = engine.warm();
    println!(
        "warm: {:.0} ms, {} KiB, too large: {large:?}",
        begun.elapsed().as_secs_f64() * 1e3,
        engine.memory() >> 10
    );
    // No team needs a checker under both of its names.
    let rules = engine.select(|rule| rule.checker.name() != "pii");
    let ordinary = texts::prompt(TEXT_BYTES);
    let mut bench = Bench { engine: &engine, stream: Stream::new(rules.clone()), rules, hits: Vec::new() };
    let mut rows = Vec::new();
    let (cases, count) = drawn(cases(&entries));
    println!("{} of {count} texts, {CASES_MAX} of each rule by the seed {SEED}; WORST_ALL=1 measures all", cases.len());
    for case in cases {
        if wanted.is_empty() || wanted.iter().any(|word| case.family.contains(word.as_str())) {
            let text: Vec<u8> = case.piece.bytes().cycle().take(TEXT_BYTES).collect();
            let (ratio, nanoseconds) = bench.ratio(&text, &ordinary);
            rows.push((ratio, nanoseconds, bench.hits.len(), case));
        }
    }
    rows.sort_by(|left, right| right.0.total_cmp(&left.0));
    println!("{:>7} {:>9} {:>6}  case ({} of {})", "ratio", "ns/byte", "hits", LINES.min(rows.len()), rows.len());
    for (ratio, nanoseconds, hits, case) in rows.iter().take(LINES) {
        println!("{ratio:>7.1} {nanoseconds:>9.2} {hits:>6}  {}: {}", case.family, case.shape);
    }
    for limit in [RATIO_AIM, 2.0 * RATIO_AIM, 4.0 * RATIO_AIM] {
        let over = rows.iter().filter(|row| row.0 > limit);
        println!(
            "above {limit}: {}, of them without hits: {}",
            over.clone().count(),
            over.filter(|row| row.2 == 0).count()
        );
    }
    if rows.first().is_some_and(|row| row.0 > RATIO_MAX) {
        println!("above the limit of {RATIO_MAX}");
        std::process::exit(1);
    }
}

/// The cases that are measured, and how many there are.
fn drawn(cases: Vec<Case>) -> (Vec<Case>, usize) {
    let count = cases.len();
    if std::env::var_os("WORST_ALL").is_some() {
        return (cases, count);
    }
    let mut families: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases {
        families.entry(case.family.clone()).or_default().push(case);
    }
    let mut seed = SEED;
    let mut drawn = Vec::new();
    for (family, mut cases) in families {
        let wanted = if family.contains('.') { CASES_MAX.min(cases.len()) } else { cases.len() };
        for _ in 0..wanted {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            drawn.push(cases.swap_remove((seed >> 33) as usize % cases.len()));
        }
    }
    (drawn, count)
}

struct Bench<'a> {
    engine: &'a Engine,
    rules: RuleSet,
    stream: Stream,
    hits: Vec<Hit>,
}

impl Bench<'_> {
    /// How many times ordinary text, and nanoseconds per byte: the fastest of some rounds, for noise only adds.
    fn ratio(&mut self, text: &[u8], ordinary: &[u8]) -> (f64, f64) {
        let (mut plain, mut worst) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            plain = plain.min(self.nanoseconds(ordinary));
            worst = worst.min(self.nanoseconds(text));
            if worst / plain < RATIO_AIM / 2.0 {
                break;
            }
        }
        (worst / plain, worst)
    }

    /// Nanoseconds per byte of one whole text.
    fn nanoseconds(&mut self, text: &[u8]) -> f64 {
        self.hits.clear();
        self.stream.reset(&self.rules);
        let begun = Instant::now();
        self.stream.push(self.engine, text, &mut self.hits);
        self.stream.finish(self.engine, &mut self.hits);
        begun.elapsed().as_nanos() as f64 / text.len() as f64
    }
}

fn cases(entries: &[Entry]) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in entries {
        if entry.rule.info.checker.name() == "pii" {
            continue;
        }
        let family = entry.rule.info.id.clone();
        let mut add = |shape: String, piece: &str| cases.push(case(&family, shape, piece));
        if let Trigger::Keywords(words) = &entry.rule.trigger {
            for word in words {
                add(format!("{word:?} repeated"), word);
            }
            add("all keywords in a row".to_owned(), &words.join(" "));
        }
        if let Pattern::Region { .. } = entry.rule.pattern {
            let begin: String = entry.hits[0].chars().take(32).collect();
            add("the begin repeated".to_owned(), &begin);
        }
        for (index, hit) in entry.hits.iter().enumerate() {
            add(format!("hit {index}"), &format!("{hit}\n"));
            add(format!("half of hit {index}"), &hit.chars().take(hit.chars().count() / 2).collect::<String>());
            let almost: String = hit.chars().take(hit.chars().count() - 1).collect();
            add(format!("hit {index} without its end"), &almost);
            add(format!("hit {index} with a cut"), &almost.replacen(['"', '\''], "x", 1));
        }
        for (index, miss) in entry.misses.iter().enumerate() {
            add(format!("miss {index}"), &format!("{miss} "));
        }
        cases.extend(long_cases(&family, entry));
    }
    let words = entries.iter().filter_map(|entry| match &entry.rule.trigger {
        Trigger::Keywords(words) => Some(words.join(" ")),
        Trigger::Digits(_) => None,
    });
    cases.push(case("all", "all keywords in a row".to_owned(), &words.collect::<Vec<_>>().join(" ")));
    cases.extend(texts::SHAPES.iter().map(|shape| case("any", format!("{shape:?} repeated"), shape)));
    cases
}

/// A keyword, then as much as makes a long pattern go on, again and again.
fn long_cases(family: &str, entry: &Entry) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, hit) in entry.hits.iter().enumerate() {
        let start: Vec<char> = hit.chars().collect();
        for kept in [start.len() / 2, start.len() - 1] {
            let start: String = start[..kept].iter().collect();
            for filler in ["aB3", " a", "a\n", ".("] {
                let shape = format!("hit {index} to {kept} and {filler:?} for long");
                let piece = format!("{start}{}", filler.repeat(200 / filler.len()));
                cases.push(case(family, shape, &piece));
            }
        }
    }
    cases
}

fn case(family: &str, shape: String, piece: &str) -> Case {
    Case { family: family.to_owned(), shape, piece: piece.to_owned() }
}
