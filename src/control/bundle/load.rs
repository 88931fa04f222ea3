//! Reads composed texts with the gateway's own loader: what it accepts, gateways accept. Off the threads that serve, and
//! not too many at the same time; what was proven once is not proven again.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saphyr_parser::{Event, Parser};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::compose::{Content, OwnChecks, SECRET_PREFIX, check_authored};
use super::inputs::{Inputs, RuleSet};
use crate::checkers::{self, RuleText, Trial};
use crate::config::{Checks, File, Mistake, Mistakes, ReadRules, Reading, Reference, RuleFile, Rules};
use crate::control::{Problem, ProblemKind};
use crate::domain::Checker;
use crate::pipeline::{Snapshot, custom_checkers};

/// Texts that are compiled at the same time: each takes a core.
const COMPILING_MAX: usize = 2;
/// Longest wait for a turn.
const WAIT: Duration = Duration::from_secs(20);
/// Sets of rule files that are remembered as proven.
const PROVEN_MAX: usize = 16;

/// What is wrong with what would be in force, in the author's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where: `policy`, or the path of a rule file; empty for what is kept elsewhere.
    pub(crate) origin: String,
    /// Line from 1, where it is a line of that text.
    pub(crate) line: Option<usize>,
    /// Column from 1, in characters.
    pub(crate) column: Option<usize>,
    /// The setting: `policies[0].condition.risk`.
    pub(crate) setting: String,
    /// What is wrong.
    pub(crate) what: String,
    /// What would be right, and what to do.
    pub(crate) help: String,
}

/// A text that gateways accept.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) content: Content,
    pub(crate) file: File,
    pub(crate) snapshot: Arc<Snapshot>,
    /// What is allowed but doubtful.
    pub(crate) warnings: Vec<Fault>,
}

/// What comes of reading.
pub(crate) type Outcome = Result<Loaded, Vec<Fault>>;

/// Reads and compiles.
pub(crate) struct Loader {
    turns: Semaphore,
    memory: Arc<Memory>,
}

impl Default for Loader {
    fn default() -> Self {
        Loader { turns: Semaphore::new(COMPILING_MAX), memory: Arc::default() }
    }
}

/// What was proven, and the newest snapshot with rules of the company's own, whose engine others share.
#[derive(Default)]
struct Memory {
    proven: Mutex<Vec<([u8; 32], Vec<Checker>)>>,
    newest: Mutex<Option<Arc<Snapshot>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loader {
    /// Composes and compiles these parts as a gateway would.
    pub(crate) async fn load(&self, inputs: Inputs) -> Result<Outcome, Problem> {
        let memory = self.memory.clone();
        self.run(move || memory.load(&inputs)).await
    }

    /// Tries rule files beside the built-in rules, all checkers running. `look` gets the snapshot, and the ids of the
    /// rules of these files.
    pub(crate) async fn try_rules<T: Send + 'static>(
        &self,
        rules: Vec<RuleSet>,
        look: impl FnOnce(&Arc<Snapshot>, &HashSet<String>) -> T + Send + 'static,
    ) -> Result<Result<T, Vec<Fault>>, Problem> {
        let memory = self.memory.clone();
        self.run(move || {
            let (snapshot, own) = memory.all_running(&rules)?;
            Ok(look(&snapshot, &own))
        })
        .await
    }

    /// Runs something that takes a core for a while, in its turn.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || Problem::new(ProblemKind::Unavailable, "too many texts are being checked; try again");
        let turn = tokio::time::timeout(WAIT, self.turns.acquire()).await.map_err(|_| busy())?;
        let _turn = turn.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| Problem::new(ProblemKind::Internal, "the text could not be checked; the log says more"))
    }
}

impl Memory {
    fn load(&self, inputs: &Inputs) -> Outcome {
        check_authored(&inputs.policy).map_err(|mistakes| faults(&mistakes.items, usize::MAX))?;
        let proven = self.prove(&inputs.rules)?;
        let own = own_checks(inputs, &proven)?;
        let content = Content::compose(inputs, &own);
        let read = |files: &[RuleFile]| match self.checkers(files) {
            Some(checkers) => Ok(checkers),
            None => custom_checkers(files),
        };
        let (file, warnings) = read_text(&content, &read)?;
        foreign_checks(&file, &own)?;
        let (teams, upstreams) = content.names();
        let is_it = names(file.teams.iter().map(|it| &it.name)) == teams
            && names(file.upstreams.iter().map(|it| &it.name)) == upstreams;
        if !is_it {
            return Err(vec![fault("the text cannot be followed by teams and providers", "one section after another")]);
        }
        let newest = lock(&self.newest).clone();
        // The key is that of no gateway: what it makes differs in placeholders and digests only.
        let snapshot = Snapshot::compile_beside(&file, [0; 32], newest.as_deref());
        let snapshot = Arc::new(snapshot.map_err(|error| vec![fault(&error.to_string(), "")])?);
        if !file.rules.files.is_empty() {
            *lock(&self.newest) = Some(snapshot.clone());
        }
        let lines = content.authored_lines();
        let warnings = faults(&warnings, lines).into_iter().filter(|it| it.line.is_some()).collect();
        Ok(Loaded { content, file, snapshot, warnings })
    }

