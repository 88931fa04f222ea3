//! Whether the chains of all gateways are what they wrote: long work behind the request, with a document that tells how
//! far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::Problem;
use crate::control::gateways::Gateway;
use crate::control::http::{Created, Granted, Json, Path, Route, get, post};
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::shelf::{Kept, Stored};
use crate::control::time::{DAY_MS, MINUTE_MS};
use crate::store::{Listing, StoreError, Verdict, verify_stored_telling};

/// Between two notes of how far it is.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// Without a note for so long, the server that worked on it is gone.
const LOST_AFTER_MS: u64 = MINUTE_MS;
const KEPT_MS: u64 = 90 * DAY_MS;
const FAULTS_MAX: usize = 200;
const LISTED_MAX: usize = 50;
const RUNNING: &str = "running";

/// One run over all chains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Verification {
    /// Its id.
    pub(crate) id: String,
    /// `running`, `done`, `failed`, or `lost`: the server that worked on it was stopped.
    pub(crate) state: String,
    /// Who asked for it.
    pub(crate) by: String,
    /// Unix milliseconds.
    pub(crate) started_ms: u64,
    /// When this was last brought up to date, Unix milliseconds.
    pub(crate) told_ms: u64,
    /// Records that were read so far.
    pub(crate) rows: u64,
    /// Gateways whose chains were read to the end.
    pub(crate) chains: Vec<Chain>,
    /// Gateways that are still to be read.
    pub(crate) waiting: u64,
    /// What is wrong, at most 200.
    pub(crate) faults: Vec<String>,
    /// What is wrong beyond these.
    pub(crate) faults_omitted: u64,
}

/// What came of one gateway's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "VerifiedChain")]
pub(crate) struct Chain {
    /// The gateway.
    pub(crate) gateway: String,
    /// Its records.
    pub(crate) rows: u64,
    /// Signed checkpoints among them.
    pub(crate) checkpoints: u64,
    /// What is wrong with it.
    pub(crate) faults: u64,
    /// Whether its signatures were compared with the key that it enrolled with.
    pub(crate) enrolled_key: bool,
}

impl Stored for Verification {
    const KIND: &'static str = "verification";

    fn id(&self) -> &str {
        &self.id
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.started_ms.saturating_add(KEPT_MS))
    }
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("audit.verify", "/api/v1/audit/verifications", Permission::VerifyAudit, start)
            .says("Begins to verify the chains of all gateways")
            .makes::<Verification>(),
        get("audit.verifications", "/api/v1/audit/verifications", Permission::VerifyAudit, list)
            .says("Verifications, the newest first")
            .answers::<Vec<Verification>>(),
        get("audit.verification", "/api/v1/audit/verifications/{id}", Permission::VerifyAudit, read)
            .says("How far a verification is, and what it has found")
            .answers::<Verification>(),
    ]
}

async fn start(State(control): State<Control>, granted: Granted) -> Result<Created<Verification>, Problem> {
    Ok(Created(begun(&control, &granted).await?))
}

/// Begins a verification, where none runs.
pub(crate) async fn begun(control: &Control, granted: &Granted) -> Result<Verification, Problem> {
    if let Some(running) = all(control).await?.into_iter().find(|it| it.state == RUNNING) {
        return Err(Problem::conflict(format!("the verification {} is still running", running.id)));
    }
    let gateways = control.records.gateways().await?;
    let enrolled = control.shelf.all::<Gateway>().await?;
    let now_ms = control.shelf.now_ms();
    let verification = Verification {
        id: control.new_id(),
        state: RUNNING.to_owned(),
        by: granted.actor.name(),
        started_ms: now_ms,
        told_ms: now_ms,
        rows: 0,
        chains: Vec::new(),
        waiting: gateways.len() as u64,
        faults: Vec::new(),
        faults_omitted: 0,
    };
    control.shelf.insert(&verification).await?;
    control.acts.note(&granted.actor, "audit.verification_started", [("id", verification.id.clone())]);
    let kept = control.shelf.need::<Verification>(&verification.id).await?;
    tokio::spawn(run(control.clone(), kept, gateways, enrolled));
    Ok(verification)
}

