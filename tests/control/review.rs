//! What waits for review, and what follows from a decision.

use serde_json::{Value, json};

use crate::chain::{Chain, exchange, found, now_ms};
use crate::server::{Client, start};

const RULE: &str = "secrets.aws.access_key";

async fn waiting(client: &Client) -> Vec<Value> {
    client.get("/api/v1/reviews").await.ok()["records"].as_array().unwrap().clone()
}

#[tokio::test]
pub async fn a_decision_takes_a_record_off_the_queue_and_counts_for_its_rules() {
    let server = start().await;
    let owner = server.owner().await;
    let mut chain = Chain::new("edge-1");
    let exchanges = vec![
        found("red", RULE, "review"),
        found("red", RULE, "review"),
        found("blue", RULE, "review"),
        exchange("red"),
    ];
    let ids = chain.write(&server, now_ms(), exchanges).await;
    let reviewer = server.user(&owner, "rita", &["reviewer"], &[]).await;
    assert_eq!(waiting(&reviewer).await.len(), 3);
    let judged = |judgement: &str| json!({"judgement": judgement, "note": "a sample from the handbook"});
    let reply = reviewer.post(&format!("/api/v1/reviews/{}", ids[0]), judged("false_positive")).await.ok();
    let text = reply["exceptions"].as_str().unwrap();
    for part in
        ["secrets.aws.access_key", "team: red", "source: user", "expires: ", "user:rita", "a sample from the handbook"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let approved = reviewer.post(&format!("/api/v1/reviews/{}", ids[1]), judged("approve")).await.ok();
    assert_eq!(approved["exceptions"], Value::Null);
    reviewer.post(&format!("/api/v1/reviews/{}", ids[2]), judged("reject")).await.ok();
    assert_eq!(waiting(&reviewer).await.len(), 0);
    assert_eq!(reviewer.post(&format!("/api/v1/reviews/{}", ids[0]), judged("approve")).await.refused().0, 409);
    assert_eq!(reviewer.post(&format!("/api/v1/reviews/{}", ids[3]), judged("approve")).await.refused().0, 409);
    assert_eq!(reviewer.post("/api/v1/reviews/nothing", judged("approve")).await.refused().0, 404);
    let precision = reviewer.get("/api/v1/rules/precision").await.ok();
    assert_eq!((&precision[0]["right"], &precision[0]["wrong"]), (&json!(2), &json!(1)));
    let acts = server.acts("review.decided").await;
    assert!(acts.iter().any(|it| it.0 == "review.decided" && it.1 == "user:rita"));
}

#[tokio::test]
pub async fn a_lead_decides_over_the_own_team_alone() {
    let server = start().await;
    let owner = server.owner().await;
    for name in ["red", "blue"] {
        owner.post("/api/v1/teams", json!({"name": name})).await.ok();
    }
    let ids = Chain::new("edge-1")
        .write(&server, now_ms(), vec![found("red", RULE, "review"), found("blue", RULE, "review")])
        .await;
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    let queue = waiting(&lead).await;
    assert_eq!(queue.iter().map(|it| &it["team"]).collect::<Vec<_>>(), ["red"]);
    let judged = json!({"judgement": "false_positive", "note": "known"});
    assert_eq!(lead.post(&format!("/api/v1/reviews/{}", ids[1]), judged.clone()).await.refused().0, 404);
    owner.post(&format!("/api/v1/reviews/{}", ids[1]), judged.clone()).await.ok();
    assert_eq!(lead.get("/api/v1/rules/precision").await.ok(), json!([]), "another team's judgements");
    lead.post(&format!("/api/v1/reviews/{}", ids[0]), judged).await.ok();
    assert_eq!(lead.get("/api/v1/rules/precision").await.ok()[0]["wrong"], 1);
    let developer = server.user(&owner, "dev", &["developer"], &["red"]).await;
    assert_eq!(developer.get("/api/v1/reviews").await.refused().0, 403);
}
