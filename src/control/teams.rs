//! Teams: who shares keys, models, checks and limits.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::bundle::{Change, check_change};
use super::http::{Body, Created, Done, Granted, Json, Path, Query, Route, delete, get, post, put};
use super::keys::{self, Key, Owners};
use super::roles::Permission;
use super::server::Control;
use super::shelf::{Kept, Stored};
use super::users::{User, name_mistake};

/// What a team may do. The fields mean what they mean under `teams:` of `gateway.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamSettings {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// Models it may use, with `*`; all where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_allowlist: Option<Vec<String>>,
    /// Checkers for its prompts, instead of the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outbound_checks: Option<Vec<String>>,
    /// Checkers for its completions, instead of the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inbound_checks: Option<Vec<String>>,
    /// Whether secrets are redacted instead of blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) redact_secrets: Option<bool>,
    /// Rates and budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limits: Option<TeamLimits>,
}

/// As under `limits:` of a team in `gateway.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamLimits {
    /// Requests in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests_per_minute: Option<u32>,
    /// Tokens in a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requests_in_flight_max: Option<u32>,
    /// Tokens in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens_per_day: Option<u64>,
    /// Tokens in a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens_per_month: Option<u64>,
    /// Dollars in a day: `25` or `25.50`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost_per_day: Option<f64>,
    /// Dollars in a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost_per_month: Option<f64>,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Team {
    pub(super) name: String,
    pub(super) settings: TeamSettings,
    pub(super) created_ms: u64,
}

impl Stored for Team {
    const KIND: &'static str = "team";
    const IS_TOLD: bool = true;

    fn id(&self) -> &str {
        &self.name
    }
}

/// A team, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Team")]
pub(super) struct TeamView {
    /// Its name, which records and policies use.
    pub(super) name: String,
    /// What it may do.
    pub(super) settings: TeamSettings,
    /// Gateway keys that gateways take.
    pub(super) keys: usize,
    /// Unix milliseconds.
    pub(super) created_ms: u64,
    /// One more with every change.
    pub(super) version: u64,
}

/// Which state of a team is to be changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamQuery {
    /// The version that was read before: a conflict where there is a newer one. Without it, what is there is overwritten.
    #[serde(default)]
    version: Option<u64>,
}

/// A team to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTeam {
    /// Its name, which cannot be changed.
    pub(super) name: String,
    /// What it may do.
    #[serde(default)]
    pub(super) settings: TeamSettings,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("teams.list", "/api/v1/teams", Permission::ReadTeams, list_all)
            .says("The teams within reach")
            .answers::<Vec<TeamView>>(),
        get("teams.read", "/api/v1/teams/{team}", Permission::ReadTeams, read).says("One team").answers::<TeamView>(),
        post("teams.create", "/api/v1/teams", Permission::ManageTeams, create)
            .says("Makes a team")
            .takes::<NewTeam>()
            .makes::<TeamView>(),
        put("teams.change", "/api/v1/teams/{team}", Permission::ManageTeams, change)
            .says("Sets what a team may do")
            .asks::<TeamQuery>()
            .takes::<TeamSettings>()
            .answers::<TeamView>(),
        delete("teams.delete", "/api/v1/teams/{team}", Permission::ManageTeams, remove)
            .says("Removes a team that has no keys any more"),
    ]
}

async fn list_all(State(control): State<Control>, granted: Granted) -> Result<Json<Vec<TeamView>>, Problem> {
    Ok(Json(list(&control, &granted).await?))
}

/// The teams within reach, by name.
pub(super) async fn list(control: &Control, granted: &Granted) -> Result<Vec<TeamView>, Problem> {
    let mut views = Vec::new();
    let (keys, owners, now) = (control.shelf.all::<Key>().await?, Owners::read(control).await?, control.shelf.now_ms());
    for team in control.shelf.all::<Team>().await? {
        if granted.need_team(&team.name).is_ok() {
            let of_team = keys.iter().filter(|it| it.team == team.name && it.holds(now) && owners.let_in(it));
            views.push(view(&team, of_team.count()));
        }
    }
    Ok(views)
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
) -> Result<Json<TeamView>, Problem> {
    granted.need_team(&name)?;
    let team = control.shelf.need::<Team>(&name).await?;
    let keys = keys::taken(&control, &name).await?;
    Ok(Json(view(&team, keys)))
}

async fn create(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewTeam>,
) -> Result<Created<TeamView>, Problem> {
    Ok(Created(made(&control, &granted, new).await?))
}

/// Makes a team.
pub(super) async fn made(control: &Control, granted: &Granted, new: NewTeam) -> Result<TeamView, Problem> {
    name_mistake("team", &new.name)?;
    check(&new.settings)?;
    let team = Team { name: new.name, settings: new.settings, created_ms: control.shelf.now_ms() };
    check_change(control, &Change::Team(team.clone())).await?;
    control.shelf.insert(&team).await?;
    control.acts.changed(&granted.actor, "team.created", &team.name, None, Some(&team.settings));
    Ok(view(&Kept { version: 1, value: team }, 0))
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Query(asked): Query<TeamQuery>,
    Body(settings): Body<TeamSettings>,
) -> Result<Json<TeamView>, Problem> {
    Ok(Json(changed(&control, &granted, &name, asked.version, settings).await?))
}

/// Sets what a team may do, where it is still as it was read.
pub(super) async fn changed(
    control: &Control,
    granted: &Granted,
    name: &str,
    read: Option<u64>,
    settings: TeamSettings,
) -> Result<TeamView, Problem> {
    check(&settings)?;
    let mut team = control.shelf.need::<Team>(name).await?;
    if read.is_some_and(|it| it != team.version) {
        return Err(Problem::conflict("somebody has changed this team since it was read: read it again"));
    }
    let before = std::mem::replace(&mut team.value.settings, settings);
    check_change(control, &Change::Team(team.value.clone())).await?;
    control.shelf.update(&team).await?;
    team.version += 1;
    control.acts.changed(&granted.actor, "team.changed", name, Some(&before), Some(&team.settings));
    Ok(view(&team, keys::taken(control, name).await?))
}

async fn remove(State(control): State<Control>, granted: Granted, Path(name): Path<String>) -> Result<Done, Problem> {
    removed(&control, &granted, &name).await?;
    Ok(Done)
}

/// Removes a team that has neither keys nor people any more.
pub(super) async fn removed(control: &Control, granted: &Granted, name: &str) -> Result<(), Problem> {
    let team = control.shelf.need::<Team>(name).await?;
    if keys::holding(control, name).await? > 0 {
        return Err(Problem::conflict(format!("the team `{name}` has keys that hold: revoke them first")));
    }
    if control.shelf.all::<User>().await?.iter().any(|it| it.teams.iter().any(|team| team == name)) {
        return Err(Problem::conflict(format!("somebody belongs to the team `{name}`: change that first")));
    }
    check_change(control, &Change::NoTeam(name.to_owned())).await?;
    control.shelf.delete(&team).await?;
    control.acts.changed(&granted.actor, "team.deleted", name, Some(&team.settings), None);
    Ok(())
}

/// What the gateway's own loader would refuse is refused here, with the loader's words.
fn check(settings: &TeamSettings) -> Result<(), Problem> {
    super::bundle::check_team(settings)
        .map_err(|mistakes| Problem::invalid("these settings cannot be used").with(mistakes))
}

/// A team as it is kept, with so many keys.
pub(super) fn view(team: &Kept<Team>, keys: usize) -> TeamView {
    let (name, settings) = (team.name.clone(), team.settings.clone());
    TeamView { name, settings, keys, created_ms: team.created_ms, version: team.version }
}
