//! A chain in SQLite, changed in every way, and what verification says of it.

use std::path::{Path, PathBuf};

use airiskguard_gateway::store::{
    Act, Exchange, Fault, Found, Head, Journal, Marker, Side, Store, Subject, open, verify_stored,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

const GATEWAY: &str = "gw-test";
const RECORDS: u64 = 12;

struct Chain {
    folder: tempfile::TempDir,
    marker: Marker,
    head: Head,
}

impl Chain {
    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.db")
    }

    async fn store(&self) -> Box<dyn Store> {
        store_at(&self.path()).await
    }

    async fn faults(&self, path: &Path) -> Vec<Fault> {
        let store = store_at(path).await;
        let mut faults = Vec::new();
        let mut gateways = store.gateways().await.unwrap();
        gateways.extend((!gateways.iter().any(|it| it == GATEWAY)).then(|| GATEWAY.to_owned()));
        for gateway in gateways {
            let mut verifier = verify_stored(&*store, &gateway, Some(self.marker.public_key())).await.unwrap();
            verifier.end(self.head, "the test");
            faults.extend(verifier.verdict().faults);
        }
        faults
    }
}

async fn store_at(path: &Path) -> Box<dyn Store> {
    open(&format!("sqlite:{}", path.display())).await.unwrap()
}

fn subject(number: u64) -> Subject {
    if number % 5 == 4 {
        return Subject::Act(Act { act: "test.act".into(), actor: "somebody".into(), ..Act::default() });
    }
    let found = |rule: &str| Found { rule: rule.into(), risk: "high".into(), count: 1, ..Found::default() };
    let findings = if number.is_multiple_of(2) { vec![found("secrets.a"), found("vuln.b")] } else { Vec::new() };
    let risk = (!findings.is_empty()).then(|| "high".to_owned());
    Subject::Exchange(Box::new(Exchange {
        team: "backend".into(),
        session: Some(format!("session-{number}")),
        model: Some("model-a".into()),
        endpoint: "messages".into(),
        outcome: "forwarded".into(),
        action: "log".into(),
        outbound: Side { action: "log".into(), risk, findings, ..Side::default() },
        ..Exchange::default()
    }))
}

