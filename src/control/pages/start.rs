//! First steps: from an empty server to the first request, each step with its own form.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::Mistakes;
use super::gateways::{self, Invitation};
use super::layout::{Said, Shell, again, on_to, shown};
use super::providers;
use super::show;
use super::teams::{self, GATEWAY, Issued, TypedKey};
use crate::control::Problem;
use crate::control::gateways::Gateway;
use crate::control::http::{Form, Granted, Query, Route, page, submit};
use crate::control::keys::Key;
use crate::control::providers::Provider;
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::teams::Team;
use crate::store;

/// Newest requests among which one with a key is looked for.
const NEWEST_MAX: usize = 50;

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    shell: Shell,
    providers: Vec<String>,
    teams: Vec<String>,
    keys: usize,
    gateways: Vec<String>,
    /// A request that was made with a key.
    seen: Option<Seen>,
    typed: providers::Typed,
    team: String,
    key_name: String,
    gateway: String,
    issued: Option<Issued>,
    invitation: Option<Invitation>,
    /// The step whose form has a mistake.
    wrong: &'static str,
    mistakes: Mistakes,
}

struct Seen {
    id: String,
    at_ms: u64,
    gateway: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedTeam {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TypedFirstKey {
    team: String,
    name: String,
    gateway: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.start", "/start", P::ManageGateways, read).says("First steps"),
        submit("pages.start_provider", "/start/provider", P::ManageProviders, provider).says("Adds a provider"),
        submit("pages.start_team", "/start/team", P::ManageTeams, team).says("Makes a team"),
        submit("pages.start_key", "/start/key", P::ManageKeys, key).says("Makes a key; shown once"),
        submit("pages.start_gateway", "/start/gateway", P::ManageGateways, gateway).says("Makes an enrolment token"),
    ]
}

impl Start {
    /// Whether this is the first step that is not done.
    fn is_now(&self, step: usize) -> bool {
        self.done().iter().position(|it| !it) == Some(step)
    }

    fn done(&self) -> [bool; 5] {
        let some = |these: &[String]| !these.is_empty();
        [some(&self.providers), some(&self.teams), self.keys > 0, some(&self.gateways), self.seen.is_some()]
    }

    fn class(&self, step: usize) -> &'static str {
        match self.done().get(step) {
            Some(true) => "is-done",
            _ if self.is_now(step) => "is-now",
            _ => "is-later",
        }
    }
}

async fn read(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Start, Problem> {
    let providers = control.shelf.all::<Provider>().await?;
    let teams = control.shelf.all::<Team>().await?;
    let now = control.shelf.now_ms();
    let keys = control.shelf.all::<Key>().await?.iter().filter(|it| it.holds(now)).count();
    let gateways = control.shelf.all::<Gateway>().await?;
    Ok(Start {
        shell: Shell::of(control, granted, "First steps", "/start"),
        providers: providers.iter().map(|it| it.name.clone()).collect(),
        teams: teams.iter().map(|it| it.name.clone()).collect(),
        keys,
        gateways: gateways.iter().map(|it| it.name.clone()).collect(),
        seen: seen(control).await?,
        typed: providers::Typed {
            name: "anthropic".to_owned(),
            dialect: "anthropic".to_owned(),
            urls: "https://api.anthropic.com".to_owned(),
            ..providers::Typed::default()
        },
        team: String::new(),
        key_name: String::new(),
        gateway: GATEWAY.to_owned(),
        issued: None,
        invitation: None,
        wrong: "",
        mistakes: Mistakes::default(),
    })
}

/// The newest request that a key came with. What is refused before any key is known is nobody's first success.
async fn seen(control: &Control) -> Result<Option<Seen>, Problem> {
    let query = store::Query { kind: Some("exchange".to_owned()), rows_max: NEWEST_MAX, ..store::Query::default() };
    let newest = control.records.search(&query).await?;
    let keyed = |it: &store::Record| matches!(&it.subject, store::Subject::Exchange(it) if it.key.is_some());
    let found = newest.iter().filter_map(|it| it.record().ok()).find(keyed);
    Ok(found.map(|it| Seen { id: it.id, at_ms: it.written_ms, gateway: it.gateway }))
}

async fn provider(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<providers::Typed>,
) -> Result<Response, Problem> {
    match providers::added(&control, &granted, &typed).await {
        Ok(()) => on_to("/start", "provider-added"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &providers::PLACES)?;
            let page = draw(&control, &granted).await?;
            again(&problem, &Start { typed, wrong: "provider", mistakes, ..page })
        }
    }
}

async fn team(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<TypedTeam>,
) -> Result<Response, Problem> {
    match teams::made(&control, &granted, &typed.name, "").await {
        Ok(_) => on_to("/start", "team-made"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[("team", "the name of"), ("team", "there is a")])?;
            let page = draw(&control, &granted).await?;
            again(&problem, &Start { team: typed.name, wrong: "team", mistakes, ..page })
        }
    }
}

async fn key(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<TypedFirstKey>,
) -> Result<Response, Problem> {
    let wanted = TypedKey { name: typed.name, gateway: typed.gateway, ..TypedKey::default() };
    let issued = teams::issued(&control, &granted, &typed.team, &wanted).await;
    let page = draw(&control, &granted).await?;
    match issued {
        Ok(issued) => shown(&Start { issued: Some(issued), ..page }),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &teams::KEY)?;
            let TypedKey { name: key_name, gateway, .. } = wanted;
            again(&problem, &Start { key_name, gateway, wrong: "key", mistakes, ..page })
        }
    }
}

async fn gateway(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    let invitation = gateways::invited(&control, &granted, &gateways::Typed::default()).await?;
    shown(&Start { invitation: Some(invitation), ..draw(&control, &granted).await? })
}
