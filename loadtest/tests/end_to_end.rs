//! The load test against its own provider, with no gateway between: what it counts, and what it says of failures.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use airiskguard_loadtest::client::{Client, Target};
use airiskguard_loadtest::compare::peer::Setting;
use airiskguard_loadtest::compare::{Plan, compare};
use airiskguard_loadtest::load::Stage;
use airiskguard_loadtest::measure::Phase;
use airiskguard_loadtest::process::Watched;
use airiskguard_loadtest::provider::{Behaviour, Provider};
use airiskguard_loadtest::run;
use airiskguard_loadtest::scenario::{Open, Scenario};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn stage() -> (Stage, Arc<Provider>) {
    let provider = Provider::start(LOCAL, Behaviour::default(), true).await.unwrap();
    let target = Target::parse(&format!("http://{}", provider.address())).unwrap();
    let client = Arc::new(Client::new(target, Some("key"), &[], Some(provider.clone())).unwrap());
    (Stage { client, watched: Watched::new(vec![std::process::id()]), label: None }, provider)
}

async fn phases(provider: &str, work: &str) -> (Vec<Phase>, Arc<Provider>) {
    let (stage, started) = stage().await;
    let text = format!("name: test\nwords: test\nprovider: {provider}\nwork: {work}");
    (run::execute(&stage, Some(&started), &Scenario::parse(&text).unwrap()).await, started)
}

#[tokio::test]
async fn every_request_arrives_byte_for_byte_and_is_counted_once() {
    for dialect in ["anthropic", "count_tokens", "chat", "responses"] {
        for stream in [false, true] {
            let work = format!(
                "{{kind: requests, dialect: {dialect}, body_bytes: 9000, stream: {stream}, load: {{concurrency: 3, requests: 20}}}}"
            );
            let (phases, provider) = phases("{tokens: 5}", &work).await;
            let phase = &phases[0];
            assert_eq!((phase.requests, phase.succeeded, phase.unchanged, phase.changed), (20, 20, 20, 0), "{work}");
            let counted = provider.counted();
            assert_eq!((counted.requests, counted.body_bytes), (20, phase.body_bytes));
            assert!(counted.connections <= 3, "connections are kept: {}", counted.connections);
            assert!(phase.cpu_per_request().unwrap() > 0.0);
            let streamed = stream && dialect != "count_tokens";
            assert_eq!(phase.first_text.is_some(), streamed, "{work}");
        }
    }
}

#[tokio::test]
async fn sessions_are_reported_turn_by_turn_and_grow() {
    let work =
        "{kind: session, first_bytes: 8000, turn_bytes: 4096, turns: 4, sessions: 3, concurrency: 2, reported: [1, 4]}";
    let (phases, provider) = phases("{}", work).await;
    assert_eq!(phases.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["turn 1", "turn 4"]);
    assert_eq!(provider.counted().requests, 12);
    let grown = phases[1].body_bytes_mean() - phases[0].body_bytes_mean();
    assert!((9_000.0..17_000.0).contains(&grown), "{grown}");
}

#[tokio::test]
async fn streams_tell_delay_held_bytes_and_memory() {
    let work = "{kind: streams, streams: 8, body_bytes: 2000, ramp_seconds: 0.1, seconds: 0.3, settle_seconds: 0}";
    let (phases, _) = phases("{tokens: 20, token_gap_ms: 5}", work).await;
    let phase = &phases[0];
    assert!(phase.requests >= 8 && phase.succeeded == phase.requests);
    for summary in [&phase.delay, &phase.held, &phase.gap] {
        let texts = summary.as_ref().unwrap().count;
        assert!(texts > 0 && texts <= phase.requests * 20);
    }
    assert_eq!(phase.first_delay.as_ref().unwrap().count, phase.requests);
    assert!(phase.memory.unwrap().during_bytes > 0);
    assert!(phase.facts["resident_early"] > 0.0);
}

#[tokio::test]
async fn errors_and_broken_answers_are_told_apart() {
    let work = |stream| {
        format!("{{kind: requests, body_bytes: 2000, stream: {stream}, load: {{concurrency: 2, requests: 10}}}}")
    };
    let (refused, provider) = phases("{error_rate: 1}", &work(true)).await;
    assert_eq!((refused[0].refused[&500], refused[0].refused_shaped, refused[0].failures()), (10, 10, 0));
    assert_eq!(provider.counted().errors, 10);
    for stream in [true, false] {
        let (broken, provider) = phases("{dying_rate: 1}", &work(stream)).await;
        assert_eq!((broken[0].failures(), broken[0].succeeded), (10, 0));
        assert_eq!(provider.counted().died, 10);
    }
}

