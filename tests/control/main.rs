//! The control plane over HTTP, as programs and people use it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

#[path = "../it/certificate.rs"]
mod certificate;
mod chain;
mod gateways;
mod https;
mod ingest;
mod master_key;
mod matrix;
mod oidc;
mod openapi;
mod over_postgres;
mod overview;
mod people;
mod policies;
#[path = "../support/postgres.rs"]
mod postgres;
mod quarantine;
mod records;
mod review;
mod rules;
#[cfg(feature = "saml")]
mod saml;
mod server;
mod teams;
