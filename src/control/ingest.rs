//! Records of gateways on their arrival: whose they are, whether they follow what is there, and whether the marks in them
//! are the gateway's own. What does not fit is refused; what is there already is passed over.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gateways::{Arrival, Gateway};
use super::http::{Access, Actor, Body, Granted, Json, Route, get, post};
use super::server::Control;
use super::shelf::Kept;
use super::time::{DAY_MS, HOUR_MS};
use super::{Problem, ProblemKind, quarantine};
use crate::store::{Columns, Entry, Head, Link, Mark, Query, Record, Row, Subject, Verifier};

/// Most entries of one shipment.
const ENTRIES_MAX: usize = 1000;
/// Largest number of an entry, and latest time, that every database holds; the year 9000.
const NUMBER_MAX: u64 = i64::MAX as u64 - 1;
const WRITTEN_MS_MAX: u64 = 221_845_392_000_000;
/// How often one gateway's refusals are written down.
const NOTE_EVERY_MS: u64 = HOUR_MS;

/// Records, in the order of the chain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Shipment {
    /// At most 1000.
    entries: Vec<Shipped>,
    /// Where nothing has arrived yet: the gateway's word for what its chain begins behind.
    #[serde(default)]
    start: Option<SignedMark>,
    /// Whether what stands between the last record that has arrived and these is lost for good.
    #[serde(default)]
    lost: bool,
}

/// One record.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shipped {
    /// The hash over the hash before it and the body: 64 hex digits.
    hash: String,
    /// The record's JSON, byte for byte.
    body: String,
    /// Encrypted text that belongs to it, base64.
    #[serde(default)]
    sealed: Option<String>,
}

/// A gateway's signed word for an entry of its chain, and thereby for all before it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedMark {
    /// The entry's number.
    sequence: u64,
    /// Its hash, 64 hex digits.
    hash: String,
    /// When it was signed, Unix milliseconds.
    signed_ms: u64,
    /// The Ed25519 public key, hex.
    key: String,
    /// The Ed25519 signature, hex.
    signature: String,
}

/// How far the chain of a gateway has arrived.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Arrived {
    /// Number of the newest record that is here; 0: none.
    sequence: u64,
    /// Its hash, hex.
    hash: String,
}

impl Arrived {
    fn of(head: Option<Head>) -> Arrived {
        let head = head.unwrap_or(Head { sequence: 0, hash: Link::FIRST });
        Arrived { sequence: head.sequence, hash: head.hash.to_string() }
    }
}

/// Why a shipment is not taken.
enum Unfit {
    /// It does not begin where the last one ended. The gateway sends again what is missing.
    Gap(String),
    /// It can never be taken.
    Broken(String),
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("ingest.arrived", "/api/v1/ingest", Access::Gateway, arrived)
            .says("How far the records of the gateway that asks have arrived")
            .answers::<Arrived>(),
        post("ingest.ship", "/api/v1/ingest", Access::Gateway, ship)
            .says("Takes records of a gateway; a conflict where some are missing before them")
            .takes::<Shipment>()
            .answers::<Arrived>(),
    ]
}

async fn arrived(State(control): State<Control>, granted: Granted) -> Result<Json<Arrived>, Problem> {
    let gateway = control.shelf.need::<Gateway>(granted.gateway()?).await?;
    Ok(Json(Arrived::of(control.records.head(&gateway.name).await?)))
}

async fn ship(
    State(control): State<Control>,
    granted: Granted,
    Body(shipment): Body<Shipment>,
) -> Result<Json<Arrived>, Problem> {
    let gateway = control.shelf.need::<Gateway>(granted.gateway()?).await?;
    let Shipment { entries, start, lost } = shipment;
    let name = gateway.name.clone();
    let sent = beside(move || sent(&name, &entries)).await??;
    let head = taken(&control, &granted.actor, gateway, sent, start, lost).await?;
    Ok(Json(Arrived::of(head)))
}

/// Off the threads that serve: megabytes of records are read and hashed.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Problem::new(ProblemKind::Internal, "the records could not be read; the log says more"))
}

