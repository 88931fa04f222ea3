//! The gateway over real sockets, between a scripted provider and scripted clients, all on loopback.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

mod binary;
mod client;
mod connections;
mod gateway;
mod hold;
mod operations;
mod provider;
mod stream;
mod tls;
