//! Gateway keys: shown once, kept as digests, with an end, a successor, and a way to take them back.

use std::collections::HashSet;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::http::{Body, Created, Done, Granted, Json, Path, Route, delete, get, post};
use super::quarantine;
use super::roles::{Permission, Reach};
use super::seal::{digest, token};
use super::server::Control;
use super::shelf::{Batch, Kept, Stored};
use super::teams::Team;
use super::time::{DAY_MS, HOUR_MS};
use super::users::{User, name_mistake};

/// What every key begins with, so that it is known where it is found.
const PREFIX: &str = "gw-";
/// Longest time that a key and its successor both hold.
const OVERLAP_HOURS_MAX: u32 = 31 * 24;
/// How long one is remembered after it has ended.
const REMEMBERED_MS: u64 = 400 * DAY_MS;
const DAYS_MAX: u32 = 10 * 366;

/// A key, by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) team: String,
    pub(super) name: String,
    /// SHA-256 of the key, hex. Its first eight digits are what records name.
    pub(super) digest: String,
    /// The first characters of the key, to tell it from others.
    pub(super) prefix: String,
    /// The user whose requests it makes; records with it are the user's own.
    pub(super) owner: Option<String>,
    pub(super) created_ms: u64,
    pub(super) expires_ms: Option<u64>,
    pub(super) revoked_ms: Option<u64>,
}

impl Stored for Key {
    const KIND: &'static str = "key";
    const IS_TOLD: bool = true;

    fn id(&self) -> &str {
        &self.id
    }

    fn lookup(&self) -> Option<String> {
        Some(self.digest.clone())
    }

    fn parent(&self) -> Option<String> {
        Some(self.team.clone())
    }

    fn expires_ms(&self) -> Option<u64> {
        let end = self.revoked_ms.into_iter().chain(self.expires_ms).min();
        end.map(|it| it.saturating_add(REMEMBERED_MS))
    }
}

impl Key {
    /// Whether it is neither revoked nor over.
    pub(super) fn holds(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|it| it > now_ms)
    }

    /// What records name.
    pub(super) fn in_records(&self) -> &str {
        self.digest.get(..8).unwrap_or_default()
    }
}

/// Users who are there and whose account is open: gateways take the keys of no others.
pub(super) struct Owners(HashSet<String>);

impl Owners {
    /// Those of this moment.
    pub(super) async fn read(control: &Control) -> Result<Owners, Problem> {
        let users = control.shelf.all::<User>().await?;
        Ok(Owners(users.iter().filter(|it| !it.disabled).map(|it| it.id.clone()).collect()))
    }

    /// Whether a key is nobody's in particular, or of one of these.
    pub(super) fn let_in(&self, key: &Key) -> bool {
        key.owner.as_ref().is_none_or(|it| self.0.contains(it))
    }
}

/// A key, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(super) struct KeyView {
    /// Its id.
    pub(super) id: String,
    /// The team that it is of.
    pub(super) team: String,
    /// What it is for.
    pub(super) name: String,
    /// Its first characters.
    pub(super) prefix: String,
    /// What records name it by.
    pub(super) in_records: String,
    /// The user whose requests it makes.
    pub(super) owner: Option<String>,
    /// Unix milliseconds.
    pub(super) created_ms: u64,
    /// Unix milliseconds.
    pub(super) expires_ms: Option<u64>,
    /// Unix milliseconds.
    pub(super) revoked_ms: Option<u64>,
    /// Whether gateways take it.
    pub(super) holds: bool,
    /// Whether the account of its owner is closed or gone: gateways do not take it meanwhile.
    pub(super) owner_closed: bool,
}

/// A key to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What it is for.
    pub(super) name: String,
    /// The user's id whose requests it makes.
    #[serde(default)]
    pub(super) owner: Option<String>,
    /// How long it holds; for ever where it is absent.
    #[serde(default)]
    pub(super) days: Option<u32>,
}

/// How a key is followed by another.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// So long both hold. 0 ends the old one at once.
    #[serde(default)]
    pub(super) overlap_hours: u32,
}

