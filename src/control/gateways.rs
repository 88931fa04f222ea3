//! Gateways: how they enrol, and how they are known afterwards.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::http::{Access, Actor, Body, Caller, Created, Done, Granted, Json, Path, Route, delete, get, post};
use super::ingest::{self, SignedMark};
use super::roles::Permission;
use super::seal::{Sealed, digest, fresh_key, token};
use super::server::Control;
use super::shelf::{Batch, Kept, Stored};
use super::time::HOUR_MS;
use super::users::name_mistake;
use super::{Problem, ProblemKind};
use crate::config::PolicyServer;

/// What every enrolment token begins with.
const ENROLMENT_PREFIX: &str = "arg-enrol-";
/// What every gateway's own token begins with.
const GATEWAY_PREFIX: &str = "arg-gateway-";
const HOURS_MAX: u32 = 31 * 24;
/// The group of gateways that name none.
pub(super) const DEFAULT_GROUP: &str = "default";

/// A gateway that is enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Gateway {
    pub(super) id: String,
    /// Unique; what its records name.
    pub(super) name: String,
    pub(super) group: String,
    digest: String,
    /// What secrets in its bundles are sealed with, itself sealed; base64 of 32 bytes.
    pub(super) seal: Sealed,
    /// What its audit marks are signed with: the Ed25519 public key, hex.
    pub(super) audit_key: String,
    pub(super) enrolled_ms: u64,
    /// What it said last.
    pub(super) report: Option<Report>,
    /// That its records are refused, if so.
    #[serde(default)]
    pub(super) arrival: Option<Arrival>,
}

/// Records of a gateway that are refused as they arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RefusedRecords")]
pub(super) struct Arrival {
    /// Since when, Unix milliseconds.
    pub(super) refused_ms: u64,
    /// What is wrong with them.
    pub(super) refused: String,
}

/// Polls without a word after which a gateway is away.
const AWAY_POLLS: u64 = 6;
/// A gateway that polls more often is not away sooner.
const AWAY_MS_MIN: u64 = 10 * 1000;

/// What a gateway says of itself with every poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// When it was said, Unix milliseconds; set by the server.
    #[serde(default)]
    pub(super) at_ms: u64,
    /// Version of the program.
    pub(super) version: String,
    /// Generation of the bundle in force; 0: none.
    pub(super) generation: u64,
    /// Why the newest bundle is not in force, if so.
    #[serde(default)]
    pub(super) refused: Option<String>,
    /// Records that it has written and not yet shipped.
    #[serde(default)]
    pub(super) records_behind: u64,
    /// How often it polls.
    #[serde(default = "usual_poll_seconds")]
    pub(super) poll_seconds: u64,
    /// How far its clock is before the server's, milliseconds; negative where it is behind, 0 within five seconds.
    #[serde(default)]
    pub(super) clock_ahead_ms: i64,
}

/// How often gateways poll that do not say it.
pub(super) fn usual_poll_seconds() -> u64 {
    PolicyServer::POLL.as_secs()
}

impl Report {
    /// Whether the gateway has said nothing for so long that it does not run, or cannot reach the server.
    pub(super) fn is_away(&self, now_ms: u64) -> bool {
        let longest = self.poll_seconds.saturating_mul(1000 * AWAY_POLLS).max(AWAY_MS_MIN);
        now_ms.saturating_sub(self.at_ms) > longest
    }
}

impl Stored for Gateway {
    const KIND: &'static str = "gateway";

    fn id(&self) -> &str {
        &self.id
    }

    fn lookup(&self) -> Option<String> {
        Some(self.digest.clone())
    }

    fn parent(&self) -> Option<String> {
        Some(self.group.clone())
    }
}

/// The right to enrol one gateway, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Enrolment {
    /// Digest of the token.
    id: String,
    group: String,
    expires_ms: u64,
}

impl Stored for Enrolment {
    const KIND: &'static str = "enrolment token";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// That a name is a gateway's: of several that apply with it at the same moment, one gets it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Name {
    name: String,
}

impl Stored for Name {
    const KIND: &'static str = "gateway's name";