    /// A snapshot in which every checker runs, and the ids of these rules.
    fn all_running(&self, rules: &[RuleSet]) -> Result<(Arc<Snapshot>, HashSet<String>), Vec<Fault>> {
        let own: Vec<String> = self.prove(rules)?.into_iter().flatten().collect();
        let checks = Checker::BUILT_IN.into_iter().filter(|it| *it != "pii");
        let mut checks: Vec<Checker> = checks.chain(own.iter().map(String::as_str)).map(Checker::new).collect();
        checks.sort_unstable();
        checks.dedup();
        let files = rules.iter().map(|it| RuleFile { path: it.path.clone(), text: it.text.clone() }).collect();
        let file = File {
            checks: Checks { outbound: checks.clone(), inbound: checks },
            rules: Rules { files, checkers: Vec::new() },
            ..File::default()
        };
        let newest = lock(&self.newest).clone();
        let snapshot = Snapshot::compile_beside(&file, [0; 32], newest.as_deref());
        let snapshot = snapshot.map_err(|error| vec![fault(&error.to_string(), "")])?;
        let entries = rules.iter().flat_map(|it| checkers::parse(&it.text, &it.path).unwrap_or_default());
        Ok((Arc::new(snapshot), entries.map(|it| it.rule.info.id).collect()))
    }

    /// The checkers of each rule file, in order, once every rule was tried on its examples.
    fn prove(&self, rules: &[RuleSet]) -> Result<Vec<Vec<String>>, Vec<Fault>> {
        let texts: Vec<RuleText<'_>> = rules.iter().map(|it| RuleText { origin: &it.path, text: &it.text }).collect();
        let files: Vec<RuleFile> =
            rules.iter().map(|it| RuleFile { path: it.path.clone(), text: it.text.clone() }).collect();
        let repeated: Vec<Fault> = rules.iter().filter_map(repeats).collect();
        if !repeated.is_empty() {
            return Err(repeated);
        }
        let mut of_files = Vec::new();
        for text in &texts {
            let mut checkers: Vec<String> = Vec::new();
            // What cannot be read is told below, with everything else.
            for entry in checkers::parse(text.text, text.origin).unwrap_or_default() {
                checkers.push(entry.rule.info.checker.name().to_owned());
            }
            checkers.sort_unstable();
            checkers.dedup();
            of_files.push(checkers);
        }
        if rules.is_empty() || self.checkers(&files).is_some() {
            return Ok(of_files);
        }
        let entries = checkers::custom(&texts, Trial::Whole).map_err(|mistakes| {
            let told = |it: &checkers::LoadError| Fault {
                origin: it.origin.clone(),
                line: Some(it.line),
                column: Some(1),
                setting: it.id.clone().unwrap_or_default(),
                what: it.reason.to_string(),
                help: "docs/rules.md describes how rules are written".to_owned(),
            };
            mistakes.iter().map(told).collect::<Vec<_>>()
        })?;
        let mut all: Vec<Checker> = entries.into_iter().map(|it| it.rule.info.checker).collect();
        all.sort_unstable();
        all.dedup();
        let mut proven = lock(&self.proven);
        if proven.len() == PROVEN_MAX {
            proven.remove(0);
        }
        proven.push((digest(&files), all));
        Ok(of_files)
    }

    /// The checkers of these files, where they were proven before.
    fn checkers(&self, files: &[RuleFile]) -> Option<Vec<Checker>> {
        let wanted = digest(files);
        lock(&self.proven).iter().find(|(it, _)| *it == wanted).map(|(_, checkers)| checkers.clone())
    }
}

/// An alias in a rule file: a few bytes of them stand for more text than there is memory.
fn repeats(rules: &RuleSet) -> Option<Fault> {
    let mut parser = Parser::new_from_str(&rules.text);
    while let Some(event) = parser.next_event() {
        let (place, what) = match event {
            Ok((Event::Alias(_), span)) => (span.start, "aliases (`*name`) are not read in rules".to_owned()),
            Ok(_) => continue,
            Err(error) => (*error.marker(), format!("this is not valid YAML: {}", error.info())),
        };
        let help = "each value where it belongs";
        let (line, column) = (Some(place.line().max(1)), Some(place.col() + 1));
        return Some(Fault { origin: rules.path.clone(), line, column, ..fault(&what, help) });
    }
    None
}

