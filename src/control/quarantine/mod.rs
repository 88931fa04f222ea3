//! Quarantines of the whole fleet: imposed by people or by gateways' rules, held by every gateway, released by people.

mod reported;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::http::{Body, Created, Granted, Json, Path, Query, Route, get, post};
use super::keys::Key;
use super::roles::{Permission, Reach};
use super::server::Control;
use super::shelf::{Batch, Kept, Stored};
use super::teams::Team;
use super::time::{DAY_MS, HOUR_MS};
use super::users::User;
use crate::domain::{Held, HeldKind};
use crate::store::{self, Listing};

pub(super) use self::reported::reported;

/// Quarantines that hold at the same time; one more has to wait until another is released.
const ACTIVE_MAX: usize = 5_000;
const TEXT_CHARS_MAX: usize = 500;
const VALUE_BYTES_MAX: usize = 256;
const HOURS_MAX: u32 = 366 * 24;
/// How long one is remembered after it has ended.
const REMEMBERED_MS: u64 = 400 * DAY_MS;
const ROWS_MAX: usize = 500;

/// Under this parent stand those that were not released.
const ACTIVE: &str = "active";
const RELEASED: &str = "released";

/// One quarantine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Quarantine {
    pub(super) reference: String,
    pub(super) kind: HeldKind,
    pub(super) value: String,
    /// Whose session or key it is.
    pub(super) team: Option<String>,
    pub(super) reason: String,
    pub(super) contact: Option<String>,
    /// `user:anna`, or the gateway whose rule it was.
    pub(super) by: String,
    /// Whether that was somebody who keeps out what is of the own team alone; where that is not known, it was not.
    #[serde(default)]
    pub(super) by_lead: bool,
    pub(super) since_ms: u64,
    pub(super) until_ms: Option<u64>,
    pub(super) released: Option<Release>,
}

/// That somebody has ended it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "QuarantineRelease")]
pub(super) struct Release {
    /// Who: `user:anna`.
    pub(super) by: String,
    /// When, Unix milliseconds.
    pub(super) at_ms: u64,
    /// Why.
    pub(super) reason: String,
}

impl Stored for Quarantine {
    const KIND: &'static str = "quarantine";
    const IS_TOLD: bool = true;

    fn id(&self) -> &str {
        &self.reference
    }

    fn parent(&self) -> Option<String> {
        Some(if self.released.is_none() { ACTIVE } else { RELEASED }.to_owned())
    }

    fn expires_ms(&self) -> Option<u64> {
        let end = self.released.as_ref().map(|it| it.at_ms).or(self.until_ms);
        end.map(|it| it.saturating_add(REMEMBERED_MS))
    }
}

impl Quarantine {
    fn is_in_force(&self, now_ms: u64) -> bool {
        self.released.is_none() && self.until_ms.is_none_or(|it| now_ms < it)
    }

    fn held(&self) -> Held {
        Held {
            reference: self.reference.clone(),
            kind: self.kind,
            value: self.value.clone(),
            team: self.team.clone().filter(|_| self.kind == HeldKind::Session),
            reason: self.reason.clone(),
            contact: self.contact.clone(),
            since_ms: self.since_ms,
            until_ms: self.until_ms,
        }
    }
}

/// A quarantine, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Quarantine")]
pub(super) struct QuarantineView {
    /// What developers are told to name.
    pub(super) reference: String,
    /// `session`, `key`, `user` or `team`.
    pub(super) kind: String,
    /// The session, the key as records name it, the user's id, the team.
    pub(super) value: String,
    /// Whose session or key it is.
    pub(super) team: Option<String>,
    /// Why, as developers are told.
    pub(super) reason: String,
    /// Whom developers are told to ask.
    pub(super) contact: Option<String>,
    /// Who imposed it: `user:anna`, or a gateway by its rule.
    pub(super) by: String,
    /// Whether that was a lead of the team: leads release no others.
    pub(super) by_lead: bool,
    /// Unix milliseconds.
    pub(super) since_ms: u64,
    /// When it ends by itself, Unix milliseconds.
    pub(super) until_ms: Option<u64>,
    /// Who has ended it.
    pub(super) released: Option<Release>,
    /// Whether it holds now.
    pub(super) holds: bool,
}

/// Somebody to be kept out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewQuarantine {
    /// `session`, `key`, `user` or `team`.
    pub(super) kind: Kind,
    /// The session as records name it; the key by its id or as records name it; the user's id; the team.
    pub(super) value: String,
    /// Of a session: its team. Without one, whoever names this session.
    #[serde(default)]
    pub(super) team: Option<String>,
    /// Why; developers are told.
    pub(super) reason: String,
    /// Whom developers are told to ask.
    #[serde(default)]
    pub(super) contact: Option<String>,
    /// How long, 1 to 8784; until it is released where it is absent.
    #[serde(default)]
    pub(super) hours: Option<u32>,
}

