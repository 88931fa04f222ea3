//! The outlet that keeps records: from the journal into the store, and out of it when their time is over.

use async_trait::async_trait;

use crate::domain::Secret;
use crate::sinks::{Failure, Outlet};
use crate::store::{self, Entry, Marker, Store, StoreError};

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Between two looks for what has expired.
const EXPIRY_INTERVAL_MS: u64 = 3600 * 1000;

/// Keeps records in a store.
pub struct Archive {
    target: Secret,
    /// `None` until it could be opened: a gateway starts, and spools, while its store is away.
    store: Option<Box<dyn Store>>,
    gateway: String,
    marker: Marker,
    /// `None` keeps for ever.
    retention_days: Option<u32>,
    looked_ms: u64,
}

impl Archive {
    /// Into the store at `target`, where records of this gateway stay for so many days. `marker` signs what was expired.
    pub fn new(target: Secret, gateway: &str, marker: Marker, retention_days: Option<u32>) -> Archive {
        Archive { target, store: None, gateway: gateway.to_owned(), marker, retention_days, looked_ms: 0 }
    }

    async fn store(&mut self) -> Result<&dyn Store, StoreError> {
        let store = match self.store.take() {
            Some(store) => store,
            None => store::open(self.target.expose()).await?,
        };
        Ok(&**self.store.insert(store))
    }

    /// A file that is damaged is kept beside a new one: what is recorded from now on is worth more than one whole file.
    fn set_aside(&mut self, now_ms: u64) {
        let Some(path) = self.target.expose().strip_prefix("sqlite:") else { return };
        self.store = None;
        for ending in ["", "-wal", "-shm"] {
            let (from, to) = (format!("{path}{ending}"), format!("{path}.damaged-{now_ms}{ending}"));
            match std::fs::rename(&from, &to) {
                Ok(()) => tracing::error!(kept = to, "the audit store is damaged: a new one is begun"),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => tracing::error!(%error, "the damaged audit store could not be moved aside"),
            }
        }
    }

    async fn expire(&mut self, days: u32, now_ms: u64) -> Result<(), StoreError> {
        let before_ms = now_ms.saturating_sub(u64::from(days) * DAY_MS);
        let gateway = self.gateway.clone();
        let Some(last) = self.store().await?.last_before(&gateway, before_ms).await? else { return Ok(()) };
        let mark = self.marker.mark(last, now_ms);
        let removed = self.store().await?.expire(&gateway, &mark).await?;
        tracing::info!(removed, up_to = last.sequence, "audit records have expired");
        Ok(())
    }
}

#[async_trait]
impl Outlet for Archive {
    fn name(&self) -> &str {
        Archive::NAME
    }

    async fn deliver(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Failure> {
        let result = match self.store().await {
            Ok(store) => store.append(entries).await,
            Err(error) => Err(error),
        };
        match result {
            Err(error @ StoreError::Damaged(_)) => {
                self.set_aside(now_ms);
                return Err(Failure::later(error.to_string()));
            }
            Err(error) => {
                // A connection that saw an error may go on seeing it: the next try begins with a new one.
                self.store = None;
                return Err(Failure::later(error.to_string()));
            }
            Ok(()) => {}
        }
        self.idle(now_ms).await
    }

    async fn idle(&mut self, now_ms: u64) -> Result<(), Failure> {
        let Some(days) = self.retention_days else { return Ok(()) };
        if now_ms.saturating_sub(self.looked_ms) < EXPIRY_INTERVAL_MS {
            return Ok(());
        }
        self.looked_ms = now_ms;
        // What was to be delivered is delivered; an expiry that failed is tried again in an hour.
        if let Err(error) = self.expire(days, now_ms).await {
            tracing::warn!(%error, "audit records could not be expired");
        }
        Ok(())
    }
}

impl Archive {
    /// Its name among the outlets.
    pub const NAME: &'static str = "store";
}
