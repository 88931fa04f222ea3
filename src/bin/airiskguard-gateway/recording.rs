//! From `audit:` to a running ledger: the gateway's own folder, its keys, its journal, and who reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use airiskguard_gateway::config::{AuditStore, File};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::{Archive, Following, Ledger, Metrics, Outlet, Setup, WallClock, known_head};
use airiskguard_gateway::store::{self, Act, Directory, Head, Journal, Key, Marker, StoreError};

/// Where a gateway keeps what is its own, unless `audit.directory` or the service manager says otherwise.
const USUAL_DIRECTORY: &str = "airiskguard-data";
/// The default store in that folder.
const USUAL_STORE: &str = "audit.db";

/// The folder of this configuration.
pub(crate) fn directory(file: &File) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where systemd tells a service its folder (StateDirectory=)")]
    let told = || std::env::var_os("STATE_DIRECTORY").filter(|it| !it.is_empty());
    match &file.audit.directory {
        Some(path) => path.into(),
        None => told().map_or_else(|| USUAL_DIRECTORY.into(), PathBuf::from),
    }
}

/// The address of the store of this configuration.
pub(crate) fn target(file: &File) -> Secret {
    match &file.audit.store {
        None => Secret::new(format!("sqlite:{}", directory(file).join(USUAL_STORE).display())),
        Some(AuditStore::Sqlite(path)) => Secret::new(format!("sqlite:{path}")),
        Some(AuditStore::Postgres(url)) => url.clone(),
    }
}

/// Starts recording. `generation` names the configuration in the record of the start.
pub(crate) fn start(file: &File, directory: &Directory, metrics: &Arc<Metrics>) -> Result<Ledger, String> {
    let gateway = directory.gateway()?;
    let signing = directory.key(Key::Signing)?;
    let target = target(file);
    let stored = block_on(stored_head(&target, &gateway))??;
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
pub(crate) fn act<const N: usize>(name: &str, details: [(&str, String); N]) -> Act {
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

/// On a runtime of its own, for work that ends before the gateway starts, and for commands.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| format!("no threads to be had: {error}"))?.block_on(work))
}

/// The folder, open for this process alone.
pub(crate) fn open_directory(file: &File) -> Result<Directory, String> {
    Directory::open(Path::new(&directory(file)))
}
