//! The audit log in PostgreSQL: one database for many gateways, partitioned by month.
//!
//! Connections that break are made again by the pool: each is tried before it is used. Every call ends within a stated
//! time, also where the network swallows everything.

mod partitions;
mod text;

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, PgPool, Row as _, SqlSafeStr, ValueRef};

use self::partitions::Month;
use self::text::{escape, unescape};
use super::batch::{Item, by_gateway, span};
use super::entry::{Entry, Head};
use super::failure::{failure, migration, misses_partition};
use super::pages::{self, Pages};
use super::query::{Query, Row};
use super::record::Mark;
use super::search::{BELONGS, COLUMNS, Search, Value, number, numbers, search};
use super::stored::{self, Gateways, PAGE, Values};
use super::{Store, StoreError};

const CONNECTIONS_MAX: u32 = 6;
/// How long a call waits for a connection, the making of one included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long any call may take as a whole, and one step of `expire`. The server gives up each statement a little earlier.
const CALL: Duration = Duration::from_secs(35);
const STATEMENT_MS_MAX: u32 = 30_000;
/// Sent on every new connection. Every statement is written so that an index gives its order and a limit ends it; by
/// its estimates alone the planner would now and then read and sort all that a common rule ever found. Plans are made
/// for the values at hand, so that only the partitions that can hold something are looked at.
const SETTINGS: &str = "SET lock_timeout = 10000; SET idle_in_transaction_session_timeout = 60000; \
                        SET plan_cache_mode = force_custom_plan; SET jit = off; \
                        SET max_parallel_workers_per_gather = 0; SET enable_sort = off; SET enable_bitmapscan = off; \
                        SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off";
/// What may stand behind the `?` of the address.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// One database.
pub(super) struct Postgres {
    pool: PgPool,
    /// Months whose partitions were seen; forgotten when a row fits none of them.
    months: Mutex<BTreeSet<Month>>,
}

impl Postgres {
    /// Connects and brings the tables to this version.
    pub(super) async fn open(url: &str) -> Result<Postgres, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(CONNECT)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_with(options(url)?)
            .await
            .map_err(failure)?;
        let prepared = within(CALL, async {
            let encoding: String =
                sqlx::query_scalar("SHOW server_encoding").fetch_one(&pool).await.map_err(failure)?;
            if encoding != "UTF8" {
                return Err(StoreError::Unfit(format!("the database is encoded in {encoding}, not in UTF8")));
            }
            migrator().run(&pool).await.map_err(migration)
        });
        if let Err(error) = prepared.await {
            // The lock under which tables are made belongs to the connection.
            pool.close().await;
            return Err(error);
        }
        Ok(Postgres { pool, months: Mutex::default() })
    }

    /// Makes sure of the partitions that the batch needs, and of the month after its newest.
    async fn ensure(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut needed = BTreeSet::new();
        for entry in entries {
            let month = i64::try_from(entry.written_ms).ok().and_then(Month::of);
            let beyond = || StoreError::Unfit("an entry was written beyond the calendar".to_owned());
            needed.insert(month.ok_or_else(beyond)?);
        }
        needed.extend(needed.last().and_then(|it| it.next()));
        needed.retain(|month| !self.months.lock().unwrap_or_else(PoisonError::into_inner).contains(month));
        if !needed.is_empty() {
            partitions::ensure(&self.pool, &needed).await?;
            self.months.lock().unwrap_or_else(PoisonError::into_inner).extend(needed);
        }
        Ok(())
    }

    async fn try_append(&self, entries: &[Entry]) -> Result<(), Append> {
        let groups = by_gateway(entries).map_err(Append::Store)?;
        self.ensure(entries).await.map_err(Append::Store)?;
        let mut transaction = self.pool.begin().await.map_err(Append::Database)?;
        for (name, items) in groups {
            append(&mut transaction, name, items).await.map_err(Append::Database)?;
        }
        transaction.commit().await.map_err(Append::Database)
    }
}

/// Why an append failed, while it can still be told whether a partition was gone.
enum Append {
    Store(StoreError),
    Database(sqlx::Error),
}

async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(SETTINGS).await?;
    let limit = format!("SET statement_timeout = {STATEMENT_MS_MAX}");
    connection.execute(AssertSqlSafe(limit)).await.map(drop)
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // An unknown parameter would be ignored, and written to the log with its value.
    let parameters = url.split_once('?').map_or("", |(_, it)| it).split('&').filter(|it| !it.is_empty());
    for parameter in parameters {
        let name = parameter.split('=').next().unwrap_or_default();
        if !PARAMETERS.contains(&name) {
            return Err(StoreError::Unfit("its address holds a parameter that is not known".to_owned()));
        }
    }
    let options = PgConnectOptions::from_str(url).map_err(failure)?;
    let name = options.get_application_name().unwrap_or("airiskguard-gateway").to_owned();
    Ok(options.application_name(&name).disable_statement_logging())
}