/// What a quarantine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QuarantineKind")]
pub(super) enum Kind {
    /// One session of a client.
    Session,
    /// One gateway key.
    Key,
    /// All keys of one user.
    User,
    /// One team.
    Team,
}

/// Why one ends.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRelease {
    /// For the record.
    pub(super) reason: String,
}

/// Which quarantines are listed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QuarantineQuery {
    /// Those that have ended, too.
    #[serde(default)]
    pub(super) all: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("quarantines.list", "/api/v1/quarantines", Permission::Quarantine, list_all)
            .says("Who is kept out, the newest first")
            .asks::<QuarantineQuery>()
            .answers::<Vec<QuarantineView>>(),
        post("quarantines.impose", "/api/v1/quarantines", Permission::Quarantine, impose)
            .says("Keeps a session, key, user or team out on every gateway, within one poll")
            .takes::<NewQuarantine>()
            .makes::<QuarantineView>(),
        post("quarantines.release", "/api/v1/quarantines/{reference}/release", Permission::Quarantine, release)
            .says("Lets them in again; leads of a team, whom a lead of it keeps out")
            .takes::<NewRelease>()
            .answers::<QuarantineView>(),
    ]
}

async fn list_all(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<QuarantineQuery>,
) -> Result<Json<Vec<QuarantineView>>, Problem> {
    Ok(Json(list(&control, &granted, query.all).await?))
}

/// The quarantines within reach, the newest first, at most 500; those that have ended only with `all`.
pub(super) async fn list(control: &Control, granted: &Granted, all: bool) -> Result<Vec<QuarantineView>, Problem> {
    let now_ms = control.shelf.now_ms();
    let mut found = control.shelf.of::<Quarantine>(ACTIVE).await?;
    if all {
        let listing = Listing { parent: Some(RELEASED), rows_max: 10 * ROWS_MAX, ..Listing::default() };
        found.extend(control.shelf.list::<Quarantine>(listing).await?);
    }
    found.retain(|it| within(granted, it) && (all || it.is_in_force(now_ms)));
    found.sort_by(|one, other| other.since_ms.cmp(&one.since_ms).then_with(|| one.reference.cmp(&other.reference)));
    found.truncate(ROWS_MAX);
    Ok(found.iter().map(|it| view(control, it)).collect())
}

async fn impose(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewQuarantine>,
) -> Result<Created<QuarantineView>, Problem> {
    Ok(Created(imposed(&control, &granted, new).await?))
}

/// Keeps somebody out.
pub(super) async fn imposed(
    control: &Control,
    granted: &Granted,
    new: NewQuarantine,
) -> Result<QuarantineView, Problem> {
    text_mistake("reason", &new.reason)?;
    new.contact.as_deref().map_or(Ok(()), |it| text_mistake("contact", it))?;
    if new.hours.is_some_and(|it| !(1..=HOURS_MAX).contains(&it)) {
        return Err(Problem::invalid(format!("`hours` has to be 1 to {HOURS_MAX}")));
    }
    let Meant { kind, value, team, key } = meant(control, granted, &new).await?;
    let by_lead = granted.reach != Reach::All;
    let now_ms = control.shelf.now_ms();
    let active = control.shelf.of::<Quarantine>(ACTIVE).await?;
    let in_force = || active.iter().filter(|it| it.is_in_force(now_ms));
    let is_same = |it: &Quarantine| (it.kind, &it.value, &it.team) == (kind, &value, &team);
    // What a lead has imposed, a lead can release: it is in nobody's way who means it to hold.
    if let Some(same) = in_force().find(|it| is_same(it) && (by_lead || !it.by_lead)) {
        return Err(Problem::conflict(format!("this is in quarantine already: {}", same.reference)));
    }
    if in_force().count() >= ACTIVE_MAX {
        return Err(Problem::conflict(format!("{ACTIVE_MAX} quarantines hold already: release some first")));
    }
    let quarantine = Quarantine {
        reference: reference(control),
        kind,
        value,
        team,
        reason: new.reason,
        contact: new.contact,
        by: granted.actor.name(),
        by_lead,
        since_ms: now_ms,
        until_ms: new.hours.map(|it| now_ms + u64::from(it) * HOUR_MS),
        released: None,
    };
    kept(control, &quarantine, key.as_ref()).await?;
    control.acts.changed(&granted.actor, "quarantine.imposed", &quarantine.reference, None, Some(&quarantine));
    Ok(view(control, &quarantine))
}

