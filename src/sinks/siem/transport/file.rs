//! Lines appended to a file, for a collector on the same machine.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::task::spawn_blocking;

use super::super::Message;
use super::Transport;
use crate::sinks::Failure;

/// Files that are kept beside the one that is written: `path.1` is the newest of them.
const OLD_FILES: u32 = 9;

pub(super) struct File {
    path: PathBuf,
    bytes_max: u64,
    /// Nothing while a thread has it, also after a write that was given up.
    lines: Option<Lines>,
}

/// The file, moved to a thread that may block and back.
struct Lines {
    path: PathBuf,
    bytes_max: u64,
    open: Option<fs::File>,
}

impl File {
    pub(super) fn new(path: &str, bytes_max: u64) -> Self {
        File { path: PathBuf::from(path), bytes_max, lines: None }
    }
}

#[async_trait]
impl Transport for File {
    async fn send(&mut self, messages: &[Message], _now_ms: u64) -> Result<(), Failure> {
        let begin = || Lines { path: self.path.clone(), bytes_max: self.bytes_max, open: None };
        let mut lines = self.lines.take().unwrap_or_else(begin);
        let text: String = messages.iter().flat_map(|it| [it.text.as_str(), "\n"]).collect();
        let written = spawn_blocking(move || {
            let result = lines.append(text.as_bytes());
            (lines, result)
        });
        let (lines, result) = written.await.map_err(|_| Failure::later("the write was given up"))?;
        self.lines = Some(lines);
        result.map_err(|error| Failure::later(format!("the file cannot be written: {error}")))
    }
}

impl Lines {
    /// All of the text or none of it, on disk when this returns.
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        if !self.is_at_its_path() {
            self.open = None;
        }
        if let Some(open) = &self.open {
            let length = open.metadata()?.len();
            if length > 0 && length.saturating_add(text.len() as u64) > self.bytes_max {
                self.open = None;
                rotate(&self.path)?;
            }
        }
        let file = match self.open.take() {
            Some(file) => file,
            None => create(&self.path)?,
        };
        let file = self.open.insert(file);
        let before = file.metadata()?.len();
        let written = file.write_all(text).and_then(|()| file.sync_data());
        if written.is_err() {
            // A line is whole or not there at all, also on a full disk.
            file.set_len(before)?;
        }
        written
    }

    /// Whether the open file is still the one of that name: others move it away to rotate it.
    fn is_at_its_path(&self) -> bool {
        let same = |file: &fs::File| {
            let (open, named) = (file.metadata().ok()?, fs::metadata(&self.path).ok()?);
            Some((open.dev(), open.ino()) == (named.dev(), named.ino()))
        };
        self.open.as_ref().and_then(same).unwrap_or(false)
    }
}

/// Readable by the owner alone.
fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// `path` becomes `path.1`, that one `path.2`; the oldest is gone.
fn rotate(path: &Path) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..OLD_FILES).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}
