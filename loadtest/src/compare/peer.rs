//! One peer: what its `peer.yaml` says, its configuration with ports filled in, its processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::Deserialize;
use tokio::process::{Child, Command};

use super::Entry;
use crate::agent::{Session, Shape, Tools};
use crate::client::{Call, Client};
use crate::dialect::Dialect;
use crate::files;
use crate::process::Watched;
use crate::provider::Provider;

/// How long a peer may take to answer for the first time: some load for half a minute on a machine that has nothing else to do.
const READY_TIMEOUT: Duration = Duration::from_secs(180);
/// A peer is idle after so many stretches of this length in which it took less than this part of one core.
const IDLE_WINDOWS: usize = 3;
const IDLE_WINDOW: Duration = Duration::from_millis(500);
const IDLE_PART: f64 = 0.03;
/// How long it may take to end when asked.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Lines of its output that are shown when it does not start.
const OUTPUT_LINES: usize = 6;

/// What all peers are started with.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where what was installed stands.
    pub installed: PathBuf,
    /// Where each peer gets a folder to run in.
    pub runs: PathBuf,
    /// The gateway's binary.
    pub gateway: PathBuf,
    /// Bare Pingora's binary.
    pub bare: PathBuf,
}

/// `peer.yaml`. In commands, files, headers and environment `{port}`, `{admin}`, `{provider}`, `{folder}`,
/// `{installed}`, `{gateway}` and `{bare}` are filled in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The name of its folder.
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    folder: PathBuf,
    /// What it is and does here.
    pub words: String,
    /// How it is started.
    command: Vec<String>,
    /// What prints its version.
    version: Vec<String>,
    /// What is put into the folder it runs in.
    #[serde(default)]
    files: Vec<Source>,
    /// Its environment beside `PATH` and `HOME`.
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Headers that its clients must send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What its clients have in their base URL behind the port.
    #[serde(default)]
    pub path: String,
    /// What it takes part in.
    pub scenarios: Vec<String>,
    /// Part of the requests that it gets, because it is so slow: 1 for all.
    #[serde(default = "whole")]
    pub part: f64,
}

/// A file of a peer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    /// Its name, beside `peer.yaml` or on a path from there.
    from: PathBuf,
    /// Texts that are replaced, each of which must occur.
    #[serde(default)]
    replace: Vec<(String, String)>,
    /// What is added at the end.
    #[serde(default)]
    append: String,
    /// Rules that are generated and added: how many.
    #[serde(default)]
    rules: usize,
}

fn whole() -> f64 {
    1.0
}

impl Peer {
    /// Reads the named peers, or all of them, each from its folder.
    pub fn read_all(folder: &Path, names: &[String]) -> Result<Vec<Peer>, String> {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let there = entries.flatten().filter(|it| it.path().join("peer.yaml").is_file());
        let mut there: Vec<String> = there.filter_map(|it| it.file_name().into_string().ok()).collect();
        there.sort();
        if let Some(unknown) = names.iter().find(|it| !there.contains(it)) {
            return Err(format!("no peer is called {unknown}; there are {}", there.join(", ")));
        }
        let wanted = there.iter().filter(|it| names.is_empty() || names.contains(it));
        wanted.map(|name| Peer::read(folder, name)).collect()
    }

    fn read(folder: &Path, name: &str) -> Result<Peer, String> {
        let folder = folder.join(name);
        let path = folder.join("peer.yaml");
        let text = files::text(&path).map_err(|error| error.to_string())?;
        let peer: Peer = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Peer { name: name.into(), folder, ..peer })
    }

    /// The headers its clients send.
    pub fn headers(&self, provider: u16) -> Vec<(String, String)> {
        let filled = |value: &str| value.replace("{provider}", &provider.to_string());
        self.headers.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
    }

    /// What is said of it before it is measured.
    pub async fn entry(&self, setting: &Setting) -> Entry {
        let places = Places { setting, folder: &self.folder, port: 0, admin: 0, provider: 0 };
        let mut version = String::new();
        if let Some((program, arguments)) = self.version.split_first() {
            let program = places.fill(program);
            let mut command = Command::new(&program);
            command.args(arguments.iter().map(|it| places.fill(it))).stdin(Stdio::null());
            if let Ok(output) = command.output().await {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                let line = said.lines().find(|line| line.contains(|it: char| it.is_ascii_digit()));
                // Some say where they stand on this machine, too.
                let line = line.unwrap_or_default().trim().trim_start_matches(&program).trim();
                version = line.chars().take(80).collect();
            }
        }
        Entry {
            name: self.name.clone(),
            words: self.words.clone(),
            version,
            command: self.command.join(" "),
            problem: None,
        }
    }
}

