//! The process around the gateway: inherited sockets, readiness for the service manager, signals.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::{Options, StartError, start};

/// The sockets to listen on: those a service manager handed over, else one bound to `host` and `port`.
pub fn listeners(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut inherited = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..inherited.len() {
        sockets.extend(inherited.take_tcp_listener(index)?);
    }
    if sockets.is_empty() {
        sockets.push(TcpListener::bind((host, port))?);
    }
    Ok(sockets)
}

/// Serves until SIGTERM or SIGINT, then drains. `started` is told the addresses once connections are accepted.
pub fn serve(options: Options, started: impl FnOnce(&super::Handle)) -> Result<(), StartError> {
    // Registered before anything is served, so that an early signal is not lost.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Io)?;
    let signals = runtime.block_on(async { Signals::register() }).map_err(StartError::Io)?;
    let gateway = start(options)?;
    started(&gateway);
    notify(NotifyState::Ready);
    runtime.block_on(signals.wait());
    notify(NotifyState::Stopping);
    tracing::info!("stopping");
    gateway.stop();
    gateway.join();
    Ok(())
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn register() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Until a signal to stop. A hang-up stops nothing: certificates are looked at all the time anyway.
    async fn wait(mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {}
            }
        }
    }
}

/// Without a service manager this does nothing; one that cannot be reached is not worth stopping for.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be notified");
    }
}
