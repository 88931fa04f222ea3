//! The only room that knows Pingora: listeners, phases to pipeline verbs, refusals to HTTP.

mod admin;
mod answer;
mod call;
mod connection;
mod drain;
mod failover;
mod framing;
mod front;
mod gate;
mod guests;
mod held;
mod keep_alive;
mod listen;
mod pace;
mod proxy;
mod replay;
mod respond;
mod socket;
mod sockets;
mod stop;
mod successor;
mod upstream;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pingora::time::fast_timeout::set_fast_timeout_to_tokio_threshold;
use pingora_core::apps::HttpServerOptions;
use pingora_core::listeners::tls::Acceptor;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::HttpProxy;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore, watch};

use self::drain::Ending;
use self::gate::Gate;
use self::guests::Guests;
use self::keep_alive::KeepAlive;
use self::listen::{Door, Listener};
use self::proxy::Gateway;
use self::socket::Seats;
use self::upstream::Peers;
use crate::config::{Limits, Tls};
use crate::domain::{Clock, Stamp};
use crate::pipeline::Live;
use crate::sinks::{Certificate, Ledger, Metrics, Queue, Sink, WallClock};

pub use self::sockets::Sockets;
pub use self::stop::{Changes, Occasion, Process, serve};
pub use self::successor::READY;

/// Directives for the log filter: what the libraries log names hosts, paths and queries, and our events say it better.
pub const LIBRARY_LOGS_OFF: &str =
    "pingora=off,pingora_core=off,pingora_proxy=off,pingora_pool=off,pingora_cache=off,rustls=off,h2=off";

/// Connections to providers that are kept while idle.
const POOL_SIZE: usize = 512;
/// Window of one upload over HTTP/2; several of the default size would make long prompts slow over long distances.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Window of all uploads on one connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How often a gateway that drains looks whether another waits for its audit log.
const AWAITED_EVERY: Duration = Duration::from_millis(20);
/// After so many tasks a thread takes one from the queue that all share, where those wait that came in a burst. By default it
/// is 61, and under overload they would wait for ever behind those that a thread has for itself.
const SHARED_QUEUE_INTERVAL: u32 = 8;
/// How long the runtime waits for its tasks after the drain.
const RUNTIME_TIMEOUT: Duration = Duration::from_secs(1);

/// What a gateway is started with.
pub struct Options {
    /// The snapshot in force. Limits of connections are read from it at the start.
    pub live: Arc<Live>,
    /// Bound sockets to accept clients on.
    pub listeners: Vec<TcpListener>,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<Tls>,
    /// Bound socket for operators.
    pub admin: Option<TcpListener>,
    /// Who answers operators on every path that the gateway itself does not know.
    pub pages: Option<Pages>,
    /// Who is told of every exchange, beyond the metrics.
    pub sinks: Vec<Box<dyn Sink>>,
    /// The audit log; `None` where no exchange is recorded.
    pub ledger: Option<Ledger>,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
    /// Worker threads; one per core if `None`.
    pub threads: Option<usize>,
}

/// Takes a connection of an operator over, with what was read of it: for pages that the gateway itself does not have.
pub type Pages = Arc<dyn Fn(tokio::net::TcpStream, Vec<u8>, SocketAddr) + Send + Sync>;

/// The task that answers operators.
type Admin = tokio::task::JoinHandle<()>;

