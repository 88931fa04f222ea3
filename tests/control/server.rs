//! A control plane on a loopback port, with a folder of its own, and clients of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use airiskguard_gateway::config::{Durability, OnAuditFailure};
use airiskguard_gateway::control::{self, Control, MasterKey, Parts, Settings};
use airiskguard_gateway::domain::{Clock, Secret, Stamp};
use airiskguard_gateway::sinks::{Archive, Following, Ledger, Metrics, Reader, Setup, WallClock};
use airiskguard_gateway::store::{self, Directory, Journal, Key, Marker, Objects};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::postgres::Cluster;

thread_local! {
    /// Whether servers that this thread starts are on PostgreSQL, each on a database of its own in the process's cluster.
    pub static OVER_POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Databases that were made in the cluster.
static DATABASES: AtomicU64 = AtomicU64::new(0);

/// Looks into audit logs.
static MARKS: AtomicU64 = AtomicU64::new(0);

/// The machine's clock, and as much later as the test says.
#[derive(Default)]
pub struct Later {
    wall: WallClock,
    milliseconds: AtomicU64,
}

impl Later {
    pub fn by(&self, duration: Duration) {
        self.milliseconds.fetch_add(duration.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> Stamp {
        let now = self.wall.now();
        let later = Duration::from_millis(self.milliseconds.load(Ordering::SeqCst));
        Stamp { monotonic: now.monotonic + later, unix: now.unix + later }
    }
}

/// A server, and what a test may look into.
pub struct Server {
    pub url: String,
    pub control: Control,
    pub clock: Arc<Later>,
    /// The address of its database.
    pub target: String,
    pub folder: tempfile::TempDir,
    ledger: Option<Ledger>,
    _stop: watch::Sender<bool>,
}

/// Somebody's browser or program.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub url: String,
    /// What requests of a session send back.
    pub csrf: Option<String>,
    /// What is sent as a bearer.
    pub token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }

    /// The JSON of a success.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// The title of a refusal.
    pub fn refused(&self) -> (u16, String) {
        assert!(self.status >= 400, "{} {}", self.status, self.text);
        (self.status, self.json()["title"].as_str().unwrap_or_default().to_owned())
    }
}

/// A server with these settings, empty.
pub async fn start_with(settings: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let target = match OVER_POSTGRES.get() {
        true => Cluster::shared().database(&format!("control_{}", DATABASES.fetch_add(1, Ordering::SeqCst))),
        false => format!("sqlite:{}", folder.path().join("control.db").display()),
    };
    start_at(settings, folder, target).await
}

/// A server with the usual settings, empty.
pub async fn start() -> Server {
    start_with("").await
}

/// A server with this folder and database, which may be those of one before.
pub async fn start_at(settings: &str, folder: tempfile::TempDir, target: String) -> Server {
    // Another test of this process may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut settings = Settings::parse(settings).unwrap();
    if settings.public_url == Settings::default().public_url {
        settings.public_url.clone_from(&url);
    }
    let clock = Arc::new(Later::default());
    let records = store::open(&target).await.unwrap();
    let mut directory = Directory::open(&folder.path().join("data")).unwrap();
    let ledger = ledger(&mut directory, &target, clock.clone());
    let control = Control::new(Parts {
        objects: Arc::new(Objects::open(&target).await.unwrap()),
        records: records.into(),
        scribe: Some(ledger.scribe()),
        master: MasterKey::new([7; 32]),
        settings,
        clock: clock.clone(),
    });
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(control::serve(control.clone(), listener, None, stopped));
    Server { url, control, clock, target, folder, ledger: Some(ledger), _stop: stop }
}

fn ledger(directory: &mut Directory, target: &str, clock: Arc<dyn Clock>) -> Ledger {
    let (name, signing) = (directory.gateway().unwrap(), directory.key(Key::Signing).unwrap());
    let (journal, _) = Journal::open(&directory.journal(), name.clone(), None).unwrap();
    let archive = Archive::new(Secret::new(target.to_owned()), &name, Marker::new(&name, &signing), None);
    let following = Following::new(directory.cursor(Archive::NAME), None, 0);
    Ledger::start(Setup {
        journal,
        marker: Marker::new(&name, &signing),
        text_key: None,
        readers: vec![Reader { outlet: Box::new(archive), following }],
        durability: Durability::Batched,
        on_failure: OnAuditFailure::Block,
        spool_bytes_max: 1 << 20,
        metrics: Arc::new(Metrics::new().unwrap()),
        clock,
    })
    .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(ledger) = self.ledger.take() {
            // A runtime of its own is in it, which cannot be ended from within another one.
            drop(std::thread::spawn(move || ledger.finish()).join());
        }
    }
}

