//! Reads `gateway.yaml` with its environment and file references, and compiles it.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use airiskguard_gateway::config::{File, Overrides, Reading, Reference, Warnings};
use airiskguard_gateway::domain::{Checker, Stamp};
use airiskguard_gateway::pipeline::{Snapshot, custom_checkers};

use crate::watched::Watched;

/// What runs where no file is given: the seed's quick start.
const BUILT_IN: &str = include_str!("../../../conf/gateway.yaml");
/// Where a configuration is looked for without `--config`.
const USUAL_PATH: &str = "gateway.yaml";
/// Larger configuration and secret files are a mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Larger fingerprint files hold more than can be looked for.
const FINGERPRINTS_BYTES_MAX: u64 = airiskguard_gateway::scan::known::FILE_BYTES_MAX as u64;

/// The configuration of these arguments, with what is doubtful in it.
pub(crate) fn load(path: Option<&Path>, overrides: &Overrides) -> Result<(File, Warnings), String> {
    load_watched(path, overrides).0
}

/// The same, with the files that were read for it, also where it could not be used.
pub(crate) fn load_watched(path: Option<&Path>, overrides: &Overrides) -> (Result<(File, Warnings), String>, Watched) {
    let watched = RefCell::new(Watched::default());
    let loaded = load_noting(path, overrides, &watched);
    (loaded, watched.into_inner())
}

fn load_noting(
    path: Option<&Path>,
    overrides: &Overrides,
    watched: &RefCell<Watched>,
) -> Result<(File, Warnings), String> {
    let (text, origin) = text(path, watched)?;
    let resolve = |reference: &Reference| match reference {
        Reference::Environment(_) => resolve(reference),
        Reference::File(path) | Reference::Fingerprints(path) => {
            watched.borrow_mut().note(Path::new(path), || resolve(reference))
        }
    };
    let reading = Reading {
        origin: &origin,
        resolve: &resolve,
        known_checkers: &Checker::BUILT_IN,
        read_rules: &custom_checkers,
    };
    let (mut file, mut warnings) = reading.read(&text).map_err(|mistakes| mistakes.to_string())?;
    let before = file.clone();
    overrides.apply(&mut file, &before.known_checkers()).map_err(|mistakes| mistakes.to_string())?;
    warnings.items.extend(file.doubtful_at(now()));
    for path in file.upstreams.iter().filter_map(|it| it.ca_file.as_deref()) {
        // What is wrong with it is told where it is used.
        drop(watched.borrow_mut().note(Path::new(path), || read(Path::new(path)).map_err(|error| error.to_string())));
    }
    Ok((file, warnings))
}

/// Compiles it with a key of this process for placeholders, where the file gives none.
pub(crate) fn compile(file: &File) -> Result<Arc<Snapshot>, String> {
    let seed = seed().map_err(|error| format!("no random numbers to be had: {error}"))?;
    compile_with(file, seed)
}

/// Compiles it with the key of this installation.
pub(crate) fn compile_with(file: &File, installation: [u8; 32]) -> Result<Arc<Snapshot>, String> {
    Snapshot::compile(file, installation).map(Arc::new).map_err(|error| error.to_string())
}

/// The configuration's text and how messages name it.
fn text(path: Option<&Path>, watched: &RefCell<Watched>) -> Result<(String, String), String> {
    let usual = PathBuf::from(USUAL_PATH);
    let path = match path {
        Some(path) => path,
        None if usual.is_file() => &usual,
        None => return Ok((BUILT_IN.into(), "the built-in configuration".into())),
    };
    let read = || read(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
    let text = watched.borrow_mut().note(path, read)?;
    Ok((text, path.display().to_string()))
}

pub(crate) fn resolve(reference: &Reference) -> Result<String, String> {
    match reference {
        Reference::Environment(name) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the environment for the configuration"
            )]
            let value = std::env::var(name);
            value.map_err(|_| format!("the environment variable {name} is not set"))
        }
        Reference::File(path) => match read(Path::new(path)) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(format!("cannot read {path}: {error}")),
        },
        Reference::Fingerprints(path) => {
            read_within(Path::new(path), FINGERPRINTS_BYTES_MAX).map_err(|error| error.to_string())
        }
    }
}

/// A text file of bounded size.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    read_within(path, FILE_BYTES_MAX)
}

pub(crate) fn read_within(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    let mut text = String::new();
    let mut file = std::fs::File::open(path)?.take(bytes_max + 1);
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    file.read_to_string(&mut text)?;
    match text.len() as u64 > bytes_max {
        true => Err(std::io::Error::other(format!("larger than {bytes_max} bytes"))),
        false => Ok(text),
    }
}

/// This moment, for commands that have no exchange: which exceptions have expired.
pub(crate) fn now() -> Stamp {
    #[expect(clippy::disallowed_methods, reason = "the clock of the commands beside serving")]
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp { unix, ..Stamp::default() }
}

/// 32 bytes from the operating system.
pub(crate) fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}
