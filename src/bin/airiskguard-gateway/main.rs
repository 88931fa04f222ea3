//! The gateway: serves by default; `check`, `scan`, `rules`, `fingerprint`, `audit`, `alerts`, `quarantine`,
//! `enroll`, `keygen` and `connect` beside it.
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

#[cfg(feature = "audit")]
mod alerts;
mod arguments;
#[cfg(feature = "audit")]
mod audit;
mod configuration;
mod connect;
#[cfg(all(feature = "serve", feature = "control"))]
mod embedded;
#[cfg(all(feature = "serve", not(feature = "control")))]
#[path = "embedded_not.rs"]
mod embedded;
#[cfg(feature = "control")]
mod enroll;
mod fingerprint;
#[cfg(feature = "serve")]
mod governed;
mod keygen;
#[cfg(feature = "serve")]
mod quarantine;
#[cfg(any(feature = "serve", all(test, feature = "audit")))]
mod quarantined;
#[cfg(feature = "serve")]
mod recording;
#[cfg(feature = "audit")]
mod records;
#[cfg(feature = "serve")]
mod reload;
mod rules;
mod scan;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod spent;
#[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "only who serves looks at files again"))]
mod watched;

use std::io::{self, Write};
use std::process::ExitCode;

use airiskguard_gateway::config::{Overrides, explain};
use clap::Parser;

use crate::arguments::{Arguments, Command, Config};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What was asked for could not be done. Wrong usage is 2, as clap has it.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let done = match arguments.command {
        #[cfg(feature = "serve")]
        None => {
            drop(out);
            serve::run(&arguments.serve).map(|()| 0)
        }
        #[cfg(not(feature = "serve"))]
        None => Err("this program was built without the feature `serve`: only its commands are there".to_owned()),
        Some(Command::Check { config }) => check(&config).and_then(|text| print(&mut out, &text)),
        Some(Command::Scan(scan)) => scan::run(&scan, &mut io::BufWriter::new(out)),
        #[cfg(feature = "audit")]
        Some(Command::Alerts(command)) => alerts::run(&command, &mut out),
        Some(Command::Rules(command)) => rules::run(&command, &mut out),
        Some(Command::Fingerprint(fingerprint)) => fingerprint::run(&fingerprint, &mut out),
        #[cfg(feature = "audit")]
        Some(Command::Audit(command)) => audit::run(&command, &mut out),
        #[cfg(feature = "serve")]
        Some(Command::Quarantine(command)) => quarantine::run(&command, &mut out),
        #[cfg(feature = "control")]
        Some(Command::Enroll(command)) => enroll::run(&command).and_then(|text| print(&mut out, &text)),
        Some(Command::Keygen { team }) => keygen::lines(&team).and_then(|text| print(&mut out, &text)),
        Some(Command::Connect { client, url, key }) => print(&mut out, &connect::lines(client, &url, key.as_deref())),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            // Nothing is left to do about a closed standard error.
            let _ = writeln!(io::stderr(), "{}", message.trim_end());
            ExitCode::from(FAILED)
        }
    }
}

fn print(out: &mut dyn Write, text: &str) -> Result<u8, String> {
    match writeln!(out, "{}", text.trim_end()) {
        // Who reads only the first lines, as `head` does, has what they want.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(0),
    }
}

/// What the configuration does, with what is doubtful in it in front.
fn check(config: &Config) -> Result<String, String> {
    let (file, warnings) = configuration::load(config.file.path(), &overrides(config))?;
    let snapshot = configuration::compile(&file)?;
    let known = snapshot.engine().known().map_or_else(String::new, |it| {
        format!("  known secrets: {} fingerprints, {} of them canaries\n", it.secrets() + it.canaries(), it.canaries())
    });
    Ok(format!("{warnings}{}{known}", explain(&file)))
}

/// The checkers of these arguments in place of the file's.
fn overrides(config: &Config) -> Overrides {
    Overrides {
        outbound_checks: config.outbound_checks.clone(),
        inbound_checks: config.inbound_checks.clone(),
        ..Overrides::default()
    }
}
