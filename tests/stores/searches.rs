//! Searches, each beside what a filter in memory finds.

use airiskguard_gateway::store::{Columns, Entry, Exchange, Position, Query, Store, Subject};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::sample::{Chain, DAY, act, exchange, exchange_with};
use crate::target::Target;

fn everything() -> Query {
    Query { rows_max: 1_000, ..Query::default() }
}

async fn numbers(store: &dyn Store, query: Query) -> Vec<u64> {
    store.search(&query).await.unwrap().iter().map(|it| it.sequence).collect()
}

pub async fn newest_first(target: Target) {
    let store = target.open().await;
    let (mut north, mut south) = (Chain::new("north"), Chain::new("south"));
    let month = 31 * 86_400_000;
    let first = [north.plain(DAY), north.plain(DAY), north.plain(DAY + 5), north.plain(DAY + month)];
    let second = [south.plain(DAY), south.plain(DAY + 3), south.plain(DAY + month), south.plain(DAY + 2 * month)];
    store.append(&first).await.unwrap();
    store.append(&second).await.unwrap();
    let order = [&second[3], &second[2], &first[3], &first[2], &second[1], &second[0], &first[1], &first[0]];
    let found = store.search(&everything()).await.unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), order);
    let team = store.search(&Query { team: Some("payments".into()), ..everything() }).await.unwrap();
    assert_eq!(team, found);
}

pub async fn by_every_key(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let of = |change: fn(&mut Exchange)| {
        let mut it = exchange_with(&["a.b.c"]);
        change(&mut it);
        Subject::Exchange(Box::new(it))
    };
    let entries = [
        chain.plain(DAY),
        chain.next(DAY + 1, of(|it| it.team = "search".into())),
        chain.next(DAY + 2, of(|it| it.session = None)),
        chain.next(DAY + 3, of(|it| it.model = Some("gpt-5".into()))),
        chain.next(DAY + 4, of(|it| it.action = "block".into())),
        chain.next(DAY + 5, of(|it| it.outbound.risk = Some("critical".into()))),
        chain.next(DAY + 6, Subject::Decision(Box::new(exchange()))),
        chain.next(DAY + 7, act()),
    ];
    store.append(&entries).await.unwrap();
    let text = |it: &str| Some(it.to_owned());
    let cases = [
        (Query { gateway: text("edge"), ..everything() }, vec![8, 7, 6, 5, 4, 3, 2, 1]),
        (Query { gateway: text("other"), ..everything() }, vec![]),
        (Query { team: text("search"), ..everything() }, vec![2]),
        (Query { team: text("payments"), ..everything() }, vec![7, 6, 5, 4, 3, 1]),
        (Query { session: text("session-1"), ..everything() }, vec![7, 6, 5, 4, 2, 1]),
        (Query { rule: text("a.b.c"), ..everything() }, vec![6, 5, 4, 3, 2]),
        (Query { rule: text("a.b"), ..everything() }, vec![]),
        (Query { model: text("gpt-5"), ..everything() }, vec![4]),
        (Query { action: text("block"), ..everything() }, vec![5]),
        (Query { action: text("allow"), ..everything() }, vec![7, 1]),
        (Query { risk: text("critical"), ..everything() }, vec![6]),
        (Query { kind: text("act"), ..everything() }, vec![8]),
        (Query { kind: text("exchange"), ..everything() }, vec![6, 5, 4, 3, 2, 1]),
        (Query { id: text("edge-000003"), ..everything() }, vec![3]),
        (Query { id: text("edge-000003"), team: text("search"), ..everything() }, vec![]),
        (Query { rule: text("a.b.c"), team: text("search"), ..everything() }, vec![2]),
        (Query { rule: text("a.b.c"), session: text("session-1"), ..everything() }, vec![6, 5, 4, 2]),
        (Query { rule: text("a.b.c"), id: text("edge-000001"), ..everything() }, vec![]),
        (Query { team: text("payments"), action: text("block"), risk: text("high"), ..everything() }, vec![5]),
    ];
    for (query, expected) in cases {
        assert_eq!(numbers(&*store, query.clone()).await, expected, "{query:?}");
    }
}

pub async fn within_a_time(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries = [1, 2, 2, 3].map(|it| chain.found(DAY + it, &["a.b.c"]));
    store.append(&entries).await.unwrap();
    let times: [(Option<u64>, Option<u64>, &[u64]); 8] = [
        (None, None, &[4, 3, 2, 1]),
        (Some(DAY + 2), None, &[4, 3, 2]),
        (None, Some(DAY + 2), &[1]),
        (Some(DAY + 2), Some(DAY + 3), &[3, 2]),
        (Some(DAY + 3), Some(DAY + 2), &[]),
        (Some(0), Some(u64::MAX), &[4, 3, 2, 1]),
        (Some(u64::MAX), None, &[]),
        (None, Some(0), &[]),
    ];
    let text = |it: &str| Some(it.to_owned());
    let keys = [
        everything(),
        Query { team: text("payments"), ..everything() },
        Query { session: text("session-1"), ..everything() },
        Query { rule: text("a.b.c"), ..everything() },
        Query { rule: text("a.b.c"), session: text("session-1"), ..everything() },
        Query { gateway: text("edge"), ..everything() },
    ];
    for query in keys {
        for (from_ms, until_ms, expected) in times {
            let query = Query { from_ms, until_ms, ..query.clone() };
            assert_eq!(numbers(&*store, query.clone()).await, expected, "{query:?}");
        }
    }
}

