//! Records of a process that has handed its journal over and still ends its last exchanges: a file of its own, which the
//! process that has the journal reads, chains, and removes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::directory::write_whole;
use super::record::Subject;

/// Bytes that are read at a time; a longer record is read alone.
const READ_BYTES_MAX: u64 = 4 << 20;
/// Longest line: a record with its sealed text.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Files that are looked at; there is one for each process that still drains.
const FILES_MAX: usize = 64;
/// Extension of these files.
const RECORDS: &str = "records";
/// Extension of the file that says how much of one was chained.
const DONE: &str = "done";

/// One of them.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The id of the record.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// Its sealed text, Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl Left {
    /// With this sealed text.
    pub fn new(id: String, subject: Subject, sealed: Option<&[u8]>) -> Left {
        Left { id, subject, sealed: sealed.map(|it| STANDARD.encode(it)) }
    }

    /// The sealed text.
    pub fn sealed(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.sealed.as_ref()?).ok()
    }
}

/// The file of the process that writes.
pub struct LeftWriter {
    file: File,
    /// Bytes that are safely on disk.
    length: u64,
}

impl LeftWriter {
    /// Begins one in the gateway's folder; `name` is like no other's. It stays locked as long as this lives.
    ///
    /// # Errors
    /// A folder or file that cannot be made.
    pub fn begin(directory: &Path, name: &str) -> io::Result<LeftWriter> {
        let folder = folder(directory);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let path = folder.join(name).with_extension(RECORDS);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path)?;
        file.lock()?;
        File::open(&folder)?.sync_all()?;
        Ok(LeftWriter { file, length: 0 })
    }

    /// Writes them; when it returns they are on disk. After an error nothing is, and it can be tried again.
    ///
    /// # Errors
    /// A disk that is full, gone or broken.
    pub fn write(&mut self, records: &[Left]) -> io::Result<()> {
        let mut lines = Vec::new();
        for it in records {
            serde_json::to_writer(&mut lines, it)?;
            lines.push(b'\n');
        }
        self.file.set_len(self.length)?;
        self.file.write_all(&lines)?;
        self.file.sync_data()?;
        self.length += lines.len() as u64;
        Ok(())
    }
}

/// Such a file, as the process reads it that has the journal.
pub struct LeftReader {
    path: PathBuf,
    file: File,
    /// Up to here all was chained.
    done: u64,
    /// Up to here all was read.
    read: u64,
}

impl LeftReader {
    /// Those in the gateway's folder, oldest first.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn all(directory: &Path) -> io::Result<Vec<LeftReader>> {
        let files = match std::fs::read_dir(folder(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut paths: Vec<PathBuf> = files.flatten().map(|it| it.path()).collect();
        paths.retain(|it| it.extension().is_some_and(|it| it == RECORDS));
        paths.sort();
        paths.truncate(FILES_MAX);
        paths.into_iter().map(LeftReader::open).collect()
    }

    fn open(path: PathBuf) -> io::Result<LeftReader> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let mut text = String::new();
        let kept = File::open(path.with_extension(DONE));
        #[expect(clippy::disallowed_methods, reason = "behind `Read::take`")]
        let done = match kept.and_then(|it| it.take(32).read_to_string(&mut text)) {
            Ok(_) => text.trim().parse().unwrap_or(0),
            Err(_) => 0,
        };
        Ok(LeftReader { path, file, done, read: done })
    }