/// Takes what follows; how far the chain has arrived then.
async fn taken(
    control: &Control,
    actor: &Actor,
    gateway: Kept<Gateway>,
    sent: Vec<Sent>,
    start: Option<SignedMark>,
    lost: bool,
) -> Result<Option<Head>, Problem> {
    let head = control.records.head(&gateway.name).await?;
    let start = start.filter(|_| head.is_none()).map(|it| it.mark());
    let fitting = {
        let (gateway, start) = (gateway.value.clone(), start.clone());
        beside(move || fitting(&gateway, head, start.as_ref(), lost, sent)).await?
    };
    let (new, lost) = match fitting {
        Ok(it) => it,
        Err(Unfit::Gap(what)) => return Err(Problem::conflict(what)),
        Err(Unfit::Broken(what)) => {
            refused(control, actor, gateway, &what).await?;
            return Err(Problem::invalid(what));
        }
    };
    let Some(last) = new.last().map(|it| it.entry.head()) else { return Ok(head) };
    if let Some(mark) = &start {
        // Kept as the mark of what expired is: verification begins behind it.
        control.records.expire(&gateway.name, mark).await?;
        let details = [("gateway", gateway.name.clone()), ("behind", mark.sequence.to_string())];
        control.acts.note(actor, "ingest.begun", details);
    }
    // Before the records are kept: what fails here is sent again with them, and what was done twice is done once.
    let clock_ahead_ms = gateway.report.as_ref().map_or(0, |it| it.clock_ahead_ms);
    for it in &new {
        if let Subject::Act(act) = &it.record.subject {
            quarantine::reported(control, &gateway.name, clock_ahead_ms, act).await?;
        }
    }
    let entries: Vec<Entry> = new.into_iter().map(|it| it.entry).collect();
    control.records.append(&entries).await?;
    if let Some((from, to)) = lost {
        let details = [("gateway", gateway.name.clone()), ("from", from.to_string()), ("to", to.to_string())];
        control.acts.note(actor, "ingest.lost", details);
    }
    mended(control, gateway).await?;
    Ok(Some(last))
}

/// What of it is new, once it is proven to follow, and which records before it are lost.
type Fitting = (Vec<Sent>, Option<(u64, u64)>);

fn fitting(
    gateway: &Gateway,
    head: Option<Head>,
    start: Option<&Mark>,
    lost: bool,
    mut sent: Vec<Sent>,
) -> Result<Fitting, Unfit> {
    let broken = |what: &str| Unfit::Broken(what.to_owned());
    let mut behind = head.unwrap_or(Head { sequence: 0, hash: Link::FIRST });
    if let Some(mark) = start {
        if !mark.holds(&gateway.name) || mark.key != gateway.audit_key || mark.sequence >= NUMBER_MAX {
            return Err(broken("what the chain begins behind is not signed with the key of this gateway"));
        }
        let hash = mark.hash.parse().map_err(|()| broken("what the chain begins behind has no hash"))?;
        behind = Head { sequence: mark.sequence, hash };
    }
    if sent.iter().any(|it| it.entry.sequence == behind.sequence && it.entry.hash != behind.hash) {
        return Err(broken("another record of this number has arrived before: this is another chain of the same name"));
    }
    sent.retain(|it| it.entry.sequence > behind.sequence);
    let Some(first) = sent.first().map(|it| it.entry.sequence) else { return Ok((sent, None)) };
    let missing = (first > behind.sequence + 1).then(|| (behind.sequence + 1, first - 1));
    if let (Some((from, to)), false) = (missing, lost) {
        return Err(Unfit::Gap(format!("records {from} to {to} have not arrived")));
    }
    let mut verifier = Verifier::new(&gateway.name, Some(gateway.audit_key.clone()), None);
    if missing.is_none() {
        verifier.begin_behind(behind);
    }
    let mut rows = sent.iter();
    if missing.is_some() {
        // Its hash stands on one that is lost: what follows is proven from it on.
        verifier.begin_behind(rows.next().map_or(behind, |it| it.entry.head()));
    }
    for Sent { entry, record } in rows {
        verifier.row(&Row { entry: entry.clone(), columns: Columns::of(record) });
    }
    match verifier.verdict().faults.first() {
        Some(fault) => Err(Unfit::Broken(format!("record {}: {}", fault.sequence, fault.what))),
        None => Ok((sent, missing)),
    }
}

/// An entry of a shipment, and what stands in it.
struct Sent {
    entry: Entry,
    record: Record,
}

/// The entries of a shipment, as far as each can be read by itself.
fn sent(name: &str, shipped: &[Shipped]) -> Result<Vec<Sent>, Problem> {
    if shipped.len() > ENTRIES_MAX {
        return Err(Problem::new(ProblemKind::TooLarge, format!("more than {ENTRIES_MAX} records")));
    }
    let name: Arc<str> = name.into();
    let mut sent: Vec<Sent> = Vec::with_capacity(shipped.len());
    for it in shipped {
        let record: Record = serde_json::from_str(&it.body)
            .map_err(|error| Problem::invalid(format!("a body is no record: {error}")))?;
        let number = record.sequence;
        let wrong = |what: &str| Problem::invalid(format!("record {number}: {what}"));
        if record.version != Record::VERSION {
            return Err(wrong("it is of a version that this server does not know"));
        }
        if *record.gateway != *name {
            return Err(wrong("it is another gateway's"));
        }
        if number == 0 || number > NUMBER_MAX || record.written_ms > WRITTEN_MS_MAX {
            return Err(wrong("its number or its time is out of bounds"));
        }
        if sent.last().is_some_and(|it| it.entry.sequence + 1 != number) {
            return Err(wrong("it does not follow the one before it"));
        }
        let decoded = it.sealed.as_ref().map(|text| STANDARD.decode(text)).transpose();
        let entry = Entry {
            gateway: name.clone(),
            sequence: number,
            written_ms: record.written_ms,
            hash: it.hash.parse().map_err(|()| wrong("its hash is not a hash"))?,
            body: it.body.as_str().into(),
            sealed: decoded.map_err(|_| wrong("its sealed text is no base64"))?.map(Arc::from),
        };
        sent.push(Sent { entry, record });
    }
    Ok(sent)
}

