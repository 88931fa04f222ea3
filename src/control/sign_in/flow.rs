//! What is remembered between leaving for an identity provider and coming back: once, for ten minutes, for one browser.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::session::{named_cookie, sent_cookie};
use crate::control::http::Caller;
use crate::control::seal::{digest, token};
use crate::control::server::Control;
use crate::control::shelf::Stored;
use crate::control::time::MINUTE_MS;
use crate::control::{Problem, ProblemKind};

/// How long somebody may take at the identity provider.
const LIFE_MS: u64 = 10 * MINUTE_MS;
/// Longest path that somebody is led back to.
const BACK_BYTES_MAX: usize = 2000;
/// What [`token`] makes.
const TOKEN_CHARS: usize = 43;
const COOKIE_NAME: &str = "airiskguard-flow";
/// How often one address may do it in a minute, and addresses that are counted.
const PASSES_MAX: u32 = 60;
const ADDRESSES_MAX: usize = 10_000;

/// Somebody on the way.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Digest of what comes back: `state`, `InResponseTo`.
    pub(super) id: String,
    /// `oidc`, `saml`.
    pub(super) method: String,
    /// Digest of the browser's cookie.
    browser: String,
    /// Where to go then, on this server.
    pub(super) back: String,
    /// OpenID Connect: what has to stand in the token.
    pub(super) nonce: String,
    /// OpenID Connect: what proves that the code is ours.
    pub(super) verifier: String,
    expires_ms: u64,
}

impl Stored for Flow {
    const KIND: &'static str = "sign-in under way";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

impl Flow {
    /// Begun by this browser, and not by another one.
    pub(super) fn is_of(&self, browser: Option<&Browser>) -> bool {
        browser.is_some_and(|it| it.matches(&self.browser))
    }

    /// Digest of the browser's cookie.
    #[cfg_attr(not(feature = "saml"), expect(dead_code, reason = "read by sign-in by SAML alone"))]
    pub(super) fn browser(&self) -> &str {
        &self.browser
    }
}

/// A browser, by a cookie that holds as long as a sign-in may take.
pub(super) struct Browser(String);

impl Browser {
    /// The one that sent this request, if it has been here.
    pub(super) fn of(control: &Control, headers: &HeaderMap) -> Option<Browser> {
        let value = sent_cookie(control, headers, COOKIE_NAME)?;
        (value.len() == TOKEN_CHARS).then(|| Browser(value.to_owned()))
    }

    pub(super) fn matches(&self, known: &str) -> bool {
        digest(&self.0).as_bytes().ct_eq(known.as_bytes()).into()
    }
}

/// Remembers somebody who leaves for an identity provider, which will send `key` back. Returns the cookie to set.
///
/// A browser keeps the cookie that it has, so that several of its pages can be on the way at once.
pub(super) async fn depart(
    control: &Control,
    headers: &HeaderMap,
    key: &str,
    made: Departure<'_>,
) -> Result<HeaderValue, Problem> {
    let browser = match Browser::of(control, headers) {
        Some(browser) => browser,
        None => Browser(token()?),
    };
    let flow = Flow {
        id: digest(key),
        method: made.method.to_owned(),
        browser: digest(&browser.0),
        back: made.back,
        nonce: made.nonce,
        verifier: made.verifier,
        expires_ms: control.shelf.now_ms() + LIFE_MS,
    };
    control.shelf.insert(&flow).await?;
    named_cookie(control, COOKIE_NAME, &browser.0, LIFE_MS / 1000)
}

/// What is remembered of a departure.
pub(super) struct Departure<'a> {
    pub(super) method: &'a str,
    pub(super) back: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// The path on this server to go to after signing in; `/` for everything that is none.
pub(in crate::control) fn safe_back(asked: Option<&str>) -> String {
    let is_ours = |it: &str| {
        // Browsers read `\` as `/` and leave tabs and line breaks out; `//host` is another host.
        it.starts_with('/')
            && !it.starts_with("//")
            && it.len() <= BACK_BYTES_MAX
            && it.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    asked.filter(|it| is_ours(it)).unwrap_or("/").to_owned()
}

/// Writes down that somebody was not let in, and why. Anyone may fail as often as they like: of one address, no more is
/// written than sign-ins may be begun.
pub(super) fn refused(control: &Control, caller: &Caller, method: &str, why: Option<&str>) {
    if control.sign_in.refusals.pass(caller.address(), control.shelf.now_ms()).is_ok() {
        let why = why.map(|it| ("why".to_owned(), it.to_owned()));
        let details = [("method".to_owned(), method.to_owned())].into_iter().chain(why);
        control.acts.write(&caller.actor(), "session.refused", details.collect());
    }
}

/// What anyone may do, counted by address: to begin a sign-in, which is a document until it expires, and to fail.
#[derive(Default)]
pub(in crate::control) struct Turnstile(Mutex<(u64, HashMap<Option<IpAddr>, u32>)>);

impl Turnstile {
    /// Lets somebody of this address through, or not.
    pub(super) fn pass(&self, address: Option<IpAddr>, now_ms: u64) -> Result<(), Problem> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, counts) = &mut *counted;
        if now_ms.saturating_sub(*since) >= MINUTE_MS {
            *since = now_ms;
            counts.clear();
        }
        let too_often = || Problem::new(ProblemKind::TooOften, "too many sign-ins have been begun; try again later");
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&address) {
            return Err(too_often());
        }
        let count = counts.entry(address).or_default();
        *count = count.saturating_add(1);
        if *count > PASSES_MAX { Err(too_often()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for ours in ["/", "/findings?team=red&x=%2F%2Fa", "/a//b"] {
            assert_eq!(safe_back(Some(ours)), ours);
        }
        let long = format!("/{}", "a".repeat(BACK_BYTES_MAX));
        let elsewhere = [
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "",
            "findings",
            "/\t/evil.example",
            "/\n/evil.example",
            " /a",
            "/a b",
            "/ä",
            "/a\0",
            "/a\\b",
            &long,
        ];
        for elsewhere in elsewhere {
            assert_eq!(safe_back(Some(elsewhere)), "/", "{elsewhere:?}");
        }
        assert_eq!(safe_back(None), "/");
    }

    #[test]
    fn one_address_does_not_fill_the_store() {
        let turnstile = Turnstile::default();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        for _ in 0..PASSES_MAX {
            turnstile.pass(address(1), 1_000_000).unwrap();
        }
        assert_eq!(turnstile.pass(address(1), 1_000_001).unwrap_err().kind, ProblemKind::TooOften);
        turnstile.pass(address(2), 1_000_001).unwrap();
        turnstile.pass(address(1), 1_000_000 + MINUTE_MS).unwrap();
    }
}
