//! Where records are kept: the gateway's own folder and its store, as the configuration or the service manager says.

use std::path::PathBuf;

use airiskguard_gateway::config::{AuditStore, File};
use airiskguard_gateway::domain::Secret;

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

/// On a runtime of its own, for work that ends before the gateway starts, and for commands.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| format!("no threads to be had: {error}"))?.block_on(work))
}
