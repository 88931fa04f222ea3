//! Who may do what, asked of every route as every role: the list is the router's own, so that a new route is in it.

#[cfg(feature = "saml")]
use std::fmt::Write;

use airiskguard_gateway::control::{Offered, Permission, Reach, Role, Whom, offered};
use serde_json::{Value, json};

use crate::server::{Client, PASSWORD, Server, start};

/// What the guard says to somebody whose roles do not have the permission.
const REFUSAL: &str = "you may not do this; ask an administrator";

/// What came of one request; bodies of successes are not waited for, as some never end.
struct Outcome {
    status: u16,
    text: String,
}

/// The path with something in the place of what varies: this team where it is a team's name, else nothing that there is.
fn path(route: &Offered, team: &str) -> String {
    let mut path = String::new();
    for (index, part) in route.path.split('/').enumerate() {
        if index > 0 {
            path.push('/');
        }
        match part.starts_with('{') {
            true if path.ends_with("/teams/") => path.push_str(team),
            true => path.push_str("made-up"),
            false => path.push_str(part),
        }
    }
    path
}

fn is_about_a_team(route: &Offered) -> bool {
    route.path.contains("/teams/{")
}

async fn ask(client: &Client, route: &Offered, team: &str) -> Outcome {
    let mut request =
        client.http.request(route.method.parse().unwrap(), format!("{}{}", client.url, path(route, team)));
    if let Some(token) = &client.token {
        request = request.bearer_auth(token);
    }
    if let Some(csrf) = &client.csrf {
        request = request.header("x-csrf-token", csrf);
    }
    if route.method != "GET" {
        let (kind, body) =
            if route.is_page { ("application/x-www-form-urlencoded", "") } else { ("application/json", "{}") };
        request = request.header("content-type", kind).body(body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = if status >= 400 { response.text().await.unwrap() } else { String::new() };
    assert!(status < 500, "{} {} {status} {text}", route.method, route.path);
    Outcome { status, text }
}

/// Whether nobody was let in: 401, or for pages the way to where one signs in.
fn is_outside(route: &Offered, outcome: &Outcome) -> bool {
    outcome.status == 401 || (route.is_page && outcome.status == 303)
}

fn closed() -> impl Iterator<Item = Offered> {
    offered().into_iter().filter(|it| !matches!(it.to, Whom::Everyone(_)))
}

#[cfg(feature = "saml")]
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// A token of a user with these roles, who is in the team red, with everything that the roles may or with `scopes`.
async fn program(server: &Server, owner: &Client, who: &str, role: Role, scopes: Option<&[Permission]>) -> Client {
    let user = json!({"name": who, "password": PASSWORD, "roles": [role], "teams": ["red"]});
    owner.post("/api/v1/users", user).await.ok();
    let user = server.signed_in(who).await;
    let all: Vec<_> = Permission::ALL.into_iter().filter(|it| role.reach(*it).is_some()).collect();
    let new = json!({"name": "all", "scopes": scopes.unwrap_or(&all), "days": 1});
    let made = user.post("/api/v1/tokens", new).await.ok();
    user.with_token(made["token"].as_str().unwrap())
}

async fn with_teams() -> (Server, Client) {
    let server = start().await;
    let owner = server.owner().await;
    for team in ["red", "blue"] {
        owner.post("/api/v1/teams", json!({"name": team})).await.ok();
    }
    (server, owner)
}

/// What a role that has, or has not, the permission of the route may see.
fn judge(route: &Offered, role: Role, team: &str, outcome: &Outcome) {
    let about = format!("{role:?} {} {} ({team}): {} {}", route.method, route.path, outcome.status, outcome.text);
    // Pages say it in their own words, in HTML.
    let refused = outcome.status == 403 && (route.is_page || outcome.text.contains(REFUSAL));
    match route.to {
        Whom::Everyone(_) => {}
        Whom::SignedIn => assert!(!is_outside(route, outcome) || outcome.status == 303, "{about}"),
        Whom::Gateways => assert!(refused, "{about}"),
        Whom::With(permission) => match role.reach(permission) {
            None => assert!(refused, "{about}"),
            Some(Reach::All) => assert!(!refused && outcome.status != 401, "{about}"),
            Some(_) => {
                assert!(!refused && outcome.status != 401, "{about}");
                let is_hidden = !is_about_a_team(route) || team == "red" || outcome.status == 404;
                // Bodies are read before the handler looks for the team, and tell nothing about it.
                assert!(is_hidden || matches!(outcome.status, 403 | 422), "{about}");
            }
        },
    }
}

#[tokio::test]
async fn every_route_asks_who_it_is() {
    let (server, _) = with_teams().await;
    let nobody = server.nobody();
    let liar = nobody.with_token("arg-api-made-up");
    for route in closed() {
        for client in [&nobody, &liar] {
            let outcome = ask(client, &route, "red").await;
            assert!(is_outside(&route, &outcome), "{} {} {}", route.method, route.path, outcome.status);
        }
    }
}

#[tokio::test]
async fn every_role_may_do_what_the_table_says_with_a_token() {
    let (server, owner) = with_teams().await;
    // The mightiest last: they change what the others are asked about.
    for role in Role::ALL.into_iter().rev() {
        let client = program(&server, &owner, role.name(), role, None).await;
        for route in offered() {
            for team in ["blue", "red"] {
                judge(&route, role, team, &ask(&client, &route, team).await);
            }
        }
    }
}

#[tokio::test]
async fn every_role_is_refused_what_the_table_does_not_say_in_a_session() {
    let (server, owner) = with_teams().await;
    for role in Role::ALL {
        let client = server.user(&owner, role.name(), &[role.name()], &["red"]).await;
        for route in closed().filter(|it| it.to != Whom::SignedIn) {
            let Whom::With(permission) = route.to else { continue };
            if role.reach(permission).is_none() {
                judge(&route, role, "red", &ask(&client, &route, "red").await);
            }
        }
    }
}

#[tokio::test]
async fn tokens_reach_no_further_than_their_scopes() {
    let (server, owner) = with_teams().await;
    for (index, scope) in Permission::ALL.into_iter().enumerate() {
        let who = format!("owner-{index}");
        let client = program(&server, &owner, &who, Role::Owner, Some(&[scope])).await;
        for route in closed() {
            let Whom::With(permission) = route.to else { continue };
            if permission != scope {
                let outcome = ask(&client, &route, "red").await;
                assert_eq!(outcome.status, 403, "{scope:?} {} {} {}", route.method, route.path, outcome.text);
            }
        }
    }
}

#[tokio::test]
async fn closed_accounts_are_outside() {
    let (server, owner) = with_teams().await;
    let program = program(&server, &owner, "ada", Role::Administrator, None).await;
    let session = server.signed_in("ada").await;
    let users = owner.get("/api/v1/users").await.ok();
    let is_ada = |it: &&Value| it["name"] == "ada";
    let id = users.as_array().unwrap().iter().find(is_ada).unwrap()["id"].as_str().unwrap().to_owned();
    owner.patch(&format!("/api/v1/users/{id}"), json!({"disabled": true})).await.ok();
    for route in closed() {
        for client in [&program, &session] {
            let outcome = ask(client, &route, "red").await;
            assert!(is_outside(&route, &outcome), "{} {} {}", route.method, route.path, outcome.status);
        }
    }
}

/// With every route there is: SAML's are there with its feature only.
#[cfg(feature = "saml")]
#[test]
fn the_document_about_roles_is_kept() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/roles.md");
    let made = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == made, "docs/roles.md is not what the table says: run this test with UPDATE=1");
}

