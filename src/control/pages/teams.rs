//! Teams and their keys. A key is shown on the answer to the form that made it, and nowhere else.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, entries, given, number};
use super::layout::{Said, Shell, again, also, on_to, shown};
use super::show;
use crate::control::Problem;
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::keys::{self, KeyView, NewKey, Rotation};
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;
use crate::control::teams::{self, NewTeam, Team, TeamLimits, TeamSettings, TeamView};
use crate::control::users::User;

/// Where developers reach a gateway, where nobody has said otherwise.
pub(super) const GATEWAY: &str = "http://localhost:8080";

#[derive(Template)]
#[template(path = "teams.html")]
struct Teams {
    shell: Shell,
    teams: Vec<TeamView>,
    name: String,
    description: String,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    shell: Shell,
    team: TeamView,
    /// The state of the team that the form is about.
    version: u64,
    settings: Typed,
    keys: Vec<KeyView>,
    owners: Vec<(String, String)>,
    manages: bool,
    issues: bool,
    issued: Option<Issued>,
    key_name: String,
    days: String,
    gateway: String,
    mistakes: Mistakes,
}

/// A key that was just made, and the lines to set it with.
pub(super) struct Issued {
    pub(super) key: String,
    pub(super) gateway: String,
}

/// What a team may do, as typed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    version: Option<u64>,
    description: String,
    model_allowlist: String,
    outbound_checks: String,
    inbound_checks: String,
    /// Whether a list that is empty, so that nothing is allowed or run, is to be as everyone's again.
    free_models: bool,
    free_outbound_checks: bool,
    free_inbound_checks: bool,
    redact_secrets: String,
    requests_per_minute: String,
    tokens_per_minute: String,
    requests_in_flight_max: String,
    tokens_per_day: String,
    tokens_per_month: String,
    cost_per_day: String,
    cost_per_month: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedTeam {
    name: String,
    description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TypedKey {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) days: String,
    pub(super) gateway: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedRotation {
    hours: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.teams", "/teams", P::ReadTeams, list).says("Teams"),
        submit("pages.make_team", "/teams", P::ManageTeams, make).says("Makes a team"),
        page("pages.team", "/teams/{team}", P::ReadTeams, read).says("A team and its keys"),
        submit("pages.change_team", "/teams/{team}", P::ManageTeams, change).says("Sets what a team may do"),
        submit("pages.remove_team", "/teams/{team}/remove", P::ManageTeams, remove).says("Removes a team"),
        submit("pages.issue_key", "/teams/{team}/keys", P::ManageKeys, issue).says("Makes a key; shown once"),
        submit("pages.rotate_key", "/teams/{team}/keys/{id}/rotate", P::ManageKeys, rotate).says("Makes a successor"),
        submit("pages.revoke_key", "/teams/{team}/keys/{id}/revoke", P::ManageKeys, revoke).says("Revokes a key"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let shell = Shell::of(&control, &granted, "Teams and keys", "/teams").after(&said);
    let teams = teams::list(&control, &granted).await?;
    let (name, description) = <(String, String)>::default();
    shown(&Teams { shell, teams, name, description, mistakes: Mistakes::default() })
}

async fn make(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<TypedTeam>,
) -> Result<Response, Problem> {
    match made(&control, &granted, &typed.name, &typed.description).await {
        Ok(team) => on_to(&format!("/teams/{}", team.name), "team-made"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[("name", "the name of"), ("name", "there is a")])?;
            let shell = Shell::of(&control, &granted, "Teams and keys", "/teams");
            let teams = teams::list(&control, &granted).await?;
            again(&problem, &Teams { shell, teams, name: typed.name, description: typed.description, mistakes })
        }
    }
}

/// Makes a team of what was typed.
pub(super) async fn made(
    control: &Control,
    granted: &Granted,
    name: &str,
    description: &str,
) -> Result<TeamView, Problem> {
    let settings = TeamSettings { description: given(description), ..TeamSettings::default() };
    teams::made(control, granted, NewTeam { name: name.trim().to_owned(), settings }).await
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted, &name).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

/// The page of a team. `granted` may be for another permission than reading.
async fn draw(control: &Control, granted: &Granted, name: &str) -> Result<TeamPage, Problem> {
    let granted = also(granted, Permission::ReadTeams).ok_or_else(|| Problem::not_found("team", name))?;
    granted.need_team(name)?;
    let team = control.shelf.need::<Team>(name).await?;
    let keys = keys::list(control, &granted, name).await?;
    let of_team = keys.iter().filter(|it| it.holds).count();
    let issues = also(&granted, Permission::ManageKeys).is_some_and(|it| it.need_team(name).is_ok());
    let users = match issues && granted.reach_of(Permission::ReadUsers).is_some() {
        true => control.shelf.all::<User>().await?,
        false => Vec::new(),
    };
    Ok(TeamPage {
        shell: Shell::of(control, &granted, name, "/teams"),
        settings: Typed::from(&team.settings),
        version: team.version,
        team: teams::view(&team, of_team),
        keys,
        owners: users.iter().map(|it| (it.id.clone(), it.name.clone())).collect(),
        manages: granted.reach_of(Permission::ManageTeams) == Some(Reach::All),
        issues,
        issued: None,
        key_name: String::new(),
        days: String::new(),
        gateway: GATEWAY.to_owned(),
        mistakes: Mistakes::default(),
    })
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let kept = control.shelf.need::<Team>(&name).await?;
    let version = typed.version.unwrap_or(kept.version);
    let changed = match typed.settings(&kept.settings) {
        Ok(settings) => teams::changed(&control, &granted, &name, Some(version), settings).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => on_to(&format!("/teams/{name}"), "team-changed"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &LIMITS)?;
            // Still the version that was read: who saves once more without having looked is refused once more.
            let settings = typed;
            again(&problem, &TeamPage { settings, version, mistakes, ..draw(&control, &granted, &name).await? })
        }
    }
}

