//! The audit log in one SQLite file: the store of a gateway that stands alone.
//!
//! One connection writes, a few read beside it (write-ahead log). The journal in front of every store replays what a
//! crash took, so a commit need not wait for the disk.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, QueryBuilder, Row as _, SqlSafeStr, SqliteConnection,
    SqlitePool, TypeInfo, ValueRef,
};

use super::batch::{Item, by_gateway, span};
use super::entry::{Entry, Head};
use super::failure::{failure, migration};
use super::pages::{self, Pages};
use super::query::{Query, Row};
use super::record::Mark;
use super::search::{BELONGS, COLUMNS, Search, Value, number, numbers, search};
use super::stored::{self, Gateways, PAGE, Values};
use super::{Store, StoreError};

/// How long a writer waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// How long a reader waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);
const READERS_MAX: u32 = 4;
/// Rows of one `INSERT`; thirteen values each, and SQLite takes 32,766.
const INSERT_ROWS_MAX: usize = 200;
/// Entries that one step of `expire` removes: some ten milliseconds of the write lock.
const EXPIRE_ROWS_MAX: i64 = 2_000;
/// Pages that one step gives back to the file system.
const VACUUM_PAGES_MAX: i64 = 2_000;
/// Most of the file that may be free pages: those are filled again by the next records.
const FREE_PART_MAX: f64 = 0.25;
/// Pages after which the write-ahead log goes into the file (32 MiB): fewer waits for the disk while much is written.
const CHECKPOINT_PAGES: u32 = 4_000;
/// What is left of the write-ahead log after a checkpoint.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;

/// One file.
pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// Opens or creates the file.
    pub(super) async fn open(path: &Path) -> Result<Sqlite, StoreError> {
        create(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .page_size(8192)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            // Safe against a crash of the program; a power failure may take the last commits, never the file's order.
            // The journal in front of this store still has them and appends them again.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(false)
            .busy_timeout(BUSY)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
            .pragma("journal_size_limit", JOURNAL_BYTES_MAX.to_string())
            .pragma("cache_size", "-32768")
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().acquire_timeout(ACQUIRE);
        let writer = connect(&pool.clone().max_connections(1), &options).await?;
        // Another program may make the same tables at the same moment: then there is nothing left to do.
        if migrator().run(&writer).await.is_err() {
            migrator().run(&writer).await.map_err(migration)?;
        }
        let options = options.pragma("query_only", "ON");
        let readers = connect(&pool.max_connections(READERS_MAX), &options).await?;
        Ok(Sqlite { writer, readers })
    }

    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(failure)
    }
}

/// SQLite does not wait by itself for the lock under which a new file gets its write-ahead log.
async fn connect(pool: &SqlitePoolOptions, options: &SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    const TRIES_MAX: u32 = 50;
    let mut tries = 1;
    loop {
        match pool.clone().connect_with(options.clone()).await.map_err(failure) {
            Err(StoreError::Unavailable(_)) if tries < TRIES_MAX => tokio::time::sleep(BUSY / TRIES_MAX).await,
            outcome => return outcome,
        }
        tries += 1;
    }
}

/// Only the gateway's own user may read what is recorded; SQLite gives its other files the mode of this one.
pub(super) fn create(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable(format!("its file cannot be created: {error}"))),
    }
}

