//! Sessions: an opaque cookie, whose digest names a document in the store.

use axum::extract::State;
use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::http::{Access, Actor, Granted, Json, Route, get};
use crate::control::roles::{Permission, Reach, Role};
use crate::control::seal::{digest, token};
use crate::control::server::Control;
use crate::control::shelf::{Batch, Kept, Stored};
use crate::control::time::{HOUR_MS, MINUTE_MS};
use crate::control::users::User;
use crate::control::{Problem, ProblemKind};

/// A session ends so long after it began, whatever happens.
const LIFE_MS: u64 = 12 * HOUR_MS;
/// And so long after it was last used.
const IDLE_MS: u64 = HOUR_MS;
/// How exactly the last use is kept.
const TOUCH_MS: u64 = MINUTE_MS;
const COOKIE_NAME: &str = "airiskguard";

/// Somebody signed in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Digest of the cookie.
    id: String,
    pub(crate) user: String,
    /// What forms and scripts of this session send back.
    pub(crate) csrf: String,
    /// `local`, `oidc`, `saml`.
    pub(crate) method: String,
    /// What the identity provider wants to see at the end.
    pub(crate) id_token: Option<String>,
    pub(super) begun_ms: u64,
    pub(super) used_ms: u64,
}

impl Stored for Session {
    const KIND: &'static str = "session";

    fn id(&self) -> &str {
        &self.id
    }

    fn parent(&self) -> Option<String> {
        Some(self.user.clone())
    }

    fn expires_ms(&self) -> Option<u64> {
        Some((self.begun_ms + LIFE_MS).min(self.used_ms + IDLE_MS))
    }
}

/// The session that asks, as it is kept now.
///
/// # Errors
/// It has ended.
pub(crate) async fn own_session(control: &Control, granted: &Granted) -> Result<Kept<Session>, Problem> {
    control.shelf.need::<Session>(granted.actor.session().unwrap_or_default()).await
}

/// Who is signed in, and what that one may do.
#[derive(Serialize, JsonSchema)]
struct Me {
    /// The user's id.
    id: String,
    /// What records name.
    name: String,
    /// What the user is.
    roles: Vec<Role>,
    /// The user's teams.
    teams: Vec<String>,
    /// What is allowed, and how far.
    permissions: Vec<Allowed>,
    /// What has to stand in `x-csrf-token` of requests with this session's cookie that change something.
    csrf: Option<String>,
}

/// One permission and its reach.
#[derive(Serialize, JsonSchema)]
struct Allowed {
    /// What.
    permission: Permission,
    /// How far.
    reach: Reach,
}

pub(super) fn routes() -> Vec<Route> {
    vec![get("session.me", "/api/v1/me", Access::SignedIn, me).says("Who is signed in").answers::<Me>()]
}

async fn me(State(control): State<Control>, granted: Granted) -> Result<Json<Me>, Problem> {
    let user = control.shelf.need::<User>(granted.user()?).await?;
    let permissions = Permission::ALL.into_iter();
    let permissions = permissions.filter_map(|it| Some(Allowed { permission: it, reach: granted.reach_of(it)? }));
    Ok(Json(Me {
        id: user.id.clone(),
        name: user.name.clone(),
        roles: user.roles.clone(),
        teams: user.teams.clone(),
        permissions: permissions.collect(),
        csrf: granted.csrf().map(str::to_owned),
    }))
}

/// Begins a session of this user. Returns the cookie to set.
pub(crate) async fn begin(
    control: &Control,
    mut user: Kept<User>,
    method: &str,
    id_token: Option<String>,
    from: &Actor,
) -> Result<HeaderValue, Problem> {
    if user.disabled {
        return Err(Problem::forbidden("this account is closed; ask an administrator"));
    }
    let (secret, csrf) = (token()?, token()?);
    let now = control.shelf.now_ms();
    let (id, name) = (user.id.clone(), user.name.clone());
    let session = Session {
        id: digest(&secret),
        user: id.clone(),
        csrf,
        method: method.to_owned(),
        id_token,
        begun_ms: now,
        used_ms: now,
    };
    user.value.seen_ms = Some(now);
    control.shelf.commit(Batch::default().insert(&session).update(&user)).await?;
    let actor = Actor::user(&user.value, from.address());
    control.acts.note(&actor, "session.begun", [("method", method.to_owned()), ("user", name)]);
    cookie(control, &secret, LIFE_MS / 1000)
}

/// The session and the user that a request's cookie belongs to.
pub(crate) async fn of_cookie(control: &Control, headers: &HeaderMap) -> Result<Option<(Session, User)>, Problem> {
    let Some(value) = sent_cookie(control, headers, COOKIE_NAME) else { return Ok(None) };
    let Some(mut session) = control.shelf.get::<Session>(&digest(value)).await? else { return Ok(None) };
    let Some(user) = control.shelf.get::<User>(&session.user).await?.filter(|it| !it.disabled) else {
        return Ok(None);
    };
    let now = control.shelf.now_ms();
    if now.saturating_sub(session.used_ms) > TOUCH_MS {
        session.value.used_ms = now;
        // Two requests at once: the other one has done it.
        drop(control.shelf.update(&session).await);
    }
    Ok(Some((session.value, user.value)))
}

/// Ends all sessions of a user.
pub(crate) async fn end_sessions(control: &Control, user: &str) -> Result<(), Problem> {
    end_other_sessions(control, user, None).await
}

/// Ends all sessions of a user but this one.
pub(super) async fn end_other_sessions(control: &Control, user: &str, stays: Option<&str>) -> Result<(), Problem> {
    for session in control.shelf.of::<Session>(user).await?.iter().filter(|it| Some(it.id.as_str()) != stays) {
        control.shelf.take::<Session>(&session.id).await?;
    }
    Ok(())
}

/// The value of the cookie of this name, where the request has one.
pub(super) fn sent_cookie<'h>(control: &Control, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let name = full_name(control, name);
    let cookies = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(';'));
    let mut values = cookies.filter_map(|it| it.trim().strip_prefix(name.as_str())?.strip_prefix('='));
    values.find(|it| !it.is_empty())
}

/// Over HTTPS the browser itself sees to it that the cookie comes from this host alone.
fn full_name(control: &Control, name: &str) -> String {
    if control.is_https() { format!("__Host-{name}") } else { name.to_owned() }
}

/// The session's cookie.
pub(super) fn cookie(control: &Control, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    named_cookie(control, COOKIE_NAME, value, seconds)
}

/// A cookie for this host alone, out of reach of scripts.
pub(super) fn named_cookie(control: &Control, name: &str, value: &str, seconds: u64) -> Result<HeaderValue, Problem> {
    let secure = if control.is_https() { "; Secure" } else { "" };
    let name = full_name(control, name);
    // Lax: the answer of an identity provider comes from another site.
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(|_| Problem::new(ProblemKind::Internal, "no cookie could be made"))
}
