//! Gateways: what they run, how far behind they are, and how another one joins.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, given, number};
use super::layout::{Said, Shell, again, on_to, shown};
use super::show;
use crate::control::Problem;
use crate::control::gateways::{self, Gateway, GatewayView, NewEnrolment};
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::roles::Permission;
use crate::control::server::Control;

/// A clock that differs by less does no harm: records are read in the order of their chain.
const CLOCK_MS_MIN: u64 = 60 * 1000;
/// How long an enrolment token holds where nothing else is typed.
const HOURS: u32 = 24;

#[derive(Template)]
#[template(path = "gateways.html")]
struct Gateways {
    shell: Shell,
    rows: Vec<Row>,
    manages: bool,
    group: String,
    hours: String,
    invitation: Option<Invitation>,
    mistakes: Mistakes,
}

struct Row {
    view: GatewayView,
    /// `is-good` and the like, and the word for it.
    state: (&'static str, &'static str),
    /// That its clock is wrong, or the server's.
    clock: Option<String>,
}

/// What enrols a gateway: a token, and the commands with it.
pub(super) struct Invitation {
    pub(super) token: String,
    pub(super) expires: String,
    pub(super) server: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    group: String,
    hours: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.gateways", "/gateways", P::ReadGateways, list).says("Gateways"),
        submit("pages.invite_gateway", "/gateways", P::ManageGateways, invite).says("Makes an enrolment token"),
        submit("pages.remove_gateway", "/gateways/{id}/remove", P::ManageGateways, remove).says("Ends its access"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted, Query(said): Query<Said>) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Gateways, Problem> {
    let gateways = control.shelf.all::<Gateway>().await?;
    let mut views: Vec<GatewayView> = gateways.iter().map(|it| GatewayView::from(&it.value)).collect();
    views.sort_by(|a, b| a.name.cmp(&b.name));
    let now = control.shelf.now_ms();
    Ok(Gateways {
        shell: Shell::of(control, granted, "Gateways", "/gateways"),
        rows: views.into_iter().map(|view| Row { state: state(&view, now), clock: clock(&view), view }).collect(),
        manages: granted.reach_of(Permission::ManageGateways).is_some(),
        group: String::new(),
        hours: String::new(),
        invitation: None,
        mistakes: Mistakes::default(),
    })
}

fn state(gateway: &GatewayView, now_ms: u64) -> (&'static str, &'static str) {
    if gateway.arrival.is_some() {
        return ("is-bad", "its records are refused");
    }
    match &gateway.report {
        None => ("is-waiting", "not heard of yet"),
        Some(report) if report.is_away(now_ms) => ("is-bad", "away"),
        Some(report) if report.refused.is_some() => ("is-bad", "refuses its bundle"),
        Some(report) if report.generation == 0 => ("is-waiting", "without a bundle"),
        Some(_) => ("is-good", "in step"),
    }
}

fn clock(gateway: &GatewayView) -> Option<String> {
    let ahead_ms = gateway.report.as_ref()?.clock_ahead_ms;
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let minutes = ahead_ms.unsigned_abs() / CLOCK_MS_MIN;
    (minutes > 0).then(|| format!("its clock is {minutes} min {side} this server's"))
}

/// Makes a token, and what to do with it.
pub(super) async fn invited(control: &Control, granted: &Granted, typed: &Typed) -> Result<Invitation, Problem> {
    let hours = number("hours", &typed.hours)?.unwrap_or(HOURS);
    let issued = gateways::invited(control, granted, NewEnrolment { group: given(&typed.group), hours }).await?;
    Ok(Invitation {
        token: issued.token,
        expires: show::ago(control.shelf.now_ms(), issued.expires_ms),
        server: control.settings.public_url.clone(),
    })
}

async fn invite(
    State(control): State<Control>,
    granted: Granted,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    match invited(&control, &granted, &typed).await {
        Ok(it) => shown(&Gateways { invitation: Some(it), ..draw(&control, &granted).await? }),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[("group", "the name of a group"), ("hours", "`hours`")])?;
            let Typed { group, hours } = typed;
            again(&problem, &Gateways { group, hours, mistakes, ..draw(&control, &granted).await? })
        }
    }
}

async fn remove(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Response, Problem> {
    gateways::removed(&control, &granted, &id).await?;
    on_to("/gateways", "gateway-removed")
}
