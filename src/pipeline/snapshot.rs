//! Everything a request needs, compiled and immutable.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use super::access::Access;
use super::health::Health;
use super::label::Labels;
use super::memory::Memory;
use super::own_keys::OwnKeys;
use super::quarantine::Quarantine;
use super::quota::{Account, Prices};
use super::rules::custom_specs;
use super::seen::Seen;
use super::witness::Witness;
use crate::checkers;
use crate::config::{
    self, CircuitLimits, Dialect, File, Fronts, Limits, OnUnscannable, TeamLimits, UpstreamTimeouts, UpstreamUrl,
};
use crate::domain::{Checker, Direction, Secret, Source, Team};
use crate::policy::{Allowlist, Overlay, Policies};
use crate::providers::{self, Provider};
use crate::scan::known::{self, FingerprintKey, Known};
use crate::scan::{Engine, RuleError, RuleSet, RuleSpec};

/// One provider as the data plane sees it.
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is first of all; the path holds for every address.
    pub url: UpstreamUrl,
    /// Every address, that one first.
    pub urls: Vec<UpstreamUrl>,
    /// What it speaks.
    pub dialect: Dialect,
    /// PEM file with its roots, if not the system's.
    pub ca_file: Option<String>,
    /// Its times.
    pub timeouts: UpstreamTimeouts,
    pub(super) provider: &'static dyn Provider,
    pub(super) api_key: Option<Secret>,
    /// The credential header of every key, in the order of the configuration.
    pub credentials: Vec<(String, Secret)>,
    /// The same keys, as they are looked for in answers.
    pub(super) own_keys: OwnKeys,
    pub(super) circuit: CircuitLimits,
    /// Set when the snapshot is put in force.
    pub(super) health: OnceLock<Arc<Health>>,
    pub(super) headers: Vec<(String, Secret)>,
}

impl Upstream {
    /// What is known of its addresses and keys.
    pub fn health(&self) -> &Arc<Health> {
        self.health.get_or_init(|| Arc::new(self.unknown_health()))
    }

    pub(super) fn unknown_health(&self) -> Health {
        Health::new(self.urls.len(), self.credentials.len(), self.circuit)
    }

    /// Whether a connection to the other serves this one as well: same place, same trust, same credentials.
    pub fn is_served_by(&self, other: &Upstream) -> bool {
        let secrets = |all: &[(String, Secret)]| -> Vec<(String, String)> {
            all.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
        };
        (&self.name, &self.urls, self.dialect, &self.ca_file)
            == (&other.name, &other.urls, other.dialect, &other.ca_file)
            && secrets(&self.credentials) == secrets(&other.credentials)
            && secrets(&self.headers) == secrets(&other.headers)
    }
}

/// What one team is checked for in one direction.
pub(super) struct DirectionRules {
    /// The same for equal rules of one engine, and for no others.
    pub(super) number: u64,
    /// The checkers that run.
    pub(super) checkers: Vec<Checker>,
    /// The rules that hold, by source.
    by_source: [RuleSet; Source::ALL.len()],
    /// The rules that are looked for across the borders of adjacent text blocks.
    pub(super) seam: RuleSet,
}

impl DirectionRules {
    fn new(engine: &Engine, checkers: &[Checker], direction: Direction) -> Self {
        let holds = |rule: &crate::domain::RuleInfo| {
            checkers.contains(&rule.checker) && (rule.directions.is_empty() || rule.directions.contains(&direction))
        };
        let by_source = Source::ALL.map(|source| engine.select(|rule| holds(rule) && rule.sources.contains(source)));
        // A canary is not hidden, but looked for across borders all the same.
        let seam = engine.select(|rule| holds(rule) && (rule.redactable || rule.checker.name() == "secrets"));
        // Not keyed: only those who configure the gateway choose among these.
        let mut hasher = DefaultHasher::new();
        checkers.iter().for_each(|it| it.name().hash(&mut hasher));
        direction.hash(&mut hasher);
        DirectionRules { number: hasher.finish(), checkers: checkers.to_vec(), by_source, seam }
    }

    /// The rules that hold for text of this source.
    pub(super) fn of(&self, source: Source) -> &RuleSet {
        &self.by_source[source as usize]
    }
}

