//! One thing found: which rule, how bad, where. Never the text itself.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{Fingerprint, RuleInfo, Source};

/// A rule's match in one segment of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Who wrote the text.
    pub source: Source,
    /// Where a person would look for it.
    pub place: Place,
    /// Bytes of the decoded segment that must not pass.
    pub span: Range<usize>,
    /// Keyed digest of the value that was found: the same value, the same digest, and nothing else of it.
    pub value: Option<Fingerprint>,
}

/// Where a segment stands, in words a developer recognises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of the message (or input item) in the conversation, from 0.
    pub message: Option<u32>,
    /// The JSON path of the string, keys and indices, without values: `messages[3].content[0].text`.
    pub path: String,
    /// Line within the text, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some(index) => write!(f, "message {index}, line {} ({})", self.line, self.path),
            None => write!(f, "line {} ({})", self.line, self.path),
        }
    }
}
