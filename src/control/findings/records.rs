//! Searching records, and one record in full.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paging::{self, Page, Seen, cursor, searchable};
use super::record::{Catalogue, RecordDetail, RecordView};
use super::scope::Scope;
use crate::control::Problem;
use crate::control::http::{Granted, Json, Path, Query, Route, get};
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;
use crate::store;

const ROWS_MAX: u32 = 200;
const ROWS: u32 = 50;

/// What is searched for; all that is given must hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordQuery {
    /// Of this gateway.
    #[serde(default)]
    pub(crate) gateway: Option<String>,
    /// Of this team.
    #[serde(default)]
    pub(crate) team: Option<String>,
    /// Of this session.
    #[serde(default)]
    pub(crate) session: Option<String>,
    /// With a finding of this rule.
    #[serde(default)]
    pub(crate) rule: Option<String>,
    /// With this model asked for.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// With this most severe action.
    #[serde(default)]
    pub(crate) action: Option<String>,
    /// With this highest risk.
    #[serde(default)]
    pub(crate) risk: Option<String>,
    /// `exchange` where it is absent; `decision`; `act` and `checkpoint` with the permission `verify_audit`.
    #[serde(default)]
    pub(crate) kind: Option<String>,
    /// With this id.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// Written at this moment or later, Unix milliseconds.
    #[serde(default)]
    pub(crate) from_ms: Option<u64>,
    /// Written before this moment, Unix milliseconds.
    #[serde(default)]
    pub(crate) until_ms: Option<u64>,
    /// Go on behind the page that gave this.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    /// At most so many, 1 to 200; 50 where it is absent.
    #[serde(default)]
    pub(crate) limit: Option<u32>,
}

/// A page of records, newest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct RecordPage {
    /// The records.
    pub(crate) records: Vec<RecordView>,
    /// For the next page; absent at the end. A page may be short, or empty, and still have a next one.
    pub(crate) next: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("records.search", "/api/v1/records", Permission::ReadFindings, search)
            .says("Searches records, newest first")
            .asks::<RecordQuery>()
            .answers::<RecordPage>(),
        get("records.read", "/api/v1/records/{id}", Permission::ReadFindings, read)
            .says("One record with all its findings, never what was found")
            .answers::<RecordDetail>(),
    ]
}

async fn search(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<RecordQuery>,
) -> Result<Json<RecordPage>, Problem> {
    Ok(Json(found(&control, &granted, query).await?))
}

/// A page of the records within reach.
pub(crate) async fn found(control: &Control, granted: &Granted, query: RecordQuery) -> Result<RecordPage, Problem> {
    let rows_max = query.limit.unwrap_or(ROWS);
    if !(1..=ROWS_MAX).contains(&rows_max) {
        return Err(Problem::invalid(format!("`limit` has to be 1 to {ROWS_MAX}")));
    }
    let query = store_query(granted, query)?;
    let scope = Scope::of(control, granted).await?;
    let Page { records, next } = paging::page(control, &scope, &query, rows_max as usize, |_| true).await?;
    Ok(RecordPage { records: records.iter().map(RecordView::of).collect(), next: next.as_ref().map(cursor) })
}

fn store_query(granted: &Granted, query: RecordQuery) -> Result<store::Query, Problem> {
    let kind = searchable("kind", query.kind)?.unwrap_or_else(|| "exchange".to_owned());
    let is_exchange = kind == "exchange" || kind == "decision";
    if !is_exchange && granted.reach_of(Permission::VerifyAudit) != Some(Reach::All) {
        return Err(Problem::forbidden("acts and checkpoints are for those who may verify the audit log"));
    }
    Ok(store::Query {
        gateway: searchable("gateway", query.gateway)?,
        team: searchable("team", query.team)?,
        session: searchable("session", query.session)?,
        rule: searchable("rule", query.rule)?,
        model: searchable("model", query.model)?,
        action: searchable("action", query.action)?,
        risk: searchable("risk", query.risk)?,
        kind: Some(kind),
        id: searchable("id", query.id)?,
        from_ms: query.from_ms,
        until_ms: query.until_ms,
        before: query.cursor.as_deref().map(paging::position).transpose()?,
        rows_max: 0,
    })
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
) -> Result<Json<RecordDetail>, Problem> {
    Ok(Json(detail(&control, &granted, &id).await?))
}

/// One record within reach, in full.
pub(crate) async fn detail(control: &Control, granted: &Granted, id: &str) -> Result<RecordDetail, Problem> {
    let scope = Scope::of(control, granted).await?;
    let seen = by_id(control, granted, &scope, id).await?;
    Ok(RecordDetail::of(&seen, &Catalogue::own(control, &seen).await?))
}

/// The record with this id; of an exchange the end, not the decision before.
pub(super) async fn by_id(control: &Control, granted: &Granted, scope: &Scope, id: &str) -> Result<Seen, Problem> {
    let missing = || Problem::not_found("record", id);
    let id = searchable("id", Some(id.to_owned())).ok().flatten().ok_or_else(missing)?;
    let query = store::Query { id: Some(id.clone()), ..store::Query::default() };
    let page = paging::page(control, scope, &query, 2, |_| true).await?;
    let verifies = granted.reach_of(Permission::VerifyAudit) == Some(Reach::All);
    let mut records: Vec<Seen> = page.records.into_iter().filter(|it| verifies || it.exchange().is_some()).collect();
    records.sort_by_key(|it| it.record.subject.kind() != "exchange");
    records.into_iter().next().ok_or_else(|| Problem::not_found("record", &id))
}