/// Keeps a quarantine. The key is written once more, so that no successor is made of it at the same moment.
async fn kept(control: &Control, quarantine: &Quarantine, key: Option<&Kept<Key>>) -> Result<(), Problem> {
    control.shelf.commit(key.into_iter().fold(Batch::default().insert(quarantine), Batch::update)).await
}

/// Who is meant.
struct Meant {
    kind: HeldKind,
    value: String,
    team: Option<String>,
    /// The key, where it is one that is kept here.
    key: Option<Kept<Key>>,
}

/// Who is meant, where that is within reach.
async fn meant(control: &Control, granted: &Granted, new: &NewQuarantine) -> Result<Meant, Problem> {
    let value = new.value.as_str();
    let is_name = |it: &str| !it.is_empty() && it.len() <= VALUE_BYTES_MAX && !it.contains(char::is_control);
    if !is_name(value) {
        return Err(Problem::invalid(format!(
            "`value` has to be 1 to {VALUE_BYTES_MAX} bytes without control characters"
        )));
    }
    if new.team.is_some() && new.kind != Kind::Session {
        return Err(Problem::invalid("`team` is for sessions alone"));
    }
    if new.team.as_deref().is_some_and(|it| !is_name(it)) {
        return Err(Problem::invalid("`team` is no name of a team"));
    }
    let everywhere = || match granted.reach {
        Reach::All => Ok(()),
        _ => Err(Problem::forbidden("you may keep out sessions and keys of your own team alone")),
    };
    match new.kind {
        Kind::Session => session(control, granted, value, new.team.as_deref()).await,
        Kind::Key => key(control, granted, value).await,
        Kind::User => {
            everywhere()?;
            user(control, value).await?;
            Ok(Meant { kind: HeldKind::User, value: value.to_owned(), team: None, key: None })
        }
        Kind::Team => {
            everywhere()?;
            control.shelf.need::<Team>(value).await?;
            Ok(Meant { kind: HeldKind::Team, value: value.to_owned(), team: None, key: None })
        }
    }
}

/// A session is the team's in whose records it stands.
async fn session(control: &Control, granted: &Granted, value: &str, team: Option<&str>) -> Result<Meant, Problem> {
    let found = Meant { kind: HeldKind::Session, value: value.to_owned(), team: team.map(str::to_owned), key: None };
    if granted.reach == Reach::All {
        return Ok(found);
    }
    let team = team.ok_or_else(|| Problem::invalid("say which `team` the session is of"))?;
    granted.need_team(team)?;
    let (session, team) = (Some(value.to_owned()), Some(team.to_owned()));
    let query = store::Query { session, team, rows_max: 1, ..store::Query::default() };
    match control.records.search(&query).await?.is_empty() {
        true => Err(Problem::not_found("session", value)),
        false => Ok(found),
    }
}

/// Somebody whom there is, or who is gone and has left keys.
async fn user(control: &Control, id: &str) -> Result<(), Problem> {
    if control.shelf.get::<User>(id).await?.is_some() {
        return Ok(());
    }
    let owns = |it: &Kept<Key>| it.owner.as_deref() == Some(id);
    match control.shelf.all::<Key>().await?.iter().any(owns) {
        true => Ok(()),
        false => Err(Problem::not_found(User::KIND, id)),
    }
}

async fn key(control: &Control, granted: &Granted, value: &str) -> Result<Meant, Problem> {
    let named = key_called(control, value).await?;
    let kind = HeldKind::Key;
    match named.filter(|it| granted.need_team(&it.team).is_ok()) {
        Some(key) => {
            let (value, team) = (key.in_records().to_owned(), Some(key.team.clone()));
            Ok(Meant { kind, value, team, key: Some(key) })
        }
        // Keys that stand in a gateway's own file are known by their digest alone.
        None if granted.reach == Reach::All && is_digest(value) => {
            Ok(Meant { kind, value: value.to_owned(), team: None, key: None })
        }
        None => Err(Problem::not_found("key", value)),
    }
}

/// The key of this id, or that records name so.
async fn key_called(control: &Control, value: &str) -> Result<Option<Kept<Key>>, Problem> {
    let keys = control.shelf.all::<Key>().await?;
    Ok(keys.into_iter().find(|it| it.id == value || it.in_records() == value))
}

