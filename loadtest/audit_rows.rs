//! How long searches take in an audit log of millions of records: fills both stores with made-up records, searches, and
//! prints times and the database's own plans.
//!
//! `cargo run --no-default-features --features audit --example audit_rows`, with
//! - `AUDIT_ROWS`: how many records (200,000; 10,000,000 is what `docs/performance.md` reports),
//! - `AUDIT_STORE`: `sqlite`, `postgres` (both one after the other), or the address of an empty store,
//! - `AUDIT_PLANS`: anything, to print the plans.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../tests/support/postgres.rs"]
mod postgres;
mod records;

use std::time::{Duration, Instant};

use airiskguard_gateway::store::{self, Query, Store};
use records::{Maker, Random};

/// Records of one append, as the writer behind the journal would batch them under load.
const BATCH_ROWS: u64 = 5_000;
/// Different searches of one kind.
const SEARCHES: usize = 20;
/// What `audit search` asks for unless told otherwise.
const ROWS_MAX: usize = 100;

#[tokio::main]
async fn main() {
    let setting = |name: &str| std::env::var(name).ok();
    let rows = setting("AUDIT_ROWS").map_or(200_000, |it| it.parse().expect("AUDIT_ROWS is a number"));
    match setting("AUDIT_STORE").as_deref() {
        Some("sqlite") => sqlite(rows).await,
        Some("postgres") => postgres(rows).await,
        Some(address) => measure(address, rows).await,
        None => {
            sqlite(rows).await;
            postgres(rows).await;
        }
    }
}

async fn sqlite(rows: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audit.db");
    measure(&format!("sqlite:{}", path.display()), rows).await;
    println!("size: {:.2} GB", path.metadata().map_or(0.0, |it| it.len() as f64 / 1e9));
}

async fn postgres(rows: u64) {
    // What somebody who keeps millions of records would set at least, and no waiting for the disk while filling.
    let cluster =
        postgres::Cluster::new(&["shared_buffers=1GB", "max_wal_size=2GB", "wal_level=minimal", "max_wal_senders=0"]);
    let url = cluster.database("audit");
    measure(&url, rows).await;
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&url).await.expect("connects");
    let size: i64 =
        sqlx::query_scalar("SELECT pg_database_size('audit')").fetch_one(&mut connection).await.expect("a size");
    println!("size: {:.2} GB", size as f64 / 1e9);
}

async fn measure(address: &str, rows: u64) {
    let store = store::open(address).await.expect("opens");
    println!("\n## {}, {rows} records", store.name());
    fill(&*store, rows).await;
    let mut random = Random::new(7);
    println!("| search | median | worst | found |\n|---|---|---|---|");
    let mut plans = Vec::new();
    for (name, query) in searches(rows) {
        let mut times = Vec::new();
        let mut found = 0;
        let queries: Vec<Query> = (0..SEARCHES).map(|_| query(&mut random)).collect();
        for query in &queries {
            let start = Instant::now();
            found += store.search(query).await.expect("finds").len();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        let (median, worst) = (milliseconds(times[SEARCHES / 2]), milliseconds(times[SEARCHES - 1]));
        println!("| {name} | {median:.1} ms | {worst:.1} ms | {found} |");
        plans.push((name, store.plan(&queries[0]).await.expect("a plan")));
    }
    let start = Instant::now();
    let last = store.last_before("edge-1", records::START_MS + records::SPAN_MS / 30).await.expect("finds");
    println!(
        "last_before, a day of 30 being old: {:.1} ms ({:?})",
        milliseconds(start.elapsed()),
        last.map(|it| it.sequence)
    );
    if std::env::var_os("AUDIT_PLANS").is_some() {
        for (name, plan) in plans {
            println!("\n{name}:\n{}", plan.join("\n"));
        }
    }
}

/// The next batch is made while the last one is written.
async fn fill(store: &dyn Store, rows: u64) {
    let mut maker = Maker::new(rows);
    let (mut bytes, mut written, mut writing) = (0, 0, Duration::ZERO);
    let mut batch = maker.batch(BATCH_ROWS.min(rows));
    while !batch.is_empty() {
        let next = tokio::task::spawn_blocking(move || {
            let next = maker.batch(BATCH_ROWS);
            (maker, next)
        });
        let start = Instant::now();
        store.append(&batch).await.expect("appends");
        writing += start.elapsed();
        written += batch.len();
        bytes += batch.iter().map(|it| it.body.len()).sum::<usize>();
        (maker, batch) = next.await.expect("makes records");
        if written % 1_000_000 == 0 {
            eprintln!("{written} records, {:.0} s", writing.as_secs_f64());
        }
    }
    let rate = written as f64 / writing.as_secs_f64();
    println!("append: {rate:.0} records/s in batches of {BATCH_ROWS}, {} bytes each", bytes / written);
}

type Make = Box<dyn Fn(&mut Random) -> Query>;

/// The kinds of searches. Times are one day of the thirty where a kind has them.
fn searches(rows: u64) -> Vec<(&'static str, Make)> {
    let base = || Query { rows_max: ROWS_MAX, ..Query::default() };
    let day = |random: &mut Random, query: Query| {
        let day = records::SPAN_MS / 30;
        let from = records::START_MS + random.below(29) * day;
        Query { from_ms: Some(from), until_ms: Some(from + day), ..query }
    };
    let team = |random: &mut Random| Some(records::team(random.below(records::TEAMS)));
    let session = move |random: &mut Random| Some(records::session(random.below(records::sessions(rows))));
    let rule = |random: &mut Random| Some(records::rule(random.zipf(records::RULES)));
    let rare = |random: &mut Random| Some(records::rule(records::RULES - 1 - random.below(100)));
    let text = |it: &str| Some(it.to_owned());
    vec![
        ("newest", Box::new(move |_| base())),
        ("a day", Box::new(move |random| day(random, base()))),
        ("team", Box::new(move |random| Query { team: team(random), ..base() })),
        ("team, a day", Box::new(move |random| Query { team: team(random), ..day(random, base()) })),
        ("session", Box::new(move |random| Query { session: session(random), ..base() })),
        ("session, a day", Box::new(move |random| Query { session: session(random), ..day(random, base()) })),
        ("rule", Box::new(move |random| Query { rule: rule(random), ..base() })),
        ("rule, a day", Box::new(move |random| Query { rule: rule(random), ..day(random, base()) })),
        ("rare rule", Box::new(move |random| Query { rule: rare(random), ..base() })),
        ("team and rule", Box::new(move |random| Query { team: team(random), rule: rule(random), ..base() })),
        ("team and rare rule", Box::new(move |random| Query { team: team(random), rule: rare(random), ..base() })),
        ("session and rule", Box::new(move |random| Query { session: session(random), rule: rule(random), ..base() })),
        ("blocked", Box::new(move |_| Query { action: text("block"), ..base() })),
        (
            "team, blocked, a day",
            Box::new(move |random| Query { team: team(random), action: text("block"), ..day(random, base()) }),
        ),
        ("critical, a day", Box::new(move |random| Query { risk: text("critical"), ..day(random, base()) })),
        (
            "gateway, model, a day",
            Box::new(move |random| Query { gateway: text("edge-2"), model: text("gpt-5"), ..day(random, base()) }),
        ),
        ("id", Box::new(move |random| Query { id: Some(records::id(random.below(rows))), ..base() })),
        (
            "nothing found: team and unknown model",
            Box::new(move |random| Query { team: team(random), model: text("none"), ..base() }),
        ),
    ]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
