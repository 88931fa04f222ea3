//! Gateways: enrolment, polls, and what they say of themselves.

use std::time::Duration;

use airiskguard_gateway::store::{Head, Link, Marker};
use serde_json::{Value, json};

use crate::server::{Client, Server, start};

/// A gateway's own client, its id, and what signs its marks.
pub async fn enrolled(server: &Server, owner: &Client, name: &str) -> (Client, Value, Marker) {
    let token = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    let marker = Marker::new(name, &[9; 32]);
    let application = json!({"token": token, "name": name, "audit_key": marker.public_key()});
    let made = server.nobody().post("/api/v1/enrol", application).await.ok();
    let client = server.nobody().with_token(made["token"].as_str().unwrap());
    (client, made, marker)
}

/// A provider and a team, so that there is something to run on; the team's key.
pub async fn something_to_run_on(owner: &Client, url: &str) -> String {
    let provider = json!({"name": "anthropic", "settings": {"urls": [url], "dialect": "anthropic"}});
    owner.post("/api/v1/providers", provider).await.ok();
    let key = ["sk", "ant", "made", "up", "one"].join("-");
    owner.post("/api/v1/providers/anthropic/keys", json!({"name": "main", "key": key})).await.ok();
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    owner.post("/api/v1/teams/red/keys", json!({"name": "laptops"})).await.ok()["key"].as_str().unwrap().to_owned()
}

async fn poll(gateway: &Client, tag: Option<&str>, said: &str) -> (u16, Option<String>, String) {
    let mut request = gateway.http.get(format!("{}/api/v1/bundle?{said}", gateway.url));
    request = request.bearer_auth(gateway.token.as_ref().unwrap());
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    let response = request.send().await.unwrap();
    let tag = response.headers().get("etag").map(|it| it.to_str().unwrap().to_owned());
    (response.status().as_u16(), tag, response.text().await.unwrap())
}

#[tokio::test]
pub async fn a_token_enrols_once_and_a_name_is_given_once() {
    let server = start().await;
    let owner = server.owner().await;
    let token = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    let application = |name: &str| json!({"token": token, "name": name, "audit_key": "ab".repeat(32)});
    server.nobody().post("/api/v1/enrol", application("edge-1")).await.ok();
    assert_eq!(server.nobody().post("/api/v1/enrol", application("edge-2")).await.refused().0, 403);
    // Names that there are, and names that there are not: without a token nobody learns which.
    assert_eq!(server.nobody().post("/api/v1/enrol", application("edge-1")).await.refused().0, 403);
    let another = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    let again = |name: &str| json!({"token": another, "name": name, "audit_key": "ab".repeat(32)});
    assert_eq!(server.nobody().post("/api/v1/enrol", again("edge-1")).await.refused().0, 409);
    server.nobody().post("/api/v1/enrol", again("edge-2")).await.ok();
    let late = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    server.clock.by(Duration::from_secs(3601));
    let application = json!({"token": late, "name": "edge-3", "audit_key": "ab".repeat(32)});
    assert_eq!(server.nobody().post("/api/v1/enrol", application).await.refused().0, 403);
}

#[tokio::test]
pub async fn of_several_who_enrol_under_one_name_at_the_same_moment_one_is_a_gateway() {
    let server = start().await;
    let owner = server.owner().await;
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push(owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone());
    }
    let enrol = async |token: &Value, name: &str| {
        let application = json!({"token": token, "name": name, "audit_key": "ab".repeat(32)});
        server.nobody().post("/api/v1/enrol", application).await.status
    };
    let mut statuses = futures::future::join_all(tokens.iter().map(|it| enrol(it, "edge-1"))).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let gateways = owner.get("/api/v1/gateways").await.ok();
    assert_eq!(gateways.as_array().unwrap().len(), 1, "{gateways}");
    // The name is free again with the gateway, and the tokens of the others are not spent.
    owner.delete(&format!("/api/v1/gateways/{}", gateways[0]["id"].as_str().unwrap())).await.ok();
    let mut statuses = Vec::new();
    for token in &tokens {
        statuses.push(enrol(token, "edge-1").await);
    }
    assert_eq!(statuses.iter().filter(|it| **it == 201).count(), 1, "{statuses:?}");
}

