//! What whoever runs the server asks it: whether it lives, and whether it can do its work.

use axum::extract::State;

use super::Problem;
use super::http::{Access, Route, page};
use super::server::Control;

const REASON: Access = Access::Open("it tells nothing but that the server answers");

pub(super) fn routes() -> Vec<Route> {
    vec![
        page("health.lives", "/healthz", REASON, lives).says("Whether the process answers"),
        page("health.ready", "/readyz", REASON, ready).says("Whether its store answers, too"),
    ]
}

async fn lives() -> &'static str {
    "ok\n"
}

async fn ready(State(control): State<Control>) -> Result<&'static str, Problem> {
    control.shelf.answers().await?;
    Ok("ready\n")
}
