//! The server's own audit log: what administrators do, chained and signed like everything that gateways record.

use std::collections::BTreeMap;
use std::sync::Arc;

use airiskguard_gateway::config::{Durability, OnAuditFailure};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::{Archive, Following, Ledger, Metrics, Reader, Setup, WallClock};
use airiskguard_gateway::store::{Act, Directory, Journal, Key, Marker, Store};

/// Bytes of the journal that the store may lag behind.
const SPOOL_BYTES_MAX: u64 = 1 << 30;

/// Starts writing down what is done here.
pub(crate) async fn start(
    directory: &mut Directory,
    target: &Secret,
    store: &dyn Store,
    retention_days: u32,
) -> Result<Ledger, String> {
    let name = directory.gateway()?;
    let signing = directory.key(Key::Signing)?;
    let stored = store.head(&name).await.map_err(|error| error.to_string())?;
    let journal = Journal::open(&directory.journal(), name.clone(), stored);
    let (journal, _) = journal.map_err(|error| format!("cannot use the journal of the folder: {error}"))?;
    let retention = Some(retention_days).filter(|days| *days > 0);
    let archive = Archive::new(target.clone(), &name, Marker::new(&name, &signing), retention);
    let following = Following::new(directory.cursor(Archive::NAME), None, stored.map_or(0, |it| it.sequence));
    let ledger = Ledger::start(Setup {
        journal,
        marker: Marker::new(&name, &signing),
        text_key: None,
        readers: vec![Reader { outlet: Box::new(archive), following }],
        durability: Durability::Strict,
        on_failure: OnAuditFailure::Block,
        spool_bytes_max: SPOOL_BYTES_MAX,
        metrics: Arc::new(Metrics::new().map_err(|error| format!("cannot register metrics: {error}"))?),
        clock: Arc::new(WallClock::new()),
    });
    let ledger = ledger.map_err(|error| format!("cannot start recording: {error}"))?;
    let details = BTreeMap::from([("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    ledger.act(Act { act: "control.started".to_owned(), actor: "control".to_owned(), details });
    if let Some(lock) = directory.take_lock() {
        ledger.keep(lock, |_| {}).map_err(|error| format!("cannot start recording: {error}"))?;
    }
    Ok(ledger)
}