async fn list(State(control): State<Control>, _: Granted) -> Result<Json<Vec<Verification>>, Problem> {
    Ok(Json(all(&control).await?))
}

/// Verifications, the newest first.
pub(crate) async fn all(control: &Control) -> Result<Vec<Verification>, Problem> {
    let listing = Listing { newest_first: true, rows_max: LISTED_MAX, ..Listing::default() };
    let kept = control.shelf.list::<Verification>(listing).await?;
    Ok(kept.into_iter().map(|it| seen(control, it.value)).collect())
}

async fn read(
    State(control): State<Control>,
    _: Granted,
    Path(id): Path<String>,
) -> Result<Json<Verification>, Problem> {
    let kept = control.shelf.need::<Verification>(&id).await?;
    Ok(Json(seen(&control, kept.value)))
}

fn seen(control: &Control, mut it: Verification) -> Verification {
    if it.state == RUNNING && control.shelf.now_ms() > it.told_ms.saturating_add(LOST_AFTER_MS) {
        it.state = "lost".to_owned();
    }
    it
}

async fn run(control: Control, mut kept: Kept<Verification>, gateways: Vec<String>, enrolled: Vec<Kept<Gateway>>) {
    let mut end = "done";
    for gateway in gateways {
        let key = enrolled.iter().find(|it| it.name == gateway).map(|it| it.audit_key.clone());
        if let Err(problem) = chain(&control, &mut kept, &gateway, key).await {
            kept.value.faults.push(format!("{gateway}: {}", problem.detail));
            end = "failed";
            break;
        }
    }
    kept.value.state = end.to_owned();
    tell(&control, &mut kept).await;
    let faults = kept.faults.len() as u64 + kept.faults_omitted;
    let details = [("id", kept.id.clone()), ("state", end.to_owned()), ("faults", faults.to_string())];
    control.acts.note(&crate::control::http::Actor::server(), "audit.verified", details);
}

/// Verifies one chain, with the key that its gateway enrolled with, and tells how far it is meanwhile.
async fn chain(
    control: &Control,
    kept: &mut Kept<Verification>,
    gateway: &str,
    key: Option<String>,
) -> Result<(), Problem> {
    let enrolled_key = key.is_some();
    let (rows, before) = (Arc::new(AtomicU64::new(0)), kept.rows);
    let work = {
        let (control, gateway, rows) = (control.clone(), gateway.to_owned(), rows.clone());
        async move {
            let told = |read: u64| rows.store(read, Ordering::Relaxed);
            verify_stored_telling(&*control.records, &gateway, key, told).await
        }
    };
    let mut work = std::pin::pin!(work);
    let verifier = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(TELL_INTERVAL) => {
                kept.value.rows = before + rows.load(Ordering::Relaxed);
                tell(control, kept).await;
            }
        }
    };
    let verdict = verifier.map_err(|error: StoreError| Problem::from(error))?.verdict();
    add(&mut kept.value, before, gateway, enrolled_key, verdict);
    tell(control, kept).await;
    Ok(())
}

fn add(it: &mut Verification, before: u64, gateway: &str, enrolled_key: bool, verdict: Verdict) {
    it.rows = before + verdict.rows;
    it.waiting = it.waiting.saturating_sub(1);
    let faults = verdict.faults.len() as u64 + verdict.faults_omitted;
    let (rows, checkpoints) = (verdict.rows, verdict.checkpoints);
    it.chains.push(Chain { gateway: gateway.to_owned(), rows, checkpoints, faults, enrolled_key });
    let room = FAULTS_MAX.saturating_sub(it.faults.len());
    let named = verdict.faults.len().min(room) as u64;
    it.faults.extend(verdict.faults.into_iter().take(room).map(|it| it.to_string()));
    it.faults_omitted += faults - named;
}

/// Writes down how far it is. Where that fails, the next time tells all of it.
async fn tell(control: &Control, kept: &mut Kept<Verification>) {
    kept.value.told_ms = control.shelf.now_ms();
    match control.shelf.update(kept).await {
        Ok(()) => kept.version += 1,
        Err(problem) => tracing::warn!(what = problem.detail, "the progress of a verification could not be kept"),
    }
}
