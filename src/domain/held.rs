//! Who is kept from the providers, and what that one is told.

use serde::{Deserialize, Serialize};

/// What a quarantine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldKind {
    /// One session of a client.
    Session,
    /// One gateway key, by the first eight hex digits of its digest.
    Key,
    /// Everyone with a key of one user.
    User,
    /// One team.
    Team,
}

/// One quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Unique; what the developer is told to name.
    pub reference: String,
    /// What it is about.
    pub kind: HeldKind,
    /// Which one.
    pub value: String,
    /// Why, for the developer.
    pub reason: String,
    /// Who to ask.
    pub contact: Option<String>,
    /// When it began, Unix milliseconds.
    pub since_ms: u64,
    /// When it ends by itself, Unix milliseconds; `None`: when somebody releases it.
    pub until_ms: Option<u64>,
}
