//! Signing out, here and at the identity provider; and the sessions of the one who asks.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::oidc;
use super::session::{Session, cookie, named_cookie, sent_cookie};
use crate::control::Problem;
use crate::control::http::{Access, Done, Granted, Json, Path, Route, delete, get, page, post};
use crate::control::seal::{digest, token};
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::time::MINUTE_MS;

/// Where a browser goes on to sign out at the identity provider too.
const PROVIDER: &str = "/sign-out/oidc";
/// Where one is after that.
const DONE: &str = "/sign-in";
/// How long the way to the identity provider may take.
const LIFE_MS: u64 = 5 * MINUTE_MS;
const COOKIE_NAME: &str = "airiskguard-leaving";

/// Somebody who has signed out here and not yet at the identity provider.
#[derive(Serialize, Deserialize)]
struct Leaving {
    /// Digest of the browser's cookie.
    id: String,
    id_token: String,
    expires_ms: u64,
}

impl Stored for Leaving {
    const KIND: &'static str = "sign-out under way";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// What is left to do after signing out here.
#[derive(Serialize, JsonSchema)]
pub(in crate::control) struct Left {
    /// Where a browser goes on, so that the session at the identity provider ends too.
    pub(in crate::control) continue_at: Option<&'static str>,
    /// To be set.
    #[serde(skip)]
    pub(in crate::control) cookies: Vec<HeaderValue>,
}

/// A session of the one who asks.
#[derive(Serialize, JsonSchema)]
pub(in crate::control) struct SessionView {
    /// Its id.
    pub(in crate::control) id: String,
    /// `local`, `oidc` or `saml`.
    pub(in crate::control) method: String,
    /// When it began, Unix milliseconds.
    pub(in crate::control) begun_ms: u64,
    /// When it was last used, to the minute, Unix milliseconds.
    pub(in crate::control) used_ms: u64,
    /// Whether it is the one that asks.
    pub(in crate::control) current: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("session.end", "/api/v1/sign-out", Access::SignedIn, sign_out)
            .says("Ends this session; says where a browser goes on to end the one at the identity provider")
            .answers::<Left>(),
        get("me.sessions", "/api/v1/me/sessions", Access::SignedIn, list)
            .says("Where the one who asks is signed in")
            .answers::<Vec<SessionView>>(),
        delete("me.end_session", "/api/v1/me/sessions/{id}", Access::SignedIn, end)
            .says("Ends a session of the one who asks, who is signed in"),
        page("sign_out.provider", PROVIDER, Access::Open("the session has ended already"), provider)
            .says("Leads to the identity provider to sign out there"),
    ]
}

async fn sign_out(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    let left = leave(&control, &granted).await?;
    let cookies = left.cookies.clone();
    let mut response = Json(left).into_response();
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Ends the session that asks.
pub(in crate::control) async fn leave(control: &Control, granted: &Granted) -> Result<Left, Problem> {
    let mut left = Left { continue_at: None, cookies: vec![cookie(control, "", 0)?] };
    let Some(id) = granted.actor.session() else { return Ok(left) };
    let session = control.shelf.take::<Session>(id).await?;
    control.acts.note(&granted.actor, "session.ended", []);
    if let Some(id_token) = session.and_then(|it| it.id_token) {
        let secret = token()?;
        let leaving = Leaving { id: digest(&secret), id_token, expires_ms: control.shelf.now_ms() + LIFE_MS };
        control.shelf.insert(&leaving).await?;
        left.cookies.push(named_cookie(control, COOKIE_NAME, &secret, LIFE_MS / 1000)?);
        left.continue_at = Some(PROVIDER);
    }
    Ok(left)
}

/// Only who has just signed out here has the cookie: nobody is signed out by a link.
async fn provider(State(control): State<Control>, headers: HeaderMap) -> Result<Response, Problem> {
    let leaving = match sent_cookie(&control, &headers, COOKIE_NAME) {
        Some(secret) => control.shelf.take::<Leaving>(&digest(secret)).await?,
        None => None,
    };
    let there = match leaving {
        Some(leaving) => oidc::end_of_session(&control, &leaving.id_token, DONE).await?,
        None => None,
    };
    Ok(Redirect::to(there.as_deref().unwrap_or(DONE)).into_response())
}

async fn list(State(control): State<Control>, granted: Granted) -> Result<Json<Vec<SessionView>>, Problem> {
    Ok(Json(own_sessions(&control, &granted).await?))
}

/// Where the one who asks is signed in.
pub(in crate::control) async fn own_sessions(
    control: &Control,
    granted: &Granted,
) -> Result<Vec<SessionView>, Problem> {
    let sessions = control.shelf.of::<Session>(granted.user()?).await?;
    let view = |it: Session| SessionView {
        current: granted.actor.session() == Some(it.id()),
        id: it.id().to_owned(),
        begun_ms: it.begun_ms,
        used_ms: it.used_ms,
        method: it.method,
    };
    Ok(sessions.into_iter().map(|it| view(it.value)).collect())
}

async fn end(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Done, Problem> {
    end_session(&control, &granted, &id).await?;
    Ok(Done)
}

/// Ends a session of the one who asks, whatever it is used for at this moment.
pub(in crate::control) async fn end_session(control: &Control, granted: &Granted, id: &str) -> Result<(), Problem> {
    granted.need_session("end sessions")?;
    let session = control.shelf.need::<Session>(id).await?;
    if session.user != granted.user()? {
        return Err(Problem::not_found(Session::KIND, id));
    }
    control.shelf.take::<Session>(id).await?;
    control.acts.note(&granted.actor, "session.ended", []);
    Ok(())
}
