//! An empty database of one kind or the other, and a way past the store into its tables.

use airiskguard_gateway::store::{self, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres::Cluster;

/// A database for one test.
pub enum Target {
    Sqlite(TempDir),
    Postgres(String),
}

impl Target {
    /// In a folder of its own.
    pub fn sqlite(_: &str) -> Target {
        Target::Sqlite(tempfile::tempdir().unwrap())
    }

    /// In the shared cluster.
    pub fn postgres(name: &str) -> Target {
        Target::Postgres(Cluster::shared().database(name))
    }

    /// What stands in the configuration.
    pub fn address(&self) -> String {
        match self {
            Target::Sqlite(folder) => format!("sqlite:{}", folder.path().join("audit.db").display()),
            Target::Postgres(url) => url.clone(),
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Target::Postgres(_))
    }

    pub async fn open(&self) -> Box<dyn Store> {
        store::open(&self.address()).await.unwrap()
    }

    /// Runs statements beside the store, on a connection of its own.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Target::Sqlite(folder) => {
                let url = format!("sqlite:{}", folder.path().join("audit.db").display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Target::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// One number out of the database.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Target::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.address()).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Target::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }
}
