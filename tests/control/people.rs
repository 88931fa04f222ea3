//! The first run, signing in and out, users, tokens, and what keeps others out.

use std::time::Duration;

use serde_json::json;

use crate::server::{PASSWORD, start};

#[tokio::test]
pub async fn the_first_owner_is_made_with_the_token_of_the_terminal_once() {
    let server = start().await;
    let nobody = server.nobody();
    assert_eq!(nobody.get("/api/v1/setup").await.ok()["needs_setup"], true);
    let wrong = json!({"token": "guessed", "name": "eve", "password": PASSWORD});
    assert_eq!(nobody.post("/api/v1/setup", wrong).await.refused().0, 403);
    let token = server.control.setup_token().await.unwrap().unwrap();
    let newer = server.control.setup_token().await.unwrap().unwrap();
    let with = |token: &str| json!({"token": token, "name": "olga", "password": PASSWORD});
    assert_eq!(nobody.post("/api/v1/setup", with(&token)).await.refused().0, 403, "a newer one was given out");
    nobody.post("/api/v1/setup", with(&newer)).await.ok();
    let me = nobody.get("/api/v1/me").await.ok();
    assert_eq!((&me["name"], &me["roles"]), (&json!("olga"), &json!(["owner"])));
    assert_eq!(server.nobody().post("/api/v1/setup", with(&newer)).await.refused().0, 403);
    assert!(server.control.setup_token().await.unwrap().is_none());
    let acts = server.acts("session.begun").await;
    assert!(acts.iter().any(|it| it.0 == "user.created" && it.2["name"] == "- -> olga"), "{acts:?}");
}

#[tokio::test]
async fn sessions_end_by_themselves_and_when_asked() {
    let server = start().await;
    let owner = server.owner().await;
    assert_eq!(owner.get("/api/v1/users").await.status, 200);
    server.clock.by(Duration::from_secs(61 * 60));
    assert_eq!(owner.get("/api/v1/users").await.refused(), (401, "unauthenticated".into()), "it was idle");
    let again = server.signed_in("olga").await;
    again.post("/api/v1/sign-out", json!({})).await.ok();
    assert_eq!(again.get("/api/v1/me").await.refused().0, 401);
}

#[tokio::test]
async fn a_request_that_changes_something_needs_the_sessions_own_token_and_site() {
    let server = start().await;
    let owner = server.owner().await;
    let mut without = owner.clone();
    without.csrf = None;
    let team = json!({"name": "red"});
    assert_eq!(without.post("/api/v1/teams", team.clone()).await.refused().0, 403);
    without.csrf = Some("guessed".into());
    assert_eq!(without.post("/api/v1/teams", team.clone()).await.refused().0, 403);
    let elsewhere = owner.http.post(format!("{}/api/v1/teams", owner.url)).header("origin", "https://evil.example");
    let elsewhere = elsewhere.header("x-csrf-token", owner.csrf.clone().unwrap()).json(&team).send().await.unwrap();
    assert_eq!(elsewhere.status(), 403);
    owner.post("/api/v1/teams", team).await.ok();
}

#[tokio::test]
async fn wrong_passwords_have_to_wait_longer_and_longer() {
    let server = start().await;
    server.owner().await;
    let nobody = server.nobody();
    let wrong = json!({"name": "olga", "password": "wrong horse battery"});
    for _ in 0..5 {
        assert_eq!(nobody.post("/api/v1/sign-in", wrong.clone()).await.refused().0, 401);
    }
    let right = json!({"name": "olga", "password": PASSWORD});
    let reply = nobody.post("/api/v1/sign-in", right.clone()).await;
    assert_eq!(reply.refused(), (429, "too_often".into()));
    assert!(reply.headers.contains_key("retry-after"));
    server.clock.by(Duration::from_secs(31));
    nobody.post("/api/v1/sign-in", right.clone()).await.ok();
    // A try that is forgotten is in nobody's way, although nobody has removed it yet.
    nobody.post("/api/v1/sign-in", wrong).await.refused();
    server.clock.by(Duration::from_secs(3 * 3600));
    nobody.post("/api/v1/sign-in", right).await.ok();
}

