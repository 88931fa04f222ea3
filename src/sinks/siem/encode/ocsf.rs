//! Open Cybersecurity Schema Framework: a finding where the gateway did something, an API call otherwise, and for acts
//! the life of the application or the change of what it keeps.

use serde_json::{Map, Value, json};

use super::super::mapping::{FACTS, Fact};
use super::super::view::{Datum, View};
use super::tree::put;
use super::{PRODUCT, VENDOR, VERSION};
use crate::domain::Risk;
use crate::store::Subject;

/// The version of the schema.
pub(in super::super) const SCHEMA: &str = "1.5.0";

/// A class of events, with what it has a place for.
struct Class {
    uid: u64,
    category: u64,
    /// First names of paths that it has of its own. What is on no list stands under `unmapped`.
    heads: &'static [&'static str],
    /// Those that stand in the first of its `evidences`.
    evidence: &'static [&'static str],
}

/// First names that every class has.
const COMMON: &[&str] = &["metadata", "message", "severity_id", "time", "start_time", "end_time", "unmapped"];

const FINDING: Class = Class {
    uid: 2004,
    category: 2,
    heads: &["finding_info", "resources", "risk_level", "status_detail", "status_code"],
    evidence: &["actor", "api", "src_endpoint", "http_request", "http_response"],
};
const API: Class = Class {
    uid: 6003,
    category: 6,
    heads: &[
        "actor",
        "api",
        "src_endpoint",
        "http_request",
        "http_response",
        "resources",
        "status_detail",
        "status_code",
    ],
    evidence: &[],
};
const LIFECYCLE: Class = Class { uid: 6002, category: 6, heads: &["status_detail"], evidence: &[] };
const ENTITY: Class = Class { uid: 3004, category: 3, heads: &["actor", "status_detail"], evidence: &[] };

pub(super) fn encode(view: &View<'_>) -> String {
    let class = class(view);
    let mut tree = Map::new();
    for fact in FACTS {
        if let Some(datum) = (fact.value)(view) {
            put(&mut tree, &class.place(fact), value(datum));
        }
    }
    let (activity, name) = activity(class, view);
    put(&mut tree, "class_uid", class.uid);
    put(&mut tree, "category_uid", class.category);
    put(&mut tree, "activity_id", activity);
    put(&mut tree, "activity_name", name);
    put(&mut tree, "type_uid", class.uid * 100 + activity);
    put(&mut tree, "severity", capitalised(view.level().name()));
    put(&mut tree, "metadata.version", SCHEMA);
    put(&mut tree, "metadata.product.name", PRODUCT);
    put(&mut tree, "metadata.product.vendor_name", VENDOR);
    put(&mut tree, "metadata.product.version", VERSION);
    match class.uid {
        2004 => finding(&mut tree, view),
        6003 => call(&mut tree, view),
        6002 => put(&mut tree, "app", json!({"name": PRODUCT, "vendor_name": VENDOR, "version": VERSION})),
        _ => entity(&mut tree, view),
    }
    Value::Object(tree).to_string()
}

