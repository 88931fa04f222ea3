//! What is known of the provider: its discovery document and its keys, kept for a while, fetched again when they are old
//! or a token names a key that is not among them.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::url::Url;
use openidconnect::{
    AuthType, Client, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, ProviderMetadataWithLogout, RedirectUrl,
    RevocationErrorResponseType, StandardErrorResponse, StandardTokenResponse,
};
use tokio::sync::Mutex;

use super::CALLBACK;
use super::token::Claims;
use crate::control::server::Control;
use crate::control::sign_in::settings::{Oidc, is_safe};
use crate::control::{Problem, ProblemKind};
use crate::sinks::client;

/// After that a discovery document is fetched again; keys are withdrawn so.
const FRESH_MS: u64 = 3600 * 1000;
/// So long an old one is used while the provider does not answer.
const STALE_MS: u64 = 24 * 3600 * 1000;
/// Between two tries, whether a key is not known or the provider does not answer.
const AGAIN_MS: u64 = 10 * 1000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of a provider.
const ANSWER_BYTES_MAX: usize = 1 << 20;

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// What the token endpoint answers.
pub(super) type Tokens = StandardTokenResponse<Fields, CoreTokenType>;

/// The library's client, as far as it is used here.
pub(super) type OidcClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    StandardErrorResponse<RevocationErrorResponseType>,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What is known, and how to learn more.
#[derive(Default)]
pub(in crate::control) struct Providers {
    known: Mutex<Known>,
    http: OnceLock<reqwest::Client>,
}

#[derive(Default)]
struct Known {
    provider: Option<Arc<Provider>>,
    tried_ms: u64,
}

/// A provider, as its discovery document described it.
pub(super) struct Provider {
    metadata: ProviderMetadataWithLogout,
    fetched_ms: u64,
}

impl Provider {
    /// The library's client for it.
    pub(super) fn client(&self, control: &Control, settings: &Oidc) -> Result<OidcClient, Problem> {
        let secret = settings.client_secret.as_ref().map(|it| ClientSecret::new(it.expose().to_owned()));
        let redirect = RedirectUrl::new(format!("{}{CALLBACK}", control.settings.public_url));
        let redirect = redirect.map_err(|_| Problem::new(ProblemKind::Internal, "`public_url` is no address"))?;
        let id = ClientId::new(settings.client_id.clone());
        let client = OidcClient::from_provider_metadata(self.metadata.clone(), id, secret);
        let methods = self.metadata.token_endpoint_auth_methods_supported();
        let only_posts = methods.is_some_and(|it| {
            it.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !it.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let client = client.set_redirect_uri(redirect);
        Ok(if only_posts { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    /// Where one signs out there.
    pub(super) fn end_session(&self) -> Option<&Url> {
        let endpoint = self.metadata.additional_metadata().end_session_endpoint.as_ref();
        endpoint.map(|it| it.url()).filter(|it| is_safe(it))
    }

    /// Whether the provider tells more about somebody than stands in the token.
    pub(super) fn has_user_info(&self) -> bool {
        self.metadata.userinfo_endpoint().is_some()
    }
}

/// The provider, as it was described not long ago.
pub(super) async fn current(control: &Control, settings: &Oidc) -> Result<Arc<Provider>, Problem> {
    let mut known = control.sign_in.providers.known.lock().await;
    let now = control.shelf.now_ms();
    let age = |it: &Arc<Provider>| now.saturating_sub(it.fetched_ms);
    if let Some(provider) = known.provider.as_ref().filter(|it| age(it) < FRESH_MS) {
        return Ok(provider.clone());
    }
    let usable = known.provider.clone().filter(|it| age(it) < STALE_MS);
    if now.saturating_sub(known.tried_ms) < AGAIN_MS {
        return usable.ok_or_else(away);
    }
    known.tried_ms = now;
    match fetched(control, settings).await {
        Ok(provider) => {
            known.provider = Some(provider.clone());
            Ok(provider)
        }
        Err(problem) => usable.ok_or(problem),
    }
}

/// The provider anew, because `old` lacks a key; `None` where that was tried a moment ago.
pub(super) async fn renewed(
    control: &Control,
    settings: &Oidc,
    old: &Arc<Provider>,
) -> Result<Option<Arc<Provider>>, Problem> {
    let mut known = control.sign_in.providers.known.lock().await;
    let now = control.shelf.now_ms();
    match &known.provider {
        // Another sign-in has done it meanwhile.
        Some(newer) if newer.fetched_ms > old.fetched_ms => return Ok(Some(newer.clone())),
        _ if now.saturating_sub(known.tried_ms) < AGAIN_MS => return Ok(None),
        _ => {}
    }
    known.tried_ms = now;
    let provider = fetched(control, settings).await?;
    known.provider = Some(provider.clone());
    Ok(Some(provider))
}

fn away() -> Problem {
    Problem::new(ProblemKind::Unavailable, "the identity provider does not answer; try again in a moment")
}

async fn fetched(control: &Control, settings: &Oidc) -> Result<Arc<Provider>, Problem> {
    let issuer = IssuerUrl::new(settings.issuer.clone());
    let issuer = issuer.map_err(|_| Problem::new(ProblemKind::Internal, "the issuer is no address"))?;
    let http = http(control)?;
    let send = |request| send(http.clone(), request);
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, &send).await.map_err(|error| {
        tracing::warn!(%error, "the identity provider's discovery document cannot be used");
        away()
    })?;
    let endpoints = [Some(metadata.authorization_endpoint().url()), metadata.token_endpoint().map(|it| it.url())];
    if !endpoints.iter().all(|it| it.is_some_and(is_safe)) {
        tracing::warn!("the identity provider names an address that is not https://");
        return Err(away());
    }
    Ok(Arc::new(Provider { metadata, fetched_ms: control.shelf.now_ms() }))
}

/// The client that everything of this kind is asked with: no redirects, no proxy of the environment, bounded time.
pub(super) fn http(control: &Control) -> Result<&reqwest::Client, Problem> {
    let kept = &control.sign_in.providers.http;
    if let Some(client) = kept.get() {
        return Ok(client);
    }
    let none = |error: String| {
        tracing::error!(error, "no HTTP client could be made");
        Problem::new(ProblemKind::Internal, "the identity provider cannot be asked")
    };
    let client = client::http(client::trusting(None).map_err(none)?.with_no_client_auth())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .user_agent(concat!("airiskguard-policy-server/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| none(error.without_url().to_string()))?;
    Ok(kept.get_or_init(|| client))
}

/// Why a provider did not answer.
#[derive(Debug)]
pub(super) struct Unanswered(&'static str);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unanswered {}

/// Sends a request of the library's, and reads no more of the answer than may be.
pub(super) async fn send(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let request = reqwest::Request::try_from(request).map_err(|_| Unanswered("the address cannot be read"))?;
    if !is_safe(request.url()) {
        return Err(Unanswered("the address is not https://"));
    }
    let mut response = client.execute(request).await.map_err(|_| Unanswered("no answer"))?;
    let mut answer = HttpResponse::new(Vec::new());
    *answer.status_mut() = response.status();
    answer.headers_mut().clone_from(response.headers());
    while let Some(chunk) = response.chunk().await.map_err(|_| Unanswered("the answer broke off"))? {
        if answer.body().len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Unanswered("the answer is too large"));
        }
        answer.body_mut().extend_from_slice(&chunk);
    }
    Ok(answer)
}
