//! Policies: drafted, validated, compared, approved, published, taken back, and tried on what was recorded.

use airiskguard_gateway::store::{self, Exchange, Found, Record, Side, Subject};
use serde_json::{Value, json};

use crate::server::{Client, Server, start, start_with};

const PATH: &str = "/api/v1/policies/default";

async fn furnished(server: &Server) -> Client {
    let owner = server.owner().await;
    let settings = json!({"urls": ["https://api.anthropic.com"], "dialect": "anthropic"});
    owner.post("/api/v1/providers", json!({"name": "anthropic", "settings": settings})).await.ok();
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    owner
}

async fn published(client: &Client, path: &str, text: &str) -> Value {
    let draft = client.put(&format!("{path}/draft"), json!({"text": text})).await.ok();
    client.post(&format!("{path}/publish"), json!({"revision": draft["draft"]["revision"], "note": "x"})).await.ok()
}

#[tokio::test]
async fn mistakes_are_told_at_the_authors_own_line_and_column() {
    let server = start().await;
    let owner = furnished(&server).await;
    let said = |text: &str| {
        let (owner, text) = (owner.clone(), text.to_owned());
        async move { owner.post(&format!("{PATH}/validate"), json!({"text": text})).await.ok() }
    };
    let text = "# ours\npolicies:\n  - name: a\n    condition: {risk: '>= hihg'}\n    action: block\n";
    let said_of = said(text).await;
    let mistake = &said_of["mistakes"][0];
    assert_eq!((&mistake["line"], &mistake["column"]), (&json!(4), &json!(23)), "{said_of}");
    assert!(mistake["what"].as_str().unwrap().contains("no risk"), "{said_of}");
    for (text, says) in [
        ("upstream: {a: 'https://x.invalid'}", "`upstream` cannot be set here"),
        ("teams: {}", "`teams` cannot be set here"),
        ("redaction: {key: abcdefghijklmnopqrst}", "`redaction.key` cannot be set here"),
        ("policies:\n- {name: '${PROVIDER_KEY_A}', condition: {team: red}, action: log}", "names no secret"),
        ("policies:\n- {name: a, condition: {team: green}, action: log}", "there is no team `green`"),
        ("checks: {outbound: [house]}", "there is no checker `house`"),
    ] {
        let said = said(text).await;
        assert!(said["valid"] == false && said["mistakes"][0]["what"].as_str().unwrap().contains(says), "{said}");
    }
    let fine = said("policies:\n- {name: a, condition: {team: red}, action: block, redact: true}\n").await;
    assert_eq!(fine["valid"], true, "{fine}");
    let doubtful = said("block_on_secrets: false\n").await;
    assert_eq!(doubtful["warnings"][0]["line"], 1, "{doubtful}");
}

