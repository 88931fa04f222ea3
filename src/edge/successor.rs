//! Another process in this one's place: started with the same listening sockets, so that no connection is ever refused.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};

use super::sockets::{ADMIN, CLIENTS, NAMES, Sockets};

/// What it prints when everything but the audit log is ready, and the other may go.
pub const READY: &str = "ready";
/// First descriptor of the sockets, as service managers have it.
const FIRST: i32 = 3;
/// Longest time it may take to get ready: it reads, compiles and builds automata while this process serves.
const READY_TIMEOUT: Duration = Duration::from_secs(300);
/// Longest line that it may say instead.
const LINE_BYTES_MAX: u64 = 4096;

/// Starts `command` with these sockets and waits until it is ready to take over. Its process id.
///
/// # Errors
/// It could not be started, ended, or was not ready in time: then it is gone again, and nothing has changed.
pub(super) async fn start(command: Command, sockets: Sockets) -> io::Result<u32> {
    let spawned = tokio::task::spawn_blocking(move || spawn(command, sockets).map(|it| Starting(Some(it))));
    let mut starting = spawned.await.map_err(io::Error::other)??;
    let said = starting.0.as_mut().and_then(|it| it.stdout.take());
    let said = tokio::task::spawn_blocking(move || said.map_or(Ok(String::new()), first_line));
    match tokio::time::timeout(READY_TIMEOUT, said).await {
        Ok(line) => {
            let line = line.map_err(io::Error::other)??;
            starting.0.take_if(|_| line.trim_end() == READY).map(|it| it.id()).ok_or_else(|| {
                io::Error::other("it ended, or said something else, before it was ready: its log says why")
            })
        }
        Err(_) => Err(io::Error::other(format!("it was not ready within {} s", READY_TIMEOUT.as_secs()))),
    }
}

/// A process that is ended if nobody waits for it any more.
struct Starting(Option<Child>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may be gone already; killed, it is gone in a moment.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn spawn(mut command: Command, sockets: Sockets) -> io::Result<Child> {
    let Sockets { clients, admin } = sockets;
    let mut names = vec![CLIENTS; clients.len()];
    names.extend(admin.is_some().then_some(ADMIN));
    let all: Vec<OwnedFd> = clients.into_iter().chain(admin).map(OwnedFd::from).collect();
    let count = all.len();
    let mappings = all.into_iter().zip(FIRST..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
    command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
    // Without `LISTEN_PID`, which nobody knows yet: who reads it takes the sockets to be its own.
    command.env("LISTEN_FDS", count.to_string()).env(NAMES, names.join(":")).env_remove("LISTEN_PID");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

fn first_line(from: impl Read) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(from.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn sockets() -> Sockets {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        Sockets { clients: vec![bind()], admin: Some(bind()) }
    }

    #[tokio::test]
    async fn one_that_is_ready_has_the_sockets_and_their_names() {
        let script = "[ \"$LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID\" = '2 gateway:admin ' ] \
             && [ -S /proc/self/fd/3 ] && [ -S /proc/self/fd/4 ] && [ ! -e /proc/self/fd/5 ] && echo ready";
        assert!(start(shell(script), sockets()).await.unwrap() > 0);
    }

    #[tokio::test]
    async fn one_that_is_not_is_an_error() {
        let failed = start(shell("echo no"), sockets()).await.unwrap_err().to_string();
        assert!(failed.contains("before it was ready"), "{failed}");
        assert!(start(Command::new("/nowhere/program"), sockets()).await.is_err());
    }
}
