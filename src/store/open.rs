//! From `audit.store` to a store.

use std::path::Path;

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::{Store, StoreError};

/// Opens `sqlite:PATH`, `postgres://…` or `postgresql://…`, and brings its tables to this version. Connections that
/// break later are made again by the store itself.
///
/// # Errors
/// A target of another form, a database that cannot be reached or whose tables are not ours. No error repeats the target:
/// it may hold a password.
pub async fn open(target: &str) -> Result<Box<dyn Store>, StoreError> {
    match kind(target) {
        Some(Kind::Sqlite(path)) => Ok(Box::new(Sqlite::open(Path::new(path)).await?)),
        Some(Kind::Postgres) => Ok(Box::new(Postgres::open(target).await?)),
        None => Err(StoreError::Unfit("its address is neither `sqlite:PATH` nor `postgres://…`".to_owned())),
    }
}

/// Whether this has the form of an address that [`open`] takes. Nothing is opened.
pub fn is_target(target: &str) -> bool {
    kind(target).is_some()
}

enum Kind<'a> {
    Sqlite(&'a str),
    Postgres,
}

fn kind(target: &str) -> Option<Kind<'_>> {
    match target.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Some(Kind::Sqlite(path)),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Some(Kind::Postgres),
        _ => None,
    }
}
