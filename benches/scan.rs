//! Throughput of the scan engine: ordinary prompts, many rules, the worst texts, and the cost of a delta.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use airiskguard_gateway::checkers;
use airiskguard_gateway::domain::{Checker, Direction, Risk, RuleInfo, Score, Sources};
use airiskguard_gateway::scan::{Confirm, Engine, Hit, Lead, Pattern, RuleSet, RuleSpec, Scanner, Stream, Trigger};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

mod texts;

use texts::prompt;

const MIB: usize = 1 << 20;

/// Checkers that hold together, and for which direction.
const CHOICES: [(&str, &[&str], Option<Direction>); 3] = [
    ("all", &["secrets", "compliance", "security", "agent", "vuln"], None),
    ("default outbound", &["secrets", "compliance", "agent"], Some(Direction::Outbound)),
    ("default inbound", &["vuln", "agent"], Some(Direction::Inbound)),
];

fn info(id: String) -> RuleInfo {
    RuleInfo {
        title: id.clone(),
        id,
        checker: Checker::new("secrets"),
        label: "TEST".to_string(),
        risk: Risk::High,
        score: Score::new(0.9).unwrap(),
        why: String::new(),
        advice: None,
        cwe: None,
        sources: Sources::ALL,
        directions: Vec::new(),
        redactable: true,
        flag_only: false,
    }
}

fn rule(id: String, keyword: &str, pattern: String) -> RuleSpec {
    RuleSpec {
        info: info(id),
        trigger: Trigger::Keywords(vec![keyword.to_string()]),
        lead: None,
        pattern: Pattern::Regex(pattern),
        unless: None,
        confirm: Vec::new(),
    }
}

