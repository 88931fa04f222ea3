//! Records: the live feed, the search, and one record in full, which alerts link to. What was found is never shown.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, given, number};
use super::layout::{Said, Shell, again, shown};
use super::show;
use crate::control::Problem;
use crate::control::findings::{FeedQuery, RecordDetail, RecordPage, RecordQuery, RecordView, detail, found, newest};
use crate::control::http::{Granted, Path, Query, Route, page};
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;

const MINUTE_MS: u64 = 60 * 1000;

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    shell: Shell,
    records: Vec<RecordView>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    shell: Shell,
    asked: Asked,
    /// The filters, for the link to the next page.
    filters: String,
    records: Vec<RecordView>,
    next: Option<String>,
    acts: bool,
    mistakes: Mistakes,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPageTemplate {
    shell: Shell,
    it: RecordDetail,
    exchange: bool,
    facts: Vec<(&'static str, String)>,
    details: Vec<(String, String)>,
    raw: String,
    quarantines: bool,
}

/// Filters, as typed.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    team: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    risk: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    gateway: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    kind: String,
    /// The last minutes.
    #[serde(default)]
    minutes: String,
    #[serde(default)]
    cursor: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.live", "/live", P::ReadFindings, live).says("What has just happened"),
        page("pages.audit", "/audit", P::ReadFindings, search).says("Searches records"),
        page("pages.record", "/audit/{id}", P::ReadFindings, one).says("One record in full"),
    ]
}

async fn live(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    let feed = newest(&control, &granted, FeedQuery::default()).await?;
    shown(&Live { shell: Shell::of(&control, &granted, "Live", "/live"), records: feed.records })
}

async fn search(
    State(control): State<Control>,
    granted: Granted,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let result = match asked.query(control.shelf.now_ms()) {
        Ok(query) => found(&control, &granted, query).await,
        Err(problem) => Err(problem),
    };
    let (page, problem) = match result {
        Ok(page) => (page, None),
        Err(problem) => (RecordPage { records: Vec::new(), next: None }, Some(problem)),
    };
    let mut template = Audit {
        shell: Shell::of(&control, &granted, "Audit", "/audit"),
        filters: asked.filters(),
        asked,
        records: page.records,
        next: page.next,
        acts: granted.reach_of(Permission::VerifyAudit) == Some(Reach::All),
        mistakes: Mistakes::default(),
    };
    match problem {
        None => shown(&template),
        Some(problem) => {
            template.mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &template)
        }
    }
}

async fn one(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let it = detail(&control, &granted, &id).await?;
    let exchange = it.view.kind == "exchange" || it.view.kind == "decision";
    let subject = it.record.get(&it.view.kind).unwrap_or(&serde_json::Value::Null);
    shown(&RecordPageTemplate {
        shell: Shell::of(&control, &granted, "Record", "/audit").after(&said),
        exchange,
        facts: if exchange { facts(subject) } else { Vec::new() },
        details: particulars(subject),
        raw: serde_json::to_string_pretty(&it.record).unwrap_or_default(),
        quarantines: granted.reach_of(Permission::Quarantine).is_some(),
        it,
    })
}

/// What the record of an exchange says, in the order in which people ask.
fn facts(exchange: &serde_json::Value) -> Vec<(&'static str, String)> {
    let text = |path: &str| match exchange.pointer(path) {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    };
    let words = |path: &str| text(path).map(|it| show::words(&it));
    let count = |path: &str| exchange.pointer(path).and_then(serde_json::Value::as_u64).map(|it| show::number(&it));
    let moment = |path: &str| {
        exchange.pointer(path).and_then(serde_json::Value::as_u64).map(|it| format!("{} UTC", show::moment(&it)))
    };
    let all = [
        ("Began", moment("/start_ms")),
        ("Ended", moment("/end_ms")),
        ("Outcome", words("/outcome")),
        ("Refused for", words("/refusal")),
        ("Provider", text("/upstream")),
        ("Endpoint", text("/endpoint")),
        ("Model asked for", text("/model")),
        ("Model that answered", text("/model_answered")),
        ("Client", text("/agent")),
        ("From", text("/client")),
        ("Tokens in", count("/tokens/input")),
        ("Tokens out", count("/tokens/output")),
        ("Bytes in", count("/request_bytes")),
        ("Bytes out", count("/response_bytes")),
        ("Provider's status", text("/upstream_status")),
        ("Values restored", count("/restored")),
        ("Configuration", text("/generation")),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Particulars of an act.
fn particulars(act: &serde_json::Value) -> Vec<(String, String)> {
    let details = act.get("details").and_then(serde_json::Value::as_object);
    let plain = |it: &serde_json::Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    details.into_iter().flatten().map(|(name, value)| (name.clone(), plain(value))).collect()
}

impl Asked {
    fn query(&self, now_ms: u64) -> Result<RecordQuery, Problem> {
        let minutes: Option<u64> = number("minutes", &self.minutes)?;
        Ok(RecordQuery {
            gateway: given(&self.gateway),
            team: given(&self.team),
            session: given(&self.session),
            rule: given(&self.rule),
            model: given(&self.model),
            action: given(&self.action),
            risk: given(&self.risk),
            kind: given(&self.kind),
            id: given(&self.id),
            from_ms: minutes.map(|it| now_ms.saturating_sub(it.saturating_mul(MINUTE_MS))),
            until_ms: None,
            cursor: given(&self.cursor),
            limit: None,
        })
    }

    fn filters(&self) -> String {
        let all = [
            ("team", &self.team),
            ("rule", &self.rule),
            ("model", &self.model),
            ("action", &self.action),
            ("risk", &self.risk),
            ("session", &self.session),
            ("gateway", &self.gateway),
            ("id", &self.id),
            ("kind", &self.kind),
            ("minutes", &self.minutes),
        ];
        let typed: Vec<_> = all.into_iter().filter(|it| !it.1.is_empty()).collect();
        serde_html_form::to_string(typed).unwrap_or_default()
    }
}
