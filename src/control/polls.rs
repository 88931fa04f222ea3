//! What gateways ask again and again: what to run on. With each poll they say what they run on now. A gateway that has
//! the newest already is answered when there is something newer, so a change is there at once and not with the next poll.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::bundle::{self, Signed};
use super::gateways::{Gateway, Report, usual_poll_seconds};
use super::http::{Access, Granted, Json, Query, Route, get};
use super::problem::Unchanged;
use super::server::Control;
use super::shelf::Kept;
use super::{Problem, ProblemKind};

/// Polls after which a report is kept that says nothing new: sooner than a gateway is taken to be away.
const KEEP_EVERY_POLLS: u64 = 2;
/// Clocks that differ by less are the same: the report was on its way, too.
const CLOCK_MS_MIN: i64 = 5_000;
/// Longest time that a poll waits for a change, whatever a gateway asks for.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two looks for what other servers on the same store have changed, or what ends by its time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
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
    /// How often it polls.
    #[serde(default = "usual_poll_seconds")]
    poll_seconds: u64,
    /// What its clock says, Unix milliseconds.
    #[serde(default)]
    clock_ms: Option<u64>,
    /// How long the answer may wait for a change, at most 10 s; 0: not at all.
    #[serde(default)]
    wait_seconds: u64,
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
    let id = granted.gateway()?;
    let wait = Duration::from_secs(said.wait_seconds).min(WAIT_MAX);
    let mut gateway = heard(&control, control.shelf.need::<Gateway>(id).await?, said).await?;
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    if !wait.is_zero() && until_changed(&control, &gateway.group, known, wait).await? {
        // It may have been removed meanwhile, or moved.
        gateway = control.shelf.need::<Gateway>(id).await?;
    }
    Ok(match bundle::changed(&control, &gateway, known).await? {
        Some((tag, signed)) => ([(ETAG, tag)], Json(signed)).into_response(),
        None => Unchanged.into_response(),
    })
}

/// Waits until there is something else than what is known, or the time is over, or the server stops; whether it waited.
async fn until_changed(control: &Control, group: &str, known: Option<&str>, wait: Duration) -> Result<bool, Problem> {
    let mut over = std::pin::pin!(tokio::time::sleep(wait));
    let (mut changes, mut leaving) = (control.shelf.told_of_changes(), control.leaving.subscribe());
    let mut waited = false;
    while !bundle::is_changed(control, group, known).await? {
        waited = true;
        // Neither of the senders ends before this control plane.
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
            _ = leaving.wait_for(|it| *it) => break,
            () = &mut over => break,
        }
    }
    Ok(waited)
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
        poll_seconds: said.poll_seconds,
        clock_ahead_ms: said.clock_ms.map_or(0, |it| ahead_ms(it, now)),
    };
    let keep_every_ms = report.poll_seconds.saturating_mul(1000 * KEEP_EVERY_POLLS);
    let news = gateway.report.as_ref().is_none_or(|it| {
        let same = (&it.version, it.generation, &it.refused, it.poll_seconds)
            == (&report.version, report.generation, &report.refused, report.poll_seconds);
        let same_clock = it.clock_ahead_ms.abs_diff(report.clock_ahead_ms) < CLOCK_MS_MIN.unsigned_abs();
        let is_due = now.abs_diff(it.at_ms) >= keep_every_ms;
        !same || !same_clock || is_due || (it.records_behind == 0) != (report.records_behind == 0)
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

/// How far a gateway's clock is before this server's.
fn ahead_ms(clock_ms: u64, now_ms: u64) -> i64 {
    let signed = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    let ahead = signed(clock_ms).saturating_sub(signed(now_ms));
    if ahead.unsigned_abs() < CLOCK_MS_MIN.unsigned_abs() { 0 } else { ahead }
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text.retain(|it| it == '\n' || !it.is_control());
    text
}
