//! A code becomes a person: redeemed at the provider, the token verified, the claims read.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{CoreGenderClaim, CoreIdTokenVerifier, CoreJwsSigningAlgorithm as Algorithm};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, ClaimsVerificationError, IdTokenClaims, Nonce,
    OAuth2TokenResponse, PkceCodeVerifier, RequestTokenError, SignatureVerificationError, TokenResponse,
    UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::METHOD;
use super::provider::{self, OidcClient, Tokens, http, send};
use crate::control::server::Control;
use crate::control::sign_in::arrive::Person;
use crate::control::sign_in::flow::Flow;
use crate::control::sign_in::settings::Oidc;
use crate::control::{Problem, ProblemKind};

/// How far the provider's clock may be off, and how old a token may be that was made for this sign-in.
const SKEW_SECONDS: i64 = 60;
const AGE_SECONDS_MAX: i64 = 600;
/// Most groups of somebody that are looked at.
const GROUPS_MAX: usize = 2000;
/// Those with a public key. The provider's own list does not count: it could name `none`.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Every claim that is not one of the standard's.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Claims(BTreeMap<String, Value>);

impl AdditionalClaims for Claims {}

impl Claims {
    /// The texts of a claim; `a.b` is `b` within `a`, unless there is a claim of the whole name.
    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let within = || {
            let mut names = name.split('.');
            let first = self.0.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        };
        match self.0.get(name).or_else(within)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(values) => {
                Some(values.iter().take(GROUPS_MAX).filter_map(|it| it.as_str().map(str::to_owned)).collect())
            }
            _ => None,
        }
    }
}

/// Who this code is for, and the token that says so.
pub(super) async fn redeemed(
    control: &Control,
    settings: &Oidc,
    code: AuthorizationCode,
    flow: &Flow,
) -> Result<(Person, String), Problem> {
    let mut provider = provider::current(control, settings).await?;
    let mut client = provider.client(control, settings)?;
    let tokens = exchanged(control, &client, code, flow).await?;
    let nonce = Nonce::new(flow.nonce.clone());
    let mut verified = verified(control, &client, &tokens, &nonce);
    if matches!(&verified, Err(Refused::UnknownKey)) {
        // The provider may have new keys.
        if let Some(newer) = provider::renewed(control, settings, &provider).await? {
            provider = newer;
            client = provider.client(control, settings)?;
            verified = self::verified(control, &client, &tokens, &nonce);
        }
    }
    let claims = verified.map_err(|refused| refused.problem())?;
    let mut person = person(settings, &claims);
    let mut groups = claims.additional_claims().texts(&settings.groups_claim);
    if groups.is_none() && provider.has_user_info() {
        let info = told(control, &client, &tokens, &claims).await?;
        groups = info.additional_claims().texts(&settings.groups_claim);
        complete(&mut person, &info);
    }
    person.groups = groups.unwrap_or_default();
    let id_token = tokens.id_token().map(ToString::to_string).unwrap_or_default();
    Ok((person, id_token))
}

async fn exchanged(
    control: &Control,
    client: &OidcClient,
    code: AuthorizationCode,
    flow: &Flow,
) -> Result<Tokens, Problem> {
    let no_endpoint = |_| Problem::new(ProblemKind::Unavailable, "the identity provider has no token endpoint");
    let request = client.exchange_code(code).map_err(no_endpoint)?;
    let request = request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone()));
    let http = http(control)?;
    let send = |request| send(http.clone(), request);
    request.request_async(&send).await.map_err(|error| match error {
        // The library's own texts repeat what was received, tokens among it.
        RequestTokenError::ServerResponse(error) => {
            tracing::warn!(error = %error.error(), "the identity provider did not take the code");
            Problem::forbidden("the identity provider did not take the code: start again")
        }
        RequestTokenError::Request(error) => {
            tracing::warn!(%error, "the identity provider did not answer");
            Problem::new(ProblemKind::Unavailable, "the identity provider does not answer: start again")
        }
        _ => Problem::forbidden("the identity provider's answer cannot be read: start again"),
    })
}

type IdClaims = IdTokenClaims<Claims, CoreGenderClaim>;
type UserInfo = UserInfoClaims<Claims, CoreGenderClaim>;

/// Why a token is not believed.
enum Refused {
    /// None of the keys that are known is the one that it names.
    UnknownKey,
    /// For this reason.
    Because(String),
}

