//! Who is kept out hears why, whom to ask and what to name; nothing of theirs reaches the provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use airiskguard_gateway::domain::{Held, HeldKind, RequestId};
use airiskguard_gateway::pipeline::{Exchange, Head, Live, Opening, Sending, Snapshot, SocketMemory};
use airiskguard_gateway::providers::RefusalKind;

use crate::client::{MESSAGES, RESPONSES, key, post, prompt, refusal, said, with_header};
use crate::support::{Run, at, run_on, snapshot};

const TEAMS: &str = "
upstream: {anthropic: {url: https://api.anthropic.com, api_key: company-key}, openai: {url: https://api.openai.com, api_key: company-key}}
teams: {core: {api_keys: [gw-core-key, gw-second-key]}, other: {api_keys: [gw-other-key]}}
redact_secrets: true
";

/// A configuration with one rule, of its own so that nobody else's findings count.
fn rule(name: &str, per: &str, more: &str) -> Arc<Snapshot> {
    let rule = format!("{{name: {name}, findings: 2, risk: high, within: 10m, per: {per}{more}}}");
    snapshot(&format!("{TEAMS}quarantine: {{contact: '#security', rules: [{rule}]}}\n"))
}

fn ask(live: &Live, gateway_key: &str, session: &str, text: &str) -> Run {
    let script = with_header(post("", MESSAGES, prompt(text)), "x-api-key", gateway_key);
    let script = with_header(script, "x-claude-code-session-id", session);
    let script = crate::support::Script { gateway: TEAMS.into(), ..script };
    run_on(live.load(), &script, &[&script.body], |body| vec![body])
}

fn other_key() -> String {
    ["AKIA", "Z7VEXAMQLP4SMPJD"].concat()
}

fn held(kind: HeldKind, value: &str) -> Held {
    Held {
        reference: format!("Q-{value}"),
        kind,
        value: value.into(),
        team: None,
        reason: "by hand".into(),
        contact: Some("the security team".into()),
        since_ms: 0,
        until_ms: None,
    }
}

#[test]
fn different_findings_keep_a_session_out_and_no_other() {
    let live = Live::new(rule("sessions", "session", ""));
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", &key())), None);
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", &key())), None, "the same value is the same finding");
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", &other_key())), None, "it is what tips the scales");
    let run = ask(&live, "gw-core-key", "one", "hello");
    assert_eq!(refusal(&run), Some(RefusalKind::Quarantined));
    assert!(run.forwarded.is_none());
    let imposed = live.quarantine().imposed(at(5));
    let [it] = imposed.as_slice() else { panic!("{imposed:?}") };
    assert_eq!((it.kind, it.value.as_str(), it.team.as_deref()), (HeldKind::Session, "one", Some("core")));
    for part in ["This session is in quarantine", "rule sessions", "#security", it.reference.as_str()] {
        assert!(said(&run).contains(part), "{part}: {}", said(&run));
    }
    assert_eq!(run.event.refusal, Some("quarantined"));
    assert_eq!(live.quarantine().take_fresh(), imposed);
    assert!(live.quarantine().take_fresh().is_empty(), "each is told once");
    assert_eq!(refusal(&ask(&live, "gw-core-key", "two", "hello")), None);
    assert_eq!(refusal(&ask(&live, "gw-other-key", "one", "hello")), None, "another team may call a session so, too");

    live.renew(snapshot(&format!("{TEAMS}log_level: debug\n")), Vec::new(), at(9));
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", "hello")), Some(RefusalKind::Quarantined));
    assert!(live.quarantine().release(&it.reference));
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", "hello")), None);
}

#[test]
fn a_key_a_user_and_a_team_are_kept_out() {
    for (per, second_key, other_team) in [("key", false, false), ("user", true, false), ("team", true, false)] {
        let live = Live::new(rule(&format!("by_{per}"), per, ""));
        let owners = [("gw-core-key", "ann"), ("gw-second-key", "ann"), ("gw-other-key", "bob")];
        let owners: BTreeMap<String, String> =
            owners.map(|(key, user)| (prefix(key), user.to_owned())).into_iter().collect();
        live.held(Vec::new(), owners);
        ask(&live, "gw-core-key", "one", &format!("{} and {}", key(), other_key()));
        let is_out = |key| refusal(&ask(&live, key, "two", "hello")) == Some(RefusalKind::Quarantined);
        assert!(is_out("gw-core-key"), "{per}");
        assert_eq!(is_out("gw-second-key"), second_key, "{per}");
        assert_eq!(is_out("gw-other-key"), other_team, "{per}");
    }
}

fn prefix(key: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_server_says_who_is_out_and_who_may_come_back() {
    let live = Live::new(rule("told", "key", ""));
    live.held(vec![held(HeldKind::Key, &prefix("gw-core-key"))], BTreeMap::new());
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", "hello")), Some(RefusalKind::Quarantined));
    assert!(!live.quarantine().release(&format!("Q-{}", prefix("gw-core-key"))), "only the server releases its own");
    ask(&live, "gw-other-key", "one", &format!("{} and {}", key(), other_key()));
    live.held(Vec::new(), BTreeMap::new());
    assert_eq!(refusal(&ask(&live, "gw-core-key", "one", "hello")), None);
    assert_eq!(refusal(&ask(&live, "gw-other-key", "one", "hello")), Some(RefusalKind::Quarantined), "not told yet");
    live.held(live.quarantine().imposed(at(5)), BTreeMap::new());
    assert!(live.quarantine().imposed(at(5)).is_empty(), "it is the server's now");
    assert_eq!(refusal(&ask(&live, "gw-other-key", "one", "hello")), Some(RefusalKind::Quarantined));
    live.held(Vec::new(), BTreeMap::new());
    assert_eq!(refusal(&ask(&live, "gw-other-key", "one", "hello")), None);
}

#[test]
fn a_quarantine_ends_by_itself_and_is_recalled_after_a_restart() {
    let live = Live::new(rule("for_a_while", "key", ", for: 1m"));
    ask(&live, "gw-core-key", "one", &format!("{} and {}", key(), other_key()));
    let kept = live.quarantine().imposed(at(10));
    assert_eq!(kept[0].until_ms, Some(60_003));
    let restarted = Live::new(rule("for_a_while", "key", ", for: 1m "));
    restarted.quarantine().recall(kept);
    let headers = vec![("x-api-key", &b"gw-core-key"[..])];
    let head = Head { method: "POST", path: "/v1/messages", query: None, headers, client: [127, 0, 0, 1].into() };
    let opening = |millis| Exchange::open(restarted.load(), RequestId::new("r"), &head, at(millis)).1;
    let Opening::Answer(reply) = opening(10) else { panic!("it is not kept out") };
    assert!(String::from_utf8_lossy(&reply.body).contains("ends by itself in a minute"));
    assert!(matches!(opening(60_002), Opening::Answer(_)));
    assert!(matches!(opening(60_003), Opening::ReadBody { .. }));
    assert!(restarted.quarantine().imposed(at(60_003)).is_empty());
}

#[test]
fn an_open_socket_hears_it_with_the_next_message() {
    let snapshot = rule("sockets", "session", " ");
    let live = Live::new(snapshot.clone());
    let headers = vec![("authorization", &b"Bearer gw-core-key"[..]), ("session-id", b"on-a-socket")];
    let head = Head { method: "GET", path: RESPONSES, query: None, headers, client: [127, 0, 0, 1].into() };
    let upgrade = || Exchange::open_socket(snapshot.clone(), RequestId::new("up"), &head, at(0)).1;
    assert!(matches!(upgrade(), Sending::Forward(_)));
    live.held(vec![held(HeldKind::Session, "on-a-socket")], BTreeMap::new());
    let memory = SocketMemory::default();
    let (_, opening) = Exchange::open_message(snapshot.clone(), RequestId::new("r"), &head, memory, at(1));
    let Opening::Answer(reply) = opening else { panic!("it is not kept out") };
    assert_eq!(reply.kind, RefusalKind::Quarantined);
    let Sending::Answer(reply) = upgrade() else { panic!("it is not kept out") };
    assert_eq!(reply.kind, RefusalKind::UpgradeRefused, "clients then ask over HTTP, where they show the answer");
}
