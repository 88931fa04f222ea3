//! The company's own secrets, wherever they stand; and exceptions, which live in the policy alone.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use airiskguard_gateway::config::File;
use airiskguard_gateway::domain::{Direction, Event, Outcome, RequestId, Secret, Source, Stamp};
use airiskguard_gateway::pipeline::{Exchange, Head, Opening, Snapshot};
use airiskguard_gateway::providers::RefusalKind;
use airiskguard_gateway::scan::known::{Entry, FingerprintKey, Kind, write};
use base64::Engine as _;

use crate::client::{CHAT, MESSAGES, blocks, forwarded, key, post, prompt, refusal, said, send};
use crate::support::snapshot;

/// Values of `tests/golden/known-secrets.txt` and `tests/golden/canaries.txt`; they have no shape of their own.
const PASSWORD: &str = "Zk3-vQ9_xM1pL7rT";
const ODD: &str = "q\"8\\Rt/5 ünï€-Wy";
const CANARY: &str = "canary-4b1f-9d2e-77aa";
const LABEL: &str = "[REDACTED:DATABASE_PASSWORD]";
const KEY: &str = "an-example-key-for-the-golden-exchanges";
const UPSTREAM: &str = "upstream: {anthropic: https://api.anthropic.com, openai: https://api.openai.com}\n";

fn knowing(rest: &str) -> String {
    let files = "[tests/golden/known-secrets.txt, tests/golden/canaries.txt]";
    format!("{UPSTREAM}known_secrets: {{key: {KEY}, files: {files}}}\n{rest}")
}

fn arrives(body: String) -> String {
    let run = send(&post(&knowing("redact_secrets: true"), MESSAGES, body));
    let Some(sent) = forwarded(&run) else { panic!("refused: {}", said(&run)) };
    String::from_utf8(sent.to_vec()).unwrap()
}

#[test]
fn the_files_hold_what_they_are_said_to_hold() {
    let key = FingerprintKey::new(&Secret::new(KEY.into()));
    let entry = |kind, label, value: &str| Entry::new(&key, kind, Some(label), value.as_bytes()).unwrap();
    let secrets = [entry(Kind::Secret, "DATABASE_PASSWORD", PASSWORD), entry(Kind::Secret, "ODD_ONE", ODD)];
    assert_eq!(write(&key, &secrets), include_str!("../golden/known-secrets.txt"));
    let canaries = [entry(Kind::Canary, "WIKI_BAIT", CANARY)];
    assert_eq!(write(&key, &canaries), include_str!("../golden/canaries.txt"));
}

#[test]
fn known_secrets_are_hidden_wherever_they_stand() {
    for template in ["§", "a§b", "§§", "x=§\n", "'§'", "{\"k\": [\"§\"]}"] {
        assert_eq!(
            arrives(prompt(&template.replace('§', PASSWORD))),
            prompt(&template.replace('§', LABEL)),
            "{template}"
        );
        assert_eq!(
            arrives(prompt(&template.replace('§', &PASSWORD.replace('v', "%76")))),
            prompt(&template.replace('§', LABEL)),
            "{template}"
        );
    }
    assert_eq!(arrives(prompt(&format!("is {ODD} odd"))), prompt("is [REDACTED:ODD_ONE] odd"));
    let escaped = prompt("§").replace('§', "\\u005ak3-vQ9_xM1pL7r\\u0054");
    assert_eq!(arrives(escaped), prompt(LABEL));
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("app:{PASSWORD}"));
    assert_eq!(arrives(prompt(&format!("Basic {encoded}"))), prompt(&format!("Basic {LABEL}=")));
    let split = arrives(blocks(&["it is Zk3-vQ9", "_xM1pL7rT ok"]));
    assert_eq!(split, blocks(&[&format!("it is {LABEL}"), " ok"]));
    for near in [&PASSWORD[1..], &PASSWORD[..15], "zk3-vQ9_xM1pL7rT", "Zk3 vQ9_xM1pL7rT"] {
        assert_eq!(arrives(prompt(near)), prompt(near), "{near}");
    }
}

#[test]
fn known_secrets_are_critical_and_looked_for_where_secrets_are() {
    let run = send(&post(&knowing(""), CHAT, prompt(PASSWORD)));
    assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked));
    let rule = &run.event.outbound_findings[0].rule;
    assert_eq!((rule.id.as_str(), rule.label.as_str()), ("secrets.known.fingerprint", "DATABASE_PASSWORD"));
    assert_eq!((rule.risk.name(), rule.score.value()), ("critical", 1.0));
    assert!(!said(&run).contains(PASSWORD));
    let run = send(&post(&knowing("checks: {outbound: [compliance]}"), CHAT, prompt(PASSWORD)));
    assert!(forwarded(&run).is_some());
    let without = format!("{UPSTREAM}checks: {{outbound: [secrets]}}");
    assert!(forwarded(&send(&post(&without, CHAT, prompt(PASSWORD)))).is_some());
}

#[test]
fn a_canary_stops_the_prompt_whatever_becomes_of_secrets() {
    let run = send(&post(&knowing("redact_secrets: true"), MESSAGES, prompt(&format!("see {CANARY}."))));
    assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked));
    assert_eq!(run.event.outbound_findings[0].rule.id, "secrets.known.canary");
    let run = send(&post(&knowing("redact_secrets: true"), MESSAGES, blocks(&["see canary-4b", "1f-9d2e-77aa"])));
    assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked));
}