#[tokio::test]
pub async fn a_text_goes_from_draft_to_force_and_back() {
    let server = start().await;
    let owner = furnished(&server).await;
    let first = published(&owner, PATH, "redact_secrets: true\n").await;
    assert_eq!((&first["published"]["number"], &first["draft"]), (&json!(1), &Value::Null));
    // Somebody else has written meanwhile.
    let read = first["revision"].clone();
    let draft = owner.put(&format!("{PATH}/draft"), json!({"text": "on_unscannable: block\n", "revision": read})).await;
    assert_eq!(draft.ok()["draft"]["revision"], 3);
    let late = owner.put(&format!("{PATH}/draft"), json!({"text": "x", "revision": read})).await;
    assert_eq!(late.refused(), (409, "conflict".into()));
    let diff = owner.post(&format!("{PATH}/diff"), json!({})).await.ok();
    let shown = diff["unified"].as_str().unwrap();
    assert!(shown.contains("-redact_secrets: true\n+on_unscannable: block\n"), "{shown}");
    // What was looked at is what is published.
    assert_eq!(owner.post(&format!("{PATH}/publish"), json!({"revision": 7})).await.refused().0, 409);
    owner.post(&format!("{PATH}/publish"), json!({"revision": 3})).await.ok();
    let back = owner.post(&format!("{PATH}/roll-back"), json!({"version": 1, "note": "too strict"})).await.ok();
    assert_eq!((&back["published"]["number"], &back["published"]["taken_from"]), (&json!(3), &json!(1)));
    assert_eq!(back["text"], "redact_secrets: true\n");
    let versions = owner.get(&format!("{PATH}/versions")).await.ok();
    let numbers: Vec<_> = versions.as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    let second = owner.get(&format!("{PATH}/versions/2")).await.ok();
    assert!(second["diff"].as_str().unwrap().contains("+on_unscannable: block"), "{second}");
    let acts = server.acts("policy.rolled_back").await;
    let published: Vec<_> = acts.iter().filter(|it| it.0 == "policy.published").collect();
    assert_eq!((published.len(), published[1].1.as_str()), (2, "user:olga"));
    assert!(published[1].2["diff"].contains("-redact_secrets: true"), "{published:?}");
    assert_eq!(published[1].2["version"], "2");
    // Nothing that gateways would not take goes further than a draft.
    let draft = owner.put(&format!("{PATH}/draft"), json!({"text": "checks: {outbound: [nothing]}"})).await.ok();
    let refused = owner.post(&format!("{PATH}/publish"), json!({"revision": draft["revision"]})).await;
    assert!(refused.refused().0 == 422 && refused.text.contains("policy:1:"), "{}", refused.text);
    owner.delete(&format!("{PATH}/draft")).await.ok();
    assert_eq!(owner.delete(&format!("{PATH}/draft")).await.refused().0, 409);
    let list = owner.get("/api/v1/policies").await.ok();
    assert_eq!((&list[0]["name"], &list[0]["version"]), (&json!("default"), &json!(3)));
}

#[tokio::test]
async fn what_is_published_was_approved_by_somebody_who_did_not_write_it() {
    let server = start_with("approvals: true\n").await;
    let owner = furnished(&server).await;
    let author = server.user(&owner, "anna", &["policy_author", "reviewer"], &[]).await;
    let reviewer = server.user(&owner, "rolf", &["reviewer"], &[]).await;
    let path = |step: &str| format!("{PATH}/{step}");
    author.put(&path("draft"), json!({"text": "redact_secrets: true\n"})).await.ok();
    assert_eq!(author.post(&path("publish"), json!({"revision": 1})).await.refused().0, 409);
    assert_eq!(reviewer.post(&path("approve"), json!({"revision": 1})).await.refused().0, 409, "not submitted");
    author.post(&path("submit"), json!({"note": "please"})).await.ok();
    assert_eq!(author.post(&path("approve"), json!({"revision": 1})).await.refused(), (403, "forbidden".into()));
    assert_eq!(reviewer.post(&path("publish"), json!({"revision": 1})).await.refused().0, 403);
    let rejected = reviewer.post(&path("reject"), json!({"revision": 1, "note": "why?"})).await.ok();
    assert_eq!((&rejected["draft"]["standing"], &rejected["draft"]["note"]), (&json!("rejected"), &json!("why?")));
    author.post(&path("submit"), json!({"note": "because"})).await.ok();
    reviewer.post(&path("approve"), json!({"revision": 1})).await.ok();
    // What was approved was another text.
    author.put(&path("draft"), json!({"text": "redact_secrets: false\n"})).await.ok();
    assert_eq!(author.post(&path("publish"), json!({"revision": 2})).await.refused().0, 409);
    author.post(&path("submit"), json!({})).await.ok();
    assert_eq!(reviewer.post(&path("approve"), json!({"revision": 1})).await.refused().0, 409, "an older revision");
    reviewer.post(&path("approve"), json!({"revision": 2})).await.ok();
    let done = author.post(&path("publish"), json!({"revision": 2, "note": "go"})).await.ok();
    let published = &done["published"];
    assert_eq!((&published["approved_by"], &published["authors"]), (&json!("rolf"), &json!(["anna"])));
    let acts = server.acts("policy.published").await;
    let steps: Vec<_> = acts.iter().filter_map(|it| it.0.strip_prefix("policy.")).collect();
    assert_eq!(
        steps,
        ["drafted", "submitted", "rejected", "submitted", "approved", "drafted", "submitted", "approved", "published"]
    );
}

