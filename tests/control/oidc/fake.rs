//! A provider that says and signs whatever a test wants: every lie has to be found.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use airiskguard_gateway::domain::Clock;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};

use super::{location, me, part, refused};
use crate::server::{Client, Server, start_with};

/// What the provider does next.
struct Said {
    claims: Value,
    header: Value,
    key: [u8; 32],
    /// Instead of the signature.
    signature: Signature,
    published: Value,
    fetched: u32,
    verifier: Option<String>,
}

enum Signature {
    Right,
    None,
    /// HMAC with the bytes of the public key.
    Confused,
}

#[derive(Clone)]
struct Fake {
    url: String,
    said: Arc<Mutex<Said>>,
}

fn public(key: [u8; 32]) -> String {
    BASE64.encode(SigningKey::from_bytes(&key).verifying_key().as_bytes())
}

fn jwk(key: [u8; 32], id: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": public(key), "kid": id, "use": "sig", "alg": "EdDSA"})
}

impl Fake {
    async fn start() -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let said = Said {
            claims: json!({}),
            header: json!({"alg": "EdDSA", "kid": "one"}),
            key: [1; 32],
            signature: Signature::Right,
            published: json!({"keys": [jwk([1; 32], "one")]}),
            fetched: 0,
            verifier: None,
        };
        let fake = Fake { url, said: Arc::new(Mutex::new(said)) };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        fake
    }

    fn say(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().unwrap());
    }
}

async fn discovery(State(fake): State<Fake>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", fake.url);
    Json(json!({
        "issuer": fake.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "end_session_endpoint": at("/end"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
    }))
}

async fn keys(State(fake): State<Fake>) -> Json<Value> {
    let mut said = fake.said.lock().unwrap();
    said.fetched += 1;
    Json(said.published.clone())
}

async fn token(State(fake): State<Fake>, body: String) -> Json<Value> {
    let mut said = fake.said.lock().unwrap();
    let url = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    said.verifier = url.query_pairs().find(|it| it.0 == "code_verifier").map(|it| it.1.into_owned());
    let encoded = |it: &Value| BASE64.encode(it.to_string());
    let text = format!("{}.{}", encoded(&said.header), encoded(&said.claims));
    let signature = match said.signature {
        Signature::Right => BASE64.encode(SigningKey::from_bytes(&said.key).sign(text.as_bytes()).to_bytes()),
        Signature::None => String::new(),
        Signature::Confused => {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(public(said.key).as_bytes()).unwrap();
            mac.update(text.as_bytes());
            BASE64.encode(mac.finalize().into_bytes())
        }
    };
    Json(json!({"access_token": "a", "token_type": "Bearer", "id_token": format!("{text}.{signature}")}))
}

async fn server(fake: &Fake) -> Server {
    start_with(&format!(
        "oidc:\n  issuer: {}\n  client_id: policy\n  client_secret: made-up\n  groups:\n    \
         analysts: {{roles: [analyst]}}\n    leads: {{roles: [team_lead], teams: [red]}}\n",
        fake.url
    ))
    .await
}

/// Leaves for the provider, which is told to say the right thing about this sign-in. Returns the state.
async fn leave(server: &Server, fake: &Fake, browser: &Client, back: &str) -> String {
    let there = location(&browser.get(&format!("/sign-in/oidc{back}")).await);
    assert!(there.starts_with(&format!("{}/authorize?", fake.url)), "{there}");
    assert_eq!(part(&there, "code_challenge_method"), "S256");
    let now = server.clock.now().unix.as_secs();
    let claims = json!({
        "iss": fake.url, "aud": "policy", "sub": "7", "iat": now, "exp": now + 300, "nonce": part(&there, "nonce"),
        "preferred_username": "anna", "email": "anna@company.example", "groups": ["analysts", "others"],
    });
    fake.say(|it| it.claims = claims);
    part(&there, "state")
}

async fn come_back(browser: &Client, state: &str) -> crate::server::Reply {
    browser.get(&format!("/sign-in/oidc/callback?code=c&state={state}")).await
}

#[tokio::test]
async fn a_good_token_signs_in_and_leads_back() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    let anna = server.nobody();
    let state = leave(&server, &fake, &anna, "?back=%2Ffindings%3Fteam%3Dred").await;
    assert_eq!(location(&come_back(&anna, &state).await), "/findings?team=red");
    assert!(fake.said.lock().unwrap().verifier.as_ref().is_some_and(|it| it.len() >= 43));
    let who = me(&anna).await.unwrap();
    assert_eq!((&who["name"], &who["roles"]), (&json!("anna"), &json!(["analyst"])));
    refused(&come_back(&anna, &state).await);
    for elsewhere in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let state = leave(&server, &fake, &anna, &format!("?back={elsewhere}")).await;
        assert_eq!(location(&come_back(&anna, &state).await), "/", "{elsewhere}");
    }
    let sessions = anna.get("/api/v1/me/sessions").await.ok();
    assert_eq!(sessions.as_array().unwrap().len(), 4);
    let acts = server.acts("session.refused").await;
    assert!(acts.iter().any(|it| it.0 == "session.begun" && it.2["method"] == "oidc"), "{acts:?}");
}

