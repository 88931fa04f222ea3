//! Why a rule cannot be enforced as it is written.

use std::fmt;

/// A rule that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Id of the rule.
    pub rule: String,
    /// What is wrong with it.
    pub what: Mistake,
}

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Another rule has the same id.
    DuplicateId,
    /// Triggered by keywords, but there are none.
    NoKeywords,
    /// A keyword so short that it would stand everywhere.
    ShortKeyword(String),
    /// A keyword beyond the limit of bytes.
    LongKeyword(String),
    /// No match can start with this keyword.
    KeywordStartsNoMatch(String),
    /// Fewer than 2 or more than 64 digits asked for.
    DigitCount(usize),
    /// A lead before digits, or one that is empty or longer than the limit.
    BadLead,
    /// The regex or class does not compile; the text says where.
    BadRegex(String),
    /// It could match without end.
    Unbounded,
    /// It could match more than this many bytes.
    LongerThan(usize),
    /// It can match nothing at all.
    MatchesEmpty,
    /// A Unicode word boundary, which would need to look further than one byte.
    UnicodeBoundary,
    /// A named group other than `secret`.
    UnknownGroup(String),
    /// The automaton would need more memory than a rule may use.
    TooLarge,
    /// A region with `unless` or `confirm`: its body is never kept, so they could not be asked.
    RegionWithChecks,
    /// A region without an end, or so long or short that it makes no sense.
    BadRegion,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::DuplicateId => f.write_str("another rule has the same id"),
            Mistake::NoKeywords => f.write_str("it needs at least one keyword"),
            Mistake::ShortKeyword(word) => {
                write!(f, "the keyword {word:?} is too short: 2 bytes at least, or a punctuation byte with a lead")
            }
            Mistake::LongKeyword(word) => write!(f, "the keyword {word:?} is too long"),
            Mistake::KeywordStartsNoMatch(word) => {
                write!(f, "no match of the pattern can start with the keyword {word:?}")
            }
            Mistake::DigitCount(count) => write!(f, "a run of {count} digits: expected 2 to 64"),
            Mistake::BadLead => f.write_str("the lead must stand before keywords and be 1 to 512 bytes long"),
            Mistake::BadRegex(why) => write!(f, "the regex does not compile: {why}"),
            Mistake::Unbounded => {
                f.write_str("the pattern has no longest match: replace `*`, `+` and `{n,}` by `{n,m}`")
            }
            Mistake::LongerThan(bytes) => write!(f, "the pattern can match more than {bytes} bytes"),
            Mistake::MatchesEmpty => f.write_str("the pattern can match the empty text"),
            Mistake::UnicodeBoundary => f.write_str("a Unicode word boundary: use the ASCII one"),
            Mistake::UnknownGroup(name) => write!(f, "the group {name:?}: only `secret` has a meaning"),
            Mistake::TooLarge => f.write_str("its automaton is too large: use smaller repetitions"),
            Mistake::RegionWithChecks => f.write_str("a region cannot have `unless` or `confirm`"),
            Mistake::BadRegion => f.write_str("a region needs an end of 1 to 256 bytes and a length of 64 to 1048576"),
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {}", self.rule, self.what)
    }
}

impl std::error::Error for RuleError {}