    fn id(&self) -> &str {
        &self.name
    }
}

/// A gateway, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Gateway")]
pub(super) struct GatewayView {
    /// Its id.
    pub(super) id: String,
    /// What records name.
    pub(super) name: String,
    /// Whose bundle it runs.
    pub(super) group: String,
    /// Unix milliseconds.
    pub(super) enrolled_ms: u64,
    /// What it said last.
    pub(super) report: Option<Report>,
    /// That its records are refused, if so.
    pub(super) arrival: Option<Arrival>,
}

impl From<&Gateway> for GatewayView {
    fn from(it: &Gateway) -> Self {
        GatewayView {
            id: it.id.clone(),
            name: it.name.clone(),
            group: it.group.clone(),
            enrolled_ms: it.enrolled_ms,
            report: it.report.clone(),
            arrival: it.arrival.clone(),
        }
    }
}

/// A token to enrol one gateway with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnrolment {
    /// The gateway's group; `default` where it is absent.
    #[serde(default)]
    pub(super) group: Option<String>,
    /// How long the token may be used, 1 to 744.
    pub(super) hours: u32,
}

/// The token, shown this once.
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct IssuedEnrolment {
    /// For `airiskguard-gateway enroll --token`.
    pub(super) token: String,
    /// Unix milliseconds.
    pub(super) expires_ms: u64,
}

/// What a gateway says to enrol.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    /// The enrolment token.
    token: String,
    /// The gateway's name, which its records have: that of its folder.
    name: String,
    /// The public key of its audit marks, 64 hex digits.
    audit_key: String,
    /// That it holds the key: a mark on nothing. Needed where records of this name have arrived before.
    #[serde(default)]
    proof: Option<SignedMark>,
}

/// What an enrolled gateway keeps.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Enrolled {
    /// Its id: bundles name it.
    pub(super) id: String,
    /// What it sends as a bearer from now on.
    pub(super) token: String,
    /// What secrets in its bundles are sealed with, base64 of 32 bytes.
    pub(super) seal: String,
    /// What bundles are signed with: the Ed25519 public key, hex.
    pub(super) bundle_key: String,
    /// Its group.
    pub(super) group: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("gateways.list", "/api/v1/gateways", Permission::ReadGateways, list)
            .says("Gateways and what they said last")
            .answers::<Vec<GatewayView>>(),
        post("gateways.invite", "/api/v1/enrolments", Permission::ManageGateways, invite)
            .says("Makes a token that enrols one gateway; shown once")
            .takes::<NewEnrolment>()
            .makes::<IssuedEnrolment>(),
        post("gateways.enrol", "/api/v1/enrol", Access::Open("the one-time token decides"), enrol)
            .says("Enrols a gateway")
            .takes::<Application>()
            .makes::<Enrolled>(),
        delete("gateways.remove", "/api/v1/gateways/{id}", Permission::ManageGateways, remove)
            .says("Ends a gateway's access; it serves on with the bundle it has"),
    ]
}

async fn list(State(control): State<Control>, _: Granted) -> Result<Json<Vec<GatewayView>>, Problem> {
    let all = control.shelf.all::<Gateway>().await?;
    Ok(Json(all.iter().map(|it| GatewayView::from(&it.value)).collect()))
}

async fn invite(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewEnrolment>,
) -> Result<Created<IssuedEnrolment>, Problem> {
    Ok(Created(invited(&control, &granted, new).await?))
}

/// Makes a token that enrols one gateway.
pub(super) async fn invited(
    control: &Control,
    granted: &Granted,
    new: NewEnrolment,
) -> Result<IssuedEnrolment, Problem> {
    let group = new.group.unwrap_or_else(|| DEFAULT_GROUP.to_owned());
    name_mistake("group", &group)?;
    if !(1..=HOURS_MAX).contains(&new.hours) {
        return Err(Problem::invalid(format!("`hours` has to be 1 to {HOURS_MAX}")));
    }
    let secret = format!("{ENROLMENT_PREFIX}{}", token()?);
    let expires_ms = control.shelf.now_ms() + u64::from(new.hours) * HOUR_MS;
    control.shelf.insert(&Enrolment { id: digest(&secret), group: group.clone(), expires_ms }).await?;
    control.acts.note(&granted.actor, "gateway.invited", [("group", group)]);
    Ok(IssuedEnrolment { token: secret, expires_ms })
}

