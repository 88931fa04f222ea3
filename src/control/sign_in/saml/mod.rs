//! Sign-in at a SAML 2.0 identity provider, as a service provider: requests by redirect, responses by form. The XML
//! signature is libxmlsec's business; what is asked of a document before and after that stands in `before` and `after`.

mod after;
mod before;
mod metadata;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};
use serde::{Deserialize, Serialize};

pub(super) use self::metadata::peer;
use super::arrive::{Mapping, arrived};
use super::flow::{Browser, Departure, Flow, depart, refused, safe_back};
use super::oidc::Back;
use super::password::in_turn;
use super::session;
use super::settings::Saml;
use crate::control::http::{Access, Caller, Form, Query, Route, page, submit};
use crate::control::seal::{digest, token};
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::time::MINUTE_MS;
use crate::control::users::User;
use crate::control::{Problem, ProblemKind};

const METHOD: &str = "saml";
/// Where the identity provider's form is sent to.
const CONSUMER: &str = "/sign-in/saml/response";
/// Where this server describes itself.
const METADATA: &str = "/sign-in/saml/metadata";
/// Largest response, before base64 is undone.
const RESPONSE_BYTES_MAX: usize = 512 << 10;
/// How long a browser may take from the form to the session.
const ARRIVAL_MS: u64 = MINUTE_MS;

/// No SHA-1, nothing symmetric, no DSA.
const ALGORITHMS: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];

/// Somebody whose assertion is good, whose browser has still to show that it began the sign-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Arrival {
    /// Digest of what the address carries.
    id: String,
    browser: String,
    user: String,
    back: String,
    expires_ms: u64,
}

impl Stored for Arrival {
    const KIND: &'static str = "SAML arrival";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// An assertion that has been used.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Spent {
    /// Digest of the identity provider's and the assertion's id.
    id: String,
    expires_ms: u64,
}

impl Stored for Spent {
    const KIND: &'static str = "used SAML assertion";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// The form of the identity provider. `RelayState` is not asked for and not heeded.
#[derive(Deserialize)]
struct Posted {
    #[serde(rename = "SAMLResponse")]
    response: String,
}

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
}

pub(super) fn routes() -> Vec<Route> {
    const REASON: &str = "this is where one signs in";
    vec![
        page("sign_in.saml", "/sign-in/saml", Access::Open(REASON), begin).says("Leads to the SAML identity provider"),
        submit("sign_in.saml_response", CONSUMER, Access::Open(REASON), consume)
            .taken_from_other_sites()
            .says("Where the SAML identity provider's form is sent to"),
        page("sign_in.saml_finish", "/sign-in/saml/finish", Access::Open(REASON), finish)
            .says("Begins the session of the browser that began the sign-in"),
        page("sign_in.saml_metadata", METADATA, Access::Open("identity providers read it"), describe)
            .says("This server's SAML metadata"),
    ]
}