impl Refused {
    fn problem(self) -> Problem {
        let why = match self {
            Refused::UnknownKey => "it is signed with a key that the identity provider does not publish".to_owned(),
            Refused::Because(why) => why,
        };
        tracing::warn!(why, "a token of the identity provider is not believed");
        Problem::forbidden("what the identity provider sent does not prove who you are: start again")
    }
}

/// Issuer, audience, authorized party, signature, times, nonce, and that the access token belongs to it.
fn verified(control: &Control, client: &OidcClient, tokens: &Tokens, nonce: &Nonce) -> Result<IdClaims, Refused> {
    let because = |why: &str| Refused::Because(why.to_owned());
    let token = tokens.id_token().ok_or_else(|| because("there is none"))?;
    let verifier = verifier(control, client)?;
    let claims = token.claims(&verifier, nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            Refused::UnknownKey
        }
        error => Refused::Because(error.to_string()),
    })?;
    let id = client.client_id();
    if claims.authorized_party().is_some_and(|it| it != id) {
        return Err(because("it was made for another party"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let key = token.signing_key(&verifier).map_err(|error| Refused::Because(error.to_string()))?;
        let algorithm = token.signing_alg().map_err(|error| Refused::Because(error.to_string()))?;
        let made = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
        if made.map_err(|error| Refused::Because(error.to_string()))? != *expected {
            return Err(because("it belongs to another access token"));
        }
    }
    Ok(claims.clone())
}

fn verifier<'a>(control: &Control, client: &'a OidcClient) -> Result<CoreIdTokenVerifier<'a>, Refused> {
    let now = i64::try_from(control.shelf.now_ms()).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    let now = now.ok_or_else(|| Refused::Because("the clock cannot be read".to_owned()))?;
    let skew = TimeDelta::seconds(SKEW_SECONDS);
    let oldest = now - TimeDelta::seconds(AGE_SECONDS_MAX);
    let issued = move |at: DateTime<Utc>| match (oldest..=now + skew).contains(&at) {
        true => Ok(()),
        false => Err(format!("it was issued at {at}, and it is {now}")),
    };
    let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
    Ok(verifier.set_time_fn(move || now - skew).set_issue_time_verifier_fn(issued))
}

/// Who the token says it is; of no group yet.
fn person(settings: &Oidc, claims: &IdClaims) -> Person {
    let email = claims.email().filter(|_| claims.email_verified() != Some(false)).map(|it| it.to_string());
    let name = claims.preferred_username().map(|it| it.to_string()).or_else(|| email.clone());
    Person {
        method: METHOD,
        issuer: settings.issuer.clone(),
        subject: claims.subject().to_string(),
        name: name.unwrap_or_else(|| claims.subject().to_string()),
        email,
        groups: Vec::new(),
    }
}

/// Some providers keep tokens short: what they leave out, they tell when they are asked.
fn complete(person: &mut Person, info: &UserInfo) {
    if person.email.is_none() {
        person.email = info.email().filter(|_| info.email_verified() != Some(false)).map(|it| it.to_string());
    }
    if person.name == person.subject {
        let name = info.preferred_username().map(|it| it.to_string()).or_else(|| person.email.clone());
        person.name = name.unwrap_or_else(|| person.subject.clone());
    }
}

/// What the provider tells of the person when it is asked.
async fn told(control: &Control, client: &OidcClient, tokens: &Tokens, claims: &IdClaims) -> Result<UserInfo, Problem> {
    let away = |what: &'static str| {
        tracing::warn!(what, "the identity provider does not tell of groups");
        Problem::new(ProblemKind::Unavailable, "the identity provider does not tell of groups: start again")
    };
    let subject = Some(claims.subject().clone());
    let request = client.user_info(tokens.access_token().clone(), subject).map_err(|_| away("no endpoint"))?;
    let http = http(control)?;
    let send = |request| send(http.clone(), request);
    request.request_async(&send).await.map_err(|_| away("no answer that can be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_from_lists_texts_and_within() {
        let claims: Claims = serde_json::from_str(
            r#"{"groups": ["a", 1, "b"], "role": "c", "realm": {"roles": ["d"]}, "x.y": "e", "x": {"y": "f"}}"#,
        )
        .unwrap();
        let texts = |name: &str| claims.texts(name);
        assert_eq!(texts("groups").unwrap(), ["a", "b"]);
        assert_eq!(texts("role").unwrap(), ["c"]);
        assert_eq!(texts("realm.roles").unwrap(), ["d"]);
        assert_eq!(texts("x.y").unwrap(), ["e"]);
        assert_eq!((texts("realm"), texts("none"), texts("realm.none")), (None, None, None));
    }
}
