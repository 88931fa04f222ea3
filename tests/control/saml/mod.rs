//! Sign-in at a SAML identity provider: PyPI's `pysaml2`, whose good responses sign in and whose bad ones do not.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::json;

use crate::server::{Client, Reply, Server, start_with};

/// The identity provider's process; it ends with its input.
struct Provider {
    child: Child,
    input: ChildStdin,
    lines: BufReader<std::process::ChildStdout>,
    folder: tempfile::TempDir,
}

impl Provider {
    fn start() -> Provider {
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/control/saml"));
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pysaml2");
        let status = Command::new(here.join("install.sh")).arg(&installed).status().unwrap();
        assert!(status.success(), "pip did not install the identity provider");
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(installed.join("bin/python"))
            .arg("-B")
            .arg(here.join("provider.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut provider = Provider { child, input, lines, folder };
        assert_eq!(provider.line(), "described");
        provider
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the identity provider has ended");
        line.trim().to_owned()
    }

    fn settings(&self) -> String {
        let metadata = self.folder.path().join("idp.xml");
        format!(
            "saml:\n  metadata_file: {}\n  groups_attribute: eduPersonAffiliation\n  email_attribute: mail\n  \
             groups:\n    guild: {{roles: [auditor]}}\n",
            metadata.display()
        )
    }

    /// Tells the provider who the policy server is, by its own metadata.
    async fn meet(&mut self, server: &Server) {
        let described = server.nobody().get("/sign-in/saml/metadata").await;
        assert_eq!(described.status, 200, "{}", described.text);
        assert!(described.text.contains(r#"WantAssertionsSigned="true""#), "{}", described.text);
        let path = self.folder.path().join("sp.xml");
        std::fs::write(&path, described.text).unwrap();
        writeln!(self.input, "{}", path.display()).unwrap();
    }

    /// The response to the request of this address, made in this way.
    fn response(&mut self, case: &str, url: &str) -> String {
        writeln!(self.input, "{}", json!({"case": case, "url": url})).unwrap();
        self.line_or_nothing()
    }

    fn line_or_nothing(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the identity provider has ended");
        line.trim().to_owned()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{} {}", reply.status, reply.text);
    reply.headers["location"].to_str().unwrap().to_owned()
}

/// Leaves for the provider. Returns the address of the request.
async fn leave(browser: &Client) -> String {
    let there = location(&browser.get("/sign-in/saml?back=%2Faudit").await);
    assert!(there.starts_with("http://127.0.0.1:9/sso?SAMLRequest="), "{there}");
    there
}

/// Sends the provider's form, as a browser does from the provider's page: with its origin and without cookies.
async fn consume(server: &Server, response: &str) -> Reply {
    let body: String = response.chars().map(|it| if it == '+' { "%2B".to_owned() } else { it.to_string() }).collect();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = http.post(format!("{}/sign-in/saml/response", server.url)).header("origin", "https://idp.example");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(format!("SAMLResponse={body}&RelayState=x")).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, text: response.text().await.unwrap() }
}

#[tokio::test]
async fn good_responses_sign_in_once_in_the_browser_that_asked() {
    let mut provider = Provider::start();
    let server = start_with(&provider.settings()).await;
    provider.meet(&server).await;
    for case in ["good", "both_signed"] {
        let (anna, eve) = (server.nobody(), server.nobody());
        let response = provider.response(case, &leave(&anna).await);
        let ticket = location(&consume(&server, &response).await);
        assert!(ticket.starts_with("/sign-in/saml/finish?ticket="), "{ticket}");
        assert_eq!(location(&anna.get(&ticket).await), "/audit", "{case}");
        let me = anna.get("/api/v1/me").await.ok();
        assert_eq!((&me["name"], &me["roles"]), (&json!("anna@company.example"), &json!(["auditor"])));
        assert_eq!(anna.get(&ticket).await.status, 403, "once");
        assert_eq!(consume(&server, &response).await.status, 403, "once");
        let response = provider.response(case, &leave(&anna).await);
        let ticket = location(&consume(&server, &response).await);
        assert_eq!(eve.get(&ticket).await.status, 403, "another browser");
        assert_eq!(eve.get("/api/v1/me").await.status, 401);
        assert_eq!(anna.get(&ticket).await.status, 403, "and it is used up");
    }
    let acts = server.acts("session.begun").await;
    assert!(acts.iter().any(|it| it.0 == "user.created" && it.2["source"] == "- -> saml"), "{acts:?}");
}

#[tokio::test]
async fn bad_responses_do_not() {
    let mut provider = Provider::start();
    let server = start_with(&provider.settings()).await;
    provider.meet(&server).await;
    let bad = [
        "unsigned",
        "response_signed",
        "tampered",
        "wrong_key",
        "sha1",
        "sha1_digest",
        "xsw1",
        "xsw2",
        "xsw3",
        "xsw4",
        "xsw5",
        "xsw6",
        "xsw7",
        "xsw8",
        "stale",
        "early",
        "old",
        "unconfirmed",
        "endless",
        "recipient",
        "confirmation_of_another",
        "confirmation_of_none",
        "holder_of_key",
        "audience",
        "no_audience",
        "issuer",
        "outer_issuer",
        "destination",
        "status",
        "no_sign_in",
        "idp_initiated",
        "transient",
        "no_group",
        "comment",
        "instruction",
        "twice",
        "entity",
        "reference",
        "whole_document",
        "transform",
        "deep",
        "nothing",
        "no_xml",
    ];
    for case in bad {
        let anna = server.nobody();
        let response = provider.response(case, &leave(&anna).await);
        let reply = consume(&server, &response).await;
        assert_eq!(reply.status, 403, "{case}: {}", reply.text);
        assert!(!reply.text.contains("company.example"), "{case} tells {}", reply.text);
        assert_eq!(anna.get("/api/v1/me").await.status, 401, "{case}");
    }
    let anna = server.nobody();
    let response = provider.response("good", &leave(&anna).await);
    server.clock.by(std::time::Duration::from_secs(3600));
    assert_eq!(consume(&server, &response).await.status, 403, "too late");
    assert_eq!(consume(&server, "%00%ff").await.status, 403);
    let users = server.owner().await.get("/api/v1/users").await;
    assert!(!users.text.contains("company.example"), "nobody was made: {}", users.text);
}

#[tokio::test]
async fn the_identity_provider_may_be_pinned_in_the_settings_themselves() {
    let mut provider = Provider::start();
    let pem = std::fs::read_to_string(provider.folder.path().join("idp.pem")).unwrap();
    let pem: String = pem.lines().map(|it| format!("    {it}\n")).collect();
    let settings = format!(
        "saml:\n  idp_entity_id: https://idp.company.example\n  sso_url: http://127.0.0.1:9/sso\n  \
         certificate: |\n{pem}  default_roles: [developer]\n"
    );
    let server = start_with(&settings).await;
    provider.meet(&server).await;
    let anna = server.nobody();
    let response = provider.response("no_group", &leave(&anna).await);
    let ticket = location(&consume(&server, &response).await);
    location(&anna.get(&ticket).await);
    assert_eq!(anna.get("/api/v1/me").await.ok()["roles"], json!(["developer"]));
}
