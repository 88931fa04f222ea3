//! TLS on both sides: ALPN, a certificate that changes while the gateway runs, a provider with its own root.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airiskguard_gateway::config::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::certificate::certificate;
use super::gateway::{self, QUICK_START};
use super::provider::{self, json};

/// Asks for `/health` over TLS; the protocol agreed on and the certificate shown.
fn handshake(port: u16, roots: &[&Tls], protocols: &[&str]) -> (Option<String>, Vec<u8>) {
    let mut store = RootCertStore::empty();
    for tls in roots {
        store.add(CertificateDer::from_pem_file(&tls.cert).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    write!(stream, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    let read = stream.read_exact(&mut answer);
    let agreed = stream.conn.alpn_protocol().map(|it| String::from_utf8(it.to_vec()).unwrap());
    if agreed.as_deref() != Some("h2") {
        read.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    (agreed, stream.conn.peer_certificates().unwrap()[0].to_vec())
}

#[test]
fn both_protocols_are_offered() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path(), "one");
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start_at(&format!("http://{}", provider.address), QUICK_START, Some(tls.clone()));
    let port = gateway.address.port();
    assert_eq!(handshake(port, &[&tls], &["http/1.1"]).0.as_deref(), Some("http/1.1"));
    assert_eq!(handshake(port, &[&tls], &["h2", "http/1.1"]).0.as_deref(), Some("h2"));
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (certificate(folder.path(), "first"), certificate(folder.path(), "second"));
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let live = Tls { cert: path("live.pem").to_str().unwrap().into(), key: path("live.key").to_str().unwrap().into() };
    let put = |from: &Tls| {
        // Replaced in one step each, as certificate managers do it.
        for (from, to) in [(&from.cert, &live.cert), (&from.key, &live.key)] {
            std::fs::copy(from, path("new")).unwrap();
            std::fs::rename(path("new"), to).unwrap();
        }
    };
    put(&first);
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start_at(&format!("http://{}", provider.address), QUICK_START, Some(live.clone()));
    let shown = || handshake(gateway.address.port(), &[&first, &second], &["http/1.1"]).1;
    let old = shown();

    std::fs::write(&live.cert, "not a certificate").unwrap();
    gateway.wait_metric("airiskguard_certificate_errors_total 1");
    assert_eq!(shown(), old, "a bad file leaves the old certificate in force");

    put(&second);
    let until = Instant::now() + Duration::from_secs(8);
    while shown() == old {
        assert!(Instant::now() < until, "the new certificate is never shown");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn certificates_that_change_under_load_fail_no_handshake_and_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = [certificate(folder.path(), "first"), certificate(folder.path(), "second")];
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let live = Tls { cert: path("live.pem"), key: path("live.key") };
    let put = |from: &Tls| {
        for (from, to) in [(&from.cert, &live.cert), (&from.key, &live.key)] {
            std::fs::copy(from, path("new")).unwrap();
            std::fs::rename(path("new"), to).unwrap();
        }
    };
    put(&certificates[0]);
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start_at(&format!("http://{}", provider.address), QUICK_START, Some(live.clone()));
    let port = gateway.address.port();
    let (stop, roots) = (AtomicBool::new(false), [&certificates[0], &certificates[1]]);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|number| {
                let protocol = ["http/1.1", "h2"][number % 2];
                let stop = &stop;
                scope.spawn(move || {
                    let mut seen = std::collections::HashSet::new();
                    while !stop.load(Ordering::Acquire) {
                        let (agreed, shown) = handshake(port, &roots, &[protocol]);
                        assert_eq!(agreed.as_deref(), Some(protocol));
                        seen.insert(shown);
                    }
                    seen.len()
                })
            })
            .collect();
        for round in 1..=6 {
            // Between the two renames certificate and key do not belong together: then the old pair stays.
            put(&certificates[round % 2]);
            gateway.look_again();
            std::thread::sleep(Duration::from_millis(300));
        }
        stop.store(true, Ordering::Release);
        for client in clients {
            assert_eq!(client.join().unwrap(), 2, "both certificates are shown, and nothing else");
        }
    });
}

#[test]
fn files_that_do_not_fit_are_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (certificate(folder.path(), "one"), certificate(folder.path(), "other"));
    let provider = provider::start([json("{}")]);
    let mixed = Tls { cert: one.cert, key: other.key };
    let started = std::panic::catch_unwind(|| {
        gateway::start_at(&format!("http://{}", provider.address), QUICK_START, Some(mixed))
    });
    assert!(started.is_err());
}

#[test]
fn a_provider_with_its_own_root_is_trusted_only_through_ca_file() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path(), "provider");
    let plain = provider::start([json("{\"over\":\"tls\"}")]);
    // A second gateway serves as the provider that speaks TLS.
    let provider = gateway::start_at(&format!("http://{}", plain.address), QUICK_START, Some(tls.clone()));
    let url = format!("https://localhost:{}", provider.address.port());
    let body = r#"{"model":"m","messages":[]}"#;
    let untrusting = gateway::start_at(&url, QUICK_START, None);
    assert_eq!(untrusting.connect().post("/v1/messages", &[], body).status, 502);
    assert_eq!(plain.connections(), 0);

    let yaml = format!("upstream:\n  anthropic: {{url: \"{url}\", ca_file: {}}}\n{QUICK_START}", tls.cert);
    let trusting = gateway::start_with(&yaml, None);
    let answer = trusting.connect().post("/v1/messages", &[], body);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"over\":\"tls\"}"));
    let mut client = trusting.connect();
    for _ in 0..3 {
        assert_eq!(client.post("/v1/messages", &[], body).status, 200);
    }
    provider.wait_metric("airiskguard_connections 1");
}
