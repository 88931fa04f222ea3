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

pub(super) use self::count::Count;
pub(super) use self::counts::catch_up;
pub(super) use self::feed::{FeedQuery, newest};
pub(super) use self::overview::{NamedCount, Overview, OverviewQuery, Period, Step, over};
pub(super) use self::precision::{Precision, all as precisions};
pub(super) use self::record::{RecordDetail, RecordView};
pub(super) use self::records::{RecordPage, RecordQuery, detail, found};
pub(super) use self::review::{Judgement, NewReview, QueueQuery, Reviewed, decided, queue};
pub(super) use self::sessions::{SessionQuery, SessionView, recent};
pub(super) use self::verification::{Verification, all as verifications, begun as verification_begun};

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
