//! The files a configuration was read from, and whether they have changed since.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Files as they were when they were read.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    files: Vec<Seen>,
}

#[derive(Clone)]
struct Seen {
    path: PathBuf,
    mark: Option<Mark>,
    /// Digest of its text; `None` where it could not be read.
    digest: Option<[u8; 32]>,
}

/// What tells one version of a file from another without reading it; of a link, of what it leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    fn of(path: &Path) -> Option<Mark> {
        let it = std::fs::metadata(path).ok()?;
        Some(Mark {
            device: it.dev(),
            inode: it.ino(),
            bytes: it.len(),
            modified: (it.mtime(), it.mtime_nsec()),
            changed: (it.ctime(), it.ctime_nsec()),
        })
    }
}

impl Watched {
    /// Reads a file and notes how it was. The mark is taken before: what changes meanwhile is a change.
    pub(crate) fn note(
        &mut self,
        path: &Path,
        read: impl FnOnce() -> Result<String, String>,
    ) -> Result<String, String> {
        let mark = Mark::of(path);
        let text = read();
        let digest = text.as_ref().ok().map(|it| Sha256::digest(it).into());
        if self.files.iter().all(|it| it.path != path) {
            self.files.push(Seen { path: path.to_owned(), mark, digest });
        }
        text
    }

    /// The files of `before` that were not reached this time, because what names them could not be read.
    pub(crate) fn with(mut self, before: Watched) -> Watched {
        for it in before.files {
            if self.files.iter().all(|seen| seen.path != it.path) {
                self.files.push(it);
            }
        }
        self
    }
}

/// What a look at the files came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// They are as they were.
    Same,
    /// Some have changed, and may still be changing.
    Changing,
    /// Some have changed, and are as they were at the look before.
    Changed,
}

/// Looks at files again and again.
pub(crate) struct Watch {
    watched: Watched,
    /// The marks of the look before, if they were others than those of `watched`.
    before: Option<Vec<Option<Mark>>>,
}

impl Watch {
    /// Of files as they were read.
    pub(crate) fn new(watched: Watched) -> Watch {
        Watch { watched, before: None }
    }

    /// These files from now on, as they were read.
    pub(crate) fn read(&mut self, watched: Watched) {
        *self = Watch::new(watched);
    }

    /// What is watched.
    pub(crate) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// One look. A file that is being written, in several steps perhaps, is left alone until it stays as it is.
    pub(crate) fn look(&mut self) -> Look {
        let now: Vec<_> = self.watched.files.iter().map(|it| Mark::of(&it.path)).collect();
        if now.iter().zip(&self.watched.files).all(|(mark, it)| *mark == it.mark) {
            self.before = None;
            return Look::Same;
        }
        match self.before.replace(now) {
            Some(before) if self.before.as_ref() == Some(&before) => Look::Changed,
            _ => Look::Changing,
        }
    }

    /// Whether the texts are the same, although the files are not: then nothing has to be done, now or at the next look.
    pub(crate) fn is_same(&mut self, read: &Watched) -> bool {
        let texts = |it: &Watched| it.files.iter().map(|it| (it.path.clone(), it.digest)).collect::<Vec<_>>();
        let same = read.files.iter().all(|it| it.digest.is_some()) && texts(read) == texts(&self.watched);
        if same {
            self.read(read.clone());
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&Path]) -> Watched {
        let mut watched = Watched::default();
        for path in paths {
            let _ = watched.note(path, || std::fs::read_to_string(path).map_err(|error| error.to_string()));
        }
        watched
    }

    #[test]
    fn a_change_counts_when_the_file_stays_as_it_is_and_the_same_text_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "1").unwrap();
        let paths: [&Path; 2] = [&one, &two];
        let mut watch = Watch::new(read(&paths));
        assert_eq!(watch.look(), Look::Same);
        std::fs::write(&two, "half").unwrap();
        assert_eq!(watch.look(), Look::Changing);
        std::fs::write(&two, "whole now").unwrap();
        assert_eq!(watch.look(), Look::Changing, "it was still being written");
        assert_eq!(watch.look(), Look::Changed);
        assert!(!watch.is_same(&read(&paths)));
        watch.read(read(&paths));
        assert_eq!(watch.look(), Look::Same);

        // Replaced by a file with the same text, as configuration managers do it.
        std::fs::write(folder.path().join("new"), "1").unwrap();
        std::fs::rename(folder.path().join("new"), &one).unwrap();
        assert_eq!((watch.look(), watch.look()), (Look::Changing, Look::Changed));
        assert!(watch.is_same(&read(&paths)));
        assert_eq!(watch.look(), Look::Same);

        std::fs::remove_file(&two).unwrap();
        assert_eq!((watch.look(), watch.look()), (Look::Changing, Look::Changed));
        assert!(!watch.is_same(&read(&paths)), "a file that is gone is no text");
    }

    #[test]
    fn files_that_were_not_reached_stay_watched() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        for path in [&one, &two] {
            std::fs::write(path, "text").unwrap();
        }
        let mut watch = Watch::new(read(&[&one]).with(read(&[&one, &two])));
        std::fs::write(&two, "other").unwrap();
        assert_eq!(watch.look(), Look::Changing);
    }
}
