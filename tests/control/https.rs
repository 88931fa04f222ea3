//! The server with a certificate of its own, as browsers speak to it: over HTTP/2, with the origin of each form.

use airiskguard_gateway::control;
use airiskguard_gateway::sinks::Certificate;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, Version};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::certificate::certificate;
use crate::server::{PASSWORD, Server, start};

/// The same server behind TLS: its address, and what a client of it begins with.
async fn over_tls(server: &Server) -> (String, impl Fn() -> ClientBuilder, watch::Sender<bool>) {
    let files = certificate(server.folder.path(), "policy");
    let pem = std::fs::read(&files.cert).unwrap();
    let tls = Certificate::load(files).unwrap().server().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(control::serve(server.control.clone(), listener, Some(tls), stopped));
    let client = move || {
        let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none());
        client.tls_certs_only([trusted])
    };
    (url, client, stop)
}

async fn sent(request: RequestBuilder, origin: &str, form: String) -> Response {
    let request = request.header("origin", origin).header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap()
}

#[tokio::test]
async fn forms_of_the_pages_are_taken_over_both_versions_of_http_and_those_of_other_sites_over_none() {
    let server = start().await;
    server.owner().await;
    let (url, client, _stop) = over_tls(&server).await;
    for (client, version, name) in
        [(client(), Version::HTTP_2, "two"), (client().http1_only(), Version::HTTP_11, "one")]
    {
        let client = client.build().unwrap();
        let credentials = format!("name=olga&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = sent(client.post(format!("{url}/sign-in")), &url, credentials.clone()).await;
        assert_eq!((signed_in.version(), signed_in.status().as_u16()), (version, 303));
        let me = client.get(format!("{url}/api/v1/me")).send().await.unwrap().text().await.unwrap();
        let me: serde_json::Value = serde_json::from_str(&me).unwrap();
        let team = format!("name=made-over-{name}&csrf={}", me["csrf"].as_str().unwrap());
        let teams = format!("{url}/teams");
        for (origin, status) in [
            ("https://evil.example", 403),
            ("null", 403),
            (url.trim_end_matches(|it: char| it.is_ascii_digit()), 403),
            (url.as_str(), 303),
        ] {
            let made = sent(client.post(&teams), origin, team.clone()).await;
            assert_eq!((made.version(), made.status().as_u16()), (version, status), "{origin}");
        }
        let elsewhere = sent(client.post(format!("{url}/sign-in")), "https://evil.example", credentials).await;
        assert_eq!(elsewhere.status().as_u16(), 403);
    }
}
