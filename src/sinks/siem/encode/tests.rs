//! Every format over the same records: a sample, acts, and names that were made to break them.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::document::{entry, sample};
use super::super::mapping::{FACTS, Fact};
use super::super::view::{Datum, Detail, Level, View};
use super::*;
use crate::store::{Act, Entry, Exchange, Found, Mark, Record, Side, Subject};

/// Attributes that OCSF 1.5.0 requires, from the published schema (`events/`, with what each class extends, and
/// `objects/`; profiles left out). `a|b` asks for one of them, as the constraint `at_least_one` does.
const REQUIRED: &[(u64, &[&str])] = &[
    (2004, &["finding_info.uid", "evidences[0].actor|api|data|src_endpoint"]),
    (6003, &["actor.app_name|user|session", "api.operation", "src_endpoint.ip|name"]),
    (6002, &["app.name|uid"]),
    (3004, &["entity.name|uid"]),
];
/// The same of every class.
const REQUIRED_OF_ALL: &[&str] = &[
    "activity_id",
    "category_uid",
    "class_uid",
    "metadata.version",
    "metadata.product.name|uid",
    "severity_id",
    "time",
    "type_uid",
];
/// What the objects require that we write, where they stand.
const REQUIRED_WHERE_PRESENT: &[(&str, &str)] = &[
    ("finding_info.analytic", "type_id"),
    ("finding_info.analytic", "name|uid"),
    ("http_response", "code"),
    ("evidences[0].http_response", "code"),
    ("api.request", "uid"),
    ("api.service", "name|uid"),
    ("evidences[0].api", "operation"),
    ("resources[0]", "name|uid"),
];
/// Attributes of the classes, so that nothing is written that the schema does not know.
const KNOWN: &[&str] = &[
    "activity_id",
    "activity_name",
    "actor",
    "action_id",
    "api",
    "app",
    "category_uid",
    "class_uid",
    "disposition",
    "disposition_id",
    "end_time",
    "entity",
    "evidences",
    "finding_info",
    "http_request",
    "http_response",
    "is_alert",
    "message",
    "metadata",
    "resources",
    "risk_level",
    "risk_level_id",
    "risk_score",
    "severity",
    "severity_id",
    "src_endpoint",
    "start_time",
    "status",
    "status_code",
    "status_detail",
    "status_id",
    "time",
    "type_uid",
    "unmapped",
];

fn all_formats(entry: &Entry, record: &Record, detail: Detail) -> Vec<(SiemFormat, String)> {
    let view = View::new(entry, record, detail);
    SiemFormat::ALL.into_iter().map(|it| (it, encode(it, &view))).collect()
}

fn in_format(format: SiemFormat, entry: &Entry, record: &Record) -> String {
    encode(format, &View::new(entry, record, Detail::FULL))
}

fn tree(format: SiemFormat, entry: &Entry, record: &Record) -> Value {
    serde_json::from_str(&in_format(format, entry, record)).unwrap()
}

/// The value at `a.b[0].c`.
fn at<'v>(tree: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(tree, |tree, name| match name.strip_suffix("[0]") {
        Some(name) => &tree[name][0],
        None => &tree[name],
    })
}

fn has(tree: &Value, path: &str) -> bool {
    let (head, last) = path.rsplit_once('.').map_or(("", path), |(head, last)| (head, last));
    let object = if head.is_empty() { tree } else { at(tree, head) };
    last.split('|').any(|name| !object[name].is_null())
}

fn exchange(action: &str, outcome: &str) -> (Entry, Record) {
    let (_, mut record) = sample();
    if let Subject::Exchange(it) = &mut record.subject {
        (it.action, it.outcome) = (action.to_owned(), outcome.to_owned());
        it.upstream_status = Some(200);
        it.model_answered = Some("claude-sonnet-4-6-20260101".to_owned());
        it.outbound.findings[0].exception = Some("documented_sample_key".to_owned());
    }
    entry(record.subject)
}

fn act(name: &str) -> (Entry, Record) {
    let details = BTreeMap::from([("records".to_owned(), "12".to_owned())]);
    entry(Subject::Act(Act { act: name.to_owned(), actor: "gateway".to_owned(), details }))
}

