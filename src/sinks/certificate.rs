//! The certificate that callers see, of the gateway and of the policy server, re-read when its files change.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;

use crate::config::Tls;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Whether these files can be used. The message says what is wrong with them.
///
/// # Errors
/// Files that are missing, hold no certificate or no key, or do not belong together.
pub fn check_certificate(files: &Tls) -> Result<(), String> {
    read(files, &ring::default_provider()).map(drop)
}

/// Certificate and key in force, and the files they come from.
pub struct Certificate {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    seen: Option<Fingerprint>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// As of [`check_certificate`].
    pub fn load(files: Tls) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let seen = fingerprint(&files).ok();
        let current = Arc::new(Current(ArcSwap::from_pointee(read(&files, &provider)?)));
        Ok(Certificate { files, provider, current, seen })
    }

    /// What does the handshakes: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, with the certificate in force at each.
    ///
    /// # Errors
    /// Protocol versions that the provider of cryptography lacks.
    pub fn server(&self) -> Result<Arc<ServerConfig>, String> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks at the files for ever. Files that cannot be used leave the old certificate in force; `refused` is told.
    /// `look` asks for a look at once.
    pub async fn watch(mut self, look: Arc<Notify>, refused: impl Fn() + Send) {
        loop {
            // Whichever comes first: the next look, or someone who asks for one now.
            drop(tokio::time::timeout(LOOK_EVERY, look.notified()).await);
            let looked = tokio::task::spawn_blocking(move || {
                let outcome = self.look();
                (self, outcome)
            });
            // The closure does not panic; if the runtime stops, so does this task.
            let Ok((certificate, outcome)) = looked.await else { return };
            self = certificate;
            match outcome {
                Ok(false) => {}
                Ok(true) => tracing::info!(cert = %self.files.cert, "certificate reloaded"),
                Err(error) => {
                    refused();
                    tracing::error!(cert = %self.files.cert, %error, "new certificate refused, the old one stays");
                }
            }
        }
    }

    /// Reads the files again if they changed since they were last read.
    fn look(&mut self) -> Result<bool, String> {
        let now = fingerprint(&self.files).map_err(|error| error.to_string())?;
        if self.seen.as_ref() == Some(&now) {
            return Ok(false);
        }
        // Remembered even if they turn out to be bad: one error per change is enough.
        self.seen = Some(now);
        self.current.0.store(Arc::new(read(&self.files, &self.provider)?));
        Ok(true)
    }
}

/// What tells one version of both files from another.
#[derive(PartialEq, Eq)]
struct Fingerprint([(u64, u64, i64, i64); 2]);

fn fingerprint(files: &Tls) -> io::Result<Fingerprint> {
    let of = |path: &str| {
        let data = fs::metadata(path)?;
        io::Result::Ok((data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
    };
    Ok(Fingerprint([of(&files.cert)?, of(&files.key)?]))
}

fn read(files: &Tls, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", files.cert))?;
    if chain.is_empty() {
        return Err(format!("{}: no certificate in it", files.cert));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| format!("{}: {error}", files.key))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| format!("{} and {}: {error}", files.cert, files.key))
}
