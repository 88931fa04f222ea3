//! The accept loop: connection cap, TLS handshake, one task per connection, an end that lets the others finish.
//!
//! Our own instead of Pingora's, because that one has no cap, cannot tell the port it got, and stops by sleeping.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::apps::ServerApp;
use pingora_core::listeners::tls::Acceptor;
use pingora_core::protocols::l4::stream::Stream as Plain;
use pingora_core::protocols::{GetSocketDigest, SocketDigest, Stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Shared;
use super::call::Level;
use super::connection::{Connection, HEAD_TIMER, HeadTimer};
use super::front;
use super::keep_alive::KeepAlive;
use super::proxy::Gateway;

/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// One listening socket.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Arc<Acceptor>>,
    pub(super) door: Door,
}

/// What every connection needs, whichever socket it came through.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) app: Arc<KeepAlive<Gateway>>,
    pub(super) shared: Arc<Shared>,
    /// A permit per open connection.
    pub(super) permits: Arc<Semaphore>,
    /// Becomes true when no new connection is wanted.
    pub(super) draining: watch::Receiver<bool>,
}

impl Listener {
    /// Accepts until the gateway drains.
    pub(super) async fn run(mut self) {
        let mut draining = self.door.draining.clone();
        tokio::select! {
            () = self.accept() => {}
            // An error means that the sender is gone, which is a stop as well.
            _ = draining.wait_for(|it| *it) => {}
        }
    }

    async fn accept(&mut self) {
        loop {
            // Over the cap, connections wait in the socket's backlog. The semaphore is never closed.
            let Ok(permit) = self.door.permits.clone().acquire_owned().await else { return };
            match self.socket.accept().await {
                Ok((stream, client)) => {
                    let (door, tls) = (self.door.clone(), self.tls.clone());
                    tokio::spawn(door.serve(stream, client, tls, permit));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Door {
    async fn serve(
        self,
        mut stream: TcpStream,
        mut client: SocketAddr,
        tls: Option<Arc<Acceptor>>,
        _permit: OwnedSemaphorePermit,
    ) {
        let _level = Level::up(&self.shared.metrics.connections);
        let snapshot = self.shared.live.load();
        let (limits, is_front) = (snapshot.limits, snapshot.fronts.trusts(client.ip()));
        if is_front && snapshot.fronts.proxy_protocol {
            client = match front::announced(&mut stream, client).await {
                Ok(client) => client,
                Err(_) => return self.shared.metrics.connection_refused(),
            };
        }
        // One that speaks for many is not one client.
        let is_one = !is_front || !snapshot.fronts.trusts(client.ip());
        let most = if is_one { limits.connections_per_client_max } else { u32::MAX };
        drop(snapshot);
        // Nothing can be answered before TLS, which is what it would cost; the connection is closed.
        let Some(_guest) = self.shared.guests.enter(client.ip(), most) else {
            return self.shared.metrics.shed("client_connections");
        };
        let timer =
            Arc::new(HeadTimer::new(limits.header_timeout, limits.idle_timeout, self.shared.ending.subscribe()));
        let Some(stream) = secure(plain(stream, client), tls).await else {
            return self.shared.metrics.connection_refused();
        };
        let connection: Stream = Box::new(Connection::new(stream, timer.clone()));
        let draining = self.draining;
        let served = HEAD_TIMER.scope(timer, self.app.process_new(connection, &draining));
        // The loop over one connection's requests is inside; what comes back is never a connection to go on with.
        drop(served.await);
    }
}

fn plain(stream: TcpStream, client: SocketAddr) -> Plain {
    let descriptor = stream.as_raw_fd();
    let mut plain = Plain::from(stream);
    // Without it small answers wait for the client's delayed acknowledgement; a socket that refuses is slower, no more.
    drop(plain.set_nodelay());
    let digest = SocketDigest::from_raw_fd(descriptor);
    // Fresh, so nothing is in the cell yet.
    drop(digest.peer_addr.set(Some(client.into())));
    plain.set_socket_digest(digest);
    plain
}

/// The stream to talk HTTP on; `None` if the handshake failed or took too long.
async fn secure(plain: Plain, tls: Option<Arc<Acceptor>>) -> Option<Stream> {
    let Some(acceptor) = tls else { return Some(Box::new(plain)) };
    // Its state is large, and each connection would keep room for it to its end.
    let handshake = Box::pin(acceptor.tls_handshake(plain));
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(error)) => {
            tracing::debug!(error = %error.etype().as_str(), "TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}