fn every_kind() -> Vec<(Entry, Record)> {
    let plain = Exchange {
        outcome: "forwarded".into(),
        action: "allow".into(),
        endpoint: "models".into(),
        ..Exchange::default()
    };
    let mark =
        Mark { sequence: 41, hash: "ab".repeat(32), signed_ms: 1, key: "cd".repeat(32), signature: "ef".repeat(64) };
    vec![
        sample(),
        exchange("redact", "forwarded"),
        exchange("review", "forwarded"),
        exchange("flag", "upstream_failed"),
        exchange("log", "forwarded"),
        exchange("allow", "cancelled"),
        entry(Subject::Exchange(Box::new(plain.clone()))),
        entry(Subject::Exchange(Box::default())),
        entry(Subject::Decision(Box::new(plain))),
        act("gateway.started"),
        act("gateway.stopped"),
        act("audit.lost"),
        act("audit.expired"),
        act(""),
        entry(Subject::Checkpoint(mark)),
    ]
}

#[test]
fn every_fact_has_a_name_of_its_own_in_each_format() {
    let names: [fn(&Fact) -> &'static str; 5] = [|it| it.cef, |it| it.leef, |it| it.ecs, |it| it.ocsf, |it| it.otel];
    for name in names {
        let names: BTreeSet<&str> = FACTS.iter().map(name).collect();
        assert!(!names.contains(""));
        assert_eq!(names.len(), FACTS.len(), "two facts share a name");
    }
    let ids: BTreeSet<&str> = FACTS.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), FACTS.len());
    // Custom fields of CEF are few, and each is used once.
    let custom: Vec<&str> = FACTS.iter().filter_map(|it| it.cef.split_once('=')).map(|(key, _)| key).collect();
    assert!(custom.iter().all(|it| matches!(
        *it,
        "cs1" | "cs2" | "cs3" | "cs4" | "cs5" | "cs6" | "cn1" | "cn2" | "cn3" | "cfp1" | "flexString1" | "flexString2"
    )));
}

#[test]
fn every_fact_has_a_value_in_some_record() {
    let kinds = every_kind();
    for fact in FACTS {
        let told = kinds.iter().any(|(entry, record)| (fact.value)(&View::new(entry, record, Detail::FULL)).is_some());
        assert!(told, "no record tells of {}", fact.id);
    }
}