/// A new key. The key itself is shown this once.
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct IssuedKey {
    /// The key.
    pub(super) key: String,
    /// What is kept of it.
    #[serde(flatten)]
    pub(super) view: KeyView,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("keys.list", "/api/v1/teams/{team}/keys", Permission::ReadTeams, list_of)
            .says("The keys of a team; never the keys themselves")
            .answers::<Vec<KeyView>>(),
        post("keys.create", "/api/v1/teams/{team}/keys", Permission::ManageKeys, create)
            .says("Makes a key; shown once")
            .takes::<NewKey>()
            .makes::<IssuedKey>(),
        post("keys.rotate", "/api/v1/keys/{id}/rotate", Permission::ManageKeys, rotate)
            .says("Makes a successor; the old key holds on for the overlap. Not of a key in quarantine")
            .takes::<Rotation>()
            .makes::<IssuedKey>(),
        delete("keys.revoke", "/api/v1/keys/{id}", Permission::ManageKeys, revoke)
            .says("Ends a key on every gateway, within one poll"),
    ]
}

async fn list_of(
    State(control): State<Control>,
    granted: Granted,
    Path(team): Path<String>,
) -> Result<Json<Vec<KeyView>>, Problem> {
    Ok(Json(list(&control, &granted, &team).await?))
}

/// The keys of a team that are within reach.
pub(super) async fn list(control: &Control, granted: &Granted, team: &str) -> Result<Vec<KeyView>, Problem> {
    granted.need_team(team)?;
    control.shelf.need::<Team>(team).await?;
    let own = (granted.reach == Reach::Own).then(|| granted.user()).transpose()?;
    let keys = control.shelf.of::<Key>(team).await?;
    let within = keys.iter().filter(|it| own.is_none_or(|own| it.owner.as_deref() == Some(own)));
    let owners = Owners::read(control).await?;
    let shown = |it: &Kept<Key>| {
        let (view, owner_closed) = (view(control, it), !owners.let_in(it));
        KeyView { owner_closed, holds: view.holds && !owner_closed, ..view }
    };
    Ok(within.map(shown).collect())
}

/// How many keys of the team gateways take.
pub(super) async fn taken(control: &Control, team: &str) -> Result<usize, Problem> {
    let (keys, owners) = (control.shelf.of::<Key>(team).await?, Owners::read(control).await?);
    Ok(keys.iter().filter(|it| it.holds(control.shelf.now_ms()) && owners.let_in(it)).count())
}

/// How many keys of the team gateways take or would, were the accounts of their owners open.
pub(super) async fn holding(control: &Control, team: &str) -> Result<usize, Problem> {
    let keys = control.shelf.of::<Key>(team).await?;
    Ok(keys.iter().filter(|it| it.holds(control.shelf.now_ms())).count())
}

/// The keys of this user that hold, revoked: to be written, and to be told with [`told_revoked`].
pub(super) async fn revoked_of(control: &Control, user: &str) -> Result<Vec<Kept<Key>>, Problem> {
    let now = control.shelf.now_ms();
    let mut keys = control.shelf.all::<Key>().await?;
    keys.retain(|it| it.owner.as_deref() == Some(user) && it.holds(now));
    keys.iter_mut().for_each(|it| it.value.revoked_ms = Some(now));
    Ok(keys)
}

/// Writes down that a key was revoked.
pub(super) fn told_revoked(control: &Control, granted: &Granted, key: &Key) {
    let before = Key { revoked_ms: None, ..key.clone() };
    let (before, after) = (view(control, &before), view(control, key));
    control.acts.changed(&granted.actor, "key.revoked", &key.id, Some(&before), Some(&after));
}

async fn create(
    State(control): State<Control>,
    granted: Granted,
    Path(team): Path<String>,
    Body(new): Body<NewKey>,
) -> Result<Created<IssuedKey>, Problem> {
    Ok(Created(issue(&control, &granted, &team, new).await?))
}

/// Makes a key.
pub(super) async fn issue(control: &Control, granted: &Granted, team: &str, new: NewKey) -> Result<IssuedKey, Problem> {
    granted.need_team(team)?;
    control.shelf.need::<Team>(team).await?;
    name_mistake("key", &new.name)?;
    if let Some(owner) = &new.owner {
        let user = control.shelf.need::<User>(owner).await?;
        // Who looks after a team cannot put requests down to somebody of another one.
        if granted.reach != Reach::All && !user.teams.iter().any(|it| it == team) {
            return Err(Problem::not_found(User::KIND, owner));
        }
        if user.disabled {
            return Err(owner_closed());
        }
    }
    if new.days.is_some_and(|it| !(1..=DAYS_MAX).contains(&it)) {
        return Err(Problem::invalid(format!("`days` has to be 1 to {DAYS_MAX}")));
    }
    let now = control.shelf.now_ms();
    let expires_ms = new.days.map(|it| now + u64::from(it) * DAY_MS);
    let (key, secret) = fresh(control, team, &new.name, new.owner, expires_ms)?;
    control.shelf.insert(&key).await?;
    let view = view(control, &key);
    control.acts.changed(&granted.actor, "key.created", &key.id, None, Some(&view));
    Ok(IssuedKey { key: secret, view })
}