fn class(view: &View<'_>) -> &'static Class {
    match &view.record.subject {
        Subject::Exchange(_) if view.is_finding() => &FINDING,
        Subject::Exchange(_) | Subject::Decision(_) => &API,
        Subject::Act(it) if matches!(it.act.as_str(), "gateway.started" | "gateway.stopped") => &LIFECYCLE,
        Subject::Act(_) | Subject::Checkpoint(_) => &ENTITY,
    }
}

impl Class {
    fn place(&self, fact: &Fact) -> String {
        let head = fact.ocsf.split(['.', '[']).next().unwrap_or_default();
        if COMMON.contains(&head) || self.heads.contains(&head) {
            fact.ocsf.to_owned()
        } else if self.evidence.contains(&head) {
            format!("evidences[0].{}", fact.ocsf)
        } else {
            format!("unmapped.{}", fact.id)
        }
    }
}

fn value(datum: Datum) -> Value {
    match datum {
        Datum::Text(text) => text.into(),
        Datum::Count(number) | Datum::Time(number) => number.into(),
        Datum::Score(number) => number.into(),
        Datum::List(items) => items.into(),
        Datum::Severity(level) => level.ocsf().into(),
    }
}

/// The activity's number within the class, and its name.
fn activity(class: &Class, view: &View<'_>) -> (u64, &'static str) {
    match (class.uid, &view.record.subject) {
        (2004, _) => (1, "Create"),
        (_, Subject::Decision(_)) => (99, "Decision"),
        (_, Subject::Exchange(it)) if it.endpoint == "models" => (2, "Read"),
        (_, Subject::Exchange(_) | Subject::Checkpoint(_)) => (1, "Create"),
        (6002, Subject::Act(it)) if it.act == "gateway.started" => (3, "Start"),
        (6002, _) => (4, "Stop"),
        (_, Subject::Act(it)) => match it.act.rsplit('.').next().unwrap_or_default() {
            "created" | "added" => (1, "Create"),
            "read" | "exported" | "verified" => (2, "Read"),
            "changed" | "loaded" | "updated" => (3, "Update"),
            "deleted" | "expired" | "removed" => (4, "Delete"),
            _ => (99, "Other"),
        },
    }
}

fn finding(tree: &mut Map<String, Value>, view: &View<'_>) {
    let Some(it) = view.exchange() else { return };
    put(tree, "finding_info.uid", id(view));
    put(tree, "finding_info.title", view.title());
    put(tree, "finding_info.created_time", view.record.written_ms);
    if view.worst().is_some() {
        put(tree, "finding_info.analytic.type_id", 1);
        put(tree, "finding_info.analytic.type", "Rule");
    }
    if let Some(risk) = it.risk() {
        put(tree, "risk_level", capitalised(risk.name()));
        put(tree, "risk_level_id", Risk::ALL.iter().position(|level| *level == risk).unwrap_or_default() + 1);
        put(tree, "risk_score", (it.score() * 100.0).round() as u64);
    }
    // Of the finding, not of the call: it is new.
    put(tree, "status_id", 1);
    put(tree, "is_alert", true);
    put(tree, "metadata.profiles", json!(["security_control"]));
    let (denied, (disposition, name)) = match it.action.as_str() {
        "block" => (2, (2, "Blocked")),
        "redact" => (1, (11, "Corrected")),
        "review" => (1, (19, "Alert")),
        _ => (1, (18, "Tagged")),
    };
    put(tree, "action_id", denied);
    put(tree, "disposition_id", disposition);
    put(tree, "disposition", name);
    put(tree, "evidences[0].data", json!({"request": id(view)}));
    if tree.contains_key("resources") {
        put(tree, "resources[0].type", "AI model");
    }
}

fn call(tree: &mut Map<String, Value>, view: &View<'_>) {
    let Some(it) = view.exchange() else { return };
    put(tree, "api.request.uid", id(view));
    let (status, name) = match (&view.record.subject, it.outcome.as_str()) {
        (Subject::Decision(_), _) => (0, "Unknown"),
        (_, "forwarded" | "answered") => (1, "Success"),
        (_, "cancelled") => (99, "Cancelled"),
        _ => (2, "Failure"),
    };
    put(tree, "status_id", status);
    put(tree, "status", name);
    // Both objects are required, and each needs something that names it.
    if it.endpoint.is_empty() {
        put(tree, "api.operation", "none");
    }
    if !tree.contains_key("actor") {
        put(tree, "actor.app_name", "unknown");
    }
    if !tree.contains_key("src_endpoint") {
        put(tree, "src_endpoint.name", "unknown");
    }
    if tree.contains_key("resources") {
        put(tree, "resources[0].type", "AI model");
    }
}

/// The record's id, as all its facts show it.
fn id(view: &View<'_>) -> Value {
    match view.text(&view.record.id) {
        Some(Datum::Text(text)) => text.into(),
        _ => format!("{}-{}", view.record.gateway, view.record.sequence).into(),
    }
}

fn entity(tree: &mut Map<String, Value>, view: &View<'_>) {
    let kept = match &view.record.subject {
        Subject::Act(it) => it.act.split('.').next().filter(|it| !it.is_empty()).unwrap_or("gateway"),
        _ => "audit",
    };
    if let Some(Datum::Text(name)) = view.text(kept) {
        put(tree, "entity.name", name);
    }
    put(tree, "entity.type", "gateway");
    put(tree, "status_id", 1);
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}
