//! The one table of [`Objects`], in SQLite or PostgreSQL: the same statements for both.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, PgPool, Row, SqlitePool};

use super::{CommitError, Listing, OBJECTS_MAX, Object, Write};
use crate::store::StoreError;
use crate::store::failure::failure;
use crate::store::search::number;
use crate::store::sqlite::create;

/// How long a writer waits for another one, and anyone for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECTIONS_MAX: u32 = 6;

const TABLE: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS control_objects (kind TEXT NOT NULL, id TEXT NOT NULL, version BIGINT NOT NULL, \
     lookup TEXT, parent TEXT, expires_ms BIGINT, body TEXT NOT NULL, PRIMARY KEY (kind, id))",
    "CREATE UNIQUE INDEX IF NOT EXISTS control_objects_lookup ON control_objects (kind, lookup)",
    "CREATE INDEX IF NOT EXISTS control_objects_parent ON control_objects (kind, parent, id)",
];
const COLUMNS: &str = "kind, id, version, lookup, parent, expires_ms, body";
const ALIVE: &str = "(expires_ms IS NULL OR expires_ms > $1)";

/// The documents of one database.
pub struct Objects {
    pool: Pool,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same for either database: sqlx has no type for both that knows what is bound.
macro_rules! on {
    ($self:ident, $pool:ident => $body:expr) => {
        match &$self.pool {
            Pool::Sqlite($pool) => $body,
            Pool::Postgres($pool) => $body,
        }
    };
}

impl Objects {
    /// Opens `sqlite:PATH` or `postgres://…` and makes the table where there is none.
    ///
    /// # Errors
    /// A target of another form, a database that cannot be reached. No error repeats the target.
    pub async fn open(target: &str) -> Result<Objects, StoreError> {
        let pool = match target.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Pool::Sqlite(sqlite(Path::new(path)).await?),
            Some(("postgres" | "postgresql", _)) => Pool::Postgres(postgres(target).await?),
            _ => return Err(StoreError::Unfit("its address is neither `sqlite:PATH` nor `postgres://…`".to_owned())),
        };
        let objects = Objects { pool };
        for statement in TABLE {
            // Two servers that start together make it at the same moment: the second one finds it made.
            if on!(objects, pool => sqlx::query(statement).execute(pool).await.map(drop)).is_err() {
                on!(objects, pool => sqlx::query(statement).execute(pool).await.map(drop)).map_err(failure)?;
            }
        }
        Ok(objects)
    }

