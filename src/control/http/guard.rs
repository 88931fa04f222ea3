//! The one way in: who calls, whether that one may, and how large and how long a request may be. A route without a
//! decision cannot be made, as routes are made with one.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::actor::{Actor, Caller, Granted, Via, Who};
use super::body::is_of_type;
use super::route::{Access, Route, Surface};
use crate::control::gateways;
use crate::control::pages;
use crate::control::roles::Reach;
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::sign_in;
use crate::control::tokens;
use crate::control::users::User;
use crate::control::{Problem, ProblemKind};

/// Largest body of a request; gateways ship records in larger ones.
const BODY_BYTES_MAX: usize = 1 << 20;
const GATEWAY_BODY_BYTES_MAX: usize = 16 << 20;
/// Longest time for one request and its answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What scripts of the pages send back.
const CSRF_HEADER: &str = "x-csrf-token";
/// Scripts and styles of this origin only; no frame, no form to elsewhere, nothing written into a page runs.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                              connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Clone)]
struct Post {
    control: Control,
    access: Access,
    surface: Surface,
    is_from_elsewhere: bool,
}

/// The router over these routes.
pub(crate) fn router(control: Control, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for Route { operation, router: methods } in routes {
        let post = Post {
            control: control.clone(),
            access: operation.access,
            surface: operation.surface,
            is_from_elsewhere: operation.is_from_elsewhere,
        };
        router = router.route(operation.path, methods.layer(from_fn_with_state(post, guard)));
    }
    let router = router.method_not_allowed_fallback(no_such_method).fallback(nothing_here);
    router.layer(from_fn_with_state(control.clone(), dress)).with_state(control)
}

async fn nothing_here(headers: HeaderMap) -> Response {
    let problem = Problem::new(ProblemKind::NotFound, "there is nothing at this path");
    let accepted = headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    match accepted.contains("text/html") {
        true => pages::problem(&problem, "/"),
        false => problem.into_response(),
    }
}

async fn no_such_method() -> Problem {
    Problem::new(ProblemKind::NoSuchMethod, "this path has other methods; docs/openapi.json lists them")
}

async fn guard(State(post): State<Post>, request: Request, next: Next) -> Response {
    // Where to lead back after signing in: what a form was sent to is no page.
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
    let asked = request.uri().path_and_query().filter(|_| is_page).map_or_else(|| "/".to_owned(), ToString::to_string);
    let answered = async {
        match admit(&post, request).await {
            Ok(request) => next.run(request).await,
            Err(problem) => problem.into_response(),
        }
    };
    let too_long = |_| Problem::new(ProblemKind::Unavailable, "this took too long").into_response();
    let result = tokio::time::timeout(TIMEOUT, answered).await.unwrap_or_else(too_long);
    match (post.surface, result.extensions().get::<Problem>().cloned()) {
        (Surface::Page, Some(problem)) => pages::problem(&problem, &asked),
        _ => result,
    }
}

/// The request with the decision about it.
async fn admit(post: &Post, request: Request) -> Result<Request, Problem> {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|it| it.0.ip());
    let who = match post.is_from_elsewhere {
        true => Who::Nobody,
        false => identify(&post.control, request.headers()).await?,
    };
    let mut actor = Actor::new(who, address);
    let mut reach = decide(post.access, &actor)?;
    let bytes_max = if post.access == Access::Gateway { GATEWAY_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
    let mut request = bounded(request, bytes_max).await?;
    if !post.is_from_elsewhere && !matches!(*request.method(), Method::GET | Method::HEAD) {
        // A body may come slowly: who was shut out meanwhile, or may do less, is asked anew.
        actor = Actor::new(identify(&post.control, request.headers()).await?, address);
        reach = decide(post.access, &actor)?;
        same_origin(&request)?;
        request = with_csrf(request, &actor).await?;
    }
    let extensions = request.extensions_mut();
    extensions.insert(Caller(actor.clone()));
    if let Some(reach) = reach {
        extensions.insert(Granted { actor, reach });
    }
    Ok(request)
}