async fn enrol(
    State(control): State<Control>,
    caller: Caller,
    Body(application): Body<Application>,
) -> Result<Created<Enrolled>, Problem> {
    name_mistake("gateway", &application.name)?;
    let is_key = application.audit_key.len() == 64 && application.audit_key.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_key {
        return Err(Problem::invalid("`audit_key` is no Ed25519 public key in hex"));
    }
    // Who has no token is not told which gateways there are.
    let unknown = || Problem::forbidden("this enrolment token is not known, has expired or has been used");
    let enrolment = control.shelf.get::<Enrolment>(&digest(&application.token)).await?.ok_or_else(unknown)?;
    ingest::need_owner(&control, &application.name, &application.audit_key, application.proof.as_ref()).await?;
    if control.shelf.all::<Gateway>().await?.iter().any(|it| it.name == application.name) {
        return Err(taken(&application.name));
    }
    let (name, audit_key) = (&application.name, application.audit_key.to_ascii_lowercase());
    let admitted = admitted(&control, &caller.actor(), name, &audit_key, &enrolment.group, Some(&enrolment)).await;
    match admitted {
        // Somebody was first at the same moment: with this token, or under this name.
        Err(problem) if problem.kind == ProblemKind::Conflict => {
            let is_unspent = control.shelf.get::<Enrolment>(&enrolment.id).await?.is_some();
            Err(if is_unspent { taken(name) } else { unknown() })
        }
        other => other.map(Created),
    }
}

fn taken(name: &str) -> Problem {
    Problem::conflict(format!("there is a gateway `{name}` already: remove it first, or give this one another folder"))
}

/// Makes it one of ours: whoever asks has decided that it may be. The token that it came with is `spent` with the same
/// step.
pub(super) async fn admitted(
    control: &Control,
    actor: &Actor,
    name: &str,
    audit_key: &str,
    group: &str,
    spent: Option<&Kept<Enrolment>>,
) -> Result<Enrolled, Problem> {
    // Before anything is written: it cannot be told where the master key is not the store's.
    let bundle_key = super::bundle::public_key(control).await?;
    let secret = format!("{GATEWAY_PREFIX}{}", token()?);
    let id = control.new_id();
    let seal = fresh_key()?;
    let gateway = Gateway {
        seal: control.master.seal(&seal, &purpose(&id))?,
        id,
        name: name.to_owned(),
        group: group.to_owned(),
        digest: digest(&secret),
        audit_key: audit_key.to_owned(),
        enrolled_ms: control.shelf.now_ms(),
        report: None,
        arrival: None,
    };
    let batch = Batch::default().insert(&gateway).insert(&Name { name: gateway.name.clone() });
    control.shelf.commit(spent.into_iter().fold(batch, Batch::delete)).await?;
    control.acts.changed(actor, "gateway.enrolled", &gateway.name, None, Some(&GatewayView::from(&gateway)));
    let (id, group) = (gateway.id, gateway.group);
    Ok(Enrolled { id, token: secret, seal: seal.expose().to_owned(), bundle_key, group })
}

/// Whether this is a gateway of ours.
pub(super) async fn is_enrolled(control: &Control, id: &str, name: &str) -> Result<bool, Problem> {
    Ok(control.shelf.get::<Gateway>(id).await?.is_some_and(|it| it.name == name))
}

/// Removes the gateway of this name, if there is one.
pub(super) async fn forget(control: &Control, name: &str) -> Result<(), Problem> {
    for gateway in control.shelf.all::<Gateway>().await?.iter().filter(|it| it.name == name) {
        deleted(control, gateway).await?;
    }
    Ok(())
}

/// With its name, which is another's to take then. Those that enrolled before names were kept have none.
async fn deleted(control: &Control, gateway: &Kept<Gateway>) -> Result<(), Problem> {
    let name = control.shelf.get::<Name>(&gateway.name).await?;
    control.shelf.commit(name.iter().fold(Batch::default().delete(gateway), Batch::delete)).await
}

async fn remove(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Done, Problem> {
    removed(&control, &granted, &id).await?;
    Ok(Done)
}

/// Ends a gateway's access.
pub(super) async fn removed(control: &Control, granted: &Granted, id: &str) -> Result<(), Problem> {
    let gateway = control.shelf.need::<Gateway>(id).await?;
    deleted(control, &gateway).await?;
    let before = GatewayView::from(&gateway.value);
    control.acts.changed(&granted.actor, "gateway.removed", &gateway.name, Some(&before), None);
    Ok(())
}

/// The gateway whose token this is.
pub(super) async fn presented(control: &Control, secret: &str) -> Result<Option<Gateway>, Problem> {
    if !secret.starts_with(GATEWAY_PREFIX) {
        return Ok(None);
    }
    Ok(control.shelf.find::<Gateway>(&digest(secret)).await?.map(|it| it.value))
}

/// What a gateway's sealing key is bound to.
pub(super) fn purpose(id: &str) -> String {
    format!("gateway/{id}")
}
