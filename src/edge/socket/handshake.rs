//! How a socket begins, on both sides: what is asked of the provider, what is agreed with the client.

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, header};
use pingora_core::protocols::ALPN;
use pingora_core::protocols::http::v1::client::HttpSession;
use pingora_core::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use sockudo_ws::Role;
use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate, parse_deflate_offer};
use sockudo_ws::handshake::{generate_accept_key, generate_key, validate_accept_key};

use super::link::{Bounds, Link};
use crate::config::Limits;
use crate::edge::failover::Tries;
use crate::edge::held::Lease;
use crate::edge::proxy::dress;
use crate::edge::{Shared, respond};
use crate::pipeline::{Choice, Forward, Upstream};

/// Bytes of a refusal's body that are read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// What is offered to the provider.
const OFFER: &str = "permessage-deflate; client_max_window_bits";
const EXTENSIONS: &str = "sec-websocket-extensions";

/// The provider's side, open.
pub(super) struct Connected {
    pub(super) link: Link,
    /// Its head, which may say more than that it agrees.
    pub(super) head: ResponseHeader,
}

/// Why there is no provider's side.
pub(super) enum Unconnected {
    /// It said no.
    Refused(Box<ResponseHeader>, Vec<u8>),
    /// It could not be asked, or answered something else; why.
    Failed(String),
}

impl Unconnected {
    /// For a developer.
    pub(super) fn reason(&self) -> String {
        match self {
            Unconnected::Refused(head, _) => {
                format!("the provider refused the WebSocket with status {}", head.status.as_u16())
            }
            Unconnected::Failed(why) => format!("the provider cannot be contacted: {why}"),
        }
    }
}

impl From<Box<Error>> for Unconnected {
    fn from(error: Box<Error>) -> Self {
        Unconnected::Failed(format!("it could not be reached or broke off ({})", error.root_etype().as_str()))
    }
}

/// Opens the provider's side in the name of a client whose upgrade had this head.
pub(super) async fn connect(
    shared: &Shared,
    forward: &Forward,
    client: &RequestHeader,
) -> std::result::Result<Connected, Unconnected> {
    let times = forward.upstream.timeouts;
    let mut tries = Tries::default();
    let mut session = reach(shared, &forward.upstream, &mut tries).await?;
    session.read_timeout = Some(times.read);
    session.write_timeout = Some(times.write);
    let key = generate_key();
    let asking = async {
        session.write_request_header(Box::new(request(client, forward, tries.choice(), &key)?)).await?;
        loop {
            session.read_response().await?;
            match session.resp_header() {
                Some(head) if head.status.is_informational() && !respond::is_switch(head) => {}
                Some(head) => return Ok(head.clone()),
                None => {}
            }
        }
    };
    let head = match tokio::time::timeout(times.read, asking).await {
        Ok(head) => head.map_err(|error: Box<Error>| Unconnected::from(error))?,
        Err(_) => return Err(Unconnected::Failed("it did not answer in time".to_owned())),
    };
    // What the answer says of the address and the key is noted; the client decides whether it asks again.
    tries.answered(shared, &forward.upstream, &head);
    if !respond::is_switch(&head) {
        let body = refusal_body(&mut session).await;
        return Err(Unconnected::Refused(Box::new(head), body));
    }
    let failed = |why: &str| Unconnected::Failed(why.to_owned());
    if !agrees(&head.headers, &key) {
        return Err(failed("its answer to the WebSocket upgrade is not valid"));
    }
    let deflate = agreed(&head.headers).ok_or_else(|| failed("it agreed to extensions that were not offered"))?;
    // What came behind its head is in the session's buffer; without anything there nothing is read.
    let early = session.read_body_bytes().now_or_never().and_then(std::result::Result::ok).flatten();
    let bounds = provider_bounds(shared.live.load().limits, &forward.upstream);
    let lease = Lease::new(shared.metrics.clone());
    let early = early.unwrap_or_default();
    let link = Link::new(session.into_inner(), Role::Client, deflate, &early, bounds, lease);
    Ok(Connected { link, head })
}

/// A connection to one of the provider's addresses.
async fn reach(
    shared: &Shared,
    upstream: &Upstream,
    tries: &mut Tries,
) -> std::result::Result<HttpSession, Unconnected> {
    shared.seats.prepare().await;
    loop {
        let Some((choice, attempt)) = tries.begin(shared, upstream) else {
            return Err(Unconnected::Failed("every address is left alone for a while".to_owned()));
        };
        let peer = shared.peers.peer(upstream, &upstream.urls[choice.address], attempt).await;
        let (failure, again) = match peer {
            Err(error) => (Unconnected::Failed(error.to_string()), tries.unknown(shared, upstream)),
            Ok(mut peer) => {
                peer.options.alpn = ALPN::H1;
                match shared.seats.connector().new_stream(&peer).await {
                    Ok(stream) => return Ok(HttpSession::new_with_options(stream, &peer)),
                    Err(error) => (error.into(), tries.unconnected(shared, upstream)),
                }
            }
        };
        if !again {
            return Err(failure);
        }
    }
}