#[tokio::test]
pub async fn owners_are_made_by_owners_and_one_always_stays() {
    let server = start().await;
    let owner = server.owner().await;
    let admin = server.user(&owner, "adam", &["administrator"], &[]).await;
    let new = json!({"name": "oscar", "password": PASSWORD, "roles": ["owner"]});
    assert_eq!(admin.post("/api/v1/users", new.clone()).await.refused().0, 403);
    let olga = owner.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{olga}");
    assert_eq!(admin.patch(&path, json!({"password": "another password"})).await.refused().0, 403);
    assert_eq!(admin.delete(&path).await.refused().0, 403);
    assert_eq!(owner.patch(&path, json!({"disabled": true})).await.refused().0, 409);
    assert_eq!(owner.delete(&path).await.refused().0, 409);
    owner.post("/api/v1/users", new).await.ok();
    owner.delete(&path).await.ok();
    assert_eq!(owner.get("/api/v1/me").await.refused().0, 401, "sessions end with their user");
}

/// Records name people by their names, and signing in does not tell how they are written.
#[tokio::test]
pub async fn of_several_who_are_given_a_name_at_the_same_moment_one_has_it() {
    let server = start().await;
    let owner = server.owner().await;
    let user = |name: &str| json!({"name": name, "password": PASSWORD, "roles": ["developer"]});
    let made = ["dora", "Dora", "DORA"].map(|name| {
        let (owner, user) = (owner.clone(), user(name));
        async move { owner.post("/api/v1/users", user).await.status }
    });
    let mut statuses = futures::future::join_all(made).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
    let users = owner.get("/api/v1/users").await.ok();
    let is_dora = |it: &&serde_json::Value| it["name"].as_str().unwrap().eq_ignore_ascii_case("dora");
    let id = users.as_array().unwrap().iter().find(is_dora).unwrap()["id"].as_str().unwrap().to_owned();
    owner.delete(&format!("/api/v1/users/{id}")).await.ok();
    owner.post("/api/v1/users", user("dOrA")).await.ok();
}

#[tokio::test]
async fn tokens_do_what_they_were_made_for_and_no_more() {
    let server = start().await;
    let owner = server.owner().await;
    let new = json!({"name": "ci", "scopes": ["read_teams"], "days": 1});
    let made = owner.post("/api/v1/tokens", new).await.ok();
    let program = owner.with_token(made["token"].as_str().unwrap());
    assert_eq!(program.get("/api/v1/teams").await.status, 200);
    assert_eq!(program.get("/api/v1/users").await.refused().0, 403);
    assert_eq!(program.post("/api/v1/teams", json!({"name": "red"})).await.refused().0, 403);
    assert!(!owner.get("/api/v1/tokens").await.text.contains(made["token"].as_str().unwrap()));
    let heir = json!({"name": "heir", "scopes": ["read_teams"], "days": 366});
    assert_eq!(program.post("/api/v1/tokens", heir).await.refused().0, 403, "a token outlives itself in no other");
    server.clock.by(Duration::from_secs(25 * 3600));
    assert_eq!(program.get("/api/v1/teams").await.refused().0, 401);
    let auditor_like = server.signed_in("olga").await;
    let developer = server.user(&auditor_like, "dora", &["developer"], &[]).await;
    let beyond = json!({"name": "x", "scopes": ["manage_users"], "days": 1});
    assert_eq!(developer.post("/api/v1/tokens", beyond).await.refused().0, 403);
}

