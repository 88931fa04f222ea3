//! Routes: each says who may call it, what it takes and what it gives. The router, the description of the API and the
//! matrix of roles are made from the same list.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::control::roles::Permission;
use crate::control::server::Control;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone, for the reason given.
    Open(&'static str),
    /// Everyone who is signed in, about their own account.
    SignedIn,
    /// Gateways that are enrolled.
    Gateway,
    /// Whose roles have the permission; the handler heeds how far.
    May(Permission),
}

impl From<Permission> for Access {
    fn from(permission: Permission) -> Self {
        Access::May(permission)
    }
}

/// For programs or for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// JSON, described by the API's document.
    Api,
    /// HTML.
    Page,
}

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What is to be said about a route.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Unique: `teams.list`.
    pub(crate) id: &'static str,
    /// `GET`, …
    pub(crate) method: &'static str,
    /// With `{name}` for what varies.
    pub(crate) path: &'static str,
    /// Who may call it.
    pub(crate) access: Access,
    /// Whom it is for.
    pub(crate) surface: Surface,
    /// Whether forms of other sites may be sent to it.
    pub(crate) is_from_elsewhere: bool,
    pub(super) summary: &'static str,
    pub(super) takes: Option<SchemaOf>,
    pub(super) asks: Option<SchemaOf>,
    pub(super) gives: Option<SchemaOf>,
    /// Whether what it gives was made by it.
    pub(super) makes: bool,
    /// The type of what it gives, where that is no JSON.
    pub(super) kind: Option<&'static str>,
}

/// A route and what answers on it.
pub(crate) struct Route {
    pub(crate) operation: Operation,
    pub(super) router: MethodRouter<Control>,
}

impl Route {
    /// One sentence on what it does.
    pub(crate) fn says(mut self, summary: &'static str) -> Self {
        self.operation.summary = summary;
        self
    }

    /// The JSON body it takes.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.operation.takes = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// What may stand behind the `?`.
    pub(crate) fn asks<T: JsonSchema>(mut self) -> Self {
        self.operation.asks = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The JSON it answers with.
    pub(crate) fn answers<T: JsonSchema>(mut self) -> Self {
        self.operation.gives = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It answers with something that is no JSON.
    pub(crate) fn answers_as(mut self, kind: &'static str) -> Self {
        self.operation.kind = Some(kind);
        self
    }

    /// Forms of other sites may be sent to it. No cookie of the request is looked at, so that nothing rests on one.
    #[cfg(feature = "saml")]
    pub(crate) fn taken_from_other_sites(mut self) -> Self {
        self.operation.is_from_elsewhere = true;
        self
    }

    /// The JSON of what it has made.
    pub(crate) fn makes<T: JsonSchema>(mut self) -> Self {
        self.operation.makes = true;
        self.answers::<T>()
    }
}

type Parts = (&'static str, MethodFilter);

fn route<H, T>(
    parts: Parts,
    surface: Surface,
    id: &'static str,
    path: &'static str,
    access: Access,
    handler: H,
) -> Route
where
    H: Handler<T, Control>,
    T: 'static,
{
    let (method, filter) = parts;
    let operation = Operation {
        id,
        method,
        path,
        access,
        surface,
        is_from_elsewhere: false,
        summary: "",
        takes: None,
        asks: None,
        gives: None,
        makes: false,
        kind: None,
    };
    Route { operation, router: on(filter, handler) }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident: $method:literal $filter:ident $surface:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name<H, T>(id: &'static str, path: &'static str, access: impl Into<Access>, handler: H) -> Route
        where
            H: Handler<T, Control>,
            T: 'static,
        {
            route(($method, MethodFilter::$filter), Surface::$surface, id, path, access.into(), handler)
        }
    )*};
}

verbs! {
    /// A `GET` of the API.
    get: "GET" GET Api;
    /// A `POST` of the API.
    post: "POST" POST Api;
    /// A `PUT` of the API.
    put: "PUT" PUT Api;
    /// A `PATCH` of the API.
    patch: "PATCH" PATCH Api;
    /// A `DELETE` of the API.
    delete: "DELETE" DELETE Api;
    /// A page.
    page: "GET" GET Page;
    /// A form of a page.
    submit: "POST" POST Page;
}