/// Eight shapes of rules, in as many variants as asked for.
fn rules(count: usize) -> Vec<RuleSpec> {
    let names = ["acme", "volt", "nimb", "quar", "zeph", "krab", "mosa", "plin", "trax", "ovid"];
    (0..count)
        .map(|index| {
            let variant = index / 8;
            let name =
                format!("{}{}", names[variant % 10], if variant < 10 { String::new() } else { variant.to_string() });
            let id = format!("test.{index}");
            match index % 8 {
                0 => rule(id, &format!("{name}_"), format!(r"\b{name}_[A-Za-z0-9]{{36}}\b")),
                1 => rule(id, &format!("{name}-"), format!(r"\b{name}-[A-Za-z0-9_-]{{20,120}}")),
                2 => rule(
                    id,
                    &format!("{name}_secret"),
                    format!(r#"(?i){name}_secret["']?\s{{0,4}}[=:]\s{{0,4}}["']?(?P<secret>[^\s"']{{8,80}})"#),
                ),
                3 => rule(
                    id,
                    &format!("{name}jwt"),
                    format!(r"{name}jwt[\w-]{{10,800}}\.[\w-]{{10,800}}\.[\w-]{{10,800}}"),
                ),
                4 => rule(
                    id,
                    &format!("{name}://"),
                    format!(r"{name}://(?P<secret>[^\s:@]{{1,40}}:[^\s@]{{1,80}})@[\w.-]{{1,80}}"),
                ),
                5 => rule(id, &format!("{name}("), format!(r#"\b{name}\([^)\n]{{0,60}}["'][^\n]{{0,40}}\+"#)),
                6 if variant % 5 == 0 => RuleSpec {
                    trigger: Trigger::Digits(9 + variant % 7),
                    ..rule(id, "", r"\b\d(?:[ -]?\d){8,18}\b".to_string())
                },
                6 => rule(id, &format!("import {name}"), format!(r"(?m)^import {name}\b")),
                7 if variant == 0 => RuleSpec {
                    lead: Some(Lead { class: "[A-Za-z0-9._%+-]".to_string(), length_max: 64 }),
                    ..rule(id, "@", r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,100}\.[a-z]{2,10}\b".to_string())
                },
                _ => RuleSpec {
                    pattern: Pattern::Region {
                        begin: format!("-----BEGIN {name}-----"),
                        end: format!("-----END {name}-----"),
                        body: "[A-Za-z0-9+/=\\s]".to_string(),
                        length_max: 16384,
                        prefixed_lines: false,
                    },
                    ..rule(id, &format!("-----BEGIN {name}"), String::new())
                },
            }
        })
        .collect()
}

fn whole(engine: &Engine, set: &RuleSet, stream: &mut Stream, text: &[u8], hits: &mut Vec<Hit>) -> usize {
    hits.clear();
    stream.reset(set);
    stream.push(engine, text, hits);
    stream.finish(engine, hits);
    hits.len()
}

/// The built-in rules on ordinary text, in the choices that configurations make of them.
fn catalogue(c: &mut Criterion) {
    let engine = Engine::new(checkers::rules().unwrap()).unwrap();
    engine.warm();
    let text = prompt(MIB);
    let mut group = c.benchmark_group("catalogue");
    for (name, checkers, direction) in CHOICES {
        let set = engine.select(|rule| {
            checkers.contains(&rule.checker.name())
                && (rule.directions.is_empty() || direction.is_none_or(|it| rule.directions.contains(&it)))
        });
        group.throughput(Throughput::Bytes(text.len() as u64));
        for views in [false, true] {
            let (mut scanner, mut hits) = (Scanner::new(set.clone(), views), Vec::new());
            let id = BenchmarkId::new(if views { "with views" } else { "plain" }, name);
            group.bench_function(id, |b| {
                b.iter(|| {
                    hits.clear();
                    scanner.reset(&set);
                    scanner.push(&engine, &text, &mut hits);
                    scanner.finish(&engine, &mut hits);
                    black_box(hits.len())
                })
            });
        }
        let text = &text[..64 << 10];
        let (mut stream, mut hits) = (Stream::new(set.clone()), Vec::new());
        group.throughput(Throughput::Elements(text.chunks(8).count() as u64));
        group.bench_function(BenchmarkId::new("8-byte deltas", name), |b| {
            b.iter(|| {
                stream.reset(&set);
                hits.clear();
                text.chunks(8).fold(0, |sum, delta| {
                    stream.push(&engine, delta, &mut hits);
                    sum + black_box(stream.settle(&engine))
                })
            })
        });
    }
    group.finish();
}

/// Its name, and whether a rule uses it.
type Mechanism = (&'static str, fn(&RuleSpec) -> bool);

/// The ways in which the catalogue makes an engine look at text.
const MECHANISMS: [Mechanism; 6] = [
    ("assigned", |rule| matches!(rule.pattern, Pattern::Assigned(_))),
    ("digits", |rule| matches!(rule.trigger, Trigger::Digits(_))),
    ("lead", |rule| rule.lead.is_some()),
    ("region", |rule| matches!(rule.pattern, Pattern::Region { .. })),
    ("place", |rule| rule.confirm.contains(&Confirm::Code)),
    ("keywords", |rule| matches!((&rule.trigger, &rule.pattern), (Trigger::Keywords(_), Pattern::Regex(_)))),
];

/// Twenty rules at even spacing, and the same with a rule of each mechanism among them: each mechanism that chance left
/// out takes the place of one of the first, by the middle one of its rules.
fn twenty(all: &[RuleSpec]) -> [Vec<RuleSpec>; 2] {
    let even: Vec<RuleSpec> = (0..20).map(|index| all[index * all.len() / 20].clone()).collect();
    let mut each = even.clone();
    let mut place = 0;
    for (_, has) in MECHANISMS {
        let of_it: Vec<&RuleSpec> = all.iter().filter(|rule| has(rule)).collect();
        if !each.iter().any(has) {
            each[place] = of_it[of_it.len() / 2].clone();
            place += 1;
        }
    }
    let names = |rules: &[RuleSpec]| {
        let there = MECHANISMS.iter().filter(|(_, has)| rules.iter().any(has)).map(|(name, _)| *name);
        there.collect::<Vec<_>>().join(" ")
    };
    println!("growth: 20 rules at even spacing: {}; with one of each: {}", names(&even), names(&each));
    [even, each]
}

/// What the whole catalogue costs beside engines of 20 of its rules, on the same text in the same run. Two such engines:
/// at even spacing 20 rules may by chance do without a mechanism that passes over the whole text (digits, assignments,
/// leads); the second has a rule of each, so that what grows is the number of rules alone.
fn growth(c: &mut Criterion) {
    let all: Vec<RuleSpec> =
        checkers::rules().unwrap().into_iter().filter(|rule| rule.info.checker.name() != "pii").collect();
    let count = all.len();
    let [even, each] = twenty(&all);
    let engines = [even, each, all].map(|rules| Engine::new(rules).unwrap());
    engines.iter().for_each(|engine| drop(engine.warm()));
    let names = ["20 at even spacing".to_string(), "20 with each mechanism".to_string(), format!("all {count}")];
    let text = prompt(MIB);
    let mut group = c.benchmark_group("growth");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let sets = engines.each_ref().map(|engine| engine.select(|_| true));
    let mut streams = sets.each_ref().map(|set| Stream::new(set.clone()));
    let (mut fastest, mut hits) = ([f64::MAX; 3], Vec::new());
    for (index, engine) in engines.iter().enumerate() {
        group.bench_function(BenchmarkId::new("rules", &names[index]), |b| {
            b.iter(|| black_box(whole(engine, &sets[index], &mut streams[index], &text, &mut hits)))
        });
    }
    group.finish();
    // In turns, the fastest of some rounds: a busy machine does not decide.
    for _ in 0..100 {
        for (index, engine) in engines.iter().enumerate() {
            let begun = Instant::now();
            black_box(whole(engine, &sets[index], &mut streams[index], &text, &mut hits));
            fastest[index] = fastest[index].min(begun.elapsed().as_secs_f64());
        }
    }
    for (name, seconds) in names.iter().zip(fastest) {
        println!(
            "growth: {name}: {:.2} GB/s; all take {:.2} times as long",
            text.len() as f64 / seconds / 1e9,
            fastest[2] / seconds
        );
    }
}

fn ordinary(c: &mut Criterion) {
    let text = prompt(MIB);
    let mut group = c.benchmark_group("ordinary");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for count in [20, 200, 1000] {
        let engine = Engine::new(rules(count)).unwrap();
        for (name, digits) in [("all", true), ("keywords", false)] {
            let set = engine.select(|rule| {
                digits || rule.id.rsplit('.').next().and_then(|n| n.parse().ok()).is_none_or(|n: usize| n % 8 < 6)
            });
            let (mut stream, mut hits) = (Stream::new(set.clone()), Vec::new());
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| black_box(whole(&engine, &set, &mut stream, &text, &mut hits)))
            });
        }
    }
    let engine = Engine::new(rules(200)).unwrap();
    let set = engine.select(|_| true);
    let (mut scanner, mut hits) = (Scanner::new(set.clone(), true), Vec::new());
    group.bench_function("with views/200", |b| {
        b.iter(|| {
            hits.clear();
            scanner.reset(&set);
            scanner.push(&engine, &text, &mut hits);
            scanner.finish(&engine, &mut hits);
            black_box(hits.len())
        })
    });
    group.finish();
}

/// One text per way to make the engine work.
fn worst_texts() -> Vec<(&'static str, Vec<u8>)> {
    let repeat = |piece: &str| piece.bytes().cycle().take(MIB).collect::<Vec<u8>>();
    let keywords = rules(200).into_iter().filter_map(|rule| match rule.trigger {
        Trigger::Keywords(words) => Some(words.concat() + " "),
        Trigger::Digits(_) => None,
    });
    let all = keywords.collect::<String>();
    let mut with_sign = repeat("aB3.x");
    with_sign[MIB / 2] = b'@';
    vec![
        ("keyword repeated", repeat("acme_")),
        ("keyword and near match", repeat("acme_abcdefghijabcdefghijabcdefghijabcd_ ")),
        ("matches", repeat("acme_abcdefghijabcdefghijabcdefghijabcdef ")),
        ("long near matches, dense", repeat("acmejwt-")),
        ("long near matches, two parts", repeat(&("acmejwt-".repeat(99) + "."))),
        ("wide near matches, dense", repeat("acme('")),
        ("assignments, dense", repeat("acme_secret=acme")),
        ("urls, dense", repeat("acme://a:")),
        ("all keywords", repeat(&all)),
        ("begin repeated", repeat("-----BEGIN acme")),
        ("regions repeated", repeat("-----BEGIN acme-----")),
        (
            "region forever",
            repeat("-----BEGIN acme-----\n").into_iter().take(21).chain(repeat("Ab9+")).take(MIB).collect(),
        ),
        ("digits forever", repeat("1234567890")),
        ("single digits", repeat("1 ")),
        ("groups of digits", repeat("1234-")),
        ("lead forever", repeat("aB3.x")),
        ("lead with one sign", with_sign),
        ("signs and leads", repeat("aB3.x-y@")),
        ("signs", repeat("@")),
    ]
}

fn worst(c: &mut Criterion) {
    let engine = Engine::new(rules(200)).unwrap();
    let set = engine.select(|_| true);
    let (mut stream, mut hits) = (Stream::new(set.clone()), Vec::new());
    let mut group = c.benchmark_group("worst");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(MIB as u64));
    for (name, text) in worst_texts() {
        group.bench_function(name, |b| b.iter(|| black_box(whole(&engine, &set, &mut stream, &text, &mut hits))));
    }
    group.finish();
}

