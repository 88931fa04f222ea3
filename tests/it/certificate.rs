//! Certificates for this machine alone.

use std::path::Path;
use std::process::Command;

use airiskguard_gateway::config::Tls;

/// A self-signed certificate for `localhost` and its key, made by the `openssl` command.
pub fn certificate(folder: &Path, name: &str) -> Tls {
    let path = |end: &str| folder.join(format!("{name}.{end}")).to_str().unwrap().to_owned();
    let (cert, key) = (path("pem"), path("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &cert])
        .output()
        .expect("the openssl command is needed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Tls { cert, key }
}