/// The client's head as the provider's: credentials swapped, and the agreement about the socket our own.
fn request(client: &RequestHeader, forward: &Forward, choice: Choice, key: &str) -> Result<RequestHeader> {
    let mut head = client.clone();
    let nominated: Vec<String> = client
        .headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let of_connection = client.headers.keys().map(|name| name.as_str().to_owned());
    let of_connection = of_connection.filter(|name| name.starts_with("sec-websocket-") || name.starts_with("proxy-"));
    let more = ["connection", "upgrade", "keep-alive", "trailer", "content-length"].map(str::to_owned);
    for name in of_connection.chain(nominated).chain(more) {
        head.remove_header(name.as_str());
    }
    dress(&mut head, forward, choice, 0)?;
    head.insert_header("connection", "Upgrade")?;
    head.insert_header("upgrade", "websocket")?;
    head.insert_header("sec-websocket-version", "13")?;
    head.insert_header("sec-websocket-key", key)?;
    head.insert_header(EXTENSIONS, OFFER)?;
    Ok(head)
}

async fn refusal_body(session: &mut HttpSession) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = session.read_body_bytes().await {
        if body.len() + chunk.len() > REFUSAL_BYTES_MAX {
            return Vec::new();
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// Whether a switch is one to the socket that was asked for.
fn agrees(headers: &HeaderMap, key: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).map(str::trim);
    text("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket"))
        && text("sec-websocket-accept").is_some_and(|it| validate_accept_key(key, it))
        && !headers.contains_key("sec-websocket-protocol")
}

/// The compression that the provider agreed to, or none; `None` if it answers what was not offered.
fn agreed(headers: &HeaderMap) -> Option<Option<DeflateConfig>> {
    let mut values = headers.get_all(EXTENSIONS).iter();
    let Some(value) = values.next() else { return Some(None) };
    let value = value.to_str().ok().filter(|_| values.next().is_none())?;
    let parameters = parse_deflate_offer(value)?;
    Some(Some(DeflateConfig::from_params(&parameters).ok()?))
}

/// What is agreed with a client whose upgrade had this head: the fields of the answer, and the compression.
pub(super) fn answer(client: &HeaderMap) -> (Vec<(&'static str, String)>, Option<DeflateConfig>) {
    let key = client.get("sec-websocket-key").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let mut fields = vec![("sec-websocket-accept", generate_accept_key(key.trim()))];
    let offers: Vec<&str> = client.get_all(EXTENSIONS).iter().filter_map(|it| it.to_str().ok()).collect();
    let agreed = negotiate_server_deflate(&offers.join(","), &DeflateConfig::default());
    if let Some(agreed) = &agreed {
        fields.push((EXTENSIONS, agreed.to_response_header()));
    }
    (fields, agreed.map(|it| it.config))
}

/// The bounds of a client's side.
pub(super) fn client_bounds(limits: Limits) -> Bounds {
    Bounds {
        message_bytes_max: limits.body_bytes_max,
        ratio_max: limits.decompression_ratio_max,
        held_bytes_max: limits.held_bytes_max,
        message_timeout: limits.body_timeout,
        write_timeout: limits.idle_timeout,
    }
}

fn provider_bounds(limits: Limits, upstream: &Upstream) -> Bounds {
    Bounds {
        message_bytes_max: limits.response_bytes_max,
        ratio_max: limits.decompression_ratio_max,
        held_bytes_max: limits.held_bytes_max,
        message_timeout: upstream.timeouts.read,
        write_timeout: upstream.timeouts.write,
    }
}

/// Whether a refusal's body can be handed on: clients read JSON objects.
pub(super) fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok()
}

/// What a session has read behind its head.
pub(super) fn early(read: Option<Result<Option<Bytes>>>) -> Bytes {
    read.and_then(std::result::Result::ok).flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_client_gets_what_it_can_inflate() {
        let offer = headers(&[
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            (EXTENSIONS, "permessage-deflate; client_max_window_bits; server_max_window_bits=10"),
        ]);
        let (fields, deflate) = answer(&offer);
        assert_eq!(fields[0], ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        assert_eq!(fields[1], (EXTENSIONS, "permessage-deflate; server_max_window_bits=10".to_owned()));
        assert_eq!(u8::from(deflate.unwrap().server_max_window_bits), 10);
        let (fields, deflate) = answer(&headers(&[("sec-websocket-key", "x"), (EXTENSIONS, "x-webkit-deflate-frame")]));
        assert!(fields.len() == 1 && deflate.is_none());
    }

    #[test]
    fn a_provider_may_agree_only_to_what_was_offered() {
        assert!(agreed(&headers(&[])).unwrap().is_none());
        assert!(agreed(&headers(&[(EXTENSIONS, "permessage-deflate; server_no_context_takeover")])).unwrap().is_some());
        for value in ["x-other", "permessage-deflate; mystery", "permessage-deflate, permessage-deflate"] {
            assert!(agreed(&headers(&[(EXTENSIONS, value)])).is_none(), "{value}");
        }
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let accept = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(agrees(&headers(&[("upgrade", "websocket"), accept]), key));
        assert!(!agrees(&headers(&[("upgrade", "websocket"), ("sec-websocket-accept", "x")]), key));
        assert!(!agrees(&headers(&[accept]), key));
        assert!(!agrees(&headers(&[("upgrade", "websocket"), accept, ("sec-websocket-protocol", "p")]), key));
    }
}
