//! Keeping counts by hour and by day up to date with the records: each record is counted once, however many servers there
//! are, because the place up to which was counted is written together with the counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::count::Cells;
use crate::control::server::Control;
use crate::control::shelf::{Batch, Kept, Stored};
use crate::control::time::{DAY_MS, HOUR_MS};
use crate::control::{Problem, ProblemKind};
use crate::store::{Damage, Exchange, Listing, Row, StoreError, Subject};

/// Records that are counted in one step.
const ROWS_MAX: usize = 500;
/// How long counts are kept: of hours, and of days.
const HOURS_KEPT_MS: u64 = 8 * DAY_MS;
const DAYS_KEPT_MS: u64 = 400 * DAY_MS;

/// Up to where the records of a gateway are counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counted {
    gateway: String,
    sequence: u64,
}

impl Stored for Counted {
    const KIND: &'static str = "counted";

    fn id(&self) -> &str {
        &self.gateway
    }
}

macro_rules! stretch {
    ($(#[$doc:meta])* $name:ident $kind:literal $kept_ms:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        pub(super) struct $name {
            /// The moment it begins, Unix milliseconds, in digits that sort.
            pub(super) id: String,
            pub(super) begin_ms: u64,
            pub(super) cells: Cells,
        }

        impl Stored for $name {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.id
            }

            fn expires_ms(&self) -> Option<u64> {
                Some(self.begin_ms.saturating_add($kept_ms))
            }
        }

        impl Stretch for $name {
            const LENGTH_MS: u64 = $name::LENGTH;
            const KEPT_MS: u64 = $kept_ms;

            fn beginning(begin_ms: u64) -> Self {
                $name { id: format!("{begin_ms:014}"), begin_ms, cells: Cells::default() }
            }

            fn begin_ms(&self) -> u64 {
                self.begin_ms
            }

            fn cells(&mut self) -> &mut Cells {
                &mut self.cells
            }

            fn into_cells(self) -> Cells {
                self.cells
            }
        }
    };
}

stretch!(
    /// The counts of an hour.
    Hour "count of an hour" HOURS_KEPT_MS
);
stretch!(
    /// The counts of a day, UTC.
    Day "count of a day" DAYS_KEPT_MS
);

impl Hour {
    const LENGTH: u64 = HOUR_MS;
}

impl Day {
    const LENGTH: u64 = DAY_MS;
}

/// A stretch of time with counts.
pub(super) trait Stretch: Stored {
    const LENGTH_MS: u64;
    const KEPT_MS: u64;

    fn beginning(begin_ms: u64) -> Self;
    fn begin_ms(&self) -> u64;
    fn cells(&mut self) -> &mut Cells;
    fn into_cells(self) -> Cells;
}

/// The newest stretches that have counts, at most `rows_max`, the newest first.
pub(super) async fn newest<T: Stretch>(control: &Control, rows_max: usize) -> Result<Vec<(u64, Cells)>, Problem> {
    let kept: Vec<Kept<T>> = control.shelf.list(Listing { newest_first: true, rows_max, ..Listing::default() }).await?;
    Ok(kept.into_iter().map(|it| (it.begin_ms(), it.value.into_cells())).collect())
}

/// Counts records that were not counted yet, at most `steps_max` steps of 500 for each gateway. Returns how many it has
/// counted.
///
/// # Errors
/// The store's.
pub(crate) async fn catch_up(control: &Control, steps_max: usize) -> Result<u64, Problem> {
    let mut count = 0;
    for gateway in control.records.gateways().await? {
        for _ in 0..steps_max {
            match step(control, &gateway).await {
                Ok(0) => break,
                Ok(more) => count += more,
                // Another server counts the same records at this moment.
                Err(problem) if problem.kind == ProblemKind::Conflict => break,
                Err(problem) => return Err(problem),
            }
        }
    }
    Ok(count)
}

/// Counts the next records of a gateway; how many it has looked at.
async fn step(control: &Control, gateway: &str) -> Result<u64, Problem> {
    let kept: Option<Kept<Counted>> = control.shelf.get(gateway).await?;
    let from = kept.as_ref().map_or(0, |it| it.sequence) + 1;
    let (rows, last) = match control.records.read(gateway, from, ROWS_MAX).await {
        Ok(rows) => {
            let Some(last) = rows.last().map(|it| it.entry.sequence) else { return Ok(0) };
            (rows, last)
        }
        // What is damaged is a matter of verification, and not counted.
        Err(StoreError::Damaged(Damage { entry: Some((_, sequence)), .. })) => (Vec::new(), sequence.max(from)),
        Err(error) => return Err(error.into()),
    };
    let exchanges: Vec<(u64, Box<Exchange>)> = rows.iter().filter_map(exchange).collect();
    let mut batch = add::<Hour>(control, Batch::default(), &exchanges).await?;
    batch = add::<Day>(control, batch, &exchanges).await?;
    let counted = Counted { gateway: gateway.to_owned(), sequence: last };
    batch = match kept {
        Some(kept) => batch.update(&Kept { version: kept.version, value: counted }),
        None => batch.insert(&counted),
    };
    control.shelf.commit(batch).await?;
    Ok((rows.len() as u64).max(1))
}

fn exchange(row: &Row) -> Option<(u64, Box<Exchange>)> {
    let record = row.entry.record().ok()?;
    match record.subject {
        Subject::Exchange(it) => Some((record.written_ms, it)),
        Subject::Decision(_) | Subject::Act(_) | Subject::Checkpoint(_) => None,
    }
}

/// Adds exchanges to the stretches they belong to. What has expired is not counted any more.
async fn add<T: Stretch>(
    control: &Control,
    mut batch: Batch,
    exchanges: &[(u64, Box<Exchange>)],
) -> Result<Batch, Problem> {
    let oldest_ms = control.shelf.now_ms().saturating_sub(T::KEPT_MS - T::LENGTH_MS);
    let mut stretches: BTreeMap<u64, Vec<&Exchange>> = BTreeMap::new();
    for (written_ms, it) in exchanges.iter().filter(|(written_ms, _)| *written_ms >= oldest_ms) {
        stretches.entry(written_ms - written_ms % T::LENGTH_MS).or_default().push(it);
    }
    for (begin_ms, exchanges) in stretches {
        let fresh = T::beginning(begin_ms);
        match control.shelf.get::<T>(fresh.id()).await? {
            Some(mut kept) => {
                kept.value.cells().add(&exchanges);
                batch = batch.update(&kept);
            }
            None => {
                let mut fresh = fresh;
                fresh.cells().add(&exchanges);
                batch = batch.insert(&fresh);
            }
        }
    }
    Ok(batch)
}