async fn begin(
    State(control): State<Control>,
    caller: Caller,
    headers: HeaderMap,
    Query(asked): Query<Back>,
) -> Result<Response, Problem> {
    let settings = settings(&control)?;
    let now_ms = control.shelf.now_ms();
    control.sign_in.turnstile.pass(caller.address(), now_ms)?;
    // An XML id begins with a letter or `_`.
    let id = format!("_{}", token()?);
    let url = metadata::request(settings, &addresses(&control, settings), &id, now_ms);
    let url = url.ok_or_else(|| Problem::new(ProblemKind::Internal, "no request to the identity provider was made"))?;
    let back = safe_back(asked.back.as_deref());
    let departure = Departure { method: METHOD, back, nonce: String::new(), verifier: String::new() };
    let cookie = depart(&control, &headers, &id, departure).await?;
    let mut response = Redirect::to(&url).into_response();
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Another site's form: the browser sends no cookie along. What is found good is kept for the one that `finish` knows.
async fn consume(
    State(control): State<Control>,
    caller: Caller,
    Form(posted): Form<Posted>,
) -> Result<Response, Problem> {
    let result = believed(&control, &caller, &posted.response).await;
    if let Err(problem) = &result {
        refused(&control, &caller, METHOD, Some(&problem.detail));
    }
    Ok(Redirect::to(&format!("/sign-in/saml/finish?ticket={}", result?)).into_response())
}

async fn believed(control: &Control, caller: &Caller, response: &str) -> Result<String, Problem> {
    let settings = settings(control)?;
    let unfit = |why: String| {
        tracing::warn!(why, "a SAML response is not believed");
        Problem::forbidden("what the identity provider sent does not prove who you are: start again")
    };
    let xml = decoded(response).map_err(|why| unfit(why.to_owned()))?;
    let addresses = addresses(control, settings);
    let outer = before::checked(&xml, &settings.peer, &addresses).map_err(unfit)?;
    let signed = verified(control, settings, xml).await?.map_err(unfit)?;
    let now_ms = control.shelf.now_ms();
    let assertion = after::read(&signed, settings, &addresses, now_ms).map_err(unfit)?;
    if outer.in_response_to != assertion.in_response_to {
        return Err(unfit("response and assertion answer different requests".to_owned()));
    }
    let unasked = || unfit("it answers no request of this server, or one that was answered".to_owned());
    let flow = control.shelf.take::<Flow>(&digest(&assertion.in_response_to)).await?;
    let flow = flow.filter(|it| it.method == METHOD).ok_or_else(unasked)?;
    let spent = Spent {
        id: digest(&format!("{} {}", settings.peer.entity_id, assertion.id)),
        expires_ms: assertion.expires_ms,
    };
    control.shelf.insert(&spent).await.map_err(|problem| match problem.kind {
        ProblemKind::Conflict => unfit("this assertion has been used".to_owned()),
        _ => problem,
    })?;
    let mapping = Mapping { groups: &settings.groups, default_roles: &settings.default_roles };
    let user = arrived(control, caller, assertion.person, &mapping).await?;
    let secret = token()?;
    let arrival = Arrival {
        id: digest(&secret),
        browser: flow.browser().to_owned(),
        user: user.id.clone(),
        back: flow.back,
        expires_ms: now_ms + ARRIVAL_MS,
    };
    control.shelf.insert(&arrival).await?;
    Ok(secret)
}

/// A link of this site again: the browser that began the sign-in, and no other one, gets the session.
async fn finish(
    State(control): State<Control>,
    caller: Caller,
    headers: HeaderMap,
    Query(Ticket { ticket }): Query<Ticket>,
) -> Result<Response, Problem> {
    let gone = || Problem::forbidden("this sign-in was not begun here, or too long ago: start again");
    let arrival = control.shelf.take::<Arrival>(&digest(&ticket)).await?.ok_or_else(gone)?;
    let is_it = Browser::of(&control, &headers).is_some_and(|it| it.matches(&arrival.browser));
    let user = control.shelf.get::<User>(&arrival.user).await?.filter(|_| is_it);
    let begun = match user {
        Some(user) => session::begin(&control, user, METHOD, None, &caller.actor()).await,
        None => Err(gone()),
    };
    let cookie = begun.inspect_err(|problem| refused(&control, &caller, METHOD, Some(&problem.detail)))?;
    let mut response = Redirect::to(&arrival.back).into_response();
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

async fn describe(State(control): State<Control>) -> Result<Response, Problem> {
    let settings = settings(&control)?;
    let text = metadata::own(&addresses(&control, settings));
    let text = text.ok_or_else(|| Problem::new(ProblemKind::Internal, "the metadata could not be written"))?;
    Ok(([(CONTENT_TYPE, "application/samlmetadata+xml")], text).into_response())
}

/// What this server is called, and where it takes responses.
struct Addresses {
    entity_id: String,
    consumer: String,
}

fn addresses(control: &Control, settings: &Saml) -> Addresses {
    let public = &control.settings.public_url;
    let own = || format!("{public}{METADATA}");
    Addresses { entity_id: settings.entity_id.clone().unwrap_or_else(own), consumer: format!("{public}{CONSUMER}") }
}

fn settings(control: &Control) -> Result<&Saml, Problem> {
    let none = || Problem::new(ProblemKind::NotFound, "there is no sign-in by SAML here");
    control.settings.saml.as_ref().ok_or_else(none)
}

fn decoded(response: &str) -> Result<String, &'static str> {
    if response.len() > RESPONSE_BYTES_MAX {
        return Err("it is too large");
    }
    let text: String = response.chars().filter(|it| !it.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(text).map_err(|_| "it is no base64")?;
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8")
}

/// The very bytes that the identity provider signed, of the response or of the assertion, canonical.
async fn verified(control: &Control, settings: &Saml, xml: String) -> Result<Result<String, String>, Problem> {
    let certificates: Vec<CertificateDer> =
        settings.peer.certificates.iter().cloned().map(CertificateDer::from).collect();
    let work = move || {
        let mode = ReduceMode::PreDigest;
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(&xml, &certificates, mode, Some(&ALGORITHMS))
            .map_err(|error| format!("the signature does not hold: {error}"))
    };
    in_turn(control, work).await
}
