//! Whether the chains of all gateways are what they wrote.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::forms::Mistakes;
use super::layout::{Shell, again, on_to, shown};
use super::show;
use crate::control::Problem;
use crate::control::findings::{Verification, verification_begun, verifications};
use crate::control::http::{Granted, Route, page, submit};
use crate::control::roles::Permission;
use crate::control::server::Control;

#[derive(Template)]
#[template(path = "verify.html")]
struct Verify {
    shell: Shell,
    newest: Option<Verification>,
    older: Vec<Verification>,
    mistakes: Mistakes,
}

pub(super) fn routes() -> Vec<Route> {
    let permission = Permission::VerifyAudit;
    vec![
        page("pages.verify", "/verify", permission, list).says("Whether the audit log holds"),
        submit("pages.verifying", "/verify", permission, begin).says("Begins to verify all chains"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    shown(&draw(&control, &granted).await?)
}

async fn draw(control: &Control, granted: &Granted) -> Result<Verify, Problem> {
    let mut all = verifications(control).await?.into_iter();
    Ok(Verify {
        shell: Shell::of(control, granted, "Verify audit", "/verify"),
        newest: all.next(),
        older: all.collect(),
        mistakes: Mistakes::default(),
    })
}

async fn begin(State(control): State<Control>, granted: Granted) -> Result<Response, Problem> {
    match verification_begun(&control, &granted).await {
        Ok(_) => on_to("/verify", ""),
        Err(problem) => {
            let mistakes = Mistakes::of(&problem, &[])?;
            again(&problem, &Verify { mistakes, ..draw(&control, &granted).await? })
        }
    }
}

/// What a verification came to, as a word and its look.
fn verdict(it: &Verification) -> (&'static str, &'static str) {
    match it.state.as_str() {
        "running" => ("running", "is-waiting"),
        "done" if it.faults.is_empty() => ("holds", "is-good"),
        "done" => ("damaged", "is-bad"),
        "lost" => ("lost with its server", "is-waiting"),
        _ => ("failed", "is-bad"),
    }
}
