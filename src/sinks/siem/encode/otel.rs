//! OpenTelemetry log records, in the JSON of OTLP/HTTP.

use serde_json::{Map, Value, json};

use super::super::genai;
use super::super::mapping::FACTS;
use super::super::view::{Datum, View};

/// One log record.
pub(in super::super) fn record(view: &View<'_>) -> Value {
    let mut record = Map::new();
    let mut attributes = vec![attribute("airiskguard.gen_ai_conventions", text(genai::VERSION))];
    for fact in FACTS {
        match (fact.otel, (fact.value)(view)) {
            (_, None) => {}
            ("body", Some(Datum::Text(body))) => drop(record.insert("body".to_owned(), text(&body))),
            // 64-bit numbers are texts in the JSON of protocol buffers.
            (name @ "timeUnixNano", Some(Datum::Time(unix_ms))) => {
                drop(record.insert(name.to_owned(), format!("{}", u128::from(unix_ms) * 1_000_000).into()));
            }
            (name @ "eventName", Some(Datum::Text(event))) => drop(record.insert(name.to_owned(), event.into())),
            (name @ "severityNumber", Some(Datum::Severity(level))) => {
                record.insert(name.to_owned(), level.otel().into());
                record.insert("severityText".to_owned(), level.name().into());
            }
            (name, Some(datum)) => attributes.push(attribute(name, value(datum))),
        }
    }
    record.insert("attributes".to_owned(), attributes.into());
    Value::Object(record)
}

#[cfg(any(feature = "otlp", test))]
/// What is sent: log records of this program, each as JSON already.
pub(in super::super) fn export(records: &[&str]) -> String {
    let resource = json!({"attributes": [
        attribute("service.name", text("airiskguard-gateway")),
        attribute("service.version", text(super::VERSION)),
    ]});
    let scope = json!({"name": super::PRODUCT, "version": super::VERSION});
    let records = records.join(",");
    format!(
        r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"scope":{scope},"logRecords":[{records}]}}]}}]}}"#
    )
}

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": value})
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

fn value(datum: Datum) -> Value {
    match datum {
        Datum::Text(it) => text(&it),
        Datum::Count(number) | Datum::Time(number) => json!({"intValue": number.to_string()}),
        Datum::Score(number) => json!({"doubleValue": number}),
        Datum::List(items) => {
            let values: Vec<Value> = items.iter().map(|it| text(it)).collect();
            json!({"arrayValue": {"values": values}})
        }
        Datum::Severity(level) => text(level.name()),
    }
}
