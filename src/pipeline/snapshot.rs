//! Everything a request needs, compiled and immutable.

use std::fmt;
use std::time::Duration;

use crate::config::{Dialect, File, Limits, UpstreamTimeouts, UpstreamUrl};

/// One provider as the data plane sees it.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub url: UpstreamUrl,
    /// What it speaks.
    pub dialect: Dialect,
    /// PEM file with its roots, if not the system's.
    pub ca_file: Option<String>,
    /// Its times.
    pub timeouts: UpstreamTimeouts,
}

/// The compiled configuration.
pub struct Snapshot {
    /// Sizes and times.
    pub limits: Limits,
    /// Deadline of the whole exchange.
    pub total_timeout: Duration,
}

/// Why a configuration cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError(pub String);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SnapshotError {}

impl Snapshot {
    /// Compiles a configuration with the built-in catalogue. `seed` keys placeholders and digests where the file names no key.
    pub fn compile(file: &File, _seed: [u8; 32]) -> Result<Self, SnapshotError> {
        Ok(Snapshot { limits: file.limits, total_timeout: file.limits.total_timeout })
    }
}
