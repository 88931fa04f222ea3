//! What holds for one team: its own settings where it has any, the common ones elsewhere.

use crate::config::File;
use crate::domain::{Checker, Direction};

use super::Allowlist;

/// The settings of one team, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Name of the team.
    pub team: String,
    /// Checkers that run over prompts.
    pub outbound: Vec<Checker>,
    /// Checkers that run over completions.
    pub inbound: Vec<Checker>,
    /// Whether a block of something redactable becomes a redaction.
    pub redact_secrets: bool,
    /// Models.
    pub allowlist: Allowlist,
}

impl Overlay {
    /// One for each team of the file; the team `default` alone where none is configured.
    pub fn all(file: &File) -> Vec<Overlay> {
        let common = Overlay {
            team: "default".to_owned(),
            outbound: file.checks.outbound.clone(),
            inbound: file.checks.inbound.clone(),
            redact_secrets: file.redact_secrets,
            allowlist: Allowlist::default(),
        };
        if file.teams.is_empty() {
            return vec![common];
        }
        let overlay = |team: &crate::config::Team| Overlay {
            team: team.name.clone(),
            outbound: team.outbound_checks.clone().unwrap_or_else(|| common.outbound.clone()),
            inbound: team.inbound_checks.clone().unwrap_or_else(|| common.inbound.clone()),
            redact_secrets: team.redact_secrets.unwrap_or(common.redact_secrets),
            allowlist: Allowlist::new(team.model_allowlist.as_deref()),
        };
        file.teams.iter().map(overlay).collect()
    }

    /// The checkers that run in a direction.
    pub fn checkers(&self, direction: Direction) -> &[Checker] {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }
}
