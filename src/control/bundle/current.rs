//! What a gateway is to run on now: composed of what is kept, numbered, sealed for it and signed. What would not load is
//! never given out: the content before it stays, less the keys that were taken back since.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::compose::{Content, OwnChecks};
use super::inputs::Inputs;
use super::load::{Loader, sentences};
use super::payload::{Bundle, Signed, VERSION};
use super::signing::{sign, unopened};
use crate::control::gateways::{self, Gateway};
use crate::control::http::Actor;
use crate::control::providers::{self, Provider};
use crate::control::seal::{decrypt, encrypt, key_bytes};
use crate::control::server::Control;
use crate::control::shelf::{Kept, Stored};
use crate::control::{Problem, ProblemKind};
use crate::domain::Secret;

/// How long one look at the store answers for all gateways of a group, where this server has changed nothing since.
const FRESH_MS: u64 = 1000;
/// How often a number is asked for anew where other servers take it at the same moment.
const TRIES_MAX: usize = 8;

/// What a group runs on, as its servers agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) group: String,
    /// Grows with every change of the content.
    pub(crate) generation: u64,
    /// When this generation was made, Unix milliseconds.
    pub(crate) made_ms: u64,
    pub(crate) content: Content,
    /// Why what is kept now is not in force, if so.
    pub(crate) refused: Option<Refused>,
}

/// Why something is not in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// Since when, Unix milliseconds.
    pub(crate) since_ms: u64,
    /// What is wrong, a sentence each.
    pub(crate) mistakes: Vec<String>,
}

impl Stored for State {
    const KIND: &'static str = "bundle";

    fn id(&self) -> &str {
        &self.group
    }
}

/// What bundles are made with, and what is remembered of them.
#[derive(Default)]
pub(crate) struct Bundles {
    pub(crate) loader: Loader,
    groups: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Looked>>>>>,
}

/// One look at the store.
#[derive(Clone)]
struct Looked {
    at_ms: u64,
    /// How often this server had changed what gateways are told.
    changes: u64,
    inputs: [u8; 32],
    state: Arc<State>,
}

/// What this gateway is to run on, signed, with its entity tag; `None` where the gateway has it, by the tag it was told.
///
/// # Errors
/// The store's; a conflict where nothing was ever composed that loads, with what is wrong.
pub(crate) async fn changed(
    control: &Control,
    gateway: &Gateway,
    known: Option<&str>,
) -> Result<Option<(String, Signed)>, Problem> {
    let state = state(control, &gateway.group).await?;
    let tag = tag(&state);
    if is_known(&tag, known) {
        return Ok(None);
    }
    Ok(Some((tag, signed(control, gateway, &state).await?)))
}

/// Whether a group runs on something else than what this tag was told for.
///
/// # Errors
/// As of [`changed`].
pub(crate) async fn is_changed(control: &Control, group: &str, known: Option<&str>) -> Result<bool, Problem> {
    Ok(!is_known(&tag(&*state(control, group).await?), known))
}

fn tag(state: &State) -> String {
    format!("\"{}-{}\"", state.group, state.generation)
}

/// A list of tags, or weak ones, is as good as none: the answer is only larger than it had to be.
fn is_known(tag: &str, known: Option<&str>) -> bool {
    known.is_some_and(|it| it.trim() == tag)
}