/// A chain of acts, exchanges and a checkpoint; where asked for, its beginning has expired.
async fn chain(expired: bool) -> Chain {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(&folder.path().join("journal"), GATEWAY.into(), None).unwrap();
    let marker = Marker::new(GATEWAY, &[3; 32]);
    for number in 1..=RECORDS {
        let subject = if number == 8 { Subject::Checkpoint(marker.mark(journal.head(), 8)) } else { subject(number) };
        journal.append(format!("id-{number}"), subject, None, 1_000 + number).unwrap();
    }
    journal.sync().unwrap();
    let entries = journal.feed().read(0, 100, 1 << 20).unwrap().entries;
    let made = Chain { head: journal.head(), folder, marker };
    let store = made.store().await;
    store.append(&entries).await.unwrap();
    if expired {
        store.expire(GATEWAY, &made.marker.mark(entries[2].head(), 2_000)).await.unwrap();
    }
    made
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// Runs statements on a copy of the chain and says what is wrong with it then.
async fn after(chain: &Chain, original: &[u8], statements: &[String]) -> Vec<Fault> {
    let copy = tempfile::tempdir_in(chain.folder.path()).unwrap();
    let path = copy.path().join("copy.db");
    std::fs::write(&path, original).unwrap();
    let mut connection = connect(&path).await;
    for statement in statements {
        let done = sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
    connection.close().await.unwrap();
    chain.faults(&path).await
}

/// The file, with nothing left in the write-ahead log.
async fn whole_file(chain: &Chain) -> Vec<u8> {
    let mut connection = connect(&chain.path()).await;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    std::fs::read(chain.path()).unwrap()
}

/// Every change of one value, by table and column.
async fn changes(chain: &Chain) -> Vec<String> {
    let mut connection = connect(&chain.path()).await;
    let mut statements = Vec::new();
    for table in ["audit_records", "audit_rules", "audit_marks", "audit_gateways"] {
        let columns = sqlx::query(AssertSqlSafe(format!("SELECT name, type FROM pragma_table_info('{table}')")));
        for column in columns.fetch_all(&mut connection).await.unwrap() {
            let (name, kind): (String, String) = (column.get(0), column.get(1));
            let select = format!(
                "SELECT rowid_, length(value) FROM (SELECT row_number() OVER () AS rowid_, {name} AS value FROM {table}) WHERE value IS NOT NULL"
            );
            let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut connection).await.unwrap();
            for row in rows.iter().take(4) {
                let (number, length): (i64, i64) = (row.get(0), row.get(1));
                let at_row = match table {
                    "audit_rules" => format!(
                        "(rule, written_ms, gateway, sequence) = (SELECT rule, written_ms, gateway, sequence FROM (SELECT row_number() OVER () AS n, * FROM {table}) WHERE n = {number})"
                    ),
                    _ => format!(
                        "rowid = (SELECT r FROM (SELECT row_number() OVER () AS n, rowid AS r FROM {table}) WHERE n = {number})"
                    ),
                };
                if kind == "INTEGER" {
                    statements.push(format!("UPDATE {table} SET {name} = {name} + 1000 WHERE {at_row}"));
                    continue;
                }
                for at in [1, length / 2 + 1, length] {
                    let cast = if kind == "BLOB" { "BLOB" } else { "TEXT" };
                    let changed = format!(
                        "CASE WHEN substr({name}, {at}, 1) = CAST('1' AS {cast}) THEN CAST('2' AS {cast}) ELSE CAST('1' AS {cast}) END"
                    );
                    statements.push(format!(
                        "UPDATE {table} SET {name} = CAST(substr({name}, 1, {at} - 1) || {changed} || substr({name}, {at} + 1) AS {cast}) WHERE {at_row}"
                    ));
                }
            }
        }
    }
    connection.close().await.unwrap();
    statements
}

#[tokio::test]
async fn an_untouched_chain_holds() {
    for expired in [false, true] {
        let chain = chain(expired).await;
        assert_eq!(chain.faults(&chain.path()).await, []);
    }
}

#[tokio::test]
async fn every_changed_value_of_every_column_is_named() {
    let chain = chain(true).await;
    let original = whole_file(&chain).await;
    let statements = changes(&chain).await;
    assert!(statements.len() > 100, "{}", statements.len());
    for statement in statements {
        let faults = after(&chain, &original, std::slice::from_ref(&statement)).await;
        assert!(!faults.is_empty(), "unseen: {statement}");
    }
}

#[tokio::test]
async fn a_deleted_row_is_named_with_its_number() {
    let chain = chain(false).await;
    let original = whole_file(&chain).await;
    for number in 1..=RECORDS {
        let delete = |table: &str| format!("DELETE FROM {table} WHERE sequence = {number}");
        let faults = after(&chain, &original, &[delete("audit_records")]).await;
        assert!(faults.iter().any(|it| it.sequence == number && it.what.contains("missing")), "{number}: {faults:?}");
    }
    let faults = after(&chain, &original, &["DELETE FROM audit_rules WHERE sequence = 2".to_owned()]).await;
    assert!(faults.iter().any(|it| it.sequence == 2 && it.what.contains("rules")), "{faults:?}");
}

#[tokio::test]
async fn a_cut_tail_is_named() {
    let chain = chain(false).await;
    let original = whole_file(&chain).await;
    for last in 0..RECORDS {
        let cut = format!("DELETE FROM audit_records WHERE sequence > {last}");
        let faults = after(&chain, &original, &[cut]).await;
        let named = |it: &Fault| it.sequence == last + 1 && it.what.contains("all behind it");
        assert!(faults.iter().any(named), "{last}: {faults:?}");
    }
}

#[tokio::test]
async fn rows_that_changed_places_are_named() {
    let chain = chain(false).await;
    let original = whole_file(&chain).await;
    let swap = [
        "UPDATE audit_records SET sequence = 1000 WHERE sequence = 5",
        "UPDATE audit_records SET sequence = 5 WHERE sequence = 6",
        "UPDATE audit_records SET sequence = 6 WHERE sequence = 1000",
    ];
    let faults = after(&chain, &original, &swap.map(String::from)).await;
    assert!(faults.iter().any(|it| it.sequence == 5) && faults.iter().any(|it| it.sequence == 6), "{faults:?}");
}

#[tokio::test]
async fn a_chain_that_was_written_anew_has_another_signature() {
    let chain = chain(false).await;
    let forged = Marker::new(GATEWAY, &[4; 32]);
    let store = chain.store().await;
    let verifier = verify_stored(&*store, GATEWAY, Some(forged.public_key())).await.unwrap();
    let faults = verifier.verdict().faults;
    assert!(faults.iter().any(|it| it.sequence == 8 && it.what.contains("another key")), "{faults:?}");
}
