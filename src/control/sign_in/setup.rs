//! The first run: whoever can read the server's terminal or folder makes the first owner.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::password::{hash_password, password_mistake};
use super::session::begin;
use crate::control::Problem;
use crate::control::http::{Access, Body, Caller, Done, Json, Route, get, post};
use crate::control::roles::Role;
use crate::control::seal::{digest, token};
use crate::control::server::Control;
use crate::control::shelf::{Batch, Kept, Stored};
use crate::control::time::DAY_MS;
use crate::control::users::{LOCAL, User, UserView, has_owner, name_is_free, name_mistake, with_name};

/// How long a setup token may be used.
const LIFE_MS: u64 = DAY_MS;

/// The one token that makes the first owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Setup {
    /// Digest of the token.
    id: String,
    expires_ms: u64,
}

impl Stored for Setup {
    const KIND: &'static str = "setup token";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// Where the server stands.
#[derive(Serialize, JsonSchema)]
struct Stage {
    /// Whether there is no owner yet.
    needs_setup: bool,
}

/// The first owner.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstOwner {
    /// The token that the server showed when it started.
    pub(crate) token: String,
    /// What to sign in with.
    pub(crate) name: String,
    /// At least 12 characters.
    pub(crate) password: String,
}

pub(super) fn routes() -> Vec<Route> {
    const REASON: &str = "before there is anyone who could sign in";
    vec![
        get("setup.stage", "/api/v1/setup", Access::Open(REASON), stage)
            .says("Whether the first owner is still to be made")
            .answers::<Stage>(),
        post("setup.finish", "/api/v1/setup", Access::Open(REASON), finish)
            .says("Makes the first owner and signs in")
            .takes::<FirstOwner>(),
    ]
}

async fn stage(State(control): State<Control>) -> Result<Json<Stage>, Problem> {
    Ok(Json(Stage { needs_setup: is_needed(&control).await? }))
}

/// Whether there is no owner: nobody at all, or only those whom an identity provider knows and whose groups own nothing.
pub(crate) async fn is_needed(control: &Control) -> Result<bool, Problem> {
    Ok(!has_owner(control).await?)
}

/// A token for whoever starts the server, where there is no owner. Those given before hold no more.
///
/// # Errors
/// The store's.
pub(crate) async fn setup_token(control: &Control) -> Result<Option<String>, Problem> {
    if !is_needed(control).await? {
        return Ok(None);
    }
    let secret = token()?;
    let old = control.shelf.all::<Setup>().await?;
    let setup = Setup { id: digest(&secret), expires_ms: control.shelf.now_ms() + LIFE_MS };
    control.shelf.commit(old.iter().fold(Batch::default(), Batch::delete).insert(&setup)).await?;
    Ok(Some(secret))
}

async fn finish(
    State(control): State<Control>,
    caller: Caller,
    Body(owner): Body<FirstOwner>,
) -> Result<Response, Problem> {
    let mut response = Done.into_response();
    response.headers_mut().append(SET_COOKIE, first_owner(&control, &caller, owner).await?);
    Ok(response)
}

/// Makes the first owner; the cookie of its session.
pub(crate) async fn first_owner(control: &Control, caller: &Caller, owner: FirstOwner) -> Result<HeaderValue, Problem> {
    name_mistake("user", &owner.name)?;
    password_mistake(&owner.password)?;
    let wrong =
        || Problem::forbidden("the setup token is wrong or has been used: the server's log shows one at every start");
    // Asked before the password is hashed: nobody without the token shall make the server work.
    if control.shelf.get::<Setup>(&digest(&owner.token)).await?.is_none() || !is_needed(control).await? {
        return Err(wrong());
    }
    name_is_free(control, &owner.name).await?;
    let password = hash_password(control, owner.password).await?;
    control.shelf.take::<Setup>(&digest(&owner.token)).await?.ok_or_else(wrong)?;
    let user = User {
        id: control.new_id(),
        subject: format!("{LOCAL}{}", owner.name),
        name: owner.name,
        email: None,
        roles: vec![Role::Owner],
        teams: Vec::new(),
        disabled: false,
        password: Some(password),
        created_ms: control.shelf.now_ms(),
        seen_ms: None,
    };
    control.shelf.commit(with_name(&user)).await?;
    control.acts.changed(&caller.actor(), "user.created", &user.name, None, Some(&UserView::from(&user)));
    begin(control, Kept { version: 1, value: user }, "local", None, &caller.actor()).await
}
