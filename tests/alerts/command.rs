//! `airiskguard-gateway alerts test`, also over TLS with a certificate of the system's roots.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::mail::{Server, converse, upgrade};
use super::receiver::{Receiver, status};

/// Runs the command with these notifications. Proxies of the environment lead nowhere, and are not used.
async fn run(notifications: &str, roots: Option<&Path>) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    std::fs::write(&path, format!("upstream: {{anthropic: 'http://127.0.0.1:1'}}\n{notifications}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_airiskguard-gateway"));
    command.args(["alerts", "test", "--config"]).arg(&path);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    if let Some(roots) = roots {
        command.env("SSL_CERT_FILE", roots);
    }
    tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        drop(folder);
        output
    })
    .await
    .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_says_what_came_back() {
    let (good, bad) = (Receiver::start([status(200)]).await, Receiver::start([status(404)]).await);
    let mail = Server::start(&[]).await;
    let output = run(
        &format!(
            "notifications:\n  slack: {}\n  webhook: {{url: '{}', minimum_risk: critical}}\n  pagerduty: {{key: unseen, url: '{}'}}
  email: {{smtp: 'smtp://u:unseen@127.0.0.1:{}?tls=off', from: a@b.example, to: [c@d.example]}}\n",
            good.url(),
            good.url(),
            bad.url(),
            mail.port
        ),
        None,
    )
    .await;
    assert_eq!(text(&output.stdout), "slack: sent\nwebhook: sent\npagerduty: not sent: answered 404\nemail: sent\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    let bodies = good.bodies();
    assert_eq!(bodies[1]["summary"], "This is a test of alerts, gateway airiskguard-gateway alerts test");
    assert!(mail.lines().iter().any(|it| it.starts_with("Subject: [airiskguard] This is a test of alerts")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_channels_it_says_so() {
    let output = run("", None).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "no channel is configured: `notifications:` names none\n");
}

/// A certificate for 127.0.0.1 that is its own root, and a server with it.
fn server(folder: &Path) -> TlsAcceptor {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &path("key"), "-out", &path("pem")])
        .output()
        .expect("the openssl command is needed");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let certificate = CertificateDer::from_pem_file(path("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked_on_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let acceptor = server(folder.path());
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [&web, &mail].map(|it| it.local_addr().unwrap().port());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (for_web, for_mail, lines) = (acceptor.clone(), acceptor, heard.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = web.accept().await {
            let Ok(mut stream) = for_web.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = mail.accept().await {
            let Ok(stream) = for_mail.accept(stream).await else { continue };
            converse(stream, &[], lines.clone()).await;
        }
    });
    let notifications = format!(
        "notifications:\n  slack: https://127.0.0.1:{}/unseen\n  email: {{smtp: 'smtps://u:unseen@127.0.0.1:{}', from: a@b.example, to: [c@d.example]}}\n",
        ports[0], ports[1]
    );
    let trusted = run(&notifications, Some(&folder.path().join("pem"))).await;
    assert_eq!((text(&trusted.stdout), text(&trusted.stderr)), ("slack: sent\nemail: sent\n", ""));
    assert!(heard.lock().unwrap().iter().any(|it| it.starts_with("Subject: [airiskguard]")));
    let unknown = run(&notifications, None).await;
    let said = text(&unknown.stdout);
    assert!(said.contains("slack: not sent: no connection: its certificate is of an unknown issuer\n"), "{said}");
    assert!(said.contains("email: not sent: no connection: its certificate is of an unknown issuer\n"), "{said}");
    assert!(!said.contains("unseen") && !said.contains("127.0.0.1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_starttls_is_said_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let acceptor = server(folder.path());
    let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mail.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let lines = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = mail.accept().await {
            upgrade(stream, acceptor.clone(), lines.clone()).await;
        }
    });
    let notifications = format!(
        "notifications:\n  email: {{smtp: 'smtp://u:unseen@127.0.0.1:{port}', from: a@b.example, to: [c@d.example]}}\n"
    );
    let output = run(&notifications, Some(&folder.path().join("pem"))).await;
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("email: sent\n", ""));
    let heard = heard.lock().unwrap().clone();
    assert!(heard[0].starts_with("EHLO ") && heard[1..3] == ["STARTTLS", "(TLS)"], "{heard:#?}");
    assert!(heard[3..].iter().any(|it| it.starts_with("AUTH PLAIN ")), "{heard:#?}");
}