pub async fn no_more_than_asked_for(target: Target) {
    let store = target.open().await;
    store.append(&Chain::new("edge").plains(20)).await.unwrap();
    for (rows_max, count) in [(0, 0), (1, 1), (7, 7), (20, 20), (21, 20), (usize::MAX, 20)] {
        let found = numbers(&*store, Query { rows_max, ..everything() }).await;
        assert_eq!(found, (1..=20).rev().take(count).collect::<Vec<_>>());
    }
}

pub async fn as_a_filter_in_memory(target: Target) {
    let store = target.open().await;
    let mut runner = TestRunner::deterministic();
    let mut entries: Vec<Entry> = Vec::new();
    // In the order in which the store sees them first (those of one batch by name), which decides between equal moments.
    let mut chains = ["north", "south"].map(Chain::new);
    let mut now = DAY - 3_000;
    for _ in 0..600 {
        let (chain, later, subject) = record().new_tree(&mut runner).unwrap().current();
        now += later;
        let chain = if entries.len() < 2 { entries.len() } else { chain };
        entries.push(chains[chain].next(now, subject));
    }
    for batch in entries.chunks(97) {
        store.append(batch).await.unwrap();
    }
    for _ in 0..400 {
        let query = query(now).new_tree(&mut runner).unwrap().current();
        let (found, expected) = (store.search(&query).await.unwrap(), filter(&entries, &query));
        let numbers = |it: &[Entry]| it.iter().map(|it| (it.gateway.clone(), it.sequence)).collect::<Vec<_>>();
        assert_eq!(numbers(&found), numbers(&expected), "{query:?}");
        assert!(found == expected, "{query:?}");
    }
}

/// Few different values, so that many things coincide; the beginning of a month lies among the times.
fn record() -> impl Strategy<Value = (usize, u64, Subject)> {
    let name = |names: &'static [&'static str]| prop::sample::select(names);
    let rules = prop::collection::vec(name(RULES), 0..4);
    let risk = prop::option::of(name(RISKS));
    let texts = (name(TEAMS), prop::option::of(name(SESSIONS)), prop::option::of(name(MODELS)), name(ACTIONS));
    (0..2_usize, 0..12_u64, 0..10_u8, rules, risk, texts).prop_map(|(chain, later, kind, rules, risk, texts)| {
        let (team, session, model, action) = texts;
        let mut it = exchange_with(&rules);
        it.outbound.risk = risk.map(Into::into);
        it.team = team.into();
        it.session = session.map(Into::into);
        it.model = model.map(Into::into);
        it.action = action.into();
        let subject = match kind {
            0 => act(),
            1 => Subject::Decision(Box::new(it)),
            _ => Subject::Exchange(Box::new(it)),
        };
        (chain, later, subject)
    })
}

const RULES: &[&str] = &["a.b.c", "a.b.d", "e.f"];
const RISKS: &[&str] = &["low", "high", "critical"];
const TEAMS: &[&str] = &["payments", "search", ""];
const SESSIONS: &[&str] = &["one", "two", "three", "four"];
const MODELS: &[&str] = &["claude", "gpt"];
const ACTIONS: &[&str] = &["allow", "redact", "block"];
const KINDS: &[&str] = &["exchange", "decision", "act", "checkpoint"];
const GATEWAYS: &[&str] = &["north", "south", "west"];

fn query(now: u64) -> impl Strategy<Value = Query> {
    let text = |names: &'static [&'static str]| {
        prop::option::weighted(0.25, prop::sample::select(names).prop_map(str::to_owned))
    };
    let time = move || prop::option::weighted(0.3, DAY - 3_010..now + 10);
    let texts = (text(GATEWAYS), text(TEAMS), text(SESSIONS), text(RULES), text(MODELS), text(ACTIONS), text(RISKS));
    let rows_max = prop_oneof![Just(1_000_usize), 0..20_usize];
    let position = (DAY - 3_010..now + 10, prop::sample::select(&GATEWAYS[..2]), 0..120_u64);
    let before = position.prop_map(|(written_ms, gateway, sequence)| {
        let gateway = gateway.to_owned();
        Position { written_ms, gateway, sequence }
    });
    let bounds = (time(), time(), prop::option::weighted(0.3, before));
    (texts, text(KINDS), bounds, rows_max).prop_map(|(texts, kind, (from_ms, until_ms, before), rows_max)| {
        let (gateway, team, session, rule, model, action, risk) = texts;
        Query { gateway, team, session, rule, model, action, risk, kind, id: None, from_ms, until_ms, before, rows_max }
    })
}

/// In the order of answers: the database knew `north` first.
fn place(it: &Position) -> (u64, bool, u64) {
    (it.written_ms, it.gateway == "south", it.sequence)
}

fn filter(entries: &[Entry], query: &Query) -> Vec<Entry> {
    let matches = |entry: &&Entry| {
        let columns = Columns::of(&entry.record().unwrap());
        let equal = |asked: &Option<String>, held: Option<&str>| asked.as_deref().is_none_or(|it| held == Some(it));
        equal(&query.gateway, Some(&entry.gateway))
            && equal(&query.team, columns.team.as_deref())
            && equal(&query.session, columns.session.as_deref())
            && equal(&query.model, columns.model.as_deref())
            && equal(&query.action, columns.action.as_deref())
            && equal(&query.risk, columns.risk.as_deref())
            && equal(&query.kind, Some(&columns.kind))
            && query.rule.as_ref().is_none_or(|it| columns.rules.contains(it))
            && query.from_ms.is_none_or(|it| entry.written_ms >= it)
            && query.until_ms.is_none_or(|it| entry.written_ms < it)
            && query.before.as_ref().is_none_or(|it| place(&Position::of(entry)) < place(it))
    };
    let mut found: Vec<Entry> = entries.iter().filter(matches).cloned().collect();
    found.sort_by_key(|it| std::cmp::Reverse(place(&Position::of(it))));
    found.truncate(query.rows_max);
    found
}
