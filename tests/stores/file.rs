//! What only SQLite has: one file, its mode, its size, its pages.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use airiskguard_gateway::store::{self, Store, StoreError};

use crate::contract::read_all;
use crate::sample::{Chain, DAY, mark, row};
use crate::target::Target;

#[tokio::test]
async fn only_the_owner_may_read_its_files() {
    let target = Target::sqlite("");
    let store = target.open().await;
    store.append(&Chain::new("edge").plains(3)).await.unwrap();
    let Target::Sqlite(folder) = &target else { unreachable!() };
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "the database, its log and the index of the log");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let unavailable = store::open(&at("missing/audit.db")).await.err();
    assert!(matches!(unavailable, Some(StoreError::Unavailable(_))), "{unavailable:?}");
    fs::write(folder.path().join("notes.txt"), "no database at all, ".repeat(1_000)).unwrap();
    let unfit = store::open(&at("notes.txt")).await.err();
    assert!(matches!(unfit, Some(StoreError::Unfit(_))), "{unfit:?}");
    for address in ["", "sqlite:", "mysql://u:pass-word@h/d", "postgres:name", "audit.db"] {
        let error = store::open(address).await.err().unwrap();
        assert!(matches!(error, StoreError::Unfit(_)));
        assert!(!error.to_string().contains("pass-word"), "{error}");
    }
}

#[tokio::test]
async fn room_is_used_again_and_given_back() {
    let target = Target::sqlite("");
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let mut batch = || (0..4_000).map(|it| chain.found(DAY + it, &["a.b.c"])).collect::<Vec<_>>();
    let first = batch();
    store.append(&first).await.unwrap();
    let pages = target.number("PRAGMA page_count").await;
    for _ in 0..4 {
        let next = batch();
        store.append(&next).await.unwrap();
        assert_eq!(store.expire("edge", &mark(&next[0])).await.unwrap(), 4_000 + u64::from(next[0].sequence == 4_001));
    }
    let later = target.number("PRAGMA page_count").await;
    assert!(later < pages * 2, "{later} pages after {pages}");
    let last = store.head("edge").await.unwrap().unwrap();
    let all = crate::sample::mark(&chain_entry(&*store, last.sequence).await);
    store.expire("edge", &all).await.unwrap();
    let empty = target.number("PRAGMA page_count").await;
    assert!(empty < pages / 4, "{empty} pages of {pages}");
}

async fn chain_entry(store: &dyn Store, sequence: u64) -> airiskguard_gateway::store::Entry {
    store.read("edge", sequence, 1).await.unwrap().remove(0).entry
}

#[tokio::test]
async fn rows_around_a_broken_page_are_read() {
    let target = Target::sqlite("");
    let mut chain = Chain::new("edge");
    let entries = chain.plains(2_000);
    let store = target.open().await;
    store.append(&entries).await.unwrap();
    drop(store);
    target.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let Target::Sqlite(folder) = &target else { unreachable!() };

    // The page of the file that holds the body of entry 1,000 becomes noise.
    let path = folder.path().join("audit.db");
    let content = fs::read(&path).unwrap();
    let body = entries[999].body.as_bytes();
    let place = content.windows(body.len()).position(|it| it == body).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xa5; 8192], (place / 8192 * 8192) as u64).unwrap();

    let store = target.open().await;
    let mut read = Vec::new();
    let mut damaged = Vec::new();
    let mut from = 1;
    while from <= 2_000 {
        match store.read("edge", from, 500).await {
            Ok(rows) => {
                from = rows.last().map_or(u64::MAX, |it| it.entry.sequence + 1);
                read.extend(rows);
            }
            Err(StoreError::Damaged(damage)) => {
                let (_, sequence) = damage.entry.unwrap();
                damaged.push(sequence);
                from = sequence + 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(damaged.contains(&1_000) && damaged.len() < 40, "{damaged:?}");
    assert_eq!(read.len() + damaged.len(), 2_000);
    assert!(read.iter().all(|it| *it == row(&entries[it.entry.sequence as usize - 1])));
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_later_not() {
    let target = Target::sqlite("");
    let store = target.open().await;
    let entries = Chain::new("edge").plains(2);
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&target.address()).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert!(matches!(store.append(&entries).await, Err(StoreError::Unavailable(_))));
    assert_eq!(read_all(&*store, "edge").await, Vec::new());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.append(&entries).await.unwrap();
    assert_eq!(read_all(&*store, "edge").await, entries.iter().map(row).collect::<Vec<_>>());
}
