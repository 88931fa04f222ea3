//! Records in bulk: the chains of gateways as JSON lines, read and sent page by page.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::paging::searchable;
use crate::control::Problem;
use crate::control::http::{Granted, Query, Route, get};
use crate::control::roles::{Permission, Reach};
use crate::control::server::Control;
use crate::store::{Damage, Entry, StoreError};

/// Records that are held at once.
const ROWS_MAX: usize = 500;
/// The type of JSON lines.
const LINES: &str = "application/x-ndjson";

/// What is exported.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    /// The chain of this gateway; all of them where it is absent.
    #[serde(default)]
    pub(crate) gateway: Option<String>,
    /// Written at this moment or later, Unix milliseconds.
    #[serde(default)]
    pub(crate) from_ms: Option<u64>,
    /// Written before this moment, Unix milliseconds.
    #[serde(default)]
    pub(crate) until_ms: Option<u64>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("audit.export", "/api/v1/audit/export", Permission::ExportAudit, export)
            .says("Records as JSON lines, each with its hash, gateway by gateway in the order of their chains")
            .asks::<ExportQuery>()
            .answers_as(LINES),
    ]
}

/// Where an export stands.
struct Export {
    control: Control,
    query: ExportQuery,
    gateways: VecDeque<String>,
    /// The next record of the first gateway.
    from: u64,
}

async fn export(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    if granted.reach != Reach::All {
        return Err(Problem::forbidden("only those who see everything may export"));
    }
    let asked = searchable("gateway", query.gateway.clone())?;
    let mut gateways: VecDeque<String> = control.records.gateways().await?.into();
    gateways.retain(|it| asked.as_ref().is_none_or(|asked| asked == it));
    if let Some(asked) = asked.filter(|_| gateways.is_empty()) {
        return Err(Problem::not_found("gateway", &asked));
    }
    let moment = |it: Option<u64>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let details = [
        ("gateway", query.gateway.clone().unwrap_or_else(|| "all".to_owned())),
        ("from_ms", moment(query.from_ms)),
        ("until_ms", moment(query.until_ms)),
    ];
    control.acts.note(&granted.actor, "audit.exported", details);
    let export = Export { control, query, gateways, from: 0 };
    let lines = futures::stream::unfold(export, |mut export| async move {
        match export.page().await {
            Ok(Some(lines)) => Some((Ok(lines), export)),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, "an export was cut off");
                export.gateways.clear();
                Some((Err(std::io::Error::other("the store did not answer")), export))
            }
        }
    });
    let headers = [(CONTENT_TYPE, LINES), (CONTENT_DISPOSITION, "attachment; filename=\"records.jsonl\"")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

impl Export {
    /// The next lines; `None` at the end. What cannot be read is left out, which breaks the chain where it was.
    async fn page(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let Some(gateway) = self.gateways.front() else { return Ok(None) };
            if let (0, Some(from_ms)) = (self.from, self.query.from_ms) {
                let before = self.control.records.last_before(gateway, from_ms).await?;
                self.from = before.map_or(1, |it| it.sequence + 1);
            }
            let rows = match self.control.records.read(gateway, self.from, ROWS_MAX).await {
                Ok(rows) => rows,
                Err(StoreError::Damaged(Damage { entry: Some((_, sequence)), .. })) => {
                    self.from = sequence.max(self.from) + 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(last) = rows.last() else {
                self.gateways.pop_front();
                self.from = 0;
                continue;
            };
            self.from = last.entry.sequence + 1;
            // Time never falls within a chain: behind the first that is too late there is nothing.
            let is_over = self.query.until_ms.is_some_and(|it| last.entry.written_ms >= it);
            let lines: String = rows.iter().filter(|it| self.wants(&it.entry)).map(|it| line(&it.entry)).collect();
            if is_over {
                self.gateways.pop_front();
                self.from = 0;
            }
            if !lines.is_empty() {
                return Ok(Some(lines.into()));
            }
        }
    }

    fn wants(&self, entry: &Entry) -> bool {
        let at = entry.written_ms;
        self.query.from_ms.is_none_or(|it| at >= it) && self.query.until_ms.is_none_or(|it| at < it)
    }
}

/// The record as it was written: its very bytes are what the hash is over.
fn line(entry: &Entry) -> String {
    format!("{{\"hash\":\"{}\",\"record\":{}}}\n", entry.hash, entry.body)
}
