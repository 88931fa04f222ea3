//! A control plane over a folder and a database, in a process of its own or in a gateway's.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::agent::Enrolment;
use super::gateways::{self, Gateway};
use super::http::Actor;
use super::providers::{self, Provider, ProviderKey};
use super::seal::{self, Sealed};
use super::server::{Control, Parts};
use super::shelf::Shelf;
use super::{MasterKey, Problem, Settings, bundle};
use crate::config::PolicyServer;
use crate::domain::{Clock, Secret};
use crate::sinks::{Scribe, WallClock};
use crate::store::{self, Directory, Key, Marker, Objects, write_whole};

/// Between two looks for what has expired.
const TIDY_EVERY: u32 = 100;
/// Between two looks for new records.
const TEND_INTERVAL: Duration = Duration::from_secs(3);

impl Control {
    /// Over the database at `target`, with the master key of the folder unless another is given; one is made where nothing
    /// is sealed yet. `scribe` may come later: [`Control::writes_to`].
    ///
    /// # Errors
    /// A database or a key that cannot be used, and what to do about it.
    pub async fn open(
        folder: &Path,
        target: &Secret,
        settings: Settings,
        master_key: Option<&str>,
    ) -> Result<Control, String> {
        let given = MasterKey::of_folder(folder, master_key)?;
        let records = store::open(target.expose()).await.map_err(|error| error.to_string())?;
        let objects = Arc::new(Objects::open(target.expose()).await.map_err(|error| error.to_string())?);
        let clock: Arc<dyn Clock> = Arc::new(WallClock::new());
        let sealed = sealed(&Shelf::new(objects.clone(), clock.clone())).await.map_err(|problem| problem.detail)?;
        let master = master(folder, given, &sealed)?;
        Ok(Control::new(Parts { objects, records: records.into(), scribe: None, master, settings, clock }))
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
        let enrolled =
            gateways::admitted(self, &Actor::server(), &name, &audit_key, gateways::DEFAULT_GROUP, None).await;
        Enrolment::keep(directory, server, enrolled.map_err(|problem| problem.detail)?).map(drop)
    }
}

/// What only the right master key opens, with what each is sealed for: the key of bundles where there is one, as all servers
/// on a store share it, else everything that is sealed.
async fn sealed(shelf: &Shelf) -> Result<Vec<(Sealed, String)>, Problem> {
    if let Some(it) = bundle::sealed(shelf).await? {
        return Ok(vec![it]);
    }
    let mut all = Vec::new();
    for provider in shelf.all::<Provider>().await? {
        let about = |key: &ProviderKey| providers::purpose(&provider.name, &key.id);
        all.extend(provider.keys.iter().map(|it| (it.sealed.clone(), about(it))));
    }
    let gateways = shelf.all::<Gateway>().await?;
    all.extend(gateways.iter().map(|it| (it.seal.clone(), gateways::purpose(&it.id))));
    Ok(all)
}

/// The key to serve with: never one that does not open what is there already.
fn master(folder: &Path, given: Option<MasterKey>, sealed: &[(Sealed, String)]) -> Result<MasterKey, String> {
    let opens = |key: &MasterKey| sealed.is_empty() || sealed.iter().any(|(it, about)| key.open(it, about).is_some());
    let refusal = bundle::unopened().detail;
    match given {
        Some(key) if opens(&key) => Ok(key),
        Some(_) => Err(refusal),
        None if sealed.is_empty() => MasterKey::make(folder),
        None => Err(format!(
            "there is no {}, and {}",
            folder.join(seal::FILE).display(),
            refusal.replacen("the", "a new", 1)
        )),
    }
}