#[tokio::test]
pub async fn a_bundle_is_given_once_and_again_when_something_has_changed() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, "edge-1").await;
    let nothing = poll(&gateway, None, "version=1&generation=0").await;
    assert_eq!(nothing.0, 409, "{}", nothing.2);
    let key = something_to_run_on(&owner, "https://api.anthropic.com").await;
    server.clock.by(Duration::from_secs(2));
    let (status, tag, text) = poll(&gateway, None, "version=1&generation=0").await;
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains(&key) && !text.contains("sk-ant"), "no key in clear");
    let (status, _, text) = poll(&gateway, tag.as_deref(), "version=1&generation=1").await;
    assert_eq!((status, text.as_str()), (304, ""));
    let id = owner.get("/api/v1/teams/red/keys").await.ok()[0]["id"].as_str().unwrap().to_owned();
    // At once: this server knows what it has changed.
    owner.delete(&format!("/api/v1/keys/{id}")).await.ok();
    let (status, newer, _) = poll(&gateway, tag.as_deref(), "version=1&generation=1").await;
    assert!(status == 200 && newer != tag, "a key that is taken back is another bundle");
    assert_eq!(server.nobody().get("/api/v1/bundle?version=1&generation=0").await.refused().0, 401);
    assert_eq!(owner.get("/api/v1/bundle?version=1&generation=0").await.refused().0, 403);
}

/// Keys make somebody's requests, so they are served as long as that one is let in.
#[tokio::test]
pub async fn keys_are_served_while_the_account_of_their_owner_is_open() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, "edge-1").await;
    something_to_run_on(&owner, "https://api.anthropic.com").await;
    let dev = server.user(&owner, "dev", &["developer"], &["red"]).await;
    let id = dev.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let new = json!({"name": "laptop", "owner": id});
    let key = owner.post("/api/v1/teams/red/keys", new.clone()).await.ok();
    let digest = format!("sha256:{}", key["in_records"].as_str().unwrap());
    // At once: this server knows what it has changed.
    let is_served = async || poll(&gateway, None, "version=1&generation=0").await.2.contains(&digest);
    let holds = async || {
        let keys = owner.get("/api/v1/teams/red/keys").await.ok();
        keys.as_array().unwrap().iter().find(|it| it["id"] == key["id"]).unwrap()["holds"].clone()
    };
    assert!(is_served().await && holds().await == true);
    let path = format!("/api/v1/users/{id}");
    owner.patch(&path, json!({"disabled": true})).await.ok();
    assert!(!is_served().await && holds().await == false, "the account is closed");
    let rotate = format!("/api/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    assert_eq!(owner.post(&rotate, json!({})).await.refused().0, 409);
    assert_eq!(owner.post("/api/v1/teams/red/keys", new).await.refused().0, 409);
    assert!(owner.get("/teams/red").await.text.contains("owner closed"));
    owner.patch(&path, json!({"disabled": false})).await.ok();
    assert!(is_served().await && holds().await == true, "and open again");
    owner.delete(&path).await.ok();
    assert!(!is_served().await && holds().await == false, "there is nobody whose key it is");
    let acts = server.acts("user.deleted").await;
    let revoked = acts.iter().find(|it| it.0 == "key.revoked").unwrap();
    assert_eq!((revoked.1.as_str(), &json!(revoked.2["id"])), ("user:olga", &key["id"]));
    // Whoever is gone can still be kept out by name.
    owner.post("/api/v1/quarantines", json!({"kind": "user", "value": id, "reason": "odd"})).await.ok();
}

/// A gateway that has the newest bundle is answered when there is another one.
#[tokio::test]
pub async fn a_poll_waits_for_what_changes() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, made, _) = enrolled(&server, &owner, "edge-1").await;
    something_to_run_on(&owner, "https://api.anthropic.com").await;
    let said = "version=1&generation=1&wait_seconds=10";
    let (status, tag, _) = poll(&gateway, None, said).await;
    assert_eq!(status, 200, "what is new is given at once");
    let keys = owner.get("/api/v1/teams/red/keys").await.ok();
    let later = async |path: String| {
        // By then the poll is there; if it comes later it is given the same.
        tokio::time::sleep(Duration::from_millis(300)).await;
        owner.delete(&path).await.ok();
    };
    let path = format!("/api/v1/keys/{}", keys[0]["id"].as_str().unwrap());
    let ((status, newer, _), ()) = tokio::join!(poll(&gateway, tag.as_deref(), said), later(path));
    assert_eq!((status, newer != tag), (200, true));
    let path = format!("/api/v1/gateways/{}", made["id"].as_str().unwrap());
    let removed = async {
        later(path).await;
        owner.post("/api/v1/teams", json!({"name": "blue"})).await.ok();
    };
    let ((status, _, text), ()) = tokio::join!(poll(&gateway, newer.as_deref(), said), removed);
    assert_eq!(status, 404, "it was removed while it waited: {text}");
    let brief = "version=1&generation=1&wait_seconds=1";
    let (gateway, _, _) = enrolled(&server, &owner, "edge-2").await;
    let (_, tag, _) = poll(&gateway, None, brief).await;
    assert_eq!(poll(&gateway, tag.as_deref(), brief).await.0, 304, "nothing has changed");
}

