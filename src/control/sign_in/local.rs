//! Name and password: the break-glass way in, off where single sign-on works unless the settings say otherwise. And another
//! password of one's own, for who knows the current one.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::refused;
use super::password::{hash_password, is_password, password_mistake};
use super::session::{begin, end_other_sessions};
use crate::control::http::{Access, Body, Caller, Done, Granted, Route, post};
use crate::control::server::Control;
use crate::control::shelf::{Kept, Stored};
use crate::control::time::{HOUR_MS, MINUTE_MS};
use crate::control::tokens;
use crate::control::users::{LOCAL, User, name_mistake};
use crate::control::{Problem, ProblemKind};

const METHOD: &str = "local";
/// Failures after which a name has to wait.
const FAILURES_MAX: u32 = 5;
/// The first wait; it doubles with every further failure.
const WAIT_MS: u64 = MINUTE_MS / 2;
const WAIT_MS_MAX: u64 = HOUR_MS;

/// Name and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The user's name.
    pub(crate) name: String,
    /// The user's password.
    pub(crate) password: String,
}

/// Another password of the one who asks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The one that holds until then.
    pub(crate) current: String,
    /// At least 12 characters.
    pub(crate) password: String,
}

/// Tries with one name that have not succeeded, also where there is no such user.
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
        post("me.password", "/api/v1/me/password", Access::SignedIn, renew)
            .says("Sets another password of the one who asks, who knows the current one; other sessions and all tokens end")
            .takes::<NewPassword>(),
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
) -> Result<HeaderValue, Problem> {
    if !control.settings.local_sign_in() {
        return Err(Problem::forbidden("sign in through the identity provider: local accounts are off"));
    }
    let wrong = || Problem::new(ProblemKind::Unauthenticated, "name or password is wrong");
    control.sign_in.turnstile.pass(caller.address(), control.shelf.now_ms())?;
    let Credentials { name, password } = credentials;
    // What is no name is nobody's.
    name_mistake("user", &name).map_err(|_| wrong())?;
    tried(control, &name).await?;
    let user = control.shelf.find::<User>(&format!("{LOCAL}{name}")).await?;
    let hash = user.as_ref().filter(|it| !it.disabled).and_then(|it| it.password.clone());
    let user = user.filter(|_| hash.is_some());
    match (is_password(control, password, hash).await?, user) {
        (true, Some(user)) => {
            control.shelf.take::<Failures>(&name).await?;
            begin(control, user, METHOD, None, &caller.actor()).await
        }
        _ => {
            refused(control, caller, METHOD, None);
            Err(wrong())
        }
    }
}

async fn renew(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewPassword>,
) -> Result<Done, Problem> {
    renewed(&control, &granted, new).await?;
    Ok(Done)
}

/// Sets another password of the one who asks. The session that asks stays; everything else that somebody may have begun
/// with the old password ends.
pub(crate) async fn renewed(control: &Control, granted: &Granted, new: NewPassword) -> Result<(), Problem> {
    granted.need_session("change a password")?;
    let mut user = control.shelf.need::<User>(granted.user()?).await?;
    let Some(hash) = user.password.clone() else {
        return Err(Problem::conflict("you sign in at the identity provider and have no password here"));
    };
    password_mistake(&new.password)?;
    // Whoever sits down at an open session guesses no faster than at the door.
    tried(control, &user.name).await?;
    if !is_password(control, new.current, Some(hash)).await? {
        control.acts.note(&granted.actor, "password.refused", []);
        return Err(Problem::forbidden("the current password is wrong"));
    }
    control.shelf.take::<Failures>(&user.name).await?;
    user.value.password = Some(hash_password(control, new.password).await?);
    control.shelf.update(&user).await?;
    end_other_sessions(control, &user.id, granted.actor.session()).await?;
    let revoked = tokens::revoke_all(control, &user.id).await?;
    let details =
        [("id", user.name.clone()), ("password", "changed".to_owned()), ("tokens", format!("{revoked} revoked"))];
    control.acts.note(&granted.actor, "user.changed", details);
    Ok(())
}

/// Counts a try with this name as failed before it is made, so that many at the same moment are not many guesses; one
/// that succeeds takes the count away.
async fn tried(control: &Control, name: &str) -> Result<(), Problem> {
    let too_often = || Problem::new(ProblemKind::TooOften, "too many failed tries with this name; try again later");
    let now_ms = control.shelf.now_ms();
    let before = control.shelf.get::<Failures>(name).await?;
    if before.as_ref().is_some_and(|it| it.until_ms > now_ms) {
        return Err(too_often());
    }
    let count = before.as_ref().map_or(0, |it| it.count).saturating_add(1);
    let beyond = count.saturating_sub(FAILURES_MAX).min(16);
    let wait_ms = if count < FAILURES_MAX { 0 } else { (WAIT_MS << beyond).min(WAIT_MS_MAX) };
    let value = Failures { name: name.to_owned(), count, until_ms: now_ms + wait_ms };
    let written = match before {
        Some(kept) => control.shelf.update(&Kept { version: kept.version, value }).await,
        None => control.shelf.insert(&value).await,
    };
    written.map_err(|problem| if problem.kind == ProblemKind::Conflict { too_often() } else { problem })
}
