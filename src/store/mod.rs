//! The audit log: what is written down, how it is chained, and the stores that keep it.

mod batch;
mod directory;
mod entry;
mod failure;
mod journal;
mod left;
mod mark;
mod objects;
mod open;
mod pages;
mod postgres;
mod query;
mod record;
mod search;
mod sqlite;
mod stored;
mod unseal;
mod verify;

use std::fmt;

use async_trait::async_trait;

pub(crate) use self::directory::hex;
pub use self::directory::{Directory, Key, Lock, own_user, random_key, read_whole, write_whole};
#[cfg(feature = "control")]
pub(crate) use self::entry::unhex;
pub use self::entry::{Entry, Head, Link};
pub use self::journal::{Batch, Feed, Journal, Recovery, Unsynced};
pub use self::left::{Left, LeftReader, LeftWriter};
pub use self::mark::Marker;
pub use self::objects::{CommitError, Listing, OBJECTS_MAX, Object, Objects, Write};
pub use self::open::{is_target, open};
pub use self::query::{Columns, Position, Query, Row};
pub use self::record::{Act, Exchange, Found, Mark, Record, Side, Subject, Tokens};
pub use self::unseal::{SEALED_VERSION, unseal};
pub use self::verify::{FAULTS_MAX, Fault, Verdict, Verifier, verify_stored, verify_stored_telling};

/// A database that keeps records. Every implementation passes the same contract suite.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its kind, for logs and metrics: `sqlite`, `postgres`.
    fn name(&self) -> &'static str;

    /// Appends in one transaction: all or none. An entry that is there already (same gateway, same sequence) is left as
    /// it is, so that an append whose answer was lost can be repeated.
    async fn append(&self, entries: &[Entry]) -> Result<(), StoreError>;

    /// The newest entry of a gateway; `None` where it has none.
    async fn head(&self, gateway: &str) -> Result<Option<Head>, StoreError>;

    /// The gateways that have entries or marks, sorted.
    async fn gateways(&self) -> Result<Vec<String>, StoreError>;

    /// Rows of a gateway in their order, sequence `from` and later, at most `rows_max`: everything that is stored of
    /// them, also what only searches need, for verification. Where a row is damaged, those before it are returned; where
    /// it is the first, the error names it, and reading goes on behind it.
    async fn read(&self, gateway: &str, from: u64, rows_max: usize) -> Result<Vec<Row>, StoreError>;

    /// Entries that match, newest first, at most `query.rows_max`.
    async fn search(&self, query: &Query) -> Result<Vec<Entry>, StoreError>;

    /// How the database goes about a search, in its own words, a line each: for measuring.
    async fn plan(&self, _: &Query) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// The last entry of those at the beginning of a gateway's chain that were all written before `written_ms`.
    async fn last_before(&self, gateway: &str, written_ms: u64) -> Result<Option<Head>, StoreError>;

    /// Keeps the signed mark, then removes the entries of a gateway up to and including `mark.sequence`, oldest first, in
    /// steps that leave room for writers. What a crash in between leaves behind is no longer read, and goes with the next
    /// call. Returns how many were removed.
    async fn expire(&self, gateway: &str, mark: &Mark) -> Result<u64, StoreError>;

    /// The newest mark of a gateway: what stands before its first entry.
    async fn mark(&self, gateway: &str) -> Result<Option<Mark>, StoreError>;
}

/// Why a store did not do what it was asked. The text is the database's own and holds no value of a record.
#[derive(Debug)]
pub enum StoreError {
    /// It cannot be reached, is locked or full: the same call may succeed later.
    Unavailable(String),
    /// What it holds cannot be read.
    Damaged(Damage),
    /// It is no store of ours, or one of a later version.
    Unfit(String),
}

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Gateway and number of the entry, where it is one.
    pub entry: Option<(String, u64)>,
    /// What is wrong, without the value.
    pub what: String,
}

impl From<String> for Damage {
    fn from(what: String) -> Self {
        Damage { entry: None, what }
    }
}

impl From<&str> for Damage {
    fn from(what: &str) -> Self {
        Damage::from(what.to_owned())
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some((gateway, sequence)) => write!(f, "gateway {gateway}, entry {sequence}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Unavailable(what) => write!(f, "the audit store is not available: {what}"),
            StoreError::Damaged(what) => write!(f, "the audit store is damaged: {what}"),
            StoreError::Unfit(what) => write!(f, "the audit store cannot be used: {what}"),
        }
    }
}

impl std::error::Error for StoreError {}