#[tokio::test]
async fn every_lie_is_found() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    type Lie = (&'static str, fn(&mut Said));
    let lies: [Lie; 14] = [
        ("another nonce", |it| it.claims["nonce"] = "guessed".into()),
        ("no nonce", |it| drop(it.claims.as_object_mut().unwrap().remove("nonce"))),
        ("expired", |it| it.claims["exp"] = (it.claims["iat"].as_u64().unwrap() - 61).into()),
        ("issued long ago", |it| it.claims["iat"] = (it.claims["iat"].as_u64().unwrap() - 3600).into()),
        ("issued tomorrow", |it| it.claims["iat"] = (it.claims["iat"].as_u64().unwrap() + 86400).into()),
        ("another audience", |it| it.claims["aud"] = "other".into()),
        ("one more audience", |it| it.claims["aud"] = json!(["policy", "other"])),
        ("another party", |it| it.claims["azp"] = "other".into()),
        ("another issuer", |it| it.claims["iss"] = "http://127.0.0.1:1".into()),
        ("another key of the same name", |it| it.key = [9; 32]),
        ("no algorithm", |it| (it.header, it.signature) = (json!({"alg": "none"}), Signature::None)),
        ("no signature", |it| it.signature = Signature::None),
        ("public key as a secret", |it| {
            (it.header, it.signature) = (json!({"alg": "HS256", "kid": "one"}), Signature::Confused);
        }),
        ("another access token", |it| it.claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA".into()),
    ];
    for (name, lie) in lies {
        let anna = server.nobody();
        let state = leave(&server, &fake, &anna, "").await;
        fake.say(lie);
        let reply = come_back(&anna, &state).await;
        assert_eq!(reply.status, 403, "{name}: {}", reply.text);
        assert_eq!(me(&anna).await, None, "{name}");
        fake.say(|it| {
            (it.key, it.signature) = ([1; 32], Signature::Right);
            it.header = json!({"alg": "EdDSA", "kid": "one"});
        });
    }
    let anna = server.nobody();
    let state = leave(&server, &fake, &anna, "").await;
    assert_eq!(location(&come_back(&anna, &state).await), "/", "the same without a lie");
}

#[tokio::test]
async fn an_answer_belongs_to_one_browser_one_state_and_ten_minutes() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    let (anna, eve) = (server.nobody(), server.nobody());
    let state = leave(&server, &fake, &anna, "").await;
    refused(&come_back(&anna, "guessed").await);
    refused(&come_back(&eve, &state).await);
    leave(&server, &fake, &eve, "").await;
    refused(&come_back(&eve, &state).await);
    assert_eq!(me(&eve).await, None, "with a cookie of her own neither");
    let state = leave(&server, &fake, &anna, "").await;
    refused(&anna.get(&format!("/sign-in/oidc/callback?code=c&state={state}&iss=https%3A%2F%2Fother")).await);
    let state = leave(&server, &fake, &anna, "").await;
    refused(&anna.get(&format!("/sign-in/oidc/callback?error=access_denied&state={state}")).await);
    let state = leave(&server, &fake, &anna, "").await;
    server.clock.by(Duration::from_secs(601));
    refused(&come_back(&anna, &state).await);
}

