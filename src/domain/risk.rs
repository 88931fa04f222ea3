//! How bad a finding is: a level for people and policies, a score for thresholds.

use std::fmt;
use std::str::FromStr;

/// Risk level, ordered: `low < medium < high < critical`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Worth knowing.
    #[default]
    Low,
    /// Worth a look.
    Medium,
    /// Blocked or redacted by the default policies.
    High,
    /// A live key or an exploitable line.
    Critical,
}

impl Risk {
    /// Every level, lowest first.
    pub const ALL: [Risk; 4] = [Risk::Low, Risk::Medium, Risk::High, Risk::Critical];

    /// The lower-case name used in configuration, errors, metrics and events.
    pub fn name(self) -> &'static str {
        match self {
            Risk::Low => "low",
            Risk::Medium => "medium",
            Risk::High => "high",
            Risk::Critical => "critical",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Risk {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Risk::ALL.into_iter().find(|risk| risk.name() == text).ok_or(())
    }
}

/// A score in thousandths, 0 to 1000, shown as 0.000 to 1.000. Integral, so that comparisons are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u16);

impl Score {
    /// From a number between 0 and 1; `None` outside of it.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then(|| Score((value * 1000.0).round() as u16))
    }

    /// The number between 0 and 1.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}
