//! Responses over WebSockets: what passes, what is stopped, how sockets end.

use std::time::{Duration, Instant};

use airiskguard_gateway::domain::{Action, Outcome};
use sockudo_ws::OpCode;

use super::gateway::{self, BLOCKING, Gateway, QUICK_START};
use super::sockets::{self, Peer, Say, Seen, Welcome, completed, connect, connect_offering, deflated, events, says};

const KEY_TAIL: &str = "Q3EGRW7TMZ5KX4PB";

fn access_key() -> String {
    ["AKIA", KEY_TAIL].concat()
}

fn create(text: &str) -> String {
    format!(
        r#"{{"type":"response.create", "model":"gpt-5","store":false,"input":[{{"type":"message","role":"user","content":[{{"type":"input_text","text":{}}}]}}]}}"#,
        serde_json::to_string(text).unwrap()
    )
}

fn gateway_at(provider: &sockets::Provider, yaml: &str) -> Gateway {
    gateway::start_at(&format!("http://{}", provider.address), yaml, None)
}

fn open(gateway: &Gateway) -> Peer {
    connect(gateway.address, "/v1/responses", &[("authorization", "Bearer client-key")]).unwrap()
}

#[test]
fn clean_messages_pass_as_they_are() {
    let answer = events(&["Hel", "lo  \u{96ea}"]);
    let provider = sockets::start([says(&answer)]);
    let gateway = gateway_at(&provider, QUICK_START);
    let asked = create("Say  hello");
    let mut client = connect(
        gateway.address,
        "/v1/responses?x=1",
        &[("authorization", "Bearer client-key"), ("session-id", "s-1"), ("sec-websocket-protocol", "openai.secret")],
    )
    .unwrap();
    for _ in 0..2 {
        client.send(&asked);
        assert_eq!(client.texts(answer.len()), answer);
    }
    assert_eq!(provider.messages(), [asked.clone(), asked.clone()]);
    assert_eq!(provider.targets(), ["GET /v1/responses?x=1 HTTP/1.1"]);
    let head = &provider.heads()[0];
    let header = |name: &str| head.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
    assert_eq!(header("authorization"), Some("Bearer client-key"));
    assert_eq!(header("session-id"), Some("s-1"));
    assert_eq!(header("host"), Some(provider.address.to_string().as_str()));
    assert_eq!(header("sec-websocket-protocol"), None);
    client.close(1000);
    assert_eq!(provider.wait_end(), Some(1000));

    let events = gateway.events(3);
    assert_eq!(events.len(), 3, "the upgrade and two exchanges");
    assert_eq!(events[0].upstream_status, Some(101));
    for event in &events[1..] {
        assert_eq!((event.outcome, event.endpoint, event.streamed), (Outcome::Forwarded, "responses", true));
        assert_eq!(event.request_bytes, asked.len() as u64);
        assert_eq!(event.response_bytes, answer.iter().map(String::len).sum::<usize>() as u64);
        assert_eq!(event.tokens.map(|it| (it.input, it.output)), Some((11, 7)));
        assert_eq!(event.model.as_ref().map(ToString::to_string).as_deref(), Some("gpt-5"));
        assert_eq!(event.session.as_ref().map(ToString::to_string).as_deref(), Some("s-1"));
        assert_eq!(event.upstream_status, Some(200));
        assert!(event.upstream_time.is_some() && event.first_byte_time.is_some());
    }
    gateway.wait_metric("sockets 0");
}

