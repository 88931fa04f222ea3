//! The gateway as a library: rooms from pure words at the bottom to sockets at the top (see `docs/ARCHITECTURE.md`).
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod checkers;
pub mod config;
pub mod domain;
pub mod pipeline;
pub mod policy;
pub mod providers;
pub mod scan;
pub mod wire;

#[cfg(feature = "control")]
pub mod control;
#[cfg(feature = "serve")]
pub mod edge;
#[cfg(feature = "audit")]
pub mod sinks;
#[cfg(feature = "audit")]
pub mod store;
