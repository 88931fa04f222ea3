//! The policy server: the control plane in a process of its own.

mod arguments;
mod recording;
mod start;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match start::run(&arguments::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to be told that nothing could be told.
            drop(writeln!(std::io::stderr(), "airiskguard-policy-server: {message}"));
            ExitCode::FAILURE
        }
    }
}