fn migrator() -> Migrator {
    let sql = include_str!("../migrations/postgres/0001_audit.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "audit".into(), MigrationType::Simple, sql, false)])
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable(format!("no answer within {} seconds", limit.as_secs()));
    tokio::time::timeout(limit, call).await.map_err(late)?
}

#[async_trait]
impl Store for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn append(&self, entries: &[Entry]) -> Result<(), StoreError> {
        within(CALL, async {
            let outcome = match self.try_append(entries).await {
                Err(Append::Database(error)) if misses_partition(&error) => {
                    // Another gateway dropped what this one had seen.
                    self.months.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    self.try_append(entries).await
                }
                outcome => outcome,
            };
            outcome.map_err(|error| match error {
                Append::Store(error) => error,
                Append::Database(error) => failure(error),
            })
        })
        .await
    }

    async fn head(&self, gateway: &str) -> Result<Option<Head>, StoreError> {
        within(CALL, async {
            let sql = "SELECT a.sequence, a.hash FROM audit_records a \
                       WHERE a.gateway = (SELECT id FROM audit_gateways WHERE name = $1) \
                       ORDER BY a.sequence DESC LIMIT 1";
            let row = sqlx::query(sql).bind(escape(gateway)).fetch_optional(&self.pool).await.map_err(failure)?;
            row.map(|row| stored::head(&row, gateway)).transpose()
        })
        .await
    }

    async fn gateways(&self) -> Result<Vec<String>, StoreError> {
        within(CALL, async {
            let rows = sqlx::query(stored::GATEWAYS).fetch_all(&self.pool).await.map_err(failure)?;
            let names = rows.iter().map(|row| stored::gateway(row).map(|(_, name)| name.to_string()));
            let mut names = names.collect::<Result<Vec<_>, _>>()?;
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn read(&self, gateway: &str, from: u64, rows_max: usize) -> Result<Vec<Row>, StoreError> {
        within(CALL, pages::read(self, gateway, from, rows_max)).await
    }

    async fn search(&self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        within(CALL, async {
            let gateways = gateways(&self.pool).await?;
            let Ok(numbers) = numbers(query, &gateways) else { return Ok(Vec::new()) };
            let Search { sql, values } = search(query, numbers, |_| String::new());
            let statement = bind(sqlx::query(AssertSqlSafe(sql)), values);
            let rows = statement.fetch_all(&self.pool).await.map_err(failure)?;
            // Names are written with the first record of their gateway, and stay: whoever has a row finds its name.
            let gateways = match stored::knows(&gateways, &rows) {
                true => gateways,
                false => self::gateways(&self.pool).await?,
            };
            rows.iter().map(|row| stored::row(row, &gateways).map(|it| it.entry)).collect()
        })
        .await
    }

    async fn plan(&self, query: &Query) -> Result<Vec<String>, StoreError> {
        within(CALL, async {
            let gateways = gateways(&self.pool).await?;
            let Ok(numbers) = numbers(query, &gateways) else { return Ok(Vec::new()) };
            let Search { sql, values } = search(query, numbers, |_| String::new());
            let statement = bind(sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))), values);
            let rows = statement.fetch_all(&self.pool).await.map_err(failure)?;
            rows.iter().map(|row| stored::required(row, 0, "plan").map_err(stored::damaged)).collect()
        })
        .await
    }

    async fn last_before(&self, gateway: &str, written_ms: u64) -> Result<Option<Head>, StoreError> {
        within(CALL, async {
            let gateways = gateways(&self.pool).await?;
            let Some((&id, _)) = gateways.iter().find(|(_, it)| it.as_ref() == gateway) else { return Ok(None) };
            // The first that is not old: partitions of old months need not be looked at.
            let sql = "SELECT sequence FROM audit_records WHERE gateway = $1 AND written_ms >= $2 \
                       ORDER BY sequence LIMIT 1";
            let first = sqlx::query_scalar(sql).bind(id).bind(number(written_ms));
            let first: Option<i64> = first.fetch_optional(&self.pool).await.map_err(failure)?;
            let sql = "SELECT sequence, hash FROM audit_records WHERE gateway = $1 AND sequence < $2 \
                       ORDER BY sequence DESC LIMIT 1";
            let last = sqlx::query(sql).bind(id).bind(first.unwrap_or(i64::MAX));
            let last = last.fetch_optional(&self.pool).await.map_err(failure)?;
            last.map(|row| stored::head(&row, gateway)).transpose()
        })
        .await
    }

    async fn expire(&self, gateway: &str, mark: &Mark) -> Result<u64, StoreError> {
        let id = within(CALL, async { keep(&self.pool, gateway, mark).await.map_err(failure) }).await?;
        partitions::expire(&self.pool, id, number(mark.sequence)).await
    }

    async fn mark(&self, gateway: &str) -> Result<Option<Mark>, StoreError> {
        within(CALL, async {
            let row =
                sqlx::query(stored::MARK).bind(escape(gateway)).fetch_optional(&self.pool).await.map_err(failure)?;
            row.map(|row| stored::mark(&row, gateway)).transpose()
        })
        .await
    }
}