/// Why a gateway could not be started.
#[derive(Debug)]
pub enum StartError {
    /// Sockets or threads.
    Io(io::Error),
    /// Certificate or key.
    Tls(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Io(error) => write!(f, "cannot listen: {error}"),
            StartError::Tls(error) => write!(f, "cannot use the certificate: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What all exchanges of one gateway share.
struct Shared {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    queue: Queue,
    ledger: Option<Ledger>,
    clock: WallClock,
    peers: Peers,
    gate: Gate,
    guests: Arc<Guests>,
    seats: Arc<Seats>,
    draining: Arc<AtomicBool>,
    /// Whether it ends, and how.
    ending: watch::Sender<Ending>,
    /// Asks for a look at the certificate's files.
    look: Arc<Notify>,
    started: Stamp,
}

/// A running gateway.
pub struct Handle {
    /// Where clients connect, in the order of `Options::listeners`.
    pub addresses: Vec<SocketAddr>,
    /// Where operators connect.
    pub admin: Option<SocketAddr>,
    /// Its metrics.
    pub metrics: Arc<Metrics>,
    /// What connections are told, in Pingora's words.
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Asks it to drain: no new connections, idle ones are closed, exchanges in flight may finish. Returns at once.
    pub fn stop(&self) {
        self.end(Ending::Stopped);
    }

    /// Asks it to drain as [`Handle::stop`] does, because another process accepts on the same sockets: what is in flight
    /// has as long as an exchange may take, and the audit log is handed over as soon as the other one waits for it.
    pub fn make_way(&self) {
        self.end(Ending::Succeeded);
    }

    fn end(&self, ending: Ending) {
        self.shared.ending.send_replace(ending);
        self.stop.send_replace(true);
    }

    /// Files that the configuration names may have changed: certificates are looked at now, roots when they are needed.
    pub fn look_again(&self) {
        self.shared.peers.forget_roots();
        self.shared.look.notify_one();
    }

    /// Whether it has drained.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until it has drained and every event is with its sinks.
    pub fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to add.
            drop(thread.join());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
        self.wait();
    }
}

/// Starts a gateway on its own threads.
pub fn start(options: Options) -> Result<Handle, StartError> {
    // Pingora's connector to providers takes the process's default; the first gateway sets it.
    pingora_core::tls::install_default_crypto_provider();
    // One for each process, too: limits of time are timers of the runtime, which go with what they limit.
    set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
    let threads = match options.threads {
        Some(threads) => threads.max(1),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).global_queue_interval(SHARED_QUEUE_INTERVAL).enable_all().build();
    let runtime = runtime.map_err(StartError::Io)?;
    let metrics = options.metrics;
    let limits = options.live.load().limits;
    let clock = WallClock::new();
    let shared = Arc::new(Shared {
        started: clock.now(),
        ending: watch::Sender::new(Ending::No),
        look: Arc::new(Notify::new()),
        live: options.live,
        metrics: metrics.clone(),
        queue: Queue::start(metrics.clone(), options.sinks),
        ledger: options.ledger,
        clock,
        peers: Peers::default(),
        gate: Gate::default(),
        guests: Arc::default(),
        seats: Arc::new(Seats::default()),
        draining: Arc::new(AtomicBool::new(false)),
    });
    let certificate = options.tls.map(Certificate::load).transpose().map_err(StartError::Tls)?;
    let handshakes = certificate.as_ref().map(Certificate::server).transpose().map_err(StartError::Tls)?;
    let acceptor = handshakes.map(|it| Arc::new(Acceptor::from_server_config(it)));

    let (stop, draining) = watch::channel(false);
    let _entered = runtime.enter();
    let door = Door {
        app: app(&shared, threads, limits),
        shared: shared.clone(),
        permits: Arc::new(Semaphore::new(limits.connections_max as usize)),
        draining,
    };
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for listener in options.listeners {
        addresses.push(listener.local_addr().map_err(StartError::Io)?);
        sockets.push(Listener { socket: from_std(listener)?, tls: acceptor.clone(), door: door.clone() });
    }
    let admin = options.admin.map(from_std).transpose()?;
    let admin_address = admin.as_ref().map(tokio::net::TcpListener::local_addr).transpose().map_err(StartError::Io)?;
    runtime.spawn(gate::watch_lag(shared.clone()));
    let admin = admin.map(|socket| runtime.spawn(admin::serve(socket, shared.clone(), options.pages)));
    if let Some(certificate) = certificate {
        let metrics = metrics.clone();
        runtime.spawn(certificate.watch(shared.look.clone(), move || metrics.certificate_error()));
    }
    let connections_max = limits.connections_max;
    let run = move || run(runtime, sockets, door, admin, connections_max);
    let thread = std::thread::Builder::new().name("gateway".into()).spawn(run).map_err(StartError::Io)?;
    Ok(Handle { addresses, admin: admin_address, metrics, stop, shared, thread: Some(thread) })
}

/// Accepts until told to stop, drains, hands the last events over.
fn run(runtime: Runtime, sockets: Vec<Listener>, door: Door, admin: Option<Admin>, connections_max: u32) {
    let shared = door.shared.clone();
    runtime.block_on(async move {
        let mut stopped = door.draining.clone();
        let accepting: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(socket.run())).collect();
        // An error means that the handle is gone, which is a stop as well.
        drop(stopped.wait_for(|it| *it).await);
        let shared = &door.shared;
        shared.draining.store(true, Ordering::Release);
        for listener in accepting {
            drop(listener.await);
        }
        if let Some(admin) = admin.filter(|_| *shared.ending.borrow() == Ending::Succeeded) {
            // Operators ask the one that serves. Connections in progress have tasks of their own.
            admin.abort();
        }
        let handing_over = tokio::spawn(hand_over(shared.clone()));
        let drained = door.permits.acquire_many(connections_max);
        let patience = drain::patience(shared.ending.subscribe(), shared.live.load().limits);
        tokio::select! {
            _ = drained => {}
            () = patience => tracing::warn!("exchanges were cut off: they did not finish within the drain time"),
        }
        handing_over.abort();
    });
    runtime.shutdown_timeout(RUNTIME_TIMEOUT);
    shared.queue.finish();
    if let Some(ledger) = &shared.ledger {
        ledger.finish();
    }
}

/// Gives the audit log to the process that waits for it, once there is one.
async fn hand_over(shared: Arc<Shared>) {
    if shared.ledger.is_none() {
        return;
    }
    loop {
        let shared = shared.clone();
        let looked =
            tokio::task::spawn_blocking(move || shared.ledger.as_ref().is_none_or(Ledger::hand_over_if_awaited));
        // An error means that the runtime ends, and the ledger with it.
        if looked.await.unwrap_or(true) {
            return;
        }
        tokio::time::sleep(AWAITED_EVERY).await;
    }
}

fn app(shared: &Arc<Shared>, threads: usize, limits: Limits) -> Arc<KeepAlive<Gateway>> {
    let settings = ServerConf { threads, upstream_keepalive_pool_size: POOL_SIZE, ..ServerConf::default() };
    let mut proxy = HttpProxy::new(Gateway { shared: shared.clone() }, Arc::new(settings));
    proxy.handle_init_modules();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(limits.idle_timeout);
    proxy.server_options = Some(options);
    proxy.h2_options = Some(h2_options());
    Arc::new(KeepAlive(Arc::new(proxy)))
}

/// Pingora's bounds, with larger windows.
fn h2_options() -> H2Options {
    let mut options = default_h2_options();
    options.initial_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    options
}

fn from_std(listener: TcpListener) -> Result<tokio::net::TcpListener, StartError> {
    listener.set_nonblocking(true).map_err(StartError::Io)?;
    tokio::net::TcpListener::from_std(listener).map_err(StartError::Io)
}
