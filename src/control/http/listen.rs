//! The server's listener: bounded connections, bounded time for heads, TLS where there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Connections at once; the rest waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 1024;
/// Longest time for a TLS handshake, and for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for requests that are under way when the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 64 << 10;
/// After a connection could not be accepted: for want of file descriptors, which others give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopped` says so.
pub(crate) async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = permits.clone().acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|it| *it) => break,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (app, tls, watcher) = (app.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _permit = permit;
            serve(stream, address, tls, app, watcher).await;
        });
    }
    // Who has not ended by then is cut off.
    drop(tokio::time::timeout(FAREWELL, graceful.shutdown()).await);
}

/// Serves one connection of which somebody else has read the first bytes already.
pub(crate) async fn handed(stream: TcpStream, read: Vec<u8>, address: SocketAddr, app: Router) {
    let (reader, writer) = stream.into_split();
    let stream = tokio::io::join(std::io::Cursor::new(read).chain(reader), writer);
    let service = TowerToHyperService::new(told(app, address));
    // As below.
    drop(builder().serve_connection(TokioIo::new(stream), service).await);
}

/// The app, told who calls.
fn told(
    app: Router,
    address: SocketAddr,
) -> impl tower::Service<
    axum::http::Request<hyper::body::Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send {
    app.map_request(move |mut request: axum::http::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(address));
        request
    })
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(64).keep_alive_interval(HEAD_TIMEOUT);
    builder
}

async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = TowerToHyperService::new(told(app, address));
    let builder = builder();
    // A client that is gone, slow or wrong has only itself to blame.
    match tls {
        None => drop(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()).await),
        Some(tls) => {
            let Ok(Ok(stream)) = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await else { return };
            drop(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()).await);
        }
    }
}
