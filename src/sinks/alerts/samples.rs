//! Alerts for tests of the encoders: one of each occasion, and a hostile one.

use serde_json::{Map, Value};

use crate::domain::Risk;

use super::alert::{Alert, Check, Key, Occasion, Reported};

/// 2025-11-24T16:00:00Z.
const NOW_MS: u64 = 1_764_000_000_000;

/// One of each occasion, by name.
pub(super) fn all() -> Vec<(&'static str, Alert)> {
    let new =
        |occasion, event: &str, risk| Alert::new(occasion, event.to_owned(), Key::new(&[event]), "gw-1", NOW_MS, risk);
    let lost = Occasion::Act("audit.lost".to_owned());
    vec![
        ("found", found()),
        (
            "stopped",
            Alert {
                action: Some("log".to_owned()),
                model: None,
                session: None,
                link: None,
                policies: Vec::new(),
                ..found()
            },
        ),
        (
            "refused",
            Alert {
                team: Some("backend".to_owned()),
                request: Some("0199-r2".to_owned()),
                model: Some("gpt-9".to_owned()),
                action: Some("block".to_owned()),
                blocked: true,
                ..new(Occasion::Refused("model_not_allowed".to_owned()), "0199-r2", Risk::Medium)
            },
        ),
        ("act", Alert { details: vec![("records".to_owned(), "12".to_owned())], ..new(lost, "0199-a1", Risk::High) }),
        ("back", new(Occasion::Act("audit.store_back".to_owned()), "0199-a2", Risk::High)),
        (
            "repeated",
            Alert {
                count: 99,
                since_ms: Some(NOW_MS - 3_600_000),
                team: Some("backend".to_owned()),
                request: Some("0199-r1".to_owned()),
                findings: vec![Reported {
                    source: String::new(),
                    place: String::new(),
                    direction: "",
                    action: String::new(),
                    count: 99,
                    ..finding("secrets.aws.access_key", "AWS_ACCESS_KEY", Risk::Critical)
                }],
                ..new(Occasion::Repeated("AWS_ACCESS_KEY".to_owned()), "repeated-x", Risk::Critical)
            },
        ),
        ("more", Alert { count: 37, since_ms: Some(NOW_MS - 60_000), ..new(Occasion::More, "more-x", Risk::Critical) }),
    ]
}

fn found() -> Alert {
    let findings = vec![
        Reported { count: 3, ..finding("secrets.aws.access_key", "AWS_ACCESS_KEY", Risk::Critical) },
        finding("pii.ssn", "SSN", Risk::High),
    ];
    let check = |name: &str, risk, score, passed| Check { checker: name.to_owned(), risk, score, passed };
    Alert {
        score: 0.95,
        blocked: true,
        team: Some("backend".to_owned()),
        key_id: Some("9f86d081".to_owned()),
        session: Some("session-7".to_owned()),
        request: Some("0199-r1".to_owned()),
        model: Some("claude-sonnet-4-6".to_owned()),
        direction: Some("outbound"),
        action: Some("block".to_owned()),
        policies: vec!["block_secrets".to_owned()],
        checks: vec![check("pii", Risk::High, 0.8, false), check("secrets", Risk::Critical, 0.95, false)],
        findings,
        link: Some("https://dash.example/audit/0199-r1".to_owned()),
        ..Alert::new(Occasion::Found, "0199-r1".to_owned(), Key::new(&["k"]), "gw-1", NOW_MS, Risk::Critical)
    }
}

fn finding(rule: &str, label: &str, risk: Risk) -> Reported {
    Reported {
        key: Key::new(&[rule]),
        rule: rule.to_owned(),
        checker: rule.split('.').next().unwrap_or_default().to_owned(),
        label: label.to_owned(),
        risk,
        score: 0.95,
        source: "user".to_owned(),
        place: "message 3, line 2 (messages[3].content)".to_owned(),
        direction: "outbound",
        action: "block".to_owned(),
        count: 1,
    }
}

/// Names of a client that wants to be read as formatting, as headers, or as a very long text.
pub(super) fn hostile() -> Alert {
    let text = "<!channel> <https://evil.example|here> `x` \r\n*boss* Bcc: a@b.example & more\u{202e}";
    let long = format!("{text}{}", "&".repeat(10_000));
    Alert {
        session: Some(text.to_owned()),
        model: Some(long.clone()),
        request: Some("0199-r9".to_owned()),
        policies: vec!["p".repeat(300); 30],
        findings: vec![Reported { place: long.clone(), ..finding("secrets.a.b", "X", Risk::High) }; 200],
        details: vec![(text.to_owned(), long); 60],
        ..found()
    }
}

/// Compares what an encoder makes of every sample with the file where it is written down.
#[track_caller]
pub(super) fn check(name: &str, encode: fn(&Alert) -> Value, golden: &str) {
    let made: Map<String, Value> = all().iter().map(|(name, it)| ((*name).to_owned(), encode(it))).collect();
    let made = serde_json::to_string_pretty(&Value::Object(made)).unwrap_or_default();
    assert_eq!(made, golden.trim_end(), "tests/alerts/golden/{name}.json, as it is now:\n{made}\n");
}
