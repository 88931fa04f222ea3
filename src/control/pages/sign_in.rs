//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::sentence;
use super::layout::{again, shown};
use crate::control::http::{Access, Caller, Form, Granted, Query, Route, page, submit};
use crate::control::server::Control;
use crate::control::sign_in::{self, Credentials, safe_back};
use crate::control::{Problem, ProblemKind};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    back: String,
    name: String,
    /// What went wrong with the last try.
    refused: String,
    signed_out: bool,
    /// Whether the session at the identity provider is still there to be ended.
    leads_on: bool,
    local: bool,
    needs_setup: bool,
    ways: Vec<Way>,
}

/// One way of single sign-on: a link, because the content policy lets forms lead nowhere else.
struct Way {
    name: String,
    path: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    back: String,
    said: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    name: String,
    password: String,
    back: String,
}

pub(super) fn routes() -> Vec<Route> {
    const REASON: Access = Access::Open("this is where one signs in");
    vec![
        page("pages.sign_in", "/sign-in", REASON, ask).says("Where people sign in"),
        submit("pages.signing_in", "/sign-in", REASON, sign_in).says("Signs a local user in"),
        submit("pages.sign_out", "/sign-out", Access::SignedIn, sign_out).says("Ends the session"),
    ]
}

async fn ask(State(control): State<Control>, caller: Caller, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if caller.actor().session().is_some() {
        return Ok(Redirect::to(&safe_back(Some(&asked.back))).into_response());
    }
    let mut form = form(&control, &asked.back).await?;
    form.signed_out = asked.said.starts_with("signed-out");
    form.leads_on = asked.said == "signed-out-here";
    shown(&form)
}

async fn form(control: &Control, back: &str) -> Result<SignIn, Problem> {
    let back = safe_back(Some(back));
    Ok(SignIn {
        ways: ways(control, &back),
        back,
        name: String::new(),
        refused: String::new(),
        signed_out: false,
        leads_on: false,
        local: control.settings.local_sign_in(),
        needs_setup: sign_in::is_needed(control).await?,
    })
}

fn ways(control: &Control, back: &str) -> Vec<Way> {
    let back = serde_html_form::to_string([("back", back)]).unwrap_or_default();
    let way = |it: sign_in::Way| Way { name: it.name, path: format!("{}?{back}", it.path) };
    sign_in::ways(control).into_iter().map(way).collect()
}

async fn sign_in(
    State(control): State<Control>,
    caller: Caller,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let credentials = Credentials { name: typed.name.trim().to_owned(), password: typed.password };
    match sign_in::authenticate(&control, &caller, credentials).await {
        Ok(cookie) => {
            let mut response = Redirect::to(&safe_back(Some(&typed.back))).into_response();
            response.headers_mut().append(SET_COOKIE, cookie);
            Ok(response)
        }
        Err(problem) if is_about_the_try(problem.kind) => {
            let refused = sentence(&problem.detail);
            again(&problem, &SignIn { name: typed.name, refused, ..form(&control, &typed.back).await? })
        }
        Err(problem) => Err(problem),
    }
}

fn is_about_the_try(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::Unauthenticated | ProblemKind::Forbidden | ProblemKind::TooOften)
}

async fn sign_out(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    let left = sign_in::leave(&control, &granted).await?;
    // A link leads on to the identity provider: what follows a form has to stay here.
    let there = if left.continue_at.is_some() { "signed-out-here" } else { "signed-out" };
    let mut response = Redirect::to(&format!("/sign-in?said={there}")).into_response();
    for cookie in left.cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