fn migrator() -> Migrator {
    let sql = include_str!("migrations/sqlite/0001_audit.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "audit".into(), MigrationType::Simple, sql, false)])
}

#[async_trait]
impl Store for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn append(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let groups = by_gateway(entries)?;
        // The write lock is taken at once: two processes that read first and then write would refuse each other.
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failure)?;
        for (name, items) in groups {
            append(&mut transaction, name, items).await.map_err(failure)?;
        }
        transaction.commit().await.map_err(failure)
    }

    async fn head(&self, gateway: &str) -> Result<Option<Head>, StoreError> {
        let sql = "SELECT a.sequence, a.hash FROM audit_records a JOIN audit_gateways g ON g.id = a.gateway \
                   WHERE g.name = $1 ORDER BY a.sequence DESC LIMIT 1";
        let row = sqlx::query(sql).bind(gateway).fetch_optional(&self.readers).await.map_err(failure)?;
        row.map(|row| stored::head(&row, gateway)).transpose()
    }

    async fn gateways(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query(stored::GATEWAYS).fetch_all(&self.readers).await.map_err(failure)?;
        let names = rows.iter().map(|row| stored::gateway(row).map(|(_, name)| name.to_string()));
        let mut names = names.collect::<Result<Vec<_>, _>>()?;
        names.sort_unstable();
        Ok(names)
    }

    async fn read(&self, gateway: &str, from: u64, rows_max: usize) -> Result<Vec<Row>, StoreError> {
        pages::read(self, gateway, from, rows_max).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        let mut reader = self.reader().await?;
        // One view of the database for both statements: a gateway may write its first record in between.
        let mut transaction = reader.begin().await.map_err(failure)?;
        let gateways = gateways(&mut transaction).await?;
        let Ok(numbers) = numbers(query, &gateways) else { return Ok(Vec::new()) };
        let Search { sql, values } = search(query, numbers, indexed_by);
        let statement = bind(sqlx::query(AssertSqlSafe(sql)), values);
        let rows = statement.fetch_all(&mut *transaction).await.map_err(failure)?;
        rows.iter().map(|row| stored::row(row, &gateways).map(|it| it.entry)).collect()
    }

    async fn plan(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        let mut reader = self.reader().await?;
        let gateways = gateways(&mut reader).await?;
        let Ok(numbers) = numbers(query, &gateways) else { return Ok(Vec::new()) };
        let Search { sql, values } = search(query, numbers, indexed_by);
        let statement = bind(sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))), values);
        let rows = statement.fetch_all(&mut *reader).await.map_err(failure)?;
        rows.iter().map(|row| stored::required(row, 3, "plan").map_err(stored::damaged)).collect()
    }

    async fn last_before(&self, gateway: &str, written_ms: u64) -> Result<Option<Head>, StoreError> {
        // The first that is not old, then the one before it. Both are found in the primary key alone.
        let sql = "SELECT a.sequence, a.hash FROM audit_records a WHERE a.gateway = g.id AND a.sequence < coalesce(( \
                   SELECT b.sequence FROM audit_records b WHERE b.gateway = g.id AND b.written_ms >= $2 \
                   ORDER BY b.sequence LIMIT 1), 9223372036854775807) ORDER BY a.sequence DESC LIMIT 1";
        let sql = sql.replace("g.id", "(SELECT id FROM audit_gateways WHERE name = $1)");
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(gateway).bind(number(written_ms));
        let row = statement.fetch_optional(&self.readers).await.map_err(failure)?;
        row.map(|row| stored::head(&row, gateway)).transpose()
    }

    async fn expire(&self, gateway: &str, mark: &Mark) -> Result<u64, StoreError> {
        let id = keep(&self.writer, gateway, mark).await.map_err(failure)?;
        let mut removed = 0;
        loop {
            let step = expire_step(&self.writer, id, number(mark.sequence)).await.map_err(failure)?;
            let Some(count) = step else { break };
            removed += count;
            // Between two steps others write.
            tokio::task::yield_now().await;
        }
        give_back(&self.writer).await.map_err(failure)?;
        Ok(removed)
    }

    async fn mark(&self, gateway: &str) -> Result<Option<Mark>, StoreError> {
        let row = sqlx::query(stored::MARK).bind(gateway).fetch_optional(&self.readers).await.map_err(failure)?;
        row.map(|row| stored::mark(&row, gateway)).transpose()
    }
}

#[async_trait]
impl Pages for Sqlite {
    async fn page(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<Result<Row, StoreError>>, StoreError> {
        let mut reader = self.reader().await?;
        // One view of the database for both statements.
        let mut transaction = reader.begin().await.map_err(failure)?;
        let gateways = gateways(&mut transaction).await?;
        let Some((&id, _)) = gateways.iter().find(|(_, it)| it.as_ref() == gateway) else { return Ok(Vec::new()) };
        let sql = format!("SELECT {COLUMNS} FROM audit_records a {PAGE}");
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(from).bind(rows_max);
        let rows = statement.fetch_all(&mut *transaction).await.map_err(failure)?;
        let mut rows: Vec<_> = rows.iter().map(|row| stored::row(row, &gateways)).collect();
        add_rules(&mut transaction, id, &mut rows).await?;
        Ok(rows)
    }

    async fn sequences(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<u64>, StoreError> {
        let mut reader = self.reader().await?;
        let gateways = gateways(&mut reader).await?;
        let Some((&id, _)) = gateways.iter().find(|(_, it)| it.as_ref() == gateway) else { return Ok(Vec::new()) };
        let sql = format!("SELECT a.sequence FROM audit_records a {PAGE}");
        let statement = sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).bind(from).bind(rows_max);
        let sequences: Vec<i64> = statement.fetch_all(&mut *reader).await.map_err(failure)?;
        Ok(sequences.into_iter().filter_map(|it| it.try_into().ok()).collect())
    }
}

/// Without statistics SQLite would guess which index is the best; the query says it.
fn indexed_by(index: &str) -> String {
    format!(" INDEXED BY {index}")
}

fn bind<'q>(
    mut statement: sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>,
    values: Vec<Value<'q>>,
) -> sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments> {
    for value in values {
        statement = match value {
            Value::Text(text) => statement.bind(text),
            Value::Number(number) => statement.bind(number),
        };
    }
    statement
}