#[test]
fn neither_side_needs_compression() {
    let answer = events(&["plain"]);
    let provider = sockets::start_with(Welcome::Open { deflate: false }, [says(&answer)]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = connect_offering(gateway.address, "/v1/responses", &[], "").unwrap();
    client.send(&create("hi"));
    assert_eq!(client.texts(answer.len()), answer);
}

#[test]
fn a_large_message_is_compressed_both_ways_and_arrives_whole() {
    let text: String = (0..100_000).map(|it| format!("line {it}\n")).collect();
    let answer = events(&[&text]);
    let provider = sockets::start([says(&answer)]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    let asked = create(&text);
    assert!(asked.len() > 1 << 20);
    client.send(&asked);
    assert!(client.texts(answer.len()) == answer);
    assert!(provider.messages() == [asked]);
}

#[test]
fn a_secret_is_redacted_and_the_provider_never_sees_it() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "redact_secrets: true\n");
    let mut client = open(&gateway);
    client.send(&create(&format!("my key is {} there", access_key())));
    assert_eq!(client.texts(5), events(&["ok"]));
    let received = provider.messages().remove(0);
    assert!(!received.contains(KEY_TAIL) && received.contains("[REDACTED:"), "{received}");
    assert!(received.starts_with(r#"{"type":"response.create", "model""#));
    assert_eq!(gateway.events(2)[1].outbound.action, Action::Redact);
}

#[test]
fn a_blocked_prompt_never_reaches_the_provider_and_the_socket_goes_on() {
    let answer = events(&["fine"]);
    let provider = sockets::start([says(&answer)]);
    let gateway = gateway_at(&provider, BLOCKING);
    let mut client = open(&gateway);
    client.send(&create(&format!("why does {} not work", access_key())));
    let refused = client.json();
    assert_eq!((&refused["type"], &refused["status"]), (&"error".into(), &400.into()));
    assert_eq!(refused["error"]["code"], "policy_blocked");
    assert!(refused["error"]["message"].as_str().unwrap().contains("secrets."), "{refused}");
    assert!(provider.messages().is_empty());

    client.send(&create("and now?"));
    assert_eq!(client.texts(answer.len()), answer);
    assert_eq!(provider.messages(), [create("and now?")]);
    let events = gateway.events(3);
    assert_eq!((events[1].outcome, events[1].refusal), (Outcome::Refused, Some("policy_blocked")));
    assert_eq!(events[2].outcome, Outcome::Forwarded);
}

#[test]
fn vulnerable_code_is_stopped_across_deltas_and_the_provider_is_let_go() {
    let bad =
        ["Use this:\n```python\ncur.exe", "cute(f\"SELECT * FROM users WHERE name = '", "{name}'\")\n```\n", "More."];
    let provider = sockets::start([says(&events(&bad)), says(&events(&["fine"]))]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("Write a query by name"));
    let mut seen = Vec::new();
    let failed = loop {
        let event = client.json();
        if event["type"] == "response.failed" {
            break event;
        }
        seen.push(event.to_string());
    };
    assert!(!seen.concat().contains("{name}"), "{seen:?}");
    assert_eq!(failed["response"]["error"]["code"], "invalid_prompt");
    assert!(failed["response"]["error"]["message"].as_str().unwrap().contains("vuln."), "{failed}");
    assert_eq!(provider.wait_end(), Some(1000));

    client.send(&create("Then something else"));
    assert_eq!(client.texts(5), events(&["fine"]));
    assert_eq!(provider.heads().len(), 2, "the provider's side was opened again");
    let events = gateway.events(3);
    assert_eq!((events[1].outcome, events[2].outcome), (Outcome::Stopped, Outcome::Forwarded));
    assert_eq!(events[1].inbound.action, Action::Block);
}

#[test]
fn a_placeholder_is_restored_in_a_later_answer_too() {
    let yaml = "redact_secrets: true\nredaction: {restore: true, key: sixteen-characters-long}\n";
    let learn = sockets::start([says(&events(&["ok"]))]);
    let secret = format!("postgres://svc:{}@db.internal:5432/app", "hunter2-Zq9vX1");
    let prompt = create(&format!("DATABASE_URL={secret}"));
    let placeholder = {
        let gateway = gateway_at(&learn, yaml);
        let mut client = open(&gateway);
        client.send(&prompt);
        client.texts(5);
        let message = learn.messages().remove(0);
        assert!(!message.contains("hunter2"), "{message}");
        let from = message.find("[REDACTED:").unwrap();
        message[from..=from + message[from..].find(']').unwrap()].to_owned()
    };
    let (left, right) = placeholder.split_at(14);
    let echo = events(&["It is ", left, right, " indeed."]);
    let provider = sockets::start([says(&events(&["ok"])), says(&echo)]);
    let gateway = gateway_at(&provider, yaml);
    let mut client = open(&gateway);
    client.send(&prompt);
    client.texts(5);
    client.send(r#"{"type":"response.create","model":"gpt-5","previous_response_id":"resp_1","input":"go on"}"#);
    let said: String = client
        .texts(echo.len())
        .iter()
        .filter_map(|it| {
            let event: serde_json::Value = serde_json::from_str(it).unwrap();
            event["delta"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(said, format!("It is {secret} indeed."));
    assert!(provider.messages()[1].contains("previous_response_id"));
    assert_eq!(gateway.events(3)[2].restored, 1);
}

#[test]
fn a_tool_call_is_held_until_it_is_whole() {
    let tool = |kind: &str, rest: &str| format!(r#"{{"type":"response.{kind}","output_index":0,{rest}}}"#);
    let script = [
        tool("output_item.added", r#""item":{"id":"f","type":"function_call","name":"shell","arguments":""}"#),
        tool("function_call_arguments.delta", r#""item_id":"f","delta":"{\"command\":\"ls"#) + r#"""#,
    ];
    // The second event is broken JSON on purpose: what nobody can read is not passed on.
    let broken = script[1].replace("}\"", "");
    let provider = sockets::start([vec![Say::Text(script[0].clone()), Say::Text(broken)]]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("list"));
    let first = client.json();
    assert_eq!(first["type"], "response.created", "the call was held, so the answer had not begun: {first}");
    assert_eq!(client.json()["type"], "response.failed");
    assert_eq!(gateway.events(2)[1].outcome, Outcome::UpstreamFailed);
}

#[test]
fn the_provider_s_own_error_ends_the_exchange_and_not_the_socket() {
    let error = r#"{"type":"error","status":429,"error":{"type":"rate_limit","code":"slow_down","message":"Later."}}"#;
    let provider = sockets::start([vec![Say::Text(error.into())], says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("one"));
    assert_eq!(client.text(), error);
    client.send(&create("two"));
    assert_eq!(client.texts(5), events(&["ok"]));
    assert_eq!(provider.heads().len(), 1);
    assert_eq!(gateway.events(3)[1].upstream_status, Some(429));
}

#[test]
fn a_provider_that_closes_in_an_answer_closes_the_socket_with_its_code() {
    for (end, code) in [(Say::Close(1012), 1012), (Say::Cut, 1011)] {
        let mut script = says(&events(&["part"])[..4]);
        script.push(end);
        let provider = sockets::start([script]);
        let gateway = gateway_at(&provider, QUICK_START);
        let mut client = open(&gateway);
        client.send(&create("go"));
        client.texts(4);
        assert_eq!(client.receive(), Seen::Close(Some(code)));
        assert_eq!(gateway.events(2)[1].outcome, Outcome::UpstreamFailed);
    }
}

#[test]
fn a_client_that_goes_away_ends_the_provider_s_side() {
    let mut script = says(&events(&["part"])[..4]);
    script.push(Say::Wait(Duration::from_millis(200)));
    let provider = sockets::start([script]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("go"));
    client.texts(4);
    client.cut();
    assert_eq!(gateway.events(2)[1].outcome, Outcome::Cancelled);
    assert_eq!(provider.wait_end(), Some(1001));
    gateway.wait_metric("sockets 0");
    gateway.wait_metric("held_bytes 0");
}

#[test]
fn what_cannot_be_scanned_is_refused() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "limits: {body_bytes_max: 64KiB}\n");
    let refused = |act: &dyn Fn(&mut Peer)| {
        let mut client = open(&gateway);
        act(&mut client);
        let event = client.json();
        (event["error"]["code"].as_str().unwrap().to_owned(), client.receive())
    };
    let large = "x".repeat(70 << 10);
    let too_large = ("too_large".to_owned(), Seen::Close(Some(1009)));
    assert_eq!(refused(&|it| it.send_frame(OpCode::Text, large.as_bytes(), true, false)), too_large);
    assert_eq!(refused(&|it| it.send_frame(OpCode::Text, &deflated(large.as_bytes()), true, true)), too_large);
    let fragments = |it: &mut Peer| {
        it.send_frame(OpCode::Text, &large.as_bytes()[..40 << 10], false, false);
        it.send_frame(OpCode::Continuation, &large.as_bytes()[40 << 10..], true, false);
    };
    assert_eq!(refused(&fragments), too_large);
    let bad = |code| ("bad_request".to_owned(), Seen::Close(Some(code)));
    assert_eq!(refused(&|it| it.send_frame(OpCode::Binary, b"{}", true, false)), bad(1003));
    assert_eq!(refused(&|it| it.send_frame(OpCode::Text, b"\xff", true, false)), bad(1007));
    assert_eq!(refused(&|it| it.send_frame(OpCode::Text, b"not deflate", true, true)), bad(1007));
    assert_eq!(refused(&|it| it.write(&[0x81, 0x02, b'{', b'}'])), bad(1002), "a client's frame without a mask");
    assert!(provider.messages().is_empty());
    gateway.wait_metric("sockets 0");
    gateway.wait_metric("held_bytes 0");
}

#[test]
fn a_bomb_is_stopped_by_what_it_came_from() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "");
    let mut client = open(&gateway);
    let bomb = deflated(&vec![b'a'; 30 << 20]);
    assert!(bomb.len() < 64 << 10);
    client.send_frame(OpCode::Text, &bomb, true, true);
    assert_eq!(client.json()["error"]["code"], "too_large");
    assert_eq!(client.receive(), Seen::Close(Some(1009)));
    assert!(provider.messages().is_empty());
}

#[test]
fn unreadable_messages_are_answered_and_the_socket_goes_on() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "");
    let mut client = open(&gateway);
    for message in
        ["hello", "[]", r#"{"type":"response.create","response":{"model":"m"}}"#, r#"{"type":"a","type":"b"}"#]
    {
        client.send(message);
        assert_eq!(client.json()["error"]["code"], "bad_request", "{message}");
    }
    assert!(provider.messages().is_empty());
    client.send_frame(OpCode::Text, &create("in two").as_bytes()[..10], false, false);
    client.send_frame(OpCode::Ping, b"still there?", true, false);
    client.send_frame(OpCode::Continuation, &create("in two").as_bytes()[10..], true, false);
    assert_eq!(client.texts(5), events(&["ok"]));
    assert_eq!(provider.messages(), [create("in two")]);
}

#[test]
fn other_messages_are_scanned_and_passed_on() {
    let provider = sockets::start([Vec::new(), says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, BLOCKING);
    let mut client = open(&gateway);
    let other = r#"{"type":"response.processed","response_id":"resp_1"}"#;
    client.send(other);
    client.send(&format!(r#"{{"type":"response.note","note":"{}"}}"#, access_key()));
    assert_eq!(client.json()["error"]["code"], "policy_blocked");
    client.send(&create("go"));
    assert_eq!(client.texts(5), events(&["ok"]));
    assert_eq!(provider.messages(), [other.to_owned(), create("go")]);
}

#[test]
fn answers_come_one_after_the_other() {
    let mut first = says(&events(&["first"]));
    first.insert(2, Say::Wait(Duration::from_millis(100)));
    let provider = sockets::start([first, says(&events(&["second"]))]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("one"));
    client.send(&create("two"));
    assert_eq!(client.texts(5), events(&["first"]));
    assert_eq!(client.texts(5), events(&["second"]));
}

#[test]
fn a_refusal_of_the_provider_is_the_client_s() {
    let json = r#"{"error":{"message":"no sockets for you","type":"invalid_request_error","code":"x","param":null}}"#;
    for (status, body, seen, text) in [
        (401, json, 401, "no sockets for you"),
        (404, json, 404, "no sockets for you"),
        (426, "use HTTP", 426, "upgrade_refused"),
        (429, json, 429, "no sockets for you"),
        (302, json, 426, "upgrade_refused"),
        (200, json, 426, "upgrade_refused"),
    ] {
        let provider = sockets::start_with(Welcome::Refuse { status, body }, []);
        let gateway = gateway_at(&provider, QUICK_START);
        let refused = connect(gateway.address, "/v1/responses", &[]).err().unwrap();
        assert_eq!(refused.status, seen);
        assert!(refused.body.contains(text), "{}", refused.body);
        assert!(refused.headers.contains(&("retry-after".into(), "7".into())));
        assert_eq!(gateway.events(1).len(), 1);
        gateway.wait_metric("sockets 0");
    }
    let gateway = gateway::start_at("http://127.0.0.1:9", QUICK_START, None);
    assert_eq!(connect(gateway.address, "/v1/responses", &[]).err().unwrap().status, 502);
}

#[test]
fn the_providers_key_does_not_come_back() {
    let refusal = r#"{"error":{"message":"no such key: made-up-key-of-the-company"}}"#;
    let answer = events(&["your key is made-up-key-of-the-company"]);
    let hidden: Vec<String> =
        answer.iter().map(|it| it.replace("made-up-key-of-the-company", "[provider key]")).collect();
    for provider in
        [sockets::start_with(Welcome::Refuse { status: 401, body: refusal }, []), sockets::start([says(&answer)])]
    {
        let yaml = format!(
            "upstream:\n  openai: {{url: 'http://{}', api_key: made-up-key-of-the-company}}\nopen_access: true\n",
            provider.address
        );
        let gateway = gateway::start_with(&yaml, None);
        match connect(gateway.address, "/v1/responses", &[]) {
            Err(refused) => assert!(refused.body.contains("no such key: [provider key]"), "{}", refused.body),
            Ok(mut client) => {
                client.send(&create("hi"));
                assert_eq!(client.texts(hidden.len()), hidden);
            }
        }
    }
}

#[test]
fn both_sides_speak_tls() {
    let folder = tempfile::tempdir().unwrap();
    let tls = super::certificate::certificate(folder.path(), "provider");
    let answer = events(&["over tls"]);
    let plain = sockets::start([says(&answer)]);
    // A second gateway serves as the provider that speaks TLS.
    let provider = gateway::start_at(&format!("http://{}", plain.address), QUICK_START, Some(tls.clone()));
    let url = format!("https://localhost:{}", provider.address.port());
    let untrusting = gateway::start_at(&url, QUICK_START, None);
    assert_eq!(connect(untrusting.address, "/v1/responses", &[]).err().unwrap().status, 502);
    assert!(plain.heads().is_empty());

    let yaml = format!("upstream:\n  openai: {{url: \"{url}\", ca_file: {}}}\n{QUICK_START}", tls.cert);
    let trusting = gateway::start_with(&yaml, None);
    let mut client = connect(trusting.address, "/v1/responses", &[]).unwrap();
    let text = "words that are compressed ".repeat(1000);
    client.send(&create(&text));
    assert_eq!(client.texts(answer.len()), answer);
    assert!(plain.messages() == [create(&text)]);
    client.close(1000);
    assert_eq!(plain.wait_end(), Some(1000));
}

#[test]
fn keys_are_swapped_and_wrong_ones_refused() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let (mine, theirs) = (format!("gw-{}-key", "team-one"), format!("sk-{}", "provider-made-up"));
    let yaml = format!(
        "upstream:\n  openai: {{url: 'http://{}', api_key: {theirs}}}\nteams: {{one: {{api_keys: [{mine}], model_allowlist: [gpt-5]}}}}\n",
        provider.address
    );
    let gateway = gateway::start_with(&yaml, None);
    for headers in [&[][..], &[("authorization", "Bearer gw-nobody")]] {
        let refused = connect(gateway.address, "/v1/responses", headers).err().unwrap();
        assert_eq!(refused.status, 401);
        assert!(refused.body.contains("unauthorized"), "{}", refused.body);
    }
    assert!(provider.heads().is_empty());
    let bearer = format!("Bearer {mine}");
    let mut client = connect(gateway.address, "/openai/v1/responses", &[("authorization", &bearer)]).unwrap();
    client.send(&create("hi"));
    client.texts(5);
    client.send(&create("hi").replace("gpt-5", "o9-secret"));
    assert_eq!(client.json()["error"]["code"], "model_not_allowed");
    let head = format!("{:?}", provider.heads());
    assert!(head.contains(&theirs) && !head.contains(&mine), "{head}");
    assert_eq!(provider.messages().len(), 1);
    assert_eq!(gateway.events(5)[3].team.to_string(), "one");
}

#[test]
fn unknown_upgrades_stay_refused() {
    let provider = sockets::start([]);
    let gateway = gateway_at(&provider, QUICK_START);
    for path in
        ["/v1/realtime", "/v1/messages", "/v1/chat/completions", "/v1/responses/compact", "/v1/responses/r1", "/x"]
    {
        let refused = connect(gateway.address, path, &[]).err().unwrap();
        assert_eq!(refused.status, 426, "{path}");
    }
    assert!(provider.heads().is_empty());
}

#[test]
fn there_are_no_more_sockets_than_allowed() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "limits: {sockets_max: 1}\n");
    let first = open(&gateway);
    gateway.wait_metric("sockets 1");
    assert_eq!(connect(gateway.address, "/v1/responses", &[]).err().unwrap().status, 426);
    drop(first);
    gateway.wait_metric("sockets 0");
    drop(open(&gateway));
}

#[test]
fn a_stop_finishes_the_answer_and_then_says_goodbye() {
    let mut slow = says(&events(&["slow"])[..4]);
    slow.extend([Say::Wait(Duration::from_millis(300)), Say::Text(completed())]);
    let provider = sockets::start([slow]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut idle = open(&gateway);
    let mut busy = open(&gateway);
    busy.send(&create("go"));
    busy.texts(4);
    gateway.stop();
    assert_eq!(idle.receive(), Seen::Close(Some(1001)));
    assert_eq!(busy.text(), completed());
    assert_eq!(busy.receive(), Seen::Close(Some(1001)));
    drop((idle, busy));
    let started = Instant::now();
    gateway.join();
    assert!(started.elapsed() < Duration::from_secs(20), "the drain waited for sockets that had ended");
}

#[test]
fn idle_and_old_sockets_are_closed() {
    let provider = sockets::start([says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, "limits: {socket_idle_timeout: 200ms}\n");
    assert_eq!(open(&gateway).receive(), Seen::Close(Some(1000)));
    let gateway = gateway_at(&provider, "limits: {socket_timeout: 200ms}\n");
    assert_eq!(open(&gateway).receive(), Seen::Close(Some(1001)));
    let gateway = gateway_at(&provider, "limits: {body_timeout: 200ms}\n");
    let mut dribbling = open(&gateway);
    dribbling.write(&[0x81]);
    assert_eq!(dribbling.json()["error"]["code"], "timeout");
    assert_eq!(dribbling.receive(), Seen::Close(Some(1008)));
}

#[test]
fn a_provider_that_sends_what_nobody_can_scan_is_let_go() {
    let provider = sockets::start([vec![Say::Binary(b"x".to_vec())], says(&events(&["ok"]))]);
    let gateway = gateway_at(&provider, QUICK_START);
    let mut client = open(&gateway);
    client.send(&create("go"));
    assert_eq!(client.json()["error"]["code"], "upstream_failed");
    client.send(&create("again"));
    assert_eq!(client.texts(5), events(&["ok"]));
    assert_eq!(gateway.events(3)[1].outcome, Outcome::UpstreamFailed);
}
