//! The dashboard: pages for people over the same functions as the API.

use axum::response::{IntoResponse, Redirect, Response};

use super::http::Route;
use super::server::Control;
use super::{Problem, ProblemKind, problem};

pub(super) fn routes() -> Vec<Route> {
    Vec::new()
}

/// The page about a refusal; who is not signed in is led to where that is done, and back.
pub(super) async fn problem(_: &Control, refusal: &Problem, asked: &str) -> Response {
    if refusal.kind == ProblemKind::Unauthenticated {
        let back: String = form_urlencoded(asked);
        return Redirect::to(&format!("/sign-in?back={back}")).into_response();
    }
    problem::page(refusal, refusal.detail.clone())
}

fn form_urlencoded(text: &str) -> String {
    serde_html_form::to_string([("", text)]).unwrap_or_default().trim_start_matches('=').to_owned()
}
