//! What was found, over the records of all gateways: search, export, verification, counts over time, sessions, the live
//! feed and what waits for review. Nobody sees beyond their reach, and nothing here holds a secret.

mod count;
mod counts;
mod export;
pub(super) mod feed;
pub(super) mod overview;
mod paging;
pub(super) mod precision;
pub(super) mod record;
pub(super) mod records;
pub(super) mod review;
mod scope;
pub(super) mod sessions;
mod suggestion;
pub(super) mod verification;

use super::http::Route;

pub(super) use self::counts::catch_up;

pub(super) fn routes() -> Vec<Route> {
    [
        records::routes(),
        export::routes(),
        verification::routes(),
        overview::routes(),
        sessions::routes(),
        feed::routes(),
        review::routes(),
        precision::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
