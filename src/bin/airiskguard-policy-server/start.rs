//! From arguments to a server that serves, until a signal.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use airiskguard_gateway::config::Tls;
use airiskguard_gateway::control::{self, Control, MasterKey, Settings};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::Certificate;
use airiskguard_gateway::store::{self, Directory};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::arguments::Arguments;
use crate::recording;

/// Larger settings are a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Serves until SIGTERM or SIGINT; with `--check` only looks at what it would serve with.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.check {
        return check(arguments);
    }
    let log = tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO);
    log.init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("no threads to be had: {error}"))?.block_on(serve(arguments))
}

/// Nothing is opened, made or written: the database may be elsewhere, and asleep.
fn check(arguments: &Arguments) -> Result<(), String> {
    let settings = settings(arguments)?;
    certificate(arguments)?;
    if settings.store.as_deref().is_some_and(|it| !store::is_target(it)) {
        return Err("store: its address is neither `sqlite:PATH` nor `postgres://…`".to_owned());
    }
    if arguments.master_key.as_deref().is_some_and(|it| MasterKey::parse(it.trim()).is_none()) {
        return Err("the master key is not 64 hex digits".to_owned());
    }
    drop(writeln!(std::io::stdout(), "good: people and gateways reach it at {}", settings.public_url));
    Ok(())
}

fn certificate(arguments: &Arguments) -> Result<Option<Certificate>, String> {
    let (Some(cert), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(None) };
    let name = |path: &Path| match path.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(format!("cannot use the certificate: {} is no text", path.display())),
    };
    let loaded = Certificate::load(Tls { cert: name(cert)?, key: name(key)? });
    loaded.map(Some).map_err(|error| format!("cannot use the certificate: {error}"))
}

async fn serve(arguments: &Arguments) -> Result<(), String> {
    let mut settings = settings(arguments)?;
    let mut directory = Directory::open(&arguments.data_dir)?;
    let target = match &settings.store {
        Some(target) => Secret::new(target.clone()),
        None => Secret::new(format!("sqlite:{}", arguments.data_dir.join("control.db").display())),
    };
    let records = store::open(target.expose()).await.map_err(|error| error.to_string())?;
    let ledger = recording::start(&mut directory, &target, &*records, settings.retention_days).await?;
    let listener = TcpListener::bind((arguments.host.as_str(), arguments.port)).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {}:{}: {error}", arguments.host, arguments.port))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let certificate = certificate(arguments)?;
    let tls = certificate.as_ref().map(Certificate::server).transpose()?;
    if arguments.config.is_none() {
        // Nobody said where people reach it: where it listens, then.
        let scheme = if tls.is_some() { "https" } else { "http" };
        settings.public_url = format!("{scheme}://localhost:{}", address.port());
    }
    let public_url = settings.public_url.clone();
    let control = Control::open(&arguments.data_dir, &target, settings, arguments.master_key.as_deref()).await?;
    control.writes_to(ledger.scribe());
    if let Some(line) = control.first_run(&arguments.data_dir).await? {
        // Not in the log, which others may read: on the terminal of the one who started it.
        drop(writeln!(std::io::stdout(), "{line}"));
    }
    if let Some(path) = &arguments.port_file {
        write_private(path, format!("{address}\n").as_bytes())?;
    }
    tracing::info!(%address, public_url, "listening");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(control.clone().look_after());
    if let Some(certificate) = certificate {
        tokio::spawn(certificate.watch(Arc::default(), || {}));
    }
    tokio::spawn(async move {
        wait_for_signal().await;
        stop.send_replace(true);
    });
    control::serve(control, listener, tls, stopped).await;
    tokio::task::spawn_blocking(move || ledger.finish()).await.map_err(|error| error.to_string())
}

async fn wait_for_signal() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn settings(arguments: &Arguments) -> Result<Settings, String> {
    match &arguments.config {
        Some(path) => {
            #[expect(clippy::disallowed_methods, reason = "this is the binary, which hands it on")]
            let environment = |name: &str| std::env::var(name).ok();
            let settings = Settings::parse_with(&read(path)?, &environment);
            settings.map_err(|error| format!("{}: {error}", path.display()))
        }
        None => Ok(Settings::default()),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    store::read_whole(path, FILE_BYTES_MAX).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
