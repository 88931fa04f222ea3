//! The audit log on its way to real and scripted receivers. rsyslog is the real one: Debian packages `rsyslog` and
//! `rsyslog-openssl`, which `.ci/install test` brings.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collector;
mod document;
mod endpoint;
mod file;
mod records;
mod rsyslog;
mod syslog;
