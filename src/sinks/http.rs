//! One address that is posted to over HTTP. What went wrong is told without the address, which often is the secret.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Proxy, Url};
use rustls::CertificateError;

use crate::domain::Secret;

use super::{Hope, client};

/// Until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the answer has been read.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read; what comes after them is of no use.
const REPLY_BYTES_MAX: usize = 4 << 10;
/// Longest wait that an answer can ask for.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Links of an error's chain of causes that are looked at.
const CAUSES_MAX: usize = 16;

/// A client for one address. It follows no redirect, and no proxy of the environment.
pub(super) struct Poster {
    client: Client,
    url: Url,
}

impl Poster {
    /// For an `https://` or `http://` address, through a proxy where one is given. The error names no address.
    pub(super) fn new(address: &Secret, proxy: Option<&Secret>) -> Result<Self, String> {
        let url = Url::parse(address.expose()).map_err(|_| "the address cannot be read".to_owned())?;
        let mut builder = client::http(client::trusting(None)?.with_no_client_auth())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1);
        if let Some(proxy) = proxy {
            let proxy = Proxy::all(proxy.expose()).map_err(|_| "the address of the proxy cannot be read".to_owned())?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| format!("no HTTP client: {}", cause(&error)))?;
        Ok(Poster { client, url })
    }

    /// Posts a body. `Err` says in a few words, without the address, why no answer came.
    pub(super) async fn post(
        &self,
        content_type: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let mut fields = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "a header value cannot be sent".to_owned());
        fields.insert(CONTENT_TYPE, value(content_type)?);
        for (name, text) in headers {
            let mut value = value(text)?;
            value.set_sensitive(true);
            fields.insert(HeaderName::from_static(name), value);
        }
        let sent = self.client.post(self.url.clone()).headers(fields).body(body).send().await;
        let mut response = sent.map_err(|error| cause(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        // The status is the answer: a body that breaks off changes nothing about it.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = REPLY_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == REPLY_BYTES_MAX {
                break;
            }
        }
        Ok(Reply { status, body, retry_after })
    }
}

/// What came back.
pub(super) struct Reply {
    /// The status code.
    pub(super) status: u16,
    /// Its body, cut to a few kilobytes. Foreign text, that may repeat what was sent.
    pub(super) body: Vec<u8>,
    retry_after: Option<String>,
}

impl Reply {
    /// `None` for success; else whether the same post may succeed later.
    pub(super) fn hope(&self) -> Option<Hope> {
        match self.status {
            200..=299 => None,
            408 | 425 | 429 => Some(Hope::Later),
            400..=499 => Some(Hope::Never),
            _ => Some(Hope::Later),
        }
    }

    /// How long `Retry-After`, in seconds or as a date, asks to wait; an hour at most.
    pub(super) fn wait(&self, now_ms: u64) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
                Duration::from_millis(u64::try_from(at).ok()?.saturating_sub(now_ms))
            }
        };
        Some(wait.min(WAIT_MAX))
    }
}

/// Why nothing came back, in words of ours: the library's own text names the address.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let what = if error.is_connect() { "no connection" } else { "the connection failed" };
    match error.source().and_then(reason) {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    }
}

/// What lies at the bottom of an error of the network, from a closed list of words.
pub(super) fn reason(error: &(dyn Error + 'static)) -> Option<String> {
    let mut link = Some(error);
    for _ in 0..CAUSES_MAX {
        let it = link?;
        if let Some(tls) = it.downcast_ref::<rustls::Error>() {
            return Some(handshake(tls).to_owned());
        }
        link = match it.downcast_ref::<io::Error>() {
            // Its `source` would be that of the error inside, and leave the latter out.
            Some(io) => match io.get_ref() {
                Some(inner) => Some(inner),
                None => return Some(io.kind().to_string()),
            },
            None => it.source(),
        };
    }
    None
}

/// What is wrong with TLS, without names from the certificate.
fn handshake(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => "its certificate is of an unknown issuer",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        rustls::Error::InvalidCertificate(_) => "its certificate is not trusted",
        _ => "the TLS handshake failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        Reply { status, body: Vec::new(), retry_after: retry_after.map(str::to_owned) }
    }

    #[test]
    fn statuses_fall_into_classes() {
        let of = |status| reply(status, None).hope();
        assert_eq!([200, 201, 202, 204].map(of), [None; 4]);
        assert_eq!([400, 401, 403, 404, 410, 413, 422].map(of), [Some(Hope::Never); 7]);
        assert_eq!([301, 302, 408, 425, 429, 500, 502, 503, 504].map(of), [Some(Hope::Later); 9]);
    }

    #[test]
    fn waits_are_seconds_or_dates_and_bounded() {
        let wait = |text| reply(429, Some(text)).wait(784_111_777_000).map(|it| it.as_secs());
        assert_eq!(wait("30"), Some(30));
        assert_eq!(wait(" 30 "), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0));
        assert_eq!(wait("99999999999"), Some(3600));
        assert_eq!(wait("soon"), None);
        assert_eq!(reply(429, None).wait(0), None);
    }
}
