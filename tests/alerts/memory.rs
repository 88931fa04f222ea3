//! Told once: repeats, windows, rates, and what is remembered over a restart.

use airiskguard_gateway::sinks::{Outlet, STATE_BYTES_MAX};
use serde_json::{Value, json};

use super::receiver::{Receiver, status};
use super::records::{HOUR_MS, NOW_MS, SECOND_MS, blocked, entries, found, leak, outlet};

async fn webhook(options: &str) -> (Receiver, Box<dyn Outlet>, String) {
    let receiver = Receiver::start([status(200)]).await;
    let text = format!("  webhook: {}\n{options}", receiver.url());
    (receiver, outlet(&text), text)
}

/// Kind and count of every message.
fn counts(receiver: &Receiver) -> Vec<(String, u64)> {
    let bodies = receiver.bodies();
    bodies.iter().map(|it| (it["kind"].as_str().unwrap().to_owned(), it["count"].as_u64().unwrap())).collect()
}

fn kinds(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_hundred_turns_are_one_alert_and_one_count() {
    let (receiver, mut outlet, _) = webhook("").await;
    outlet.deliver(&entries(1, (0..100).map(|_| leak("v1"))), NOW_MS).await.unwrap();
    outlet.idle(NOW_MS + HOUR_MS - 1).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1)]));
    outlet.idle(NOW_MS + HOUR_MS).await.unwrap();
    outlet.idle(NOW_MS + 2 * HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("repeated", 99)]));
    let closing = &receiver.bodies()[1];
    assert_eq!(closing["summary"], "99 times more since 2025-11-24 16:00 UTC: AWS_ACCESS_KEY, team backend");
    assert_eq!((&closing["rule_ids"], &closing["blocked"]), (&json!(["secrets.aws.access_key"]), &json!(true)));
    assert_eq!(closing["timestamp"], "2025-11-24T16:01:40.000Z", "the time of the last");
}

#[tokio::test]
async fn memory_survives_a_restart() {
    let (receiver, mut first, text) = webhook("").await;
    first.deliver(&entries(1, (0..40).map(|_| leak("v1"))), NOW_MS).await.unwrap();
    let state = first.state().unwrap();
    let stored: Value = serde_json::from_str(&state.to_string()).unwrap();
    drop(first);
    let mut second = outlet(&text);
    second.restore(stored.clone());
    assert_eq!(second.state(), Some(state));
    second.deliver(&entries(41, (0..60).map(|_| leak("v1"))), NOW_MS + SECOND_MS).await.unwrap();
    second.idle(NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("repeated", 99)]));
}

#[tokio::test]
async fn a_batch_that_was_cut_off_is_not_counted_twice() {
    let (receiver, mut first, text) = webhook("").await;
    let batch = entries(1, (0..10).map(|_| leak("v1")));
    first.deliver(&batch, NOW_MS).await.unwrap();
    first.deliver(&batch, NOW_MS).await.unwrap();
    let mut second = outlet(&text);
    second.restore(first.state().unwrap());
    second.deliver(&batch, NOW_MS).await.unwrap();
    second.idle(NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("repeated", 9)]));
    // A log that begins anew has the same numbers, and is another log.
    second.deliver(&entries(1, [leak("v2")]), NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn the_next_alert_tells_the_count_of_the_last_window() {
    let (receiver, mut outlet, _) = webhook("").await;
    outlet.deliver(&entries(1, [leak("v1"), leak("v1"), leak("v1")]), NOW_MS).await.unwrap();
    outlet.deliver(&entries(4, [leak("v1")]), NOW_MS + HOUR_MS).await.unwrap();
    outlet.idle(NOW_MS + 3 * HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("found", 3)]));
    assert_eq!(receiver.bodies()[1]["since"], "2025-11-24T16:00:00.000Z");
}

#[tokio::test]
async fn only_what_is_new_in_an_exchange_is_told() {
    let (receiver, mut outlet, _) = webhook("").await;
    let one = || found("secrets.aws.access_key", "critical", Some("v1"));
    let two = || found("secrets.github.token", "high", Some("v2"));
    let batch = entries(1, [blocked(vec![one(), one()]), blocked(vec![one(), two()]), blocked(vec![two(), one()])]);
    outlet.deliver(&batch, NOW_MS).await.unwrap();
    let bodies = receiver.bodies();
    assert_eq!((&bodies[0]["rule_ids"], bodies.len()), (&json!(["secrets.aws.access_key"]), 2));
    assert_eq!(bodies[0]["findings"][0]["count"], 2);
    assert_eq!(
        (&bodies[1]["rule_ids"], &bodies[1]["overall_risk"]),
        (&json!(["secrets.github.token"]), &json!("high"))
    );
    outlet.idle(NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver)[2..], kinds(&[("repeated", 2), ("repeated", 1)]));
}