/// The password of everyone in these tests.
pub const PASSWORD: &str = "correct horse battery";

impl Server {
    /// Somebody who is not signed in.
    pub fn nobody(&self) -> Client {
        let http = reqwest::Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        Client { http: http.build().unwrap(), url: self.url.clone(), csrf: None, token: None }
    }

    /// The first owner, signed in.
    pub async fn owner(&self) -> Client {
        let token = self.control.setup_token().await.unwrap().expect("nobody has been here before");
        let mut client = self.nobody();
        let owner = json!({"token": token, "name": "olga", "password": PASSWORD});
        client.post("/api/v1/setup", owner).await.ok();
        client.remember().await;
        client
    }

    /// A user with these roles and teams, signed in.
    pub async fn user(&self, owner: &Client, name: &str, roles: &[&str], teams: &[&str]) -> Client {
        let user = json!({"name": name, "password": PASSWORD, "roles": roles, "teams": teams});
        owner.post("/api/v1/users", user).await.ok();
        self.signed_in(name).await
    }

    /// A local user, signed in.
    pub async fn signed_in(&self, name: &str) -> Client {
        let mut client = self.nobody();
        client.post("/api/v1/sign-in", json!({"name": name, "password": PASSWORD})).await.ok();
        client.remember().await;
        client
    }

    /// All acts that were recorded before this call, oldest first, `wanted` among them. An act of the test's own goes behind
    /// them into the same queue: once that can be read, they can. Work in the background may record `wanted` later yet.
    pub async fn acts(&self, wanted: &str) -> Vec<(String, String, BTreeMap<String, String>)> {
        let query = store::Query { kind: Some("act".into()), rows_max: 1000, ..store::Query::default() };
        let records = store::open(&self.target).await.unwrap();
        let mut mark = self.mark();
        for _ in 0..600 {
            let entries = records.search(&query).await.unwrap();
            let acts = entries.into_iter().rev().filter_map(|it| match it.record().unwrap().subject {
                store::Subject::Act(it) => Some(it),
                _ => None,
            });
            let (marks, acts): (Vec<_>, Vec<_>) = acts.partition(|it| it.act == mark.act);
            if marks.contains(&mark) {
                if acts.iter().any(|it| it.act == wanted) {
                    return acts.into_iter().map(|it| (it.act, it.actor, it.details)).collect();
                }
                mark = self.mark();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no act {wanted} was written down");
    }

    /// An act that there is only once, on its way into the audit log.
    fn mark(&self) -> store::Act {
        let number = MARKS.fetch_add(1, Ordering::SeqCst).to_string();
        let details = BTreeMap::from([("number".to_owned(), number)]);
        let mark = store::Act { act: "test.looked".into(), actor: "test".into(), details };
        self.ledger.as_ref().unwrap().act(mark.clone());
        mark
    }
}

impl Client {
    /// Asks for what this session has to send back.
    pub async fn remember(&mut self) {
        self.csrf = self.get("/api/v1/me").await.ok()["csrf"].as_str().map(str::to_owned);
    }

    /// The same without cookies, with this token.
    pub fn with_token(&self, token: &str) -> Client {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Client { http, url: self.url.clone(), csrf: None, token: Some(token.to_owned()) }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(csrf) = &self.csrf {
            request = request.header("x-csrf-token", csrf);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }
}
