//! Refusals to HTTP: the only place that names a status code for them.

use bytes::Bytes;
use pingora_core::Result;
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_http::ResponseHeader;

use crate::config::Dialect;
use crate::domain::RequestId;
use crate::pipeline::RefusalKind;
use crate::pipeline::Reply;

/// Header that names the exchange in every answer, whoever wrote it.
pub(super) const REQUEST_ID: &str = "x-airiskguard-request-id";

/// Seconds after which an overloaded gateway may be asked again.
const RETRY_AFTER_SECONDS: &str = "2";

/// The status of a refusal, chosen by what each vendor's clients show instead of retrying.
pub(super) fn status(kind: RefusalKind, dialect: Dialect) -> u16 {
    match kind {
        RefusalKind::PolicyBlocked
        | RefusalKind::ModelNotAllowed
        | RefusalKind::Quarantined
        | RefusalKind::NoProviderKey
        | RefusalKind::BudgetExhausted
        | RefusalKind::BadRequest
        | RefusalKind::TooLarge => 400,
        RefusalKind::Unauthorized => 401,
        RefusalKind::UnknownPath | RefusalKind::NoUpstream => 404,
        RefusalKind::Timeout => 408,
        RefusalKind::RateLimited => 429,
        RefusalKind::UpgradeRefused => 426,
        RefusalKind::UpstreamFailed => 502,
        RefusalKind::Overloaded
        | RefusalKind::NoPolicy
        | RefusalKind::AuditUnavailable
        | RefusalKind::UpstreamUnavailable => match dialect {
            Dialect::Anthropic => 529,
            Dialect::OpenAi | Dialect::Azure => 503,
        },
    }
}

/// Whether the same request may succeed a little later.
fn may_retry(kind: RefusalKind) -> bool {
    matches!(kind, RefusalKind::UpstreamFailed | RefusalKind::RateLimited) || says_when(kind)
}

/// Whether a client is told when, beside what the reply itself says of it.
fn says_when(kind: RefusalKind) -> bool {
    matches!(
        kind,
        RefusalKind::Overloaded
            | RefusalKind::NoPolicy
            | RefusalKind::AuditUnavailable
            | RefusalKind::UpstreamUnavailable
    )
}

/// A reply as head and body.
pub(super) fn message(reply: &Reply, request: &RequestId) -> Result<(ResponseHeader, Bytes)> {
    let body = Bytes::copy_from_slice(&reply.body);
    let mut head = ResponseHeader::build(status(reply.kind, reply.dialect), Some(reply.headers.len() + 8))?;
    head.insert_header("content-type", "application/json")?;
    head.insert_header("content-length", body.len().to_string())?;
    head.insert_header("cache-control", "no-store")?;
    head.insert_header(REQUEST_ID, request.as_str())?;
    head.insert_header(vendor_request_id(reply.dialect), request.as_str())?;
    if !may_retry(reply.kind) {
        head.insert_header("x-should-retry", "false")?;
    }
    if says_when(reply.kind) {
        head.insert_header("retry-after", RETRY_AFTER_SECONDS)?;
    }
    for (name, value) in &reply.headers {
        head.insert_header(*name, value)?;
    }
    Ok((head, body))
}

/// A reply in place of a provider's answer.
pub(super) fn tasks(reply: &Reply, request: &RequestId, without_body: bool) -> Result<[HttpTask; 2]> {
    let (head, body) = message(reply, request)?;
    let body = (!without_body).then_some(body);
    Ok([HttpTask::Header(Box::new(head), false), HttpTask::Body(body, true)])
}

/// Writes a reply to a client whose answer has not begun. Returns the body bytes written.
pub(super) async fn send(session: &mut ServerSession, reply: &Reply, request: &RequestId) -> Result<u64> {
    let without_body = session.req_header().method == http::Method::HEAD;
    let (head, body) = message(reply, request)?;
    session.write_response_header(Box::new(head)).await?;
    let body = if without_body { Bytes::new() } else { body };
    let bytes = body.len() as u64;
    session.write_response_body(body, true).await?;
    Ok(bytes)
}

/// A reply as an event on a socket: clients show one of such a status and do not ask again.
pub(super) fn event(reply: &Reply) -> Vec<u8> {
    let mut event = format!("{{\"type\":\"error\",\"status\":{}", status(reply.kind, reply.dialect)).into_bytes();
    match reply.body.strip_prefix(b"{") {
        Some(b"}") | None => event.push(b'}'),
        Some(members) => {
            event.push(b',');
            event.extend_from_slice(members);
        }
    }
    event
}

