//! Receivers over HTTP: Splunk's event collector, Elasticsearch's bulk interface, plain posts, OpenTelemetry.

use std::collections::BTreeSet;

use airiskguard_gateway::sinks::Hope;
use serde_json::{Value, json};

use super::endpoint::{Answer, Endpoint, Seen};
use super::records::{entries, follow, outlet, plain};

fn say(status: u16, body: Value) -> Answer {
    Answer::Say(status, body.to_string())
}

async fn splunk() -> Endpoint {
    Endpoint::start(|_| say(200, json!({"text": "Success", "code": 0}))).await
}

#[tokio::test]
async fn splunk_gets_events_in_its_envelope() {
    let endpoint = splunk().await;
    let to = format!("to: 'splunk+http://127.0.0.1:{}/prefix', token: made-up-token", endpoint.port);
    let mut json = outlet(&format!("{to}, index: audit, headers: {{X-Source: made-up-source}}"));
    let sent = plain(1, 3);
    json.deliver(&sent, 1).await.unwrap();
    let [request]: [Seen; 1] = endpoint.seen().try_into().unwrap();
    assert_eq!(request.path, "/prefix/services/collector/event");
    assert_eq!(
        (request.header("authorization"), request.header("x-source")),
        ("Splunk made-up-token", "made-up-source")
    );
    let events = request.values();
    assert_eq!(events.len(), 3);
    assert_eq!((&events[0]["time"], &events[0]["host"]), (&"1795340600.001".into(), &"gw-1".into()));
    assert_eq!((&events[0]["index"], &events[0]["sourcetype"]), (&"audit".into(), &"airiskguard:json".into()));
    assert_eq!(
        (&events[2]["event"]["sequence"], &events[2]["event"]["hash"]),
        (&3.into(), &sent[2].hash.to_string().into())
    );
    let mut cef = outlet(&format!("{to}, format: cef"));
    cef.deliver(&sent, 1).await.unwrap();
    let events = endpoint.seen()[0].values();
    assert!(events[0]["event"].as_str().unwrap().starts_with("CEF:0|") && events[0]["index"].is_null());
}

#[tokio::test]
async fn splunk_says_what_may_be_right_later() {
    let endpoint = splunk().await;
    let mut outlet = outlet(&format!("to: 'splunk+http://127.0.0.1:{}', token: made-up-token", endpoint.port));
    let answers = [
        (503, json!({"text": "Server is busy", "code": 9}), "busy (code 9)"),
        (403, json!({"text": "Invalid token", "code": 4}), "see `token`"),
        (401, json!({"text": "Token is required", "code": 2}), "see `token`"),
        (400, json!({"text": "Incorrect index", "code": 7, "invalid-event-number": 0}), "see `index`"),
        (400, json!({"text": "Data channel is missing", "code": 10}), "acknowledgements"),
        (500, json!({"text": "Internal server error", "code": 8}), "status 500"),
        (200, json!({"text": "odd", "code": 24}), "code 24"),
        (200, json!("<html>"), "none of an event collector"),
        (502, json!("<html>"), "status 502"),
        (404, json!("nothing"), "nobody takes events"),
        (307, json!("elsewhere"), "status 307"),
    ];
    for (status, body, what) in answers {
        endpoint.then([say(status, body)]);
        let failure = outlet.deliver(&plain(1, 2), 1).await.unwrap_err();
        assert_eq!((failure.hope, failure.done), (Hope::Later, 0), "{}", failure.what);
        assert!(failure.what.contains(what) && !failure.what.contains("made-up"), "{}", failure.what);
    }
    endpoint.seen();
    outlet.deliver(&plain(1, 2), 1).await.unwrap();
    assert_eq!(endpoint.seen().len(), 1);
}

