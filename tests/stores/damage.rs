//! What somebody else changed in the tables: named with its place, and never in the way of the rest.

use airiskguard_gateway::store::{Damage, Query, Row, StoreError};

use crate::contract::read_all;
use crate::sample::{Chain, DAY, mark, row};
use crate::target::Target;

/// What was done to the row, for both databases or for one, and what is said about it.
struct Change {
    sqlite: Option<&'static str>,
    postgres: Option<&'static str>,
    what: &'static str,
}

const fn both(set: &'static str, what: &'static str) -> Change {
    Change { sqlite: Some(set), postgres: Some(set), what }
}

const fn sqlite(set: &'static str, what: &'static str) -> Change {
    Change { sqlite: Some(set), postgres: None, what }
}

const fn postgres(set: &'static str, what: &'static str) -> Change {
    Change { sqlite: None, postgres: Some(set), what }
}

const CHANGES: &[Change] = &[
    Change {
        sqlite: Some("hash = x'00ff'"),
        postgres: Some("hash = '\\x00ff'"),
        what: "hash is 2 bytes long instead of 32",
    },
    Change { sqlite: Some("hash = x''"), postgres: Some("hash = ''"), what: "hash is 0 bytes long instead of 32" },
    both("hash = NULL", "hash is missing"),
    both("body = NULL", "body is missing"),
    both("id = NULL", "id is missing"),
    both("kind = NULL", "kind is missing"),
    both("written_ms = -1", "written_ms is negative"),
    sqlite("written_ms = NULL", "written_ms is missing"),
    sqlite("written_ms = 'now'", "written_ms is not of the type INTEGER"),
    sqlite("hash = 'text'", "hash is not of the type BLOB"),
    sqlite("body = CAST(x'7bff' AS TEXT)", "body is not UTF-8"),
    sqlite("body = x'7b7d'", "body is not of the type TEXT"),
    sqlite("team = CAST(x'ff' AS TEXT)", "team is not UTF-8"),
    sqlite("team = 5", "team is not of the type TEXT"),
    sqlite("session = 5.5", "session is not of the type TEXT"),
    sqlite("sealed = 'text'", "sealed is not of the type BLOB"),
    postgres("team = E'\\x01'", "team holds a character that is never written"),
    postgres("body = E'\\x01'", "body holds a character that is never written"),
];

/// Takes away what would refuse such values: those who can write the file can do as much.
async fn unlock(target: &Target) {
    if target.is_postgres() {
        for column in ["hash", "body", "id", "kind"] {
            target.execute(&format!("ALTER TABLE audit_records ALTER {column} DROP NOT NULL")).await;
        }
        target.execute("INSERT INTO audit_gateways (name) VALUES ('other')").await;
        target.execute("CREATE TABLE long_ago PARTITION OF audit_records FOR VALUES FROM (-10) TO (0)").await;
    } else {
        target
            .execute(
                "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), 'STRICT', '') WHERE name = 'audit_records'; \
                 UPDATE sqlite_schema SET sql = replace(replace(replace(sql, ' INTEGER', ''), ' TEXT', ''), ' BLOB', '') \
                 WHERE name = 'audit_records'; \
                 PRAGMA writable_schema = RESET",
            )
            .await;
    }
}

