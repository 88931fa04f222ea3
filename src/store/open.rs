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
    match target.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(Box::new(Sqlite::open(Path::new(path)).await?)),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
            Ok(Box::new(Postgres::open(target).await?))
        }
        _ => Err(StoreError::Unfit("its address is neither `sqlite:PATH` nor `postgres://…`".to_owned())),
    }
}
