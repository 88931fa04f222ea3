//! Records of gateways as they arrive: proven, each once, in order.

use std::time::Duration;

use airiskguard_gateway::domain::Clock;
use airiskguard_gateway::store::{
    self, Act, CommitError, Head, Link, Marker, Objects, Record, Subject, Write, verify_stored,
};
use serde_json::{Value, json};

use crate::gateways::enrolled;
use crate::server::{Client, Server, start};

const NAME: &str = "edge-1";

/// A chain as a gateway writes it.
struct Chain {
    head: Head,
    now_ms: u64,
}

impl Chain {
    fn new(server: &Server) -> Chain {
        let now_ms = server.clock.now().unix.as_millis() as u64;
        Chain { head: Head { sequence: 0, hash: Link::FIRST }, now_ms }
    }

    fn add(&mut self, subject: Subject) -> Value {
        let sequence = self.head.sequence + 1;
        let id = format!("id-{sequence}");
        let (version, written_ms) = (Record::VERSION, self.now_ms + sequence);
        let record = Record { version, gateway: NAME.into(), sequence, written_ms, id, subject };
        let body = serde_json::to_string(&record).unwrap();
        self.head = Head { sequence, hash: self.head.hash.next(&body) };
        json!({"hash": self.head.hash.to_string(), "body": body})
    }

    fn act(&mut self) -> Value {
        self.add(Subject::Act(Act { act: "test.done".into(), actor: "test".into(), ..Act::default() }))
    }

    fn acts(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.act()).collect()
    }

    fn checkpoint(&mut self, marker: &Marker) -> Value {
        self.add(Subject::Checkpoint(marker.mark(self.head, self.now_ms)))
    }
}

async fn ship(gateway: &Client, entries: &[Value]) -> crate::server::Reply {
    gateway.post("/api/v1/ingest", json!({"entries": entries})).await
}

async fn verified(server: &Server, marker: &Marker) -> store::Verdict {
    let records = store::open(&server.target).await.unwrap();
    verify_stored(&*records, NAME, Some(marker.public_key())).await.unwrap().verdict()
}

#[tokio::test]
pub async fn records_arrive_once_and_verify() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, marker) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    let mut all = chain.acts(3);
    all.push(chain.checkpoint(&marker));
    assert_eq!(ship(&gateway, &all).await.ok()["sequence"], 4);
    all.extend(chain.acts(2));
    for _ in 0..2 {
        assert_eq!(ship(&gateway, &all[2..]).await.ok()["sequence"], 6, "what is there is passed over");
    }
    let verdict = verified(&server, &marker).await;
    assert_eq!((verdict.rows, verdict.checkpoints, verdict.faults.len()), (6, 1, 0), "{verdict:?}");
    assert_eq!(gateway.get("/api/v1/ingest").await.ok()["hash"], chain.head.hash.to_string());
}

#[tokio::test]
pub async fn a_gap_is_a_conflict_until_it_is_said_that_it_is_lost() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, marker) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    ship(&gateway, &chain.acts(1)).await.ok();
    chain.acts(2);
    let later = chain.acts(2);
    assert_eq!(ship(&gateway, &later).await.refused().0, 409);
    gateway.post("/api/v1/ingest", json!({"entries": later, "lost": true})).await.ok();
    assert!(!server.acts("ingest.lost").await.is_empty());
    let faults = verified(&server, &marker).await.faults;
    assert!(faults.len() == 1 && faults[0].what.contains("missing"), "{faults:?}");
}

#[tokio::test]
pub async fn a_chain_may_begin_behind_a_signed_mark() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, marker) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    chain.acts(5);
    let others = serde_json::to_value(Marker::new(NAME, &[8; 32]).mark(chain.head, 1)).unwrap();
    let own = serde_json::to_value(marker.mark(chain.head, 1)).unwrap();
    let entries = chain.acts(2);
    let refused = gateway.post("/api/v1/ingest", json!({"entries": entries, "start": others})).await;
    assert_eq!(refused.refused().0, 422);
    assert_eq!(gateway.post("/api/v1/ingest", json!({"entries": entries, "start": own})).await.ok()["sequence"], 7);
    let verdict = verified(&server, &marker).await;
    assert_eq!((verdict.rows, verdict.faults.len()), (2, 0), "{verdict:?}");
}

#[tokio::test]
pub async fn what_is_not_the_gateways_own_chain_is_refused_and_told() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, marker) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    ship(&gateway, &chain.acts(2)).await.ok();
    let (head, now_ms) = (chain.head, chain.now_ms);
    let forged = Chain { head, now_ms }.checkpoint(&Marker::new(NAME, &[8; 32]));
    let mut changed = Chain { head, now_ms }.act();
    changed["body"] = json!(changed["body"].as_str().unwrap().replace("test.done", "test.gone"));
    let fork = Chain { head: Head { sequence: 1, hash: Link::FIRST }, now_ms }.act();
    let mut foreign = Chain { head, now_ms }.act();
    foreign["body"] = json!(foreign["body"].as_str().unwrap().replace(NAME, "edge-2"));
    let mut sealed = Chain { head, now_ms }.act();
    sealed["sealed"] = json!("???");
    for wrong in [forged, changed, fork, foreign, sealed, json!({"hash": "no", "body": "{}"})] {
        let reply = ship(&gateway, &[wrong]).await;
        assert_eq!(reply.refused().0, 422, "{}", reply.text);
    }
    let refused = server.acts("ingest.refused").await;
    assert_eq!(refused.iter().filter(|it| it.0 == "ingest.refused").count(), 1, "once an hour");
    assert!(owner.get("/api/v1/gateways").await.ok()[0]["arrival"]["refused"].is_string());
    ship(&gateway, &chain.acts(1)).await.ok();
    assert!(owner.get("/api/v1/gateways").await.ok()[0]["arrival"].is_null(), "records arrive again");
    assert!(verified(&server, &marker).await.faults.is_empty());
}

