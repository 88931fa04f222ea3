//! The dashboard: pages for people over the same functions as the API.

mod account;
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

use super::http::Route;

/// The page about a refusal; who is not signed in is led to where that is done, and back.
pub(super) use self::refusal::page as problem;

pub(super) fn routes() -> Vec<Route> {
    [
        account::routes(),
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
