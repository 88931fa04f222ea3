//! Elastic Common Schema.

use serde_json::{Map, Value, json};

use super::super::mapping::FACTS;
use super::super::view::{Datum, View};
use super::tree::put;
use super::{PRODUCT, VENDOR, VERSION, timestamp};
use crate::store::Subject;

/// The version of the schema whose names are used.
pub(in super::super) const SCHEMA: &str = "8.17.0";

pub(super) fn encode(view: &View<'_>) -> String {
    let mut tree = Map::new();
    for fact in FACTS {
        if let Some(datum) = (fact.value)(view) {
            put(&mut tree, fact.ecs, value(datum));
        }
    }
    put(&mut tree, "ecs.version", SCHEMA);
    put(&mut tree, "event.kind", if view.is_finding() { "alert" } else { "event" });
    put(&mut tree, "event.category", category(view));
    put(&mut tree, "event.type", types(view));
    put(&mut tree, "event.outcome", outcome(view));
    put(&mut tree, "event.module", "airiskguard");
    put(&mut tree, "event.dataset", "airiskguard.audit");
    put(&mut tree, "observer.vendor", VENDOR);
    put(&mut tree, "observer.product", PRODUCT);
    put(&mut tree, "observer.version", VERSION);
    put(&mut tree, "observer.type", "proxy");
    Value::Object(tree).to_string()
}

fn value(datum: Datum) -> Value {
    match datum {
        Datum::Text(text) => text.into(),
        Datum::Count(number) => number.into(),
        Datum::Score(number) => number.into(),
        Datum::Time(number) => timestamp(number).into(),
        Datum::List(items) => items.into(),
        Datum::Severity(level) => level.of_ten().into(),
    }
}

fn category(view: &View<'_>) -> Value {
    match &view.record.subject {
        _ if view.is_finding() => json!(["api", "intrusion_detection"]),
        Subject::Exchange(_) | Subject::Decision(_) => json!(["api"]),
        Subject::Act(_) | Subject::Checkpoint(_) => json!(["configuration"]),
    }
}

fn types(view: &View<'_>) -> Value {
    match view.exchange() {
        Some(it) if it.blocked() || it.outcome == "refused" => json!(["denied"]),
        Some(_) => json!(["allowed"]),
        None => json!(["info"]),
    }
}

/// Of what the client asked for.
fn outcome(view: &View<'_>) -> &'static str {
    match view.exchange().map(|it| it.outcome.as_str()) {
        Some("forwarded" | "answered") | None => "success",
        Some("refused" | "stopped" | "upstream_failed") => "failure",
        Some(_) => "unknown",
    }
}