#[cfg(feature = "saml")]
fn document() -> String {
    let mut text = String::from(
        "# Roles and permissions\n\n\
         Made from the table in `src/control/roles.rs` and from the routes; `tests/control/matrix.rs` asks every route as \
         every role and keeps this page. **all**: everything. **team**: what belongs to the user's teams. **own**: what \
         belongs to the user. Somebody with several roles reaches as far as the farthest of them; an API token no further \
         than its scopes and its user.\n\n## What a role may do\n\n|",
    );
    for role in Role::ALL {
        write!(text, " | {}", role.name()).unwrap();
    }
    text.push_str(" |\n|---");
    text.push_str(&"|---".repeat(Role::ALL.len()));
    text.push_str("|\n");
    for permission in Permission::ALL {
        write!(text, "| `{}`", name(permission)).unwrap();
        for role in Role::ALL {
            let reach = role.reach(permission).map_or("–".to_owned(), name);
            write!(text, " | {reach}").unwrap();
        }
        text.push_str(" |\n");
    }
    text.push_str(
        "\nA quarantine is released by whoever reaches **all**, and by leads of the team where a lead of it imposed it: they do \
         not undo what a rule has done, or somebody who reaches **all**.\n",
    );
    let mut list = |title: String, whom: &dyn Fn(Whom) -> bool| {
        let of: Vec<_> = offered().into_iter().filter(|it| whom(it.to)).collect();
        write!(text, "\n### {title}\n\n").unwrap();
        for route in &of {
            writeln!(text, "- `{} {}`", route.method, route.path).unwrap();
        }
        if of.is_empty() {
            text.push_str("No route of its own: handlers ask for it.\n");
        }
    };
    for permission in Permission::ALL {
        list(format!("`{}`", name(permission)), &|it| it == Whom::With(permission));
    }
    list("Everyone who is signed in".to_owned(), &|it| it == Whom::SignedIn);
    list("Gateways that are enrolled".to_owned(), &|it| it == Whom::Gateways);
    list("Everyone".to_owned(), &|it| matches!(it, Whom::Everyone(_)));
    text.replacen("\n### ", "\n## What a permission opens\n\n### ", 1)
}
