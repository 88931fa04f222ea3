//! Quarantines of this gateway's own rules on disk, so that a restart forgets none: a file in the gateway's folder, brought
//! up to date beside the requests. An entry that somebody removes from it is released, and so is one that a command asks
//! for in a file beside it. Each step is an act in the audit log.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "serve")]
use std::time::Duration;
use std::time::SystemTime;

use airiskguard_gateway::domain::{Held, Stamp};
use airiskguard_gateway::pipeline::Live;
use airiskguard_gateway::store::{Act, write_whole};
use serde::{Deserialize, Serialize};

use crate::configuration;

/// The file in the gateway's folder.
pub(crate) const FILE: &str = "quarantine.json";
/// The file in which releases are asked for: the gateway alone writes the other one while it runs.
const ASKED: &str = "quarantine.release";
/// A larger one is none of ours.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Between two looks at what was imposed and at the file.
#[cfg(feature = "serve")]
const INTERVAL: Duration = Duration::from_millis(200);

/// One line of [`ASKED`].
#[derive(Serialize, Deserialize)]
struct Release {
    reference: String,
    reason: String,
}

/// Who was kept out when the gateway with this folder last looked.
pub(crate) fn held(folder: &Path) -> Result<Vec<Held>, String> {
    read(&folder.join(FILE))
}

/// Asks the gateway with this folder to release these, now or when it starts.
pub(crate) fn ask_for_release(folder: &Path, references: &[String], reason: &str) -> Result<(), String> {
    let path = folder.join(ASKED);
    let unusable = |error: String| format!("cannot write {}: {error}", path.display());
    let mut lines = String::new();
    for reference in references {
        let line = Release { reference: reference.clone(), reason: reason.to_owned() };
        lines.push_str(&serde_json::to_string(&line).map_err(|error| unusable(error.to_string()))?);
        lines.push('\n');
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let written = file.and_then(|mut it| it.lock().and_then(|()| it.write_all(lines.as_bytes())));
    written.map_err(|error| unusable(error.to_string()))
}

/// What was asked for since this was last called. Whoever writes meanwhile waits: nothing falls in between.
fn take_asked(path: &Path) -> std::io::Result<String> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.lock()?;
    let text = configuration::read_within(path, FILE_BYTES_MAX)?;
    file.set_len(0)?;
    Ok(text)
}

/// Keeps the file and the quarantines in step.
pub(crate) struct Keeper {
    live: Arc<Live>,
    path: PathBuf,
    /// What stands in the file, by reference.
    written: BTreeSet<String>,
    /// How the file was when it was read or written.
    mark: Option<Mark>,
    told: bool,
}

/// What tells one version of the file from another.
type Mark = (SystemTime, u64);

impl Keeper {
    /// Recalls what was imposed before this start.
    ///
    /// # Errors
    /// A file that cannot be read: nobody knows who is to be kept out.
    pub(crate) fn open(folder: &Path, live: Arc<Live>) -> Result<Keeper, String> {
        let path = folder.join(FILE);
        let mut keeper = Keeper { live, path, written: BTreeSet::new(), mark: None, told: false };
        keeper.mark = keeper.look();
        if keeper.mark.is_some() {
            let held = read(&keeper.path)?;
            keeper.written = held.iter().map(|it| it.reference.clone()).collect();
            keeper.live.quarantine().recall(held);
        }
        Ok(keeper)
    }

    /// Brings file and memory in step; what has happened since the last step.
    pub(crate) fn step(&mut self, now: Stamp) -> Vec<Act> {
        let mut acts: Vec<Act> = self.live.quarantine().take_fresh().iter().map(imposed).collect();
        acts.extend(self.changed_by_hand());
        acts.extend(self.asked());
        let held = self.live.quarantine().imposed(now);
        let references: BTreeSet<String> = held.iter().map(|it| it.reference.clone()).collect();
        if references != self.written {
            match self.write(&held) {
                Ok(()) => (self.written, self.told) = (references, false),
                Err(error) if !self.told => {
                    tracing::error!("a restart would forget who is in quarantine: {error}");
                    self.told = true;
                }
                Err(_) => {}
            }
        }
        acts
    }