async fn rotate(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Body(rotation): Body<Rotation>,
) -> Result<Created<IssuedKey>, Problem> {
    Ok(Created(rotated(&control, &granted, &id, &rotation).await?))
}

/// Makes a successor of a key.
pub(super) async fn rotated(
    control: &Control,
    granted: &Granted,
    id: &str,
    rotation: &Rotation,
) -> Result<IssuedKey, Problem> {
    let mut old = within_reach(control, granted, id).await?;
    if rotation.overlap_hours > OVERLAP_HOURS_MAX {
        return Err(Problem::invalid(format!("`overlap_hours` is at most {OVERLAP_HOURS_MAX}")));
    }
    let now = control.shelf.now_ms();
    if !old.holds(now) {
        return Err(Problem::conflict("this key is no longer valid: make a new one"));
    }
    if !Owners::read(control).await?.let_in(&old) {
        return Err(owner_closed());
    }
    if let Some(it) = quarantine::of_key(control, old.in_records()).await? {
        return Err(Problem::conflict(format!(
            "this key is in quarantine ({}), and a successor would not be: release it first",
            it.reference
        )));
    }
    let before = view(control, &old);
    // The successor holds as long as the old one was given.
    let life = old.expires_ms.map(|it| it.saturating_sub(old.created_ms));
    let (key, secret) = fresh(control, &old.team, &old.name, old.owner.clone(), life.map(|it| now + it))?;
    let end = now + u64::from(rotation.overlap_hours) * HOUR_MS;
    old.value.expires_ms = Some(old.expires_ms.map_or(end, |it| it.min(end)));
    control.shelf.commit(Batch::default().insert(&key).update(&old)).await?;
    control.acts.changed(&granted.actor, "key.rotated", id, Some(&before), Some(&view(control, &old)));
    let view = view(control, &key);
    control.acts.changed(&granted.actor, "key.created", &key.id, None, Some(&view));
    Ok(IssuedKey { key: secret, view })
}

async fn revoke(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Done, Problem> {
    revoked(&control, &granted, &id).await?;
    Ok(Done)
}

/// Takes a key back.
pub(super) async fn revoked(control: &Control, granted: &Granted, id: &str) -> Result<(), Problem> {
    let mut key = within_reach(control, granted, id).await?;
    if key.revoked_ms.is_none() {
        key.value.revoked_ms = Some(control.shelf.now_ms());
        control.shelf.update(&key).await?;
        told_revoked(control, granted, &key);
    }
    Ok(())
}

fn owner_closed() -> Problem {
    Problem::conflict("the account of the key's owner is closed or gone: gateways would not take the key")
}

async fn within_reach(control: &Control, granted: &Granted, id: &str) -> Result<Kept<Key>, Problem> {
    let key = control.shelf.need::<Key>(id).await?;
    granted.need_team(&key.team).map_err(|_| Problem::not_found(Key::KIND, id))?;
    Ok(key)
}

fn fresh(
    control: &Control,
    team: &str,
    name: &str,
    owner: Option<String>,
    expires_ms: Option<u64>,
) -> Result<(Key, String), Problem> {
    let secret = format!("{PREFIX}{team}-{}", token()?);
    let shown = PREFIX.len() + team.len() + 1 + 4;
    let key = Key {
        id: control.new_id(),
        team: team.to_owned(),
        name: name.to_owned(),
        digest: digest(&secret),
        prefix: secret.get(..shown).unwrap_or_default().to_owned(),
        owner,
        created_ms: control.shelf.now_ms(),
        expires_ms,
        revoked_ms: None,
    };
    Ok((key, secret))
}

fn view(control: &Control, key: &Key) -> KeyView {
    KeyView {
        id: key.id.clone(),
        team: key.team.clone(),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        in_records: key.in_records().to_owned(),
        owner: key.owner.clone(),
        created_ms: key.created_ms,
        expires_ms: key.expires_ms,
        revoked_ms: key.revoked_ms,
        holds: key.holds(control.shelf.now_ms()),
        owner_closed: false,
    }
}