#[tokio::test]
pub async fn numbers_and_times_that_no_database_holds_are_refused() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    let entry = chain.act();
    let body = entry["body"].as_str().unwrap();
    for (from, to) in [("\"sequence\":1", "\"sequence\":18446744073709551615"), ("\"sequence\":1", "\"sequence\":0")] {
        let wrong = json!({"hash": entry["hash"], "body": body.replace(from, to)});
        assert_eq!(ship(&gateway, &[wrong]).await.refused().0, 422);
    }
    chain.head = Head { sequence: 0, hash: Link::FIRST };
    chain.now_ms = u64::MAX - 1;
    assert_eq!(ship(&gateway, &chain.acts(1)).await.refused().0, 422);
}

#[tokio::test]
pub async fn what_is_old_goes_at_a_checkpoint_and_the_rest_still_verifies() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, marker) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    let mut all = chain.acts(3);
    all.push(chain.checkpoint(&marker));
    all.extend(chain.acts(1));
    ship(&gateway, &all).await.ok();
    server.clock.by(Duration::from_secs(31 * 24 * 3600));
    server.control.tidy().await.unwrap();
    let verdict = verified(&server, &marker).await;
    assert_eq!((verdict.rows, verdict.faults.len()), (2, 0), "the checkpoint and what follows it stay: {verdict:?}");
    ship(&gateway, &chain.acts(1)).await.ok();
    assert!(verified(&server, &marker).await.faults.is_empty());
}

/// What a gateway records when a rule of its own keeps somebody of the team `red` out.
fn imposed(kind: &str, value: &str) -> Act {
    let details = [
        ("reference", "Q-MADEUP"),
        ("kind", kind),
        ("value", value),
        ("team", "red"),
        ("reason", "3 different findings"),
        ("since_ms", "17"),
    ];
    let details = details.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Act { act: "quarantine.imposed".into(), actor: "gateway".into(), details }
}

/// Whoever makes a successor of a key has read it before, and what was read is stale then.
#[tokio::test]
async fn a_key_that_a_rule_keeps_out_at_the_same_moment_gets_no_successor() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, NAME).await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let key = owner.post("/api/v1/teams/red/keys", json!({"name": "laptop"})).await.ok();
    let objects = Objects::open(&server.target).await.unwrap();
    let now_ms = server.clock.now().unix.as_millis() as u64;
    let read = objects.get("key", key["id"].as_str().unwrap(), now_ms).await.unwrap().unwrap();
    let mut chain = Chain::new(&server);
    let entry = chain.add(Subject::Act(imposed("key", key["in_records"].as_str().unwrap())));
    ship(&gateway, &[entry]).await.ok();
    let written = objects.commit(&[Write::Update(read)], now_ms).await;
    assert!(matches!(written, Err(CommitError::Stale { .. })), "{written:?}");
    let held = owner.get("/api/v1/quarantines").await.ok();
    assert_eq!((&held[0]["reference"], &held[0]["value"]), (&json!("Q-MADEUP"), &key["in_records"]), "{held}");
}

#[tokio::test]
async fn whom_a_gateways_rule_keeps_out_every_gateway_keeps_out_until_somebody_releases_them() {
    let server = start().await;
    let owner = server.owner().await;
    let (gateway, _, _) = enrolled(&server, &owner, NAME).await;
    let mut chain = Chain::new(&server);
    let imposed = imposed("session", "s-1");
    let entries = [chain.act(), chain.add(Subject::Act(imposed))];
    ship(&gateway, &entries).await.ok();
    let held = owner.get("/api/v1/quarantines").await.ok();
    assert_eq!((&held[0]["reference"], &held[0]["by"]), (&json!("Q-MADEUP"), &json!("gateway:edge-1")), "{held}");
    assert!(!server.acts("quarantine.reported").await.is_empty());
    let release = "/api/v1/quarantines/Q-MADEUP/release";
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    assert_eq!(lead.get("/api/v1/quarantines").await.ok(), held, "whose session it is may know");
    assert_eq!(lead.post(release, json!({"reason": "mine"})).await.refused().0, 403, "and lets nobody in");
    owner.post(release, json!({"reason": "it was a drill"})).await.ok();
    ship(&gateway, &entries).await.ok();
    ship(&gateway, &chain.acts(1)).await.ok();
    assert_eq!(owner.get("/api/v1/quarantines").await.ok(), json!([]), "what is sent again does not begin again");
}
