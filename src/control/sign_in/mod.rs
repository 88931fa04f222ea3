//! Signing in and out: sessions in the store, opaque cookies, and the ways to get one.

mod local;
mod password;
mod session;
mod setup;

pub(super) use self::local::{Credentials, authenticate};
pub(super) use self::password::{hash_password, password_mistake};
pub(super) use self::session::{Session, begin, end_sessions, of_cookie, sign_out};

use super::http::Route;

pub(super) use self::setup::{FirstOwner, first_owner, is_needed, setup_token};

pub(super) fn routes() -> Vec<Route> {
    [local::routes(), session::routes(), setup::routes()].into_iter().flatten().collect()
}
