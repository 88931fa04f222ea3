//! What the world outside the engine knows of a rule: its name, its weight and why it exists.

use std::fmt;
use std::sync::Arc;

use super::{Direction, Risk, Score, Sources};

/// Name of a checker: one of the built-in six, or a name that custom rules brought.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checker(Arc<str>);

impl Checker {
    /// The built-in names, as the seed's configuration spells them.
    pub const BUILT_IN: [&'static str; 6] = ["secrets", "compliance", "agent", "security", "vuln", "pii"];

    /// A checker of that name.
    pub fn new(name: &str) -> Self {
        Checker(name.into())
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The public face of a rule; the engine keeps pattern and keywords to itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleInfo {
    /// Its path in the catalogue: `secrets.aws.access_key` stands in `src/checkers/secrets/aws.yaml`.
    pub id: String,
    /// The checker it belongs to.
    pub checker: Checker,
    /// A few words for a list.
    pub title: String,
    /// The type of thing found, as in `[REDACTED:<label>]`: `AWS_ACCESS_KEY`.
    pub label: String,
    /// How bad a finding is.
    pub risk: Risk,
    /// How bad and how sure, 0 to 1.
    pub score: Score,
    /// One sentence for the person who reads the alert.
    pub why: String,
    /// The safe form that a notice offers, where there is one.
    pub advice: Option<String>,
    /// CWE number, for vulnerable code.
    pub cwe: Option<u32>,
    /// The sources it holds for.
    pub sources: Sources,
    /// The directions it holds for; both when empty.
    pub directions: Vec<Direction>,
    /// Whether a finding covers exactly what must be hidden, so that it can be redacted instead of blocked.
    pub redactable: bool,
    /// What the seed's tables do with it when no policy is given: block, or only flag.
    pub flag_only: bool,
}