    /// What somebody else has written: entries that are gone are released, new ones hold, such as those of the process
    /// that this one takes over from.
    fn changed_by_hand(&mut self) -> Vec<Act> {
        let mark = self.look();
        if mark == self.mark {
            return Vec::new();
        }
        self.mark = mark;
        let held = match read(&self.path) {
            Ok(held) => held,
            Err(error) => {
                tracing::error!("the quarantines stay as they are: {error}");
                return Vec::new();
            }
        };
        let there: BTreeSet<String> = held.iter().map(|it| it.reference.clone()).collect();
        let gone = std::mem::replace(&mut self.written, there.clone()).into_iter().filter(|it| !there.contains(it));
        let released =
            gone.filter(|it| self.live.quarantine().release(it)).map(|it| released(&it, "file", None)).collect();
        self.live.quarantine().recall(held);
        released
    }

    /// What commands ask for.
    fn asked(&mut self) -> Vec<Act> {
        let path = self.path.with_file_name(ASKED);
        if std::fs::metadata(&path).map_or(0, |it| it.len()) == 0 {
            return Vec::new();
        }
        let Ok(text) = take_asked(&path).map_err(|error| tracing::error!("cannot use {}: {error}", path.display()))
        else {
            return Vec::new();
        };
        let asked = text.lines().filter_map(|line| {
            let ignored = |error| tracing::warn!("{}: a line asks for nothing: {error}", path.display());
            serde_json::from_str::<Release>(line).map_err(ignored).ok()
        });
        let done = asked.filter(|it| self.live.quarantine().release(&it.reference));
        done.map(|it| released(&it.reference, "command", Some(&it.reason))).collect()
    }

    fn look(&self) -> Option<Mark> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    fn write(&mut self, held: &[Held]) -> Result<(), String> {
        let text = serde_json::to_string_pretty(held).map_err(|error| error.to_string())?;
        let written = write_whole(&self.path, format!("{text}\n").as_bytes());
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()))?;
        self.mark = self.look();
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<Held>, String> {
    let unusable = |error: String| format!("cannot use {}: {error}", path.display());
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = configuration::read_within(path, FILE_BYTES_MAX).map_err(|it| unusable(it.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))
}

/// Keeps them in step from now on, on a thread of its own. `write_down` gets the acts.
#[cfg(feature = "serve")]
pub(crate) fn start(mut keeper: Keeper, write_down: impl Fn(Act) + Send + 'static) -> std::io::Result<()> {
    let run = move || {
        loop {
            keeper.step(configuration::now()).into_iter().for_each(&write_down);
            std::thread::park_timeout(INTERVAL);
        }
    };
    std::thread::Builder::new().name("quarantine".into()).spawn(run).map(drop)
}

fn imposed(it: &Held) -> Act {
    let details = [
        ("reference", Some(it.reference.clone())),
        ("kind", Some(it.kind.name().to_owned())),
        ("value", Some(it.value.clone())),
        ("reason", Some(it.reason.clone())),
        ("since_ms", Some(it.since_ms.to_string())),
        ("team", it.team.clone()),
        ("contact", it.contact.clone()),
        ("until_ms", it.until_ms.map(|it| it.to_string())),
    ];
    Act::of_gateway("quarantine.imposed", details)
}

