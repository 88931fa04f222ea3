//! From `audit:` to a running ledger: the gateway's own folder, its keys, its journal, and who reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::records;
use airiskguard_gateway::config::File;
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::{Archive, Following, Ledger, Metrics, Outlet, Setup, WallClock, known_head};
use airiskguard_gateway::store::{self, Act, Directory, Head, Journal, Key, Marker, StoreError};

/// Starts recording.
pub(crate) fn start(file: &File, directory: &Directory, metrics: &Arc<Metrics>) -> Result<Ledger, String> {
    let gateway = directory.gateway()?;
    let signing = directory.key(Key::Signing)?;
    let target = records::target(file);
    let stored = records::block_on(stored_head(&target, &gateway))??;
    let cursors = std::fs::read_dir(directory.path().join("cursors")).into_iter().flatten().flatten();
    let known = cursors.filter_map(|it| known_head(&it.path())).chain(stored).max_by_key(|it| it.sequence);
    let journal = Journal::open(&directory.journal(), gateway.clone(), known);
    let (journal, recovery) =
        journal.map_err(|error| format!("cannot use the journal in {}: {error}", directory.journal().display()))?;
    let retention = Some(file.audit.retention_days).filter(|days| *days > 0);
    let archive = Archive::new(target, &gateway, Marker::new(&gateway, &signing), retention);
    let following = Following::new(directory.cursor(Archive::NAME), None, stored.map_or(0, |it| it.sequence));
    let outlets: Vec<(Box<dyn Outlet>, Following)> = vec![(Box::new(archive), following)];
    let text_key = if file.audit.full_text { Some(*directory.key(Key::Text)?) } else { None };
    let first = journal.head().sequence + 1;
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new(&gateway, &signing),
        text_key,
        outlets,
        durability: file.audit.durability,
        on_failure: file.audit.on_failure,
        spool_bytes_max: file.audit.spool_bytes_max,
        metrics: metrics.clone(),
        clock: Arc::new(WallClock::new()),
    });
    let ledger = ledger.map_err(|error| format!("cannot start recording: {error}"))?;
    if recovery.torn_bytes > 0 || recovery.missing > 0 {
        tracing::warn!(recovery.torn_bytes, recovery.missing, "the end of the audit journal was damaged");
        let details = [("torn_bytes", recovery.torn_bytes), ("missing", recovery.missing)];
        ledger.act(act("audit.damaged", details.map(|(name, count)| (name, count.to_string()))));
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ledger.act(act("gateway.started", [("version", version), ("first", first.to_string())]));
    tracing::info!(gateway = &*gateway, first, key = Marker::new(&gateway, &signing).public_key(), "recording");
    Ok(ledger)
}

/// What the gateway itself did.
fn act<const N: usize>(name: &str, details: [(&str, String); N]) -> Act {
    let details = details.into_iter().map(|(name, value)| (name.to_owned(), value));
    Act { act: name.to_owned(), actor: "gateway".to_owned(), details: BTreeMap::from_iter(details) }
}

/// The newest entry in the store. A gateway starts, and spools, while its store is away; a store that can never be used
/// is a mistake in the configuration.
async fn stored_head(target: &Secret, gateway: &str) -> Result<Option<Head>, String> {
    let head = async { store::open(target.expose()).await?.head(gateway).await };
    match head.await {
        Ok(head) => Ok(head),
        Err(StoreError::Unavailable(what)) => {
            tracing::warn!("the audit store is not available, records are spooled: {what}");
            Ok(None)
        }
        Err(error) => Err(format!("{error} (audit.store)")),
    }
}

/// The folder, open for this process alone.
pub(crate) fn open_directory(file: &File) -> Result<Directory, String> {
    Directory::open(&records::directory(file))
}
