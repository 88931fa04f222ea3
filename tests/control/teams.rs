//! Teams, gateway keys and providers.

use serde_json::json;

use crate::server::{Client, start};

#[tokio::test]
pub async fn a_key_is_shown_once_and_ends_when_it_is_revoked_or_followed() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let made = owner.post("/api/v1/teams/red/keys", json!({"name": "laptops"})).await.ok();
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(key.starts_with("gw-red-") && key.len() > 40);
    let listed = owner.get("/api/v1/teams/red/keys").await;
    assert!(!listed.text.contains(key) && listed.ok()[0]["holds"] == true);
    let next = owner.post(&format!("/api/v1/keys/{id}/rotate"), json!({"overlap_hours": 2})).await.ok();
    let holding = |it: &serde_json::Value| it.as_array().unwrap().iter().filter(|it| it["holds"] == true).count();
    assert_eq!(holding(&owner.get("/api/v1/teams/red/keys").await.ok()), 2);
    server.clock.by(std::time::Duration::from_secs(2 * 3600 + 1));
    let owner = server.signed_in("olga").await;
    assert_eq!(holding(&owner.get("/api/v1/teams/red/keys").await.ok()), 1, "the overlap is over");
    assert_eq!(owner.delete("/api/v1/teams/red").await.refused().0, 409);
    owner.delete(&format!("/api/v1/keys/{}", next["id"].as_str().unwrap())).await.ok();
    owner.delete("/api/v1/teams/red").await.ok();
    let acts = server.acts("team.deleted").await;
    assert!(!format!("{acts:?}").contains(key));
}

async fn names_of_keys(client: &Client) -> String {
    let keys = client.get("/api/v1/teams/red/keys").await.ok();
    let mut names: Vec<_> = keys.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.join(" ")
}

#[tokio::test]
async fn a_key_is_remembered_for_400_days_after_its_end_and_one_without_an_end_for_ever() {
    let server = start().await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    for (name, days) in [("endless", None), ("revoked", None), ("short", Some(10))] {
        let key = owner.post("/api/v1/teams/red/keys", json!({"name": name, "days": days})).await.ok();
        if name == "revoked" {
            owner.delete(&format!("/api/v1/keys/{}", key["id"].as_str().unwrap())).await.ok();
        }
    }
    let mut today = 0;
    let at_end = [(399, "endless revoked short"), (401, "endless short"), (409, "endless short"), (411, "endless")];
    for (day, kept) in at_end {
        server.clock.by(std::time::Duration::from_secs((day - today) * 24 * 3600));
        today = day;
        let owner = server.signed_in("olga").await;
        assert_eq!(names_of_keys(&owner).await, kept, "day {day}");
    }
}

#[tokio::test]
async fn what_the_gateway_would_refuse_is_refused_here_with_its_words() {
    let server = start().await;
    let owner = server.owner().await;
    let team = json!({"name": "red", "settings": {"outbound_checks": ["secrets", "secrets"]}});
    let reply = owner.post("/api/v1/teams", team).await;
    assert_eq!(reply.refused(), (422, "invalid".into()));
    assert!(reply.text.contains("second time"), "{}", reply.text);
    let provider = json!({"name": "anthropic", "settings": {"urls": ["ftp://x"], "dialect": "anthropic"}});
    assert_eq!(owner.post("/api/v1/providers", provider).await.refused().0, 422);
}

#[tokio::test]
async fn a_refusal_names_the_setting_that_it_is_about() {
    let server = start().await;
    let owner = server.owner().await;
    let team = json!({"name": "red", "settings": {"limits": {"requests_per_minute": 0, "tokens_per_day": 0}}});
    let refused = owner.post("/api/v1/teams", team).await;
    assert_eq!(refused.refused().0, 422);
    let mistakes = refused.json()["mistakes"].clone();
    for (mistake, setting) in [(0, "limits.requests_per_minute: `0`"), (1, "limits.tokens_per_day: `0`")] {
        assert!(mistakes[mistake].as_str().unwrap().starts_with(setting), "{mistakes}");
    }
    let provider = json!({"name": "anthropic", "settings": {"urls": ["ftp://x"], "dialect": "anthropic"}});
    let refused = owner.post("/api/v1/providers", provider).await;
    assert!(refused.json()["mistakes"][0].as_str().unwrap().starts_with("url: "), "{}", refused.text);
}

