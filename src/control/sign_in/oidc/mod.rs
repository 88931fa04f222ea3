//! Sign-in at an OpenID Connect provider: authorization code with PKCE, bound to the browser, and sign-out there.

mod provider;
mod token;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use openidconnect::core::CoreResponseType;
use openidconnect::url::Url;
use openidconnect::{AuthenticationFlow, AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, Scope};
use serde::Deserialize;

pub(in crate::control) use self::provider::Providers;
use super::arrive::{Mapping, arrived};
use super::flow::{Browser, Departure, Flow, depart, refused, safe_back};
use super::session;
use super::settings::Oidc;
use crate::control::http::{Access, Caller, Query, Route, page};
use crate::control::seal::{self, digest};
use crate::control::server::Control;
use crate::control::{Problem, ProblemKind};

/// Where the provider sends browsers back to.
const CALLBACK: &str = "/sign-in/oidc/callback";
const METHOD: &str = "oidc";
/// Longest authorization code.
const CODE_BYTES_MAX: usize = 8 << 10;
/// Longer tokens are not kept for signing out: addresses have their limits.
const HINT_BYTES_MAX: usize = 6 << 10;

/// Where to go after signing in.
#[derive(Deserialize)]
pub(super) struct Back {
    pub(super) back: Option<String>,
}

/// What the provider sends back.
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    const REASON: &str = "this is where one signs in";
    vec![
        page("sign_in.oidc", "/sign-in/oidc", Access::Open(REASON), begin).says("Leads to the OpenID Connect provider"),
        page("sign_in.oidc_callback", CALLBACK, Access::Open(REASON), finish)
            .says("Where the OpenID Connect provider leads back to"),
    ]
}

async fn begin(
    State(control): State<Control>,
    caller: Caller,
    headers: HeaderMap,
    Query(asked): Query<Back>,
) -> Result<Response, Problem> {
    let settings = settings(&control)?;
    control.sign_in.turnstile.pass(caller.address(), control.shelf.now_ms())?;
    let provider = provider::current(&control, settings).await?;
    let client = provider.client(&control, settings)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (state, nonce) = (seal::token()?, seal::token()?);
    let (csrf, expected) = (CsrfToken::new(state.clone()), Nonce::new(nonce.clone()));
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let mut request = client.authorize_url(flow, move || csrf, move || expected).set_pkce_challenge(challenge);
    for scope in settings.scopes.iter().filter(|it| *it != "openid") {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    let (url, _, _) = request.url();
    let departure = Departure {
        method: METHOD,
        back: safe_back(asked.back.as_deref()),
        nonce,
        verifier: verifier.secret().clone(),
    };
    let cookie = depart(&control, &headers, &state, departure).await?;
    let mut response = Redirect::to(url.as_str()).into_response();
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

async fn finish(
    State(control): State<Control>,
    caller: Caller,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, Problem> {
    let settings = settings(&control)?;
    let result = signed_in(&control, settings, &caller, &headers, answer).await;
    if let Err(problem) = &result {
        refused(&control, &caller, METHOD, Some(&problem.detail));
    }
    result
}

async fn signed_in(
    control: &Control,
    settings: &Oidc,
    caller: &Caller,
    headers: &HeaderMap,
    answer: Answer,
) -> Result<Response, Problem> {
    let flow = returned(control, headers, &answer).await?;
    if answer.iss.as_ref().is_some_and(|it| *it != settings.issuer) {
        return Err(Problem::forbidden("this is the answer of another identity provider"));
    }
    if let Some(error) = &answer.error {
        let shown: String = error.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_').take(60).collect();
        return Err(Problem::forbidden(format!("the identity provider did not sign you in: {shown}")));
    }
    let code = answer.code.filter(|it| !it.is_empty() && it.len() <= CODE_BYTES_MAX);
    let code = code.ok_or_else(|| Problem::forbidden("the identity provider sent no code"))?;
    let (person, id_token) = token::redeemed(control, settings, AuthorizationCode::new(code), &flow).await?;
    let mapping = Mapping { groups: &settings.groups, default_roles: &settings.default_roles };
    let user = arrived(control, caller, person, &mapping).await?;
    let hint = Some(id_token).filter(|it| it.len() <= HINT_BYTES_MAX);
    let cookie = session::begin(control, user, METHOD, hint, &caller.actor()).await?;
    let mut response = Redirect::to(&flow.back).into_response();
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// The sign-in that this is the end of: begun by this browser, not longer ago than may be, and not ended before.
async fn returned(control: &Control, headers: &HeaderMap, answer: &Answer) -> Result<Flow, Problem> {
    let gone = || Problem::forbidden("this sign-in was not begun here, or too long ago: start again");
    let key = digest(answer.state.as_deref().unwrap_or_default());
    let flow = control.shelf.get::<Flow>(&key).await?.ok_or_else(gone)?;
    // Asked before it is taken: whoever learns a `state` cannot spoil the sign-in of the browser that it belongs to.
    if flow.method != METHOD || !flow.is_of(Browser::of(control, headers).as_ref()) {
        return Err(gone());
    }
    control.shelf.take::<Flow>(&key).await?.ok_or_else(gone)
}

/// Where to sign out at the provider, which leads back to `done` on this server; `None` where that is not offered.
pub(super) async fn end_of_session(control: &Control, id_token: &str, done: &str) -> Result<Option<String>, Problem> {
    let Some(settings) = &control.settings.oidc else { return Ok(None) };
    let provider = provider::current(control, settings).await?;
    Ok(provider.end_session().map(|endpoint| {
        let mut url: Url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token)
            .append_pair("client_id", &settings.client_id)
            .append_pair("post_logout_redirect_uri", &format!("{}{done}", control.settings.public_url));
        url.into()
    }))
}

fn settings(control: &Control) -> Result<&Oidc, Problem> {
    let none = || Problem::new(ProblemKind::NotFound, "there is no sign-in by OpenID Connect here");
    control.settings.oidc.as_ref().ok_or_else(none)
}
