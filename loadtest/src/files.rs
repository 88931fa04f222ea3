//! Files as text, read up to a limit and written with the folders they need.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest configuration or report that is read.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The text of a file of at most 16 MiB. The error names the file.
pub fn text(path: &Path) -> io::Result<String> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(named)?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(named)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(named(io::Error::other("longer than 16 MiB")));
    }
    Ok(text)
}

/// Writes a file and the folders above it. The error names the file.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(named)?;
    }
    std::fs::write(path, text).map_err(named)
}
