//! Reading a chain in pages, around what is damaged: rows before the damage come first, then an error that names it.

use async_trait::async_trait;

use super::StoreError;
use super::batch::placed;
use super::query::Row;

/// What a store gives for reading.
#[async_trait]
pub(super) trait Pages: Sync {
    /// Rows from `from` on, each as it is or what is wrong with it.
    async fn page(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<Result<Row, StoreError>>, StoreError>;

    /// Only the numbers of those rows, from an index.
    async fn sequences(&self, gateway: &str, from: i64, rows_max: i64) -> Result<Vec<u64>, StoreError>;
}

/// As [`super::Store::read`].
pub(super) async fn read(pages: &dyn Pages, gateway: &str, from: u64, rows_max: usize) -> Result<Vec<Row>, StoreError> {
    // Beyond what databases count there is nothing.
    let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    match pages.page(gateway, from, rows_max).await {
        Ok(rows) => until_damage(rows),
        // A page of the file cannot be read: row by row it turns out which rows lie on it.
        Err(StoreError::Damaged(whole)) => {
            let mut rows = Vec::new();
            let sequences = pages.sequences(gateway, from, rows_max).await?;
            if sequences.is_empty() {
                return Err(StoreError::Damaged(whole));
            }
            for sequence in sequences {
                let Ok(at) = i64::try_from(sequence) else { continue };
                match pages.page(gateway, at, 1).await.and_then(until_damage) {
                    Ok(row) => rows.extend(row),
                    Err(error) if rows.is_empty() => return Err(placed(error, gateway, sequence)),
                    Err(_) => break,
                }
            }
            Ok(rows)
        }
        Err(error) => Err(error),
    }
}

fn until_damage(rows: Vec<Result<Row, StoreError>>) -> Result<Vec<Row>, StoreError> {
    let mut whole = Vec::with_capacity(rows.len());
    for row in rows {
        match row {
            Ok(row) => whole.push(row),
            Err(error) if whole.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(whole)
}