async fn add_rules(
    connection: &mut SqliteConnection,
    gateway: i64,
    rows: &mut [Result<Row, StoreError>],
) -> Result<(), StoreError> {
    let numbers = || rows.iter().flatten().map(|row| row.entry.sequence);
    let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else { return Ok(()) };
    let sql = format!(
        "SELECT r.sequence, r.rule FROM audit_rules r INDEXED BY audit_rules_record CROSS JOIN audit_records a \
         WHERE r.gateway = $1 AND r.sequence BETWEEN $2 AND $3 AND {BELONGS} ORDER BY r.sequence"
    );
    let statement = sqlx::query(AssertSqlSafe(sql)).bind(gateway).bind(number(first)).bind(number(last));
    let found = statement.fetch_all(connection).await.map_err(failure)?;
    let mut found = found.iter().peekable();
    for row in rows {
        let Ok(whole) = row else { continue };
        let (gateway, sequence) = (whole.entry.gateway.clone(), whole.entry.sequence);
        let mut damage = None;
        while let Some(rule) = found.next_if(|it| it.number(0).is_ok_and(|it| it.unwrap_or(-1) <= number(sequence))) {
            if rule.number(0) != Ok(Some(number(sequence))) {
                continue;
            }
            match stored::required(rule, 1, "rule") {
                Ok(rule) => whole.columns.rules.push(rule),
                Err(what) => damage = Some(stored::at(&gateway, Some(sequence), what)),
            }
        }
        whole.columns.rules.sort_unstable();
        if let Some(damage) = damage {
            *row = Err(damage);
        }
    }
    Ok(())
}

async fn gateways(connection: &mut SqliteConnection) -> Result<Gateways, StoreError> {
    let rows = sqlx::query("SELECT id, name FROM audit_gateways").fetch_all(connection).await.map_err(failure)?;
    rows.iter().map(stored::gateway).collect()
}

