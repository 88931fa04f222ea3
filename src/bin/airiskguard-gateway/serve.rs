//! Serving: configuration to snapshot, sockets, logs, until a signal; and whoever takes this process's place.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use airiskguard_gateway::config::{File, LogLevel, Overrides};
use airiskguard_gateway::domain::Stamp;
use airiskguard_gateway::edge::{self, Handle, LIBRARY_LOGS_OFF, Options, Pages, Process, READY, Sockets};
use airiskguard_gateway::pipeline::{Live, Snapshot};
use airiskguard_gateway::sinks::{Ledger, Log, Metrics, Scribe, Sink, check_certificate};
use airiskguard_gateway::store::{Directory, Key};
use tracing_subscriber::EnvFilter;

use crate::arguments::Serve;
use crate::embedded::Embedded;
use crate::governed::Followed;
use crate::reload::{self, Reloader};
use crate::watched::Watch;
use crate::{configuration, overrides, quarantined, recording, spent};

/// The flag that a successor is started with.
const TAKE_OVER: &str = "--take-over";

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(serve: &Serve) -> Result<(), String> {
    // Pages of 2 MB, of which a connection's buffers touch a few KB here and there, cost a quarter of a stream's memory and the
    // time to clear them. A kernel without them has nothing to switch off.
    rustix::thread::disable_transparent_huge_pages(true).ok();
    let Read { file, overrides, watch, log } = read(serve)?;
    let mut directory =
        recording::is_wanted(&file).then(|| recording::open_directory(&file, serve.take_over)).transpose()?;
    let installation = installation(directory.as_ref())?;
    let sockets = Sockets::open(&file.host, file.port, file.admin.listen.as_deref())?;
    let embedded = Embedded::open(&file, directory.as_ref(), sockets.admin.as_ref())?;
    let follows = embedded.as_ref().map_or_else(|| file.clone(), |it| it.followed_by(&file));
    let mut followed = directory.as_ref().map(|it| Followed::open(&follows, it)).transpose()?.flatten();
    let (snapshot, in_force) = compile(&file, followed.as_mut(), installation)?;
    let metrics = Arc::new(Metrics::new().map_err(|error| format!("cannot register metrics: {error}"))?);
    if let Some(tls) = &file.tls {
        check_certificate(tls).map_err(|error| format!("cannot use the certificate: {error}"))?;
    }
    if serve.take_over {
        // The one before this one serves until then, so that nobody waits for these automata.
        snapshot.warm();
    }
    let begun = take_over(serve.take_over, directory.as_mut())?;
    let live = Arc::new(Live::new(snapshot.clone()));
    // The control plane of this process reads the very store that this gateway writes.
    let shipped_by = followed.as_ref().filter(|_| embedded.is_none());
    let book = spent::of_others(live.clone(), metrics.clone(), begun);
    let ledger = directory.as_mut().map(|it| recording::start(&file, it, &metrics, shipped_by, book)).transpose()?;
    tracing::info!(configuration = in_force.effective(), "starting {}", env!("CARGO_PKG_VERSION"));
    warm(snapshot);
    if let Some(directory) = &directory {
        spent::rebuild(&in_force, directory.gateway()?, live.clone(), metrics.clone(), begun, serve.take_over);
        keep_quarantines(directory, live.clone(), ledger.as_ref().map(Ledger::scribe))?;
    }
    let reloader = Reloader {
        config: serve.config.file.clone(),
        overrides,
        started: file.clone(),
        local: file.clone(),
        told: followed.as_ref().and_then(Followed::told),
        installation,
        live: live.clone(),
        metrics: metrics.clone(),
        scribe: ledger.as_ref().map(Ledger::scribe),
        log,
        watch,
    };
    let reloader = follow(reloader, followed)?;
    let pages = match (embedded, &directory) {
        (Some(embedded), Some(directory)) => Some(pages(embedded, directory, ledger.as_ref())?),
        _ => None,
    };
    let options = Options {
        pages,
        live,
        listeners: sockets.clients,
        tls: file.tls.clone(),
        admin: sockets.admin,
        ledger,
        metrics,
        sinks: if file.audit_enabled { vec![Box::new(Log) as Box<dyn Sink>] } else { Vec::new() },
        threads: None,
    };
    let port_file = serve.port_file.clone();
    let process = Process {
        started: Box::new(move |gateway| started(gateway, port_file.as_deref())),
        changes: Box::new(move |occasion| reload::lock(&reloader).look(occasion)),
        successor: successor(),
    };
    edge::serve(options, process).map_err(|error| error.to_string())
}

/// What a process begins with.
struct Read {
    file: File,
    overrides: Overrides,
    /// The files that were read.
    watch: Watch,
    log: LogFilter,
}

/// Reads the configuration, and begins to log as it says.
fn read(serve: &Serve) -> Result<Read, String> {
    let overrides = Overrides {
        host: serve.host.clone(),
        port: serve.port,
        log_level: serve.log_level.clone(),
        no_tls: serve.no_tls,
        ..overrides(&serve.config)
    };
    let (loaded, read) = configuration::load_watched(serve.config.file.path(), &overrides);
    let (file, warnings) = loaded?;
    let log = LogFilter::install(file.log_level)?;
    for warning in &warnings.items {
        tracing::warn!("{}", warning.what);
    }
    Ok(Read { file, overrides, watch: Watch::new(read), log })
}

/// The key of this installation, or one for this process alone where nothing is kept.
fn installation(directory: Option<&Directory>) -> Result<[u8; 32], String> {
    match directory {
        Some(it) => Ok(*it.key(Key::Installation)?),
        None => configuration::seed().map_err(|error| format!("no random numbers to be had: {error}")),
    }
}

