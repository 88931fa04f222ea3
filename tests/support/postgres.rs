//! A PostgreSQL server of the test process's own, from the Debian package: made on first use, stopped when the process
//! ends in whatever way, reached through a socket in a folder of its own.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// Does what it reads. When nobody can write to it any more, it stops the server and removes the folder: so nothing is
/// left behind, also where the test process was killed.
const KEEPER: &str = r#"
folder=$1; shift
# Again and again: until the server listens to signals, they pass it by.
end() { while kill "-$1" "$server" 2>/dev/null; do sleep 0.05; done; }
while read -r word; do
  case $word in
    start) "$@" >>"$folder/log" 2>&1 & server=$! ;;
    stop) end INT ;;
    kill) end QUIT ;;
  esac
  echo done
done
end INT
rm -rf "$folder"
"#;

/// A running server.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    keeper: Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>,
}

impl Cluster {
    /// The one that all tests of this process share. Tests that stop it make one of their own.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::new(&[]))
    }

    /// Makes and starts one. It does not wait for the disk: what a test needs of that it sets itself (`fsync=on`).
    pub fn new(settings: &[&str]) -> Cluster {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("airiskguard-postgres-").tempdir().expect("a folder").keep();
        let owner = Owner::find();
        owner.give(&folder);
        let data = folder.join("data");
        let mut initdb = owner.command(&programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]);
        run(initdb.arg(&data));

        let mut server = owner.command(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&folder);
        let usual = ["listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=64MB"];
        for setting in usual.iter().chain(settings) {
            server.arg("-c").arg(setting);
        }
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg(KEEPER).arg("keeper").arg(&folder).arg(server.get_program()).args(server.get_args());
        keeper.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = keeper.spawn().expect("a shell");
        let pipes = (keeper.stdin.take().expect("piped"), BufReader::new(keeper.stdout.take().expect("piped")));
        let cluster = Cluster { folder, programs, keeper: Mutex::new((keeper, pipes.0, pipes.1)) };
        cluster.start();
        cluster
    }

    /// Starts it again, and waits until it answers.
    pub fn start(&self) {
        self.tell("start");
        let mut last = String::new();
        for _ in 0..600 {
            let mut ready = Command::new(self.programs.join("pg_isready"));
            let output = ready.args(["-U", "postgres", "-h"]).arg(&self.folder).output().expect("pg_isready runs");
            if output.status.success() {
                return;
            }
            last = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {last}\n{log}");
    }

    /// Stops it in order; connections are cut.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Stops it as a crash does: it recovers at the next start.
    pub fn kill(&self) {
        self.tell("kill");
    }

    /// Makes an empty database and gives its address.
    pub fn database(&self, name: &str) -> String {
        let mut create = Command::new(self.programs.join("createdb"));
        run(create.args(["-U", "postgres", "-T", "template0", "-h"]).arg(&self.folder).arg(name));
        self.address(name)
    }

    /// The address of a database.
    pub fn address(&self, name: &str) -> String {
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.display())
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn tell(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writeln!(keeper.1, "{word}").expect("the keeper listens");
        let mut answer = String::new();
        keeper.2.read_line(&mut answer).expect("the keeper answers");
        assert_eq!(answer, "done\n");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let null = Command::new("true").stdin(Stdio::piped()).spawn();
        if let Some(other) = null.ok().and_then(|mut it| it.stdin.take()) {
            // Closes the pipe, which is what the keeper waits for.
            drop(std::mem::replace(&mut keeper.1, other));
        }
        let _ = keeper.0.wait();
    }
}

/// The user that the server runs as: it refuses to run as root.
struct Owner(Option<&'static str>);

impl Owner {
    fn find() -> Owner {
        let own = std::fs::metadata("/proc/self").map(|it| std::os::unix::fs::MetadataExt::uid(&it));
        if own.is_ok_and(|uid| uid != 0) {
            return Owner(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let known = |name: &str| users.lines().any(|line| line.split(':').next() == Some(name));
        Owner(["postgres", "nobody"].into_iter().find(|name| known(name)))
    }

    fn give(&self, folder: &Path) {
        if let Some(user) = self.0 {
            run(Command::new("chown").arg(user).arg(folder));
        }
    }

    fn command(&self, program: &Path) -> Command {
        let Some(user) = self.0 else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", if user == "nobody" { "nogroup" } else { user }, "--clear-groups"]);
        command.arg(program).current_dir("/");
        command
    }
}

/// The folder with `initdb` and `postgres`: Debian keeps them off the `PATH`, by version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|it| it.path().join("bin")).collect();
    folders.sort_by_key(|it| {
        let version = it.parent().and_then(Path::file_name).and_then(|it| it.to_str());
        std::cmp::Reverse(version.and_then(|it| it.parse::<u32>().ok()))
    });
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let complete =
        |it: &PathBuf| ["initdb", "postgres", "pg_isready", "createdb"].iter().all(|name| it.join(name).exists());
    let found = folders.into_iter().find(complete);
    found.expect("PostgreSQL is missing: install the Debian package `postgresql` (`.ci/install test` does)")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
