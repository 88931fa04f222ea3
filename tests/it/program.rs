//! The program under test: started in a folder of its own, asked to stop, or killed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_airiskguard-gateway");

/// A gateway that runs.
pub struct Running {
    folder: Option<tempfile::TempDir>,
    process: Option<Child>,
}

impl Running {
    /// The first address it listens on, once it does.
    pub fn address(&self) -> SocketAddr {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = std::fs::read_to_string(self.folder().path().join("ports")).unwrap_or_default();
            if let Some(address) = text.lines().next().and_then(|line| line.parse().ok()) {
                return address;
            }
            assert!(Instant::now() < deadline, "the gateway did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().path().join("log")).unwrap_or_default()
    }

    /// Every address it listens on, clients' first.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.address();
        let text = std::fs::read_to_string(self.folder().path().join("ports")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Where it runs.
    pub fn folder(&self) -> &tempfile::TempDir {
        self.folder.as_ref().unwrap()
    }

    /// Asks it to stop and gives its exit code and its log.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let mut process = self.process.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
        (process.wait().unwrap().code(), self.log())
    }

    /// Asks it to stop and gives its folder back.
    pub fn stop_and_keep(mut self) -> tempfile::TempDir {
        let mut process = self.process.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
        assert!(process.wait().unwrap().success(), "{}", self.log());
        self.folder.take().unwrap()
    }

    /// Ends it without a signal that it could answer, and gives its folder back.
    pub fn kill(mut self) -> tempfile::TempDir {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        self.folder.take().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // A test that failed leaves it running.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Starts `command` in a folder of its own, with this configuration.
pub fn start(command: Command, yaml: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "gateway.yaml", yaml);
    start_in(folder, command)
}

/// Starts `command` in a folder that is there, with the configuration in it: where it keeps what is its own, too.
pub fn start_in(folder: tempfile::TempDir, mut command: Command) -> Running {
    let ports = folder.path().join("ports");
    let _ = std::fs::remove_file(&ports);
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap();
    command.current_dir(folder.path()).arg("--config").arg("gateway.yaml").arg("--port-file").arg(ports);
    let process = Some(command.stderr(log).spawn().unwrap());
    Running { folder: Some(folder), process }
}

/// Writes a file into the folder.
pub fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    command
}
