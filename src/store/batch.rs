//! Entries on their way into a database: by gateway, each once, with the columns that searches need.

use std::collections::{BTreeMap, HashSet};

use super::entry::Entry;
use super::query::Columns;
use super::stored::at;
use super::{Damage, StoreError};

/// An entry with what is stored beside it.
pub(super) struct Item<'e> {
    pub(super) entry: &'e Entry,
    pub(super) columns: Columns,
    /// Sequence and time as databases count.
    pub(super) sequence: i64,
    pub(super) written_ms: i64,
}

/// Groups by gateway, in the order of names, so that two writers never wait for each other in a circle. Of entries with
/// the same number the first stays.
pub(super) fn by_gateway(entries: &[Entry]) -> Result<BTreeMap<&str, Vec<Item<'_>>>, StoreError> {
    let mut groups: BTreeMap<&str, Vec<Item<'_>>> = BTreeMap::new();
    let mut seen = HashSet::with_capacity(entries.len());
    for entry in entries {
        if seen.insert((&*entry.gateway, entry.sequence)) {
            groups.entry(&entry.gateway).or_default().push(item(entry)?);
        }
    }
    Ok(groups)
}

fn item(entry: &Entry) -> Result<Item<'_>, StoreError> {
    let refuse = |what: &str| at(&entry.gateway, Some(entry.sequence), what.to_owned());
    let record = entry.record().map_err(|_| refuse("the body is no record"))?;
    let sequence = i64::try_from(entry.sequence).map_err(|_| refuse("the number is beyond what databases hold"))?;
    let written_ms = i64::try_from(entry.written_ms).map_err(|_| refuse("the time is beyond what databases hold"))?;
    Ok(Item { entry, columns: Columns::of(&record), sequence, written_ms })
}

/// Lowest and highest number of a group; `None` where it is empty.
pub(super) fn span(items: &[Item<'_>]) -> Option<(i64, i64)> {
    let numbers = || items.iter().map(|it| it.sequence);
    Some((numbers().min()?, numbers().max()?))
}

/// Damage that belongs to `sequence`, whatever else was known about it.
pub(super) fn placed(error: StoreError, gateway: &str, sequence: u64) -> StoreError {
    match error {
        StoreError::Damaged(Damage { entry: None, what }) => at(gateway, Some(sequence), what),
        error => error,
    }
}
