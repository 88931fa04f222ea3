//! The catalogue: which rules there are, by family. What a rule looks for stands in the YAML beside this file.
//!
//! A rule's id is its path: `secrets.aws.access_key` stands in `src/checkers/secrets/aws.yaml`. To add a family is one
//! file and one line in [`ALL`].
//!
//! How a rule is written:
//! - `id, title, risk, score, type` (the label), `why`, `advice?`, `cwe?`, `action?` (`flag` for what is
//!   only flagged by default), `redact?`, `sources?`, `directions?`, `hits`, `misses`.
//! - `keywords` (ASCII case ignored; `{d}` stands for a digit) or `digits` say where to look, `pattern`, `assigned` or
//!   `region` what must stand there. A match
//!   begins at its keyword, or within the run of `lead` bytes before it, as early as the pattern allows. Patterns are bounded regexes over bytes with ASCII
//!   classes; the case of letters is theirs to ignore (`(?i)`). The group `secret` is what gets hidden.
//! - `assigned` is a bounded regex for the whole value of an assignment, in whatever syntax, that has the keyword anywhere
//!   in its name: `DATADOG_API_KEY=…`, `"datadogKey": "…"`, `<datadog-key>…</datadog-key>`. The value gets hidden.
//! - `unless` (a regex within the match) and `confirm` (names of [`crate::scan::Confirm`]) take findings back.
//! - `place` says what a match must stand in: `code` (the default of `vuln`: no comment, no literal, no removed line of a
//!   patch, no prose), `quoted` (literals, too) or `anywhere`. `languages` restricts a rule to fences and files of these
//!   languages; where the language is unknown it holds.
//! - `¦` in a hit or miss is taken out when the file is read: no made-up key stands whole in a source line.
//!
//! **Invariant:** this room holds no matching code. It says *what*, `scan` says *how*.

mod custom;
mod entry;
mod error;
mod handbook;
mod lines;
mod prove;
mod words;

#[cfg(test)]
mod catalogue_tests;
#[cfg(test)]
mod custom_tests;
#[cfg(test)]
mod harmless_tests;
#[cfg(test)]
mod listing_tests;
#[cfg(test)]
mod reference_matcher;

pub use custom::{EXAMPLE_BYTES_MAX, EXAMPLES_MAX, FILE_BYTES_MAX, RULES_MAX, RuleText, Trial, custom};
pub use entry::{Entry, parse};
pub use error::{LoadError, Reason};
pub use handbook::{action_words, handbook};
pub use prove::{Flaw, FlawKind, Prover};
pub use words::{confirmed_by, in_words};

use entry::line_of;

use crate::domain::Checker;
use crate::scan::RuleSpec;

/// A file of the catalogue, and the checker under whose name its rules run.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Name of the checker.
    pub checker: &'static str,
    /// Path within this folder: `secrets/aws.yaml`.
    pub path: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! family {
    ($checker:literal, $path:literal) => {
        Family { checker: $checker, path: $path, text: include_str!($path) }
    };
}

