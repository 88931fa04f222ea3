//! Faults between gateway and provider and between client and gateway, and what holds after each of them.
//!
//! Each test is one table: its rows are suffered by one gateway process, one after the other, and after each row nothing
//! may have leaked, panicked or stayed open, the exchange is recorded, and the next request works.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub, dead_code)]

mod client;
mod frames;
mod http2;
#[path = "../it/program.rs"]
mod program;
mod provider;
mod stage;
mod step;
mod strange;

use stage::{Fault, Stage};

/// Plays a table on a gateway of its own.
fn check(faults: Vec<Fault>) {
    let mut stage = Stage::start();
    let mut wrong = Vec::new();
    println!("| fault | the client saw | recorded | holds |\n|---|---|---|---|");
    for (row, fault) in faults.iter().enumerate() {
        if row == faults.len() / 2 {
            stage.weigh();
        }
        let seen = stage.suffer(fault);
        let holds = if seen.wrong.is_empty() { "yes" } else { "no" };
        println!("| {} | {} | {} | {holds} |", seen.name, seen.status, seen.opened);
        wrong.extend(seen.wrong.into_iter().map(|it| format!("{}: {it}", seen.name)));
    }
    wrong.extend(stage.end());
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), faults.len(), wrong.join("\n"));
}

#[test]
fn a_provider_that_breaks_off() {
    check(provider::breaks());
}

#[test]
fn a_provider_that_answers_strangely() {
    check(strange::answers());
}

#[test]
fn a_client_that_breaks_off() {
    check(client::breaks());
}

#[test]
fn a_client_that_asks_strangely() {
    check(client::strange());
}

#[test]
fn a_client_that_breaks_http2() {
    check(http2::faults());
}
