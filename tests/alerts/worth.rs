//! What is told on a channel, and what is not.

use airiskguard_gateway::store::{Exchange, Found, Side, Subject};
use serde_json::Value;

use super::receiver::{Receiver, status};
use super::records::{NOW_MS, act, blocked, entries, entry, found, leak, outlet};

/// The kinds and types that a webhook with these options is told of these subjects.
async fn told(options: &str, subjects: Vec<Subject>) -> Vec<Value> {
    let receiver = Receiver::start([status(200)]).await;
    let mut outlet = outlet(&format!("  webhook: {{url: '{}', {options}}}\n", receiver.url()));
    let batch: Vec<_> = (1..).zip(subjects).map(|(it, subject)| entry(it, NOW_MS, subject)).collect();
    outlet.deliver(&batch, NOW_MS).await.unwrap();
    receiver.bodies()
}

fn exchange(it: Exchange) -> Subject {
    Subject::Exchange(Box::new(it))
}

/// An exchange whose prompt had one finding with this action.
fn with_action(action: &str) -> Exchange {
    let mut it = blocked(vec![Found { action: action.to_owned(), ..found("secrets.a.b", "high", Some("v")) }]);
    (it.action, it.outbound.action) = (action.to_owned(), action.to_owned());
    (it.outcome, it.refusal) = ("forwarded".to_owned(), None);
    it
}

#[tokio::test]
async fn actions_decide() {
    for (action, count) in [("block", 1), ("redact", 1), ("review", 1), ("flag", 0), ("log", 0), ("allow", 0)] {
        assert_eq!(told("", vec![exchange(with_action(action))]).await.len(), count, "{action}");
    }
}

#[tokio::test]
async fn stops_of_completions_are_told_with_their_direction() {
    let mut it = blocked(vec![]);
    it.inbound = Side { findings: vec![found("vuln.sql.injection", "high", None)], ..with_action("block").outbound };
    (it.outbound, it.outcome) = (Side::default(), "stopped".to_owned());
    let [body] = told("", vec![exchange(it)]).await.try_into().unwrap();
    assert_eq!((&body["direction"], &body["blocked"]), (&"inbound".into(), &true.into()));
}

#[tokio::test]
async fn findings_that_were_only_logged_are_not_named() {
    let logged = Found { action: "log".to_owned(), ..found("vuln.x.y", "critical", None) };
    let [body] = told("", vec![exchange(blocked(vec![logged, found("secrets.a.b", "high", Some("v"))]))])
        .await
        .try_into()
        .unwrap();
    assert_eq!((&body["rule_ids"], &body["overall_risk"]), (&serde_json::json!(["secrets.a.b"]), &"high".into()));
    assert_eq!(body["check_results"][1]["passed"], true, "{body}");
}

#[tokio::test]
async fn a_policy_over_several_findings_names_them_all() {
    let mut it = with_action("log");
    (it.action, it.outbound.action) = ("block".to_owned(), "block".to_owned());
    it.outbound.findings.push(Found { exception: Some("sample".to_owned()), ..found("pii.a.b", "high", Some("w")) });
    let [body] = told("", vec![exchange(it)]).await.try_into().unwrap();
    assert_eq!(body["rule_ids"], serde_json::json!(["secrets.a.b"]));
}

#[tokio::test]
async fn less_than_the_minimum_risk_is_not_told() {
    let of = |risk: &str| exchange(blocked(vec![found("secrets.a.b", risk, Some(risk))]));
    let all = || ["low", "medium", "high", "critical"].map(of).to_vec();
    for (options, count) in
        [("minimum_risk: low", 4), ("", 3), ("minimum_risk: high", 2), ("minimum_risk: critical", 1)]
    {
        assert_eq!(told(options, all()).await.len(), count, "{options}");
    }
    let receiver = Receiver::start([status(202)]).await;
    let mut outlet = outlet(&format!("  pagerduty: {{key: k, url: '{}'}}\n", receiver.url()));
    let batch: Vec<_> = (1..).zip(all()).map(|(it, subject)| entry(it, NOW_MS, subject)).collect();
    outlet.deliver(&batch, NOW_MS).await.unwrap();
    assert_eq!(receiver.received().len(), 2, "PagerDuty is told of high and critical");
}

#[tokio::test]
async fn refusals_without_findings_are_told_only_where_asked_for() {
    let refused = |kind: &str| {
        let refusal = Some(kind.to_owned());
        exchange(Exchange { refusal, outbound: Side::default(), action: "allow".to_owned(), ..blocked(vec![]) })
    };
    let both = || vec![refused("model_not_allowed"), refused("unknown_key"), refused("unknown_key")];
    assert_eq!(told("", both()).await.len(), 0);
    let bodies = told("refusals: true, minimum_risk: critical", both()).await;
    let kinds: Vec<_> = bodies.iter().map(|it| (&it["kind"], &it["refusal"])).collect();
    let expected = ["model_not_allowed", "unknown_key"].map(|it| (Value::from("refused"), Value::from(it)));
    assert_eq!(kinds, expected.iter().map(|(kind, it)| (kind, it)).collect::<Vec<_>>());
}

#[tokio::test]
async fn decisions_and_ordinary_acts_are_not_told() {
    let decision = Subject::Decision(Box::new(leak("v1")));
    let quiet = vec![decision, act("gateway.started"), act("audit.expired")];
    assert_eq!(told("refusals: true, minimum_risk: low", quiet).await.len(), 0);
}

#[tokio::test]
async fn trouble_of_the_audit_log_is_told() {
    let acts = || ["audit.lost", "audit.store_down", "audit.store_back", "audit.damaged", "alerts.tested"].map(act);
    let bodies = told("", acts().to_vec()).await;
    assert_eq!(bodies.len(), 5);
    assert_eq!((&bodies[0]["act"], &bodies[0]["details"]["records"]), (&"audit.lost".into(), &"12".into()));
    assert_eq!(bodies[0]["summary"], "Audit records were lost, gateway gw-1");
    assert_eq!(told("minimum_risk: critical", acts().to_vec()).await.len(), 0);
    let again = ["audit.store_down", "audit.store_down", "audit.store_back", "audit.store_down"].map(act);
    let kinds = told("", again.to_vec()).await;
    let named: Vec<&str> = kinds.iter().map(|it| it["act"].as_str().unwrap_or("repeated")).collect();
    assert_eq!(named[..3], ["audit.store_down", "audit.store_back", "audit.store_down"], "down again is news");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_put_aside() {
    let receiver = Receiver::start([status(200)]).await;
    let mut outlet = outlet(&format!("  webhook: {}\n", receiver.url()));
    let mut batch = entries(1, [leak("v1"), leak("v2")]);
    batch[1].body = "{}".into();
    let failure = outlet.deliver(&batch, NOW_MS).await.unwrap_err();
    assert_eq!((failure.done, failure.hope), (1, airiskguard_gateway::sinks::Hope::Never));
}
