//! How this side of a TLS connection is set up: which roots are trusted, and who we say we are.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::Siem;

/// The roots of `ca_file`, or else those of the system, and the client's certificate where there is one.
///
/// # Errors
/// Which file cannot be used, and why.
pub(super) fn client(siem: &Siem) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match &siem.ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("`{path}` holds a root that cannot be used: {error}"))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = builder.with_root_certificates(roots);
    match &siem.client_certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(files) => {
            let chain = certificates(&files.cert)?;
            let key = PrivateKeyDer::from_pem_file(&files.key);
            let key = key.map_err(|error| format!("the key `{}` cannot be read: {error}", files.key))?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| format!("`{}` and `{}` do not belong together: {error}", files.cert, files.key))
        }
    }
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => Err(format!("`{path}` holds no certificate")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("`{path}` cannot be read: {error}")),
    }
}
