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

impl HeldKind {
    /// Every kind.
    pub const ALL: [HeldKind; 4] = [HeldKind::Session, HeldKind::Key, HeldKind::User, HeldKind::Team];

    /// The lower-case name used in configuration, documents and records.
    pub fn name(self) -> &'static str {
        match self {
            HeldKind::Session => "session",
            HeldKind::Key => "key",
            HeldKind::User => "user",
            HeldKind::Team => "team",
        }
    }
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
    /// Of a session: the team whose session it is, since clients name sessions as they like; `None`: whoever names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Why, for the developer.
    pub reason: String,
    /// Who to ask.
    pub contact: Option<String>,
    /// When it began, Unix milliseconds.
    pub since_ms: u64,
    /// When it ends by itself, Unix milliseconds; `None`: when somebody releases it.
    pub until_ms: Option<u64>,
}

impl Held {
    /// Whether it holds at this moment, Unix milliseconds.
    pub fn is_in_force(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|it| now_ms < it)
    }
}