#[async_trait]
impl Pages for Postgres {
    async fn page(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<Result<Row, StoreError>>, StoreError> {
        let gateways = gateways(&self.pool).await?;
        let Some((&id, _)) = gateways.iter().find(|(_, it)| it.as_ref() == gateway) else { return Ok(Vec::new()) };
        // One statement is one view of the database: rules are read with their record.
        let sql = format!(
            "SELECT {COLUMNS}, ARRAY(SELECT r.rule FROM audit_rules r WHERE {BELONGS}) FROM audit_records a {PAGE}"
        );
        let statement = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(from).bind(rows_max);
        let rows = statement.fetch_all(&self.pool).await.map_err(failure)?;
        Ok(rows.iter().map(|row| with_rules(row, &gateways)).collect())
    }

    async fn sequences(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<u64>, StoreError> {
        let gateways = gateways(&self.pool).await?;
        let Some((&id, _)) = gateways.iter().find(|(_, it)| it.as_ref() == gateway) else { return Ok(Vec::new()) };
        let sql = format!("SELECT a.sequence FROM audit_records a {PAGE}");
        let statement = sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).bind(from).bind(rows_max);
        let sequences: Vec<i64> = statement.fetch_all(&self.pool).await.map_err(failure)?;
        Ok(sequences.into_iter().filter_map(|it| it.try_into().ok()).collect())
    }
}

fn bind<'q>(
    mut statement: sqlx::query::Query<'q, sqlx::Postgres, PgArguments>,
    values: Vec<Value<'q>>,
) -> sqlx::query::Query<'q, sqlx::Postgres, PgArguments> {
    for value in values {
        statement = match value {
            Value::Text(text) => statement.bind(escape(text)),
            Value::Number(number) => statement.bind(number),
        };
    }
    statement
}

/// The rules stand behind [`COLUMNS`].
fn with_rules(values: &PgRow, gateways: &Gateways) -> Result<Row, StoreError> {
    let mut row = stored::row(values, gateways)?;
    let damaged = || stored::at(&row.entry.gateway, Some(row.entry.sequence), "its rules cannot be read".to_owned());
    let rules: Vec<String> = values.try_get(13).map_err(|_| damaged())?;
    let mut rules = rules.into_iter().map(unescape).collect::<Option<Vec<_>>>().ok_or_else(damaged)?;
    rules.sort_unstable();
    row.columns.rules = rules;
    Ok(row)
}

async fn gateways(pool: &PgPool) -> Result<Gateways, StoreError> {
    let rows = sqlx::query("SELECT id, name FROM audit_gateways").fetch_all(pool).await.map_err(failure)?;
    rows.iter().map(stored::gateway).collect()
}

