//! One alert, whatever channel it goes to: what happened, how bad it is, and how often.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::Risk;

use super::text::{clean, minute};

/// Most characters of a name that an alert shows.
const NAME_CHARS_MAX: usize = 60;

/// What repeats have in common: a digest over team, rule and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key([u8; Key::BYTES]);

impl Key {
    const BYTES: usize = 12;

    /// Over parts that cannot run into each other.
    pub(super) fn new(parts: &[&str]) -> Self {
        let digest = parts.iter().fold(Sha256::new(), |digest, part| {
            digest.chain_update((part.len() as u64).to_be_bytes()).chain_update(part.as_bytes())
        });
        let mut key = [0; Key::BYTES];
        key.copy_from_slice(&digest.finalize()[..Key::BYTES]);
        Key(key)
    }

    /// From what its `Display` wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Why somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something was found, and acted upon.
    Found,
    /// A request was refused although nothing was found in it: the kind of refusal.
    Refused(String),
    /// Something happened to the gateway: the name of the act.
    Act(String),
    /// What was announced before, by this name, has happened again, as often as `count` says.
    Repeated(String),
    /// As many alerts as `count` says were too many to send.
    More,
}

/// A finding as an alert shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reported {
    pub(super) key: Key,
    pub(super) rule: String,
    pub(super) checker: String,
    pub(super) label: String,
    pub(super) risk: Risk,
    pub(super) score: f64,
    pub(super) source: String,
    pub(super) place: String,
    pub(super) direction: &'static str,
    pub(super) action: String,
    pub(super) count: u64,
}

/// What one checker said about an exchange.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Check {
    pub(super) checker: String,
    pub(super) risk: Risk,
    pub(super) score: f64,
    pub(super) passed: bool,
}

/// One alert. Names in it that a client chose are as the audit log has them, and are cleaned where they are shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    pub(super) occasion: Occasion,
    /// Tells deliveries apart: the same over retries and restarts.
    pub(super) event: String,
    /// What repeats have in common.
    pub(super) key: Key,
    /// The gateway that saw it.
    pub(super) gateway: String,
    /// When it happened, Unix milliseconds.
    pub(super) time_ms: u64,
    pub(super) risk: Risk,
    /// 0 to 1.
    pub(super) score: f64,
    pub(super) blocked: bool,
    /// How many times it happened.
    pub(super) count: u64,
    /// When the first of them happened, where there were several, Unix milliseconds.
    pub(super) since_ms: Option<u64>,
    pub(super) team: Option<String>,
    pub(super) key_id: Option<String>,
    pub(super) session: Option<String>,
    pub(super) request: Option<String>,
    pub(super) model: Option<String>,
    pub(super) direction: Option<&'static str>,
    pub(super) action: Option<String>,
    pub(super) policies: Vec<String>,
    pub(super) checks: Vec<Check>,
    /// The worst first.
    pub(super) findings: Vec<Reported>,
    /// Particulars of an act, by name.
    pub(super) details: Vec<(String, String)>,
    /// Where the dashboard shows it.
    pub(super) link: Option<String>,
}

impl Alert {
    /// With nothing in it but what happened, when, and how bad it is.
    pub(super) fn new(occasion: Occasion, event: String, key: Key, gateway: &str, time_ms: u64, risk: Risk) -> Self {
        Alert {
            occasion,
            event,
            key,
            gateway: gateway.to_owned(),
            time_ms,
            risk,
            score: 0.0,
            blocked: false,
            count: 1,
            since_ms: None,
            team: None,
            key_id: None,
            session: None,
            request: None,
            model: None,
            direction: None,
            action: None,
            policies: Vec::new(),
            checks: Vec::new(),
            findings: Vec::new(),
            details: Vec::new(),
            link: None,
        }
    }

    /// The occasion in one word.
    pub(super) fn kind(&self) -> &'static str {
        match self.occasion {
            Occasion::Found => "found",
            Occasion::Refused(_) => "refused",
            Occasion::Act(_) => "act",
            Occasion::Repeated(_) => "repeated",
            Occasion::More => "more",
        }
    }

    /// One line that says it all, at most about 300 characters.
    pub(super) fn headline(&self) -> String {
        let team = self.team.as_deref().map(|it| format!(", team {}", clean(it, NAME_CHARS_MAX))).unwrap_or_default();
        let since = self.since_ms.map(|it| format!(" since {}", minute(it))).unwrap_or_default();
        match &self.occasion {
            Occasion::Found => format!("{}: {}, risk {}{team}", self.verb(), self.labels(), self.risk),
            Occasion::Refused(kind) => format!("Refused: {}{team}", clean(kind, NAME_CHARS_MAX)),
            Occasion::Act(act) => {
                format!("{}, gateway {}", sentence(act), clean(&self.gateway, NAME_CHARS_MAX))
            }
            Occasion::Repeated(what) => {
                format!("{}{since}: {}{team}", times(self.count), clean(what, NAME_CHARS_MAX))
            }
            Occasion::More => {
                let alerts = if self.count == 1 { "alert" } else { "alerts" };
                format!("{} more {alerts}{since}, see the audit log", self.count)
            }
        }
    }

    /// Risk, and the score where there is one.
    pub(super) fn severity(&self) -> String {
        if self.score > 0.0 { format!("{}, score {}", self.risk, self.score) } else { self.risk.to_string() }
    }

    fn verb(&self) -> &'static str {
        match self.action.as_deref() {
            Some("block") => "Blocked",
            Some("redact") => "Redacted",
            Some("review") => "For review",
            _ => "Stopped",
        }
    }

    /// What it is called when it has happened again.
    pub(super) fn name(&self) -> String {
        match &self.occasion {
            Occasion::Found => self.labels(),
            Occasion::Refused(kind) => format!("refused, {kind}"),
            Occasion::Act(act) => sentence(act),
            Occasion::Repeated(what) => what.clone(),
            Occasion::More => "more alerts".to_owned(),
        }
    }

    /// The type of the worst finding, and how many others there are.
    fn labels(&self) -> String {
        let Some(worst) = self.findings.first() else { return "no finding".to_owned() };
        let name = clean(&worst.label, NAME_CHARS_MAX);
        match self.findings.len() - 1 {
            0 => name,
            more => format!("{name} and {more} more"),
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "Once more".to_owned() } else { format!("{count} times more") }
}

/// What an act means.
fn sentence(act: &str) -> String {
    match act {
        "audit.lost" => "Audit records were lost".to_owned(),
        "audit.store_down" => "The audit store is down".to_owned(),
        "audit.store_back" => "The audit store is back".to_owned(),
        "audit.damaged" => "The audit log is damaged".to_owned(),
        "config.refused" => "A changed configuration is refused".to_owned(),
        "bundle.refused" => "A bundle of the policy server is refused".to_owned(),
        "alerts.tested" => "This is a test of alerts".to_owned(),
        other => clean(other, NAME_CHARS_MAX),
    }
}
