//! Partitions by month of writing: made as they are needed and one ahead, dropped when nothing in them counts any more.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::super::StoreError;
use super::super::failure::{failure, misses_lock};
use super::{CALL, within};

/// Whoever makes or drops partitions holds this lock: a made-up number, the same for every gateway.
const LOCK: i64 = 0x6169_7267_7061_7274;
/// How long dropping waits for readers of a partition before it deletes rows instead.
const DROP_LOCK_MS_MAX: u32 = 2_000;
/// Entries that one step of deleting removes.
const EXPIRE_ROWS_MAX: i64 = 5_000;

/// A month in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Month {
    first: Date,
}

impl Month {
    /// The month of a moment, Unix milliseconds; `None` beyond the calendar (the year 9999).
    pub(super) fn of(written_ms: i64) -> Option<Month> {
        let day = Timestamp::from_millisecond(written_ms).ok()?.to_zoned(TimeZone::UTC).date();
        Some(Month { first: day.first_of_month() })
    }

    /// The one after it; `None` at the end of the calendar.
    pub(super) fn next(self) -> Option<Month> {
        Some(Month { first: self.first.last_of_month().tomorrow().ok()? })
    }

    /// Its first millisecond; `None` at the end of the calendar.
    fn start_ms(self) -> Option<i64> {
        Some(self.first.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
    }

    /// From the name of a partition.
    fn of_partition(name: &str) -> Option<Month> {
        let (year, month) = name.strip_prefix("audit_records_")?.split_once('_')?;
        let (year, month): (i16, i8) = (year.parse().ok()?, month.parse().ok()?);
        ((1..=12).contains(&month) && (0..=9999).contains(&year)).then(|| Month { first: date(year, month, 1) })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.first.year(), self.first.month())
    }
}

/// Makes the partitions of these months where they are missing, several gateways at once being no harm.
pub(super) async fn ensure(pool: &PgPool, months: &BTreeSet<Month>) -> Result<(), StoreError> {
    let mut transaction = pool.begin().await.map_err(failure)?;
    lock(&mut transaction).await.map_err(failure)?;
    for month in months {
        for table in ["audit_records", "audit_rules"] {
            make(&mut transaction, table, *month).await?;
        }
    }
    transaction.commit().await.map_err(failure)
}

async fn make(connection: &mut PgConnection, table: &str, month: Month) -> Result<(), StoreError> {
    let name = format!("{table}_{month}");
    let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&name);
    if exists.fetch_one(&mut *connection).await.map_err(failure)? {
        return Ok(());
    }
    let ends = month.start_ms().zip(month.next().and_then(Month::start_ms));
    let Some((from, to)) = ends else {
        return Err(StoreError::Unfit("an entry was written at the end of the calendar".to_owned()));
    };
    // Attaching a table lets others write in the meantime, which `CREATE TABLE … PARTITION OF` does not.
    let create =
        format!("CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)");
    let attach = format!("ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})");
    for sql in [create, attach] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(failure)?;
    }
    Ok(())
}

/// Removes a gateway's entries up to `sequence` from every partition. Returns how many there were.
pub(super) async fn expire(pool: &PgPool, gateway: i64, sequence: i64) -> Result<u64, StoreError> {
    let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
               WHERE i.inhparent = to_regclass('audit_records') ORDER BY c.relname";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.map_err(failure)?;
    let mut removed = 0;
    for month in names.iter().filter_map(|name| Month::of_partition(name)) {
        removed += within(CALL, expire_month(pool, month, gateway, sequence)).await?.unwrap_or_default();
        // What could not be dropped is deleted in steps, each its own transaction, so that none lasts long.
        while let Some(count) = within(CALL, delete_step(pool, month, gateway, sequence)).await? {
            removed += count;
        }
    }
    Ok(removed)
}

/// Drops the partition where that is all there is to do.
async fn expire_month(pool: &PgPool, month: Month, gateway: i64, sequence: i64) -> Result<Option<u64>, StoreError> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM audit_records_{month} WHERE gateway = $1 AND sequence <= $2)");
    let held = sqlx::query_scalar(AssertSqlSafe(sql)).bind(gateway).bind(sequence);
    if !held.fetch_one(pool).await.map_err(failure)? {
        return Ok(None);
    }
    match drop_whole(pool, month, gateway).await {
        Err(error) if misses_lock(&error) => Ok(None),
        outcome => outcome.map_err(failure),
    }
}

