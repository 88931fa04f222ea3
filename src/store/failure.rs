//! Errors of the databases as [`StoreError`]: what may pass by itself, what is damaged, what no retry mends.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use super::StoreError;

/// Translates; no text holds a URL, a password or a value of a record.
pub(super) fn failure(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => database(&*error),
        // The source may repeat parts of the URL.
        sqlx::Error::Configuration(_) => StoreError::Unfit("the address of the database cannot be read".to_owned()),
        sqlx::Error::PoolTimedOut => StoreError::Unavailable("no connection within the time limit".to_owned()),
        sqlx::Error::ColumnDecode { index, .. } => {
            StoreError::Damaged(format!("column {index} is not what it should be").into())
        }
        sqlx::Error::Decode(_) => StoreError::Damaged("a value is not what it should be".into()),
        sqlx::Error::Migrate(error) => migration(*error),
        error @ (sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed) => StoreError::Unavailable(error.to_string()),
        error => StoreError::Unfit(error.to_string()),
    }
}

/// Translates what went wrong with bringing the tables to this version.
pub(super) fn migration(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failure(error),
        MigrateError::VersionMissing(version) => {
            StoreError::Unfit(format!("its tables are of a later version ({version}) than this program knows"))
        }
        error => StoreError::Unfit(error.to_string()),
    }
}

/// Whether a row fitted no partition: one was dropped between making sure of it and writing.
pub(super) fn misses_partition(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|it| it.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|it| it.code() == "23514")
}

/// Whether waiting for a lock took too long.
pub(super) fn misses_lock(error: &sqlx::Error) -> bool {
    let error = error.as_database_error().and_then(|it| it.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|it| it.code() == "55P03")
}

fn database(error: &dyn DatabaseError) -> StoreError {
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => postgres(error),
        None => sqlite(error),
    }
}

/// By the class of the SQLSTATE: its first two characters.
fn postgres(error: &PgDatabaseError) -> StoreError {
    let code = error.code();
    match code.get(..2).unwrap_or_default() {
        // These messages may quote what was being written.
        "22" | "23" => StoreError::Unfit(format!("PostgreSQL refuses a value ({code})")),
        // Corrupted data or index; the rest of the class is internal errors.
        "XX" if code != "XX000" => StoreError::Damaged(format!("{} ({code})", error.message()).into()),
        // No such database, no permission, wrong password, no such table.
        "28" | "3D" | "3F" | "42" => StoreError::Unfit(format!("{} ({code})", error.message())),
        _ => StoreError::Unavailable(format!("{} ({code})", error.message())),
    }
}

/// By the primary result code: the lowest eight bits of the extended one.
fn sqlite(error: &dyn DatabaseError) -> StoreError {
    const CORRUPT: i32 = 11;
    const UNAVAILABLE: [i32; 11] = [
        4,  // ABORT
        5,  // BUSY
        6,  // LOCKED
        7,  // NOMEM
        8,  // READONLY
        9,  // INTERRUPT
        10, // IOERR
        13, // FULL
        14, // CANTOPEN
        15, // PROTOCOL
        17, // SCHEMA
    ];
    let code = error.code().and_then(|it| it.parse::<i32>().ok()).unwrap_or_default();
    let what = format!("{} ({code})", error.message());
    match code & 0xff {
        CORRUPT => StoreError::Damaged(what.into()),
        primary if UNAVAILABLE.contains(&primary) => StoreError::Unavailable(what),
        _ => StoreError::Unfit(what),
    }
}
