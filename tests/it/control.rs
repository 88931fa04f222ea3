//! The program behind a policy server: enrolled, told what to run on, cut off from it, and back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airiskguard_gateway::store::{self, Directory, Key, Marker, verify_stored};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::client;
use super::program::{PROGRAM, Running, free_address, program, start_in, write};
use super::provider;
use super::server::{self, Client, Server};

const ANSWER: &str = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"ok"}]}"#;

/// A line between gateways and their server that can be cut, and that can change what is signed.
struct Line {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    damaging: Arc<AtomicBool>,
}

impl Line {
    fn to(url: &str) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (cut, damaging) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let line = Line { address: listener.local_addr().unwrap(), cut: cut.clone(), damaging: damaging.clone() };
        let server: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (cut, damaging) = (cut.clone(), damaging.clone());
                let (cut_too, whole) = (cut.clone(), Arc::default());
                std::thread::spawn(move || carry(from, to, &cut_too, &whole));
                std::thread::spawn(move || carry(server, client, &cut, &damaging));
            }
        });
        line
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool, damaging: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut bytes = vec![0; 1 << 16];
    while !cut.load(Ordering::SeqCst) {
        let count = match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => break,
        };
        if damaging.load(Ordering::SeqCst) {
            let named = br#""signature":""#;
            if let Some(at) = bytes[..count].windows(named.len()).position(|it| it == named) {
                let digit = &mut bytes[(at + named.len()).min(count - 1)];
                *digit = if *digit == b'0' { b'1' } else { b'0' };
            }
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Status and body of an answer of the admin listener.
fn admin(running: &Running, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(running.addresses()[1]).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: admin\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn configuration(running: &Running) -> Value {
    serde_json::from_str(&admin(running, "/config").1).unwrap()
}

fn gateway() -> Command {
    program(&["--host", "127.0.0.1", "--port", "0"])
}

fn enroll(folder: &tempfile::TempDir, server: &str, token: &str) -> (bool, String) {
    let output = Command::new(PROGRAM)
        .current_dir(folder.path())
        .args(["enroll", "--server", server, "--token", token, "--config", "gateway.yaml"])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Everything that one test talks to.
struct World {
    runtime: Runtime,
    server: Server,
    owner: Client,
}

impl World {
    fn new() -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(server::start());
        let owner = runtime.block_on(server.owner());
        World { runtime, server, owner }
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.runtime.block_on(self.owner.post(path, body)).ok()
    }

    fn get(&self, path: &str) -> Value {
        self.runtime.block_on(self.owner.get(path)).ok()
    }

    fn delete(&self, path: &str) {
        self.runtime.block_on(self.owner.delete(path)).ok();
    }

    fn invite(&self) -> String {
        self.post("/api/v1/enrolments", json!({"hours": 1}))["token"].as_str().unwrap().to_owned()
    }

    /// How many records of this gateway are on the server, each once and in an unbroken chain.
    fn shipped(&self, folder: &tempfile::TempDir) -> u64 {
        let directory = Directory::look(&folder.path().join("airiskguard-data")).unwrap();
        let name = directory.gateway().unwrap();
        let key = Marker::new(&name, &directory.key(Key::Signing).unwrap()).public_key();
        let verify = async {
            let records = store::open(&self.server.target).await.unwrap();
            verify_stored(&*records, &name, Some(key)).await.unwrap().verdict()
        };
        let verdict = self.runtime.block_on(verify);
        assert!(verdict.faults.is_empty(), "{verdict:?}");
        verdict.rows
    }
}

fn ask(running: &Running, key: &str) -> u16 {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).to_string();
    client::Client::connect(running.address()).post("/v1/messages", &[("x-api-key", key)], body).status
}

/// Not enrolled, wrongly enrolled, enrolled, enrolled twice.
fn enroll_once(world: &World, folder: &tempfile::TempDir, address: &str) {
    let output = gateway().current_dir(folder.path()).args(["--config", "gateway.yaml"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("airiskguard-gateway enroll"));
    let (done, said) = enroll(folder, address, "arg-enrol-made-up");
    assert!(!done && said.contains("another token"), "{said}");
    let token = world.invite();
    let (done, said) = enroll(folder, address, &token);
    assert!(done && said.contains("is a gateway of"), "{said}");
    let (done, said) = enroll(folder, address, &token);
    assert!(!done && said.contains("already"), "{said}");
}

/// What is in force stays, and it is told; another key, once the line is whole.
fn damaged_on_its_way(world: &World, line: &Line, running: &Running, key: &str) -> String {
    line.damaging.store(true, Ordering::SeqCst);
    let more = world.post("/api/v1/teams/red/keys", json!({"name": "more"}));
    let more = more["key"].as_str().unwrap().to_owned();
    wait_for("the damage is not told", || configuration(running)["control"]["refused"].is_string());
    assert_eq!((ask(running, key), ask(running, &more)), (200, 401));
    wait_for("the server is not told", || world.get("/api/v1/gateways")[0]["report"]["refused"].is_string());
    line.damaging.store(false, Ordering::SeqCst);
    wait_for("the whole bundle is not in force", || ask(running, &more) == 200);
    more
}

#[test]
fn a_gateway_follows_its_server_and_serves_on_without_it() {
    let world = World::new();
    let line = Line::to(&world.server.url);
    let address = format!("http://{}", line.address);
    let provider = provider::start([provider::json(ANSWER)]);
    let folder = tempfile::tempdir().unwrap();
    let yaml = |more: &str| {
        format!("control: {{server: '{address}', poll: 1s}}\nadmin: {{listen: '{}'}}\n{more}", free_address())
    };
    write(&folder, "gateway.yaml", &yaml(""));

    enroll_once(&world, &folder, &address);

    // Nothing to run on yet.
    let running = start_in(folder, gateway());
    let refused = client::Client::connect(running.address()).post("/v1/messages", &[("x-api-key", "x")], "{}");
    assert!(refused.status == 529 && refused.text().contains("not been told"), "{}", refused.text());
    assert_eq!(admin(&running, "/readyz").0, 503);

    // A provider, a team and a key: served within a poll, with the provider's key in place of the gateway's.
    let secret = ["sk", "ant", "made", "up", "two"].join("-");
    let settings = json!({"urls": [format!("http://{}", provider.address)], "dialect": "anthropic"});
    world.post("/api/v1/providers", json!({"name": "anthropic", "settings": settings}));
    world.post("/api/v1/providers/anthropic/keys", json!({"name": "main", "key": secret}));
    world.post("/api/v1/teams", json!({"name": "red"}));
    let made = world.post("/api/v1/teams/red/keys", json!({"name": "laptops"}));
    let key = made["key"].as_str().unwrap().to_owned();
    let took = wait_for("the key is not known", || ask(&running, &key) == 200);
    println!("a key was live after {took:?}");
    assert_eq!(provider.request().header("x-api-key"), Some(secret.as_str()));
    assert_eq!(admin(&running, "/readyz").0, 200);
    assert!(configuration(&running)["control"]["generation"].as_u64() > Some(0));

    let more = damaged_on_its_way(&world, &line, &running, &key);

    // Cut off: it serves on, changes of its own file come into force beside what it was told, and it starts again.
    line.cut.store(true, Ordering::SeqCst);
    let before = configuration(&running)["reloads"].as_u64();
    write(running.folder(), "gateway.yaml", &format!("{}limits: {{findings_max: 77}}\n", yaml("")));
    Command::new("kill").args(["-HUP", &running.pid().to_string()]).status().unwrap();
    wait_for("the file is not in force", || configuration(&running)["reloads"].as_u64() > before);
    assert_eq!(ask(&running, &key), 200);
    let folder = running.kill();
    let running = start_in(folder, gateway());
    assert_eq!(ask(&running, &key), 200, "from the bundle on disk");
    for _ in 0..20 {
        assert_eq!(ask(&running, &key), 200);
    }

    // Back: revocation within a poll, and every record is there once.
    world.delete(&format!("/api/v1/keys/{}", made["id"].as_str().unwrap()));
    line.cut.store(false, Ordering::SeqCst);
    let took = wait_for("the key is not taken back", || ask(&running, &key) == 401);
    println!("a key was taken back {took:?} after the line was whole");
    assert_eq!(ask(&running, &more), 200);
    let log = running.log();
    let folder = running.stop_and_keep();
    assert!(!log.contains(&secret) && !log.contains(&key), "a key stands in the log");
    let shown = std::fs::read_to_string(folder.path().join("airiskguard-data/bundle.json")).unwrap();
    assert!(!shown.contains(&secret), "the provider's key lies on disk in clear");
    let running = start_in(folder, gateway());
    let served = |world: &World, running: &Running| {
        let rows = world.shipped(running.folder());
        rows >= 30 && world.get("/api/v1/gateways")[0]["report"]["records_behind"] == 0
    };
    wait_for("the records do not arrive", || served(&world, &running));
}