/// One event in a hundred is refused: it alone becomes a dead letter, and all others arrive.
#[tokio::test]
async fn the_one_bad_event_is_found() {
    let poisoned = |it: &Seen| it.body.contains("poison");
    let splunk = Endpoint::start(move |it| match poisoned(it) {
        true => say(400, json!({"text": "Invalid data format", "code": 6, "invalid-event-number": 1})),
        false => say(200, json!({"text": "Success", "code": 0})),
    });
    let posts = Endpoint::start(move |it| if poisoned(it) { say(422, json!("no")) } else { say(204, json!("")) });
    for (endpoint, scheme) in [(splunk.await, "splunk+http"), (posts.await, "http")] {
        let mut outlet = outlet(&format!("to: '{scheme}://127.0.0.1:{}'", endpoint.port));
        let sent = entries(1, 100, |sequence, it| {
            if sequence == 70 {
                it.model = Some("poison".into());
            }
        });
        assert_eq!(follow(&mut *outlet, &sent, 1).await, [70], "{scheme}");
        let taken = endpoint.seen().into_iter().filter(|it| !poisoned(it));
        let sequences: BTreeSet<u64> = taken
            .flat_map(|it| it.values())
            .map(|it| it.get("event").unwrap_or(&it)["sequence"].as_u64().unwrap())
            .collect();
        assert_eq!(sequences.len(), 99, "{scheme}");
    }
}

/// An index in memory that answers as Elasticsearch does.
async fn elastic() -> Endpoint {
    let ids = std::sync::Mutex::new(BTreeSet::new());
    Endpoint::start(move |request| {
        let mut items = Vec::new();
        let mut errors = false;
        for pair in request.values().chunks(2) {
            let id = pair[0]["create"]["_id"].as_str().unwrap().to_owned();
            let refused = pair[1].to_string().contains("poison");
            let status = match () {
                () if refused => 400,
                () if ids.lock().unwrap().insert(id) => 201,
                () => 409,
            };
            errors |= status != 201;
            let kind = if refused { "document_parsing_exception" } else { "version_conflict_engine_exception" };
            let error = json!({"type": kind, "reason": "Preview of field's value: 'poison'"});
            items.push(json!({"create": {"status": status, "error": if status == 201 { Value::Null } else { error }}}));
        }
        say(200, json!({"errors": errors, "items": items}))
    })
    .await
}

#[tokio::test]
async fn elasticsearch_gets_documents_with_ids() {
    let endpoint = elastic().await;
    let to = format!("to: 'elastic+http://127.0.0.1:{}'", endpoint.port);
    let mut first = outlet(&format!("{to}, token: made-up-token"));
    first.deliver(&plain(1, 3), 1).await.unwrap();
    let [request]: [Seen; 1] = endpoint.seen().try_into().unwrap();
    assert!(request.path.starts_with("/logs-airiskguard.audit-default/_bulk?"), "{}", request.path);
    assert_eq!(
        (request.header("authorization"), request.header("content-type")),
        ("ApiKey made-up-token", "application/x-ndjson")
    );
    let values = request.values();
    assert_eq!(values[2], json!({"create": {"_id": "gw-1-2"}}));
    assert_eq!(
        (&values[3]["event"]["sequence"], &values[3]["@timestamp"]),
        (&2.into(), &"2026-11-22T09:43:20.002Z".into())
    );
    assert_eq!(request.body.lines().count(), 6);
    // A repetition is a conflict, and a conflict is done.
    outlet(&format!("{to}, index: other-stream, format: ocsf")).deliver(&plain(2, 5), 1).await.unwrap();
    let request = endpoint.seen().remove(0);
    assert!(request.path.starts_with("/other-stream/_bulk?"), "{}", request.path);
    let document = &request.values()[1];
    assert_eq!((&document["class_uid"], &document["@timestamp"]), (&2004.into(), &"2026-11-22T09:43:20.002Z".into()));
}