/// What is filled in.
struct Places<'a> {
    setting: &'a Setting,
    folder: &'a Path,
    port: u16,
    admin: u16,
    provider: u16,
}

impl Places<'_> {
    fn fill(&self, text: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        text.replace("{port}", &self.port.to_string())
            .replace("{admin}", &self.admin.to_string())
            .replace("{provider}", &self.provider.to_string())
            .replace("{folder}", &path(self.folder))
            .replace("{installed}", &path(&self.setting.installed))
            .replace("{gateway}", &path(&self.setting.gateway))
            .replace("{bare}", &path(&self.setting.bare))
    }
}

/// A peer's processes. They end with it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// Where it tells its metrics, if it does.
    pub admin: u16,
    /// The folder it runs in.
    pub folder: PathBuf,
}

impl Running {
    /// Writes its files and starts it.
    pub async fn start(peer: &Peer, setting: &Setting, provider: u16) -> Result<Running, String> {
        let folder = setting.runs.join(&peer.name);
        // What the run before left behind would be part of this one: audit logs, caches, sockets.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let [port, admin] = free_ports().map_err(|error| error.to_string())?;
        let places = Places { setting, folder: &folder, port, admin, provider };
        for source in &peer.files {
            let text = source.text(&peer.folder)?;
            let name = source.from.file_name().unwrap_or_default();
            files::write(&folder.join(name), &places.fill(&text)).map_err(|error| error.to_string())?;
        }
        let (program, arguments) = peer.command.split_first().ok_or("peer.yaml names no command")?;
        let output = File::create(folder.join("output.log")).map_err(|error| error.to_string())?;
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        let program = places.fill(program);
        let child = Command::new(&program)
            .args(arguments.iter().map(|it| places.fill(it)))
            .env_clear()
            .envs(["PATH", "LANG"].into_iter().filter_map(|it| Some((it, std::env::var_os(it)?))))
            .env("HOME", &folder)
            .envs(peer.environment.iter().map(|(name, value)| (name, places.fill(value))))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // A group of its own, so that whatever it starts ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        Ok(Running { child, port, admin, folder })
    }

    /// Its processes.
    pub fn watched(&self) -> Watched {
        Watched::new(self.child.id().into_iter().collect())
    }

    /// Waits until it answers a request as the provider does.
    pub async fn ready(&self, client: &Client, provider: &Arc<Provider>) -> Result<(), String> {
        let shape =
            Shape { dialect: Dialect::Anthropic, first_bytes: 2_048, turn_bytes: 0, tools: Tools::Own, stream: false };
        let call = Call { dialect: shape.dialect, body: Session::new(shape, 1).body() };
        let until = Instant::now() + READY_TIMEOUT;
        let mut last = String::from("no answer");
        while Instant::now() < until {
            if !self.watched().alive() {
                return Err(format!("ended: {}", self.output()));
            }
            let before = provider.counted().requests;
            let outcome = client.exchange(&call, Instant::now()).await;
            if outcome.failure.is_none() && outcome.status == Some(200) && provider.counted().requests > before {
                self.settled(until).await;
                return Ok(());
            }
            last = match (outcome.failure, outcome.status) {
                (Some(failure), _) => failure.to_string(),
                (None, status) => format!("status {}", status.unwrap_or_default()),
            };
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(format!("not ready after {} s ({last}): {}", READY_TIMEOUT.as_secs(), self.output()))
    }

    /// Waits until it is idle: what a peer prepares behind its first answers is not the price of a request.
    async fn settled(&self, until: Instant) {
        let watched = self.watched();
        let mut idle = 0;
        while idle < IDLE_WINDOWS && Instant::now() < until {
            let before = watched.cpu();
            tokio::time::sleep(IDLE_WINDOW).await;
            idle = if watched.cpu().since(&before) < IDLE_WINDOW.mul_f64(IDLE_PART) { idle + 1 } else { 0 };
        }
    }

    /// Ends it and waits for that.
    pub async fn stop(mut self) {
        self.stop_now().await;
    }

    /// Ends it and waits for that; by force, if asking is not enough.
    pub async fn stop_now(&mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            drop(self.child.wait().await);
        }
    }

