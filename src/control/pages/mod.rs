//! The dashboard: pages for people over the same functions as the API.

pub(crate) mod assets;
mod audit;
mod chart;
mod forms;
mod gateways;
mod layout;
mod overview;
mod providers;
mod refusal;
mod review;
mod sessions;
mod settings;
mod setup;
mod show;
mod sign_in;
mod start;
mod teams;
mod texts;
mod tokens;
mod trial;
mod users;
mod verify;

use axum::response::Response;

use super::Problem;
use super::http::Route;
use super::server::Control;

pub(super) fn routes() -> Vec<Route> {
    [
        assets::routes(),
        audit::routes(),
        gateways::routes(),
        overview::routes(),
        providers::routes(),
        review::routes(),
        sessions::routes(),
        settings::routes(),
        setup::routes(),
        sign_in::routes(),
        start::routes(),
        teams::routes(),
        texts::routes(),
        tokens::routes(),
        users::routes(),
        verify::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The page about a refusal; who is not signed in is led to where that is done, and back.
pub(super) async fn problem(_: &Control, refusal: &Problem, asked: &str) -> Response {
    refusal::page(refusal, asked)
}
