//! From a bundle to a configuration: read with the gateway's own loader, from nothing but what the bundle holds.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::enrolment::Enrolment;
use crate::config::{File, Reading, Reference, Warnings};
use crate::control::bundle::{Bundle, Signed, Untrusted, open_for};
use crate::domain::{Checker, Held, Secret};
use crate::pipeline::custom_checkers;

/// What a policy server says, read.
#[derive(Clone)]
pub struct Told {
    /// Grows with every change.
    pub generation: u64,
    /// When it was made, Unix milliseconds.
    pub made_ms: u64,
    /// Upstreams, teams, checks, rules, policies, exceptions; everything else is as if nothing was said.
    pub file: File,
    /// What is doubtful in it.
    pub warnings: Warnings,
    /// Who is kept out.
    pub held: Vec<Held>,
    /// Users by the key that records name.
    pub owners: BTreeMap<String, String>,
    /// Of all that `file` was read from.
    digest: [u8; 32],
}

impl Told {
    /// Whether it reads the same: who is kept out may differ.
    pub fn is_read_as(&self, other: &Told) -> bool {
        self.digest == other.digest
    }
}

/// Reads what was signed for this gateway, and is not older than `newest`.
pub(super) fn read(signed: &Signed, enrolment: &Enrolment, newest: u64) -> Result<Told, String> {
    let verified = signed.verify(&enrolment.bundle_key, &enrolment.id, newest);
    let bundle = verified.map_err(|it| match it {
        Untrusted::Signature => "it is not signed with the key that was given at enrolment".to_owned(),
        Untrusted::Form(what) => format!("it is of a form that this version does not know: {what}"),
        Untrusted::Gateway => "it is another gateway's".to_owned(),
        Untrusted::Older { generation } => {
            format!("it is older ({generation}) than what was in force before ({newest})")
        }
    })?;
    let secrets = opened(&bundle, enrolment)?;
    let resolve = |reference: &Reference| match reference {
        Reference::Environment(name) => secrets
            .get(name.as_str())
            .map(|it| it.expose().to_owned())
            .ok_or_else(|| "the bundle has no such value".into()),
        Reference::File(path) => bundle.files.get(path).cloned().ok_or_else(|| "the bundle has no such file".into()),
        Reference::Fingerprints(_) => Err("fingerprints are this gateway's own".to_owned()),
    };
    let origin = format!("bundle {}", bundle.generation);
    let reading = Reading {
        origin: &origin,
        resolve: &resolve,
        known_checkers: &Checker::BUILT_IN,
        read_rules: &custom_checkers,
    };
    let (file, warnings) = reading.read(&bundle.text).map_err(|mistakes| mistakes.to_string())?;
    Ok(Told {
        generation: bundle.generation,
        made_ms: bundle.made_ms,
        digest: digest(&bundle, &secrets),
        file,
        warnings,
        held: bundle.held,
        owners: bundle.owners,
    })
}

fn opened<'b>(bundle: &'b Bundle, enrolment: &Enrolment) -> Result<BTreeMap<&'b str, Secret>, String> {
    let mut secrets = BTreeMap::new();
    for (name, sealed) in &bundle.secrets {
        let opened = open_for(&enrolment.seal, &enrolment.id, name, sealed);
        let secret =
            opened.ok_or_else(|| format!("what `{name}` stands for cannot be opened with this gateway's key"))?;
        secrets.insert(name.as_str(), secret);
    }
    Ok(secrets)
}

/// Every part goes in with its length, so that none can pass for another.
fn digest(bundle: &Bundle, secrets: &BTreeMap<&str, Secret>) -> [u8; 32] {
    let files = bundle.files.iter().flat_map(|(path, text)| [path.as_str(), text.as_str()]);
    let secrets = secrets.iter().flat_map(|(name, it)| [*name, it.expose()]);
    let mut digest = Sha256::new();
    digest.update((bundle.files.len() as u64).to_le_bytes());
    for part in [bundle.text.as_str()].into_iter().chain(files).chain(secrets) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
