//! The gateway's own folder: its name, its keys, its journal and the cursors of those who read it. One process at a time
//! may write there; another may wait until it is let in.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::entry::unhex;

/// Larger files in the folder's top level are none of ours.
const FILE_BYTES_MAX: u64 = 4096;
/// Between two tries to lock a file.
const TRY_EVERY: Duration = Duration::from_millis(20);
/// How long a lock that is only looked at may stay locked.
const NEXT_PATIENCE: Duration = Duration::from_secs(1);

/// A folder that one gateway at a time may use.
pub struct Directory {
    path: PathBuf,
    /// Locked as long as this lives; `None` for one who only looks, or has not been let in yet.
    lock: Option<Lock>,
}

/// The right to write in a folder, until it is dropped.
pub struct Lock {
    path: PathBuf,
    /// Locked by who writes.
    _file: File,
    /// Locked by who waits.
    next: File,
}

impl Lock {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another process waits for it.
    pub fn is_awaited(&self) -> bool {
        match self.next.try_lock() {
            // A file that could be locked could be unlocked.
            Ok(()) => self.next.unlock().is_err(),
            Err(error) => matches!(error, TryLockError::WouldBlock),
        }
    }
}

/// The keys of one installation. Each is 32 random bytes, made at the first start, in a file only its owner can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// What digests of prompts, completions and found values are made with, and placeholders where no other key is set.
    Installation,
    /// What marks are signed with.
    Signing,
    /// What full text is encrypted with.
    Text,
}

impl Key {
    fn file(self) -> &'static str {
        match self {
            Key::Installation => "installation.key",
            Key::Signing => "signing.key",
            Key::Text => "text.key",
        }
    }
}

impl Directory {
    /// Opens the folder, makes it where there is none, and locks it.
    ///
    /// # Errors
    /// A folder that cannot be made or written, or that another gateway uses; the text says what to do.
    pub fn open(path: &Path) -> Result<Directory, String> {
        let mut directory = Directory::prepare(path)?;
        let shown = path.display();
        let (file, next) = directory.lock_files()?;
        match file.try_lock() {
            Ok(()) => {
                directory.lock = Some(Lock { path: path.to_owned(), _file: file, next });
                Ok(directory)
            }
            Err(TryLockError::WouldBlock) => {
                Err(format!("another gateway uses the folder {shown}: give each gateway its own (audit.directory)"))
            }
            Err(TryLockError::Error(error)) => Err(format!("cannot lock the folder {shown}: {error}")),
        }
    }

    /// The folder for one who waits to be let in: it is made where there is none, and not locked.
    ///
    /// # Errors
    /// A folder that cannot be made, or that is another user's where this is root.
    pub fn prepare(path: &Path) -> Result<Directory, String> {
        if let (Ok(folder), Some(0)) = (std::fs::metadata(path), own_user()) {
            not_of_another(path, folder.uid())?;
        }
        for folder in [path, &path.join(KEYS), &path.join(CURSORS)] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| unusable(path, &error))?;
        }
        Ok(Directory { path: path.to_owned(), lock: None })
    }

    /// Locks it once the process that uses it lets go, which it does early for one who waits here. `ready` is called when
    /// the other one knows. Polls every 20 ms; for a start, not for the request path.
    ///
    /// # Errors
    /// Another process waits already, or the one that uses it does not let go within `patience`.
    pub fn take_over(&mut self, patience: Duration, ready: impl FnOnce()) -> Result<(), String> {
        let shown = self.path.display();
        let (file, next) = self.lock_files()?;
        // The other one looks by locking it for a moment, so that a first try may fail.
        if !try_for(&next, NEXT_PATIENCE) {
            return Err(format!("another gateway already waits for the folder {shown}"));
        }
        ready();
        if !try_for(&file, patience) {
            let seconds = patience.as_secs();
            return Err(format!("the gateway that uses the folder {shown} did not let go of it within {seconds} s"));
        }
        next.unlock().map_err(|error| unusable(&self.path, &error))?;
        self.lock = Some(Lock { path: self.path.clone(), _file: file, next });
        Ok(())
    }

    /// The right to write here, for who goes on writing.
    pub fn take_lock(&mut self) -> Option<Lock> {
        self.lock.take()
    }

    /// The files that are locked by who writes and by who waits.
    fn lock_files(&self) -> Result<(File, File), String> {
        let open = |name| {
            let file =
                OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.path.join(name));
            file.map_err(|error| unusable(&self.path, &error))
        };
        Ok((open("lock")?, open("lock.next")?))
    }

    /// For one who only reads, beside a gateway that runs or not; `None` where there is no such folder.
    pub fn look(path: &Path) -> Option<Directory> {
        path.join(KEYS).is_dir().then(|| Directory { path: path.to_owned(), lock: None })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the journal.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The file in which a reader of the journal keeps its place.
    pub fn cursor(&self, reader: &str) -> PathBuf {
        self.path.join(CURSORS).join(format!("{reader}.json"))
    }

    /// The gateway's name: it stays the same as long as the folder is there.
    ///
    /// # Errors
    /// A file that cannot be read or written, or that holds no name.
    pub fn gateway(&self) -> Result<Arc<str>, String> {
        let path = self.path.join("gateway.id");
        let made = || Ok(format!("gw-{}", hex(&random::<6>()?)));
        let name = self.kept(&path, made).map_err(|error| format!("{}: {error}", path.display()))?;
        let valid = !name.is_empty() && name.len() <= 64 && name.bytes().all(|it| it.is_ascii_graphic());
        match valid {
            true => Ok(name.into()),
            false => Err(format!("{}: holds no name of a gateway (1 to 64 visible characters)", path.display())),
        }
    }

    /// One of the keys, made where there is none yet.
    ///
    /// # Errors
    /// A file that cannot be read or written, that others can read, or that holds no key.
    pub fn key(&self, key: Key) -> Result<Zeroizing<[u8; 32]>, String> {
        let path = self.path.join(KEYS).join(key.file());
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let made = || Ok(hex(&random::<32>()?));
        let text = Zeroizing::new(self.kept(&path, made).map_err(|error| named(&error))?);
        let mode = std::fs::metadata(&path).map_err(|error| named(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(named(&"others can read this key: chmod 600"));
        }
        unhex(&text).map(Zeroizing::new).ok_or_else(|| named(&"holds no key (64 hex digits)"))
    }

    /// The line in a file, written first where the file is missing.
    fn kept(&self, path: &Path, made: impl FnOnce() -> io::Result<String>) -> io::Result<String> {
        match read_line(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let line = made()?;
        write_whole(path, format!("{line}\n").as_bytes())?;
        Ok(line)
    }
}

/// The number of the user whom this process runs as; `None` where there is no /proc to ask.
pub fn own_user() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|it| it.uid())
}