fn digest(files: &[RuleFile]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in files.iter().flat_map(|it| [&it.path, &it.text]) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// The file, and its warnings.
fn read_text(content: &Content, read_rules: &ReadRules<'_>) -> Result<(File, Vec<Mistake>), Vec<Fault>> {
    let resolve = |reference: &Reference| match reference {
        Reference::Environment(name) if name.starts_with(SECRET_PREFIX) => Ok(format!("made-up-{name}")),
        Reference::File(path) => content.files.get(path).cloned().ok_or_else(|| "there is no such file".to_owned()),
        _ => Err("there is no such value".to_owned()),
    };
    let reading = Reading { origin: "policy", resolve: &resolve, known_checkers: &Checker::BUILT_IN, read_rules };
    match reading.read(&content.text()) {
        Ok((file, warnings)) => Ok((file, warnings.items)),
        Err(Mistakes { items, .. }) => Err(faults(&items, content.authored_lines())),
    }
}

/// What is wrong, with its line where that is one of the first `lines`.
fn faults(mistakes: &[Mistake], lines: usize) -> Vec<Fault> {
    let told = |it: &Mistake| {
        let line = it.line.filter(|it| *it <= lines);
        let both = [it.expected.as_ref().map(|it| format!("expected: {it}")), it.help.clone()];
        Fault {
            origin: if line.is_some() { "policy".to_owned() } else { String::new() },
            line,
            column: it.column.filter(|_| line.is_some()),
            setting: it.setting.clone(),
            what: it.what.clone(),
            help: both.into_iter().flatten().collect::<Vec<_>>().join("; "),
        }
    };
    mistakes.iter().map(told).collect()
}

fn fault(what: &str, help: &str) -> Fault {
    let (origin, setting) = (String::new(), String::new());
    Fault { origin, line: None, column: None, setting, what: what.to_owned(), help: help.to_owned() }
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> Vec<&'n str> {
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// What teams' own rules add to their checks. A checker of a team's own rules is nobody else's.
fn own_checks(inputs: &Inputs, checkers: &[Vec<String>]) -> Result<OwnChecks, Vec<Fault>> {
    let mut own = OwnChecks::default();
    if inputs.rules.iter().all(|it| it.team.is_none()) {
        return Ok(own);
    }
    let mut taken: BTreeMap<&str, &str> = Checker::BUILT_IN.into_iter().map(|it| (it, "the built-in rules")).collect();
    // Everyone's rules first, whatever their place in the list.
    let mut sets: Vec<(&RuleSet, &Vec<String>)> = inputs.rules.iter().zip(checkers).collect();
    sets.sort_by_key(|(it, _)| it.team.is_some());
    let mut wrong = Vec::new();
    for (set, checkers) in sets {
        for checker in checkers {
            match (taken.insert(checker, &set.path), &set.team) {
                (Some(other), Some(team)) => {
                    let what =
                        format!("the rules of the team `{team}` have the checker `{checker}`, which {other} have");
                    let help = "ids that begin with a name of the team's own, which runs for that team alone";
                    wrong.push(Fault { origin: set.path.clone(), ..fault(&what, help) });
                }
                (_, Some(team)) => own.of_teams.entry(team.clone()).or_default().push(checker.clone()),
                (_, None) => {}
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    // Which checks hold for teams that name none, is read without the teams' additions.
    let plain = Content::compose(inputs, &OwnChecks::default());
    let all: Vec<Checker> = checkers.iter().flatten().map(|it| Checker::new(it)).collect();
    let (file, _) = read_text(&plain, &|_: &[RuleFile]| Ok(all.clone()))?;
    own.common =
        [&file.checks.outbound, &file.checks.inbound].map(|it| it.iter().map(|it| it.name().to_owned()).collect());
    Ok(own)
}

/// Rules of a team run for that team alone.
fn foreign_checks(file: &File, own: &OwnChecks) -> Result<(), Vec<Fault>> {
    let mut wrong = Vec::new();
    for (team, checkers) in &own.of_teams {
        let is_own = |it: &Checker| checkers.iter().any(|own| own == it.name());
        let elsewhere = || format!("is of the team `{team}` and runs for that team alone");
        let mut all = [&file.checks.outbound, &file.checks.inbound].into_iter().flatten();
        if let Some(checker) = all.find(|it| is_own(it)) {
            let what = format!("`checks` names `{checker}`, which {}", elsewhere());
            wrong.push(Fault { setting: "checks".to_owned(), ..fault(&what, "checkers of rules that are everyone's") });
        }
        for other in file.teams.iter().filter(|it| it.name != *team) {
            let mut checks = [&other.outbound_checks, &other.inbound_checks].into_iter().flatten().flatten();
            if let Some(checker) = checks.find(|it| is_own(it)) {
                let what = format!("the team `{}` names `{checker}`, which {}", other.name, elsewhere());
                wrong.push(fault(&what, "checkers of rules that are everyone's"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// All faults as sentences.
pub(crate) fn sentences(faults: &[Fault]) -> Vec<String> {
    let told = |it: &Fault| {
        let place = match (it.origin.as_str(), it.line, it.setting.as_str()) {
            ("", _, "") => String::new(),
            ("", _, setting) => format!("{setting}: "),
            (origin, Some(line), _) => format!("{origin}:{line}:{}: ", it.column.unwrap_or(1)),
            (origin, None, _) => format!("{origin}: "),
        };
        let help = if it.help.is_empty() { String::new() } else { format!(" ({})", it.help) };
        format!("{place}{}{help}", it.what)
    };
    faults.iter().take(50).map(told).collect()
}
