//! Rules of the company's own: refused with their place, tried on a text, published for all and for single teams.

use serde_json::json;

use crate::chain::{Chain, found, now_ms};
use crate::server::start;

const HOUSE: &str = "\
- id: house.badges.number
  title: Number of a company badge
  risk: high
  score: 0.9
  type: BADGE_NUMBER
  keywords: [badge-]
  pattern: '\\bbadge-[0-9]{6}\\b'
  redact: true
  why: It opens the doors of the building.
  hits: [badge-204¦866]
  misses: [badge-12]
";
const PATH: &str = "/api/v1/rules/organisation";

#[tokio::test]
async fn rules_are_refused_with_line_and_reason() {
    let server = start().await;
    let owner = server.owner().await;
    for (from, to, line, says) in [
        ("{6}", "+", 1, "bound every"),
        ("badge-204¦866", "batch-204866", 10, "does not find it"),
        ("[badge-12]", "[badge-204866]", 11, "finds something"),
        ("house.badges", "secrets.aws", 1, "built-in catalogue"),
        ("risk: high", "risk: severe", 1, "unknown name"),
        ("  why:", "  whhy:", 9, "whhy"),
        ("[badge-204¦866]", "[&a badge-204866, *a]", 10, "aliases"),
    ] {
        let text = HOUSE.replace(from, to);
        assert_ne!(text, HOUSE);
        let said = owner.post(&format!("{PATH}/validate"), json!({"text": text})).await.ok();
        let mistake = &said["mistakes"][0];
        assert_eq!((&said["valid"], &mistake["origin"]), (&json!(false), &json!("rules/organisation.yaml")), "{said}");
        assert!(mistake["what"].as_str().unwrap().contains(says), "{said}");
        assert_eq!(mistake["line"], line, "{said}");
    }
    let said = owner.post(&format!("{PATH}/validate"), json!({"text": HOUSE})).await.ok();
    assert_eq!(said["valid"], true, "{said}");
    owner.put(&format!("{PATH}/draft"), json!({"text": HOUSE.replace("{6}", "+")})).await.ok();
    assert_eq!(owner.post(&format!("{PATH}/publish"), json!({"revision": 1})).await.refused().0, 422);
}

#[tokio::test]
async fn a_pasted_text_shows_where_rules_hit_and_is_kept_nowhere() {
    let server = start().await;
    let owner = server.owner().await;
    let key = ["AKIA", "Z7QX4N2V", "5KTJ3M6P"].concat();
    let sample = format!("hello\nmy badge-771032 and\n  aws_access_key_id = {key}\n");
    let path = format!("{PATH}/try");
    let found = owner.post(&path, json!({"text": HOUSE, "sample": sample})).await;
    assert!(!found.text.contains("771032") && !found.text.contains(&key), "{}", found.text);
    let hits = found.ok()["hits"].as_array().unwrap().clone();
    let hit = |rule: &str| hits.iter().find(|it| it["rule"] == rule).unwrap_or_else(|| panic!("{hits:?}"));
    let own = hit("house.badges.number");
    assert_eq!((&own["line"], &own["column"], &own["own"]), (&json!(2), &json!(4), &json!(true)));
    assert_eq!((&own["start"], &own["end"]), (&json!(9), &json!(21)));
    let built_in = hit("secrets.aws.access_key");
    assert_eq!((&built_in["line"], &built_in["own"]), (&json!(3), &json!(false)));
    let wrong = owner.post(&path, json!({"text": HOUSE.replace("{6}", "+"), "sample": "x"})).await.ok();
    assert_eq!((wrong["mistakes"].as_array().unwrap().len(), wrong["hits"].as_array().unwrap().len()), (1, 0));
    for body in [
        json!({"text": HOUSE, "sample": "x".repeat(300_000)}),
        json!({"text": HOUSE, "sample": "x", "source": "nobody"}),
        json!({"text": HOUSE, "sample": "x", "direction": "up"}),
    ] {
        assert_eq!(owner.post(&path, body).await.refused().0, 422);
    }
    let auditor = server.user(&owner, "udo", &["auditor"], &[]).await;
    assert_eq!(auditor.post(&path, json!({"text": HOUSE, "sample": "x"})).await.refused().0, 403);
    let acts = server.acts("user.created").await;
    assert!(!format!("{acts:?}").contains("771032"));
    let stored = std::fs::read(server.target.trim_start_matches("sqlite:")).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("771032"));
}

#[tokio::test]
pub async fn published_rules_can_be_named_and_not_taken_away_from_under_a_policy() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let draft = owner.put(&format!("{PATH}/draft"), json!({"text": HOUSE})).await.ok();
    let revision = draft["draft"]["revision"].clone();
    owner.post(&format!("{PATH}/publish"), json!({"revision": revision, "note": "badges"})).await.ok();
    let policy = "/api/v1/policies/default";
    let text = "checks: {outbound: [secrets, house]}\npolicies:\n- {name: badges, condition: {rule: 'house.*'}, action: review}\n";
    owner.put(&format!("{policy}/draft"), json!({"text": text})).await.ok();
    owner.post(&format!("{policy}/publish"), json!({"revision": 1})).await.ok();
    let empty = owner.put(&format!("{PATH}/draft"), json!({"text": ""})).await.ok();
    let refused = owner.post(&format!("{PATH}/publish"), json!({"revision": empty["revision"]})).await;
    assert!(refused.refused().0 == 422 && refused.text.contains("there is no checker `house`"), "{}", refused.text);
    // A team's rules have a checker of the team's own.
    let team = "/api/v1/rules/team:red";
    for (text, valid) in
        [(HOUSE.replace("house.", "redhouse."), true), (HOUSE.replace("house.badges", "house.doors"), false)]
    {
        let said = owner.post(&format!("{team}/validate"), json!({"text": text})).await.ok();
        assert_eq!(said["valid"], valid, "{said}");
    }
    owner.put(&format!("{team}/draft"), json!({"text": HOUSE.replace("house.", "redhouse.")})).await.ok();
    owner.post(&format!("{team}/publish"), json!({"revision": 1})).await.ok();
    let listed = owner.get("/api/v1/rules").await.ok();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["organisation", "team:red"]);
    let acts = server.acts("rules.published").await;
    assert!(acts.iter().any(|it| it.0 == "rules.published" && it.2["id"] == "organisation"), "{acts:?}");
}

#[tokio::test]
async fn a_record_says_why_a_rule_of_the_companys_own_matters() {
    let server = start().await;
    let owner = server.owner().await;
    owner.put(&format!("{PATH}/draft"), json!({"text": HOUSE})).await.ok();
    owner.post(&format!("{PATH}/publish"), json!({"revision": 1})).await.ok();
    let exchanges = vec![found("red", "house.badges.number", "block"), found("red", "house.badges.gone", "block")];
    let ids = Chain::new("edge-1").write(&server, now_ms(), exchanges).await;
    let own = owner.get(&format!("/api/v1/records/{}", ids[0])).await.ok();
    let finding = &own["found"][0];
    assert_eq!(finding["title"], "Number of a company badge", "{own}");
    assert_eq!(finding["why"], "It opens the doors of the building.");
    let gone = owner.get(&format!("/api/v1/records/{}", ids[1])).await.ok();
    assert!(gone["found"][0]["why"].is_null(), "{gone}");
}