/// The switch to a socket: our own agreement with the client, and whatever else the provider's head says.
pub(super) fn switch(
    provider: &ResponseHeader,
    fields: &[(&'static str, String)],
    request: &RequestId,
) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(101, Some(provider.headers.len() + 6))?;
    for (name, value) in provider.headers.iter().filter(|(name, _)| !is_of_connection(name.as_str())) {
        head.append_header(name.clone(), value.clone())?;
    }
    head.insert_header("connection", "Upgrade")?;
    head.insert_header("upgrade", "websocket")?;
    for (name, value) in fields {
        head.insert_header(*name, value.as_str())?;
    }
    head.insert_header(REQUEST_ID, request.as_str())?;
    Ok(head)
}

/// Whether the provider agreed to a socket.
pub(super) fn is_switch(head: &ResponseHeader) -> bool {
    head.status.as_u16() == 101
}

/// Hands on a provider's refusal of a socket. A status that is no refusal becomes the one that has clients ask over
/// plain HTTP; a body that is no JSON becomes `reply`.
pub(super) fn refused_switch(
    provider: &ResponseHeader,
    body: Vec<u8>,
    reply: Option<&Reply>,
    request: &RequestId,
) -> Result<(ResponseHeader, Bytes)> {
    let status = provider.status.as_u16();
    let body = reply.map_or(body, |it| it.body.clone());
    let mut head = ResponseHeader::build(if (400..600).contains(&status) { status } else { 426 }, Some(8))?;
    for name in ["retry-after", "x-request-id", "x-should-retry"] {
        if let Some(value) = provider.headers.get(name) {
            head.insert_header(name, value.clone())?;
        }
    }
    head.insert_header("content-type", "application/json")?;
    head.insert_header("content-length", body.len().to_string())?;
    head.insert_header("cache-control", "no-store")?;
    head.insert_header(REQUEST_ID, request.as_str())?;
    Ok((head, body.into()))
}

/// Fields that speak of one connection and not of what it carries.
fn is_of_connection(name: &str) -> bool {
    name.starts_with("sec-websocket-")
        || matches!(
            name,
            "connection" | "upgrade" | "keep-alive" | "transfer-encoding" | "content-length" | "trailer" | "te"
        )
}

/// Answers a probe that needs no key.
pub(super) async fn send_probe(session: &mut ServerSession) -> Result<()> {
    let body = Bytes::from_static(b"{\"status\":\"ok\"}");
    let without_body = session.req_header().method == http::Method::HEAD;
    let mut head = ResponseHeader::build(200, Some(3))?;
    head.insert_header("content-type", "application/json")?;
    head.insert_header("content-length", body.len().to_string())?;
    head.insert_header("cache-control", "no-store")?;
    session.write_response_header(Box::new(head)).await?;
    session.write_response_body(if without_body { Bytes::new() } else { body }, true).await
}

/// Whether an answer of this status has no body, whatever its headers say.
pub(super) fn never_has_body(head: &ResponseHeader) -> bool {
    matches!(head.status.as_u16(), 204 | 304)
}

/// Where each vendor's clients look for the id of an exchange.
fn vendor_request_id(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "request-id",
        Dialect::OpenAi | Dialect::Azure => "x-request-id",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(kind: RefusalKind, dialect: Dialect) -> ResponseHeader {
        let headers = vec![("x-airiskguard-blocked", "true".to_owned())];
        let reply = Reply { kind, dialect, headers, body: b"{}".to_vec() };
        message(&reply, &RequestId::new("id-1")).unwrap().0
    }

    #[test]
    fn a_block_is_shown_and_not_retried() {
        let head = reply(RefusalKind::PolicyBlocked, Dialect::Anthropic);
        assert_eq!(head.status, 400);
        assert_eq!(head.headers["x-should-retry"], "false");
        assert_eq!(head.headers["x-airiskguard-blocked"], "true");
        assert_eq!(head.headers["request-id"], "id-1");
        assert_eq!(head.headers["content-length"], "2");
    }

    #[test]
    fn a_block_on_a_socket_is_an_error_event_with_its_status() {
        let body = br#"{"error":{"code":"policy_blocked"}}"#.to_vec();
        let reply = Reply { kind: RefusalKind::PolicyBlocked, dialect: Dialect::OpenAi, headers: Vec::new(), body };
        assert_eq!(event(&reply), br#"{"type":"error","status":400,"error":{"code":"policy_blocked"}}"#);
        assert_eq!(event(&Reply { body: b"{}".to_vec(), ..reply }), br#"{"type":"error","status":400}"#);
    }

    #[test]
    fn a_switch_keeps_what_the_provider_says_of_the_answer() {
        let mut provider = ResponseHeader::build(101, None).unwrap();
        for (name, value) in [("sec-websocket-accept", "theirs"), ("upgrade", "websocket"), ("x-turn-state", "s")] {
            provider.append_header(name, value).unwrap();
        }
        let fields = [("sec-websocket-accept", "ours".to_owned())];
        let head = switch(&provider, &fields, &RequestId::new("id-1")).unwrap();
        assert_eq!(
            (&head.headers["sec-websocket-accept"], &head.headers["x-turn-state"]),
            (&"ours".parse().unwrap(), &"s".parse().unwrap())
        );
        assert_eq!(head.headers.get_all("upgrade").iter().count(), 1);
    }

    #[test]
    fn a_redirect_is_no_refusal_that_a_client_could_use() {
        let refused = |status: u16| {
            let head = ResponseHeader::build(status, None).unwrap();
            refused_switch(&head, b"{}".to_vec(), None, &RequestId::new("id-1")).unwrap().0.status.as_u16()
        };
        assert_eq!([401, 404, 426, 429, 503].map(refused), [401, 404, 426, 429, 503]);
        assert_eq!([200, 302, 304].map(refused), [426; 3]);
    }

    #[test]
    fn overload_asks_for_patience_in_each_dialect() {
        for (dialect, status) in [(Dialect::Anthropic, 529), (Dialect::OpenAi, 503), (Dialect::Azure, 503)] {
            let head = reply(RefusalKind::Overloaded, dialect);
            assert_eq!(head.status, status);
            assert!(head.headers.contains_key("retry-after") && !head.headers.contains_key("x-should-retry"));
        }
        assert_eq!(reply(RefusalKind::UpstreamFailed, Dialect::OpenAi).headers["x-request-id"], "id-1");
    }
}
