//! Keeps client connections over exchanges whose session was swapped for a replaying one, which Pingora would close.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::H2Options;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::{HttpProxy, ProxyHttp};

use super::connection::HEAD_TIMER;
use super::replay::{SLOT, Slot};

/// Pingora's proxy, with a slot around each request and the head's timer before it.
pub(super) struct KeepAlive<P>(pub(super) Arc<HttpProxy<P>>);

#[async_trait]
impl<P> HttpServerApp for KeepAlive<P>
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        // Set for HTTP/1.1 alone: streams of HTTP/2 run in tasks of their own and arrive with their heads complete.
        if let Ok(timer) = HEAD_TIMER.try_with(Arc::clone) {
            timer.await_head();
        }
        let slot = Arc::new(Slot::default());
        let kept = SLOT.scope(slot.clone(), self.0.process_new_http(session, shutdown)).await;
        if let Some(socket) = slot.take_socket() {
            // A future of its own, for it is large and nearly no connection becomes a socket.
            Box::pin(socket.run(shutdown)).await;
            return None;
        }
        if kept.is_some() {
            return kept;
        }
        let session = slot.take()?;
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.0.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.0.server_options()
    }

    async fn http_cleanup(&self) {
        self.0.http_cleanup().await;
    }
}