/// Who puts changes in force: of files, and of the policy server where one is followed.
fn follow(reloader: Reloader, followed: Option<Followed>) -> Result<Arc<Mutex<Reloader>>, String> {
    let (live, metrics, scribe) = (reloader.live.clone(), reloader.metrics.clone(), reloader.scribe.clone());
    let reloader = Arc::new(Mutex::new(reloader));
    if let Some(followed) = followed {
        followed.start(&reloader, live, metrics, scribe)?;
    }
    Ok(reloader)
}

/// What is in force first: the file, with what the policy server said last in it where one is followed.
fn compile(
    file: &File,
    followed: Option<&mut Followed>,
    installation: [u8; 32],
) -> Result<(Arc<Snapshot>, File), String> {
    let Some(followed) = followed else { return Ok((configuration::compile_with(file, installation)?, file.clone())) };
    let in_force = followed.governed(file);
    match configuration::compile_with(&in_force, installation) {
        Ok(snapshot) => Ok((snapshot, in_force)),
        Err(why) => {
            followed.drop_told(why);
            let in_force = followed.governed(file);
            Ok((configuration::compile_with(&in_force, installation)?, in_force))
        }
    }
}

/// What the control plane of this process shows.
fn pages(embedded: Embedded, directory: &Directory, ledger: Option<&Ledger>) -> Result<Pages, String> {
    let (pages, first_run) = embedded.start(directory.path(), ledger.map(Ledger::scribe))?;
    if let Some(line) = first_run {
        // Not in the log, which others may read: on the terminal of the one who started it.
        drop(writeln!(std::io::stdout(), "{line}"));
    }
    Ok(pages)
}

/// Recalls who is in quarantine, and keeps it on disk from now on.
fn keep_quarantines(directory: &Directory, live: Arc<Live>, scribe: Option<Scribe>) -> Result<(), String> {
    let keeper = quarantined::Keeper::open(directory.path(), live)?;
    let write_down = move |act| {
        if let Some(scribe) = &scribe {
            scribe.act(act);
        }
    };
    quarantined::start(keeper, write_down).map_err(|error| format!("cannot keep quarantines: {error}"))
}

/// Tells the process before this one, if it is `wanted`, that it may go, and waits until it lets go of the audit log. The
/// moment from which on this one serves.
fn take_over(wanted: bool, directory: Option<&mut Directory>) -> Result<Stamp, String> {
    if wanted {
        // Who started this process reads it, or does not.
        let ready = || drop(writeln!(std::io::stdout(), "{READY}").and_then(|()| std::io::stdout().flush()));
        match directory {
            Some(it) => recording::take_over(it, ready)?,
            None => ready(),
        }
    }
    Ok(configuration::now())
}

/// This program with its own arguments, as it stands on disk then: after an upgrade that is the new one.
fn successor() -> Box<dyn Fn() -> Command> {
    // Without `/proc`, by the name it was called by.
    let called = || std::env::args_os().next().map_or_else(|| "airiskguard-gateway".into(), PathBuf::from);
    let program = std::env::current_exe().unwrap_or_else(|_| called());
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if !arguments.iter().any(|it| it == TAKE_OVER) {
        arguments.push(TAKE_OVER.into());
    }
    Box::new(move || {
        let mut command = Command::new(&program);
        command.args(&arguments);
        command
    })
}

fn started(gateway: &Handle, port_file: Option<&Path>) {
    let addresses: Vec<String> = gateway.addresses.iter().map(ToString::to_string).collect();
    let pid = std::process::id();
    tracing::info!(addresses = addresses.join(","), admin = gateway.admin.map(|it| it.to_string()), pid, "listening");
    let mut lines = addresses;
    lines.extend(gateway.admin.map(|it| it.to_string()));
    if let Some(path) = port_file
        && let Err(error) = std::fs::File::create(path).and_then(|mut file| writeln!(file, "{}", lines.join("\n")))
    {
        tracing::error!(%error, "the port file could not be written");
    }
}

/// Builds the automata of the rules in use that are not built yet, beside the requests.
pub(crate) fn warm(snapshot: Arc<Snapshot>) {
    std::thread::spawn(move || {
        for error in snapshot.warm() {
            tracing::warn!("{error}");
        }
    });
}

/// What decides which lines are logged; may be changed while the gateway serves.
pub(crate) struct LogFilter(Box<dyn Fn(EnvFilter) -> Result<(), String> + Send>);

impl LogFilter {
    /// JSON lines on standard error from now on.
    fn install(level: LogLevel) -> Result<LogFilter, String> {
        let subscriber = tracing_subscriber::fmt().json().with_writer(std::io::stderr);
        let subscriber = subscriber.with_env_filter(filter(level)?).with_filter_reloading();
        let handle = subscriber.reload_handle();
        subscriber.init();
        Ok(LogFilter(Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))))
    }

    /// Lines of this level and above from now on.
    pub(crate) fn set(&self, level: LogLevel) -> Result<(), String> {
        (self.0)(filter(level)?)
    }
}

/// The records of exchanges whatever the level, the libraries' own logs never.
fn filter(level: LogLevel) -> Result<EnvFilter, String> {
    let level = match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warn",
        LogLevel::Error => "error",
    };
    EnvFilter::try_new(format!("{level},exchange=info,{LIBRARY_LOGS_OFF}")).map_err(|it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_told_to_take_over_once() {
        let command = successor()();
        let told = command.get_args().filter(|it| *it == TAKE_OVER).count();
        assert_eq!(told, 1);
    }

    #[test]
    fn every_level_is_a_filter() {
        for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error] {
            assert!(filter(level).is_ok());
        }
    }
}
