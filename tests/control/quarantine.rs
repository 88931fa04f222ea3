//! Quarantines of the fleet: by hand, within reach, until released.

use std::time::Duration;

use airiskguard_gateway::store::{CommitError, Objects, Write};
use serde_json::{Value, json};

use crate::chain::{Chain, exchange, now_ms};
use crate::server::{Client, start};

async fn listed(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/api/v1/quarantines{query}")).await.ok().as_array().unwrap().clone()
}

#[tokio::test]
pub async fn a_quarantine_is_imposed_once_and_released_with_a_reason() {
    let server = start().await;
    let owner = server.owner().await;
    let analyst = server.user(&owner, "ana", &["analyst"], &[]).await;
    let new =
        json!({"kind": "session", "value": "s-1", "team": "red", "reason": "too many keys", "contact": "#security"});
    let made = analyst.post("/api/v1/quarantines", new.clone()).await.ok();
    let reference = made["reference"].as_str().unwrap();
    assert!(reference.starts_with("Q-") && made["holds"] == true && made["by"] == "user:ana");
    assert_eq!(analyst.post("/api/v1/quarantines", new.clone()).await.refused().0, 409);
    assert_eq!(listed(&analyst, "").await.len(), 1);
    let path = format!("/api/v1/quarantines/{reference}/release");
    assert_eq!(analyst.post(&path, json!({"reason": " "})).await.refused().0, 422);
    let released = analyst.post(&path, json!({"reason": "it was a drill"})).await.ok();
    assert_eq!((&released["holds"], &released["released"]["reason"]), (&json!(false), &json!("it was a drill")));
    assert_eq!(analyst.post(&path, json!({"reason": "again"})).await.refused().0, 409);
    assert_eq!((listed(&analyst, "").await.len(), listed(&analyst, "?all=true").await.len()), (0, 1));
    analyst.post("/api/v1/quarantines", new).await.ok();
    let acts = server.acts("quarantine.released").await;
    let released = acts.iter().find(|it| it.0 == "quarantine.released").unwrap();
    assert!(released.1 == "user:ana" && released.2["released"].contains("it was a drill"));
}

#[tokio::test]
pub async fn one_with_an_end_ends_by_itself() {
    let server = start().await;
    let owner = server.owner().await;
    let new = json!({"kind": "session", "value": "s-1", "reason": "a while", "hours": 2});
    owner.post("/api/v1/quarantines", new).await.ok();
    server.clock.by(Duration::from_secs(2 * 3600 + 1));
    let owner = server.signed_in("olga").await;
    assert_eq!((listed(&owner, "").await.len(), listed(&owner, "?all=true").await.len()), (0, 1));
}

#[tokio::test]
pub async fn a_lead_keeps_out_sessions_and_keys_of_the_own_team_alone() {
    let server = start().await;
    let owner = server.owner().await;
    for name in ["red", "blue"] {
        owner.post("/api/v1/teams", json!({"name": name})).await.ok();
    }
    Chain::new("edge-1").write(&server, now_ms(), vec![exchange("red"), exchange("blue")]).await;
    let mut keys = Vec::new();
    for team in ["red", "blue"] {
        let key = owner.post(&format!("/api/v1/teams/{team}/keys"), json!({"name": "laptop"})).await.ok();
        keys.push(key["in_records"].as_str().unwrap().to_owned());
    }
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    let held = |kind: &str, value: &str, team: Option<&str>| json!({"kind": kind, "value": value, "team": team, "reason": "odd"});
    for (new, status) in [
        (held("session", "red-session", Some("red")), 201),
        (held("session", "red-session", None), 422),
        (held("session", "blue-session", Some("blue")), 404),
        (held("session", "blue-session", Some("red")), 404),
        (held("key", &keys[0], None), 201),
        (held("key", &keys[1], None), 404),
        (held("key", "0a0b0c0d", None), 404),
        (held("team", "red", None), 403),
        (held("user", "anybody", None), 403),
        (held("session", "\u{0}", Some("red")), 422),
        (held("session", "", Some("red")), 422),
    ] {
        let reply = lead.post("/api/v1/quarantines", new.clone()).await;
        assert_eq!(reply.status, status, "{new}: {}", reply.text);
    }
    let blue = owner.post("/api/v1/quarantines", held("key", &keys[1], None)).await.ok();
    let team = owner.post("/api/v1/quarantines", held("team", "blue", None)).await.ok();
    assert_eq!((listed(&lead, "").await.len(), listed(&owner, "").await.len()), (2, 4));
    for it in [blue, team] {
        let path = format!("/api/v1/quarantines/{}/release", it["reference"].as_str().unwrap());
        assert_eq!(lead.post(&path, json!({"reason": "mine now"})).await.refused().0, 404);
    }
    let developer = server.user(&owner, "dev", &["developer"], &["red"]).await;
    assert_eq!(developer.get("/api/v1/quarantines").await.refused().0, 403);
}