/// Fields of limits, as refusals name them.
const LIMITS: [(&str, &str); 7] = [
    ("requests_per_minute", "`requests_per_minute`"),
    ("tokens_per_minute", "`tokens_per_minute`"),
    ("requests_in_flight_max", "`requests_in_flight_max`"),
    ("tokens_per_day", "`tokens_per_day`"),
    ("tokens_per_month", "`tokens_per_month`"),
    ("cost_per_day", "`cost_per_day`"),
    ("cost_per_month", "`cost_per_month`"),
];

async fn remove(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    match teams::removed(&control, &granted, &name).await {
        Ok(()) => on_to("/teams", "team-removed"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &TeamPage { mistakes, ..draw(&control, &granted, &name).await? })
        }
    }
}

async fn issue(
    State(control): State<Control>,
    granted: Granted,
    Path(team): Path<String>,
    Form(typed): Form<TypedKey>,
) -> Result<Response, Problem> {
    let issued = issued(&control, &granted, &team, &typed).await;
    let page = draw(&control, &granted, &team).await?;
    match issued {
        Ok(issued) => shown(&TeamPage { issued: Some(issued), ..page }),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &KEY)?;
            let TypedKey { name: key_name, days, gateway, .. } = typed;
            again(&problem, &TeamPage { mistakes, key_name, days, gateway, ..page })
        }
    }
}

/// Fields of a key, as refusals name them.
pub(super) const KEY: [(&str, &str); 3] =
    [("key_name", "the name of a key"), ("days", "`days`"), ("gateway", "address of the gateway")];

/// Makes a key of what was typed.
pub(super) async fn issued(
    control: &Control,
    granted: &Granted,
    team: &str,
    typed: &TypedKey,
) -> Result<Issued, Problem> {
    let gateway = address(&typed.gateway)?;
    let new =
        NewKey { name: typed.name.trim().to_owned(), owner: given(&typed.owner), days: number("days", &typed.days)? };
    let issued = keys::issue(control, granted, team, new).await?;
    Ok(Issued { key: issued.key, gateway })
}

/// Where developers reach the gateway: it stands in lines that are pasted into a shell.
fn address(typed: &str) -> Result<String, Problem> {
    let typed = typed.trim().trim_end_matches('/');
    let typed = if typed.is_empty() { GATEWAY } else { typed };
    let host = typed.strip_prefix("https://").or_else(|| typed.strip_prefix("http://"));
    let plain = |it: &str| it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&it));
    match host.is_some_and(|it| !it.is_empty() && plain(it)) && typed.len() <= 200 {
        true => Ok(typed.to_owned()),
        false => Err(Problem::invalid("the address of the gateway has the form https://gateway.company.com")),
    }
}

