//! What is to be done.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Risk, Score};

/// What a policy does, mildest first, so that `max` is the most severe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing matched, or a policy allowed what did.
    #[default]
    Allow,
    /// Recorded.
    Log,
    /// Recorded and shown as a flag.
    Flag,
    /// Recorded and put into the review queue.
    Review,
    /// Spliced out of the text, the rest goes on.
    Redact,
    /// Stopped.
    Block,
}

impl Action {
    /// Every action, mildest first.
    pub const ALL: [Action; 6] =
        [Action::Allow, Action::Log, Action::Flag, Action::Review, Action::Redact, Action::Block];

    /// The lower-case name used in configuration, metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Log => "log",
            Action::Flag => "flag",
            Action::Review => "review",
            Action::Redact => "redact",
            Action::Block => "block",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Action::ALL.into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// The decision over one text flow, as a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The most severe action that holds.
    pub action: Action,
    /// Highest risk among the findings that no exception takes out; `None` without any.
    pub risk: Option<Risk>,
    /// Highest score among them.
    pub score: Score,
    /// For each finding, in their order, what happens to it.
    pub dispositions: Vec<Action>,
    /// Names of the policies that matched, in their order.
    pub policies: Vec<String>,
    /// Findings that an exception took out of the decision, ascending.
    pub excepted: Vec<Excepted>,
}

/// A finding that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excepted {
    /// Index of the finding.
    pub finding: usize,
    /// Name of the exception.
    pub exception: Arc<str>,
}