#[tokio::test]
async fn a_lead_does_not_let_in_whom_somebody_else_keeps_out() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let analyst = server.user(&owner, "ana", &["analyst"], &[]).await;
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    let id = lead.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let key = owner.post("/api/v1/teams/red/keys", json!({"name": "laptop", "owner": id})).await.ok();
    let rotate = format!("/api/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    for (kind, value) in [("key", key["in_records"].clone()), ("user", json!(id))] {
        let new = json!({"kind": kind, "value": value, "reason": "odd"});
        let reference = analyst.post("/api/v1/quarantines", new).await.ok()["reference"].clone();
        for client in [&lead, &owner] {
            let refused = client.post(&rotate, json!({})).await;
            assert_eq!(refused.refused().0, 409, "a successor would not be held");
            assert!(refused.text.contains(reference.as_str().unwrap()), "{}", refused.text);
        }
        let release = format!("/api/v1/quarantines/{}/release", reference.as_str().unwrap());
        analyst.post(&release, json!({"reason": "it was a drill"})).await.ok();
    }
    lead.post(&rotate, json!({})).await.ok();
    let new = json!({"kind": "team", "value": "red", "reason": "odd"});
    let team = analyst.post("/api/v1/quarantines", new).await.ok();
    assert_eq!(listed(&lead, "").await, std::slice::from_ref(&team), "whose team it is may know");
    let release = format!("/quarantines/{}/release", team["reference"].as_str().unwrap());
    let refused = lead.post(&format!("/api/v1{release}"), json!({"reason": "mine"})).await;
    assert_eq!(refused.refused().0, 403);
    assert_eq!((listed(&lead, "").await.len(), listed(&analyst, "").await.len()), (1, 1), "it still holds");
    assert!(!lead.get("/sessions").await.text.contains(&release), "nor does the page offer it");
    assert!(analyst.get("/sessions").await.text.contains(&release));
    analyst.post(&format!("/api/v1{release}"), json!({"reason": "over"})).await.ok();
}

/// What a lead has done, leads of the team undo. What security has done beside it, they do not.
#[tokio::test]
pub async fn a_lead_releases_whom_a_lead_of_the_team_keeps_out_and_nobody_else() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    Chain::new("edge-1").write(&server, now_ms(), vec![exchange("red")]).await;
    let key = owner.post("/api/v1/teams/red/keys", json!({"name": "laptop"})).await.ok();
    let analyst = server.user(&owner, "ana", &["analyst"], &[]).await;
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    let other_lead = server.user(&owner, "leo", &["team_lead"], &["red"]).await;
    let release = |it: &Value| format!("/quarantines/{}/release", it["reference"].as_str().unwrap());
    let reason = json!({"reason": "it was a drill"});
    for new in [
        json!({"kind": "session", "value": "red-session", "team": "red", "reason": "odd"}),
        json!({"kind": "key", "value": key["in_records"], "reason": "odd"}),
    ] {
        let own = lead.post("/api/v1/quarantines", new.clone()).await.ok();
        assert_eq!((&own["by"], &own["by_lead"]), (&json!("user:lea"), &json!(true)));
        let securitys = analyst.post("/api/v1/quarantines", new.clone()).await.ok();
        assert_eq!((&securitys["by"], &securitys["by_lead"]), (&json!("user:ana"), &json!(false)));
        for client in [&lead, &analyst] {
            assert_eq!(client.post("/api/v1/quarantines", new.clone()).await.refused().0, 409, "it is held already");
        }
        let page = other_lead.get("/sessions").await.text;
        assert!(page.contains(&release(&own)) && !page.contains(&release(&securitys)));
        other_lead.post(&format!("/api/v1{}", release(&own)), reason.clone()).await.ok();
        let refused = lead.post(&format!("/api/v1{}", release(&securitys)), reason.clone()).await;
        assert_eq!(refused.refused().0, 403);
        assert!(refused.text.contains("ask an analyst or an administrator"), "{}", refused.text);
        assert_eq!(listed(&lead, "").await, std::slice::from_ref(&securitys), "it still holds");
        analyst.post(&format!("/api/v1{}", release(&securitys)), reason.clone()).await.ok();
        // And security undoes everything.
        let own = lead.post("/api/v1/quarantines", new).await.ok();
        analyst.post(&format!("/api/v1{}", release(&own)), reason.clone()).await.ok();
    }
}

/// Whoever makes a successor of a key has read it before. A quarantine of the key makes what was read stale.
#[tokio::test]
pub async fn a_key_that_is_kept_out_at_the_same_moment_gets_no_successor() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let key = owner.post("/api/v1/teams/red/keys", json!({"name": "laptop"})).await.ok();
    let objects = Objects::open(&server.target).await.unwrap();
    let read = objects.get("key", key["id"].as_str().unwrap(), now_ms()).await.unwrap().unwrap();
    let new = json!({"kind": "key", "value": key["in_records"], "reason": "odd"});
    let held = owner.post("/api/v1/quarantines", new).await.ok();
    let written = objects.commit(&[Write::Update(read)], now_ms()).await;
    assert!(matches!(written, Err(CommitError::Stale { .. })), "{written:?}");
    assert_eq!(listed(&owner, "").await, [held]);
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_kept_out() {
    let server = start().await;
    let owner = server.owner().await;
    for (kind, value, status) in
        [("team", "none", 404), ("user", "none", 404), ("key", "none", 404), ("key", "0a0b0c0d", 201)]
    {
        let reply = owner.post("/api/v1/quarantines", json!({"kind": kind, "value": value, "reason": "odd"})).await;
        assert_eq!(reply.status, status, "{kind}: {}", reply.text);
    }
    assert_eq!(
        owner.post("/api/v1/quarantines", json!({"kind": "group", "value": "x", "reason": "odd"})).await.refused().0,
        422
    );
    assert_eq!(owner.post("/api/v1/quarantines/none/release", json!({"reason": "x"})).await.refused().0, 404);
}