async fn rotate(
    State(control): State<Control>,
    granted: Granted,
    Path((team, id)): Path<(String, String)>,
    Form(typed): Form<TypedRotation>,
) -> Result<Response, Problem> {
    let rotated = match number("hours", &typed.hours) {
        Ok(hours) => {
            keys::rotated(&control, &granted, &id, &Rotation { overlap_hours: hours.unwrap_or_default() }).await
        }
        Err(problem) => Err(problem),
    };
    let page = draw(&control, &granted, &team).await?;
    match rotated {
        Ok(issued) => {
            let issued = Issued { key: issued.key, gateway: GATEWAY.to_owned() };
            shown(&TeamPage { issued: Some(issued), ..page })
        }
        Err(problem) => again(&problem, &TeamPage { mistakes: Mistakes::of(&problem, &[])?, ..page }),
    }
}

async fn revoke(
    State(control): State<Control>,
    granted: Granted,
    Path((team, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    keys::revoked(&control, &granted, &id).await?;
    on_to(&format!("/teams/{team}"), "key-revoked")
}

impl From<&TeamSettings> for Typed {
    fn from(it: &TeamSettings) -> Self {
        let lines = |it: &Option<Vec<String>>| it.as_deref().unwrap_or_default().join("\n");
        let limits = it.limits.clone().unwrap_or_default();
        fn typed<T: ToString>(it: Option<T>) -> String {
            it.map(|it| it.to_string()).unwrap_or_default()
        }
        Typed {
            version: None,
            description: it.description.clone().unwrap_or_default(),
            model_allowlist: lines(&it.model_allowlist),
            outbound_checks: lines(&it.outbound_checks).replace('\n', ", "),
            inbound_checks: lines(&it.inbound_checks).replace('\n', ", "),
            free_models: false,
            free_outbound_checks: false,
            free_inbound_checks: false,
            redact_secrets: typed(it.redact_secrets),
            requests_per_minute: typed(limits.requests_per_minute),
            tokens_per_minute: typed(limits.tokens_per_minute),
            requests_in_flight_max: typed(limits.requests_in_flight_max),
            tokens_per_day: typed(limits.tokens_per_day),
            tokens_per_month: typed(limits.tokens_per_month),
            cost_per_day: typed(limits.cost_per_day),
            cost_per_month: typed(limits.cost_per_month),
        }
    }
}

impl Typed {
    /// What was typed. A list that was empty, and is still, stays so: nothing is another thing than everything.
    fn settings(&self, kept: &TeamSettings) -> Result<TeamSettings, Problem> {
        let list = |typed: &str, kept: &Option<Vec<String>>, is_free: bool| {
            entries(typed).or_else(|| kept.clone().filter(|it| it.is_empty() && !is_free))
        };
        let limits = TeamLimits {
            requests_per_minute: number("requests_per_minute", &self.requests_per_minute)?,
            tokens_per_minute: number("tokens_per_minute", &self.tokens_per_minute)?,
            requests_in_flight_max: number("requests_in_flight_max", &self.requests_in_flight_max)?,
            tokens_per_day: number("tokens_per_day", &self.tokens_per_day)?,
            tokens_per_month: number("tokens_per_month", &self.tokens_per_month)?,
            cost_per_day: number("cost_per_day", &self.cost_per_day)?,
            cost_per_month: number("cost_per_month", &self.cost_per_month)?,
        };
        Ok(TeamSettings {
            description: given(&self.description),
            model_allowlist: list(&self.model_allowlist, &kept.model_allowlist, self.free_models),
            outbound_checks: list(&self.outbound_checks, &kept.outbound_checks, self.free_outbound_checks),
            inbound_checks: list(&self.inbound_checks, &kept.inbound_checks, self.free_inbound_checks),
            redact_secrets: match self.redact_secrets.as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            limits: (limits != TeamLimits::default()).then_some(limits),
        })
    }
}
