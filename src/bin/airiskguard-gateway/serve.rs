//! Serving: configuration to snapshot, sockets, logs, until a signal.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use airiskguard_gateway::config::{File, LogLevel, Overrides};
use airiskguard_gateway::edge::{self, Handle, LIBRARY_LOGS_OFF, Options};
use airiskguard_gateway::pipeline::{Live, Snapshot};
use airiskguard_gateway::sinks::{Log, Metrics, Sink};
use airiskguard_gateway::store::Key;
use tracing_subscriber::EnvFilter;

use crate::arguments::Serve;
use crate::{configuration, overrides, recording, spent};

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(serve: &Serve) -> Result<(), String> {
    let overrides = Overrides {
        host: serve.host.clone(),
        port: serve.port,
        log_level: serve.log_level.clone(),
        no_tls: serve.no_tls,
        ..overrides(&serve.config)
    };
    let (file, warnings) = configuration::load(&serve.config, &overrides)?;
    log(file.log_level)?;
    for warning in &warnings.items {
        tracing::warn!("{}", warning.what);
    }
    let begun = configuration::now();
    let directory = recording::is_wanted(&file).then(|| recording::open_directory(&file)).transpose()?;
    let snapshot = match &directory {
        Some(it) => configuration::compile_with(&file, *it.key(Key::Installation)?)?,
        None => configuration::compile(&file)?,
    };
    let metrics = Arc::new(Metrics::new().map_err(|error| format!("cannot register metrics: {error}"))?);
    let ledger = directory.as_ref().map(|it| recording::start(&file, it, &metrics)).transpose()?;
    tracing::info!(configuration = file.effective(), "starting {}", env!("CARGO_PKG_VERSION"));
    warm(snapshot.clone());
    let live = Arc::new(Live::new(snapshot));
    if let Some(directory) = &directory {
        spent::rebuild(&file, directory.gateway()?, live.clone(), metrics.clone(), begun);
    }
    let options = Options {
        live,
        listeners: edge::listeners(&file.host, file.port)
            .map_err(|error| format!("cannot listen on {}:{}: {error}", file.host, file.port))?,
        tls: file.tls.clone(),
        admin: admin(&file)?,
        ledger,
        metrics,
        sinks: if file.audit_enabled { vec![Box::new(Log) as Box<dyn Sink>] } else { Vec::new() },
        threads: None,
    };
    let port_file = serve.port_file.clone();
    edge::serve(options, |gateway| started(gateway, port_file.as_deref())).map_err(|error| error.to_string())
}

fn started(gateway: &Handle, port_file: Option<&Path>) {
    let addresses: Vec<String> = gateway.addresses.iter().map(ToString::to_string).collect();
    tracing::info!(addresses = addresses.join(","), admin = gateway.admin.map(|it| it.to_string()), "listening");
    let mut lines = addresses;
    lines.extend(gateway.admin.map(|it| it.to_string()));
    if let Some(path) = port_file
        && let Err(error) = std::fs::File::create(path).and_then(|mut file| writeln!(file, "{}", lines.join("\n")))
    {
        tracing::error!(%error, "the port file could not be written");
    }
}

/// Builds the automata of the rules in use beside the first requests, so that none of them waits for one.
fn warm(snapshot: Arc<Snapshot>) {
    std::thread::spawn(move || {
        for error in snapshot.warm() {
            tracing::warn!("{error}");
        }
    });
}

fn admin(file: &File) -> Result<Option<TcpListener>, String> {
    let Some(address) = &file.admin.listen else { return Ok(None) };
    TcpListener::bind(address).map(Some).map_err(|error| format!("cannot listen on {address} (admin.listen): {error}"))
}

/// JSON lines on standard error; the records of exchanges whatever the level, the libraries' own logs never.
fn log(level: LogLevel) -> Result<(), String> {
    let level = match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warn",
        LogLevel::Error => "error",
    };
    let filter =
        EnvFilter::try_new(format!("{level},exchange=info,{LIBRARY_LOGS_OFF}")).map_err(|it| it.to_string())?;
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
