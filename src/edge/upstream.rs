//! Where a provider is: asynchronous DNS with a small cache, roots, and the peer Pingora connects to.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pingora_core::protocols::ALPN;
use pingora_core::protocols::tls::CaType;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_core::utils::tls::{WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;

use crate::config::UpstreamUrl;
use crate::pipeline::Upstream;

/// How long an answer of the resolver is used.
const DNS_TTL: Duration = Duration::from_secs(30);
/// How long the resolver may take.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// Streams on one HTTP/2 connection to a provider.
const STREAMS_MAX: usize = 64;
/// How often an HTTP/2 connection is pinged. Many requests share it: one that fell silent on the way
/// would keep each of them, and all that come after, until their time is over. Pingora waits five seconds for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Why a provider cannot be contacted. The texts are for developers and name no secret.
#[derive(Debug)]
pub(super) enum Unreachable {
    /// The name has no address.
    Name(String),
    /// The configured roots cannot be read.
    Roots(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::Name(host) => write!(f, "the name {host} could not be resolved"),
            Unreachable::Roots(error) => write!(f, "the configured ca_file cannot be used: {error}"),
        }
    }
}

/// Addresses and roots that were looked up before.
#[derive(Default)]
pub(super) struct Peers {
    addresses: Mutex<HashMap<(String, u16), Known>>,
    roots: Mutex<HashMap<String, Arc<CaType>>>,
}

#[derive(Clone)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    since: Instant,
}

impl Peers {
    /// The peer to contact at this address in the `attempt`-th try, from 0: each try takes the next address of the name.
    pub(super) async fn peer(
        &self,
        upstream: &Upstream,
        url: &UpstreamUrl,
        attempt: usize,
    ) -> Result<HttpPeer, Unreachable> {
        let addresses = self.addresses(url).await?;
        // `addresses` never yields an empty list.
        let address = addresses[attempt % addresses.len()];
        let sni = if url.tls { url.host.clone() } else { String::new() };
        let mut peer = HttpPeer::new(address, url.tls, sni);
        // Roots are no part of Pingora's pooling key: upstreams that trust differently must not share connections.
        peer.group_key = trust_key(upstream);
        if let Some(path) = &upstream.ca_file {
            peer.options.ca = Some(self.roots(path).await?);
        }
        let times = upstream.timeouts;
        let options = &mut peer.options;
        options.alpn = if url.tls { ALPN::H2H1 } else { ALPN::H1 };
        options.connection_timeout = Some(times.connect);
        options.total_connection_timeout = Some(times.connect);
        options.read_timeout = Some(times.read);
        options.write_timeout = Some(times.write);
        options.idle_timeout = Some(times.idle);
        options.max_h2_streams = STREAMS_MAX;
        options.h2_ping_interval = Some(PING_INTERVAL.min(times.read));
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        Ok(peer)
    }

    /// Reads roots again when they are needed next: their files may have changed.
    pub(super) fn forget_roots(&self) {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn addresses(&self, url: &UpstreamUrl) -> Result<Arc<[SocketAddr]>, Unreachable> {
        if let Ok(address) = url.host.parse::<IpAddr>() {
            return Ok(Arc::new([SocketAddr::new(address, url.port)]));
        }
        let key = (url.host.clone(), url.port);
        let known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(it) = known.as_ref().filter(|it| it.since.elapsed() < DNS_TTL) {
            return Ok(it.addresses.clone());
        }
        let found = match tokio::time::timeout(DNS_TIMEOUT, tokio::net::lookup_host((&*url.host, url.port))).await {
            Ok(Ok(found)) => found.collect::<Vec<_>>(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        if found.is_empty() {
            // An address that worked a while ago is better than none while the resolver is away.
            return known.map(|it| it.addresses).ok_or_else(|| Unreachable::Name(url.host.clone()));
        }
        let known = Known { addresses: found.into(), since: Instant::now() };
        // The keys are the upstreams of the configuration, past ones included: a few bytes each.
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known.clone());
        Ok(known.addresses)
    }

    async fn roots(&self, path: &str) -> Result<Arc<CaType>, Unreachable> {
        if let Some(roots) = self.roots.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(roots.clone());
        }
        let file = path.to_owned();
        let loaded = tokio::task::spawn_blocking(move || load_roots(&file)).await;
        let roots = loaded.unwrap_or_else(|_| Err("reading was interrupted".to_owned())).map_err(Unreachable::Roots)?;
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), roots.clone());
        Ok(roots)
    }
}

/// Reads every certificate of a PEM file; one that cannot be a root is an error, as is a file without any.
fn load_roots(path: &str) -> Result<Arc<CaType>, String> {
    let mut store = RootCertStore::empty();
    let mut roots = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        // Checked first, because Pingora's parser panics on what it cannot read.
        store.add(certificate.clone()).map_err(|error| error.to_string())?;
        roots.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    if roots.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    Ok(roots.into())
}

fn trust_key(upstream: &Upstream) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&upstream.name, &upstream.ca_file).hash(&mut hasher);
    hasher.finish()
}

/// The `Host` of an upstream: the port only where it is not the scheme's own.
pub(super) fn authority(url: &UpstreamUrl) -> String {
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    match (url.tls, url.port) {
        (true, 443) | (false, 80) => host,
        (_, port) => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(tls: bool, host: &str, port: u16) -> UpstreamUrl {
        UpstreamUrl { tls, host: host.into(), port, path: String::new() }
    }

    #[test]
    fn the_authority_names_only_unusual_ports() {
        assert_eq!(authority(&url(true, "api.example", 443)), "api.example");
        assert_eq!(authority(&url(false, "api.example", 8000)), "api.example:8000");
        assert_eq!(authority(&url(false, "::1", 80)), "[::1]");
    }

    #[test]
    fn unreadable_roots_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(load_roots(path.to_str().unwrap()).is_err());
        std::fs::write(&path, "nothing").unwrap();
        assert_eq!(load_roots(path.to_str().unwrap()).err().unwrap(), "no certificate in it");
        assert!(load_roots("does/not/exist").is_err());
    }

    #[tokio::test]
    async fn names_are_resolved_without_panicking() {
        let peers = Peers::default();
        let found = peers.addresses(&url(false, "localhost", 80)).await.unwrap();
        assert!(found.iter().all(|it| it.port() == 80));
        assert!(peers.addresses(&url(false, "name.invalid", 80)).await.is_err());
    }
}
