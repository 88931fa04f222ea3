//! What has just happened, for a page that asks again every other second.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paging::{self, cursor, position};
use super::record::RecordView;
use super::scope::Scope;
use crate::control::Problem;
use crate::control::http::{Granted, Json, Query, Route, get};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::store::{self, Position};

const ROWS_MAX: usize = 100;

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedQuery {
    /// What the answer before gave; without it, the newest.
    #[serde(default)]
    pub(crate) after: Option<String>,
}

/// The newest exchanges.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Feed {
    /// Newest first, at most 100: where more have come, those between are left to the search.
    pub(crate) records: Vec<RecordView>,
    /// For the next question.
    pub(crate) after: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("feed.read", "/api/v1/feed", Permission::ReadFindings, read)
            .says("The newest exchanges, or those since the last answer")
            .asks::<FeedQuery>()
            .answers::<Feed>(),
    ]
}

async fn read(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<FeedQuery>,
) -> Result<Json<Feed>, Problem> {
    Ok(Json(newest(&control, &granted, query).await?))
}

/// The newest exchanges within reach.
pub(crate) async fn newest(control: &Control, granted: &Granted, query: FeedQuery) -> Result<Feed, Problem> {
    let scope = Scope::of(control, granted).await?;
    let after = query.after.as_deref().map(position).transpose()?;
    let kind = Some("exchange".to_owned());
    let asked = store::Query { kind, from_ms: after.as_ref().map(|it| it.written_ms), ..store::Query::default() };
    let page = paging::page(control, &scope, &asked, ROWS_MAX, |_| true).await?;
    // Of the moment of the last answer, those that it had are known; a gateway's records come in their order.
    let is_new = |it: &Position| match &after {
        Some(after) => {
            it.written_ms > after.written_ms || (it.gateway == after.gateway && it.sequence > after.sequence)
        }
        None => true,
    };
    let new: Vec<_> = page.records.iter().filter(|it| is_new(&Position::of(&it.entry))).collect();
    let newest = new.first().map(|it| Position::of(&it.entry)).or(after);
    Ok(Feed { records: new.into_iter().map(RecordView::of).collect(), after: newest.as_ref().map(cursor) })
}
