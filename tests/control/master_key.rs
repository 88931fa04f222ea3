//! The master key: a server that has another one than its store does not start, and spends nothing.

use std::path::Path;
use std::sync::Arc;

use airiskguard_gateway::control::{self, Control, MasterKey, Parts, Settings};
use airiskguard_gateway::domain::Secret;
use airiskguard_gateway::store::{self, Objects};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::gateways::{enrolled, something_to_run_on};
use crate::server::{Client, Server, start};

const REFUSAL: &str = "does not open what is kept in this store: start with the one it was made with";

/// What a server with this folder and key says that starts on this store; empty where it starts.
async fn started(folder: &Path, target: &str, master_key: Option<&str>) -> String {
    let opened = Control::open(folder, &Secret::new(target.to_owned()), Settings::default(), master_key).await;
    opened.err().unwrap_or_default()
}

/// Another server on the same store, with another key, that somebody let start all the same.
async fn with_another_key(server: &Server) -> (Client, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let control = Control::new(Parts {
        objects: Arc::new(Objects::open(&server.target).await.unwrap()),
        records: store::open(&server.target).await.unwrap().into(),
        scribe: None,
        master: MasterKey::new([8; 32]),
        settings: Settings::default(),
        clock: server.clock.clone(),
    });
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(control::serve(control, listener, None, stopped));
    (Client { url, ..server.nobody() }, stop)
}

#[tokio::test]
async fn a_server_starts_with_the_key_that_its_store_was_made_with_and_with_no_other() {
    let server = start().await;
    let owner = server.owner().await;
    let (folder, target) = (tempfile::tempdir().unwrap(), server.target.as_str());
    let key_file = folder.path().join("master.key");
    assert_eq!(started(folder.path(), target, None).await, "", "nothing is sealed yet: a key is made");
    assert!(key_file.exists());
    std::fs::remove_file(&key_file).unwrap();
    let (right, wrong) = ("07".repeat(32), "08".repeat(32));
    // First providers' keys are sealed, then what bundles are signed with.
    something_to_run_on(&owner, "https://api.anthropic.com").await;
    for _ in 0..2 {
        let said = started(folder.path(), target, None).await;
        assert!(said.contains(REFUSAL) && said.contains("master.key"), "{said}");
        assert!(!key_file.exists(), "no key is made that opens nothing");
        let said = started(folder.path(), target, Some(&wrong)).await;
        assert!(said.contains(REFUSAL), "{said}");
        std::fs::write(&key_file, &wrong).unwrap();
        assert!(started(folder.path(), target, None).await.contains(REFUSAL));
        std::fs::write(&key_file, &right).unwrap();
        assert_eq!(started(folder.path(), target, None).await, "");
        std::fs::remove_file(&key_file).unwrap();
        assert_eq!(started(folder.path(), target, Some(&right)).await, "");
        enrolled(&server, &owner, "edge-1").await;
        let id = owner.get("/api/v1/gateways").await.ok()[0]["id"].as_str().unwrap().to_owned();
        owner.delete(&format!("/api/v1/gateways/{id}")).await.ok();
    }
}

#[tokio::test]
async fn an_enrolment_that_cannot_be_finished_spends_no_token_and_leaves_no_gateway() {
    let server = start().await;
    let owner = server.owner().await;
    enrolled(&server, &owner, "edge-1").await;
    let (other, _stop) = with_another_key(&server).await;
    let token = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    let application = json!({"token": token, "name": "edge-2", "audit_key": "ab".repeat(32)});
    let refused = other.post("/api/v1/enrol", application.clone()).await;
    assert_eq!(refused.refused().0, 500);
    assert!(refused.text.contains(REFUSAL), "{}", refused.text);
    assert_eq!(owner.get("/api/v1/gateways").await.ok().as_array().unwrap().len(), 1);
    server.nobody().post("/api/v1/enrol", application).await.ok();
}
