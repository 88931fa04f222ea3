//! From `audit:` to a running ledger: the gateway's own folder, its keys, its journal, and who reads it.

use std::sync::Arc;
use std::time::Duration;

use crate::governed::Followed;
use crate::records;
use airiskguard_gateway::config::File;
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::{
    Archive, Following, Ledger, Metrics, Reader, Setup, WallClock, alerts, known_head, siem,
};
use airiskguard_gateway::store::{self, Act, Directory, Head, Journal, Key, Marker, StoreError, Subject};

/// How long a SIEM may refuse one record before that becomes a dead letter.
const SIEM_DEAD_LETTER_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the process before this one may take to hand its audit log over; connections wait meanwhile.
const TAKE_OVER_PATIENCE: Duration = Duration::from_secs(60);

/// Whether anyone reads what is recorded.
pub(crate) fn is_wanted(file: &File) -> bool {
    file.control.server.is_some()
        || file.audit_enabled
        || file.notifications.channels().next().is_some()
        || !file.siem.is_empty()
}

/// Starts recording. `on_left` is told what processes before this one have left, once it is chained.
pub(crate) fn start(
    file: &File,
    directory: &mut Directory,
    metrics: &Arc<Metrics>,
    followed: Option<&Followed>,
    on_left: impl Fn(&Subject) + Send + 'static,
) -> Result<Ledger, String> {
    let gateway = directory.gateway()?;
    let signing = directory.key(Key::Signing)?;
    let target = records::target(file);
    let stored = records::block_on(stored_head(&target, &gateway))??;
    let cursors = std::fs::read_dir(directory.path().join("cursors")).into_iter().flatten().flatten();
    let known = cursors.filter_map(|it| known_head(&it.path())).chain(stored).max_by_key(|it| it.sequence);
    let journal = Journal::open(&directory.journal(), gateway.clone(), known);
    let (journal, recovery) =
        journal.map_err(|error| format!("cannot use the journal in {}: {error}", directory.journal().display()))?;
    let mut readers = readers(file, directory, &gateway, &signing, journal.head(), stored)?;
    readers.extend(followed.map(|it| it.reader(file, directory, &gateway, &signing, journal.head())));
    let text_key = if file.audit.full_text { Some(*directory.key(Key::Text)?) } else { None };
    let first = journal.head().sequence + 1;
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new(&gateway, &signing),
        text_key,
        readers,
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
        ledger.act(Act::of_gateway("audit.damaged", details.map(|(name, count)| (name, Some(count.to_string())))));
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    ledger.act(Act::of_gateway("gateway.started", [("version", Some(version)), ("first", Some(first.to_string()))]));
    if let Some(lock) = directory.take_lock() {
        ledger.keep(lock, on_left).map_err(|error| format!("cannot start recording: {error}"))?;
    }
    tracing::info!(gateway = &*gateway, first, key = Marker::new(&gateway, &signing).public_key(), "recording");
    Ok(ledger)
}

/// Everyone who reads the journal, each with its place.
fn readers(
    file: &File,
    directory: &Directory,
    gateway: &str,
    signing: &[u8; 32],
    head: Head,
    stored: Option<Head>,
) -> Result<Vec<Reader>, String> {
    let mut all = Vec::new();
    if file.audit_enabled {
        let retention = Some(file.audit.retention_days).filter(|days| *days > 0);
        let archive = Archive::new(records::target(file), gateway, Marker::new(gateway, signing), retention);
        let known = stored.map_or(0, |it| it.sequence);
        let following = Following::new(directory.cursor(Archive::NAME), None, known);
        all.push(Reader { outlet: Box::new(archive), following });
    }
    let alerts = alerts::outlets(&file.notifications)?.into_iter();
    let alerts = alerts.map(|it| (it, file.notifications.dead_letter_after));
    let siem = siem::outlets(&file.siem)?.into_iter().map(|it| (it, SIEM_DEAD_LETTER_AFTER));
    for (outlet, patience) in alerts.chain(siem) {
        let cursor = directory.cursor(outlet.name());
        // Who is new here is told of what happens from now on.
        let known = if cursor.is_file() { 0 } else { head.sequence };
        all.push(Reader { outlet, following: Following::new(cursor, Some(patience), known) });
    }
    Ok(all)
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
        Err(error @ StoreError::Damaged(_)) => {
            tracing::error!("{error}: `airiskguard-gateway audit verify` says where");
            Ok(None)
        }
        Err(error) => Err(format!("{error} (audit.store)")),
    }
}

/// The folder, open for this process alone; for one that takes over, not before [`take_over`].
pub(crate) fn open_directory(file: &File, take_over: bool) -> Result<Directory, String> {
    match take_over {
        false => Directory::open(&records::directory(file)),
        true => Directory::prepare(&records::directory(file)),
    }
}

/// Waits for the process before this one; `ready` tells it that it may go.
pub(crate) fn take_over(directory: &mut Directory, ready: impl FnOnce()) -> Result<(), String> {
    directory.take_over(TAKE_OVER_PATIENCE, ready)
}
