//! What administrators keep: teams, keys, policies, users, sessions. Small documents with an id, a version that guards
//! against lost updates, and a second name they can be found by. In the same database as the audit log, or another.

mod database;

use std::fmt;

use super::StoreError;

pub use self::database::Objects;

/// Most objects that one listing returns.
pub const OBJECTS_MAX: usize = 10_000;

/// One document, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// What it is: `team`, `user`, …
    pub kind: String,
    /// Unique within its kind.
    pub id: String,
    /// From 1, one more with every update. In a write: the version that was read.
    pub version: u64,
    /// Unique within its kind, where it is there: a digest, an address.
    pub lookup: Option<String>,
    /// What it belongs to; listings can ask for it.
    pub parent: Option<String>,
    /// From this moment on it is as if it were not there, Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// JSON.
    pub body: String,
}

/// One step of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A new object; its version becomes 1.
    Insert(Object),
    /// An object that was read with this version.
    Update(Object),
    /// An object that was read with this version.
    Delete {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
        /// The version that was read.
        version: u64,
    },
}

/// Which objects of a kind are listed, and in what order.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    /// Of this parent only.
    pub parent: Option<&'a str>,
    /// Those behind this id, in the order of the listing.
    pub after: Option<&'a str>,
    /// By id from the last to the first; ids of UUIDv7 sort by time.
    pub newest_first: bool,
    /// At most so many, and at most [`OBJECTS_MAX`].
    pub rows_max: usize,
}

impl Default for Listing<'_> {
    fn default() -> Self {
        Listing { parent: None, after: None, newest_first: false, rows_max: OBJECTS_MAX }
    }
}

/// Why nothing was written.
#[derive(Debug)]
pub enum CommitError {
    /// Somebody else has changed or removed it since it was read.
    Stale {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
    },
    /// Its id or its second name is another's.
    Taken {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
    },
    /// The database did not do it.
    Store(StoreError),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Stale { kind, id } => write!(f, "the {kind} {id} was changed meanwhile"),
            CommitError::Taken { kind, id } => write!(f, "there is a {kind} {id} already"),
            CommitError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        CommitError::Store(error)
    }
}