#[tokio::test]
async fn elasticsearch_answers_for_each_document() {
    let endpoint = elastic().await;
    let mut outlet = outlet(&format!("to: 'elastic+http://127.0.0.1:{}'", endpoint.port));
    let sent = entries(1, 10, |sequence, it| {
        if sequence == 4 {
            it.model = Some("poison".into());
        }
    });
    let failure = outlet.deliver(&sent, 1).await.unwrap_err();
    assert_eq!((failure.hope, failure.done), (Hope::Never, 3));
    assert_eq!(failure.what, "the document is refused with status 400 document_parsing_exception");
    assert_eq!(follow(&mut *outlet, &sent, 1).await, [4]);
    // Too busy for the third of them.
    let item = |status: u16| json!({"create": {"status": status}});
    endpoint.then([say(200, json!({"errors": true, "items": [item(201), item(409), item(429), item(201)]}))]);
    let failure = outlet.deliver(&plain(11, 14), 1).await.unwrap_err();
    assert_eq!((failure.hope, failure.done), (Hope::Later, 2));
    for answer in [json!({"errors": true, "items": []}), json!({"took": 1}), json!("<html>")] {
        endpoint.then([say(200, answer)]);
        assert_eq!(outlet.deliver(&plain(11, 14), 1).await.unwrap_err().hope, Hope::Later);
    }
    endpoint.then([say(429, json!("slow down")), say(503, json!("")), say(401, json!(""))]);
    for _ in 0..3 {
        assert_eq!(outlet.deliver(&plain(11, 14), 1).await.unwrap_err().hope, Hope::Later);
    }
    outlet.deliver(&plain(11, 14), 1).await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left() {
    let endpoint = Endpoint::start(|_| Answer::Hang).await;
    let mut one = outlet(&format!("to: 'splunk+http://127.0.0.1:{}'", endpoint.port));
    let mut other = outlet(&format!("to: 'elastic+http://127.0.0.1:{}'", endpoint.port));
    let sent = plain(1, 2);
    let (one, other) = tokio::join!(one.deliver(&sent, 1), other.deliver(&sent, 1));
    for failure in [one.unwrap_err(), other.unwrap_err()] {
        assert_eq!((failure.hope, failure.done), (Hope::Later, 0));
        assert!(failure.what.starts_with("no answer in time"), "{}", failure.what);
    }
}

#[tokio::test]
async fn posts_are_lines_or_an_array() {
    let endpoint = Endpoint::start(|_| say(202, json!({}))).await;
    let to = format!("to: 'http://127.0.0.1:{}/in?key=made-up', token: made-up-token", endpoint.port);
    outlet(&to).deliver(&plain(1, 3), 1).await.unwrap();
    outlet(&format!("{to}, framing: array, format: ocsf")).deliver(&plain(1, 3), 1).await.unwrap();
    let [lines, array]: [Seen; 2] = endpoint.seen().try_into().unwrap();
    assert_eq!((lines.path.as_str(), lines.header("authorization")), ("/in?key=made-up", "Bearer made-up-token"));
    assert_eq!((lines.header("content-type"), lines.body.lines().count()), ("application/x-ndjson", 3));
    assert_eq!(array.header("content-type"), "application/json");
    assert_eq!(array.values()[0].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn an_unreachable_address_stays_secret() {
    let mut outlet = outlet("to: 'http://127.0.0.1:1/made-up-path', token: made-up-token");
    let failure = outlet.deliver(&plain(1, 1), 1).await.unwrap_err();
    assert!(failure.what.starts_with("cannot be reached"), "{}", failure.what);
    assert!(!failure.what.contains("made-up"), "{}", failure.what);
}

#[cfg(feature = "otlp")]
#[tokio::test]
async fn opentelemetry_gets_log_records() {
    let endpoint = Endpoint::start(|_| say(200, json!({"partialSuccess": {"rejectedLogRecords": "1"}}))).await;
    outlet(&format!("to: 'otlp+http://127.0.0.1:{}'", endpoint.port)).deliver(&plain(1, 3), 1).await.unwrap();
    let request = endpoint.seen().remove(0);
    assert_eq!(request.path, "/v1/logs");
    let records = &request.values()[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
    assert_eq!(records.as_array().unwrap().len(), 3);
    assert_eq!(records[0]["timeUnixNano"], "1795340600001000000");
}

#[cfg(not(feature = "otlp"))]
#[test]
fn what_is_not_built_in_is_told() {
    use airiskguard_gateway::config::File;
    let text = "upstream: {anthropic: 'http://127.0.0.1:1'}\nsiem: [{name: x, to: 'otlp+https://collector.example'}]";
    let file = File::parse(text, "gateway.yaml", &|_| Err("none".to_owned())).unwrap();
    let said = airiskguard_gateway::sinks::siem::outlets(&file.siem).err().unwrap();
    assert_eq!(said, "siem.x: this program was built without the feature `otlp`");
}

#[cfg(feature = "kafka")]
#[tokio::test]
async fn a_broker_that_is_away_is_later() {
    let failure = outlet("to: 'kafka://127.0.0.1:1/audit'").deliver(&plain(1, 1), 1).await.unwrap_err();
    assert_eq!((failure.hope, failure.done), (Hope::Later, 0));
}