impl SignedMark {
    fn mark(&self) -> Mark {
        Mark {
            sequence: self.sequence,
            hash: self.hash.clone(),
            signed_ms: self.signed_ms,
            key: self.key.clone(),
            signature: self.signature.clone(),
        }
    }
}

/// Whether the gateway that applies is the one whose records of this name are here already, if there are any: nobody else
/// may add to its chain.
pub(super) async fn need_owner(
    control: &Control,
    name: &str,
    audit_key: &str,
    proof: Option<&SignedMark>,
) -> Result<(), Problem> {
    if !control.records.gateways().await?.iter().any(|it| it == name) {
        return Ok(());
    }
    let last =
        Query { gateway: Some(name.to_owned()), kind: Some("checkpoint".to_owned()), rows_max: 1, ..Query::default() };
    let found = control.records.search(&last).await?;
    let mark = match found.first().and_then(|it| it.record().ok()).map(|it| it.subject) {
        Some(Subject::Checkpoint(mark)) => Some(mark),
        _ => control.records.mark(name).await?,
    };
    let proof = proof.map(SignedMark::mark);
    let holds = proof.is_some_and(|it| it.sequence == 0 && it.key == audit_key && it.holds(name));
    match mark.is_some_and(|it| it.key == audit_key) && holds {
        true => Ok(()),
        false => Err(Problem::conflict(format!(
            "records of a gateway `{name}` are here, and this one does not prove to be the same: give it another folder"
        ))),
    }
}

/// Notes with the gateway that its records are refused, and writes it down now and then.
async fn refused(control: &Control, actor: &Actor, mut gateway: Kept<Gateway>, what: &str) -> Result<(), Problem> {
    let now = control.shelf.now_ms();
    let noted = gateway.arrival.as_ref().is_some_and(|it| now.saturating_sub(it.refused_ms) < NOTE_EVERY_MS);
    if noted {
        return Ok(());
    }
    let name = gateway.name.clone();
    gateway.value.arrival = Some(Arrival { refused_ms: now, refused: what.to_owned() });
    keep(control, &gateway).await?;
    tracing::error!(gateway = name, what, "records of a gateway are refused");
    control.acts.note(actor, "ingest.refused", [("gateway", name), ("why", what.to_owned())]);
    Ok(())
}

/// Records arrive again.
async fn mended(control: &Control, mut gateway: Kept<Gateway>) -> Result<(), Problem> {
    match gateway.value.arrival.take() {
        Some(_) => keep(control, &gateway).await,
        None => Ok(()),
    }
}

async fn keep(control: &Control, gateway: &Kept<Gateway>) -> Result<(), Problem> {
    match control.shelf.update(gateway).await {
        // A poll of the same gateway was kept at the same moment: the next shipment says it again.
        Err(problem) if problem.kind == ProblemKind::Conflict => Ok(()),
        other => other,
    }
}

/// Removes records that are older than they are to be. A chain is cut at a checkpoint, behind which the gateway's own
/// signature stands in the place of what went: no word of this server is needed to verify the rest.
pub(super) async fn expire(control: &Control) -> Result<u64, Problem> {
    let days = u64::from(control.settings.retention_days);
    if days == 0 {
        return Ok(0);
    }
    let before_ms = control.shelf.now_ms().saturating_sub(days * DAY_MS);
    let mut removed = 0;
    for gateway in control.records.gateways().await? {
        let last = Query {
            gateway: Some(gateway.clone()),
            kind: Some("checkpoint".to_owned()),
            until_ms: Some(before_ms),
            rows_max: 1,
            ..Query::default()
        };
        let found = control.records.search(&last).await?;
        let Some(Subject::Checkpoint(mark)) = found.first().and_then(|it| it.record().ok()).map(|it| it.subject) else {
            continue;
        };
        let before = control.records.mark(&gateway).await?;
        if mark.holds(&gateway) && before.is_none_or(|it| it.sequence < mark.sequence) {
            removed += control.records.expire(&gateway, &mark).await?;
        }
    }
    Ok(removed)
}