    fn signal(&self, signal: Signal) {
        let group = self.child.id().and_then(|it| Pid::from_raw(i32::try_from(it).ok()?));
        if let Some(group) = group {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    fn output(&self) -> String {
        let text = files::text(&self.folder.join("output.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines[lines.len().saturating_sub(OUTPUT_LINES)..].join(" | ");
        // Errors name paths of this machine, which are nobody else's business.
        last.replace(&self.folder.display().to_string(), "…").chars().take(600).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Source {
    fn text(&self, folder: &Path) -> Result<String, String> {
        let path = folder.join(&self.from);
        let mut text = files::text(&path).map_err(|error| error.to_string())?;
        for (old, new) in &self.replace {
            if !text.contains(old.as_str()) {
                return Err(format!("{}: does not contain {old:?}", path.display()));
            }
            text = text.replace(old.as_str(), new);
        }
        text.push_str(&self.append);
        (0..self.rules).for_each(|number| text.push_str(&rule(number)));
        Ok(text)
    }
}

/// One rule of a company with many services, each with tokens of its own.
fn rule(number: usize) -> String {
    let service = ["depot", "harbour", "meadow", "quarry", "signal", "timber", "valley", "window"][number % 8];
    let lead = format!("{}{service}{number}", char::from(b'a' + (number % 26) as u8));
    format!(
        "- id: house.services.{lead}\n  title: Token of a service of the house\n  risk: high\n  score: 0.9\n  type: HOUSE_TOKEN\n  action: block\n  \
         directions: [outbound]\n  keywords: ['{lead}_']\n  pattern: '\\b{lead}_[A-Za-z0-9]{{24}}\\b'\n  \
         why: It opens a service of the house.\n  advice: Take it from the vault.\n  \
         hits:\n    - 'use {lead}_{} here'\n  misses:\n    - 'the name {lead}_short is no token'\n\n",
        "a1B2c3D4e5F6g7H8i9J0k1L2"
    )
}

fn free_ports() -> std::io::Result<[u16; 2]> {
    // Both are held at the same time, so that they differ.
    let sockets = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
    Ok([sockets[0].local_addr()?.port(), sockets[1].local_addr()?.port()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_of_the_folder_is_read_and_names_scenarios_that_exist() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let peers = Peer::read_all(&root.join("peers"), &[]).unwrap();
        assert!(peers.len() >= 8);
        for peer in peers {
            assert!(!peer.scenarios.is_empty());
            for scenario in &peer.scenarios {
                assert!(root.join(format!("scenarios/{scenario}.yaml")).is_file(), "{}: {scenario}", peer.name);
            }
            for source in &peer.files {
                source.text(&peer.folder).unwrap();
            }
        }
        assert!(Peer::read_all(&root.join("peers"), &["nobody".into()]).unwrap_err().contains("nobody"));
    }

    #[test]
    fn a_generated_rule_is_yaml_and_no_two_share_a_keyword() {
        let text: String = (0..1_000).map(rule).collect();
        let rules: Vec<serde_yaml::Value> = serde_yaml::from_str(&text).unwrap();
        let keywords: std::collections::HashSet<_> =
            rules.iter().map(|it| it["keywords"][0].as_str().unwrap().to_string()).collect();
        assert_eq!((rules.len(), keywords.len()), (1_000, 1_000));
    }
}