#[tokio::test]
async fn new_keys_are_fetched_and_made_up_ones_do_not_make_the_server_ask_on_and_on() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    let anna = server.nobody();
    let state = leave(&server, &fake, &anna, "").await;
    come_back(&anna, &state).await;
    server.clock.by(Duration::from_secs(11));
    let state = leave(&server, &fake, &anna, "").await;
    fake.say(|it| {
        (it.key, it.published) = ([2; 32], json!({"keys": [jwk([2; 32], "two")]}));
        it.header = json!({"alg": "EdDSA", "kid": "two"});
    });
    assert_eq!(location(&come_back(&anna, &state).await), "/", "the key is new");
    let fetched = fake.said.lock().unwrap().fetched;
    fake.say(|it| it.header = json!({"alg": "EdDSA", "kid": "three"}));
    for _ in 0..3 {
        let state = leave(&server, &fake, &anna, "").await;
        refused(&come_back(&anna, &state).await);
    }
    assert_eq!(fake.said.lock().unwrap().fetched, fetched, "not again so soon");
}

#[tokio::test]
async fn groups_decide_at_every_sign_in_and_a_closed_account_stays_outside() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    let owner = server.owner().await;
    owner.post("/api/v1/teams", json!({"name": "red"})).await.ok();
    let anna = server.nobody();
    let sign_in = async |groups: Value| {
        let state = leave(&server, &fake, &anna, "").await;
        fake.say(|it| it.claims["groups"] = groups);
        come_back(&anna, &state).await
    };
    let reply = sign_in(json!(["others"])).await;
    refused(&reply);
    assert!(reply.text.contains("ask an administrator"), "{}", reply.text);
    assert!(!owner.get("/api/v1/users").await.text.contains("anna"), "nobody was made");
    location(&sign_in(json!(["analysts"])).await);
    location(&sign_in(json!(["leads"])).await);
    let who = me(&anna).await.unwrap();
    assert_eq!((&who["roles"], &who["teams"]), (&json!(["team_lead"]), &json!(["red"])));
    refused(&sign_in(json!([])).await);
    assert_eq!(me(&anna).await, None, "who is nothing any more is outside everywhere");
    location(&sign_in(json!(["analysts"])).await);
    let users = owner.get("/api/v1/users").await.ok();
    let id = users.as_array().unwrap().iter().find(|it| it["name"] == "anna").unwrap()["id"].as_str().unwrap();
    owner.patch(&format!("/api/v1/users/{id}"), json!({"disabled": true})).await.ok();
    assert_eq!(me(&anna).await, None);
    refused(&sign_in(json!(["analysts"])).await);
    assert_eq!(me(&anna).await, None);
}

#[tokio::test]
async fn names_are_not_taken_from_others_and_passwords_are_off() {
    let fake = Fake::start().await;
    let server = server(&fake).await;
    let owner = server.owner().await;
    let impostor = server.nobody();
    let state = leave(&server, &fake, &impostor, "").await;
    fake.say(|it| it.claims["preferred_username"] = "Olga".into());
    location(&come_back(&impostor, &state).await);
    let name = me(&impostor).await.unwrap()["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("Olga-") && name.len() == 13, "{name}");
    for taken in [name.clone(), name.to_uppercase()] {
        let local = json!({"name": taken, "password": crate::server::PASSWORD, "roles": ["developer"]});
        let refused = owner.post("/api/v1/users", local).await;
        assert_eq!(refused.refused().0, 409, "nor by local users");
        assert!(refused.text.contains("there is a user"), "{}", refused.text);
    }
    let credentials = json!({"name": "olga", "password": crate::server::PASSWORD});
    let reply = server.nobody().post("/api/v1/sign-in", credentials).await;
    assert_eq!(reply.refused().0, 403, "local users stay outside");
    assert!(me(&owner).await.is_some(), "the first run works all the same");
}
