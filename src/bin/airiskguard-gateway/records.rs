//! Where records are kept: the gateway's own folder and its store, as the configuration or the service manager says.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use airiskguard_gateway::config::{AuditStore, File};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::store::own_user;

/// Where a gateway keeps what is its own, unless `audit.directory` or the service manager says otherwise.
const USUAL_DIRECTORY: &str = "airiskguard-data";
/// Where the service does, whose unit has `StateDirectory=airiskguard`.
const FOLDER_OF_THE_SERVICE: &str = "/var/lib/airiskguard";
/// The default store in that folder.
const USUAL_STORE: &str = "audit.db";

/// The folder of this configuration.
pub(crate) fn directory(file: &File) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where systemd tells a service its folder (StateDirectory=)")]
    let told = || std::env::var_os("STATE_DIRECTORY").filter(|it| !it.is_empty());
    match &file.audit.directory {
        Some(path) => path.into(),
        None => told().map_or_else(|| untold(Path::new(FOLDER_OF_THE_SERVICE), own_user()), PathBuf::from),
    }
}

/// Where nobody says it: the service's, for its user and for root, so that commands find what the service wrote; for
/// everybody else a folder here.
fn untold(service: &Path, user: Option<u32>) -> PathBuf {
    let is_for_us = |owner: u32| user.is_some_and(|it| it == owner || it == 0);
    match std::fs::metadata(service) {
        Ok(folder) if folder.is_dir() && is_for_us(folder.uid()) => service.into(),
        _ => USUAL_DIRECTORY.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_service_is_for_its_user_and_for_root() {
        let folder = tempfile::tempdir().unwrap();
        let owner = std::fs::metadata(folder.path()).unwrap().uid();
        for user in [owner, 0] {
            assert_eq!(untold(folder.path(), Some(user)), folder.path());
        }
        for user in [Some(owner + 1), None] {
            assert_eq!(untold(folder.path(), user), Path::new(USUAL_DIRECTORY));
        }
        assert_eq!(untold(&folder.path().join("missing"), Some(owner)), Path::new(USUAL_DIRECTORY));
    }
}