pub async fn every_column_is_checked(target: Target) {
    let entries = Chain::new("edge").plains(6);
    let rows: Vec<Row> = entries.iter().map(row).collect();
    target.open().await.append(&entries).await.unwrap();
    unlock(&target).await;
    let store = target.open().await;
    assert_eq!(read_all(&*store, "edge").await, rows);
    for change in CHANGES {
        let Some(set) = (if target.is_postgres() { change.postgres } else { change.sqlite }) else { continue };
        target.execute("CREATE TABLE kept AS SELECT * FROM audit_records WHERE sequence = 3").await;
        target.execute(&format!("UPDATE audit_records SET {set} WHERE sequence = 3")).await;

        assert_eq!(store.read("edge", 1, 10).await.unwrap(), rows[..2], "{set}");
        let error = store.read("edge", 3, 10).await.unwrap_err();
        let damage = Damage { entry: Some(("edge".into(), 3)), what: change.what.into() };
        assert!(matches!(&error, StoreError::Damaged(it) if *it == damage), "{set}: {error}");
        assert_eq!(store.read("edge", 4, 10).await.unwrap(), rows[3..], "{set}");
        let search = store.search(&Query { id: Some("edge-000005".into()), rows_max: 5, ..Query::default() }).await;
        assert_eq!(search.unwrap(), entries[4..5], "{set}");

        target.execute("DELETE FROM audit_records WHERE sequence = 3").await;
        target.execute("INSERT INTO audit_records SELECT * FROM kept").await;
        target.execute("DROP TABLE kept").await;
    }
    assert_eq!(read_all(&*store, "edge").await, rows);

    target.execute("UPDATE audit_records SET hash = NULL WHERE sequence = 6").await;
    let error = store.head("edge").await.unwrap_err().to_string();
    assert_eq!(error, "the audit store is damaged: gateway edge, entry 6: hash is missing");
    store.expire("edge", &mark(&entries[0])).await.unwrap();
    target.execute("UPDATE audit_marks SET sequence = -5").await;
    let error = store.mark("edge").await.unwrap_err().to_string();
    assert_eq!(error, "the audit store is damaged: gateway edge: its mark: sequence is negative");
}

pub async fn rules_that_do_not_belong_do_not_count(target: Target) {
    let store = target.open().await;
    let mut chain = Chain::new("edge");
    let entries = [chain.found(DAY, &["a.b.c", "a.b.d"]), chain.found(DAY + 1, &["a.b.c"])];
    store.append(&entries).await.unwrap();
    let rules = |rows: Vec<Row>| rows.into_iter().map(|it| it.columns.rules).collect::<Vec<_>>();
    let found = async || {
        let query = Query { rule: Some("a.b.c".into()), rows_max: 10, ..Query::default() };
        store.search(&query).await.unwrap().iter().map(|it| it.sequence).collect::<Vec<_>>()
    };
    assert_eq!(found().await, [2, 1]);
    // Whatever is changed of such a row, its record has lost the rule, in searches and in what verification compares.
    for set in ["written_ms = written_ms + 1", "team = 'other'", "team = NULL", "sequence = 7", "gateway = 7"] {
        target.execute("CREATE TABLE kept AS SELECT * FROM audit_rules").await;
        target.execute(&format!("UPDATE audit_rules SET {set} WHERE rule = 'a.b.c' AND sequence = 1")).await;
        assert_eq!(rules(read_all(&*store, "edge").await), [vec!["a.b.d"], vec!["a.b.c"]], "{set}");
        assert_eq!(found().await, [2], "{set}");
        target.execute("DELETE FROM audit_rules").await;
        target.execute("INSERT INTO audit_rules SELECT * FROM kept").await;
        target.execute("DROP TABLE kept").await;
    }
    target.execute("UPDATE audit_rules SET rule = 'a.b.x' WHERE sequence = 2").await;
    assert_eq!(rules(read_all(&*store, "edge").await), [vec!["a.b.c", "a.b.d"], vec!["a.b.x"]]);
}

pub async fn tables_of_a_later_version_are_left_alone(target: Target) {
    let store = target.open().await;
    store.append(&Chain::new("edge").plains(1)).await.unwrap();
    drop(store);
    let checksum = if target.is_postgres() { "'\\x00'" } else { "x'00'" };
    target
        .execute(&format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', true, {checksum}, 1)"
        ))
        .await;
    let error = airiskguard_gateway::store::open(&target.address()).await.err().unwrap();
    let text = "the audit store cannot be used: its tables are of a later version (99) than this program knows";
    assert_eq!(error.to_string(), text);
}