#[tokio::test]
async fn a_token_gives_and_touches_no_role_that_reaches_further_than_its_scopes() {
    let server = start().await;
    let owner = server.owner().await;
    let admin = server.user(&owner, "adam", &["administrator"], &[]).await;
    let program = async |scopes: &[&str]| {
        let new = json!({"name": "people", "scopes": scopes, "days": 1});
        admin.with_token(admin.post("/api/v1/tokens", new).await.ok()["token"].as_str().unwrap())
    };
    let narrow = program(&["manage_users"]).await;
    let user = |name: &str, role: &str| json!({"name": name, "password": PASSWORD, "roles": [role]});
    for role in ["owner", "administrator", "auditor", "team_lead", "developer"] {
        let refused = narrow.post("/api/v1/users", user("mallory", role)).await;
        assert_eq!(refused.refused().0, 403, "{role}");
        assert_eq!(admin.post("/api/v1/users", user(&format!("a-{role}"), role)).await.status < 300, role != "owner");
    }
    let users = owner.get("/api/v1/users").await.ok();
    let path = |name: &str| {
        let id = users.as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()["id"].clone();
        format!("/api/v1/users/{}", id.as_str().unwrap())
    };
    for name in ["adam", "a-auditor"] {
        let password = json!({"password": "another horse battery"});
        assert_eq!(narrow.patch(&path(name), password).await.refused().0, 403, "{name}");
        assert_eq!(narrow.patch(&path(name), json!({"roles": []})).await.refused().0, 403, "{name}");
        assert_eq!(narrow.delete(&path(name)).await.refused().0, 403, "{name}");
    }
    let made = narrow.post("/api/v1/users", json!({"name": "nina", "password": PASSWORD, "roles": []})).await.ok();
    let nina = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    assert_eq!(narrow.patch(&nina, json!({"roles": ["developer"]})).await.refused().0, 403);
    narrow.patch(&nina, json!({"disabled": true})).await.ok();
    // With what a developer may do, it makes developers, and nobody who may do more.
    let wide = program(&["manage_users", "read_overview", "read_findings", "read_teams"]).await;
    wide.post("/api/v1/users", user("dora", "developer")).await.ok();
    let refused = wide.post("/api/v1/users", user("lea", "team_lead")).await;
    assert_eq!(refused.refused().0, 403);
    assert!(refused.text.contains("`team_lead`") && refused.text.contains("`manage_keys`"), "{}", refused.text);
}

#[tokio::test]
async fn a_token_ends_neither_tokens_nor_sessions() {
    let server = start().await;
    let owner = server.owner().await;
    let token = async |scopes: &[&str]| {
        owner.post("/api/v1/tokens", json!({"name": "x", "scopes": scopes, "days": 1})).await.ok()
    };
    let program = owner.with_token(token(&[]).await["token"].as_str().unwrap());
    let other = token(&["read_teams"]).await;
    let sessions = owner.get("/api/v1/me/sessions").await.ok();
    let session = format!("sessions/{}", sessions[0]["id"].as_str().unwrap());
    let token = format!("tokens/{}", other["id"].as_str().unwrap());
    for (page, path) in [
        (false, format!("/api/v1/{token}")),
        (false, format!("/api/v1/me/{session}")),
        (true, format!("/{token}/revoke")),
        (true, format!("/account/{session}/end")),
    ] {
        let ended = if page { program.send("POST", &path, None).await } else { program.delete(&path).await };
        assert_eq!(ended.status, 403, "{path}");
    }
    assert_eq!(owner.get("/api/v1/me").await.status, 200);
    assert_eq!(owner.with_token(other["token"].as_str().unwrap()).get("/api/v1/teams").await.status, 200);
    owner.delete(&format!("/api/v1/{token}")).await.ok();
}

#[tokio::test]
async fn many_guesses_at_the_same_moment_are_not_many_tries() {
    let server = start().await;
    server.owner().await;
    let guesses = (0..20).map(|at| {
        let nobody = server.nobody();
        async move {
            let wrong = json!({"name": "olga", "password": format!("wrong horse battery {at}")});
            nobody.post("/api/v1/sign-in", wrong).await.refused().0
        }
    });
    let statuses = futures::future::join_all(guesses).await;
    let tried = statuses.iter().filter(|it| **it == 401).count();
    assert!(tried <= 5 && statuses.iter().all(|it| matches!(it, 401 | 429)), "{statuses:?}");
}

