//! Syslog over UDP, TCP and TLS into a real rsyslog.

use std::collections::BTreeSet;

use airiskguard_gateway::sinks::{Hope, Outlet};

use super::records::{act, all, entries, follow, harmless, outlet, plain};
use super::rsyslog::{Line, Rsyslog};

fn sequences(lines: &[Line]) -> Vec<u64> {
    lines.iter().map(Line::sequence).collect()
}

/// In order, each once.
fn from_to(from: u64, until: u64) -> Vec<u64> {
    (from..=until).collect()
}

async fn deliver(outlet: &mut dyn Outlet, from: u64, until: u64) {
    outlet.deliver(&plain(from, until), 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_understood() {
    let rsyslog = Rsyslog::start(false, false);
    let mut outlet = outlet(&format!("to: 'syslog+tcp://127.0.0.1:{}'", rsyslog.tcp));
    let mut sent = entries(1, 600, |sequence, it| {
        if sequence == 2 {
            it.model = Some("modèle|=\\\n<86>1 \u{202e}漢".into());
        }
    });
    sent.push(act(601, "audit.lost"));
    outlet.deliver(&sent, 1).await.unwrap();
    let lines = rsyslog.until(|it| it.len() >= 601);
    assert_eq!(sequences(&lines), from_to(1, 601));
    let first = &lines[0];
    // local0 is 16; a critical finding is 2, `audit.lost` is 3.
    assert_eq!((first.priority, lines[600].priority), (16 * 8 + 2, 16 * 8 + 3));
    assert_eq!(
        (first.host.as_str(), first.application.as_str(), first.id.as_str()),
        ("gw-1", "airiskguard-gateway", "exchange")
    );
    assert_eq!(
        (first.datum("id"), first.datum("gateway"), first.datum("hash")),
        ("id-1".into(), "gw-1".into(), sent[0].hash.to_string())
    );
    assert!(first.message.trim_start().starts_with("CEF:0|AIRiskGuard|AI Gateway|"), "{}", first.message);
    assert!(first.message.contains(" flexString2=model-1 "), "{}", first.message);
    let odd = lines[1].message.trim_start_matches([' ', '\u{feff}']);
    assert!(odd.starts_with("CEF:0|") && odd.contains(" flexString2=modèle|\\=\\\\\\n<86>1 \u{fffd}漢 "), "{odd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_and_framing_arrives_whole() {
    let rsyslog = Rsyslog::start(false, false);
    let to = format!("to: 'syslog+tcp://127.0.0.1:{}'", rsyslog.tcp);
    let mut count = 0;
    for format in ["cef", "leef", "json", "ecs", "ocsf"] {
        for framing in ["octet_counting", "newline"] {
            let mut outlet = outlet(&format!("{to}, format: {format}, framing: {framing}, facility: auth"));
            deliver(&mut *outlet, 1, 3).await;
            count += 3;
            let lines = rsyslog.until(|it| it.len() >= count);
            let last = &lines[lines.len() - 1];
            assert_eq!((last.sequence(), last.priority), (3, 4 * 8 + 2), "{format} {framing}");
            let text = last.message.trim_start();
            match format {
                "cef" => assert!(text.starts_with("CEF:0|"), "{text}"),
                "leef" => assert!(text.starts_with("LEEF:2.0|") && text.contains("^usrName=engineers^"), "{text}"),
                _ => assert!(serde_json::from_str::<serde_json::Value>(text).unwrap().is_object(), "{text}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_arrive_one_by_one_and_fit() {
    let rsyslog = Rsyslog::start(false, false);
    let mut outlet = outlet(&format!("to: 'syslog+udp://127.0.0.1:{}', format: json", rsyslog.udp));
    let found =
        |sequence: u64| move |it: &mut airiskguard_gateway::store::Found| it.place = format!("place {sequence} é");
    let sent = entries(1, 20, |sequence, it| {
        if sequence == 20 {
            let one = it.outbound.findings[0].clone();
            it.outbound.findings = vec![one; 200];
            it.outbound.findings.iter_mut().for_each(found(sequence));
        }
    });
    outlet.deliver(&sent, 1).await.unwrap();
    let lines = rsyslog.until(|it| it.len() >= 20);
    assert_eq!(sequences(&lines), from_to(1, 20));
    // What does not fit into a datagram is told in brief, and is whole again.
    let text = lines[19].message.trim_start_matches([' ', '\u{feff}']);
    let brief: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!((&brief["shortened"], &brief["exchange"]["outbound"]["findings_omitted"]), (&true.into(), &197.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_root_that_is_named() {
    let rsyslog = Rsyslog::start(true, false);
    let to = format!("to: 'syslog+tls://localhost:{}'", rsyslog.tls);
    let mut trusting = outlet(&format!("{to}, ca_file: '{}'", rsyslog.path("ca.pem")));
    deliver(&mut *trusting, 1, 50).await;
    let lines = rsyslog.until(|it| it.len() >= 50);
    assert_eq!(sequences(&lines), from_to(1, 50));
    for settings in [format!("{to}, ca_file: '{}'", rsyslog.path("other.pem")), to] {
        let failure = outlet(&settings).deliver(&plain(51, 51), 1).await.unwrap_err();
        assert_eq!((failure.hope, failure.done), (Hope::Later, 0));
        assert!(failure.what.contains("certificate"), "{}", failure.what);
    }
    assert_eq!(rsyslog.lines().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_shows_a_certificate_where_one_is_asked_for() {
    let rsyslog = Rsyslog::start(true, true);
    let to = format!("to: 'syslog+tls://localhost:{}', ca_file: '{}'", rsyslog.tls, rsyslog.path("ca.pem"));
    let (cert, key) = (rsyslog.path("client.pem"), rsyslog.path("client.key"));
    // In TLS 1.3 a client learns only later that it was turned away: the first write seems to succeed.
    let mut nameless = outlet(&to);
    drop(nameless.deliver(&plain(1, 1), 1).await);
    let mut named = outlet(&format!("{to}, client_certificate: {{cert: '{cert}', key: '{key}'}}"));
    deliver(&mut *named, 2, 11).await;
    let lines = rsyslog.until(|it| it.len() >= 10);
    assert_eq!(sequences(&lines), from_to(2, 11));
}

/// Killed without a warning, four times: each time what it may not have read is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_dies_loses_nothing() {
    for tls in [false, true] {
        let mut rsyslog = Rsyslog::start(true, false);
        let to = match tls {
            false => format!("to: 'syslog+tcp://127.0.0.1:{}'", rsyslog.tcp),
            true => format!("to: 'syslog+tls://localhost:{}', ca_file: '{}'", rsyslog.tls, rsyslog.path("ca.pem")),
        };
        let mut outlet = outlet(&to);
        for round in 0..4_u64 {
            follow(&mut *outlet, &plain(round * 100 + 1, round * 100 + 60), round * 1000).await;
            rsyslog.kill();
            // Nobody listens: some of these writes may still seem to succeed.
            let missed = plain(round * 100 + 61, round * 100 + 100);
            let _ = outlet.deliver(&missed[..5], round * 1000).await;
            let failure = outlet.deliver(&missed, round * 1000).await.unwrap_err();
            assert_eq!((failure.hope, failure.done), (Hope::Later, 0));
            rsyslog.resume();
            follow(&mut *outlet, &missed, round * 1000).await;
        }
        let lines = rsyslog.until(|it| it.iter().map(Line::sequence).collect::<BTreeSet<_>>().len() >= 400);
        let mut seen = BTreeSet::new();
        let first_times: Vec<u64> = sequences(&lines).into_iter().filter(|it| seen.insert(*it)).collect();
        assert_eq!(first_times, from_to(1, 400), "tls: {tls}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_into_a_dead_connection_comes_back_while_idle() {
    let mut rsyslog = Rsyslog::start(false, false);
    let mut outlet = outlet(&format!("to: 'syslog+tcp://127.0.0.1:{}'", rsyslog.tcp));
    deliver(&mut *outlet, 1, 20).await;
    rsyslog.kill();
    std::fs::remove_file(rsyslog.path("out")).unwrap_or_default();
    assert_eq!(outlet.idle(1000).await.unwrap_err().hope, Hope::Later);
    rsyslog.resume();
    outlet.idle(2000).await.unwrap();
    assert_eq!(sequences(&rsyslog.until(|it| it.len() >= 20)), from_to(1, 20));
    // After a quarter of an hour all of it has arrived or failed: nothing is repeated for ever.
    let much_later = 3_600_000;
    outlet.idle(much_later).await.unwrap();
    rsyslog.kill();
    outlet.idle(much_later).await.unwrap();
    rsyslog.resume();
    outlet.deliver(&plain(21, 21), much_later).await.unwrap();
    assert_eq!(sequences(&rsyslog.until(|it| it.len() >= 21)), from_to(1, 21));
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_alone_are_sent_where_asked() {
    let rsyslog = Rsyslog::start(false, false);
    let mut outlet = outlet(&format!("to: 'syslog+tcp://127.0.0.1:{}', include: findings", rsyslog.tcp));
    let mut sent: Vec<_> = (1..=5).map(harmless).collect();
    sent.push(act(6, "gateway.started"));
    sent.extend(plain(7, 8));
    sent.push(harmless(9));
    outlet.deliver(&sent, 1).await.unwrap();
    assert_eq!(sequences(&rsyslog.until(|it| it.len() >= 3)), [6, 7, 8]);
}

#[tokio::test]
async fn names_are_stable_and_nobody_there_is_later() {
    let mut outlets =
        all("  - {name: one, to: 'syslog+tcp://127.0.0.1:1'}\n  - {name: two, to: 'file:/nowhere/at/all'}");
    let names: Vec<String> = outlets.iter().map(|it| it.name().to_owned()).collect();
    assert_eq!(names, ["siem.one", "siem.two"]);
    for outlet in &mut outlets {
        let failure = outlet.deliver(&plain(1, 2), 1).await.unwrap_err();
        assert_eq!((failure.hope, failure.done), (Hope::Later, 0), "{}", failure.what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_no_record_is_never_sent() {
    let rsyslog = Rsyslog::start(false, false);
    let mut outlet = outlet(&format!("to: 'syslog+tcp://127.0.0.1:{}'", rsyslog.tcp));
    let mut sent = plain(1, 5);
    sent[2].body = "{\"version\":99}".into();
    assert_eq!(follow(&mut *outlet, &sent, 1).await, [3]);
    assert_eq!(sequences(&rsyslog.until(|it| it.len() >= 4)), [1, 2, 4, 5]);
}