    /// The records behind those that were chained, as far as they are whole; none at the end. What is no record is an
    /// error of the kind `InvalidData`, and passed over.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn unchained(&mut self) -> io::Result<Vec<Left>> {
        let mut bytes = Vec::new();
        for limit in [READ_BYTES_MAX, LINE_BYTES_MAX] {
            bytes.clear();
            self.file.seek(SeekFrom::Start(self.done))?;
            #[expect(clippy::disallowed_methods, reason = "behind `Read::take`")]
            (&self.file).take(limit).read_to_end(&mut bytes)?;
            if bytes.contains(&b'\n') || (bytes.len() as u64) < limit {
                break;
            }
        }
        let whole = bytes.iter().rposition(|it| *it == b'\n').map_or(0, |at| at + 1);
        self.read = self.done + whole as u64;
        let lines = bytes[..whole].split(|it| *it == b'\n').filter(|it| !it.is_empty());
        let (records, broken): (Vec<_>, Vec<_>) = lines.map(serde_json::from_slice).partition(Result::is_ok);
        if !broken.is_empty() {
            tracing::error!(file = %self.path.display(), lines = broken.len(), "no records: they are passed over");
        }
        Ok(records.into_iter().flatten().collect())
    }

    /// What [`LeftReader::unchained`] gave is in the journal, and on disk.
    ///
    /// # Errors
    /// That could not be noted: after a restart the same would be chained again.
    pub fn chained(&mut self) -> io::Result<()> {
        self.done = self.read;
        write_whole(&self.path.with_extension(DONE), self.done.to_string().as_bytes())
    }

    /// Removes it if nobody writes to it any more and all of it was chained; whether it did. What follows the last whole
    /// record then is half a line of a process that was killed: an exchange that had not ended for its client.
    ///
    /// # Errors
    /// A file that cannot be read or removed.
    pub fn remove_if_over(&mut self) -> io::Result<bool> {
        if self.file.try_lock().is_err() {
            return Ok(false);
        }
        // Looked at again now that nobody can add to it.
        let over = self.unchained()?.is_empty();
        if over {
            std::fs::remove_file(&self.path)?;
            match std::fs::remove_file(self.path.with_extension(DONE)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file.unlock()?;
        Ok(over)
    }
}

fn folder(directory: &Path) -> PathBuf {
    directory.join("left")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Act;

    fn record(id: &str) -> Left {
        let act = Act { act: "gateway.tested".into(), actor: "gateway".into(), ..Act::default() };
        Left::new(id.into(), Subject::Act(act), Some(b"sealed"))
    }

    #[test]
    fn records_come_out_as_they_went_in_once_each_and_the_file_goes_with_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LeftReader::all(folder.path()).unwrap().is_empty());
        let mut writer = LeftWriter::begin(folder.path(), "1-1").unwrap();
        writer.write(&[record("a"), record("b")]).unwrap();
        let mut reader = LeftReader::all(folder.path()).unwrap().remove(0);
        let read = reader.unchained().unwrap();
        assert_eq!(read, [record("a"), record("b")]);
        assert_eq!(read[0].sealed().unwrap(), b"sealed");
        assert_eq!(reader.unchained().unwrap().len(), 2, "not chained yet");
        reader.chained().unwrap();
        assert!(reader.unchained().unwrap().is_empty());
        assert!(!reader.remove_if_over().unwrap(), "its writer lives");
        writer.write(&[record("c")]).unwrap();
        let mut again = LeftReader::all(folder.path()).unwrap().remove(0);
        assert_eq!(again.unchained().unwrap(), [record("c")], "what was chained is not read again after a restart");
        drop(writer);
        assert!(!again.remove_if_over().unwrap(), "one record is not chained");
        again.chained().unwrap();
        assert!(again.remove_if_over().unwrap());
        assert_eq!(std::fs::read_dir(folder.path().join("left")).unwrap().count(), 0);
    }

    #[test]
    fn half_a_line_waits_for_its_rest_and_is_none_when_its_writer_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = LeftWriter::begin(folder.path(), "1-1").unwrap();
        writer.write(&[record("a")]).unwrap();
        writer.file.write_all(b"{\"id\":\"b\"").unwrap();
        let mut reader = LeftReader::all(folder.path()).unwrap().remove(0);
        assert_eq!(reader.unchained().unwrap(), [record("a")]);
        reader.chained().unwrap();
        assert!(reader.unchained().unwrap().is_empty());
        writer.write(&[record("c")]).unwrap();
        assert_eq!(reader.unchained().unwrap(), [record("c")], "what a failed write left behind is gone");
        reader.chained().unwrap();
        writer.file.write_all(b"{\"id\":\"d\"").unwrap();
        drop(writer);
        assert!(reader.remove_if_over().unwrap());
    }
}
