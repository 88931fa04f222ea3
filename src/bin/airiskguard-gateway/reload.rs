//! A configuration that changes while the gateway serves: read, compiled beside the one in force, put in its place, or
//! refused with nothing changed. Every one of them is an act in the audit log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airiskguard_gateway::config::{File, Overrides, Warnings};
use airiskguard_gateway::domain::Clock;
use airiskguard_gateway::edge::Occasion;
use airiskguard_gateway::pipeline::{History, Live, Snapshot};
use airiskguard_gateway::sinks::{Metrics, Scribe, WallClock};
use airiskguard_gateway::store::Act;

use crate::arguments::ConfigFile;
use crate::configuration;
use crate::governed::Told;
use crate::serve::{LogFilter, warm};
use crate::watched::{Look, Watch};

/// Longest text of a refusal in the audit log, bytes; the log has all of it.
const REASON_BYTES_MAX: usize = 1000;

/// What a configuration is loaded with, and where it goes.
pub(crate) struct Reloader {
    pub(crate) config: ConfigFile,
    pub(crate) overrides: Overrides,
    /// The configuration that the gateway was started with.
    pub(crate) started: File,
    /// The newest file that could be put in force, without what a policy server says.
    pub(crate) local: File,
    /// What the policy server says; `None` where none is followed, or nothing was said.
    pub(crate) told: Option<Told>,
    pub(crate) installation: [u8; 32],
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Arc<Metrics>,
    /// `None` where nothing is recorded.
    pub(crate) scribe: Option<Scribe>,
    pub(crate) log: LogFilter,
    pub(crate) watch: Watch,
}

impl Reloader {
    /// One look at the files, or a reload whether they changed or not. Returns whether another configuration is in force.
    pub(crate) fn look(&mut self, occasion: Occasion) -> bool {
        if occasion == Occasion::Passing && self.watch.look() != Look::Changed {
            return false;
        }
        let (loaded, read) = configuration::load_watched(self.config.path(), &self.overrides);
        let refused_before = self.live.history().refused.is_some();
        if occasion == Occasion::Passing && !refused_before && self.watch.is_same(&read) {
            return false;
        }
        let read = match &loaded {
            Ok(_) => read,
            Err(_) => read.with(self.watch.watched()),
        };
        let renewed = loaded.and_then(|(mut file, warnings)| {
            let waiting = file.keep_started(&self.started);
            let in_force = self.governed(&file, self.told.as_ref());
            let bundle = self.told.as_ref().map(|it| it.generation);
            self.renew(cause(occasion), &in_force, Some(waiting), &warnings, bundle)?;
            self.local = file;
            Ok(())
        });
        self.watch.read(read);
        match renewed {
            Ok(()) => true,
            Err(why) => {
                self.refuse(occasion, &why);
                false
            }
        }
    }

    /// Puts what a policy server says in force, beside the file as it is; nothing changes where that is not possible.
    #[cfg(feature = "control")]
    pub(crate) fn offer(&mut self, told: &Told) -> Result<(), String> {
        if self.told.as_ref().is_none_or(|it| !it.is_read_as(told)) {
            let in_force = self.governed(&self.local, Some(told));
            self.renew("bundle", &in_force, None, &told.warnings, Some(told.generation))?;
        }
        self.told = Some(told.clone());
        Ok(())
    }

    /// The file with what was told in it; nobody is served where that is wanted and missing.
    fn governed(&self, file: &File, told: Option<&Told>) -> File {
        match told {
            _ if !self.started.control.governs() => file.clone(),
            Some(told) => file.governed_by(told.file.clone()),
            None => file.ungoverned(),
        }
    }

    /// Puts another configuration in force. `waiting` are the keys of the file that wait for a restart; `None` where it is
    /// the file that was in force before, with another bundle.
    fn renew(
        &self,
        cause: &str,
        file: &File,
        waiting: Option<Vec<&'static str>>,
        warnings: &Warnings,
        bundle: Option<u64>,
    ) -> Result<(), String> {
        let running = self.live.load();
        let snapshot = Snapshot::compile_beside(file, self.installation, Some(&running));
        let snapshot = Arc::new(snapshot.map_err(|error| error.to_string())?);
        self.log.set(file.log_level)?;
        for warning in &warnings.items {
            tracing::warn!("{}", warning.what);
        }
        for key in waiting.iter().flatten() {
            tracing::warn!(key, "`{key}` has changed and waits for a restart; all else is in force");
        }
        let (before, generation) = (running.generation().to_owned(), snapshot.generation().to_owned());
        let now = WallClock::new().now();
        match waiting {
            Some(waiting) => self.live.renew(snapshot.clone(), waiting, now),
            None => self.live.renew_part(snapshot.clone(), now),
        }
        // Beside the requests: who was shut out is shut out at once, and the automata that were there before are there still.
        warm(snapshot);
        let History { waiting, refused, .. } = self.live.history();
        self.metrics.config_renewed(waiting.len(), refused.is_none(), now);
        let restart = waiting.join(",");
        tracing::info!(cause, generation, before, bundle, restart, "the configuration is in force");
        let details = [
            ("cause", Some(cause.to_owned())),
            ("generation", Some(generation)),
            ("before", Some(before)),
            ("restart", (!restart.is_empty()).then_some(restart)),
            ("bundle", bundle.map(|it| it.to_string())),
        ];
        self.act(Act::of_gateway("config.reloaded", details));
        Ok(())
    }

    fn refuse(&self, occasion: Occasion, why: &str) {
        tracing::error!(
            cause = cause(occasion),
            "the configuration is refused, the one before it stays in force; correct it, it is read again when the file \
             changes: {why}"
        );
        self.metrics.config_refused();
        self.live.refuse(why.to_owned(), WallClock::new().now());
        let generation = self.live.load().generation().to_owned();
        let why = why[..why.floor_char_boundary(REASON_BYTES_MAX)].to_owned();
        let details = [("cause", cause(occasion).to_owned()), ("generation", generation), ("why", why)];
        self.act(Act::of_gateway("config.refused", details.map(|(name, it)| (name, Some(it)))));
    }

    fn act(&self, act: Act) {
        if let Some(scribe) = &self.scribe {
            scribe.act(act);
        }
    }
}

/// A panic while it was held has changed nothing that is not valid.
pub(crate) fn lock(reloader: &Mutex<Reloader>) -> MutexGuard<'_, Reloader> {
    reloader.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cause(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Passing => "file",
        Occasion::Asked => "signal",
    }
}