/// One team, compiled.
pub(super) struct TeamRules {
    pub(super) name: Team,
    pub(super) allowlist: Allowlist,
    /// The allowlist as written, for messages; `None` allows every model.
    pub(super) models: Option<Vec<String>>,
    pub(super) outbound: Arc<DirectionRules>,
    pub(super) inbound: Arc<DirectionRules>,
    pub(super) redact_secrets: bool,
    pub(super) limits: TeamLimits,
    /// Set when the snapshot is put in force.
    pub(super) account: OnceLock<Arc<Account>>,
}

impl TeamRules {
    /// What the team uses.
    pub(super) fn account(&self) -> &Arc<Account> {
        self.account.get_or_init(Arc::default)
    }

    /// The rules for one direction.
    pub(super) fn rules(&self, direction: Direction) -> &Arc<DirectionRules> {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }
}

/// The compiled configuration.
pub struct Snapshot {
    /// Sizes and times.
    pub limits: Limits,
    /// Who may say where a client comes from.
    pub fronts: Fronts,
    pub(super) upstreams: Vec<Arc<Upstream>>,
    /// `None`: no team is configured, everyone is the default team.
    pub(super) access: Option<Access>,
    pub(super) teams: Vec<Arc<TeamRules>>,
    pub(super) engine: Arc<Engine>,
    /// Digest of what the engine was made of beside the catalogue.
    engine_from: [u8; 32],
    pub(super) policies: Policies,
    pub(super) block_on_secrets: bool,
    pub(super) on_unscannable: OnUnscannable,
    pub(super) labels: Labels,
    pub(super) memory: Arc<Memory>,
    /// Texts without findings, by the rules of this engine.
    pub(super) seen: Arc<Seen>,
    /// What findings are fingerprinted with, where an exception is about single values.
    pub(super) value_key: Option<FingerprintKey>,
    pub(super) witness: Witness,
    pub(super) prices: Prices,
    pub(super) quarantine_rules: config::Quarantine,
    /// Set when the snapshot is put in force.
    pub(super) quarantine: OnceLock<Arc<Quarantine>>,
}