/// Every family.
///
/// A file that is listed under a checker other than its folder is an alias: the same rules, their ids beginning with
/// that checker's name. `pii` is `compliance` under the name that a team's `outbound_checks` may use instead:
/// `compliance.identity.ssn` and `pii.identity.ssn` are the same rule in `compliance/identity.yaml`.
pub const ALL: &[Family] = &[
    family!("secrets", "secrets/aws.yaml"),
    family!("secrets", "secrets/azure.yaml"),
    family!("secrets", "secrets/google_cloud.yaml"),
    family!("secrets", "secrets/hosting.yaml"),
    family!("secrets", "secrets/clouds.yaml"),
    family!("secrets", "secrets/delivery.yaml"),
    family!("secrets", "secrets/infrastructure.yaml"),
    family!("secrets", "secrets/anthropic.yaml"),
    family!("secrets", "secrets/openai.yaml"),
    family!("secrets", "secrets/ai_vendors.yaml"),
    family!("secrets", "secrets/ai_tools.yaml"),
    family!("secrets", "secrets/ai_small_vendors.yaml"),
    family!("secrets", "secrets/code_hosts.yaml"),
    family!("secrets", "secrets/registries.yaml"),
    family!("secrets", "secrets/ci.yaml"),
    family!("secrets", "secrets/databases.yaml"),
    family!("secrets", "secrets/data_services.yaml"),
    family!("secrets", "secrets/content.yaml"),
    family!("secrets", "secrets/private_keys.yaml"),
    family!("secrets", "secrets/bare_keys.yaml"),
    family!("secrets", "secrets/jwt.yaml"),
    family!("secrets", "secrets/payment.yaml"),
    family!("secrets", "secrets/commerce.yaml"),
    family!("secrets", "secrets/finance.yaml"),
    family!("secrets", "secrets/messaging.yaml"),
    family!("secrets", "secrets/mail.yaml"),
    family!("secrets", "secrets/monitoring.yaml"),
    family!("secrets", "secrets/feature_flags.yaml"),
    family!("secrets", "secrets/identity.yaml"),
    family!("secrets", "secrets/business.yaml"),
    family!("secrets", "secrets/accounts.yaml"),
    family!("secrets", "secrets/testing_and_games.yaml"),
    family!("secrets", "secrets/commands.yaml"),
    family!("secrets", "secrets/generic.yaml"),
    family!("compliance", "compliance/identity.yaml"),
    family!("compliance", "compliance/payment.yaml"),
    family!("compliance", "compliance/contact.yaml"),
    family!("compliance", "compliance/location.yaml"),
    family!("compliance", "compliance/birth.yaml"),
    family!("compliance", "compliance/document.yaml"),
    family!("compliance", "compliance/health.yaml"),
    family!("compliance", "compliance/tax.yaml"),
    family!("compliance", "compliance/europe.yaml"),
    family!("compliance", "compliance/americas.yaml"),
    family!("compliance", "compliance/asia.yaml"),
    family!("compliance", "compliance/oceania.yaml"),
    family!("compliance", "compliance/africa.yaml"),
    family!("pii", "compliance/identity.yaml"),
    family!("pii", "compliance/payment.yaml"),
    family!("pii", "compliance/contact.yaml"),
    family!("pii", "compliance/location.yaml"),
    family!("pii", "compliance/birth.yaml"),
    family!("pii", "compliance/document.yaml"),
    family!("pii", "compliance/health.yaml"),
    family!("pii", "compliance/tax.yaml"),
    family!("pii", "compliance/europe.yaml"),
    family!("pii", "compliance/americas.yaml"),
    family!("pii", "compliance/asia.yaml"),
    family!("pii", "compliance/oceania.yaml"),
    family!("pii", "compliance/africa.yaml"),
    family!("security", "security/injection.yaml"),
    family!("security", "security/override_latin.yaml"),
    family!("security", "security/override_scripts.yaml"),
    family!("security", "security/jailbreak.yaml"),
    family!("security", "security/hidden_text.yaml"),
    family!("agent", "agent/sql_injection.yaml"),
    family!("agent", "agent/sql_payload.yaml"),
    family!("agent", "agent/tool_output.yaml"),
    family!("agent", "agent/destruction.yaml"),
    family!("agent", "agent/exfiltration.yaml"),
    family!("vuln", "vuln/sql_injection.yaml"),
    family!("vuln", "vuln/command_injection.yaml"),
    family!("vuln", "vuln/deserialization.yaml"),
    family!("vuln", "vuln/cryptography.yaml"),
    family!("vuln", "vuln/credentials.yaml"),
    family!("vuln", "vuln/web.yaml"),
    family!("vuln", "vuln/go_injection.yaml"),
    family!("vuln", "vuln/go_crypto.yaml"),
    family!("vuln", "vuln/go_runtime.yaml"),
    family!("vuln", "vuln/python_injection.yaml"),
    family!("vuln", "vuln/python_crypto.yaml"),
    family!("vuln", "vuln/python_runtime.yaml"),
    family!("vuln", "vuln/python_pages.yaml"),
    family!("vuln", "vuln/trojan_source.yaml"),
    family!("vuln", "vuln/sql.yaml"),
    family!("vuln", "vuln/queries.yaml"),
    family!("vuln", "vuln/sessions.yaml"),
    family!("vuln", "vuln/javascript.yaml"),
    family!("vuln", "vuln/java.yaml"),
    family!("vuln", "vuln/php.yaml"),
    family!("vuln", "vuln/ruby.yaml"),
    family!("vuln", "vuln/csharp.yaml"),
    family!("vuln", "vuln/c.yaml"),
    family!("vuln", "vuln/rust.yaml"),
    family!("vuln", "vuln/shell.yaml"),
    family!("vuln", "vuln/docker.yaml"),
    family!("vuln", "vuln/kubernetes.yaml"),
    family!("vuln", "vuln/actions.yaml"),
    family!("vuln", "vuln/terraform.yaml"),
];

/// Every rule of the catalogue, as the engine wants it.
///
/// # Errors
/// The first mistake in a family's YAML, with file and line. The built-in families are checked by the tests, so that
/// an error here means a broken build.
pub fn rules() -> Result<Vec<RuleSpec>, LoadError> {
    Ok(entries()?.into_iter().map(|entry| entry.rule).collect())
}

/// Every rule of the catalogue with its hits and misses.
///
/// # Errors
/// As [`rules`].
pub fn entries() -> Result<Vec<Entry>, LoadError> {
    let mut all = Vec::new();
    for family in ALL {
        all.extend(parse(family.text, family.path)?.into_iter().map(|entry| listed_under(family.checker, entry)));
    }
    Ok(all)
}

/// The same rule under `checker`'s name.
fn listed_under(checker: &str, mut entry: Entry) -> Entry {
    let info = &mut entry.rule.info;
    if info.checker.name() != checker {
        let rest = info.id.split_once('.').map_or("", |(_, rest)| rest);
        info.id = format!("{checker}.{rest}");
        info.checker = Checker::new(checker);
    }
    entry
}
