//! Counts over time: each record once, whatever is asked when.

use airiskguard_gateway::store::Exchange;
use serde_json::json;

use crate::chain::{Chain, exchange, found, now_ms};
use crate::server::start;

const HOUR_MS: u64 = 3600 * 1000;

#[tokio::test]
pub async fn counts_follow_the_records_and_none_is_counted_twice() {
    let server = start().await;
    let owner = server.owner().await;
    let mut chain = Chain::new("edge-1");
    let old = now_ms() - 5 * 24 * HOUR_MS;
    chain.write(&server, old, vec![exchange("blue")]).await;
    chain
        .write(&server, now_ms() - 2 * HOUR_MS, vec![found("red", "secrets.aws.access_key", "block"), exchange("red")])
        .await;
    let refused =
        Exchange { refusal: Some("rate_limit_exceeded".into()), outcome: "refused".into(), ..exchange("red") };
    chain.write(&server, now_ms(), vec![found("blue", "pii.email", "redact"), refused]).await;
    for _ in 0..3 {
        let day = owner.get("/api/v1/overview").await.ok();
        let total = &day["total"];
        assert_eq!((&total["requests"], &total["blocked"], &total["redacted"]), (&json!(4), &json!(1), &json!(1)));
        assert_eq!((&total["refused"], &total["input_tokens"]), (&json!(1), &json!(4000)));
        // 1000 tokens at 3 dollars a million and 100 at 15, four times.
        assert_eq!(total["cost_nanos"], 4 * (3_000_000 + 1_500_000));
        let steps = day["steps"].as_array().unwrap();
        let with_some = steps.iter().filter(|it| it["count"]["requests"] != 0).count();
        assert_eq!((steps.len(), with_some), (24, 2));
        server.control.tend().await.unwrap();
    }
    let month = owner.get("/api/v1/overview?period=month").await.ok();
    assert_eq!((&month["total"]["requests"], month["steps"].as_array().unwrap().len()), (&json!(5), 30));
    assert_eq!(month["rules"][0]["requests"], 1);
    let teams: Vec<_> = month["teams"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(teams, ["red", "blue"]);
    assert_eq!(owner.get("/api/v1/overview?team=blue").await.ok()["total"]["requests"], 1);
    assert_eq!(owner.get("/api/v1/overview?period=year").await.refused().0, 422);
}

#[tokio::test]
pub async fn two_who_count_at_the_same_time_count_each_record_once() {
    let server = start().await;
    let owner = server.owner().await;
    let exchanges: Vec<_> = (0..1200).map(|_| exchange("red")).collect();
    Chain::new("edge-1").write(&server, now_ms() - 10_000, exchanges).await;
    let tends = (0..4).map(|_| {
        let control = server.control.clone();
        tokio::spawn(async move { control.tend().await.unwrap() })
    });
    for tend in tends.collect::<Vec<_>>() {
        tend.await.unwrap();
    }
    server.control.tend().await.unwrap();
    assert_eq!(owner.get("/api/v1/overview?period=month").await.ok()["total"]["requests"], 1200);
}

#[tokio::test]
pub async fn sessions_show_their_findings_and_whether_they_are_held() {
    let server = start().await;
    let owner = server.owner().await;
    let mut chain = Chain::new("edge-1");
    chain
        .write(&server, now_ms() - 9_000, vec![exchange("red"), found("red", "secrets.aws.access_key", "block")])
        .await;
    chain.write(&server, now_ms(), vec![exchange("blue")]).await;
    let held = json!({"kind": "session", "value": "red-session", "team": "red", "reason": "looks odd"});
    owner.post("/api/v1/quarantines", held).await.ok();
    let sessions = owner.get("/api/v1/sessions").await.ok()["sessions"].clone();
    assert_eq!((&sessions[0]["session"], &sessions[0]["held"]), (&json!("blue-session"), &json!(false)));
    let red = &sessions[1];
    assert_eq!((&red["requests"], &red["findings"], &red["blocked"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&red["risk"], &red["held"], &red["team"]), (&json!("critical"), &json!(true), &json!("red")));
}
