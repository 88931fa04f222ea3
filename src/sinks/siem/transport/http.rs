//! What all receivers over HTTP share: one client, bounded answers, and batches that shrink where one event is refused.

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::super::{Message, tls};
use super::{CONNECT_TIMEOUT, SEND_TIMEOUT, Transport};
use crate::config::{Siem, UpstreamUrl};
use crate::domain::Secret;
use crate::sinks::{Failure, Hope, client};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most characters of a word of the other side in a log.
const WORD_CHARS_MAX: usize = 64;

/// What differs between receivers.
pub(super) trait Form: Send + Sync {
    /// Where to.
    fn address(&self) -> String;

    /// Kind of content, and how a token is announced: `Bearer`.
    fn kind(&self) -> (&'static str, &'static str);

    fn body(&self, messages: &[Message]) -> String;

    /// What an answer of 2xx says. By default, that all is well.
    fn accepted(&self, _answer: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    /// What another answer says; nothing where its status says enough.
    fn refused(&self, _status: u16, _answer: &[u8]) -> Option<Failure> {
        None
    }
}

pub(super) struct Http<F> {
    client: reqwest::Client,
    headers: HeaderMap,
    form: F,
    /// Most messages of one request: halved where a request is refused as a whole, doubled where one is taken.
    messages_max: usize,
}

impl<F: Form> Http<F> {
    pub(super) fn new(siem: &Siem, form: F) -> Result<Self, String> {
        let client = client::http(tls::config(siem)?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(SEND_TIMEOUT)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        let mut headers = HeaderMap::new();
        let (content, scheme) = form.kind();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        if let Some(token) = &siem.token {
            let value = Secret::new(format!("{scheme} {}", token.expose()));
            headers.insert(reqwest::header::AUTHORIZATION, header(&value)?);
        }
        for (name, value) in &siem.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no header name"))?;
            headers.insert(name, header(value)?);
        }
        Ok(Http { client, headers, form, messages_max: usize::MAX })
    }

    async fn post(&self, messages: &[Message]) -> Result<(), Failure> {
        let request = self.client.post(self.form.address()).headers(self.headers.clone());
        let sent = request.body(self.form.body(messages)).send().await;
        let mut answer = sent.map_err(|error| Failure::later(describe(error)))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::later(describe(error)))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Failure::later("the answer is longer than 1 MiB"));
            }
        }
        match status {
            200..=299 => self.form.accepted(&body),
            _ => Err(self.form.refused(status, &body).unwrap_or_else(|| by_status(status))),
        }
    }
}

/// A value that no log shows.
fn header(value: &Secret) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| "a value that no header can hold")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Without the address, which may hold a secret.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let kind = match () {
        () if error.is_connect() => "cannot be reached",
        () if error.is_timeout() => "no answer in time",
        () => "the exchange broke",
    };
    // The words of the libraries below say why: refused, unknown issuer, no such host.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{kind}: {cause}")
}

/// What a status says by itself.
pub(super) fn by_status(status: u16) -> Failure {
    match status {
        400 | 413 | 422 => Failure::never(format!("the event is refused with status {status}")),
        401 | 403 => Failure::later(format!("status {status}: `token` or `headers` do not let us in")),
        404 | 405 => Failure::later(format!("status {status}: nobody takes events at this address")),
        _ => Failure::later(format!("status {status}")),
    }
}

/// A word of the other side, fit for a log; never a text that may repeat what was sent.
pub(super) fn word(text: &str) -> String {
    let plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    text.chars().filter(plain).take(WORD_CHARS_MAX).collect()
}

/// The address with a path behind its prefix.
pub(super) fn address(url: &UpstreamUrl, path: &str) -> String {
    format!("{url}{path}")
}

#[async_trait]
impl<F: Form> Transport for Http<F> {
    async fn send(&mut self, messages: &[Message], _now_ms: u64) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut done = 0;
        while done < messages.len() {
            if done > 0 && begun.elapsed() > SEND_TIMEOUT {
                return Err(Failure::later("the receiver is slow").after(done));
            }
            let part = &messages[done..done.saturating_add(self.messages_max).min(messages.len())];
            match self.post(part).await {
                Ok(()) => {
                    done += part.len();
                    self.messages_max = self.messages_max.saturating_mul(2);
                }
                // One of them spoils the request; the smaller it is, the nearer we are to it.
                Err(failure) if failure.hope == Hope::Never && failure.done == 0 && part.len() > 1 => {
                    self.messages_max = part.len() / 2;
                }
                Err(failure) => {
                    let within = failure.done;
                    return Err(failure.after(done + within));
                }
            }
        }
        Ok(())
    }
}
