//! What each channel sends, and what is made of each answer.

use std::time::Duration;

use airiskguard_gateway::sinks::{Failure, Hope, Outlet};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::receiver::{Answer, Receiver, SECRET_PATH, status};
use super::records::{NOW_MS, SECOND_MS, entries, leak, outlet};

/// HMAC-SHA-256 by its definition.
fn hmac(key: &[u8], message: &[u8]) -> String {
    let pad = |with: u8| (0..64).map(|it| key.get(it).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|it| format!("{it:02x}")).collect()
}

/// A failure that says no address, key or text.
#[track_caller]
fn silent(result: Result<(), Failure>) -> Failure {
    let failure = result.unwrap_err();
    for secret in ["unseen", "http://", "127.0.0.1", SECRET_PATH, "backend"] {
        assert!(!failure.what.contains(secret), "{failure:?}");
    }
    failure
}

/// The three channels over HTTP, with the same address.
fn channels(url: &str) -> [(&'static str, Box<dyn Outlet>); 3] {
    [
        ("slack", outlet(&format!("  slack: {url}\n"))),
        ("webhook", outlet(&format!("  webhook: {{url: '{url}', secret: unseen-sixteen-characters}}\n"))),
        ("pagerduty", outlet(&format!("  pagerduty: {{key: unseen-key, url: '{url}'}}\n"))),
    ]
}

#[tokio::test]
async fn each_channel_gets_its_own_form() {
    let receiver = Receiver::start([status(202)]).await;
    for (name, mut outlet) in channels(&receiver.url()) {
        assert_eq!(outlet.name(), name);
        outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await.unwrap();
    }
    let [slack, webhook, pagerduty] = receiver.received().try_into().unwrap();
    for it in [&slack, &webhook, &pagerduty] {
        assert_eq!(it.header("content-type"), "application/json");
        assert!(it.header("user-agent").starts_with("airiskguard-gateway/"));
        assert_eq!(it.target, format!("/{SECRET_PATH}?unseen=query"));
    }
    assert_eq!(slack.json()["blocks"][0]["type"], "header");
    assert_eq!(slack.json()["text"], "Blocked: AWS_ACCESS_KEY, risk critical, team backend");
    let body = webhook.json();
    assert_eq!(body["source"], "airiskguard-gateway");
    assert_eq!(
        body["check_results"],
        json!([{"checker": "secrets", "risk": "critical", "score": 0.9, "passed": false}])
    );
    assert_eq!((&body["blocked"], &body["policy_violations"]), (&json!(true), &json!(["block_secrets"])));
    assert_eq!((&body["model_id"], &body["overall_risk"]), (&json!("claude-sonnet-4-6"), &json!("critical")));
    assert_eq!((&body["timestamp"], &body["count"]), (&json!("2025-11-24T16:00:01.000Z"), &json!(1)));
    assert_eq!((&body["team"], &body["session_id"]), (&json!("backend"), &json!("session-7")));
    let event = pagerduty.json();
    assert_eq!((&event["routing_key"], &event["event_action"]), (&json!("unseen-key"), &json!("trigger")));
    assert_eq!(event["payload"]["severity"], "critical");
}

#[tokio::test]
async fn signatures_verify_and_deliveries_keep_their_id_over_retries() {
    let receiver = Receiver::start([status(503), status(200)]).await;
    let mut outlet = outlet(&format!("  webhook: {{url: '{}', secret: unseen-sixteen-characters}}\n", receiver.url()));
    let batch = entries(7, [leak("v1")]);
    assert_eq!(silent(outlet.deliver(&batch, NOW_MS).await).hope, Hope::Later);
    outlet.deliver(&batch, NOW_MS + 5 * SECOND_MS).await.unwrap();
    let [first, second] = receiver.received().try_into().unwrap();
    for (it, unix) in [(&first, NOW_MS / 1000), (&second, NOW_MS / 1000 + 5)] {
        let expected = hmac(b"unseen-sixteen-characters", format!("{unix}.{}", it.body).as_bytes());
        assert_eq!(it.header("x-airiskguard-signature"), format!("t={unix},v1={expected}"));
    }
    let ids = [&first, &second].map(|it| it.header("x-airiskguard-delivery").to_owned());
    assert_eq!(ids, ["0199a7c2-5b1e-7cc3-98c4-000000000007"; 2]);
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn answers_are_for_ever_or_for_now() {
    let classes = [(400, Hope::Never), (403, Hope::Never), (404, Hope::Never), (410, Hope::Never), (413, Hope::Never)]
        .into_iter()
        .chain([302, 408, 425, 429, 500, 502, 503, 504].map(|it| (it, Hope::Later)));
    for (code, hope) in classes {
        let receiver = Receiver::start([status(code)]).await;
        for (name, mut outlet) in channels(&receiver.url()) {
            let failure = silent(outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await);
            assert_eq!((failure.done, failure.hope), (0, hope), "{name} {code}");
            assert_eq!(failure.what, format!("answered {code}"));
        }
        assert_eq!(receiver.received().len(), 3);
    }
}

#[tokio::test]
async fn the_receivers_own_word_is_repeated_only_if_it_is_one() {
    let rows = [
        ("slack", "no_service", "answered 404 (no_service)"),
        ("slack", "you sent https://a.example/unseen", "answered 404"),
        ("webhook", "no_service", "answered 404"),
        ("pagerduty", r#"{"status":"invalid event","message":"unseen"}"#, "answered 404 (invalid event)"),
        ("pagerduty", r#"{"status":"unseen-KEY"}"#, "answered 404"),
    ];
    for (channel, body, expected) in rows {
        let receiver = Receiver::start([Answer { body: body.into(), ..status(404) }]).await;
        let (_, mut outlet) = channels(&receiver.url()).into_iter().find(|(name, _)| *name == channel).unwrap();
        let failure = silent(outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await);
        assert_eq!(failure.what, expected, "{channel} {body}");
    }
}

#[tokio::test]
async fn a_receiver_that_asks_for_quiet_gets_it() {
    let busy = Answer { headers: vec![("retry-after", "30".to_owned())], ..status(429) };
    let receiver = Receiver::start([busy, status(200)]).await;
    let mut outlet = outlet(&format!("  slack: {}\n", receiver.url()));
    let batch = entries(1, [leak("v1")]);
    silent(outlet.deliver(&batch, NOW_MS).await);
    let failure = silent(outlet.deliver(&batch, NOW_MS + 10 * SECOND_MS).await);
    assert_eq!((failure.hope, failure.what.as_str()), (Hope::Later, "asked to be left alone for 20 s more"));
    outlet.idle(NOW_MS + 11 * SECOND_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 1, "nothing was sent in the meantime");
    outlet.deliver(&batch, NOW_MS + 30 * SECOND_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn who_is_not_there_is_tried_later() {
    let port = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (name, mut outlet) in channels(&format!("http://127.0.0.1:{port}/{SECRET_PATH}")) {
        let failure = silent(outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await);
        assert_eq!((failure.hope, failure.what.as_str()), (Hope::Later, "no connection: connection refused"), "{name}");
    }
}

#[tokio::test]
async fn who_hangs_is_cut_off() {
    let receiver = Receiver::start([Answer { after: Duration::from_secs(3600), ..status(200) }]).await;
    let mut outlet = outlet(&format!("  slack: {}\n", receiver.url()));
    let failure = silent(outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await);
    assert_eq!((failure.hope, failure.what.as_str()), (Hope::Later, "no answer in time"));
}

#[tokio::test]
async fn redirects_lead_nowhere_and_long_answers_are_not_read() {
    let other = Receiver::start([status(200)]).await;
    let moved = Answer { headers: vec![("location", other.url())], ..status(307) };
    let long = Answer { body: vec![b'x'; 8 << 20], ..status(200) };
    let receiver = Receiver::start([moved, long]).await;
    let mut outlet = outlet(&format!("  slack: {}\n", receiver.url()));
    let batch = entries(1, [leak("v1")]);
    assert_eq!(silent(outlet.deliver(&batch, NOW_MS).await).what, "answered 307");
    outlet.deliver(&batch, NOW_MS).await.unwrap();
    assert_eq!((receiver.received().len(), other.received().len()), (2, 0));
}

#[tokio::test]
async fn a_proxy_is_used_where_one_is_named() {
    let proxy = Receiver::start([status(200)]).await;
    let text = format!("  slack: https://a.example/x\n  proxy: http://u:unseen@127.0.0.1:{}\n", proxy.port);
    let mut outlet = outlet(&text.replace("https://a", "http://a"));
    outlet.deliver(&entries(1, [leak("v1")]), NOW_MS).await.unwrap();
    let [received] = proxy.received().try_into().unwrap();
    assert_eq!(received.target, "http://a.example/x");
    assert!(received.header("proxy-authorization").starts_with("Basic "));
}

#[tokio::test]
async fn links_lead_to_the_dashboard() {
    let receiver = Receiver::start([status(200)]).await;
    let mut outlet = outlet(&format!("  webhook: {}\n  dashboard_url: https://dash.example/x/\n", receiver.url()));
    outlet.deliver(&entries(7, [leak("v1")]), NOW_MS).await.unwrap();
    let [body] = receiver.bodies().try_into().unwrap();
    assert_eq!(body["link"], "https://dash.example/x/audit/0199a7c2-5b1e-7cc3-98c4-000000000007");
}