#[tokio::test]
async fn arrivals_that_cannot_begin_are_counted_instead_of_waiting_their_turn() {
    let (stage, provider) = stage().await;
    provider.behave(Behaviour { latency_ms: 2_000, ..Behaviour::default() });
    let work = "name: a\nwords: b\nwork: {kind: requests, body_bytes: 2000, load: {concurrency: 1, requests: 1}}";
    let work = match Scenario::parse(work).unwrap().work {
        airiskguard_loadtest::scenario::Work::Requests(work) => work,
        other => panic!("{other:?}"),
    };
    let calls = run::first_turns(work.shape(), 1, 1).await;
    let burst = Open { per_second: 5.0, seconds: 0.001, burst: 5 };
    let phase = run::open(&stage, "burst", burst, calls, 2, 1).await;
    assert_eq!((phase.requests, phase.succeeded, phase.not_begun), (2, 2, 3));
    assert!(phase.latency.unwrap().minimum >= 1_900_000_000);
}

#[tokio::test]
async fn an_overload_has_its_capacity_before_and_its_recovery_after() {
    let work = "{kind: saturation, body_bytes: 2000, concurrency: 2, measure_seconds: 0.2, times: 2, seconds: 0.2, in_flight_max: 10}";
    let (phases, provider) = phases("{latency_ms: 5}", work).await;
    assert_eq!(phases.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["capacity", "overload", "after"]);
    assert_eq!(provider.counted().requests, phases.iter().map(|it| it.requests).sum::<u64>());
    assert!(phases[1].requests > 0 && phases[1].notes.len() == 2);
}

#[tokio::test]
async fn a_fleet_speaks_every_dialect_of_its_parts() {
    let work = "{kind: fleet, seconds: 1, per_second: 150, curve: [1, 2], parts: [\
        {name: a, share: 1, dialect: anthropic, first_bytes: 3000, turn_bytes: 900, turns: 5, sessions: 2, stream: true},\
        {name: b, share: 1, dialect: responses, first_bytes: 3000},\
        {name: c, share: 1, dialect: count_tokens, first_bytes: 3000}]}";
    let (phases, provider) = phases("{tokens: 3, tool_rate: 0.5}", work).await;
    let phase = &phases[0];
    assert!(phase.requests > 50, "{}", phase.requests);
    assert_eq!((phase.succeeded, phase.unchanged), (phase.requests, phase.requests));
    assert!(phase.first_text.as_ref().unwrap().count < phase.requests);
    assert_eq!(provider.counted().requests, phase.requests);
}

#[tokio::test]
async fn a_peer_that_does_not_start_is_a_line_of_the_results() {
    let folder = tempfile::tempdir().unwrap();
    let peer = folder.path().join("peers/nobody");
    std::fs::create_dir_all(&peer).unwrap();
    let text = "words: is not there\ncommand: [./nobody]\nversion: [./nobody]\nscenarios: [first-turn-64k]\n";
    std::fs::write(peer.join("peer.yaml"), text).unwrap();
    let plan = Plan {
        peers_folder: folder.path().join("peers"),
        scenarios_folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios"),
        peers: Vec::new(),
        scenarios: Vec::new(),
        rounds: 1,
        part: 0.01,
        setting: Setting {
            installed: folder.path().into(),
            runs: folder.path().join("runs"),
            gateway: folder.path().into(),
            bare: folder.path().into(),
        },
    };
    let results = compare(&plan).await.unwrap();
    assert!(results.entries[0].problem.as_ref().unwrap().contains("does not start"));
    assert!(results.measures.is_empty());
}

#[test]
fn the_command_writes_its_three_reports() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("small.yaml");
    let text = "name: small\nwords: few\nwork: {kind: requests, body_bytes: 2000, load: {concurrency: 2, requests: 6}}";
    std::fs::write(&scenario, text).unwrap();
    let port = std::net::TcpListener::bind(LOCAL).unwrap().local_addr().unwrap().port();
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["run", "--scenario"])
        .arg(&scenario)
        .args(["--provider", &format!("127.0.0.1:{port}"), "--target", &format!("http://127.0.0.1:{port}/v1")])
        .args(["--pid", &std::process::id().to_string(), "--out"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("| small | 6 |"), "{said}");
    for ending in ["md", "json", "html"] {
        assert!(folder.path().join(format!("small.{ending}")).is_file());
    }
}
