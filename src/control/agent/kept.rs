//! The last good bundle on disk: what a gateway starts with when its server is away.

use std::io;
use std::path::{Path, PathBuf};

use super::contact::ANSWER_BYTES_MAX;
use crate::control::bundle::Signed;
use crate::store::{read_whole, write_whole};

const FILE: &str = "bundle.json";

/// Keeps it. It is there whole or not at all.
pub(super) fn save(folder: &Path, signed: &Signed) -> Result<(), String> {
    let text = serde_json::to_vec(signed).map_err(|error| error.to_string())?;
    write_whole(&file(folder), &text).map_err(|error| format!("cannot write {}: {error}", file(folder).display()))
}

/// What was kept; `None` where nothing was.
pub(super) fn load(folder: &Path) -> Result<Option<Signed>, String> {
    let path = file(folder);
    match read_whole(&path, ANSWER_BYTES_MAX as u64) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| format!("{} is damaged", path.display())),
    }
}

/// Removes what was kept, if there is anything.
pub(super) fn forget(folder: &Path) {
    // What is not there need not go; what stays is another key's, and refused.
    drop(std::fs::remove_file(file(folder)));
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
