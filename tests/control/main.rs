//! The control plane over HTTP, as programs and people use it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

mod matrix;
mod oidc;
mod chain;
mod openapi;
mod overview;
mod people;
#[cfg(feature = "saml")]
mod saml;
mod gateways;
mod ingest;
mod policies;
mod quarantine;
mod records;
mod review;
mod rules;
mod server;
mod teams;
