//! What only PostgreSQL has: a server that goes away, addresses with passwords, partitions.

use airiskguard_gateway::store::{self, StoreError};

use crate::contract::read_all;
use crate::postgres::Cluster;
use crate::sample::{Chain, DAY, mark, row};
use crate::target::Target;

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let cluster = Cluster::new(&["fsync=on"]);
    let url = cluster.database("outage");
    let store = store::open(&url).await.unwrap();
    let mut chain = Chain::new("edge");
    let mut entries = chain.plains(10);
    store.append(&entries).await.unwrap();
    for stop in [Cluster::stop, Cluster::kill] {
        // Several connections stand open when the server goes.
        let reads = (0..4).map(|_| store.read("edge", 1, 5)).collect::<Vec<_>>();
        for read in reads {
            read.await.unwrap();
        }
        stop(&cluster);
        let next = chain.plains(10);
        for _ in 0..2 {
            let refused = store.append(&next).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
            assert!(matches!(store.head("edge").await, Err(StoreError::Unavailable(_))));
        }
        assert!(matches!(store::open(&url).await.err(), Some(StoreError::Unavailable(_))));
        cluster.start();
        store.append(&next).await.unwrap();
        entries.extend(next);
        assert_eq!(read_all(&*store, "edge").await, entries.iter().map(row).collect::<Vec<_>>());
    }
    // A restart between two calls is not noticed at all.
    cluster.stop();
    cluster.start();
    let next = chain.plains(1);
    store.append(&next).await.unwrap();
}

#[tokio::test]
async fn no_error_shows_the_address() {
    let cluster = Cluster::shared();
    let secret = "made-up-word";
    let socket = cluster.address("").split_once("host=").unwrap().1.to_owned();
    let addresses = [
        format!("postgres://nobody:{secret}@localhost/none?host={socket}"),
        format!("postgres://postgres:{secret}@localhost/none?host={socket}"),
        format!("postgres://postgres:{secret}@127.0.0.1:1/none"),
        format!("postgres://postgres:{secret}@gateway.invalid/none"),
        format!("postgres://postgres:{secret}@[::1/none"),
        format!("postgres://postgres:{secret}@localhost:no-number/none"),
        format!("postgres://postgres@localhost/none?passwort={secret}"),
        format!("postgres://postgres:{secret}@localhost/none?sslmode={secret}"),
        format!("postgres://postgres:{secret}@localhost/none?host={socket}&sslmode=require"),
        format!("postgres://postgres:{secret}@localhost/none?host={socket}&sslmode=verify-full&sslrootcert=/none"),
    ];
    for address in addresses {
        let error = store::open(&address).await.err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(!text.contains(secret) && !text.contains("://"), "{text}");
        assert!(text.len() > 30, "{text}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_all_text_is_refused() {
    let cluster = Cluster::shared();
    let url = cluster.database("plain");
    let target = Target::Postgres(url);
    target.execute("CREATE DATABASE narrow TEMPLATE template0 ENCODING 'LATIN1'").await;
    let error = store::open(&cluster.address("narrow")).await.err().unwrap().to_string();
    assert_eq!(error, "the audit store cannot be used: the database is encoded in LATIN1, not in UTF8");
}

#[tokio::test]
async fn months_have_partitions_and_old_ones_go_whole() {
    let target = Target::postgres("partitions");
    let (first, second) = (target.open().await, target.open().await);
    let (mut north, mut south) = (Chain::new("north"), Chain::new("south"));
    let day = 86_400_000;
    let of_north: Vec<_> = (0..62).map(|it| north.found(DAY + it * day, &["a.b.c"])).collect();
    let of_south: Vec<_> = (0..62).map(|it| south.found(DAY + it * day, &["a.b.c"])).collect();
    first.append(&of_north).await.unwrap();
    second.append(&of_south).await.unwrap();
    let count = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass('audit_records')";
    // August, September, October, and November ahead.
    assert_eq!(target.number(count).await, 4);

    // August holds entries of the other gateway: only rows go.
    assert_eq!(first.expire("north", &mark(&of_north[40])).await.unwrap(), 41);
    assert_eq!(target.number(count).await, 4);
    assert_eq!(second.expire("south", &mark(&of_south[30])).await.unwrap(), 31);
    assert_eq!(target.number(count).await, 3);
    assert_eq!(target.number("SELECT count(*) FROM audit_rules").await, 21 + 31);
    assert_eq!(read_all(&*first, "north").await, of_north[41..].iter().map(row).collect::<Vec<_>>());

    // The first store believes that August is still there.
    let late = north.plain(DAY);
    first.append(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(first.head("north").await.unwrap(), Some(late.head()));
    assert_eq!(target.number(count).await, 4);
}

#[tokio::test]
async fn a_reader_that_takes_its_time_does_not_stop_expiry() {
    let target = Target::postgres("slow_reader");
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries = chain.plains(100);
    store.append(&entries).await.unwrap();
    let mut reader = <sqlx::PgConnection as sqlx::Connection>::connect(&target.address()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM audit_records").execute(&mut reader).await.unwrap();
    assert_eq!(store.expire("edge", &mark(&entries[99])).await.unwrap(), 100);
    assert_eq!(read_all(&*store, "edge").await, Vec::new());
}
