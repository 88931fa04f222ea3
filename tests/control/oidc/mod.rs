//! Sign-in at OpenID Connect providers: a real one, and a lying one.

mod fake;
mod real;

use crate::server::{Client, Reply};

/// What a way back from the provider ended in.
fn refused(reply: &Reply) {
    assert_eq!(reply.status, 403, "{} {}", reply.status, reply.text);
}

/// Where a redirect leads.
fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{} {}", reply.status, reply.text);
    reply.headers["location"].to_str().unwrap().to_owned()
}

/// A part of the query of an address.
fn part(address: &str, name: &str) -> String {
    let url = reqwest::Url::parse(address).unwrap();
    let found = url.query_pairs().find(|it| it.0 == name);
    found.unwrap_or_else(|| panic!("{address} has no {name}")).1.into_owned()
}

/// Who is signed in, if anyone.
async fn me(client: &Client) -> Option<serde_json::Value> {
    let reply = client.get("/api/v1/me").await;
    (reply.status == 200).then(|| reply.json())
}
