//! With npm's `oidc-provider`: through its own pages, and out again.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use reqwest::Url;
use serde_json::json;

use super::{location, me};
use crate::server::{Client, start_with};

/// The provider's process; it ends with its input.
struct Provider {
    child: Child,
    input: ChildStdin,
    lines: BufReader<std::process::ChildStdout>,
    url: String,
}

impl Provider {
    fn start() -> Provider {
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control/oidc"));
        let installed = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("oidc-provider");
        let status = Command::new(here.join("install.sh")).arg(&installed).status().unwrap();
        assert!(status.success(), "npm did not install the provider");
        let mut child = Command::new("node")
            .arg(here.join("provider.mjs"))
            .arg(&installed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Provider { child, input, lines, url: String::new() };
        provider.url = format!("http://127.0.0.1:{}", provider.line());
        provider
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn ready(&mut self, policy_server: &str) {
        writeln!(self.input, "{policy_server}").unwrap();
        assert_eq!(self.line(), "ready");
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

/// Follows the provider's pages as `user` until they lead to the policy server. Returns that address.
async fn through(browser: &Client, first: &str, user: &str, policy_server: &str) -> String {
    let mut request = browser.http.get(first);
    let mut at = Url::parse(first).unwrap();
    for _ in 0..12 {
        let response = request.send().await.unwrap();
        if let Some(next) = response.headers().get("location") {
            at = at.join(next.to_str().unwrap()).unwrap();
            if at.as_str().starts_with(policy_server) {
                return at.into();
            }
            request = browser.http.get(at.clone());
            continue;
        }
        let page = response.text().await.unwrap();
        at = at.join(between(&page, "action=\"", "\"")).unwrap();
        let form = if page.contains("name=\"xsrf\"") {
            format!("xsrf={}&logout=yes", between(&page, "name=\"xsrf\" value=\"", "\""))
        } else if page.contains("value=\"login\"") {
            format!("prompt=login&login={user}&password=x")
        } else {
            "prompt=consent".to_owned()
        };
        let kind = "application/x-www-form-urlencoded";
        request = browser.http.post(at.clone()).header("content-type", kind).body(form);
    }
    panic!("the provider's pages lead nowhere: {at}");
}

#[tokio::test]
async fn a_real_provider_signs_in_and_out() {
    let mut provider = Provider::start();
    let server = start_with(&format!(
        "oidc:\n  issuer: {}\n  client_id: policy\n  client_secret: made-up-for-tests\n  \
         scopes: [profile, email, groups]\n  groups:\n    guild: {{roles: [auditor]}}\n",
        provider.url
    ))
    .await;
    provider.ready(&server.url);
    let mut anna = server.nobody();
    let groups = async |of: &[&str]| {
        let body = json!({"user": "anna", "groups": of}).to_string();
        let put = reqwest::Client::new().put(format!("{}/test/groups", provider.url)).body(body);
        assert!(put.send().await.unwrap().status().is_success());
    };
    groups(&["guild"]).await;
    let there = location(&anna.get("/sign-in/oidc?back=%2Faudit").await);
    let back = through(&anna, &there, "anna", &server.url).await;
    let callback = back.strip_prefix(&server.url).unwrap().to_owned();
    assert_eq!(location(&anna.get(&callback).await), "/audit");
    assert_eq!(anna.get(&callback).await.status, 403, "once");
    let who = me(&anna).await.unwrap();
    assert_eq!((&who["name"], &who["roles"]), (&json!("anna"), &json!(["auditor"])));

    anna.remember().await;
    let left = anna.post("/api/v1/sign-out", json!({})).await.ok();
    assert_eq!(left["continue_at"], "/sign-out/oidc");
    assert_eq!(me(&anna).await, None);
    let there = location(&anna.get("/sign-out/oidc").await);
    assert!(there.starts_with(&format!("{}/session/end?", provider.url)), "{there}");
    assert!(through(&anna, &there, "anna", &server.url).await.starts_with(&format!("{}/sign-in", server.url)));
    assert_eq!(location(&anna.get("/sign-out/oidc").await), "/sign-in", "once");

    groups(&[]).await;
    let there = location(&anna.get("/sign-in/oidc").await);
    let back = through(&anna, &there, "anna", &server.url).await;
    assert_eq!(anna.get(back.strip_prefix(&server.url).unwrap()).await.status, 403, "no group, no role");
}