/// How far the one who calls may go; `None` where no decision is needed.
fn decide(access: Access, actor: &Actor) -> Result<Option<Reach>, Problem> {
    let refused = || match actor.who() {
        Who::Nobody => Problem::new(ProblemKind::Unauthenticated, "sign in, or send a token: authorization: Bearer …"),
        _ => Problem::forbidden("you may not do this; ask an administrator for a role that may"),
    };
    match (access, actor.who()) {
        (Access::Open(_), _) => Ok(None),
        (Access::SignedIn, Who::User { .. }) => Ok(Some(Reach::Own)),
        (Access::Gateway, Who::Gateway { .. }) => Ok(Some(Reach::Own)),
        (Access::May(permission), Who::User { .. }) => actor.reach_of(permission).map(Some).ok_or_else(refused),
        _ => Err(refused()),
    }
}

/// Who calls: by a bearer token, else by the session's cookie.
async fn identify(control: &Control, headers: &HeaderMap) -> Result<Who, Problem> {
    let bearer = headers.get(AUTHORIZATION).map(|it| it.to_str().unwrap_or_default());
    if let Some(value) = bearer {
        let unknown = || Problem::new(ProblemKind::Unauthenticated, "this token is not known, or has expired");
        let (scheme, secret) = value.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unknown());
        }
        return bearer_of(control, secret.trim()).await?.ok_or_else(unknown);
    }
    Ok(match sign_in::of_cookie(control, headers).await? {
        Some((session, user)) => {
            let id = session.id().to_owned();
            of_user(user, Via::Session { id, csrf: session.csrf })
        }
        None => Who::Nobody,
    })
}

async fn bearer_of(control: &Control, secret: &str) -> Result<Option<Who>, Problem> {
    if secret.starts_with(tokens::PREFIX) {
        let Some(token) = tokens::presented(control, secret).await? else { return Ok(None) };
        let user = control.shelf.get::<User>(&token.user).await?.filter(|it| !it.disabled);
        return Ok(user.map(|it| of_user(it.value, Via::Token { scopes: token.scopes })));
    }
    let gateway = gateways::presented(control, secret).await?;
    Ok(gateway.map(|it| Who::Gateway { id: it.id, name: it.name }))
}

fn of_user(user: User, via: Via) -> Who {
    Who::User { id: user.id, name: user.name, roles: user.roles, teams: user.teams, via }
}

async fn bounded(request: Request, bytes_max: usize) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, bytes_max).await;
    let bytes =
        bytes.map_err(|_| Problem::new(ProblemKind::TooLarge, format!("the body is larger than {bytes_max} bytes")))?;
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Browsers say where a request was made; another site's are refused. HTTP/2 says whom it is for in the address.
fn same_origin(request: &Request) -> Result<(), Problem> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = match request.headers().get(HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri().authority().map(Authority::as_str),
    };
    let is_same = |(_, it): (&str, &str)| host.is_some_and(|host| it.eq_ignore_ascii_case(host));
    match origin.split_once("://").is_some_and(is_same) {
        true => Ok(()),
        false => Err(Problem::forbidden("this request comes from another site")),
    }
}

/// A session's request that changes something carries the session's own token, in a header or in its form.
async fn with_csrf(request: Request, actor: &Actor) -> Result<Request, Problem> {
    let Who::User { via: Via::Session { csrf, .. }, .. } = actor.who() else { return Ok(request) };
    let is_it = |sent: &[u8]| bool::from(sent.ct_eq(csrf.as_bytes()));
    if request.headers().get(CSRF_HEADER).is_some_and(|it| is_it(it.as_bytes())) {
        return Ok(request);
    }
    let refused = || Problem::forbidden("the page is too old: load it again");
    if !is_of_type(&request, "application/x-www-form-urlencoded") {
        return Err(refused());
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| refused())?;
    let fields: Vec<(String, String)> = serde_html_form::from_bytes(&bytes).map_err(|_| refused())?;
    match fields.iter().any(|(name, value)| name == "csrf" && is_it(value.as_bytes())) {
        true => Ok(Request::from_parts(parts, Body::from(bytes))),
        false => Err(refused()),
    }
}

/// What every answer says to browsers.
async fn dress(State(control): State<Control>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let set: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if control.is_https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}