fn deltas(c: &mut Criterion) {
    let engine = Engine::new(rules(200)).unwrap();
    let set = engine.select(|_| true);
    let text = prompt(64 << 10);
    let mut group = c.benchmark_group("deltas");
    for size in [8, 64, 1024] {
        let (mut stream, mut hits) = (Stream::new(set.clone()), Vec::new());
        group.throughput(Throughput::Elements(text.chunks(size).count() as u64));
        group.bench_function(BenchmarkId::new("push and settled", size), |b| {
            b.iter(|| {
                stream.reset(&set);
                text.chunks(size).fold(0, |sum, delta| {
                    stream.push(&engine, delta, &mut hits);
                    sum + black_box(stream.settle(&engine))
                })
            })
        });
    }
    group.finish();
}

fn building(c: &mut Criterion) {
    let mut group = c.benchmark_group("building");
    group.sample_size(10);
    group.bench_function("200 rules", |b| b.iter(|| black_box(Engine::new(rules(200)).unwrap().memory())));
    let engine = Engine::new(rules(200)).unwrap();
    group.bench_function("select", |b| b.iter(|| black_box(engine.select(|rule| rule.redactable).len())));
    group.finish();
}

criterion_group!(benches, catalogue, growth, ordinary, worst, deltas, building);
criterion_main!(benches);
