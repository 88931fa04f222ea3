//! What can be wrong with a rule file, and where.

use std::fmt;

use regex_syntax::hir::Look;

use super::prove::Flaw;
use crate::scan::Mistake;

/// A mistake in a rule file: where it stands and what was expected instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file, as the caller named it.
    pub origin: String,
    /// Line, from 1: of the mistake where the YAML reader knows it, otherwise of the rule's `id`.
    pub line: usize,
    /// The rule's id, once it is known.
    pub id: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not YAML, a key that does not exist, a key that is missing, or a value of the wrong kind.
    Yaml(String),
    /// The id is not `checker.family.rule` in lower case.
    Id,
    /// The id was used before.
    Duplicate,
    /// The label is not upper case.
    Label(String),
    /// A name that is none of the expected ones.
    Unknown {
        /// The key it stands at.
        key: &'static str,
        /// The name.
        name: String,
        /// Names that exist.
        expected: Vec<String>,
    },
    /// The score is not between 0 and 1.
    Score,
    /// Neither or both of `pattern` and `region`.
    OnePattern,
    /// Neither or both of `keywords` and `digits`.
    OneTrigger,
    /// A region with `unless` or `confirm`: its body is never kept, so that they could not be asked.
    RegionChecks,
    /// A keyword that is too short, so that the engine would look nearly everywhere.
    Keyword(String),
    /// A digit run that is too short, for the same reason.
    Digits(usize),
    /// A regex that cannot be parsed.
    Regex {
        /// The key it stands at.
        key: &'static str,
        /// What the regex parser says.
        message: String,
    },
    /// A regex that can match nothing at all, or more than the engine's window.
    Length {
        /// The key it stands at.
        key: &'static str,
        /// Longest match that is allowed, bytes.
        length_max: usize,
    },
    /// A pattern that looks around in a way the engine does not offer.
    LookAround(Look),
    /// A number outside its range.
    Limit {
        /// The key it stands at.
        key: &'static str,
        /// Largest value that is allowed.
        value_max: usize,
    },
    /// An id that stands in another place, too: `house.yaml:3`.
    DuplicateOf(String),
    /// A custom rule in a family of the built-in catalogue.
    BuiltInFamily(String),
    /// A custom rule of `pii`, which is `compliance` under another name.
    Alias,
    /// More of something than a custom rule file may have.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        count: usize,
        /// How much there may be.
        count_max: usize,
    },
    /// A custom rule without hits, or without misses.
    NoExample(&'static str),
    /// The engine refuses the rule.
    Refused(Mistake),
    /// An example shows something else than it says.
    Example(Flaw),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.origin, self.line)?;
        if let Some(id) = &self.id {
            write!(f, "rule `{id}`: ")?;
        }
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Yaml(message) => write!(f, "{message}"),
            Reason::Id => write!(f, "expected an id `checker.family.rule` of lower-case letters, digits and `_`"),
            Reason::Duplicate => write!(f, "this id was used before"),
            Reason::Label(label) => write!(f, "expected a type like `AWS_ACCESS_KEY`, found `{label}`"),
            Reason::Unknown { key, name, expected } => {
                write!(f, "`{key}`: unknown name `{name}`, expected one of {}", expected.join(", "))
            }
            Reason::Score => write!(f, "`score`: expected a number between 0 and 1"),
            Reason::OnePattern => write!(f, "expected one of `pattern`, `assigned` and `region`"),
            Reason::OneTrigger => write!(f, "expected either `keywords` or `digits`"),
            Reason::RegionChecks => {
                write!(f, "a `region` takes neither `unless` nor `confirm`: its body is never kept")
            }
            Reason::Keyword(word) => {
                write!(f, "`keywords`: expected at least 2 bytes (1 with a `lead`), found `{word}`")
            }
            Reason::Digits(count) => write!(f, "`digits`: expected 6 to 64, found {count}"),
            Reason::Regex { key, message } => write!(f, "`{key}`: {message}"),
            Reason::Length { key, length_max } => {
                write!(f, "`{key}`: expected matches of 1 to {length_max} bytes (bound every `*` and `+`)")
            }
            Reason::LookAround(look) => {
                write!(f, "`pattern`: {look:?} is not offered; use `\\b`, `\\B` or `^` and `$` with `(?m)`")
            }
            Reason::DuplicateOf(place) => write!(f, "this id was used before, at {place}: take another"),
            Reason::BuiltInFamily(family) => write!(
                f,
                "the family `{family}` belongs to the built-in catalogue: take a family of your own, such as `{}.house`",
                family.split('.').next().unwrap_or_default()
            ),
            Reason::Alias => {
                write!(f, "`pii` is `compliance` under another name: write `compliance.…`, and it runs under both")
            }
            Reason::TooMany { what, count, count_max } => write!(f, "{count} {what}: expected at most {count_max}"),
            Reason::NoExample(key) => write!(f, "`{key}`: expected at least one example"),
            Reason::Refused(mistake) => mistake.fmt(f),
            Reason::Example(flaw) => flaw.fmt(f),
            Reason::Limit { key, value_max } => write!(f, "`{key}`: expected 1 to {value_max}"),
        }
    }
}

impl std::error::Error for LoadError {}
