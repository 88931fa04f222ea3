//! Alerts against scripted receivers on loopback: what arrives, how often, and what happens when nobody takes it.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unreachable_pub)]

mod channels;
mod command;
mod mail;
mod memory;
mod receiver;
mod records;
mod worth;
