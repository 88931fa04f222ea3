//! The page about a refusal.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};

use super::forms::sentence;
use super::layout::drawn;
use crate::control::{Problem, ProblemKind, problem};

#[derive(Template)]
#[template(path = "problem.html")]
struct Refusal<'a> {
    status: u16,
    title: &'static str,
    detail: String,
    mistakes: &'a [String],
}

/// The page; who is not signed in is led to where that is done, and back.
pub(in crate::control) fn page(refusal: &Problem, asked: &str) -> Response {
    if refusal.kind == ProblemKind::Unauthenticated {
        let back = serde_html_form::to_string([("back", asked)]).unwrap_or_default();
        return Redirect::to(&format!("/sign-in?{back}")).into_response();
    }
    let template = Refusal {
        status: refusal.kind.status(),
        title: title(refusal.kind),
        detail: sentence(&refusal.detail),
        mistakes: &refusal.mistakes,
    };
    let html = drawn(&template).unwrap_or_else(|problem| problem.detail);
    problem::page(refusal, html)
}

fn title(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Unreadable => "That could not be read",
        ProblemKind::Unauthenticated => "Sign in first",
        ProblemKind::Forbidden => "Not for you",
        ProblemKind::NotFound => "Nothing here",
        ProblemKind::NoSuchMethod => "Not in this way",
        ProblemKind::Conflict => "Not as things stand",
        ProblemKind::TooLarge => "Too large",
        ProblemKind::Invalid => "That cannot be done",
        ProblemKind::TooOften => "Too often",
        ProblemKind::Unavailable => "Not at the moment",
        ProblemKind::Internal => "Our mistake",
    }
}