#[test]
fn files_of_another_key_are_refused() {
    let text = knowing("").replace(KEY, "another-key-that-is-long-enough-for-it");
    let lines = include_str!("../golden/known-secrets.txt").to_owned();
    let compile = |lines: String| {
        let file = File::parse(&text, "gateway.yaml", &move |_| Ok(lines.clone())).unwrap();
        Snapshot::compile(&file, [7; 32]).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let error = compile(lines.clone());
    assert!(error.starts_with("tests/golden/known-secrets.txt: line 2: made with another key"), "{error}");
    let error = compile(lines.replace(" 1\n", " 7\n"));
    assert!(error.starts_with("tests/golden/known-secrets.txt: line 1: this program reads version 1"), "{error}");
}

/// What a developer writes beside a secret does not make it harmless.
#[test]
fn comments_change_nothing() {
    for comment in [
        "# gitleaks:allow",
        "// nosec",
        "# nosec B105",
        "# pragma: allowlist secret",
        "# noqa: S105",
        "# noqa",
        "// NOSONAR",
        "# detect-secrets:ignore",
        "# trufflehog:ignore",
        "# nosemgrep",
        "<!-- airiskguard:allow -->",
        "# exceptions: [secrets]",
    ] {
        for text in [format!("id = \"{}\" {comment}", key()), format!("{comment}\nid = \"{PASSWORD}\"\n{comment}")] {
            let run = send(&post(&knowing(""), MESSAGES, prompt(&text)));
            assert_eq!(refusal(&run), Some(RefusalKind::PolicyBlocked), "{text}");
        }
        let code = format!("```python\nos.system(\"rm -rf \" + path)  {comment}\n```");
        let vulnerable = snapshot(UPSTREAM).inspect(&code, Direction::Inbound, Source::Assistant);
        assert!(!vulnerable.findings.is_empty(), "{code}");
    }
}

/// One request without an answer, at so many days after 1970-01-01.
fn on_day(day: u64, gateway: &str, path: &str, query: Option<&str>, body: &str) -> Event {
    let now = Stamp { unix: Duration::from_secs(day * 24 * 3600), ..Stamp::default() };
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let head = Head { method: "POST", path, query, headers: Vec::new(), client };
    let (mut exchange, opening) = Exchange::open(snapshot(gateway), RequestId::new("r"), &head, now);
    if let Opening::ReadBody { .. } = opening {
        exchange.request_body(body.as_bytes(), true, now);
    }
    exchange.close(Outcome::Forwarded, 0, now)
}

const EXCEPTING: &str = "
exceptions: [{name: sample, reason: in our docs, expires: 1970-01-31, scope: {rule: 'secrets.aws.*'}}]
";

#[test]
fn an_exception_ends_with_its_day_and_is_in_the_record() {
    let gateway = format!("{UPSTREAM}{EXCEPTING}");
    for (day, outcome, excepted) in [(30, Outcome::Forwarded, 1), (31, Outcome::Refused, 0)] {
        let event = on_day(day, &gateway, "/v1/messages", None, &prompt(&key()));
        assert_eq!((event.outcome, event.outbound.excepted.len()), (outcome, excepted), "{day}");
        assert_eq!(event.outbound_findings.len(), 1);
    }
    let event = on_day(1, &gateway, "/v1/messages", None, &prompt(&key()));
    assert_eq!((event.outbound.excepted[0].finding, &*event.outbound.excepted[0].exception), (0, "sample"));
    assert_eq!((event.outbound.action.name(), event.outbound.risk), ("allow", None));
}

#[test]
fn an_exception_in_the_query_is_in_the_record_too() {
    let gateway = format!("{UPSTREAM}{EXCEPTING}");
    let query = format!("id={}", key());
    let event = on_day(1, &gateway, "/v1/messages", Some(&query), &prompt("Her SSN is 536-22-8145"));
    assert_eq!(event.outbound.excepted.len(), 1);
    let excepted = &event.outbound_findings[event.outbound.excepted[0].finding];
    assert_eq!((excepted.rule.id.as_str(), excepted.place.path.as_str()), ("secrets.aws.access_key", "query"));
    assert_eq!(event.outbound.dispositions.len(), event.outbound_findings.len());
    let event = on_day(40, &gateway, "/v1/messages", Some(&query), &prompt("hello"));
    assert_eq!((event.outcome, event.outbound.excepted.len()), (Outcome::Refused, 0));
}

#[test]
fn an_exception_of_one_value_holds_in_answers_too() {
    let fingerprint = FingerprintKey::new(&Secret::new(KEY.into())).fingerprint(key().as_bytes());
    let exception = format!("{{name: sample, reason: r, expires: 2030-12-31, scope: {{fingerprint: {fingerprint}}}}}");
    let gateway = format!(
        "{UPSTREAM}checks: {{inbound: [secrets]}}\nredact_secrets: true\nknown_secrets: {{key: {KEY}}}\nexceptions: [{exception}]\n"
    );
    let at = Stamp { unix: Duration::from_secs(1), ..Stamp::default() };
    for (text, action) in [(key(), "allow"), (key().replace("Q3", "R4"), "redact")] {
        let inspection = snapshot(&gateway).inspect_file(&text, Direction::Inbound, Source::Assistant, None, at);
        assert_eq!(inspection.verdict.action.name(), action);
        // Without a time, nothing is excepted.
        let inspection = snapshot(&gateway).inspect(&text, Direction::Inbound, Source::Assistant);
        assert_eq!(inspection.verdict.action.name(), "redact");
    }
}
