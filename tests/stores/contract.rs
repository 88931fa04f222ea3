//! Appending and reading back.

use std::sync::Arc;

use airiskguard_gateway::store::{Entry, Exchange, Query, Row, Store, StoreError, Subject};

use crate::sample::{Chain, DAY, exchange, exchange_with, row};
use crate::target::Target;

pub async fn read_all(store: &dyn Store, gateway: &str) -> Vec<Row> {
    store.read(gateway, 0, 100_000).await.unwrap()
}

fn everything() -> Query {
    Query { rows_max: 100_000, ..Query::default() }
}

pub async fn an_empty_store_has_nothing(target: Target) {
    let store = target.open().await;
    assert_eq!(store.name(), if target.is_postgres() { "postgres" } else { "sqlite" });
    assert_eq!(store.head("edge").await.unwrap(), None);
    assert_eq!(store.gateways().await.unwrap(), Vec::<String>::new());
    assert_eq!(read_all(&*store, "edge").await, Vec::new());
    assert_eq!(store.search(&everything()).await.unwrap(), Vec::new());
    assert_eq!(store.mark("edge").await.unwrap(), None);
    assert_eq!(store.last_before("edge", u64::MAX).await.unwrap(), None);
    store.append(&[]).await.unwrap();
    assert_eq!(store.gateways().await.unwrap(), Vec::<String>::new());
}

pub async fn what_is_appended_is_read_back(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let mut entries = chain.plains(3);
    entries.push(chain.found(DAY + 4_000, &["secrets.aws.access_key", "compliance.pii.email"]));
    entries.push(chain.next(DAY + 4_000, crate::sample::act()));
    entries[1].sealed = Some(Arc::from([0, 255, 1].as_slice()));
    entries[2].sealed = Some(Arc::from([].as_slice()));
    store.append(&entries).await.unwrap();

    let rows: Vec<Row> = entries.iter().map(row).collect();
    assert_eq!(read_all(&*store, "edge").await, rows);
    assert_eq!(rows[3].columns.rules, ["compliance.pii.email", "secrets.aws.access_key"]);
    assert_eq!(store.read("edge", 2, 2).await.unwrap(), rows[1..3]);
    assert_eq!(store.read("edge", 6, 2).await.unwrap(), []);
    assert_eq!(store.read("edge", u64::MAX, 2).await.unwrap(), []);
    assert_eq!(store.head("edge").await.unwrap(), Some(entries[4].head()));
    assert_eq!(store.gateways().await.unwrap(), ["edge"]);
}

pub async fn what_is_there_already_stays(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries = chain.plains(3);
    store.append(&entries[..2]).await.unwrap();
    store.append(&entries).await.unwrap();
    store.append(&entries[1..2]).await.unwrap();

    // The same number with other content, and at another time.
    let mut other = Chain::new("edge");
    let changed = [other.found(DAY + 90_000_000_000, &["a.b.c"]), other.found(DAY, &["a.b.c"])];
    store.append(&changed).await.unwrap();
    let next = chain.plain(DAY + 10_000);
    store.append(&[next.clone(), changed[1].clone(), next.clone()]).await.unwrap();

    let rows: Vec<Row> = entries.iter().chain([&next]).map(row).collect();
    assert_eq!(read_all(&*store, "edge").await, rows);
    assert_eq!(store.search(&Query { rule: Some("a.b.c".into()), ..everything() }).await.unwrap(), []);
}

pub async fn a_batch_goes_in_whole_or_not_at_all(target: Target) {
    let store = target.open().await;
    let mut entries = Chain::new("edge").plains(3);
    entries[2].body = "{}".into();
    let error = store.append(&entries).await.unwrap_err();
    assert_eq!(error.to_string(), "the audit store is damaged: gateway edge, entry 3: the body is no record");
    entries.truncate(2);
    let beyond =
        [Entry { sequence: u64::MAX, ..entries[0].clone() }, Entry { written_ms: u64::MAX, ..entries[0].clone() }];
    for entry in beyond {
        store.append(&[entries[1].clone(), entry]).await.unwrap_err();
    }
    assert_eq!(read_all(&*store, "edge").await, Vec::new());
    assert_eq!(store.gateways().await.unwrap(), Vec::<String>::new());
}

pub async fn chains_of_two_gateways_do_not_touch(target: Target) {
    let store = target.open().await;
    let (north, south) = (Chain::new("north").plains(4), Chain::new("south").plains(2));
    let mixed = [&north[..1], &south, &north[1..]].concat();
    store.append(&mixed).await.unwrap();
    assert_eq!(store.gateways().await.unwrap(), ["north", "south"]);
    assert_eq!(read_all(&*store, "north").await, north.iter().map(row).collect::<Vec<_>>());
    assert_eq!(read_all(&*store, "south").await, south.iter().map(row).collect::<Vec<_>>());
    assert_eq!(store.head("north").await.unwrap(), Some(north[3].head()));
    assert_eq!(store.head("south").await.unwrap(), Some(south[1].head()));
    assert_eq!(store.head("sout").await.unwrap(), None);
}

