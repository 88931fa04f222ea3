//! What all handlers share, and the list of all routes.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::acts::Acts;
use super::bundle::Bundles;
use super::http::{Route, handed, listen, router};
use super::seal::MasterKey;
use super::settings::Settings;
use super::shelf::Shelf;
use super::{Problem, sign_in};
use super::{
    findings, gateways, health, ingest, keys, pages, policies, polls, providers, quarantine, rules, teams, tokens,
    users,
};
use crate::domain::Clock;
use crate::sinks::{Scribe, request_id};
use crate::store::{Objects, Store};

/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;

/// Steps of 500 records of each gateway that one call of [`Control::tend`] counts.
const TEND_STEPS_MAX: usize = 20;

/// What a control plane is made of.
pub struct Parts {
    /// Teams, keys, people: what administrators keep.
    pub objects: Arc<Objects>,
    /// The audit log, of this server and of all gateways that ship theirs.
    pub records: Arc<dyn Store>,
    /// Where acts are written down; `None` where nothing is recorded.
    pub scribe: Option<Scribe>,
    /// What secrets are sealed with.
    pub master: MasterKey,
    /// How it is set up.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What all handlers share; a clone is the same control plane.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

/// What stands behind [`Control`].
pub struct Inner {
    pub(super) shelf: Shelf,
    pub(super) records: Arc<dyn Store>,
    pub(super) acts: Acts,
    pub(super) master: MasterKey,
    pub(super) settings: Settings,
    pub(super) hashing: Semaphore,
    pub(super) bundles: Bundles,
    pub(super) sign_in: sign_in::State,
    /// Whether the server stops: nothing is waited for any more.
    pub(super) leaving: watch::Sender<bool>,
}

impl Deref for Control {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Control {
    /// Of these parts.
    pub fn new(parts: Parts) -> Control {
        Control(Arc::new(Inner {
            shelf: Shelf::new(parts.objects, parts.clock),
            records: parts.records,
            acts: Acts::new(parts.scribe),
            master: parts.master,
            settings: parts.settings,
            hashing: Semaphore::new(HASHING_MAX),
            bundles: Bundles::default(),
            sign_in: sign_in::State::default(),
            leaving: watch::Sender::new(false),
        }))
    }

    /// A token that makes the first owner, where there is nobody yet who could sign in.
    ///
    /// # Errors
    /// The store's.
    pub async fn setup_token(&self) -> Result<Option<String>, Problem> {
        sign_in::setup_token(self).await
    }

    /// Removes what has expired: sessions, tokens, remembered answers of identity providers, records.
    ///
    /// # Errors
    /// The store's.
    pub async fn tidy(&self) -> Result<u64, Problem> {
        let expired = self.shelf.expire().await?;
        Ok(expired + ingest::expire(self).await?)
    }

    /// Brings what follows from the records up to date: the counts of the overview. To be called every few seconds.
    ///
    /// # Errors
    /// The store's.
    pub async fn tend(&self) -> Result<(), Problem> {
        findings::catch_up(self, TEND_STEPS_MAX).await.map(drop)
    }

    /// A new id, sorted by time.
    pub(super) fn new_id(&self) -> String {
        request_id().as_str().to_owned()
    }

    /// Whether people reach this server over HTTPS.
    pub(super) fn is_https(&self) -> bool {
        self.settings.public_url.starts_with("https://")
    }
}

/// Every route there is.
pub(super) fn routes() -> Vec<Route> {
    [
        sign_in::routes(),
        users::routes(),
        tokens::routes(),
        teams::routes(),
        keys::routes(),
        providers::routes(),
        gateways::routes(),
        polls::routes(),
        ingest::routes(),
        policies::routes(),
        rules::routes(),
        quarantine::routes(),
        findings::routes(),
        pages::routes(),
        health::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Everything that answers over HTTP.
pub fn app(control: Control) -> Router {
    router(control, routes())
}

/// Serves, over HTTPS where `tls` does the handshakes, until `stopped` becomes true, then lets what is under way end.
pub async fn serve(
    control: Control,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    mut stopped: watch::Receiver<bool>,
) {
    let served = listen(listener, tls.map(TlsAcceptor::from), app(control.clone()), stopped.clone());
    let left = async {
        // An error: nobody is left who could stop it.
        if stopped.wait_for(|it| *it).await.is_ok() {
            control.leaving.send_replace(true);
        }
    };
    tokio::join!(served, left);
}

/// Serves one connection of which the first bytes were read by whoever shares the listener.
pub async fn serve_handed(app: Router, stream: TcpStream, read: Vec<u8>, address: SocketAddr) {
    handed(stream, read, address, app).await;
}
