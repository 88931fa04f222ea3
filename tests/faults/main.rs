//! Faults between gateway and provider and between client and gateway, and what holds after each of them.
//!
//! Each test is one table: its rows are suffered by one gateway process, one after the other, and after each row nothing
//! may have leaked, panicked or stayed open, the exchange is recorded, and the next request works.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub, dead_code)]

#[path = "../it/certificate.rs"]
mod certificate;
mod client;
mod frames;
mod http2;
#[path = "../it/program.rs"]
mod program;
mod provider;
mod provider_http2;
mod stage;
mod step;
mod strange;
mod tls;

use stage::{Fault, Stage, Wire};

/// Plays a table on a gateway of its own.
fn check(wire: Wire, faults: Vec<Fault>) {
    let mut stage = Stage::start(wire, faults.len());
    let mut wrong = Vec::new();
    println!("| fault | the client saw | recorded | holds |\n|---|---|---|---|");
    for (row, fault) in faults.iter().enumerate() {
        if row == faults.len() / 2 {
            stage.weigh();
        }
        let seen = stage.suffer(row, fault);
        let holds = if seen.wrong.is_empty() { "yes" } else { "no" };
        println!("| {} | {} | {} | {holds} |", seen.name, seen.status, seen.opened);
        wrong.extend(seen.wrong.into_iter().map(|it| format!("{}: {it}", seen.name)));
    }
    wrong.extend(stage.end());
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

#[test]
fn a_provider_that_breaks_off() {
    check(Wire::Http1, provider::breaks());
}

#[test]
fn a_provider_that_answers_strangely() {
    check(Wire::Http1, strange::answers());
}

#[test]
fn a_client_that_breaks_off() {
    check(Wire::Http1, client::breaks());
}

#[test]
fn a_client_that_asks_strangely() {
    check(Wire::Http1, client::strange());
}

#[test]
fn a_client_that_breaks_http2() {
    check(Wire::Http1, http2::faults());
}

#[test]
fn a_provider_that_breaks_http2() {
    check(Wire::Http2, provider_http2::faults());
}