/// Drops a partition in which every entry of every gateway stands before its gateway's mark, and counts those of
/// `gateway`; `None` where something in it still counts.
async fn drop_whole(pool: &PgPool, month: Month, gateway: i64) -> Result<Option<u64>, sqlx::Error> {
    // Looked at first without a lock: most partitions are still in use.
    if !expired(&mut *pool.acquire().await?, month).await? {
        return Ok(None);
    }
    let mut transaction = pool.begin().await?;
    let limit = format!("SET LOCAL lock_timeout = {DROP_LOCK_MS_MAX}");
    sqlx::query(AssertSqlSafe(limit)).execute(&mut *transaction).await?;
    lock(&mut transaction).await?;
    // In the order in which writers and readers take them, or each would wait for the other.
    let tables = format!("audit_records, audit_rules, audit_records_{month}, audit_rules_{month}");
    let sql = format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", tables.replace(", ", ", ONLY "));
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    if !expired(&mut transaction, month).await? {
        return Ok(None);
    }
    let sql = format!("SELECT count(*) FROM audit_records_{month} WHERE gateway = $1");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).bind(gateway).fetch_one(&mut *transaction).await?;
    let sql = format!("DROP TABLE audit_records_{month}, audit_rules_{month}");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Some(count.unsigned_abs()))
}

async fn expired(connection: &mut PgConnection, month: Month) -> Result<bool, sqlx::Error> {
    let sql = format!(
        "SELECT NOT EXISTS (SELECT 1 FROM audit_gateways g LEFT JOIN audit_marks m ON m.gateway = g.id \
         WHERE (SELECT p.sequence FROM audit_records_{month} p WHERE p.gateway = g.id \
         ORDER BY p.sequence DESC LIMIT 1) > coalesce(m.sequence, -1))"
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await
}

/// Deletes the oldest entries, at most [`EXPIRE_ROWS_MAX`]; `None` where none is left.
async fn delete_step(pool: &PgPool, month: Month, gateway: i64, sequence: i64) -> Result<Option<u64>, StoreError> {
    let mut transaction = pool.begin().await.map_err(failure)?;
    let exists = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(format!("audit_records_{month}"));
    if !exists.fetch_one(&mut *transaction).await.map_err(failure)? {
        return Ok(None);
    }
    let sql = format!(
        "SELECT max(sequence) FROM (SELECT sequence FROM audit_records_{month} \
         WHERE gateway = $1 AND sequence <= $2 ORDER BY sequence LIMIT $3) step"
    );
    let last = sqlx::query_scalar(AssertSqlSafe(sql)).bind(gateway).bind(sequence).bind(EXPIRE_ROWS_MAX);
    let last: Option<i64> = last.fetch_one(&mut *transaction).await.map_err(failure)?;
    let Some(last) = last else { return Ok(None) };
    let mut removed = 0;
    for table in ["audit_rules", "audit_records"] {
        let sql = format!("DELETE FROM {table}_{month} WHERE gateway = $1 AND sequence <= $2");
        let delete = sqlx::query(AssertSqlSafe(sql)).bind(gateway).bind(last);
        removed = delete.execute(&mut *transaction).await.map_err(failure)?.rows_affected();
    }
    transaction.commit().await.map_err(failure)?;
    Ok(Some(removed))
}

async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await.map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_and_end_where_the_calendar_says() {
        let month = Month::of(1_772_323_199_999).unwrap();
        assert_eq!(month.to_string(), "2026_02");
        assert_eq!(month.next(), Month::of(1_772_323_200_000));
        assert_eq!(month.next().unwrap().start_ms(), Some(1_772_323_200_000));
        assert_eq!(Month::of(0).unwrap().to_string(), "1970_01");
        assert_eq!(Month::of_partition("audit_records_2026_02"), Some(month));
        assert_eq!(Month::of(1_798_761_599_999).and_then(Month::next), Month::of(1_798_761_600_000));
    }

    #[test]
    fn beyond_the_calendar_there_is_no_month() {
        assert_eq!(Month::of(i64::MAX), None);
        let last = Month::of_partition("audit_records_9999_12").unwrap();
        assert_eq!(last.next(), None);
    }

    #[test]
    fn other_tables_are_no_partitions_of_ours() {
        for name in ["audit_records", "audit_records_2026_13", "audit_records_2026", "audit_rules_2026_02", ""] {
            assert_eq!(Month::of_partition(name), None, "{name}");
        }
    }
}
