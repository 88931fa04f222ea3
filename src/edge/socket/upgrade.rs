//! From a request to a socket: a place, the provider's side, then the switch of the client's connection.

use std::net::IpAddr;
use std::sync::Arc;

use futures::FutureExt;
use pingora_core::protocols::http::ServerSession;
use pingora_core::{Error, ErrorType, Result};
use sockudo_ws::Role;
use tokio::time::Instant;

use super::handshake::{Connected, Unconnected, answer, client_bounds, connect, early, is_object};
use super::link::Link;
use super::seats::Seat;
use super::{Provider, Socket};
use crate::domain::Outcome;
use crate::edge::answer::clean;
use crate::edge::call::Call;
use crate::edge::held::Lease;
use crate::edge::replay::Slot;
use crate::edge::{Shared, respond};
use crate::pipeline::{Forward, RefusalKind, Reply, SocketMemory};

/// Opens the provider's side and, if that agrees, leaves the open socket in `slot`; the client's session is spent then.
/// `address` is the client's.
/// A reply: nothing was written yet, answer this.
pub(in crate::edge) async fn upgrade(
    shared: &Arc<Shared>,
    session: &mut ServerSession,
    call: &Call,
    forward: &Forward,
    (address, slot): (IpAddr, &Slot),
) -> Result<Option<Reply>> {
    let seat = shared.seats.take(call.team().as_str(), call.limits(), &shared.metrics);
    let Some(seat) = seat else {
        let message = "no more WebSockets are opened at the moment; use plain HTTP requests";
        return Ok(call.refuse(RefusalKind::UpgradeRefused, message));
    };
    call.forwarded();
    match connect(shared, forward, session.req_header()).await {
        Ok(connected) => switch(shared, session, call, forward, connected, (address, seat)).await.map(|socket| {
            slot.put_socket(Box::new(socket));
            None
        }),
        Err(Unconnected::Refused(mut head, body)) => {
            drop(seat);
            clean(&mut head, call)?;
            let body = call.without_keys(&body).unwrap_or(body);
            hand_on(session, call, &head, body).await.map(|()| None)
        }
        Err(unconnected) => Ok(call.refuse(RefusalKind::UpstreamFailed, unconnected.reason())),
    }
}

/// Switches the client's connection. From here on it speaks no HTTP.
async fn switch(
    shared: &Arc<Shared>,
    session: &mut ServerSession,
    call: &Call,
    forward: &Forward,
    mut connected: Connected,
    (address, seat): (IpAddr, Seat),
) -> Result<Socket> {
    let head = session.req_header().clone();
    let (fields, deflate) = answer(&head.headers);
    clean(&mut connected.head, call)?;
    let switched = respond::switch(&connected.head, &fields, &call.request())?;
    tell(call, &connected.head);
    call.ends(Outcome::Forwarded);
    call.close();
    // A client that sends before it was answered has sent a request body so far; it becomes the first frames.
    session.set_close_on_response_before_downstream_finish(false);
    session.write_response_header(Box::new(switched)).await?;
    let early = early(session.read_request_body().now_or_never());
    // The placeholder is a connection that has ended; Pingora closes it and is done.
    let (ended, _) = tokio::io::duplex(1);
    let session = std::mem::replace(session, ServerSession::new_http1(Box::new(ended)));
    let ServerSession::H1(session) = session else {
        return Error::e_explain(ErrorType::InternalError, "only HTTP/1.1 is upgraded");
    };
    let lease = Lease::new(shared.metrics.clone());
    let bounds = client_bounds(call.limits());
    let client = Link::new(session.into_inner(), Role::Server, deflate, &early, bounds, lease);
    let now = Instant::now();
    Ok(Socket {
        shared: shared.clone(),
        head,
        address,
        client,
        provider: Some(Provider { link: connected.link, upstream: forward.upstream.clone() }),
        memory: SocketMemory::default(),
        turn: None,
        waiting: None,
        opened: now,
        active: now,
        pinged: now,
        leaving: false,
        _seat: seat,
    })
}

/// The provider's refusal becomes the client's.
async fn hand_on(
    session: &mut ServerSession,
    call: &Call,
    provider: &pingora_http::ResponseHeader,
    body: Vec<u8>,
) -> Result<()> {
    let is_error = provider.status.is_client_error() || provider.status.is_server_error();
    if is_error {
        tell(call, provider);
    }
    let reply = match is_error && is_object(&body) {
        true => None,
        false => {
            let message = format!("the provider refused the WebSocket with status {}", provider.status.as_u16());
            call.refuse(RefusalKind::UpgradeRefused, message)
        }
    };
    let (head, body) = respond::refused_switch(provider, body, reply.as_ref(), &call.request())?;
    call.ends(Outcome::Forwarded);
    call.wrote(body.len() as u64);
    call.close();
    session.write_response_header(Box::new(head)).await?;
    session.write_response_body(body, true).await
}

/// The record says what the provider answered.
fn tell(call: &Call, provider: &pingora_http::ResponseHeader) {
    let headers: Vec<(&str, &[u8])> =
        provider.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    // Neither a switch nor a refusal has an answer to scan.
    let _answering = call.response_head(provider.status.as_u16(), &headers);
}
