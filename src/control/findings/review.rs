//! What waits for review: exchanges whose policy asks a person, until somebody has decided.

use std::collections::BTreeSet;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::paging::{self, Seen, cursor, searchable};
use super::record::{RecordView, rules};
use super::scope::Scope;
use super::{precision, records, suggestion};
use crate::control::http::{Body, Granted, Json, Path, Query, Route, get, post};
use crate::control::quarantine::text_mistake;
use crate::control::roles::Permission;
use crate::control::server::Control;
use crate::control::shelf::{Batch, Stored};
use crate::control::time::DAY_MS;
use crate::control::{Problem, ProblemKind};
use crate::store::{self, Exchange};

const ROWS_MAX: usize = 50;
/// Judgements of rules are counted with others at the same time: so often it is tried.
const TRIES_MAX: usize = 4;
/// Rules that one judgement is counted for.
const RULES_MAX: usize = 50;
const KEPT_MS: u64 = 400 * DAY_MS;

/// What somebody has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Judgement {
    /// It was found rightly, and may stand.
    Approve,
    /// It was found rightly, and should not have passed.
    Reject,
    /// It is not what the rules look for.
    FalsePositive,
}

impl Judgement {
    /// The name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Judgement::Approve => "approve",
            Judgement::Reject => "reject",
            Judgement::FalsePositive => "false_positive",
        }
    }
}

/// A decision over one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Review {
    /// The record's id.
    pub(crate) record: String,
    /// Its team.
    pub(crate) team: String,
    /// What was decided.
    pub(crate) judgement: Judgement,
    /// Why.
    pub(crate) note: String,
    /// Who decided.
    pub(crate) by: String,
    /// When, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// The rules that had found something.
    pub(crate) rules: Vec<String>,
}

impl Stored for Review {
    const KIND: &'static str = "review";

    fn id(&self) -> &str {
        &self.record
    }

    fn parent(&self) -> Option<String> {
        Some(self.team.clone())
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.at_ms.saturating_add(KEPT_MS))
    }
}

/// A decision to be taken.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReview {
    /// What is decided.
    pub(crate) judgement: Judgement,
    /// Why.
    pub(crate) note: String,
}

/// What came of a decision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Reviewed {
    /// The decision.
    #[serde(flatten)]
    pub(crate) review: Review,
    /// Of a false positive: entries for `exceptions:` of the policy, with an end in 30 days.
    pub(crate) exceptions: Option<String>,
}

/// Which part of the queue.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueQuery {
    /// Of this team.
    #[serde(default)]
    pub(crate) team: Option<String>,
    /// Go on behind the page that gave this.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

/// A page of what waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Queue {
    /// Exchanges that nobody has decided over yet, the newest first.
    pub(crate) records: Vec<RecordView>,
    /// For the next page; absent at the end.
    pub(crate) next: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("reviews.queue", "/api/v1/reviews", Permission::Review, list)
            .says("Exchanges that wait for review, the newest first")
            .asks::<QueueQuery>()
            .answers::<Queue>(),
        post("reviews.decide", "/api/v1/reviews/{id}", Permission::Review, decide)
            .says("Approves, rejects, or marks a false positive")
            .takes::<NewReview>()
            .answers::<Reviewed>(),
    ]
}

async fn list(
    State(control): State<Control>,
    granted: Granted,
    Query(query): Query<QueueQuery>,
) -> Result<Json<Queue>, Problem> {
    Ok(Json(queue(&control, &granted, query).await?))
}

/// What waits within reach.
pub(crate) async fn queue(control: &Control, granted: &Granted, query: QueueQuery) -> Result<Queue, Problem> {
    let scope = Scope::of(control, granted).await?;
    let asked = store::Query {
        team: searchable("team", query.team)?,
        kind: Some("exchange".to_owned()),
        action: Some("review".to_owned()),
        before: query.cursor.as_deref().map(paging::position).transpose()?,
        ..store::Query::default()
    };
    let page = paging::page(control, &scope, &asked, ROWS_MAX, |_| true).await?;
    let mut records = Vec::new();
    for seen in &page.records {
        if control.shelf.get::<Review>(&seen.record.id).await?.is_none() {
            records.push(RecordView::of(seen));
        }
    }
    Ok(Queue { records, next: page.next.as_ref().map(cursor) })
}

async fn decide(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Body(new): Body<NewReview>,
) -> Result<Json<Reviewed>, Problem> {
    Ok(Json(decided(&control, &granted, &id, new).await?))
}

/// Decides over one record within reach.
pub(crate) async fn decided(
    control: &Control,
    granted: &Granted,
    id: &str,
    new: NewReview,
) -> Result<Reviewed, Problem> {
    text_mistake("note", &new.note)?;
    let scope = Scope::of(control, granted).await?;
    let seen = records::by_id(control, granted, &scope, id).await?;
    let Some(exchange) = waits(&seen) else {
        return Err(Problem::conflict("this record does not wait for review"));
    };
    let mut rules = rules(exchange);
    rules.truncate(RULES_MAX);
    let review = Review {
        record: seen.record.id.clone(),
        team: exchange.team.clone(),
        judgement: new.judgement,
        note: new.note,
        by: granted.actor.name(),
        at_ms: control.shelf.now_ms(),
        rules,
    };
    commit(control, &review).await?;
    control.acts.changed(&granted.actor, "review.decided", &review.record, None, Some(&review));
    let is_false = new.judgement == Judgement::FalsePositive;
    Ok(Reviewed { exceptions: is_false.then(|| suggested(exchange, &review)), review })
}

/// The exchange, where a person is asked about it.
fn waits(seen: &Seen) -> Option<&Exchange> {
    seen.exchange().filter(|it| it.action == "review")
}

/// Keeps the decision and counts it for its rules, both or neither. Of two who decide at once, one does.
async fn commit(control: &Control, review: &Review) -> Result<(), Problem> {
    let is_right = review.judgement != Judgement::FalsePositive;
    for _ in 0..TRIES_MAX {
        if let Some(before) = control.shelf.get::<Review>(&review.record).await? {
            let (judgement, by) = (before.judgement.name(), &before.by);
            return Err(Problem::conflict(format!("{by} has decided before: {judgement}")));
        }
        let batch = Batch::default().insert(review);
        let batch = precision::judge(control, batch, &review.team, &review.rules, is_right).await?;
        match control.shelf.commit(batch).await {
            Err(problem) if problem.kind == ProblemKind::Conflict => {}
            done => return done,
        }
    }
    Err(Problem::new(ProblemKind::Unavailable, "others decide at this moment; try again"))
}

fn suggested(exchange: &Exchange, review: &Review) -> String {
    let found = exchange.outbound.findings.iter().chain(&exchange.inbound.findings);
    let found = found.filter(|it| it.exception.is_none()).map(|it| (it.rule.clone(), it.source.clone()));
    let found: Vec<_> = found.collect::<BTreeSet<_>>().into_iter().take(RULES_MAX).collect();
    suggestion::exceptions(&found, &review.team, &review.record, &review.by, &review.note, review.at_ms)
}
