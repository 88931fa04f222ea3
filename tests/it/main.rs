//! The gateway over real sockets, between a scripted provider and scripted clients, all on loopback.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub)]

mod binary;
mod certificate;
mod client;
mod connections;
#[cfg(feature = "control")]
mod control;
#[cfg(feature = "control")]
mod embedded;
mod failover;
mod front;
mod gateway;
mod hold;
mod limits;
mod operations;
#[path = "../support/postgres.rs"]
mod postgres;
mod program;
mod provider;
mod recording;
mod reload;
#[cfg(feature = "control")]
#[allow(dead_code, reason = "the tests of the control plane use all of it")]
#[path = "../control/server.rs"]
mod server;
mod socket;
mod sockets;
mod stream;
mod take_over;
mod tls;
