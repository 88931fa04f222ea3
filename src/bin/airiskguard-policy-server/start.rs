//! From arguments to a server that serves, until a signal.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use airiskguard_gateway::control::{self, Control, MasterKey, Parts, Settings};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::sinks::WallClock;
use airiskguard_gateway::store::{self, Directory, Objects};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::arguments::Arguments;
use crate::recording;

/// Larger settings are a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Between two looks for what has expired.
const TIDY_INTERVAL: Duration = Duration::from_secs(300);

/// Between two looks for what follows from new records.
const TEND_INTERVAL: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let log = tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_max_level(tracing::Level::INFO);
    log.init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("no threads to be had: {error}"))?.block_on(serve(arguments))
}

async fn serve(arguments: &Arguments) -> Result<(), String> {
    let settings = settings(arguments)?;
    let mut directory = Directory::open(&arguments.data_dir)?;
    let master = master_key(arguments)?;
    let target = match &settings.store {
        Some(target) => Secret::new(target.clone()),
        None => Secret::new(format!("sqlite:{}", arguments.data_dir.join("control.db").display())),
    };
    let records = store::open(target.expose()).await.map_err(|error| error.to_string())?;
    let objects = Objects::open(target.expose()).await.map_err(|error| error.to_string())?;
    let ledger = recording::start(&mut directory, &target, &*records, settings.retention_days).await?;
    let listener = TcpListener::bind((arguments.host.as_str(), arguments.port)).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {}:{}: {error}", arguments.host, arguments.port))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let tls = match (&arguments.tls_cert, &arguments.tls_key) {
        (Some(cert), Some(key)) => Some(control::tls(&read(cert)?, &read(key)?)?),
        _ => None,
    };
    let public_url = settings.public_url.clone();
    let control = Control::new(Parts {
        objects: Arc::new(objects),
        records: records.into(),
        scribe: Some(ledger.scribe()),
        master,
        settings,
        clock: Arc::new(WallClock::new()),
    });
    if let Some(token) = control.setup_token().await.map_err(|problem| problem.detail)? {
        let message = format!("first run: open {public_url}/setup?token={token}\n");
        // Not in the log, which others may read: on the terminal of the one who started it, and in the folder.
        drop(std::io::stdout().write_all(message.as_bytes()));
        write_private(&arguments.data_dir.join("setup-token"), token.as_bytes())?;
    }
    if let Some(path) = &arguments.port_file {
        write_private(path, format!("{address}\n").as_bytes())?;
    }
    tracing::info!(%address, public_url, "listening");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(tidy(control.clone()));
    tokio::spawn(tend(control.clone()));
    tokio::spawn(async move {
        wait_for_signal().await;
        stop.send_replace(true);
    });
    control::serve(control, listener, tls, stopped).await;
    tokio::task::spawn_blocking(move || ledger.finish()).await.map_err(|error| error.to_string())
}

async fn tidy(control: Control) {
    loop {
        tokio::time::sleep(TIDY_INTERVAL).await;
        if let Err(problem) = control.tidy().await {
            tracing::warn!(what = problem.detail, "what has expired could not be removed");
        }
    }
}

async fn tend(control: Control) {
    loop {
        tokio::time::sleep(TEND_INTERVAL).await;
        if let Err(problem) = control.tend().await {
            tracing::warn!(what = problem.detail, "new records could not be counted");
        }
    }
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

/// From the environment, else from the folder, where it is made at the first start.
fn master_key(arguments: &Arguments) -> Result<MasterKey, String> {
    let path = arguments.data_dir.join("master.key");
    let text = match &arguments.master_key {
        Some(text) => text.clone(),
        None if path.exists() => read(&path)?,
        None => {
            let bytes = store::random_key().map_err(|error| format!("no random numbers to be had: {error}"))?;
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            write_private(&path, text.as_bytes())?;
            text
        }
    };
    MasterKey::parse(text.trim()).ok_or_else(|| "the master key is not 64 hex digits".to_owned())
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    let read = file.take(FILE_BYTES_MAX).read_to_string(&mut text);
    read.map(|_| text).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
