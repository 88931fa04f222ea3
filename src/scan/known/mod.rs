//! Known secrets: values that a company has fingerprinted beforehand, found exactly, at any place of any text.
//!
//! A fingerprint is a keyed digest; the values themselves are nowhere in the process. The eight bytes behind every fourth
//! place of a text are mixed under a secret key into a tag, which nearly always is that of no fingerprint. Where it is
//! one, the last eight bytes at each length that is possible are compared likewise, and only where both agree the
//! whole is digested. What is reported has the digest of a known value: there are no false alarms by chance.

mod entry;
mod file;
mod key;
mod table;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::domain::{Checker, Risk, RuleInfo, Score, Sources};

pub use entry::{Entry, EntryError, Kind};
pub use file::{FileError, FileMistake, read, write};
pub use key::FingerprintKey;
use table::Table;
pub(super) use watch::{Sight, Watch};

/// Shorter values cannot be fingerprinted: they would stand in ordinary text by chance.
pub const SECRET_BYTES_MIN: usize = 8;
/// Of longer values the first so many bytes are fingerprinted, and found.
pub const SECRET_BYTES_MAX: usize = 4096;
/// Most fingerprints that are looked for at once.
pub const FINGERPRINTS_MAX: usize = 100_000;
/// Largest fingerprint file, bytes: room for the most fingerprints, with labels.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// Fingerprints, ready to be looked for.
pub struct Known {
    key: FingerprintKey,
    table: Table,
    infos: Vec<RuleInfo>,
    secrets: usize,
    canaries: usize,
}

impl Known {
    /// From all entries, which were made or read with this key. A value that stands there twice counts once.
    pub fn new(key: FingerprintKey, mut entries: Vec<Entry>) -> Known {
        // A canary is graver than a secret, and a label says more than none.
        entries.sort_by_key(|it| (it.length, it.fingerprint, it.kind, it.label.is_none()));
        entries.dedup_by_key(|it| (it.length, it.fingerprint));
        let mut number_of: HashMap<(Kind, Option<&str>), u32> = HashMap::new();
        let mut infos = Vec::new();
        let mut rules = Vec::with_capacity(entries.len());
        for it in &entries {
            let number = *number_of.entry((it.kind, it.label.as_deref())).or_insert(infos.len() as u32);
            if number as usize == infos.len() {
                infos.push(info(it.kind, it.label.as_deref()));
            }
            rules.push(number);
        }
        let canaries = entries.iter().filter(|it| it.kind == Kind::Canary).count();
        let table = Table::new(&entries, &rules);
        Known { key, table, infos, secrets: entries.len() - canaries, canaries }
    }

    /// How many secrets are looked for.
    pub fn secrets(&self) -> usize {
        self.secrets
    }

    /// How many canaries are looked for.
    pub fn canaries(&self) -> usize {
        self.canaries
    }

    /// A rule for each kind and label; a find names one by its index.
    pub(super) fn infos(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// Length of the longest value that is looked for, bytes.
    pub(super) fn longest(&self) -> usize {
        self.table.longest()
    }
}

fn info(kind: Kind, label: Option<&str>) -> RuleInfo {
    let named = label.map(|it| format!(" {it}")).unwrap_or_default();
    let (id, title, plain, why) = match kind {
        Kind::Secret => (
            "secrets.known.fingerprint",
            format!("Known secret{named}"),
            "KNOWN_SECRET",
            "This value is one of the company's own secrets: its fingerprint is in a file of `known_secrets`.",
        ),
        Kind::Canary => (
            "secrets.known.canary",
            format!("Canary token{named}"),
            "CANARY_TOKEN",
            "This value was planted where nobody has a reason to read: somebody, or some tool, did.",
        ),
    };
    RuleInfo {
        id: id.to_owned(),
        checker: Checker::new("secrets"),
        title,
        label: label.unwrap_or(plain).to_owned(),
        risk: Risk::Critical,
        score: Score::new(1.0).unwrap_or_default(),
        why: why.to_owned(),
        advice: None,
        cwe: None,
        sources: Sources::ALL,
        directions: Vec::new(),
        // A canary is worth nothing: that it was seen is what matters, and nothing is mended by hiding it.
        redactable: kind == Kind::Secret,
        flag_only: false,
    }
}
