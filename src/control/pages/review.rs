//! What waits for a person: right, wrong, or not what the rule looks for. Judgements make each rule's precision.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::forms::{Mistakes, given};
use super::layout::{Said, Shell, again, on_to, shown};
use crate::control::Problem;
use crate::control::findings::{
    Judgement, NewReview, Precision, QueueQuery, RecordView, Reviewed, decided, precisions, queue,
};
use crate::control::http::{Form, Granted, Path, Query, Route, page, submit};
use crate::control::roles::Permission;
use crate::control::server::Control;

#[derive(Template)]
#[template(path = "review.html")]
struct ReviewPage {
    shell: Shell,
    records: Vec<RecordView>,
    next: Option<String>,
    precisions: Vec<Precision>,
    /// The exceptions that a false positive suggests.
    suggested: Option<Reviewed>,
    writes: bool,
    mistakes: Mistakes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    cursor: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    note: String,
    judgement: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission as P;
    vec![
        page("pages.review", "/review", P::Review, list).says("What waits for review"),
        submit("pages.judge", "/review/{id}", P::Review, judge).says("Decides over one record"),
    ]
}

async fn list(
    State(control): State<Control>,
    granted: Granted,
    Query(asked): Query<Asked>,
    Query(said): Query<Said>,
) -> Result<Response, Problem> {
    let mut template = draw(&control, &granted, given(&asked.cursor)).await?;
    template.shell = template.shell.after(&said);
    shown(&template)
}

async fn draw(control: &Control, granted: &Granted, cursor: Option<String>) -> Result<ReviewPage, Problem> {
    let queue = queue(control, granted, QueueQuery { team: None, cursor }).await?;
    Ok(ReviewPage {
        shell: Shell::of(control, granted, "Review", "/review"),
        records: queue.records,
        next: queue.next,
        precisions: precisions(control, granted).await?,
        suggested: None,
        writes: granted.reach_of(Permission::WritePolicies).is_some(),
        mistakes: Mistakes::default(),
    })
}

async fn judge(
    State(control): State<Control>,
    granted: Granted,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    let decided = match judgement(&typed.judgement) {
        Ok(judgement) => {
            let note = typed.note.trim().to_owned();
            decided(&control, &granted, &id, NewReview { judgement, note }).await
        }
        Err(problem) => Err(problem),
    };
    match decided {
        Ok(reviewed) if reviewed.exceptions.as_ref().is_some_and(|it| !it.is_empty()) => {
            shown(&ReviewPage { suggested: Some(reviewed), ..draw(&control, &granted, None).await? })
        }
        Ok(_) => on_to("/review", "judged"),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &ReviewPage { mistakes, ..draw(&control, &granted, None).await? })
        }
    }
}

fn judgement(typed: &str) -> Result<Judgement, Problem> {
    let all = [Judgement::Approve, Judgement::Reject, Judgement::FalsePositive];
    let found = all.into_iter().find(|it| it.name() == typed);
    found.ok_or_else(|| Problem::invalid("choose one of the three judgements"))
}

fn percent(share: &f64) -> u64 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u64
}