async fn append(connection: &mut SqliteConnection, name: &str, mut items: Vec<Item<'_>>) -> Result<(), sqlx::Error> {
    let id = gateway_id(connection, name).await?;
    drop_known(connection, id, &mut items).await?;
    for items in items.chunks(INSERT_ROWS_MAX) {
        let mut insert = QueryBuilder::<sqlx::Sqlite>::new(
            "INSERT INTO audit_records \
             (gateway, sequence, written_ms, hash, id, kind, team, session, model, action, risk, body, sealed) ",
        );
        insert.push_values(items, |mut row, item| {
            row.push_bind(id).push_bind(item.sequence).push_bind(item.written_ms);
            row.push_bind(item.entry.hash.as_bytes().as_slice());
            row.push_bind(&*item.columns.id).push_bind(&*item.columns.kind);
            row.push_bind(item.columns.team.as_deref()).push_bind(item.columns.session.as_deref());
            row.push_bind(item.columns.model.as_deref()).push_bind(item.columns.action.as_deref());
            row.push_bind(item.columns.risk.as_deref());
            row.push_bind(&*item.entry.body).push_bind(item.entry.sealed.as_deref());
        });
        // Only whole chunks come again with the same text.
        insert.build().persistent(items.len() == INSERT_ROWS_MAX).execute(&mut *connection).await?;
    }
    let rules: Vec<_> = items.iter().flat_map(|item| item.columns.rules.iter().map(move |rule| (item, rule))).collect();
    for rules in rules.chunks(INSERT_ROWS_MAX) {
        let mut insert =
            QueryBuilder::<sqlx::Sqlite>::new("INSERT INTO audit_rules (rule, written_ms, gateway, sequence, team) ");
        insert.push_values(rules, |mut row, (item, rule)| {
            row.push_bind(&***rule).push_bind(item.written_ms).push_bind(id).push_bind(item.sequence);
            row.push_bind(item.columns.team.as_deref());
        });
        insert.build().persistent(rules.len() == INSERT_ROWS_MAX).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The gateway's number, a new one for a new name.
async fn gateway_id(connection: &mut SqliteConnection, name: &str) -> Result<i64, sqlx::Error> {
    sqlx::query("INSERT INTO audit_gateways (name) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    let id = sqlx::query_scalar("SELECT id FROM audit_gateways WHERE name = $1");
    id.bind(name).fetch_one(connection).await
}

/// Leaves only what is not there yet. Nearly always all of it is newer than the newest entry.
async fn drop_known(connection: &mut SqliteConnection, id: i64, items: &mut Vec<Item<'_>>) -> Result<(), sqlx::Error> {
    let newest = sqlx::query_scalar("SELECT max(sequence) FROM audit_records WHERE gateway = $1");
    let newest: Option<i64> = newest.bind(id).fetch_one(&mut *connection).await?;
    if span(items).is_none_or(|(first, _)| newest.is_none_or(|newest| newest < first)) {
        return Ok(());
    }
    let mut known = std::collections::HashSet::new();
    for items in items.chunks(INSERT_ROWS_MAX) {
        let mut select = QueryBuilder::<sqlx::Sqlite>::new("SELECT sequence FROM audit_records WHERE gateway = ");
        select.push_bind(id).push(" AND sequence IN (");
        let mut list = select.separated(", ");
        for item in items {
            list.push_bind(item.sequence);
        }
        list.push_unseparated(")");
        let rows = select.build_query_scalar::<i64>().persistent(false).fetch_all(&mut *connection).await?;
        known.extend(rows);
    }
    items.retain(|item| !known.contains(&item.sequence));
    Ok(())
}

/// Keeps the mark unless a newer one is there; gives the gateway's number.
async fn keep(pool: &SqlitePool, gateway: &str, mark: &Mark) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let id = gateway_id(&mut transaction, gateway).await?;
    let sql = "INSERT INTO audit_marks (gateway, sequence, hash, signed_ms, key, signature) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (gateway) DO UPDATE SET sequence = excluded.sequence, \
               hash = excluded.hash, signed_ms = excluded.signed_ms, key = excluded.key, signature = excluded.signature \
               WHERE excluded.sequence >= audit_marks.sequence";
    let statement = sqlx::query(sql).bind(id).bind(number(mark.sequence)).bind(&*mark.hash);
    let statement = statement.bind(number(mark.signed_ms)).bind(&*mark.key).bind(&*mark.signature);
    statement.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Removes the oldest entries, at most [`EXPIRE_ROWS_MAX`]; `None` where none is left.
async fn expire_step(pool: &SqlitePool, id: i64, sequence: i64) -> Result<Option<u64>, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let sql = "SELECT max(sequence) FROM (SELECT sequence FROM audit_records \
               WHERE gateway = $1 AND sequence <= $2 ORDER BY sequence LIMIT $3)";
    let last = sqlx::query_scalar(sql).bind(id).bind(sequence).bind(EXPIRE_ROWS_MAX);
    let last: Option<i64> = last.fetch_one(&mut *transaction).await?;
    let mut removed = None;
    for table in ["audit_rules", "audit_records"] {
        let sql = format!("DELETE FROM {table} WHERE gateway = $1 AND sequence <= $2");
        let delete = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(last.unwrap_or(sequence));
        removed = last.and(Some(delete.execute(&mut *transaction).await?.rows_affected()));
    }
    transaction.commit().await?;
    Ok(removed)
}

/// Gives pages back to the file system where much of the file is free, some at a time.
async fn give_back(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    loop {
        let mut writer = pool.acquire().await?;
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *writer).await?;
        let all: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *writer).await?;
        let surplus = free - (all as f64 * FREE_PART_MAX) as i64;
        if surplus <= 0 {
            return Ok(());
        }
        // It gives back a page with each row it answers.
        let pages = surplus.min(VACUUM_PAGES_MAX);
        let before = free;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"))).execute(&mut *writer).await?;
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *writer).await?;
        // A file that was made without the means for it stays as it is.
        if free >= before {
            return Ok(());
        }
    }
}

/// SQLite keeps a type with each value: a flipped byte can make text of a number.
impl Values for SqliteRow {
    fn number(&self, index: usize) -> Result<Option<i64>, String> {
        value(self, index, "INTEGER")?
            .map(<i64 as Decode<sqlx::Sqlite>>::decode)
            .transpose()
            .map_err(|_| not("a number"))
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, String> {
        let bytes = value(self, index, "BLOB")?.map(<Vec<u8> as Decode<sqlx::Sqlite>>::decode);
        bytes.transpose().map_err(|_| not("a run of bytes"))
    }

    fn text(&self, index: usize) -> Result<Option<String>, String> {
        let text = value(self, index, "TEXT")?.map(<Vec<u8> as Decode<sqlx::Sqlite>>::decode);
        let text = text.transpose().map_err(|_| not("text"))?;
        text.map(String::from_utf8).transpose().map_err(|_| not("UTF-8"))
    }
}

/// A value of exactly this type; `None` for NULL.
fn value<'r>(row: &'r SqliteRow, index: usize, kind: &str) -> Result<Option<sqlx::sqlite::SqliteValueRef<'r>>, String> {
    let value = row.try_get_raw(index).map_err(|_| "is missing".to_owned())?;
    if value.is_null() {
        return Ok(None);
    }
    let right = value.type_info().name() == kind;
    right.then_some(Some(value)).ok_or_else(|| format!("is not of the type {kind}"))
}

fn not(what: &str) -> String {
    format!("is not {what}")
}