    /// The object with this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn get(&self, kind: &str, id: &str, now_ms: u64) -> Result<Option<Object>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM control_objects WHERE {ALIVE} AND kind = $2 AND id = $3");
        self.one(sql, now_ms, kind, id).await
    }

    /// The object with this second name.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, kind: &str, lookup: &str, now_ms: u64) -> Result<Option<Object>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM control_objects WHERE {ALIVE} AND kind = $2 AND lookup = $3");
        self.one(sql, now_ms, kind, lookup).await
    }

    /// Removes the object with this id and returns it: of several who ask at the same time, one gets it.
    ///
    /// # Errors
    /// The database's.
    pub async fn take(&self, kind: &str, id: &str, now_ms: u64) -> Result<Option<Object>, StoreError> {
        let sql = format!("DELETE FROM control_objects WHERE {ALIVE} AND kind = $2 AND id = $3 RETURNING {COLUMNS}");
        self.one(sql, now_ms, kind, id).await
    }

    async fn one(&self, sql: String, now_ms: u64, kind: &str, name: &str) -> Result<Option<Object>, StoreError> {
        let sql = sqlx::AssertSqlSafe(sql);
        on!(self, pool => {
            let query = sqlx::query(sql).bind(number(now_ms)).bind(kind).bind(name);
            query.fetch_optional(pool).await.map_err(failure)?.map(|row| object(&row)).transpose()
        })
    }

    /// The objects of a kind.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, kind: &str, listing: Listing<'_>, now_ms: u64) -> Result<Vec<Object>, StoreError> {
        let (beyond, order) = if listing.newest_first { ("<", "DESC") } else { (">", "ASC") };
        let rows_max = listing.rows_max.min(OBJECTS_MAX);
        let sql = format!(
            "SELECT {COLUMNS} FROM control_objects WHERE {ALIVE} AND kind = $2 AND (CAST($3 AS TEXT) IS NULL OR parent = $3) \
             AND (CAST($4 AS TEXT) IS NULL OR id {beyond} $4) ORDER BY id {order} LIMIT {rows_max}"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        on!(self, pool => {
            let query = sqlx::query(sql).bind(number(now_ms)).bind(kind).bind(listing.parent).bind(listing.after);
            let rows = query.fetch_all(pool).await.map_err(failure)?;
            rows.iter().map(object).collect()
        })
    }

    /// Writes all or nothing. What has expired by now is in nobody's way.
    ///
    /// # Errors
    /// An object that is not as it was read, a name that is taken, or the database's.
    pub async fn commit(&self, writes: &[Write], now_ms: u64) -> Result<(), CommitError> {
        on!(self, pool => {
            let mut transaction = pool.begin().await.map_err(failure)?;
            for write in writes {
                let done = match write {
                    Write::Insert(it) => {
                        let sql = "DELETE FROM control_objects \
                                   WHERE kind = $1 AND (id = $2 OR lookup = $3) AND expires_ms <= $4";
                        let query = sqlx::query(sql).bind(&it.kind).bind(&it.id).bind(&it.lookup);
                        query.bind(number(now_ms)).execute(&mut *transaction).await.map_err(failure)?;
                        let sql = "INSERT INTO control_objects (kind, id, version, lookup, parent, expires_ms, body) \
                                   VALUES ($1, $2, 1, $3, $4, $5, $6)";
                        let query = sqlx::query(sql).bind(&it.kind).bind(&it.id).bind(&it.lookup).bind(&it.parent);
                        query.bind(it.expires_ms.map(number)).bind(&it.body).execute(&mut *transaction).await
                            .map(|it| it.rows_affected())
                    }
                    Write::Update(it) => {
                        let sql = "UPDATE control_objects SET version = version + 1, lookup = $3, parent = $4, \
                                   expires_ms = $5, body = $6 WHERE kind = $1 AND id = $2 AND version = $7";
                        let query = sqlx::query(sql).bind(&it.kind).bind(&it.id).bind(&it.lookup).bind(&it.parent);
                        query.bind(it.expires_ms.map(number)).bind(&it.body).bind(number(it.version))
                            .execute(&mut *transaction).await.map(|it| it.rows_affected())
                    }
                    Write::Delete { kind, id, version } => {
                        let sql = "DELETE FROM control_objects WHERE kind = $1 AND id = $2 AND version = $3";
                        sqlx::query(sql).bind(kind).bind(id).bind(number(*version)).execute(&mut *transaction).await
                            .map(|it| it.rows_affected())
                    }
                };
                match done {
                    Ok(1) => {}
                    Ok(_) => return Err(stale(write)),
                    Err(error) if is_taken(&error) => return Err(taken(write)),
                    Err(error) => return Err(failure(error).into()),
                }
            }
            transaction.commit().await.map_err(|error| failure(error).into())
        })
    }

    /// Removes what has expired. Returns how much it was.
    ///
    /// # Errors
    /// The database's.
    pub async fn expire(&self, now_ms: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM control_objects WHERE expires_ms <= $1";
        on!(self, pool => {
            let done = sqlx::query(sql).bind(number(now_ms)).execute(pool).await.map_err(failure)?;
            Ok(done.rows_affected())
        })
    }
}

async fn sqlite(path: &Path) -> Result<SqlitePool, StoreError> {
    create(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        // What an administrator was told is done has to survive a power failure: there is no journal in front of this.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
    pool.connect_with(options).await.map_err(failure)
}

async fn postgres(target: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(target).map_err(failure)?.disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).acquire_timeout(PATIENCE);
    pool.connect_with(options).await.map_err(failure)
}

fn object<'r, R: Row>(row: &'r R) -> Result<Object, StoreError>
where
    usize: sqlx::ColumnIndex<R>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    let text = |index: usize| row.try_get::<String, _>(index).map_err(failure);
    let maybe = |index: usize| row.try_get::<Option<String>, _>(index).map_err(failure);
    let unsigned = |it: i64| u64::try_from(it).unwrap_or_default();
    Ok(Object {
        kind: text(0)?,
        id: text(1)?,
        version: unsigned(row.try_get(2).map_err(failure)?),
        lookup: maybe(3)?,
        parent: maybe(4)?,
        expires_ms: row.try_get::<Option<i64>, _>(5).map_err(failure)?.map(unsigned),
        body: text(6)?,
    })
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|it| it.is_unique_violation())
}

fn name(write: &Write) -> (String, String) {
    match write {
        Write::Insert(it) | Write::Update(it) => (it.kind.clone(), it.id.clone()),
        Write::Delete { kind, id, .. } => (kind.clone(), id.clone()),
    }
}

fn stale(write: &Write) -> CommitError {
    let (kind, id) = name(write);
    CommitError::Stale { kind, id }
}

fn taken(write: &Write) -> CommitError {
    let (kind, id) = name(write);
    CommitError::Taken { kind, id }
}