#[tokio::test]
async fn another_password_ends_what_was_begun_with_the_old_one_and_is_written_down() {
    let server = start().await;
    let owner = server.owner().await;
    let dora = server.user(&owner, "dora", &["developer"], &[]).await;
    let id = dora.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    owner.patch(&format!("/api/v1/users/{id}"), json!({"roles": ["auditor"]})).await.ok();
    assert_eq!(dora.get("/api/v1/me").await.status, 200, "other roles hold at once, without another sign-in");
    owner.patch(&format!("/api/v1/users/{id}"), json!({"password": "another horse battery"})).await.ok();
    assert_eq!(dora.get("/api/v1/me").await.refused().0, 401);
    let acts = server.acts("user.changed").await;
    assert!(acts.iter().any(|it| it.2.get("password").is_some_and(|it| it == "changed")), "{acts:?}");
    assert!(!format!("{acts:?}").contains("another horse"));
}

#[tokio::test]
async fn another_password_and_a_closed_account_end_tokens_for_good() {
    let server = start().await;
    let owner = server.owner().await;
    let mut dora = server.user(&owner, "dora", &["auditor"], &[]).await;
    let path = format!("/api/v1/users/{}", dora.get("/api/v1/me").await.ok()["id"].as_str().unwrap());
    let token = json!({"name": "kept", "scopes": ["read_teams"], "days": 366});
    for ends in [json!({"password": PASSWORD}), json!({"disabled": true})] {
        let made = dora.post("/api/v1/tokens", token.clone()).await.ok();
        let program = dora.with_token(made["token"].as_str().unwrap());
        owner.patch(&path, json!({"roles": ["auditor"]})).await.ok();
        assert_eq!(program.get("/api/v1/teams").await.status, 200, "other roles end nothing");
        owner.patch(&path, ends.clone()).await.ok();
        assert_eq!(program.get("/api/v1/teams").await.refused().0, 401, "{ends}");
        owner.patch(&path, json!({"disabled": false})).await.ok();
        assert_eq!(program.get("/api/v1/teams").await.refused().0, 401, "{ends}, and open again");
        dora = server.signed_in("dora").await;
        assert_eq!(dora.get("/api/v1/tokens").await.ok(), json!([]));
    }
    let acts = server.acts("user.changed").await;
    assert_eq!(acts.iter().filter(|it| it.2.get("tokens").is_some_and(|it| it == "1 revoked")).count(), 2, "{acts:?}");
}

/// Rights are those that hold when the body is there, however slowly it comes.
#[tokio::test]
async fn who_is_shut_out_meanwhile_does_nothing_with_a_slow_body() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = start().await;
    let owner = server.owner().await;
    let made = owner.post("/api/v1/tokens", json!({"name": "slow", "scopes": ["manage_teams"], "days": 1})).await.ok();
    let token = made["token"].as_str().unwrap();
    for (name, is_shut_out) in [("in-time", false), ("too-late", true)] {
        let body = json!({"name": name}).to_string();
        let mut stream = tokio::net::TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        let head = format!(
            "POST /api/v1/teams HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..5]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if is_shut_out {
            owner.delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap())).await.ok();
        }
        stream.write_all(&body.as_bytes()[5..]).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(if is_shut_out { "HTTP/1.1 401" } else { "HTTP/1.1 201" }), "{name}: {answer}");
    }
}

/// A page that was opened before somebody closed the account does not open it again.
#[tokio::test]
async fn a_stale_page_of_a_user_changes_nothing() {
    let server = start().await;
    let owner = server.owner().await;
    let dora = server.user(&owner, "dora", &["auditor"], &[]).await;
    let id = dora.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let page = owner.get(&format!("/users/{id}")).await.text;
    let hidden = |name: &str| {
        let from = page.find(&format!("name=\"{name}\" value=\"")).unwrap() + name.len() + 15;
        page[from..].split('"').next().unwrap().to_owned()
    };
    let form = format!("csrf={}&read={}&roles=auditor", hidden("csrf"), hidden("read"));
    let save = || {
        let request = owner.http.post(format!("{}/users/{id}", owner.url)).header("origin", &owner.url);
        request.header("content-type", "application/x-www-form-urlencoded").body(form.clone()).send()
    };
    owner.patch(&format!("/api/v1/users/{id}"), json!({"disabled": true})).await.ok();
    assert_eq!(save().await.unwrap().status(), 409);
    let user = || async {
        {
            let users = owner.get("/api/v1/users").await.ok();
            let users = users.as_array().or(users["users"].as_array()).unwrap();
            users.iter().find(|it| it["id"] == id.as_str()).unwrap()["disabled"].clone()
        }
    };
    assert_eq!(user().await, json!(true));
    owner.patch(&format!("/api/v1/users/{id}"), json!({"disabled": false})).await.ok();
    assert_eq!(save().await.unwrap().status(), 303);
}