/// Why a configuration cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError(String);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// Compiles a configuration with the built-in catalogue and the rules of its files. `installation` keys the
    /// digests in records, and placeholders where the file names no key: 32 random bytes that stay over restarts.
    ///
    /// # Errors
    /// A rule that the engine refuses, one of a file whose examples show something else than they say, or a fingerprint
    /// file that cannot be used.
    pub fn compile(file: &File, installation: [u8; 32]) -> Result<Self, SnapshotError> {
        Snapshot::compile_beside(file, installation, None)
    }

    /// The same, beside one that is in force: an engine of the same rules and fingerprints is shared with it, automata,
    /// choices of rules and known texts included, and where nothing that is shown has changed, what it remembers is, too.
    ///
    /// # Errors
    /// As of [`Snapshot::compile`].
    pub fn compile_beside(
        file: &File,
        installation: [u8; 32],
        running: Option<&Snapshot>,
    ) -> Result<Self, SnapshotError> {
        let engine_from = engine_from(file);
        let sharing = running.filter(|it| it.engine_from == engine_from);
        let (engine, seen) = match sharing {
            Some(running) => (running.engine.clone(), running.seen.clone()),
            None => engine_of(file)?,
        };
        let policies = Policies::compile(file);
        let value_key = file.known_secrets.key.as_ref().filter(|_| policies.ask_fingerprints());
        let mut choices = Choices::new(&engine, sharing);
        let teams = Overlay::all(file).into_iter().map(|it| Arc::new(team(file, it, &mut choices))).collect();
        let key = file.redaction.restore.then(|| placeholder_key(file, installation));
        let witness = Witness::new(file, &engine, &installation);
        let same = running.filter(|it| it.witness.generation == witness.generation);
        Ok(Snapshot {
            limits: file.limits,
            fronts: file.fronts.clone(),
            upstreams: file.upstreams.iter().map(|it| Arc::new(upstream(it))).collect(),
            access: (!file.teams.is_empty()).then(|| Access::new(&file.teams)),
            teams,
            engine,
            engine_from,
            policies,
            block_on_secrets: file.block_on_secrets,
            on_unscannable: file.on_unscannable,
            labels: Labels::new(key),
            memory: same.map_or_else(|| Arc::new(Memory::new()), |it| it.memory.clone()),
            seen,
            value_key: value_key.map(FingerprintKey::new),
            witness,
            prices: Prices::new(&file.prices),
            quarantine_rules: file.quarantine.clone(),
            quarantine: OnceLock::new(),
        })
    }

    /// The first upstream that speaks `dialect`.
    pub(super) fn upstream_for(&self, dialect: Dialect) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|it| it.dialect == dialect)
    }

    /// The upstream of that name.
    pub(super) fn upstream_named(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|it| it.name == name)
    }

    /// The engine with all rules.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Digest prefix of the configuration: records carry it.
    pub fn generation(&self) -> &str {
        &self.witness.generation
    }

    /// Whether it was said where requests go. A file always says it; a control plane may not have been heard yet.
    pub fn is_governed(&self) -> bool {
        !self.upstreams.is_empty()
    }

    /// Whether this team may ask for this model; a team that there is not may.
    pub fn allows_model(&self, team: &str, model: &str) -> bool {
        let team = self.teams.iter().find(|it| it.name.as_str() == team);
        team.is_none_or(|it| it.allowlist.allows(model))
    }

    /// Who is kept out.
    pub(super) fn quarantine(&self) -> &Arc<Quarantine> {
        self.quarantine.get_or_init(Arc::default)
    }

    /// Builds the automata of all rules that a team is checked for: some seconds of work for the default checks, best
    /// done on a thread of its own while texts are scanned already. Names the rules whose automaton would be too large.
    pub fn warm(&self) -> Vec<RuleError> {
        let all = self.teams.iter().flat_map(|team| [&team.outbound, &team.inbound]);
        let sets: Vec<&RuleSet> = all.flat_map(|rules| rules.by_source.iter().chain([&rules.seam])).collect();
        self.engine.warm_for(&sets)
    }
}

/// An engine, and what was seen by it: known texts are known by the rules of one engine.
type EngineAndSeen = (Arc<Engine>, Arc<Seen>);

/// The engine of this configuration.
fn engine_of(file: &File) -> Result<EngineAndSeen, SnapshotError> {
    let custom = custom_specs(&file.rules.files).map_err(SnapshotError)?;
    let (known, built_in) = (known(file)?, built_in()?);
    if custom.is_empty() && known.is_none() {
        return Ok(built_in);
    }
    let specs = catalogue()?.into_iter().chain(custom).collect();
    let engine = built_in.0.extended(specs, known).map_err(every)?;
    Ok((Arc::new(engine), Arc::new(Seen::new())))
}

