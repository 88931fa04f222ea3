//! TLS in front of a provider that speaks plainly, so that its steps need not know of it.

use std::net::SocketAddr;
use std::sync::Arc;

use airiskguard_gateway::config::Tls;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Who speaks behind TLS, by what was agreed on.
#[derive(Clone, Copy)]
pub struct Behind {
    pub http2: SocketAddr,
    pub http1: SocketAddr,
}

/// Ends TLS at so many ports: what a proxy learned of one address it does not know of the next.
pub fn before(behind: Behind, tls: &Tls, count: usize) -> Vec<u16> {
    let chain = vec![CertificateDer::from_pem_file(&tls.cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&tls.key).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listeners: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports = listeners.iter().map(|it| it.local_addr().unwrap().port()).collect();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for listener in listeners {
                tokio::spawn(accept(listener, acceptor.clone(), behind));
            }
            std::future::pending::<()>().await;
        });
    });
    ports
}

async fn accept(listener: std::net::TcpListener, acceptor: TlsAcceptor, behind: Behind) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(pass(acceptor.clone(), stream, behind));
    }
}

/// Both ways until one end is done. That an end breaks is what is tested.
async fn pass(acceptor: TlsAcceptor, stream: TcpStream, behind: Behind) {
    let Ok(mut secured) = acceptor.accept(stream).await else { return };
    let is_http2 = secured.get_ref().1.alpn_protocol() == Some(b"h2");
    let Ok(mut plain) = TcpStream::connect(if is_http2 { behind.http2 } else { behind.http1 }).await else { return };
    drop(copy_bidirectional(&mut secured, &mut plain).await);
}