pub async fn any_text_comes_back(target: Target) {
    let store = target.open().await;
    let texts = ["", " ", "\0", "\u{1}", "a\0b\u{1}0", "' OR 1=1 --", "\"$1?\\", "Zürich 東京 🦀", "\u{fffd}", "%_*"];
    let mut chain = Chain::new("kant\0e\u{1}");
    let entries: Vec<Entry> = texts
        .iter()
        .map(|text| {
            let mut it = exchange_with(&[text]);
            it.team = (*text).into();
            it.session = Some((*text).into());
            it.model = Some((*text).into());
            it.action = (*text).into();
            chain.next(DAY, Subject::Exchange(Box::new(it)))
        })
        .collect();
    store.append(&entries).await.unwrap();
    assert_eq!(read_all(&*store, "kant\0e\u{1}").await, entries.iter().map(row).collect::<Vec<_>>());
    for (text, entry) in texts.iter().zip(&entries) {
        let text = Some((*text).to_owned());
        let query = Query { team: text.clone(), session: text.clone(), model: text.clone(), ..everything() };
        let query = Query { action: text.clone(), rule: text, ..query };
        assert_eq!(store.search(&query).await.unwrap(), std::slice::from_ref(entry), "{query:?}");
    }
}

pub async fn large_records_come_back(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let agent = Some("agent ".repeat(1 << 20));
    let mut entry = chain.next(DAY, Subject::Exchange(Box::new(Exchange { agent, ..exchange() })));
    entry.sealed = Some((0..4 << 20).map(|it: u32| (it % 251) as u8).collect());
    let rules: Vec<String> = (0..400).map(|index| format!("secrets.family.rule_{index:03}")).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let many = chain.found(DAY, &rules);
    store.append(&[entry.clone(), many.clone()]).await.unwrap();
    assert_eq!(read_all(&*store, "edge").await, [row(&entry), row(&many)]);
}

pub async fn ten_thousand_at_once(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries: Vec<Entry> = (0..10_000)
        .map(|index| match index % 3 {
            0 => chain.found(DAY + index * 500_000, &["a.b.c", "a.b.d"]),
            _ => chain.plain(DAY + index * 500_000),
        })
        .collect();
    store.append(&entries).await.unwrap();
    let rows = read_all(&*store, "edge").await;
    assert_eq!(rows.len(), 10_000);
    assert!(rows.iter().zip(&entries).all(|(stored, entry)| *stored == row(entry)));
    let found = store.search(&Query { rule: Some("a.b.d".into()), ..everything() }).await.unwrap();
    assert_eq!(found.len(), 3_334);
}

pub async fn a_reopened_store_holds_the_same(target: Target) {
    let mut chain = Chain::new("edge");
    let mut entries = chain.plains(5);
    target.open().await.append(&entries).await.unwrap();
    let store = target.open().await;
    entries.push(chain.plain(DAY + 100_000));
    store.append(&entries[5..]).await.unwrap();
    assert_eq!(read_all(&*store, "edge").await, entries.iter().map(row).collect::<Vec<_>>());
}

pub async fn writers_at_the_same_time(target: Target) {
    // Four programs open the same empty database, and make the same tables and partitions.
    let address = target.address();
    let writers = (0..4).map(|index| {
        let address = address.clone();
        tokio::spawn(async move {
            let store = airiskguard_gateway::store::open(&address).await.unwrap();
            // Two of them write the same chain: one repeats what the other had lost.
            let mut chain = Chain::new(["north", "south", "east", "east"][index]);
            let month = 31 * 86_400_000;
            for batch in 0..10 {
                let entries: Vec<_> = (0..20).map(|it| chain.plain(DAY + batch * month + it)).collect();
                store.append(&entries).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let store = target.open().await;
    assert_eq!(store.gateways().await.unwrap(), ["east", "north", "south"]);
    for gateway in ["east", "north", "south"] {
        let rows = read_all(&*store, gateway).await;
        assert_eq!(rows.len(), 200);
        assert!(rows.iter().zip(1..).all(|(row, sequence)| row.entry.sequence == sequence));
    }
}

pub async fn a_search_beside_first_records_finds_whole_rows(target: Target) {
    const GATEWAYS: usize = 100;
    let (writer, reader) = (target.open().await, target.open().await);
    let writing = tokio::spawn(async move {
        for index in 0..GATEWAYS {
            writer.append(&[Chain::new(&format!("edge-{index}")).plain(DAY)]).await.unwrap();
        }
    });
    // Every row that is there has a name, also where its gateway was not there when the search began.
    while reader.search(&everything()).await.unwrap().len() < GATEWAYS {
        assert!(!writing.is_finished() || reader.search(&everything()).await.unwrap().len() == GATEWAYS);
    }
    writing.await.unwrap();
}

pub async fn records_of_any_time(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let times = [0, 1, 951_782_400_000, DAY, DAY + 1, 4_102_444_800_000, 253_370_764_800_000];
    let entries: Vec<Entry> = times.iter().map(|it| chain.plain(*it)).collect();
    store.append(&entries).await.unwrap();
    assert_eq!(read_all(&*store, "edge").await, entries.iter().map(row).collect::<Vec<_>>());
    let mut newest_first = entries.clone();
    newest_first.reverse();
    assert_eq!(store.search(&everything()).await.unwrap(), newest_first);
    if target.is_postgres() {
        let beyond = chain.plain(300_000_000_000_000);
        assert!(matches!(store.append(&[beyond]).await, Err(StoreError::Unfit(_))));
    }
}
