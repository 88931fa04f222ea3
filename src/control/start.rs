//! A control plane over a folder and a database, in a process of its own or in a gateway's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::agent::Enrolment;
use super::http::Actor;
use super::server::{Control, Parts};
use super::{MasterKey, Settings, gateways};
use crate::config::PolicyServer;
use crate::domain::Secret;
use crate::sinks::{Scribe, WallClock};
use crate::store::{self, Directory, Key, Marker, Objects, write_whole};

/// Between two looks for what has expired.
const TIDY_EVERY: u32 = 100;
/// Between two looks for new records.
const TEND_INTERVAL: Duration = Duration::from_secs(3);

impl Control {
    /// Over the database at `target`, with the master key of the folder unless another is given. `scribe` may come later:
    /// [`Control::writes_to`].
    ///
    /// # Errors
    /// A database or a key that cannot be used, and what to do about it.
    pub async fn open(
        folder: &Path,
        target: &Secret,
        settings: Settings,
        master_key: Option<&str>,
    ) -> Result<Control, String> {
        let master = MasterKey::of_folder(folder, master_key)?;
        let records = store::open(target.expose()).await.map_err(|error| error.to_string())?;
        let objects = Objects::open(target.expose()).await.map_err(|error| error.to_string())?;
        Ok(Control::new(Parts {
            objects: Arc::new(objects),
            records: records.into(),
            scribe: None,
            master,
            settings,
            clock: Arc::new(WallClock::new()),
        }))
    }

    /// Where acts are written down from now on; the first one told stays.
    pub fn writes_to(&self, scribe: Scribe) {
        self.acts.write_to(scribe);
    }

    /// The line that leads to the first page, where there is nobody yet who could sign in. The token in it is kept in the
    /// folder, too.
    ///
    /// # Errors
    /// A store that does not answer, a folder that cannot be written.
    pub async fn first_run(&self, folder: &Path) -> Result<Option<String>, String> {
        let Some(token) = self.setup_token().await.map_err(|problem| problem.detail)? else { return Ok(None) };
        let path = folder.join("setup-token");
        write_whole(&path, token.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Some(format!("first run: open {}/setup?token={token}", self.settings.public_url)))
    }

    /// Looks after what is kept, for as long as it runs: removes what has expired, counts what is new.
    pub async fn look_after(self) {
        for round in 0_u32.. {
            if let Err(problem) = self.tend().await {
                tracing::warn!(what = problem.detail, "new records could not be counted");
            }
            if round % TIDY_EVERY == 0
                && let Err(problem) = self.tidy().await
            {
                tracing::warn!(what = problem.detail, "what has expired could not be removed");
            }
            tokio::time::sleep(TEND_INTERVAL).await;
        }
    }

    /// Makes the gateway with this folder one of this control plane's own, where it is not: it reaches it at `server`.
    ///
    /// # Errors
    /// A folder that cannot be read or written, a store that does not answer.
    pub async fn adopt(&self, directory: &Directory, server: &PolicyServer) -> Result<(), String> {
        let (name, signing) = (directory.gateway()?, directory.key(Key::Signing)?);
        let known = Enrolment::load(directory.path())?;
        let is_ours = match &known {
            Some(it) => gateways::is_enrolled(self, it.id(), &name).await.map_err(|problem| problem.detail)?,
            None => false,
        };
        if is_ours {
            // It may listen on another port than before.
            return Enrolment::moved(directory.path(), server);
        }
        let audit_key = Marker::new(&name, &signing).public_key();
        gateways::forget(self, &name).await.map_err(|problem| problem.detail)?;
        let enrolled = gateways::admitted(self, &Actor::server(), &name, &audit_key, gateways::DEFAULT_GROUP).await;
        Enrolment::keep(directory, server, enrolled.map_err(|problem| problem.detail)?).map(drop)
    }
}