#[test]
fn every_encoder_writes_every_fact() {
    for (entry, record) in every_kind() {
        let view = View::new(&entry, &record, Detail::FULL);
        let (cef, leef) = (in_format(SiemFormat::Cef, &entry, &record), in_format(SiemFormat::Leef, &entry, &record));
        let (cef_keys, leef_keys) = (read_cef(&cef), read_leef(&leef));
        let (ecs, ocsf) = (tree(SiemFormat::Ecs, &entry, &record), tree(SiemFormat::Ocsf, &entry, &record));
        let otel = otel::record(&view);
        let attributes: BTreeSet<&str> =
            otel["attributes"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
        for fact in FACTS {
            let told = (fact.value)(&view).is_some();
            let key = fact.cef.split('=').next().unwrap();
            let header = |name: &str| name.starts_with(char::is_uppercase) && !name.starts_with("AIRisk");
            assert_eq!(cef_keys.contains_key(key), told && !header(key), "{} in {cef}", fact.id);
            assert_eq!(leef_keys.contains_key(fact.leef), told && !header(fact.leef), "{} in {leef}", fact.id);
            assert_eq!(!at(&ecs, fact.ecs).is_null(), told, "{} in {ecs}", fact.id);
            let places = [fact.ocsf.to_owned(), format!("evidences[0].{}", fact.ocsf), format!("unmapped.{}", fact.id)];
            assert!(!told || places.iter().any(|it| !at(&ocsf, it).is_null()), "{} in {ocsf}", fact.id);
            let field = !otel[fact.otel].is_null() || attributes.contains(fact.otel);
            assert_eq!(field, told, "{} in {otel}", fact.id);
        }
    }
}

#[test]
fn the_sample_in_every_format() {
    let (entry, record) = sample();
    let hash = entry.hash;
    let place = "message 3, line 2 (messages[3].content)";
    let request = "019aa9a2-1b7c-7000-8000-000000000042";
    assert_eq!(
        in_format(SiemFormat::Cef, &entry, &record),
        format!(
            "CEF:0|AIRiskGuard|AI Gateway|{VERSION}|exchange.block|AI exchange blocked|10|rt=1795340600020 \
             start=1795340600000 end=1795340600012 cat=exchange outcome=refused reason=policy act=block \
             flexString1=outbound flexString1Label=direction cs1=secrets.aws.access_key cs1Label=rule cs2=secrets \
             cs2Label=checker cs3=AWS_ACCESS_KEY cs3Label=type cs4=critical cs4Label=risk cfp1=0.95 cfp1Label=score \
             AIRiskGuardRules=secrets.aws.access_key cs5={place} cs5Label=place AIRiskGuardSource=user cnt=2 \
             cs6=block_any_secret cs6Label=policies suser=engineers suid=9f86d081 AIRiskGuardSession=5f0c2a3e \
             src=192.0.2.17 requestClientApplication=claude-cli/2.0 destinationServiceName=anthropic \
             AIRiskGuardDialect=anthropic AIRiskGuardEndpoint=messages flexString2=claude-sonnet-4-6 \
             flexString2Label=model in=5321 out=412 cn2=1200 cn2Label=input tokens cn3=0 cn3Label=output tokens \
             externalId={request} dvchost=gw-1 AIRiskGuardSequence=42 AIRiskGuardHash={hash}"
        )
    );
    let leef = in_format(SiemFormat::Leef, &entry, &record);
    assert!(leef.starts_with(&format!("LEEF:2.0|AIRiskGuard|AI Gateway|{VERSION}|exchange.block|^|title=AI exchange")));
    assert!(leef.contains("^sev=10^devTime=2026-11-22T09:43:20.020+0000^"), "{leef}");
    assert!(leef.contains("^src=192.0.2.17^") && leef.contains("^usrName=engineers^"), "{leef}");
    let json = in_format(SiemFormat::Json, &entry, &record);
    assert_eq!(json, format!("{},\"hash\":\"{hash}\"}}", &entry.body[..entry.body.len() - 1]));
    let ecs = tree(SiemFormat::Ecs, &entry, &record);
    assert_eq!(at(&ecs, "@timestamp"), "2026-11-22T09:43:20.020Z");
    assert_eq!(ecs["event"]["kind"], "alert");
    assert_eq!(ecs["event"]["type"][0], "denied");
    assert_eq!(ecs["event"]["outcome"], "failure");
    assert_eq!(ecs["rule"]["id"], "secrets.aws.access_key");
    assert_eq!(ecs["gen_ai"]["request"]["model"], "claude-sonnet-4-6");
    let ocsf = tree(SiemFormat::Ocsf, &entry, &record);
    assert_eq!(
        (&ocsf["class_uid"], &ocsf["type_uid"], &ocsf["severity_id"]),
        (&2004.into(), &200401.into(), &5.into())
    );
    assert_eq!(ocsf["finding_info"]["analytic"]["uid"], "secrets.aws.access_key");
    assert_eq!(ocsf["evidences"][0]["src_endpoint"]["ip"], "192.0.2.17");
    assert_eq!(ocsf["disposition"], "Blocked");
    let otel = otel::record(&View::new(&entry, &record, Detail::FULL));
    assert_eq!(otel["timeUnixNano"], "1795340600020000000");
    assert_eq!((&otel["severityNumber"], &otel["severityText"]), (&21.into(), &"critical".into()));
}

#[test]
fn ocsf_has_what_the_schema_requires() {
    let mut classes = BTreeSet::new();
    for (entry, record) in every_kind() {
        let event = tree(SiemFormat::Ocsf, &entry, &record);
        let class = event["class_uid"].as_u64().unwrap();
        classes.insert(class);
        let (_, own) = REQUIRED.iter().find(|(uid, _)| *uid == class).expect("a class of the table");
        for path in REQUIRED_OF_ALL.iter().chain(*own) {
            assert!(has(&event, path), "{class} has no {path}: {event}");
        }
        for (object, path) in REQUIRED_WHERE_PRESENT {
            assert!(at(&event, object).is_null() || has(at(&event, object), path), "{object} has no {path}: {event}");
        }
        let [activity, kind] = ["activity_id", "type_uid"].map(|it| event[it].as_u64().unwrap());
        assert_eq!(kind, class * 100 + activity);
        assert_eq!(event["category_uid"], class / 1000);
        assert!((1..=5).contains(&event["severity_id"].as_u64().unwrap()));
        for name in event.as_object().unwrap().keys() {
            assert!(KNOWN.contains(&name.as_str()), "{class} knows no {name}");
        }
    }
    assert_eq!(classes, BTreeSet::from([2004, 3004, 6002, 6003]));
}

#[test]
fn classes_of_ocsf_follow_from_the_record() {
    let class =
        |(entry, record): (Entry, Record)| tree(SiemFormat::Ocsf, &entry, &record)["type_uid"].as_u64().unwrap();
    for action in ["block", "redact", "review", "flag"] {
        assert_eq!(class(exchange(action, "forwarded")), 200_401, "{action}");
    }
    assert_eq!(class(exchange("log", "forwarded")), 600_301);
    assert_eq!(class(exchange("allow", "forwarded")), 600_301);
    assert_eq!(class(act("gateway.started")), 600_203);
    assert_eq!(class(act("gateway.stopped")), 600_204);
    assert_eq!(class(act("audit.expired")), 300_404);
    assert_eq!(class(act("alerts.tested")), 300_499);
}

#[test]
fn levels_follow_from_risk_and_action() {
    let level = |(entry, record): (Entry, Record)| View::new(&entry, &record, Detail::FULL).level();
    assert_eq!(level(sample()), Level::Critical);
    assert_eq!(level(exchange("log", "forwarded")), Level::Low);
    assert_eq!(level(act("audit.lost")), Level::High);
    assert_eq!(level(act("gateway.started")), Level::Informational);
    assert_eq!(Level::ALL.map(Level::syslog), [6, 5, 4, 3, 2]);
    assert_eq!(Level::ALL.map(Level::ocsf), [1, 2, 3, 4, 5]);
}

/// Names that were made to end a field, a line, a record or a reader's patience.
fn hostile() -> Vec<String> {
    let long = "x".repeat(10_000);
    let texts = [
        "a\nb\r\nc",
        "a|b\\|c\\",
        "k=v cs1=forged act=allow",
        "\"}],\"forged\":true",
        "a\tb\tsrc=203.0.113.9",
        "\\n\\",
        "]\" \\]",
        "\u{0}\u{1}\u{7f}\u{85}\u{9b}31m",
        "\u{202e}dekcolb\u{2066}",
        "\u{2028}\u{2029}\u{feff}",
        "'; DROP TABLE",
        " = = ",
        "a^src=203.0.113.9",
        "😀é漢",
        "<86>1 forged",
    ];
    texts.into_iter().map(str::to_owned).chain([long]).collect()
}

fn hostile_entry(text: &str) -> (Entry, Record) {
    let t = || text.to_owned();
    let found = Found {
        rule: t(),
        checker: t(),
        label: t(),
        risk: t(),
        score: 0.5,
        source: t(),
        place: t(),
        action: t(),
        exception: Some(t()),
        value: Some(t()),
        count: u64::MAX,
    };
    let side = || Side {
        action: t(),
        risk: Some(t()),
        policies: vec![t(); 300],
        findings: vec![found.clone(); 200],
        findings_omitted: u64::MAX,
        ..Side::default()
    };
    let exchange = Exchange {
        start_ms: u64::MAX,
        end_ms: u64::MAX,
        team: t(),
        key: Some(t()),
        session: Some(t()),
        client: Some(t()),
        agent: Some(t()),
        upstream: Some(t()),
        dialect: Some(t()),
        endpoint: t(),
        model: Some(t()),
        model_answered: Some(t()),
        outcome: t(),
        refusal: Some(t()),
        action: t(),
        generation: t(),
        outbound: side(),
        inbound: side(),
        ..Exchange::default()
    };
    let (_, mut record) = entry(Subject::Exchange(Box::new(exchange)));
    (record.gateway, record.id, record.written_ms) = (t(), t(), u64::MAX);
    let body: std::sync::Arc<str> = serde_json::to_string(&record).unwrap().into();
    let hash = crate::store::Link::FIRST.next(&body);
    (Entry { gateway: text.into(), sequence: 1, written_ms: u64::MAX, hash, body, sealed: None }, record)
}

#[test]
fn hostile_names_stay_inside_their_fields() {
    for text in hostile() {
        let (entry, record) = hostile_entry(&text);
        for detail in [Detail::FULL, Detail::BRIEF] {
            for (format, event) in all_formats(&entry, &record, detail) {
                let whole = format == SiemFormat::Json;
                let controls = |it: char| it.is_control() && !whole;
                assert!(!event.contains(['\n', '\r']) && !event.contains(controls), "{format:?}: {event:?}");
                assert!(whole || !event.contains(['\u{202e}', '\u{2028}', '\u{2066}', '\u{feff}']), "{format:?}");
                if format.is_json() {
                    let tree: Value = serde_json::from_str(&event).unwrap();
                    assert!(tree["forged"].is_null());
                }
            }
        }
        let shown = |text: &str| match View::new(&entry, &record, Detail::FULL).text(text) {
            Some(Datum::Text(text)) => text,
            _ => String::new(),
        };
        let cef = read_cef(&in_format(SiemFormat::Cef, &entry, &record));
        assert_eq!((&cef["suser"], &cef["cs1"]), (&shown(&text), &shown(&text)), "CEF of {text:?}");
        assert_eq!(cef["act"], shown(&text));
        assert!(!cef.contains_key("src"), "an address that is none: {cef:?}");
        let leef = read_leef(&in_format(SiemFormat::Leef, &entry, &record));
        let expected = shown(&text).replace('^', "ˆ");
        assert_eq!((&leef["usrName"], &leef["rule"]), (&expected, &expected), "LEEF of {text:?}");
        assert!(!leef.contains_key("src"));
        let ecs = tree(SiemFormat::Ecs, &entry, &record);
        assert_eq!(ecs["user"]["name"], shown(&text));
    }
}

#[test]
fn brief_events_are_short_and_whole() {
    let (entry, record) = hostile_entry(&"漢".repeat(10_000));
    for (format, event) in all_formats(&entry, &record, Detail::BRIEF) {
        if format != SiemFormat::Json {
            assert!(event.len() < 24_000, "{format:?} has {} bytes", event.len());
        }
    }
    let (_, mut record) = sample();
    if let Subject::Exchange(it) = &mut record.subject {
        it.outbound.findings =
            (0..200).map(|it| Found { rule: format!("a.b.{it}"), count: 1, ..Found::default() }).collect();
    }
    let (entry, record) = super::super::document::entry(record.subject);
    let brief: Value =
        serde_json::from_str(&encode(SiemFormat::Json, &View::new(&entry, &record, Detail::BRIEF))).unwrap();
    assert_eq!(brief["exchange"]["outbound"]["findings"].as_array().unwrap().len(), 3);
    assert_eq!(brief["exchange"]["outbound"]["findings_omitted"], 197);
    assert_eq!((&brief["shortened"], &brief["sequence"]), (&true.into(), &42.into()));
}

#[test]
fn addresses_are_addresses() {
    let client = |text: &str| {
        let (entry, record) =
            entry(Subject::Exchange(Box::new(Exchange { client: Some(text.into()), ..Exchange::default() })));
        tree(SiemFormat::Ecs, &entry, &record)["source"]["ip"].clone()
    };
    assert_eq!(client("192.0.2.1:4711"), "192.0.2.1");
    assert_eq!(client("[2001:db8::1]:4711"), "2001:db8::1");
    assert_eq!(client("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(client("nobody"), Value::Null);
}

#[test]
fn times_are_those_of_the_calendar() {
    assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(timestamp(1_795_340_600_020), "2026-11-22T09:43:20.020Z");
    assert_eq!(timestamp(u64::MAX), "1970-01-01T00:00:00.000Z");
}

#[test]
fn log_records_are_exported_as_one_request() {
    let (entry, record) = sample();
    let text = otel::record(&View::new(&entry, &record, Detail::FULL)).to_string();
    let sent: Value = serde_json::from_str(&otel::export(&[&text, &text])).unwrap();
    assert_eq!(sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().len(), 2);
    assert_eq!(sent["resourceLogs"][0]["resource"]["attributes"][0]["key"], "service.name");
}

/// The extension of a CEF event as a receiver reads it: a key begins behind a space and ends at a bare `=`.
fn read_cef(event: &str) -> BTreeMap<String, String> {
    let mut dividers = 0;
    let mut escaped = false;
    let begin = event.char_indices().find_map(|(index, it)| {
        let divides = it == '|' && !escaped;
        escaped = it == '\\' && !escaped;
        dividers += usize::from(divides);
        (dividers == 7).then_some(index + 1)
    });
    let extension = &event[begin.unwrap()..];
    let mut equals = Vec::new();
    escaped = false;
    for (index, it) in extension.char_indices() {
        if it == '=' && !escaped {
            equals.push(index);
        }
        escaped = it == '\\' && !escaped;
    }
    let mut read = BTreeMap::new();
    let key_begin = |equal: usize| extension[..equal].rfind(' ').map_or(0, |space| space + 1);
    for (number, equal) in equals.iter().enumerate() {
        let end = equals.get(number + 1).map_or(extension.len(), |next| key_begin(*next) - 1);
        let key = extension[key_begin(*equal)..*equal].to_owned();
        assert!(read.insert(key, unescape(&extension[equal + 1..end])).is_none(), "a key twice in {event}");
    }
    read
}

fn read_leef(event: &str) -> BTreeMap<String, String> {
    let attributes = event.splitn(7, '|').nth(6).unwrap();
    let mut read = BTreeMap::new();
    for pair in attributes.split('^') {
        let (key, value) = pair.split_once('=').unwrap();
        assert!(read.insert(key.to_owned(), unescape(value)).is_none(), "a key twice in {event}");
    }
    read
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(it) = chars.next() {
        out.push(match (it, it == '\\') {
            (_, true) => match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                it => it,
            },
            (it, false) => it,
        });
    }
    out
}
