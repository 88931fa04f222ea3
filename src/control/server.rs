//! What all handlers share, and the list of all routes.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
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

/// Serves until `stopped` becomes true, then lets what is under way end.
pub async fn serve(
    control: Control,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stopped: tokio::sync::watch::Receiver<bool>,
) {
    listen(listener, tls, app(control), stopped).await;
}

/// Serves one connection of which the first bytes were read by whoever shares the listener.
pub async fn serve_handed(app: Router, stream: TcpStream, read: Vec<u8>, address: SocketAddr) {
    handed(stream, read, address, app).await;
}

/// HTTPS with this certificate chain and key, PEM.
///
/// # Errors
/// Text that is neither, or a key that is not the certificate's.
pub fn tls(certificates: &str, key: &str) -> Result<TlsAcceptor, String> {
    let unusable = |what: &str, error: String| format!("cannot use the {what}: {error}");
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
    let certificates = certificates.map_err(|error| unusable("certificate", error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable("key", error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.with_no_client_auth();
    let mut config =
        builder.with_single_cert(certificates, key).map_err(|error| unusable("certificate", error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
