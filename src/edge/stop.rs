//! The process around the gateway: readiness for the service manager, signals, and who is called on them.

use std::io;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use super::sockets::Sockets;
use super::{Handle, Options, StartError, start, successor};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether a gateway that drains has ended.
const ENDED_EVERY: Duration = Duration::from_millis(20);

/// What the process does beside serving.
pub struct Process {
    /// Told the addresses once connections are accepted.
    pub started: Box<dyn FnOnce(&Handle)>,
    /// Puts changes of the configuration in force; whether there were any. Called on a thread that may wait, one call at
    /// a time.
    pub changes: Changes,
    /// The program that takes this one's place on SIGUSR2, with arguments that tell it to.
    pub successor: Box<dyn Fn() -> Command>,
}

/// Who puts changes in force.
pub type Changes = Box<dyn FnMut(Occasion) -> bool + Send>;

/// Why the configuration is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Time has passed: whatever changed is to be noticed.
    Passing,
    /// Someone asked for it (SIGHUP).
    Asked,
}

/// How serving ended.
enum Done {
    Stopped,
    /// A process with this id has taken over.
    Succeeded(u32),
}

/// Serves until SIGTERM or SIGINT, then drains; or until another process has taken over on SIGUSR2, then as long as its
/// own exchanges last.
pub fn serve(options: Options, process: Process) -> Result<(), StartError> {
    // Registered before anything is served, so that an early signal is not lost.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(StartError::Io)?;
    let (mut signals, listeners) = {
        let _entered = runtime.enter();
        (Signals::register().map_err(StartError::Io)?, Listeners::of(&options).map_err(StartError::Io)?)
    };
    let gateway = start(options)?;
    (process.started)(&gateway);
    notify(&[NotifyState::Ready]);
    let mut watching = Watching { changes: Some(process.changes), running: None, asked: false };
    let done = runtime.block_on(signals.serve(&gateway, &mut watching, &listeners, &*process.successor));
    // Held any longer, they would take connections that nobody accepts.
    drop(listeners);
    match done {
        Done::Stopped => {
            notify(&[NotifyState::Stopping]);
            tracing::info!("stopping");
            gateway.stop();
        }
        Done::Succeeded(pid) => {
            // From here on the service manager listens to the other one.
            notify(&[NotifyState::MainPid(pid)]);
            tracing::info!(successor = pid, "making way: another process takes over, exchanges in flight go on");
            gateway.make_way();
            runtime.block_on(signals.wait_beside(&gateway));
        }
    }
    gateway.join();
    // A look under way, or a process that does not get ready, is not waited for.
    runtime.shutdown_background();
    Ok(())
}

/// The listening sockets, once more.
struct Listeners {
    clients: Vec<TcpListener>,
    admin: Option<TcpListener>,
}

impl Listeners {
    fn of(options: &Options) -> io::Result<Listeners> {
        let Sockets { clients, admin } = Sockets::duplicate(&options.listeners, options.admin.as_ref())?;
        Ok(Listeners { clients, admin })
    }

    fn duplicate(&self) -> io::Result<Sockets> {
        Sockets::duplicate(&self.clients, self.admin.as_ref())
    }
}

/// Who looks for changes: here, or at work on a thread of its own.
struct Watching {
    changes: Option<Changes>,
    running: Option<JoinHandle<(Changes, bool)>>,
    /// What runs was asked for, and the service manager waits for its end.
    asked: bool,
}

impl Watching {
    /// Begins a look, unless one is under way.
    fn begin(&mut self, occasion: Occasion) -> bool {
        let Some(mut changes) = self.changes.take() else { return false };
        self.asked = occasion == Occasion::Asked;
        if self.asked {
            reloading();
        }
        self.running = Some(tokio::task::spawn_blocking(move || {
            let changed = changes(occasion);
            (changes, changed)
        }));
        true
    }

    /// Until the look under way has ended, for ever without one; whether something changed.
    async fn ended(&mut self) -> bool {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        // A panic there has been printed. The configuration in force stays; it is not looked at again.
        let (changes, changed) = running.await.map_or((None, false), |(changes, changed)| (Some(changes), changed));
        (self.changes, self.running) = (changes, None);
        if self.asked {
            notify(&[NotifyState::Ready]);
        }
        changed
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    succeed: Signal,
    tick: Interval,
}

impl Signals {
    fn register() -> io::Result<Self> {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            succeed: signal(SignalKind::user_defined2())?,
            tick,
        })
    }

    /// Until a signal to stop, or a successor that is ready.
    async fn serve(
        &mut self,
        gateway: &Handle,
        watching: &mut Watching,
        listeners: &Listeners,
        successor: &dyn Fn() -> Command,
    ) -> Done {
        let mut asked = false;
        let mut starting: Option<JoinHandle<io::Result<u32>>> = None;
        let stopped = |starting: Option<JoinHandle<io::Result<u32>>>| {
            // With the task goes the process that it waits for.
            starting.inspect(JoinHandle::abort);
            Done::Stopped
        };
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return stopped(starting),
                _ = self.interrupt.recv() => return stopped(starting),
                _ = self.hangup.recv() => {
                    gateway.look_again();
                    asked = !watching.begin(Occasion::Asked);
                }
                _ = self.tick.tick() => drop(watching.begin(Occasion::Passing)),
                changed = watching.ended() => {
                    if changed {
                        gateway.look_again();
                    }
                    // Asked for while a look was under way: what changed meanwhile may have been missed by it.
                    if std::mem::take(&mut asked) {
                        asked = !watching.begin(Occasion::Asked);
                    }
                }
                _ = self.succeed.recv(), if starting.is_none() => match listeners.duplicate() {
                    Ok(sockets) => starting = Some(tokio::spawn(successor::start(successor(), sockets))),
                    Err(error) => tracing::error!(%error, "no other process could be started, this one goes on"),
                },
                started = ready(&mut starting) => match started {
                    Ok(pid) => return Done::Succeeded(pid),
                    Err(error) => tracing::error!(%error, "no other process has taken over, this one goes on"),
                },
            }
        }
    }

    /// Until the gateway has drained beside its successor; a signal to stop shortens that.
    async fn wait_beside(&mut self, gateway: &Handle) {
        while !gateway.is_finished() {
            tokio::select! {
                _ = self.terminate.recv() => gateway.stop(),
                _ = self.interrupt.recv() => gateway.stop(),
                () = tokio::time::sleep(ENDED_EVERY) => {}
            }
        }
    }
}

/// What became of the process that was started; for ever pending without one.
async fn ready(starting: &mut Option<JoinHandle<io::Result<u32>>>) -> io::Result<u32> {
    let Some(started) = starting else { return std::future::pending().await };
    let outcome = started.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    *starting = None;
    outcome
}

/// `systemctl reload` waits from here until the next readiness.
fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager could not be notified"),
    }
}

/// Without a service manager this does nothing; one that cannot be reached is not worth stopping for.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be notified");
    }
}
