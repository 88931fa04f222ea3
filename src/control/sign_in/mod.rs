//! Signing in and out: sessions in the store, opaque cookies, and the ways to get one.

mod arrive;
mod flow;
mod leave;
mod local;
mod oidc;
mod password;
#[cfg(feature = "saml")]
mod saml;
mod session;
mod settings;
mod setup;

pub(super) use self::flow::{Turnstile, safe_back};
pub(super) use self::leave::{SessionView, end_session, leave, own_sessions};
pub(super) use self::local::{Credentials, NewPassword, authenticate, renewed};
pub(super) use self::oidc::Providers;
pub(super) use self::password::{hash_password, password_mistake};
pub(super) use self::session::{end_sessions, of_cookie, own_session};
pub(super) use self::settings::read;
pub use self::settings::{Membership, Oidc, Saml};

use super::http::Route;
use super::server::Control;

pub(super) use self::setup::{FirstOwner, first_owner, is_needed, setup_token};

/// A way to sign in beside name and password: a link for the page of sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// What to call it.
    pub(super) name: String,
    /// Where the link leads; `?back=/path` behind it leads back there afterwards.
    pub(super) path: &'static str,
}

/// What lives as long as the server does.
#[derive(Default)]
pub(super) struct State {
    /// Sign-ins that are begun.
    pub(super) turnstile: Turnstile,
    /// Those that were refused, as far as they are written down.
    pub(super) refusals: Turnstile,
    pub(super) providers: Providers,
}

/// The ways there are beside name and password; `settings.local_sign_in()` says whether those hold.
pub(super) fn ways(control: &Control) -> Vec<Way> {
    let oidc = control.settings.oidc.as_ref().map(|it| Way { name: it.name.clone(), path: "/sign-in/oidc" });
    let saml = control.settings.saml.as_ref().map(|it| Way { name: it.name.clone(), path: "/sign-in/saml" });
    oidc.into_iter().chain(saml).collect()
}

pub(super) fn routes() -> Vec<Route> {
    let routes = [local::routes(), session::routes(), setup::routes(), leave::routes(), oidc::routes()];
    #[cfg(feature = "saml")]
    let routes = routes.into_iter().chain([saml::routes()]);
    routes.into_iter().flatten().collect()
}
