//! Requests to the policy server: bounded in time and in what is read of an answer.

use std::time::Duration;

use reqwest::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::{Client, RequestBuilder};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::PolicyServer;
use crate::control::ProblemKind;
use crate::domain::Secret;
use crate::sinks::{client, network_cause};

/// Until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the answer has been read.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an idle connection is kept: longer than the usual time between two polls.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest answer that is read: a bundle with all its rule files.
pub(super) const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How much of what the server says about a refusal is repeated.
const DETAIL_CHARS_MAX: usize = 500;

/// One policy server, and what this gateway is known by there.
#[derive(Clone)]
pub(super) struct Contact {
    client: Client,
    base: String,
    token: Option<Secret>,
}

/// What a server answered.
pub(super) enum Answer<T> {
    /// What was asked for, with its tag.
    Given(T, Option<String>),
    /// Nothing has changed since the tag that was sent.
    Unchanged,
    /// It refuses.
    Refused(Refused),
}

/// Why a server does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// `None` where this is no refusal that a policy server makes.
    pub(super) kind: Option<ProblemKind>,
    /// One line, in the server's words.
    pub(super) detail: String,
}

impl Contact {
    /// With this server.
    ///
    /// # Errors
    /// Roots that cannot be used.
    pub(super) fn new(server: &PolicyServer, token: Option<Secret>) -> Result<Contact, String> {
        let trusting = client::trusting(server.ca_file.as_deref()).map_err(|it| format!("`control.ca_file`: {it}"))?;
        let client = client::http(trusting.with_no_client_auth())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(2);
        let client = client.build().map_err(|error| format!("no HTTP client: {}", network_cause(&error)))?;
        Ok(Contact { client, base: server.url.to_string(), token })
    }

    /// Asks for what stands at this path, unless it is what `tag` names.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, tag: Option<&str>) -> Result<Answer<T>, String> {
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(tag) = tag.and_then(|it| HeaderValue::from_str(it).ok()) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        self.send(request).await
    }

    /// Posts this as JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Answer<T>, String> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, mut request: RequestBuilder) -> Result<Answer<T>, String> {
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| "the token of this gateway cannot be sent".to_owned())?;
            value.set_sensitive(true);
            request = request.header(reqwest::header::AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|error| network_cause(&error))?;
        let status = response.status();
        let tag = response.headers().get(ETAG).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| network_cause(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        if ProblemKind::is_unchanged(status.as_u16()) {
            return Ok(Answer::Unchanged);
        }
        if status.is_success() {
            let value = serde_json::from_slice(&body);
            let value = value.map_err(|_| "the answer is none of a policy server: is `server` its address?".to_owned());
            return Ok(Answer::Given(value?, tag));
        }
        Ok(Answer::Refused(refused(status.as_u16(), &body)))
    }
}

/// A refusal, as far as the answer is one of a policy server.
fn refused(status: u16, body: &[u8]) -> Refused {
    let kind = ProblemKind::of_status(status);
    let said: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let text = |name: &str| said.as_ref().and_then(|it| it[name].as_str()).unwrap_or_default().to_owned();
    // Anything may stand between: what does not name its kind is no answer of the server itself.
    let kind = kind.filter(|it| it.name() == text("title"));
    let mut detail = text("detail");
    let mistakes = said.as_ref().and_then(|it| it["mistakes"].as_array().cloned()).unwrap_or_default();
    for mistake in mistakes.iter().filter_map(serde_json::Value::as_str) {
        detail.push_str("; ");
        detail.push_str(mistake);
    }
    if detail.is_empty() {
        detail = format!("it answered with status {status}");
    }
    let detail = detail.chars().map(|it| if it.is_control() { ' ' } else { it }).take(DETAIL_CHARS_MAX).collect();
    Refused { kind, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_refusals_have_a_kind() {
        let body = br#"{"title":"conflict","status":409,"detail":"no\nway","mistakes":["a"]}"#;
        let said = refused(ProblemKind::Conflict.status(), body);
        assert_eq!(said, Refused { kind: Some(ProblemKind::Conflict), detail: "no way; a".into() });
        let said = refused(ProblemKind::Conflict.status(), b"<html>");
        assert_eq!((said.kind, said.detail.contains("status")), (None, true));
    }
}