#[tokio::test]
async fn people_change_their_own_password_with_the_one_they_have() {
    let server = start().await;
    let owner = server.owner().await;
    let dora = server.user(&owner, "dora", &["auditor"], &[]).await;
    let elsewhere = server.signed_in("dora").await;
    let token = json!({"name": "kept", "scopes": ["read_teams"], "days": 366});
    let program = dora.with_token(dora.post("/api/v1/tokens", token).await.ok()["token"].as_str().unwrap());
    let path = "/api/v1/me/password";
    let with = |current: &str, password: &str| json!({"current": current, "password": password});
    let new = "another horse battery";
    assert_eq!(dora.post(path, with("wrong horse battery", new)).await.refused().0, 403);
    assert_eq!(dora.post(path, with(PASSWORD, "short")).await.refused().0, 422);
    assert_eq!(program.post(path, with(PASSWORD, new)).await.refused().0, 403, "a token knows no password");
    assert_eq!(elsewhere.get("/api/v1/me").await.status, 200);
    dora.post(path, with(PASSWORD, new)).await.ok();
    assert_eq!(dora.get("/api/v1/me").await.status, 200, "who has changed it stays");
    assert_eq!(elsewhere.get("/api/v1/me").await.refused().0, 401);
    assert_eq!(program.get("/api/v1/teams").await.refused().0, 401);
    let sign_in = async |password: &str| {
        let credentials = json!({"name": "dora", "password": password});
        server.nobody().post("/api/v1/sign-in", credentials).await.status
    };
    assert_eq!((sign_in(PASSWORD).await, sign_in(new).await), (401, 204));
    let page = dora.get("/account").await.text;
    assert!(page.contains("action=\"/account/password\""), "{page}");
    let form = dora.http.post(format!("{}/account/password", dora.url));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let form = form.header("x-csrf-token", dora.csrf.clone().unwrap());
    let form = form.body(format!("current={}&password={}", new.replace(' ', "+"), PASSWORD.replace(' ', "+")));
    assert_eq!(form.send().await.unwrap().status().as_u16(), 303);
    // An open session is no place to guess from.
    let mut guesses = Vec::new();
    for _ in 0..6 {
        guesses.push(dora.post(path, with("wrong horse battery", new)).await.status);
    }
    assert_eq!(guesses, [403, 403, 403, 403, 403, 429]);
    let acts = server.acts("user.changed").await;
    let changed = acts.iter().find(|it| it.0 == "user.changed").unwrap();
    assert_eq!((changed.1.as_str(), changed.2["tokens"].as_str()), ("user:dora", "1 revoked"));
    assert!(!format!("{acts:?}").contains("horse"));
}

#[tokio::test]
async fn people_see_where_they_are_signed_in_and_end_it_elsewhere() {
    let server = start().await;
    let owner = server.owner().await;
    let elsewhere = server.signed_in("olga").await;
    let sessions = owner.get("/api/v1/me/sessions").await.ok();
    let other = sessions.as_array().unwrap().iter().find(|it| it["current"] == false).unwrap();
    let page = owner.get("/account").await;
    let end = format!("/account/sessions/{}/end", other["id"].as_str().unwrap());
    assert!(page.status == 200 && page.text.contains(&end) && page.text.contains("this one"), "{}", page.text);
    assert_eq!(owner.send("POST", &end, None).await.status, 303);
    assert_eq!(elsewhere.get("/api/v1/me").await.refused().0, 401);
    assert_eq!(owner.get("/api/v1/me").await.status, 200);
}