fn released(reference: &str, cause: &str, reason: Option<&str>) -> Act {
    let details = [("reference", Some(reference)), ("cause", Some(cause)), ("reason", reason)];
    Act::of_gateway("quarantine.released", details.map(|(name, value)| (name, value.map(str::to_owned))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use airiskguard_gateway::config::File;
    use airiskguard_gateway::domain::HeldKind;
    use airiskguard_gateway::pipeline::Snapshot;

    fn live() -> Arc<Live> {
        let yaml = "upstream: {anthropic: https://one.example}\n";
        let file = File::parse(yaml, "gateway.yaml", &|_| Err("none".into())).unwrap();
        Arc::new(Live::new(Arc::new(Snapshot::compile(&file, [7; 32]).unwrap())))
    }

    fn held(reference: &str) -> Held {
        Held {
            reference: reference.into(),
            kind: HeldKind::Key,
            value: "0a0b0c0d".into(),
            team: None,
            reason: "3 findings".into(),
            contact: None,
            since_ms: 5,
            until_ms: None,
        }
    }

    fn references(live: &Live) -> Vec<String> {
        live.quarantine().imposed(configuration::now()).into_iter().map(|it| it.reference).collect()
    }

    #[test]
    fn a_restart_recalls_who_is_out_and_a_removed_entry_is_a_release() {
        let folder = tempfile::tempdir().unwrap();
        let (first, now) = (live(), configuration::now());
        let mut keeper = Keeper::open(folder.path(), first.clone()).unwrap();
        first.quarantine().recall(vec![held("Q-ONE"), held("Q-TWO")]);
        assert!(keeper.step(now).is_empty(), "what is recalled is no new act");

        let second = live();
        let mut keeper = Keeper::open(folder.path(), second.clone()).unwrap();
        assert_eq!(references(&second), ["Q-ONE", "Q-TWO"]);
        let text = serde_json::to_string(&[held("Q-TWO"), held("Q-THREE")]).unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let acts = keeper.step(now);
        assert_eq!((acts.len(), acts[0].act.as_str()), (1, "quarantine.released"));
        assert_eq!(acts[0].details["reference"], "Q-ONE");
        assert_eq!(references(&second), ["Q-TWO", "Q-THREE"]);
        assert!(keeper.step(now).is_empty());
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
        assert_eq!(keeper.step(now).len(), 2);
        assert!(references(&second).is_empty());
    }

    #[test]
    fn a_release_that_is_asked_for_is_done_once_and_keeps_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let text = serde_json::to_string(&[held("Q-ONE"), held("Q-TWO")]).unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        // Before the start, and with a line that somebody spoiled.
        std::fs::write(folder.path().join(ASKED), "spoiled\n").unwrap();
        ask_for_release(folder.path(), &["Q-ONE".to_owned()], "a test key").unwrap();
        let (live, now) = (live(), configuration::now());
        let mut keeper = Keeper::open(folder.path(), live.clone()).unwrap();
        let acts = keeper.step(now);
        assert_eq!(acts.len(), 1);
        let details = ["reference", "cause", "reason"].map(|it| acts[0].details[it].as_str());
        assert_eq!(details, ["Q-ONE", "command", "a test key"]);
        assert_eq!(references(&live), ["Q-TWO"]);
        let kept: Vec<_> = super::held(folder.path()).unwrap().into_iter().map(|it| it.reference).collect();
        assert_eq!((kept, keeper.step(now).len()), (vec!["Q-TWO".to_owned()], 0));
    }

    #[test]
    fn no_release_falls_between_two_looks() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..400).map(|number| format!("Q-{number:03}")).collect();
        let all: Vec<Held> = names.iter().map(|name| held(name)).collect();
        std::fs::write(folder.path().join(FILE), serde_json::to_string(&all).unwrap()).unwrap();
        let mut keeper = Keeper::open(folder.path(), live()).unwrap();
        let mut released = 0;
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                names.iter().for_each(|it| ask_for_release(folder.path(), std::slice::from_ref(it), "r").unwrap())
            });
            while !asking.is_finished() {
                released += keeper.asked().len();
            }
        });
        assert_eq!(released + keeper.asked().len(), names.len());
    }

    #[test]
    fn a_file_that_cannot_be_read_lets_no_gateway_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "[{").unwrap();
        assert!(Keeper::open(folder.path(), live()).is_err());
    }

    #[test]
    fn an_act_says_all_that_other_gateways_need() {
        let it = Held { team: Some("red".into()), until_ms: Some(9), contact: Some("#s".into()), ..held("Q-ONE") };
        let names: Vec<_> = imposed(&it).details.into_keys().collect();
        assert_eq!(names, ["contact", "kind", "reason", "reference", "since_ms", "team", "until_ms", "value"]);
    }
}
