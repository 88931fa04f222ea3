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
use crate::control::time::MINUTE_MS;

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
    /// Where the records of this time and gateway are to be had in bulk, for whom they are.
    export: Option<String>,
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
#[serde(default)]
struct Asked {
    team: String,
    rule: String,
    model: String,
    action: String,
    risk: String,
    session: String,
    gateway: String,
    id: String,
    kind: String,
    /// The last minutes.
    minutes: String,
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
    let now_ms = control.shelf.now_ms();
    let result = match asked.query(now_ms) {
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
        records: page.records,
        next: page.next,
        acts: granted.reach_of(Permission::VerifyAudit) == Some(Reach::All),
        export: (granted.reach_of(Permission::ExportAudit) == Some(Reach::All)).then(|| asked.export(now_ms)),
        mistakes: Mistakes::default(),
        asked,
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
            from_ms: self.begin_ms(now_ms)?,
            until_ms: None,
            cursor: given(&self.cursor),
            limit: None,
        })
    }

    fn begin_ms(&self, now_ms: u64) -> Result<Option<u64>, Problem> {
        let minutes: Option<u64> = number("minutes", &self.minutes)?;
        Ok(minutes.map(|it| now_ms.saturating_sub(it.saturating_mul(MINUTE_MS))))
    }

    /// An export is of whole chains: of what was typed, only the gateway and the time hold for it.
    fn export(&self, now_ms: u64) -> String {
        let from_ms = self.begin_ms(now_ms).ok().flatten().map(|it| ("from_ms", it.to_string()));
        let asked: Vec<_> = given(&self.gateway).map(|it| ("gateway", it)).into_iter().chain(from_ms).collect();
        format!("/api/v1/audit/export?{}", serde_html_form::to_string(asked).unwrap_or_default())
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
