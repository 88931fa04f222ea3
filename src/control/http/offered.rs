//! Every route and who may call it, for documents and tests: the same list that the router and the guard are made from.

use super::route::{Access, Surface};
use crate::control::roles::Permission;
use crate::control::server;

/// A route.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Unique: `teams.list`.
    pub id: &'static str,
    /// `GET`, …
    pub method: &'static str,
    /// With `{name}` for what varies.
    pub path: &'static str,
    /// Who may call it.
    pub to: Whom,
    /// Whether it is a page or a page's form, and not a part of the API.
    pub is_page: bool,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Everyone, for this reason.
    Everyone(&'static str),
    /// Everyone who is signed in.
    SignedIn,
    /// Gateways that are enrolled.
    Gateways,
    /// Whose roles have the permission.
    With(Permission),
}

/// Every route there is.
pub fn offered() -> Vec<Offered> {
    let of = |route: super::route::Route| {
        let it = route.operation;
        let to = match it.access {
            Access::Open(reason) => Whom::Everyone(reason),
            Access::SignedIn => Whom::SignedIn,
            Access::Gateway => Whom::Gateways,
            Access::May(permission) => Whom::With(permission),
        };
        Offered { id: it.id, method: it.method, path: it.path, to, is_page: it.surface == Surface::Page }
    };
    server::routes().into_iter().map(of).collect()
}
