//! Command-line flags that take the place of settings, checked as the file is.

use super::mistake::{Mistake, Mistakes};
use super::parse::{HOST, LOG_LEVELS};
use super::{File, units};
use crate::domain::Checker;

/// The flags as they were typed; what is absent leaves the file's setting alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--host`
    pub host: Option<String>,
    /// `--port`
    pub port: Option<u16>,
    /// `--log-level`, or `LOG_LEVEL`.
    pub log_level: Option<String>,
    /// `--outbound-checks a,b`, or repeated; empty when absent. Teams that name their own checkers keep them.
    pub outbound_checks: Vec<String>,
    /// `--inbound-checks a,b`, or repeated; empty when absent.
    pub inbound_checks: Vec<String>,
    /// `--no-tls`
    pub no_tls: bool,
}

impl Overrides {
    /// Puts the flags in the place of the settings. `Err` holds every flag that is wrong; `file` is then unchanged.
    pub fn apply(&self, file: &mut File, known_checkers: &[&str]) -> Result<(), Mistakes> {
        let mut mistakes = Vec::new();
        let mut changed = file.clone();
        if let Some(host) = &self.host {
            if !units::host(host) {
                let what = format!("`{}` is no address to listen on", host.escape_debug());
                mistakes.push(Mistake::new("--host", None, what).expected(HOST));
            }
            changed.host.clone_from(host);
        }
        changed.port = self.port.unwrap_or(changed.port);
        if let Some(name) = &self.log_level {
            let name = name.to_ascii_lowercase();
            match LOG_LEVELS.iter().find(|(it, _)| *it == name) {
                Some((_, level)) => changed.log_level = *level,
                None => {
                    let what = format!("`{}` is no log level", name.escape_debug());
                    mistakes.push(Mistake::new("--log-level", None, what).one_of(&name, &LOG_LEVELS.map(|it| it.0)));
                }
            }
        }
        let checks = [
            ("--outbound-checks", &self.outbound_checks, &mut changed.checks.outbound),
            ("--inbound-checks", &self.inbound_checks, &mut changed.checks.inbound),
        ];
        for (flag, names, checkers) in checks {
            if !names.is_empty() {
                *checkers = read_checkers(flag, names, known_checkers, &mut mistakes);
            }
        }
        if self.no_tls {
            changed.tls = None;
        }
        if mistakes.is_empty() {
            *file = changed;
            return Ok(());
        }
        Err(Mistakes { origin: "the command line".to_owned(), items: mistakes })
    }
}

/// Checkers from names with commas between, in their first order, each once.
fn read_checkers(flag: &str, names: &[String], known: &[&str], mistakes: &mut Vec<Mistake>) -> Vec<Checker> {
    let mut checkers: Vec<Checker> = Vec::new();
    for name in names.iter().flat_map(|it| it.split(',')).map(str::trim).filter(|it| !it.is_empty()) {
        let checker = Checker::new(name);
        if !known.contains(&name) {
            let what = format!("there is no checker `{}`", name.escape_debug());
            mistakes.push(Mistake::new(flag, None, what).one_of(name, known));
        } else if !checkers.contains(&checker) {
            checkers.push(checker);
        }
    }
    checkers
}