/// Root may write anywhere, and what it writes here could not be read by the service whose folder this is.
fn not_of_another(path: &Path, owner: u32) -> Result<(), String> {
    match owner {
        0 => Ok(()),
        _ => Err(format!(
            "the folder {} belongs to another user, who could not read what root writes there: run this as that one, \
             with `sudo -u '#{owner}'` before it",
            path.display()
        )),
    }
}

fn unusable(path: &Path, error: &io::Error) -> String {
    format!("cannot use the folder {} (audit.directory): {error}", path.display())
}

/// Tries to lock it again and again, for so long.
fn try_for(file: &File, patience: Duration) -> bool {
    let mut waited = Duration::ZERO;
    while file.try_lock().is_err() {
        if waited >= patience {
            return false;
        }
        #[expect(clippy::disallowed_methods, reason = "before the gateway serves, on the thread that starts it")]
        std::thread::sleep(TRY_EVERY);
        waited += TRY_EVERY;
    }
    true
}

const KEYS: &str = "keys";
const CURSORS: &str = "cursors";

fn read_line(path: &Path) -> io::Result<String> {
    Ok(read_whole(path, FILE_BYTES_MAX)?.trim_end().to_owned())
}

/// Writes a file that is there whole, or not at all, whenever the machine stops. Only its owner may read it.
///
/// # Errors
/// The system's.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The text of a file of at most so many bytes.
///
/// # Errors
/// The system's, and a larger file.
pub fn read_whole(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    match text.len() as u64 > bytes_max {
        true => Err(io::Error::other(format!("larger than {bytes_max} bytes"))),
        false => Ok(text),
    }
}

/// A new key: 32 bytes from the operating system.
///
/// # Errors
/// None to be had.
pub fn random_key() -> io::Result<[u8; 32]> {
    random()
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_keys_stay_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = Directory::open(&path).unwrap();
        let (name, keys) = (first.gateway().unwrap(), [Key::Installation, Key::Signing, Key::Text]);
        let made = keys.map(|key| first.key(key).unwrap());
        assert!(made[0] != made[1] && made[1] != made[2]);
        drop(first);
        let again = Directory::open(&path).unwrap();
        assert_eq!((again.gateway().unwrap(), keys.map(|key| again.key(key).unwrap())), (name, made));
    }

    #[test]
    fn a_second_gateway_is_told_to_use_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Directory::open(folder.path()).unwrap();
        let error = Directory::open(folder.path()).err().unwrap();
        assert!(error.contains("another gateway uses") && error.contains("audit.directory"), "{error}");
        assert!(Directory::look(folder.path()).is_some());
    }

    #[test]
    fn root_does_not_write_into_the_folder_of_another() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(own_user(), Some(std::fs::metadata(folder.path()).unwrap().uid()));
        assert!(not_of_another(folder.path(), 0).is_ok());
        assert!(not_of_another(folder.path(), 4711).unwrap_err().contains("sudo -u '#4711'"));
        // Only root can give a folder away.
        if std::os::unix::fs::chown(folder.path(), Some(4711), None).is_ok() {
            assert!(Directory::open(folder.path()).err().unwrap().contains("#4711"));
            assert!(!folder.path().join("keys").exists());
        }
    }

    #[test]
    fn one_who_waits_is_seen_and_let_in_and_no_second_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Directory::open(folder.path()).unwrap();
        let lock = first.take_lock().unwrap();
        assert!(!lock.is_awaited());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let path = folder.path().to_owned();
        let waiting = std::thread::spawn(move || {
            let mut second = Directory::prepare(&path).unwrap();
            second.take_over(Duration::from_secs(20), || ready.send(()).unwrap()).unwrap();
            second
        });
        is_ready.recv().unwrap();
        assert!(lock.is_awaited());
        let mut third = Directory::prepare(folder.path()).unwrap();
        let refused = third.take_over(Duration::from_secs(20), || panic!("not ready")).unwrap_err();
        assert!(refused.contains("already waits"), "{refused}");
        drop(lock);
        let second = waiting.join().unwrap().take_lock().unwrap();
        assert!(!second.is_awaited());
        let late = third.take_over(Duration::from_millis(50), || {}).unwrap_err();
        assert!(late.contains("did not let go"), "{late}");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        directory.key(Key::Text).unwrap();
        let path = folder.path().join("keys/text.key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(directory.key(Key::Text).unwrap_err().contains("chmod 600"));
        write_whole(&path, b"no key").unwrap();
        assert!(directory.key(Key::Text).unwrap_err().contains("holds no key"));
    }
}
