//! Name and password: the break-glass way in, off where single sign-on works unless the settings say otherwise.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::password::is_password;
use super::session::begin;
use crate::control::http::{Access, Body, Caller, Done, Route, post};
use crate::control::server::Control;
use crate::control::shelf::{Kept, Stored};
use crate::control::users::{LOCAL, User};
use crate::control::{Problem, ProblemKind};

/// Failures after which a name has to wait.
const FAILURES_MAX: u32 = 5;
/// The first wait; it doubles with every further failure.
const WAIT_MS: u64 = 30 * 1000;
const WAIT_MS_MAX: u64 = 60 * 60 * 1000;

/// Name and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The user's name.
    pub(crate) name: String,
    /// The user's password.
    pub(crate) password: String,
}

/// Failed tries with one name, also where there is no such user.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Failures {
    name: String,
    count: u32,
    until_ms: u64,
}

impl Stored for Failures {
    const KIND: &'static str = "sign-in failures";

    fn id(&self) -> &str {
        &self.name
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.until_ms + WAIT_MS_MAX)
    }
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("session.begin", "/api/v1/sign-in", Access::Open("this is where one signs in"), sign_in)
            .says("Signs a local user in; the session's cookie is set")
            .takes::<Credentials>(),
    ]
}

async fn sign_in(
    State(control): State<Control>,
    caller: Caller,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    let cookie = authenticate(&control, &caller, credentials).await?;
    let mut response = Done.into_response();
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// The cookie of a new session, for the right password.
pub(crate) async fn authenticate(
    control: &Control,
    caller: &Caller,
    credentials: Credentials,
) -> Result<axum::http::HeaderValue, Problem> {
    if !control.settings.local_sign_in() {
        return Err(Problem::forbidden("sign in through the identity provider: local accounts are off"));
    }
    let name: String = credentials.name.chars().take(80).collect();
    let failures = control.shelf.get::<Failures>(&name).await?;
    let now = control.shelf.now_ms();
    if failures.as_ref().is_some_and(|it| it.until_ms > now) {
        return Err(Problem::new(ProblemKind::TooOften, "too many failed tries with this name; try again later"));
    }
    let user = control.shelf.find::<User>(&format!("{LOCAL}{name}")).await?;
    let hash = user.as_ref().filter(|it| !it.disabled).and_then(|it| it.password.clone());
    if !is_password(control, credentials.password, hash).await? {
        failed(control, &name, failures).await?;
        control.acts.note(&caller.actor(), "session.refused", [("method", "local".to_owned())]);
        return Err(Problem::new(ProblemKind::Unauthenticated, "name or password is wrong"));
    }
    if let Some(failures) = failures {
        control.shelf.take::<Failures>(&failures.name).await?;
    }
    // A user that was found: there is no password without one.
    let user = user.ok_or_else(|| Problem::new(ProblemKind::Unauthenticated, "name or password is wrong"))?;
    begin(control, user, "local", None, &caller.actor()).await
}

async fn failed(control: &Control, name: &str, before: Option<Kept<Failures>>) -> Result<(), Problem> {
    let count = before.as_ref().map_or(0, |it| it.count) + 1;
    let beyond = count.saturating_sub(FAILURES_MAX).min(16);
    let wait = if count < FAILURES_MAX { 0 } else { (WAIT_MS << beyond).min(WAIT_MS_MAX) };
    let value = Failures { name: name.to_owned(), count, until_ms: control.shelf.now_ms() + wait };
    let written = match before {
        Some(kept) => control.shelf.update(&Kept { version: kept.version, value }).await,
        None => control.shelf.insert(&value).await,
    };
    // Where several fail at once, one is counted; the hashing itself bounds how often that can be.
    match written {
        Err(problem) if problem.kind != ProblemKind::Conflict => Err(problem),
        _ => Ok(()),
    }
}
