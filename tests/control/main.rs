//! The control plane over HTTP, as programs and people use it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

mod oidc;
mod openapi;
mod people;
#[cfg(feature = "saml")]
mod saml;
mod gateways;
mod ingest;
mod policies;
mod rules;
mod server;
mod teams;