#[tokio::test]
async fn a_draft_that_comes_after_another_is_not_taken_for_it() {
    let server = start_with("approvals: true\n").await;
    let owner = furnished(&server).await;
    let author = server.user(&owner, "anna", &["policy_author"], &[]).await;
    let reviewer = server.user(&owner, "rolf", &["reviewer"], &[]).await;
    let path = |step: &str| format!("{PATH}/{step}");
    let mut seen = 0;
    for step in ["discarded", "published"] {
        let shown = author.put(&path("draft"), json!({"text": "block_on_secrets: true\n"})).await.ok();
        seen = shown["draft"]["revision"].as_u64().unwrap();
        author.post(&path("submit"), json!({})).await.ok();
        if step == "discarded" {
            author.delete(&path("draft")).await.ok();
        } else {
            reviewer.post(&path("approve"), json!({"revision": seen})).await.ok();
            author.post(&path("publish"), json!({"revision": seen})).await.ok();
        }
        let read = author.get(PATH).await.ok()["revision"].clone();
        let other = json!({"text": "block_on_secrets: false\n", "revision": read});
        let other = author.put(&path("draft"), other).await.ok();
        let other = other["draft"]["revision"].as_u64().unwrap();
        author.post(&path("submit"), json!({})).await.ok();
        assert!(other > seen, "after one that was {step}");
        assert_eq!(reviewer.post(&path("approve"), json!({"revision": seen})).await.refused().0, 409);
        assert_eq!(author.put(&path("draft"), json!({"text": "x", "revision": seen})).await.refused().0, 409);
        reviewer.post(&path("approve"), json!({"revision": other})).await.ok();
        assert_eq!(author.post(&path("publish"), json!({"revision": seen})).await.refused().0, 409);
        author.delete(&path("draft")).await.ok();
    }
    assert_eq!(seen, 5, "one more with every change");
}

/// What a page or a program has read is overwritten only if it is still what there is, with a draft and without one.
#[tokio::test]
async fn a_draft_is_written_on_what_was_read_and_on_nothing_newer() {
    let server = start().await;
    let owner = furnished(&server).await;
    published(&owner, PATH, "redact_secrets: true\n").await;
    published(&owner, PATH, "on_unscannable: block\n").await;
    for meanwhile in ["published", "rolled back", "discarded"] {
        let page = owner.get("/policies/default").await.text;
        let read = owner.get(PATH).await.ok()["revision"].clone();
        match meanwhile {
            "published" => drop(published(&owner, PATH, "block_on_secrets: true\n").await),
            "rolled back" => drop(owner.post(&format!("{PATH}/roll-back"), json!({"version": 1})).await.ok()),
            _ => {
                owner.put(&format!("{PATH}/draft"), json!({"text": "on_unscannable: block\n"})).await.ok();
                owner.delete(&format!("{PATH}/draft")).await.ok();
            }
        }
        let late = json!({"text": "block_on_secrets: false\n", "revision": read});
        let late = owner.put(&format!("{PATH}/draft"), late).await;
        assert_eq!(late.refused(), (409, "conflict".into()), "{meanwhile}");
        assert_eq!(saved(&owner, &page).await, 409, "{meanwhile}");
        let now = owner.get(PATH).await.ok();
        assert_eq!(now["draft"], Value::Null, "{meanwhile}");
        assert_eq!(saved(&owner, &owner.get("/policies/default").await.text).await, 303, "{meanwhile}");
        assert_eq!(owner.get(PATH).await.ok()["draft"]["based_on"], now["published"]["number"], "{meanwhile}");
        owner.delete(&format!("{PATH}/draft")).await.ok();
    }
}

