//! What gateways ask again and again: what to run on. With each poll they say what they run on now.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::bundle::{self, Signed};
use super::gateways::{Gateway, Report};
use super::http::{Access, Granted, Json, Query, Route, get};
use super::problem::Unchanged;
use super::server::Control;
use super::shelf::Kept;
use super::{Problem, ProblemKind};

/// How often a report is kept that says nothing new.
const KEEP_EVERY_MS: u64 = 30_000;
/// Longest text that a gateway says, bytes.
const TEXT_BYTES_MAX: usize = 1000;

/// What a gateway says of itself with a poll.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// Version of the program.
    version: String,
    /// Generation of the bundle in force; 0: none.
    generation: u64,
    /// Why the newest bundle is not in force, if so.
    #[serde(default)]
    refused: Option<String>,
    /// Records that it has written and not yet shipped.
    #[serde(default)]
    records_behind: u64,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("bundle.poll", "/api/v1/bundle", Access::Gateway, poll)
            .says("What the gateway that asks is to run on; nothing where it has that already (If-None-Match)")
            .asks::<Said>()
            .answers::<Signed>(),
    ]
}

async fn poll(
    State(control): State<Control>,
    granted: Granted,
    headers: HeaderMap,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let gateway = control.shelf.need::<Gateway>(granted.gateway()?).await?;
    let gateway = heard(&control, gateway, said).await?;
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    Ok(match bundle::changed(&control, &gateway, known).await? {
        Some((tag, signed)) => ([(ETAG, tag)], Json(signed)).into_response(),
        None => Unchanged.into_response(),
    })
}

/// Keeps what a gateway said, where that is news or was not kept for a while.
async fn heard(control: &Control, mut gateway: Kept<Gateway>, said: Said) -> Result<Kept<Gateway>, Problem> {
    let now = control.shelf.now_ms();
    let report = Report {
        at_ms: now,
        version: bounded(said.version),
        generation: said.generation,
        refused: said.refused.map(bounded),
        records_behind: said.records_behind,
    };
    let news = gateway.report.as_ref().is_none_or(|it| {
        let same = (&it.version, it.generation, &it.refused) == (&report.version, report.generation, &report.refused);
        !same || now.abs_diff(it.at_ms) >= KEEP_EVERY_MS || (it.records_behind == 0) != (report.records_behind == 0)
    });
    if news {
        gateway.value.report = Some(report);
        match control.shelf.update(&gateway).await {
            // Another poll of the same gateway, or its shipment, was kept at the same moment: the next one says it again.
            Err(problem) if problem.kind == ProblemKind::Conflict => {}
            other => other?,
        }
    }
    Ok(gateway)
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text.retain(|it| it == '\n' || !it.is_control());
    text
}
