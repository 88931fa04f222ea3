//! How this program goes out by itself, as a client: whom it trusts, and what all its HTTP clients have in common.

use std::sync::Arc;

use reqwest::{ClientBuilder, redirect};
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// TLS that trusts the roots of `ca_file`, or else those of the system, with ring, whatever else the process has installed.
///
/// # Errors
/// Why the file cannot be used. A system without roots is none: it may be asked for plain connections only.
pub(crate) fn trusting(ca_file: Option<&str>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for root in certificates(path)? {
                let added = roots.add(root);
                added.map_err(|error| format!("`{path}` holds a root that cannot be used: {error}"))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let errors = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                tracing::warn!(
                    errors,
                    "the system has no root certificates (Debian: ca-certificates), so TLS trusts nobody"
                );
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| format!("no TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots))
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// Why the file cannot be used.
pub(crate) fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(format!("`{path}` holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("`{path}` cannot be read: {error}")),
    }
}

/// A client that goes where it is told and nowhere else: it follows no redirect, says of no page where it comes from, and
/// asks no proxy of the environment.
pub(crate) fn http(mut tls: ClientConfig) -> ClientBuilder {
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("airiskguard-gateway/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
}
