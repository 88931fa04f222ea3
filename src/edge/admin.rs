//! The listener for operators: metrics, status, configuration, health, readiness. Fixed answers, so a bounded responder and
//! no framework.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Shared;
use crate::domain::{Clock, Stamp};

/// Connections served at once.
const CONNECTIONS_MAX: usize = 32;
/// Bytes of a request that are read; more is no request for us.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// Time for one request and its answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Answers until the runtime stops: readiness has to be told while the gateway drains.
pub(super) async fn serve(socket: TcpListener, shared: Arc<Shared>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let Ok((mut stream, _)) = socket.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _permit = permit;
            // A client that is slow or gone gets nothing; it may ask again.
            drop(tokio::time::timeout(TIMEOUT, exchange(&mut stream, &shared)).await);
        });
    }
}

async fn exchange(stream: &mut TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let (status, kind, body) = answer(&head, shared);
    let without_body = head.starts_with(b"HEAD ");
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if !without_body {
        stream.write_all(&body).await?;
    }
    stream.shutdown().await
}

fn answer(head: &[u8], shared: &Shared) -> (&'static str, &'static str, Vec<u8>) {
    let text = |status, body: &str| (status, "text/plain; charset=utf-8", body.as_bytes().to_vec());
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    if !matches!(words.next(), Some(b"GET" | b"HEAD")) {
        return text("405 Method Not Allowed", "only GET and HEAD\n");
    }
    match words.next() {
        Some(b"/metrics") => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", shared.metrics.render()),
        Some(b"/status") => ("200 OK", "application/json", shared.live.status(shared.clock.now())),
        Some(b"/config") => ("200 OK", "application/json", configuration(shared)),
        Some(b"/health" | b"/healthz") => text("200 OK", "ok\n"),
        Some(b"/readyz") if shared.draining.load(Ordering::Acquire) => text("503 Service Unavailable", "draining\n"),
        Some(b"/readyz") if !shared.live.load().is_governed() => text("503 Service Unavailable", "no policy yet\n"),
        Some(b"/readyz") => text("200 OK", "ready\n"),
        _ => text("404 Not Found", "/config, /metrics, /status, /healthz, /readyz\n"),
    }
}

/// Which configuration is in force and since when, and what is wrong with the newest one, if it is not that.
fn configuration(shared: &Shared) -> Vec<u8> {
    let history = shared.live.history();
    let seconds = |at: Stamp| at.unix.as_secs();
    let control = shared.live.governance().map(|it| {
        let age = shared.clock.now().unix.as_secs().saturating_sub(it.made_ms / 1000);
        serde_json::json!({
            "server": it.server,
            "generation": it.generation,
            "age_seconds": (it.generation > 0).then_some(age),
            "last_contact": it.contact.map(seconds),
            "refused": it.refused,
        })
    });
    let body = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "generation": shared.live.load().generation(),
        "started": seconds(shared.started),
        "loaded": seconds(history.renewed.unwrap_or(shared.started)),
        "reloads": history.renewals,
        "failures": history.refusals,
        "control": control,
        "waits_for_restart": history.waiting,
        "refused": history.refused.map(|(at, why)| serde_json::json!({"at": seconds(at), "why": why})),
    });
    format!("{body}\n").into_bytes()
}