/// Digest of all that [`engine_of`] reads. Every part goes in with its length, so that none can pass for another.
fn engine_from(file: &File) -> [u8; 32] {
    use sha2::Digest;
    let key = file.known_secrets.key.as_ref().map(|it| ("key", it.expose()));
    let known = file.known_secrets.files.iter().map(|it| (&*it.path, &*it.text));
    let rules = file.rules.files.iter().map(|it| (&*it.path, &*it.text));
    let mut digest = sha2::Sha256::new();
    for (kind, (name, text)) in
        key.map(|it| (0, it)).into_iter().chain(known.map(|it| (1, it))).chain(rules.map(|it| (2, it)))
    {
        digest.update([kind]);
        for part in [name, text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().into()
}

/// The engine over the built-in catalogue, the same in every snapshot of the process, so compiled once. Those with more
/// rules share its automata: what a gateway is told later costs what is new in it.
fn built_in() -> Result<EngineAndSeen, SnapshotError> {
    static ENGINE: OnceLock<Result<EngineAndSeen, SnapshotError>> = OnceLock::new();
    let made = || Ok((Arc::new(Engine::new(catalogue()?).map_err(every)?), Arc::new(Seen::new())));
    ENGINE.get_or_init(made).clone()
}

fn catalogue() -> Result<Vec<RuleSpec>, SnapshotError> {
    checkers::rules().map_err(|error| SnapshotError(error.to_string()))
}

fn every(errors: Vec<RuleError>) -> SnapshotError {
    SnapshotError(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The fingerprints of all files; `None` without files.
fn known(file: &File) -> Result<Option<Known>, SnapshotError> {
    let config::KnownSecrets { key: Some(key), files } = &file.known_secrets else { return Ok(None) };
    if files.is_empty() {
        return Ok(None);
    }
    let key = FingerprintKey::new(key);
    let mut entries = Vec::new();
    for it in files {
        let read = known::read(&key, &it.text);
        entries.extend(read.map_err(|error| SnapshotError(format!("{}: {error}", it.path)))?);
    }
    if entries.len() > known::FINGERPRINTS_MAX {
        let message = format!("known_secrets: more than {} fingerprints in all files", known::FINGERPRINTS_MAX);
        return Err(SnapshotError(message));
    }
    Ok(Some(Known::new(key, entries)))
}

fn placeholder_key(file: &File, installation: [u8; 32]) -> [u8; 32] {
    use sha2::Digest;
    match &file.redaction.key {
        Some(key) => sha2::Sha256::digest(key.expose().as_bytes()).into(),
        None => installation,
    }
}

fn upstream(it: &config::Upstream) -> Upstream {
    let provider = providers::for_dialect(it.dialect);
    let credential = |key: &Secret| {
        let (name, value) = provider.credential(key.expose());
        (name.to_owned(), Secret::new(value))
    };
    Upstream {
        name: it.name.clone(),
        url: it.url.clone(),
        urls: std::iter::once(&it.url).chain(&it.more_urls).cloned().collect(),
        dialect: it.dialect,
        ca_file: it.ca_file.clone(),
        timeouts: it.timeouts,
        provider,
        credentials: it.api_key.iter().chain(&it.more_api_keys).map(credential).collect(),
        own_keys: OwnKeys::new(it.api_key.iter().chain(&it.more_api_keys)),
        circuit: it.circuit,
        health: OnceLock::new(),
        api_key: it.api_key.clone(),
        headers: it.headers.clone(),
    }
}

/// The choices of rules made so far: teams that are checked for the same share one, which is a megabyte.
struct Choices<'a> {
    engine: &'a Engine,
    made: Vec<(Direction, Arc<DirectionRules>)>,
}

impl<'a> Choices<'a> {
    /// With those of a snapshot that shares the engine.
    fn new(engine: &'a Engine, sharing: Option<&Snapshot>) -> Self {
        let mut made: Vec<(Direction, Arc<DirectionRules>)> = Vec::new();
        for team in sharing.iter().flat_map(|it| &it.teams) {
            for direction in [Direction::Outbound, Direction::Inbound] {
                let rules = team.rules(direction);
                if !made.iter().any(|(_, it)| Arc::ptr_eq(it, rules)) {
                    made.push((direction, rules.clone()));
                }
            }
        }
        Choices { engine, made }
    }

    fn of(&mut self, checkers: &[Checker], direction: Direction) -> Arc<DirectionRules> {
        let same = |(its, rules): &&(Direction, Arc<DirectionRules>)| *its == direction && rules.checkers == checkers;
        if let Some((_, rules)) = self.made.iter().find(same) {
            return rules.clone();
        }
        let rules = Arc::new(DirectionRules::new(self.engine, checkers, direction));
        self.made.push((direction, rules.clone()));
        rules
    }
}

fn team(file: &File, overlay: Overlay, choices: &mut Choices<'_>) -> TeamRules {
    let configured = file.teams.iter().find(|it| it.name == overlay.team);
    TeamRules {
        name: Team::new(&overlay.team),
        models: configured.and_then(|it| it.model_allowlist.clone()),
        outbound: choices.of(overlay.checkers(Direction::Outbound), Direction::Outbound),
        inbound: choices.of(overlay.checkers(Direction::Inbound), Direction::Inbound),
        redact_secrets: overlay.redact_secrets,
        limits: configured.map_or(file.team_limits, |it| it.limits.or(file.team_limits)),
        account: OnceLock::new(),
        allowlist: overlay.allowlist,
    }
}