/// Saves the draft as this page shows it; the status.
async fn saved(client: &Client, page: &str) -> u16 {
    let form = page.split_once("data-swap=\"checked\"").unwrap().1;
    let hidden = |name: &str| {
        let from = form.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        from.split('"').next().unwrap().to_owned()
    };
    let form = format!("csrf={}&revision={}&text=block_on_secrets:+false", hidden("csrf"), hidden("revision"));
    let request = client.http.post(format!("{}/policies/default", client.url)).header("origin", &client.url);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
pub async fn what_a_policy_names_cannot_be_taken_away() {
    let server = start().await;
    let owner = furnished(&server).await;
    published(&owner, PATH, "policies:\n- {name: a, condition: {team: red}, action: log}\n").await;
    let refused = owner.delete("/api/v1/teams/red").await;
    assert_eq!(refused.refused(), (409, "conflict".into()));
    assert!(refused.text.contains("policy:1:") || refused.text.contains("policy:2:"), "{}", refused.text);
    let unknown = owner.put("/api/v1/teams/red", json!({"outbound_checks": ["nothing"]})).await;
    assert!(unknown.refused().0 == 409 && unknown.text.contains("teams.red.outbound_checks"), "{}", unknown.text);
    published(&owner, PATH, "redact_secrets: true\n").await;
    owner.delete("/api/v1/teams/red").await.ok();
}

#[tokio::test]
async fn only_those_who_may_do_and_nothing_odd_is_a_mistake_of_the_servers() {
    let server = start().await;
    let owner = furnished(&server).await;
    let analyst = server.user(&owner, "ines", &["analyst"], &[]).await;
    analyst.get(PATH).await.ok();
    assert_eq!(analyst.put(&format!("{PATH}/draft"), json!({"text": ""})).await.refused().0, 403);
    let lead = server.user(&owner, "lars", &["team_lead"], &["red"]).await;
    assert_eq!(lead.get(PATH).await.refused().0, 403);
    assert_eq!(server.nobody().get("/api/v1/policies").await.refused().0, 401);
    for (path, body) in [
        ("/api/v1/policies/a%00b/draft", json!({"text": ""})),
        (&format!("/api/v1/policies/{}/draft", "x".repeat(65)), json!({"text": ""})),
        (&format!("{PATH}/draft"), json!({"text": "a\u{0}b"})),
        (&format!("{PATH}/draft"), json!({"text": "x".repeat(300_000)})),
        (&format!("{PATH}/draft"), json!({"text": 5})),
        ("/api/v1/rules/elsewhere/draft", json!({"text": ""})),
        ("/api/v1/rules/team:green/draft", json!({"text": ""})),
    ] {
        let status = owner.put(path, body).await.refused().0;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    for days in [json!(0), json!(91), json!(-1), json!(1e300)] {
        let refused = owner.post(&format!("{PATH}/dry-run"), json!({"days": days})).await.refused().0;
        assert!((400..500).contains(&refused), "{days}");
    }
    assert_eq!(owner.get(&format!("{PATH}/versions/4294967295")).await.refused().0, 404);
    assert_eq!(owner.get(&format!("{PATH}/versions/0")).await.refused().0, 404);
}

/// An exchange with these findings in its prompt: rule, risk, what was done.
fn exchange(team: &str, action: &str, findings: &[(&str, &str)]) -> Exchange {
    let found = |(rule, risk): &(&str, &str)| Found {
        rule: (*rule).to_owned(),
        checker: rule.split('.').next().unwrap().to_owned(),
        label: "THING".to_owned(),
        risk: (*risk).to_owned(),
        score: 0.9,
        source: "user".to_owned(),
        place: "line 1 (text)".to_owned(),
        action: action.to_owned(),
        count: 1,
        ..Found::default()
    };
    let outbound =
        Side { action: action.to_owned(), findings: findings.iter().map(found).collect(), ..Side::default() };
    let inbound = Side { action: "allow".to_owned(), ..Side::default() };
    Exchange {
        team: team.to_owned(),
        model: Some("claude-opus-4-6".to_owned()),
        endpoint: "messages".to_owned(),
        outcome: "forwarded".to_owned(),
        action: action.to_owned(),
        outbound,
        inbound,
        ..Exchange::default()
    }
}

async fn record(server: &Server, exchanges: Vec<Exchange>) {
    let records = store::open(&server.target).await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut link = store::Link::FIRST;
    let mut entries = Vec::new();
    for (sequence, exchange) in (1..).zip(exchanges) {
        let record = Record {
            version: Record::VERSION,
            gateway: "edge-1".to_owned(),
            sequence,
            // Several of one moment, also where a page of records ends.
            written_ms: now - 10_000 + sequence / 3,
            id: format!("exchange-{sequence:05}"),
            subject: Subject::Exchange(Box::new(exchange)),
        };
        let body = serde_json::to_string(&record).unwrap();
        link = link.next(&body);
        entries.push(store::Entry {
            gateway: record.gateway.as_str().into(),
            sequence,
            written_ms: record.written_ms,
            hash: link,
            body: body.into(),
            sealed: None,
        });
    }
    records.append(&entries).await.unwrap();
}

#[tokio::test]
pub async fn a_dry_run_says_what_would_have_been_done_to_what_was_recorded() {
    let server = start().await;
    let owner = furnished(&server).await;
    let mut exchanges = vec![exchange("red", "allow", &[]); 1200];
    exchanges.extend(vec![exchange("red", "log", &[("compliance.contact.email", "medium")]); 12]);
    exchanges.extend(vec![exchange("blue", "block", &[("secrets.aws.access_key", "critical")]); 3]);
    exchanges.extend(vec![exchange("red", "log", &[("house.gone.rule", "low")]); 2]);
    record(&server, exchanges).await;
    let text = "policies:\n- {name: no_mail, condition: {checker: compliance, team: red}, action: block, redact: false}\n- {name: soft, condition: {checker: secrets}, action: flag}\n";
    let run = owner.post(&format!("{PATH}/dry-run"), json!({"text": text, "days": 7})).await.ok();
    assert_eq!((&run["exchanges"], &run["complete"]), (&json!(1217), &json!(true)), "{run}");
    assert_eq!(run["would"], json!({"allow": 1202, "log": 0, "flag": 3, "review": 0, "redact": 0, "block": 12}));
    assert_eq!(run["was"], json!({"allow": 1200, "log": 14, "flag": 0, "review": 0, "redact": 0, "block": 3}));
    assert_eq!((&run["stricter"]["exchanges"], &run["milder"]["exchanges"]), (&json!(12), &json!(5)));
    let example = &run["stricter"]["examples"][0];
    assert_eq!((&example["was"], &example["would"]), (&json!("log"), &json!("block")));
    assert_eq!(example["rules"], json!(["compliance.contact.email"]));
    assert!(example["id"].as_str().unwrap().starts_with("exchange-"));
    let policies: Vec<_> = run["policies"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(policies, ["no_mail", "soft"]);
    assert_eq!((&run["teams"][1]["name"], &run["teams"][1]["would"]["block"]), (&json!("red"), &json!(12)));
    let notes = run["notes"].to_string();
    assert!(notes.contains("no such teams now: blue") && notes.contains("3 prompts"), "{notes}");
    // The same policy where nothing is in force but the defaults.
    let none = owner.post(&format!("{PATH}/dry-run"), json!({"days": 1})).await.ok();
    assert_eq!((&none["would"]["block"], &none["stricter"]["exchanges"]), (&json!(3), &json!(0)), "{none}");
}

#[tokio::test]
async fn a_dry_run_says_whose_models_are_barred_now() {
    let server = start().await;
    let owner = server.owner().await;
    let team = json!({"name": "red", "settings": {"model_allowlist": ["gpt-*"]}});
    owner.post("/api/v1/teams", team).await.ok();
    owner.post("/api/v1/teams", json!({"name": "blue"})).await.ok();
    record(&server, ["red", "red", "blue"].map(|team| exchange(team, "allow", &[])).into()).await;
    let run = owner.post(&format!("{PATH}/dry-run"), json!({"days": 1})).await.ok();
    let notes = run["notes"].to_string();
    assert!(notes.contains("2 exchanges asked for a model that their team may not use now"), "{notes}");
}