fn is_digest(value: &str) -> bool {
    value.len() == 8 && value.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

async fn release(
    State(control): State<Control>,
    granted: Granted,
    Path(reference): Path<String>,
    Body(new): Body<NewRelease>,
) -> Result<Json<QuarantineView>, Problem> {
    Ok(Json(released(&control, &granted, &reference, &new.reason).await?))
}

/// Lets somebody in again.
pub(super) async fn released(
    control: &Control,
    granted: &Granted,
    reference: &str,
    reason: &str,
) -> Result<QuarantineView, Problem> {
    text_mistake("reason", reason)?;
    let mut kept: Kept<Quarantine> = control.shelf.need(reference).await?;
    if !within(granted, &kept) {
        return Err(Problem::not_found("quarantine", reference));
    }
    if granted.reach != Reach::All && !kept.by_lead {
        return Err(Problem::forbidden(
            "you may release what a lead of the team has imposed; this was a rule, or somebody who looks after all teams: \
             ask an analyst or an administrator",
        ));
    }
    if kept.released.is_some() {
        return Err(Problem::conflict("this quarantine was released before"));
    }
    let before = kept.value.clone();
    let (by, at_ms) = (granted.actor.name(), control.shelf.now_ms());
    kept.value.released = Some(Release { by, at_ms, reason: reason.to_owned() });
    control.shelf.update(&kept).await?;
    control.acts.changed(&granted.actor, "quarantine.released", reference, Some(&before), Some(&kept.value));
    Ok(view(control, &kept.value))
}

/// Everyone who is kept out, for gateways. A user stands there by id, and by each key, too.
pub(crate) async fn held(control: &Control) -> Result<Vec<Held>, Problem> {
    let now_ms = control.shelf.now_ms();
    let active = control.shelf.of::<Quarantine>(ACTIVE).await?;
    let in_force: Vec<_> = active.iter().filter(|it| it.is_in_force(now_ms)).collect();
    let mut all: Vec<Held> = in_force.iter().map(|it| it.held()).collect();
    if in_force.iter().any(|it| it.kind == HeldKind::User) {
        let keys = control.shelf.all::<Key>().await?;
        for user in in_force.iter().filter(|it| it.kind == HeldKind::User) {
            let own = keys.iter().filter(|it| it.owner.as_ref() == Some(&user.value.value) && it.holds(now_ms));
            let held = |it: &Kept<Key>| Held { kind: HeldKind::Key, value: it.in_records().to_owned(), ..user.held() };
            all.extend(own.map(held));
        }
    }
    all.sort_by(|one, other| (&one.reference, &one.value).cmp(&(&other.reference, &other.value)));
    Ok(all)
}

/// What keeps this key out, by itself or by its user. What keeps its team out keeps out a successor too.
pub(super) async fn of_key(control: &Control, in_records: &str) -> Result<Option<Held>, Problem> {
    Ok(held(control).await?.into_iter().find(|it| it.kind == HeldKind::Key && it.value == in_records))
}

/// Whether this session is kept out, by itself or by its team.
pub(super) fn is_session_held(held: &[Held], team: &str, session: &str) -> bool {
    held.iter().any(|it| match it.kind {
        HeldKind::Session => it.value == session && it.team.as_deref().is_none_or(|of| of == team),
        HeldKind::Team => it.value == team,
        HeldKind::Key | HeldKind::User => false,
    })
}

/// Leads reach what is about sessions and keys of their own teams.
fn within(granted: &Granted, it: &Quarantine) -> bool {
    let team = match it.kind {
        HeldKind::Team => Some(&it.value),
        HeldKind::Session | HeldKind::Key => it.team.as_ref(),
        HeldKind::User => None,
    };
    granted.reach == Reach::All || team.is_some_and(|it| granted.need_team(it).is_ok())
}

fn view(control: &Control, it: &Quarantine) -> QuarantineView {
    QuarantineView {
        reference: it.reference.clone(),
        kind: it.kind.name().to_owned(),
        value: it.value.clone(),
        team: it.team.clone(),
        reason: it.reason.clone(),
        contact: it.contact.clone(),
        by: it.by.clone(),
        by_lead: it.by_lead,
        since_ms: it.since_ms,
        until_ms: it.until_ms,
        released: it.released.clone(),
        holds: it.is_in_force(control.shelf.now_ms()),
    }
}

/// As gateways make theirs: the end of an id, which is random.
fn reference(control: &Control) -> String {
    let id: String = control.new_id().chars().filter(|it| *it != '-').collect();
    format!("Q-{}", id[id.len().saturating_sub(12)..].to_ascii_uppercase())
}

/// A text that people read, in one line or several.
pub(super) fn text_mistake(name: &str, text: &str) -> Result<(), Problem> {
    let fits = !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
    match fits && !text.chars().any(|it| it.is_control() && it != '\n') {
        true => Ok(()),
        false => Err(Problem::invalid(format!("`{name}` has to be 1 to {TEXT_CHARS_MAX} characters of text"))),
    }
}