#[tokio::test]
pub async fn what_a_gateway_says_is_shown_and_a_removed_one_is_unknown() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, made, _) = enrolled(&server, &owner, "edge-1").await;
    let id = made["id"].as_str().unwrap().to_owned();
    poll(&gateway, None, "version=1.2.3&generation=7&refused=no+way&records_behind=12").await;
    let listed = owner.get("/api/v1/gateways").await.ok();
    let report = &listed[0]["report"];
    assert_eq!((&report["version"], &report["generation"]), (&json!("1.2.3"), &json!(7)));
    assert_eq!((&report["refused"], &report["records_behind"]), (&json!("no way"), &json!(12)));
    let first = report["at_ms"].clone();
    poll(&gateway, None, "version=1.2.3&generation=7&refused=no+way&records_behind=13").await;
    assert_eq!(owner.get("/api/v1/gateways").await.ok()[0]["report"]["at_ms"], first, "nothing new: not written again");
    server.clock.by(Duration::from_secs(31));
    poll(&gateway, None, "version=1.2.3&generation=7&refused=no+way&records_behind=13").await;
    assert_eq!(owner.get("/api/v1/gateways").await.ok()[0]["report"]["records_behind"], 13);
    owner.delete(&format!("/api/v1/gateways/{id}")).await.ok();
    assert_eq!(poll(&gateway, None, "version=1&generation=7").await.0, 401);
}

/// What the page of gateways says of the one that there is, and of its clock.
async fn shown(owner: &Client) -> (String, bool) {
    let page = owner.get("/gateways").await.text;
    let badge = page.split_once("<td><span class=\"badge ").unwrap().1;
    let state = badge.split_once('>').unwrap().1.split_once('<').unwrap().0;
    (state.to_owned(), page.contains("60 min ahead of this server"))
}

#[tokio::test]
async fn a_gateway_is_away_after_six_of_its_polls_and_in_step_before() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, "edge-1").await;
    for seconds in [5_u64, 60] {
        let said = format!("version=1&generation=1&poll_seconds={seconds}");
        // What says nothing new is kept before it is too old to tell that the gateway is there.
        for _ in 0..8 {
            poll(&gateway, None, &said).await;
            server.clock.by(Duration::from_secs(seconds - 1));
            assert_eq!(shown(&owner).await, ("in step".to_owned(), false));
        }
        poll(&gateway, None, &said).await;
        server.clock.by(Duration::from_secs(6 * seconds + 2));
        assert_eq!(shown(&owner).await.0, "away");
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, "edge-1").await;
    let hour_ms = 3_600_000;
    let said = |ahead: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        format!("version=1&generation=1&clock_ms={}", now + ahead)
    };
    poll(&gateway, None, &said(0)).await;
    assert_eq!(owner.get("/api/v1/gateways").await.ok()[0]["report"]["clock_ahead_ms"], 0);
    poll(&gateway, None, &said(hour_ms + 30_000)).await;
    assert_eq!(shown(&owner).await, ("in step".to_owned(), true));
    poll(&gateway, None, &said(0)).await;
    assert_eq!(shown(&owner).await, ("in step".to_owned(), false));
}

#[tokio::test]
pub async fn the_chain_of_another_is_not_continued() {
    let server = start().await;
    let owner = server.owner().await;
    let own = server.acts("user.created").await;
    assert!(!own.is_empty());
    let name = std::fs::read_to_string(server.folder.path().join("data/gateway.id")).unwrap();
    let name = name.trim();
    let token = owner.post("/api/v1/enrolments", json!({"hours": 1})).await.ok()["token"].clone();
    let marker = Marker::new(name, &[9; 32]);
    let proof = serde_json::to_value(marker.mark(Head { sequence: 0, hash: Link::FIRST }, 0)).unwrap();
    let application = json!({"token": token, "name": name, "audit_key": marker.public_key(), "proof": proof});
    let refused = server.nobody().post("/api/v1/enrol", application).await;
    assert_eq!(refused.refused().0, 409, "{}", refused.text);
}
