//! How this side of a TLS connection is set up: which roots are trusted, and who we say we are.

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::config::Siem;
use crate::sinks::client;

/// The roots of `ca_file`, or else those of the system, and the client's certificate where there is one.
///
/// # Errors
/// Which file cannot be used, and why.
pub(super) fn config(siem: &Siem) -> Result<ClientConfig, String> {
    let builder = client::trusting(siem.ca_file.as_deref())?;
    match &siem.client_certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(files) => {
            let chain = client::certificates(&files.cert)?;
            let key = PrivateKeyDer::from_pem_file(&files.key);
            let key = key.map_err(|error| format!("the key `{}` cannot be read: {error}", files.key))?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| format!("`{}` and `{}` do not belong together: {error}", files.cert, files.key))
        }
    }
}