/// What a group runs on at this moment. What another server has changed is a second late at most.
pub(crate) async fn state(control: &Control, group: &str) -> Result<Arc<State>, Problem> {
    let slot = {
        let mut groups = control.bundles.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.entry(group.to_owned()).or_default().clone()
    };
    // One looks, the others wait for what it saw.
    let mut looked = slot.lock().await;
    let now = control.shelf.now_ms();
    if let Some(it) = &*looked
        && it.changes == control.shelf.changes()
        && it.at_ms <= now
        && now - it.at_ms < FRESH_MS
    {
        return Ok(it.state.clone());
    }
    for _ in 0..TRIES_MAX {
        match look(control, group, looked.as_ref()).await {
            Ok(it) => {
                let state = it.state.clone();
                *looked = Some(it);
                return Ok(state);
            }
            // Another server has numbered a content meanwhile.
            Err(problem) if problem.kind == ProblemKind::Conflict && problem.mistakes.is_empty() => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(Problem::new(ProblemKind::Unavailable, "several servers number bundles at the same time; try again"))
}

/// The state is read before what it is composed of: who writes on the ground of an older look comes too late.
async fn look(control: &Control, group: &str, before: Option<&Looked>) -> Result<Looked, Problem> {
    let (at_ms, changes) = (control.shelf.now_ms(), control.shelf.changes());
    let kept = control.shelf.get::<State>(group).await?;
    let inputs = Inputs::read(control, group).await?;
    let digest = digest(&inputs)?;
    if let (Some(before), Some(kept)) = (before, &kept)
        && before.inputs == digest
        && *before.state == kept.value
    {
        return Ok(Looked { at_ms, changes, inputs: digest, state: before.state.clone() });
    }
    let plain = Content::compose(&inputs, &OwnChecks::default());
    let outcome = control.bundles.loader.load(inputs).await?;
    let next = match (outcome, &kept) {
        (Ok(loaded), kept) => following(group, kept.as_ref(), loaded.content, None, at_ms),
        (Err(faults), None) => {
            let why = "there is nothing yet that these gateways could run on";
            return Err(Problem::conflict(why).with(sentences(&faults)));
        }
        (Err(faults), Some(kept)) => {
            let content = kept.content.without_what_ended(&plain);
            let refused = Refused { since_ms: at_ms, mistakes: sentences(&faults) };
            following(group, Some(kept), content, Some(refused), at_ms)
        }
    };
    let state = write(control, kept, next).await?;
    Ok(Looked { at_ms, changes, inputs: digest, state: Arc::new(state) })
}

/// What comes after `kept` with this content.
fn following(
    group: &str,
    kept: Option<&Kept<State>>,
    content: Content,
    mut refused: Option<Refused>,
    now_ms: u64,
) -> State {
    let Some(kept) = kept else {
        return State { group: group.to_owned(), generation: 1, made_ms: now_ms, content, refused };
    };
    if let (Some(new), Some(old)) = (&mut refused, &kept.refused)
        && new.mistakes == old.mistakes
    {
        new.since_ms = old.since_ms;
    }
    match kept.content == content {
        true => State { refused, ..kept.value.clone() },
        false => State { generation: kept.generation + 1, made_ms: now_ms, content, refused, ..kept.value.clone() },
    }
}

async fn write(control: &Control, kept: Option<Kept<State>>, next: State) -> Result<State, Problem> {
    let Some(mut kept) = kept else {
        control.shelf.insert(&next).await?;
        return Ok(next);
    };
    if kept.value == next {
        return Ok(next);
    }
    let refused_before = std::mem::replace(&mut kept.value, next).refused;
    control.shelf.update(&kept).await?;
    let next = kept.value;
    let group = next.group.clone();
    match (&refused_before, &next.refused) {
        (before, Some(refused)) if before.as_ref() != Some(refused) => {
            let why = refused.mistakes.join("\n");
            tracing::error!(group, why, "what is kept cannot be put in force; gateways stay with what was before");
            let generation = next.generation.to_string();
            let details = [("group", group), ("generation", generation), ("why", why)];
            control.acts.note(&Actor::server(), "bundle.refused", details);
        }
        (Some(_), None) => control.acts.note(&Actor::server(), "bundle.accepted", [("group", group)]),
        _ => {}
    }
    Ok(next)
}

fn digest(inputs: &Inputs) -> Result<[u8; 32], Problem> {
    let rules: Vec<_> = inputs.rules.iter().map(|it| (&it.path, &it.team, &it.text)).collect();
    let parts = (&inputs.policy, &inputs.teams, &inputs.keys, &inputs.providers, rules, &inputs.held);
    let bytes = serde_json::to_vec(&parts);
    let bytes = bytes.map_err(|_| Problem::new(ProblemKind::Internal, "what is kept cannot be written down"))?;
    Ok(Sha256::digest(bytes).into())
}

async fn signed(control: &Control, gateway: &Gateway, state: &State) -> Result<Signed, Problem> {
    let bundle = Bundle {
        version: VERSION,
        gateway: gateway.id.clone(),
        group: gateway.group.clone(),
        generation: state.generation,
        made_ms: state.made_ms,
        text: state.content.text(),
        files: state.content.files.clone(),
        secrets: secrets(control, gateway, &state.content).await?,
        held: state.content.held.clone(),
        owners: state.content.owners.clone(),
    };
    let unwritable = |_| Problem::new(ProblemKind::Internal, "the bundle cannot be written down");
    let payload = serde_json::to_string(&bundle).map_err(unwritable)?;
    let signature = sign(control, payload.as_bytes()).await?;
    Ok(Signed { payload, signature })
}

/// The keys of providers, each sealed for this gateway under the name that the text has for it.
async fn secrets(control: &Control, gateway: &Gateway, content: &Content) -> Result<BTreeMap<String, String>, Problem> {
    let seal = control.master.open(&gateway.seal, &gateways::purpose(&gateway.id));
    let seal = seal.and_then(|it| key_bytes(&it)).ok_or_else(unopened)?;
    let providers = control.shelf.all::<Provider>().await?;
    let mut secrets = BTreeMap::new();
    for (name, place) in &content.secrets {
        let provider = providers.iter().find(|it| it.name == place.provider);
        let Some(kept) = provider.and_then(|it| it.keys.iter().find(|it| it.id == place.key)) else {
            return Err(Problem::new(ProblemKind::Unavailable, "a provider is being changed; try again"));
        };
        let secret = control.master.open(&kept.sealed, &providers::purpose(&place.provider, &place.key));
        let secret = secret.ok_or_else(unopened)?;
        secrets.insert(name.clone(), seal_for(&seal, &gateway.id, name, &secret)?);
    }
    Ok(secrets)
}

/// Seals what `name` stands for in the bundles of one gateway, with that gateway's key.
fn seal_for(key: &[u8; 32], gateway: &str, name: &str, secret: &Secret) -> Result<String, Problem> {
    encrypt(key, secret.expose().as_bytes(), &about(gateway, name))
}

/// Opens what was sealed for this gateway under this name.
pub(crate) fn open_for(key: &[u8; 32], gateway: &str, name: &str, sealed: &str) -> Option<Secret> {
    String::from_utf8(decrypt(key, sealed, &about(gateway, name))?).ok().map(Secret::new)
}

fn about(gateway: &str, name: &str) -> String {
    format!("bundle/{gateway}/{name}")
}