#[tokio::test]
async fn keys_are_team_rule_and_value_and_else_the_session() {
    let (receiver, mut outlet, _) = webhook("").await;
    let other_team = || airiskguard_gateway::store::Exchange { team: "red".to_owned(), ..leak("v1") };
    let unvalued = |session: &str| {
        let session = Some(session.to_owned());
        let exchange = blocked(vec![found("vuln.sql.injection", "high", None)]);
        airiskguard_gateway::store::Exchange { session, ..exchange }
    };
    let turns = || [leak("v1"), leak("v2"), other_team(), unvalued("s1"), unvalued("s2")];
    outlet.deliver(&entries(1, turns()), NOW_MS).await.unwrap();
    outlet.deliver(&entries(6, turns()), NOW_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 5);
}

#[tokio::test]
async fn without_deduplication_each_is_told() {
    let (receiver, mut outlet, _) = webhook("  deduplicate_for: 0s\n").await;
    outlet.deliver(&entries(1, [leak("v1"), leak("v1")]), NOW_MS).await.unwrap();
    outlet.idle(NOW_MS + HOUR_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("found", 1)]));
}

#[tokio::test]
async fn another_window_can_be_chosen() {
    let (receiver, mut outlet, _) = webhook("  deduplicate_for: 5m\n").await;
    outlet.deliver(&entries(1, [leak("v1"), leak("v1")]), NOW_MS).await.unwrap();
    outlet.idle(NOW_MS + HOUR_MS / 12).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1), ("repeated", 1)]));
}

#[tokio::test]
async fn what_is_too_much_for_a_minute_is_summed_up() {
    let receiver = Receiver::start([status(200)]).await;
    let text = format!("  webhook: {{url: '{}', rate_per_minute: 3}}\n", receiver.url());
    let mut first = outlet(&text);
    first.deliver(&entries(1, (0..40).map(|it| leak(&format!("v{it}")))), NOW_MS).await.unwrap();
    first.idle(NOW_MS + 59 * SECOND_MS).await.unwrap();
    assert_eq!(counts(&receiver), kinds(&[("found", 1); 3]));
    let mut second = outlet(&text);
    second.restore(first.state().unwrap());
    second.idle(NOW_MS + 60 * SECOND_MS).await.unwrap();
    second.idle(NOW_MS + 180 * SECOND_MS).await.unwrap();
    assert_eq!(counts(&receiver)[3..], kinds(&[("more", 37)]));
    let summary = &receiver.bodies()[3];
    assert_eq!(summary["summary"], "37 more alerts since 2025-11-24 16:00 UTC, see the audit log");
    assert_eq!(summary["overall_risk"], "critical");
    // What was held back was not told, so that its next time is news.
    second.deliver(&entries(41, [leak("v39")]), NOW_MS + 180 * SECOND_MS).await.unwrap();
    assert_eq!(counts(&receiver)[4..], kinds(&[("found", 1)]));
}

#[tokio::test]
async fn counts_wait_for_a_receiver_that_is_away_and_give_up_on_one_that_refuses() {
    let receiver = Receiver::start([200, 503, 200, 200, 404, 200].map(status)).await;
    let mut outlet = outlet(&format!("  webhook: {}\n", receiver.url()));
    outlet.deliver(&entries(1, [leak("v1"), leak("v1")]), NOW_MS).await.unwrap();
    outlet.idle(NOW_MS + HOUR_MS).await.unwrap_err();
    outlet.idle(NOW_MS + HOUR_MS + SECOND_MS).await.unwrap();
    let ids: Vec<String> =
        receiver.received()[1..].iter().map(|it| it.header("x-airiskguard-delivery").to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[0].starts_with("repeated-"), "{ids:?}");
    outlet.deliver(&entries(3, [leak("v2"), leak("v2")]), NOW_MS + 2 * HOUR_MS).await.unwrap();
    outlet.idle(NOW_MS + 3 * HOUR_MS).await.unwrap();
    outlet.idle(NOW_MS + 4 * HOUR_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 5, "the refused count is not sent for ever");
}

#[tokio::test]
async fn the_state_holds_no_value_and_no_address() {
    let (_receiver, mut outlet, _) = webhook("").await;
    let findings = (0..150).map(|it| found("secrets.aws.access_key", "high", Some(&format!("v{it}")))).collect();
    outlet.deliver(&entries(1, [blocked(findings)]), NOW_MS).await.unwrap();
    let state = outlet.state().unwrap().to_string();
    assert!(state.len() < STATE_BYTES_MAX && !state.contains("v149") && !state.contains("unseen"), "{state}");
}