/// The form of a team's page, saved as it is but for what is given.
async fn saved(client: &Client, page: &str, changed: &[(&str, &str)]) -> u16 {
    let fields = page.split("action=\"/teams/red\"").nth(1).unwrap().split("</form>").next().unwrap();
    let value = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!("{name}=\"")).map(|it| it.1.split('"').next().unwrap().to_owned());
        rest.unwrap_or_default()
    };
    let mut form: Vec<(String, String)> = fields
        .split("<input ")
        .skip(1)
        .map(|it| it.split('>').next().unwrap())
        .filter(|tag| !tag.contains("type=\"checkbox\"") || tag.contains(" checked"))
        .map(|tag| (value(tag, "name"), value(tag, "value")))
        .collect();
    let models = fields.split("name=\"model_allowlist\"").nth(1).unwrap().split_once('>').unwrap().1;
    form.push(("model_allowlist".to_owned(), models.split("</textarea>").next().unwrap().to_owned()));
    form.retain(|(name, _)| !changed.iter().any(|it| it.0 == name));
    form.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", value.replace('*', "%2A"))).collect();
    let request = client.http.post(format!("{}/teams/red", client.url));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.join("&"));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn saving_the_page_changes_what_was_typed_and_nothing_else() {
    let server = start().await;
    let owner = server.owner().await;
    let none = json!({"model_allowlist": [], "outbound_checks": [], "inbound_checks": []});
    owner.post("/api/v1/teams", json!({"name": "red", "settings": none})).await.ok();
    let page = owner.get("/teams/red").await.text;
    assert!(page.contains("No model is allowed"), "{page}");
    assert_eq!(saved(&owner, &page, &[("description", "ours")]).await, 303);
    let settings = async || owner.get("/api/v1/teams/red").await.ok()["settings"].clone();
    let still = json!({"description": "ours", "model_allowlist": [], "outbound_checks": [], "inbound_checks": []});
    assert_eq!(settings().await, still);
    let page = owner.get("/teams/red").await.text;
    let wanted = [("model_allowlist", "gpt-*"), ("outbound_checks", "secrets"), ("free_inbound_checks", "true")];
    assert_eq!(saved(&owner, &page, &wanted).await, 303);
    let fewer = json!({"description": "ours", "model_allowlist": ["gpt-*"], "outbound_checks": ["secrets"]});
    assert_eq!(settings().await, fewer);
    // What is emptied on the page was not empty before: all, again.
    let page = owner.get("/teams/red").await.text;
    assert_eq!(saved(&owner, &page, &[("model_allowlist", ""), ("outbound_checks", "")]).await, 303);
    assert_eq!(settings().await, json!({"description": "ours"}));
}

#[tokio::test]
async fn what_a_colleague_has_changed_meanwhile_is_not_overwritten_unseen() {
    let server = start().await;
    let owner = server.owner().await;
    let made = owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let page = owner.get("/teams/red").await.text;
    let path = format!("/api/v1/teams/red?version={}", made["version"]);
    let changed = owner.put(&path, json!({"model_allowlist": ["gpt-*"]})).await.ok();
    assert!(changed["version"].as_u64() > made["version"].as_u64(), "{changed}");
    assert_eq!(owner.get("/api/v1/teams/red").await.ok()["version"], changed["version"]);
    assert_eq!(owner.put(&path, json!({})).await.refused(), (409, "conflict".into()));
    assert_eq!(saved(&owner, &page, &[("description", "mine")]).await, 409);
    assert_eq!(owner.get("/api/v1/teams/red").await.ok()["settings"], json!({"model_allowlist": ["gpt-*"]}));
    owner.put("/api/v1/teams/red", json!({})).await.ok();
}

#[tokio::test]
async fn a_providers_key_goes_in_and_never_comes_out() {
    let server = start().await;
    let owner = server.owner().await;
    let provider =
        json!({"name": "anthropic", "settings": {"urls": ["https://api.anthropic.com"], "dialect": "anthropic"}});
    owner.post("/api/v1/providers", provider).await.ok();
    let key = ["sk", "ant", "made", "up"].join("-");
    let path = "/api/v1/providers/anthropic/keys";
    owner.post(path, json!({"name": "main", "key": key})).await.ok();
    assert!(!owner.get("/api/v1/providers").await.text.contains(&key));
    let acts = server.acts("provider.changed").await;
    assert!(!format!("{acts:?}").contains(&key));
    let stored = std::fs::read(server.target.trim_start_matches("sqlite:")).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains(&key));
}

#[tokio::test]
async fn a_lead_looks_after_the_own_team_and_does_not_know_of_others() {
    let server = start().await;
    let owner = server.owner().await;
    for name in ["red", "blue"] {
        owner.post("/api/v1/teams", json!({"name": name})).await.ok();
    }
    let blue = owner.post("/api/v1/teams/blue/keys", json!({"name": "one"})).await.ok();
    let lead = server.user(&owner, "lea", &["team_lead"], &["red"]).await;
    let names: Vec<_> =
        lead.get("/api/v1/teams").await.ok().as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["red"]);
    lead.post("/api/v1/teams/red/keys", json!({"name": "mine"})).await.ok();
    assert_eq!(lead.get("/api/v1/teams/blue").await.refused().0, 404);
    assert_eq!(lead.post("/api/v1/teams/blue/keys", json!({"name": "x"})).await.refused().0, 404);
    let own = lead.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let other = owner.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    lead.post("/api/v1/teams/red/keys", json!({"name": "own", "owner": own})).await.ok();
    let put_down = lead.post("/api/v1/teams/red/keys", json!({"name": "x", "owner": other})).await;
    assert_eq!(put_down.refused().0, 404, "nobody of another team");
    let id = blue["id"].as_str().unwrap();
    assert_eq!(lead.delete(&format!("/api/v1/keys/{id}")).await.refused().0, 404);
}
