//! Searching, reading, exporting and verifying the records of all gateways, each within reach.

use serde_json::{Value, json};

use crate::chain::{Chain, exchange, found, now_ms, with_key};
use crate::server::{Client, Server, start};

const RULE: &str = "secrets.aws.access_key";

fn ids(page: &Value) -> Vec<String> {
    page["records"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

/// Everything that a search gives, page by page.
async fn all_pages(client: &Client, query: &str, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page = client.get(&format!("/api/v1/records?{query}&limit={limit}{cursor}")).await.ok();
        all.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
    panic!("the pages do not end");
}

/// Two teams, a key of a developer's in the first.
async fn two_teams(server: &Server, owner: &Client) -> (Client, Client, String) {
    for name in ["red", "blue"] {
        owner.post("/api/v1/teams", json!({"name": name})).await.ok();
    }
    let lead = server.user(owner, "lea", &["team_lead"], &["red"]).await;
    let developer = server.user(owner, "dev", &["developer"], &["red"]).await;
    let user = developer.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let key = owner.post("/api/v1/teams/red/keys", json!({"name": "laptop", "owner": user})).await.ok();
    (lead, developer, key["in_records"].as_str().unwrap().to_owned())
}

#[tokio::test]
pub async fn pages_of_two_gateways_hold_every_record_once_the_newest_first() {
    let server = start().await;
    let owner = server.owner().await;
    let at = now_ms() - 60_000;
    let (mut one, mut two) = (Chain::new("edge-1"), Chain::new("edge-2"));
    let mut wanted = one.write(&server, at, (0..17).map(|_| exchange("red")).collect()).await;
    wanted.extend(two.write(&server, at, (0..9).map(|_| found("blue", RULE, "block")).collect()).await);
    for limit in [1, 4, 200] {
        let mut seen = all_pages(&owner, "", limit).await;
        assert_eq!(seen.len(), 26, "limit {limit}");
        seen.sort();
        seen.dedup();
        let mut wanted = wanted.clone();
        wanted.sort();
        assert_eq!(seen, wanted, "limit {limit}");
    }
    let page = owner.get("/api/v1/records?limit=200").await.ok();
    let times: Vec<u64> =
        page["records"].as_array().unwrap().iter().map(|it| it["written_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other));
    for (query, count) in [
        ("team=blue", 9),
        ("gateway=edge-1", 17),
        (&format!("rule={RULE}") as &str, 9),
        ("action=block&risk=critical", 9),
        ("session=red-session", 17),
        ("team=nobody", 0),
        (&format!("until_ms={}", at + 2), 4),
    ] {
        assert_eq!(all_pages(&owner, query, 5).await.len(), count, "{query}");
    }
}

#[tokio::test]
pub async fn nobody_sees_records_beyond_their_reach() {
    let server = start().await;
    let owner = server.owner().await;
    let (lead, developer, key) = two_teams(&server, &owner).await;
    let mut chain = Chain::new("edge-1");
    let exchanges =
        vec![exchange("red"), with_key(exchange("red"), &key), with_key(exchange("blue"), &key), exchange("blue")];
    let written = chain.write(&server, now_ms() - 10_000, exchanges).await;
    chain.act(&server, now_ms() - 5_000, "gateway.started").await;
    let act = format!("edge-1-{:06}", 5);
    let reach = [(&owner, vec![0, 1, 2, 3]), (&lead, vec![0, 1]), (&developer, vec![1])];
    for (client, expected) in reach {
        let mut seen = all_pages(client, "", 2).await;
        seen.sort();
        let expected: Vec<_> = expected.iter().map(|it| written[*it].clone()).collect();
        assert_eq!(seen, expected);
        for id in &written {
            let reply = client.get(&format!("/api/v1/records/{id}")).await;
            assert_eq!(reply.status == 200, expected.contains(id), "{id}: {}", reply.text);
        }
        assert_eq!(ids(&client.get("/api/v1/feed").await.ok()).len(), expected.len());
        let sessions = client.get("/api/v1/sessions").await.ok();
        let requests = sessions["sessions"].as_array().unwrap().iter().map(|it| it["requests"].as_u64().unwrap());
        assert_eq!(requests.sum::<u64>() as usize, expected.len());
        assert_eq!(client.get("/api/v1/overview").await.ok()["total"]["requests"], expected.len());
    }
    for client in [&lead, &developer] {
        assert_eq!(ids(&client.get("/api/v1/records?team=blue").await.ok()).len(), 0);
        assert_eq!(client.get("/api/v1/overview?team=blue").await.ok()["total"]["requests"], 0);
        assert_eq!(client.get("/api/v1/records?kind=act").await.refused().0, 403);
        assert_eq!(client.get(&format!("/api/v1/records/{act}")).await.refused().0, 404);
        assert_eq!(client.get("/api/v1/audit/export").await.refused().0, 403);
        assert_eq!(client.post("/api/v1/audit/verifications", json!({})).await.refused().0, 403);
        assert_eq!(client.get("/api/v1/audit/verifications").await.refused().0, 403);
    }
    assert_eq!(owner.get(&format!("/api/v1/records/{act}")).await.ok()["act"], "gateway.started");
    assert!(ids(&owner.get("/api/v1/records?kind=act&gateway=edge-1").await.ok()).contains(&act));
}

#[tokio::test]
pub async fn a_record_says_what_was_found_where_why_and_what_was_done() {
    let server = start().await;
    let owner = server.owner().await;
    let written = Chain::new("edge-1").write(&server, now_ms(), vec![found("red", RULE, "redact")]).await;
    let detail = owner.get(&format!("/api/v1/records/{}", written[0])).await.ok();
    let finding = &detail["found"][0];
    assert_eq!(
        (&finding["rule"], &finding["action"], &finding["direction"]),
        (&json!(RULE), &json!("redact"), &json!("outbound"))
    );
    assert!(finding["why"].as_str().unwrap().len() > 20 && finding["title"].as_str().unwrap().len() > 3);
    assert_eq!(finding["place"], "message 0, line 1 (messages[0].content)");
    assert_eq!(detail["record"]["exchange"]["team"], "red");
    assert_eq!(detail["hash"].as_str().unwrap().len(), 64);
}

#[tokio::test]
pub async fn no_input_breaks_a_search() {
    let server = start().await;
    let owner = server.owner().await;
    Chain::new("edge-1").write(&server, now_ms(), vec![exchange("red")]).await;
    for query in [
        "cursor=1.2",
        "cursor=%00",
        "cursor=1.1.edge%001",
        "team=%00",
        "limit=0",
        "limit=201",
        "limit=-1",
        "until_ms=99999999999999999999999",
        "nothing=1",
    ] {
        assert_eq!(owner.get(&format!("/api/v1/records?{query}")).await.refused().0, 422, "{query}");
    }
    for query in [
        "cursor=18446744073709551615.18446744073709551615.nobody",
        "until_ms=18446744073709551615",
        "from_ms=18446744073709551615",
    ] {
        owner.get(&format!("/api/v1/records?{query}")).await.ok();
    }
    assert_eq!(owner.get("/api/v1/records/%00").await.refused().0, 404);
    assert_eq!(owner.get("/api/v1/feed?after=x").await.refused().0, 422);
}

#[tokio::test]
pub async fn the_feed_tells_each_exchange_once() {
    let server = start().await;
    let owner = server.owner().await;
    let mut chain = Chain::new("edge-1");
    let at = now_ms() - 60_000;
    chain.write(&server, at, vec![exchange("red"), exchange("red")]).await;
    let first = owner.get("/api/v1/feed").await.ok();
    assert_eq!(ids(&first).len(), 2);
    let after = first["after"].as_str().unwrap().to_owned();
    let nothing = owner.get(&format!("/api/v1/feed?after={after}")).await.ok();
    assert_eq!((ids(&nothing).len(), nothing["after"].as_str()), (0, Some(after.as_str())));
    // The same moment as the last one.
    let new = chain.write(&server, at + 1, vec![exchange("red"), exchange("red")]).await;
    let next = owner.get(&format!("/api/v1/feed?after={after}")).await.ok();
    assert_eq!(ids(&next), [new[1].clone(), new[0].clone()]);
}

#[tokio::test]
pub async fn an_export_is_the_chain_and_is_written_down() {
    let server = start().await;
    let owner = server.owner().await;
    let auditor = server.user(&owner, "aud", &["auditor"], &[]).await;
    let at = now_ms() - 60_000;
    Chain::new("edge-1").write(&server, at, (0..1203).map(|_| exchange("red")).collect()).await;
    let reply = auditor.get("/api/v1/audit/export?gateway=edge-1").await;
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = reply.text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let sequences: Vec<u64> = lines.iter().map(|it| it["record"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=1203).collect::<Vec<_>>());
    let some =
        auditor.get(&format!("/api/v1/audit/export?gateway=edge-1&from_ms={}&until_ms={}", at + 600, at + 610)).await;
    assert_eq!(some.text.lines().count(), 10);
    assert_eq!(auditor.get("/api/v1/audit/export?gateway=none").await.refused().0, 404);
    let acts = server.acts("audit.exported").await;
    assert!(acts.iter().any(|it| it.0 == "audit.exported" && it.1 == "user:aud"));
}

#[tokio::test]
pub async fn a_verification_runs_behind_the_request_and_finds_what_was_changed() {
    let server = start().await;
    let owner = server.owner().await;
    let mut chain = Chain::new("edge-1");
    chain.write(&server, now_ms(), (0..5).map(|_| exchange("red")).collect()).await;
    assert_eq!(verified(&owner, "edge-1").await["faults"], 0);
    // One that is missing.
    chain.next(now_ms(), airiskguard_gateway::store::Subject::Exchange(Box::new(exchange("red"))));
    chain.write(&server, now_ms(), vec![exchange("red")]).await;
    let broken = verified(&owner, "edge-1").await;
    assert!(broken["faults"].as_u64().unwrap() > 0, "{broken}");
    server.acts("audit.verified").await;
}

/// What a verification says of this gateway.
async fn verified(owner: &Client, gateway: &str) -> Value {
    let started = owner.post("/api/v1/audit/verifications", json!({})).await.ok();
    let path = format!("/api/v1/audit/verifications/{}", started["id"].as_str().unwrap());
    for _ in 0..200 {
        let it = owner.get(&path).await.ok();
        if it["state"] != "running" {
            assert_eq!((&it["state"], &it["waiting"]), (&json!("done"), &json!(0)));
            let chains = it["chains"].as_array().unwrap();
            return chains.iter().find(|it| it["gateway"] == gateway).unwrap().clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the verification does not end");
}

#[tokio::test]
async fn the_page_of_records_leads_to_the_export_whom_it_is_for() {
    let server = start().await;
    let owner = server.owner().await;
    let auditor = server.user(&owner, "aud", &["auditor"], &[]).await;
    let developer = server.user(&owner, "dev", &["developer"], &[]).await;
    let page = auditor.get("/audit?gateway=edge-1&rule=x").await;
    assert!(page.text.contains("/api/v1/audit/export?gateway=edge-1\""), "{}", page.text);
    assert!(!developer.get("/audit").await.text.contains("audit/export"));
}
