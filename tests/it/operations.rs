//! What operators see and do: metrics, health, readiness, a stop that lets exchanges finish.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::gateway::{self, BLOCKING, QUICK_START};
use super::provider::{self, json};

const PROMPT: &str = r#"{"model":"m","messages":[{"role":"user","content":"say hello"}]}"#;

#[test]
fn metrics_tell_what_happened() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, BLOCKING);
    assert_eq!(gateway.connect().post("/v1/messages", &[], PROMPT).status, 200);
    let key = ["AKIA", "Q3EGRW7TMZ5KX4PB"].concat();
    assert_eq!(gateway.connect().post("/v1/messages", &[], PROMPT.replace("hello", &key)).status, 400);
    for line in [
        r#"airiskguard_requests_total{endpoint="messages",outcome="forwarded",team="default"} 1"#,
        r#"airiskguard_requests_total{endpoint="messages",outcome="refused",team="default"} 1"#,
        r#"airiskguard_refusals_total{kind="policy_blocked"} 1"#,
        r#"airiskguard_decisions_total{action="block",direction="outbound"} 1"#,
        r#"airiskguard_findings_total{direction="outbound",rule="secrets.aws.access_key"} 1"#,
        "airiskguard_gateway_seconds_count 1",
        "airiskguard_first_byte_seconds_count 1",
        "airiskguard_active_requests 0",
        "airiskguard_held_bytes 0",
    ] {
        gateway.wait_metric(line);
    }
}

#[test]
fn the_admin_listener_answers_three_paths_and_nothing_else() {
    let provider = provider::start([json("{}")]);
    let gateway = gateway::start(&provider, QUICK_START);
    assert_eq!(gateway.admin("/healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    assert_eq!(gateway.admin("/readyz"), ("HTTP/1.1 200 OK".into(), "ready\n".into()));
    assert!(gateway.admin("/v1/messages").0.contains("404"));
}

#[test]
fn a_stop_lets_exchanges_finish_and_closes_what_is_idle() {
    let provider = provider::start([json("{\"late\":true}").after(Duration::from_millis(800))]);
    let gateway = gateway::start(&provider, QUICK_START);
    let mut idle = gateway.connect();
    assert_eq!(idle.get("/health").status, 200);
    let mut busy = gateway.connect();
    busy.send("/v1/messages", &[], PROMPT);
    while provider.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    gateway.stop();
    assert!(idle.is_closed());
    assert!(started.elapsed() < Duration::from_millis(500), "an idle connection waited");
    assert!(gateway.admin("/readyz").0.contains("503"));
    let address = gateway.address;
    let answer = busy.read();
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"late\":true}"));
    assert_eq!(answer.header("connection"), Some("close"));
    gateway.join();
    assert!(started.elapsed() < Duration::from_secs(3), "the stop waited for nothing");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let provider = provider::start([json("{}").after(Duration::from_secs(60))]);
    let gateway = gateway::start(&provider, "limits: {drain_timeout: 1s}");
    let mut busy = gateway.connect();
    busy.send("/v1/messages", &[], PROMPT);
    while provider.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let started = Instant::now();
    gateway.stop();
    gateway.join();
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < Duration::from_secs(4));
    assert!(busy.is_closed());
}
