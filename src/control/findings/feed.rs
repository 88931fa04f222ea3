//! What has just happened, for a page that asks again every other second.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paging;
use super::record::RecordView;
use super::scope::Scope;
use crate::control::Problem;
use crate::control::http::{Granted, Json, Query, Route, get};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::time::MINUTE_MS;
use crate::store::{self, Record};

const ROWS_MAX: usize = 100;
/// A record may arrive so long after others that were written later.
const LATE_MS: u64 = MINUTE_MS;
const GATEWAYS_MAX: usize = 200;

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
    let mut known = query.after.as_deref().map(Known::parse).transpose()?;
    let from_ms = known.as_ref().map(|it| it.written_ms.saturating_sub(LATE_MS));
    let asked = store::Query { kind: Some("exchange".to_owned()), from_ms, ..store::Query::default() };
    let is_new = |it: &Record| known.as_ref().is_none_or(|known| known.is_new(it));
    let page = paging::page(control, &scope, &asked, ROWS_MAX, is_new).await?;
    for seen in page.records.iter().rev() {
        known.get_or_insert_with(Known::default).add(&seen.record);
    }
    Ok(Feed { records: page.records.iter().map(RecordView::of).collect(), after: known.map(|it| it.to_string()) })
}

/// What was told: gateways ship their records sooner or later, but each in the order of its own chain.
#[derive(Debug, Default, PartialEq)]
struct Known {
    /// Of the newest record of all.
    written_ms: u64,
    /// The last record of each gateway.
    last: BTreeMap<String, u64>,
}

impl Known {
    fn is_new(&self, it: &Record) -> bool {
        match self.last.get(&it.gateway) {
            Some(last) => it.sequence > *last,
            None => it.written_ms > self.written_ms,
        }
    }

    fn add(&mut self, it: &Record) {
        self.written_ms = self.written_ms.max(it.written_ms);
        if self.last.len() < GATEWAYS_MAX || self.last.contains_key(&it.gateway) {
            let last = self.last.entry(it.gateway.clone()).or_default();
            *last = it.sequence.max(*last);
        }
    }

    fn parse(text: &str) -> Result<Known, Problem> {
        let mut parts = text.split('~');
        let written_ms = parts.next().and_then(|it| it.parse().ok());
        let last = parts.take(GATEWAYS_MAX + 1).map(|it| {
            let (sequence, gateway) = it.split_once('.')?;
            Some((gateway.to_owned(), sequence.parse().ok()?))
        });
        match (written_ms, last.collect::<Option<BTreeMap<_, _>>>()) {
            (Some(written_ms), Some(last)) if last.len() <= GATEWAYS_MAX => Ok(Known { written_ms, last }),
            _ => Err(Problem::invalid("`after` was not given by an answer before")),
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.written_ms)?;
        self.last.iter().try_for_each(|(gateway, sequence)| write!(f, "~{sequence}.{gateway}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_comes_back_as_it_went() {
        let last = BTreeMap::from([("edge.1".to_owned(), 7), ("edge-2".to_owned(), 9)]);
        let known = Known { written_ms: 17, last };
        assert_eq!(Known::parse(&known.to_string()).unwrap(), known);
        for text in ["", "x", "1~", "1~2", "1~x.edge", "-1"] {
            assert!(Known::parse(text).is_err(), "{text:?}");
        }
        let many: String = (0..=GATEWAYS_MAX).map(|it| format!("~1.edge-{it}")).collect();
        assert!(Known::parse(&format!("1{many}")).is_err());
    }
}