async fn append(connection: &mut PgConnection, name: &str, mut items: Vec<Item<'_>>) -> Result<(), sqlx::Error> {
    let id = gateway_id(connection, name).await?;
    drop_known(connection, id, &mut items).await?;
    if items.is_empty() {
        return Ok(());
    }
    let optional = |column: for<'a> fn(&'a Item<'_>) -> Option<&'a str>| -> Vec<Option<String>> {
        items.iter().map(|item| column(item).map(|it| escape(it).into_owned())).collect()
    };
    let required = |column: for<'a> fn(&'a Item<'_>) -> &'a str| -> Vec<String> {
        items.iter().map(|item| escape(column(item)).into_owned()).collect()
    };
    let sql = "INSERT INTO audit_records \
               (gateway, sequence, written_ms, hash, id, kind, team, session, model, action, risk, body, sealed) \
               SELECT $1, * FROM UNNEST($2::bigint[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], $7::text[], \
               $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[])";
    sqlx::query(sql)
        .bind(id)
        .bind(items.iter().map(|it| it.sequence).collect::<Vec<_>>())
        .bind(items.iter().map(|it| it.written_ms).collect::<Vec<_>>())
        .bind(items.iter().map(|it| it.entry.hash.as_bytes().as_slice()).collect::<Vec<_>>())
        .bind(required(|it| &it.columns.id))
        .bind(required(|it| &it.columns.kind))
        .bind(optional(|it| it.columns.team.as_deref()))
        .bind(optional(|it| it.columns.session.as_deref()))
        .bind(optional(|it| it.columns.model.as_deref()))
        .bind(optional(|it| it.columns.action.as_deref()))
        .bind(optional(|it| it.columns.risk.as_deref()))
        .bind(required(|it| &it.entry.body))
        .bind(items.iter().map(|it| it.entry.sealed.as_deref()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    append_rules(connection, id, &items).await
}

async fn append_rules(connection: &mut PgConnection, id: i64, items: &[Item<'_>]) -> Result<(), sqlx::Error> {
    let rules: Vec<_> = items.iter().flat_map(|item| item.columns.rules.iter().map(move |rule| (item, rule))).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO audit_rules (gateway, rule, written_ms, sequence, team) \
               SELECT $1, * FROM UNNEST($2::text[], $3::bigint[], $4::bigint[], $5::text[])";
    sqlx::query(sql)
        .bind(id)
        .bind(rules.iter().map(|(_, rule)| escape(rule)).collect::<Vec<_>>())
        .bind(rules.iter().map(|(item, _)| item.written_ms).collect::<Vec<_>>())
        .bind(rules.iter().map(|(item, _)| item.sequence).collect::<Vec<_>>())
        .bind(rules.iter().map(|(item, _)| item.columns.team.as_deref().map(escape)).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

/// The gateway's number, a new one for a new name. Its row stays locked: writers of one chain take turns.
async fn gateway_id(connection: &mut PgConnection, name: &str) -> Result<i64, sqlx::Error> {
    let name = escape(name);
    let sql = "SELECT id FROM audit_gateways WHERE name = $1 FOR UPDATE";
    if let Some(id) = sqlx::query_scalar(sql).bind(&*name).fetch_optional(&mut *connection).await? {
        return Ok(id);
    }
    let insert = sqlx::query("INSERT INTO audit_gateways (name) VALUES ($1) ON CONFLICT DO NOTHING");
    insert.bind(&*name).execute(&mut *connection).await?;
    sqlx::query_scalar(sql).bind(&*name).fetch_one(connection).await
}

/// Leaves only what is not there yet. Nearly always all of it is newer than the newest entry.
async fn drop_known(connection: &mut PgConnection, id: i64, items: &mut Vec<Item<'_>>) -> Result<(), sqlx::Error> {
    let sql = "SELECT sequence FROM audit_records WHERE gateway = $1 ORDER BY sequence DESC LIMIT 1";
    let newest: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(&mut *connection).await?;
    if span(items).is_none_or(|(first, _)| newest.is_none_or(|newest| newest < first)) {
        return Ok(());
    }
    let sql = "SELECT sequence FROM audit_records WHERE gateway = $1 AND sequence = ANY($2)";
    let numbers: Vec<i64> = items.iter().map(|it| it.sequence).collect();
    let known: Vec<i64> = sqlx::query_scalar(sql).bind(id).bind(numbers).fetch_all(connection).await?;
    let known: HashSet<i64> = known.into_iter().collect();
    items.retain(|item| !known.contains(&item.sequence));
    Ok(())
}

/// Keeps the mark unless a newer one is there; gives the gateway's number.
async fn keep(pool: &PgPool, gateway: &str, mark: &Mark) -> Result<i64, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let id = gateway_id(&mut transaction, gateway).await?;
    let sql = "INSERT INTO audit_marks (gateway, sequence, hash, signed_ms, key, signature) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (gateway) DO UPDATE SET sequence = excluded.sequence, \
               hash = excluded.hash, signed_ms = excluded.signed_ms, key = excluded.key, signature = excluded.signature \
               WHERE excluded.sequence >= audit_marks.sequence";
    let statement = sqlx::query(sql).bind(id).bind(number(mark.sequence)).bind(escape(&mark.hash));
    let statement = statement.bind(number(mark.signed_ms)).bind(escape(&mark.key)).bind(escape(&mark.signature));
    statement.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(id)
}

/// The types are the columns'; what is damaged below them still has to be told apart.
impl Values for PgRow {
    fn number(&self, index: usize) -> Result<Option<i64>, String> {
        self.try_get(index).map_err(|_| "is not a number".to_owned())
    }

    fn bytes(&self, index: usize) -> Result<Option<Vec<u8>>, String> {
        self.try_get(index).map_err(|_| "is not a run of bytes".to_owned())
    }

    fn text(&self, index: usize) -> Result<Option<String>, String> {
        let value = self.try_get_raw(index).map_err(|_| "is missing".to_owned())?;
        if value.is_null() {
            return Ok(None);
        }
        let text = value.as_str().map_err(|_| "is not UTF-8".to_owned())?;
        unescape(text.to_owned()).map(Some).ok_or_else(|| "holds a character that is never written".to_owned())
    }
}
