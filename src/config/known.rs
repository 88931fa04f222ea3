//! `known_secrets:` the company's own secrets, as keyed fingerprints.

use super::keys;
use super::mistake::Mistake;
use super::reader::{Reader, Section};
use super::{File, KnownFile, KnownSecrets};
use crate::domain::Fingerprint;

const FILES: &str = "a path of a file that `airiskguard-gateway fingerprint` wrote";

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> KnownSecrets {
    let mut known = KnownSecrets::default();
    let Some(field) = top.find("known_secrets") else { return known };
    let Some(section) = reader.section(field, keys::KNOWN_SECRETS) else { return known };
    if let Some(field) = section.find("key") {
        known.key = reader.secret(field);
        if known.key.as_ref().is_some_and(|it| it.expose().len() < Fingerprint::KEY_CHARS_MIN) {
            let expected = format!("at least {} characters, made by a random generator", Fingerprint::KEY_CHARS_MIN);
            reader.reject(field, "this key can be guessed", &expected);
        }
        let typed = reader.typed(field);
        if !typed.contains("${") && !typed.starts_with("file:") {
            let help = "write `${NAME}` or `file:/path` and keep the key out of the file";
            reader.warn(field, "the key of the fingerprints stands in this file in clear", help);
        }
    }
    if let Some(field) = section.find("files") {
        let items = reader.list(field).unwrap_or_default();
        if items.is_empty() {
            reader.warn(field, "no file is named here", "name one, or leave the key out");
        }
        for item in items {
            if let Some((path, text)) = reader.fingerprints(&item, FILES) {
                known.files.push(KnownFile { path, text });
            }
        }
        if section.find("key").is_none() {
            let mistake =
                Mistake::new(&field.path, Some(field.node.span), "these files cannot be read without their key");
            let help = "write `key: ${AIRISKGUARD_FINGERPRINT_KEY}` beside it, the key they were made with";
            reader.mistakes.push(mistake.expected("`key` beside `files`").help(help));
        }
    }
    known
}

/// Whether what is configured can do anything.
pub(super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let Some(field) = top.find("known_secrets") else { return };
    let by_value = file.exceptions.iter().any(|it| it.scope.fingerprint.is_some());
    if file.known_secrets.files.is_empty() && !by_value && top.find("exceptions").is_none() {
        let help = "name `files`, or leave it out";
        reader.warn(field, "without files this changes nothing", help);
    }
    let lists = file.teams.iter().flat_map(|it| [&it.outbound_checks, &it.inbound_checks]).flatten();
    let mut lists = [&file.checks.outbound, &file.checks.inbound].into_iter().chain(lists);
    if !file.known_secrets.files.is_empty() && !lists.any(|it| it.iter().any(|it| it.name() == "secrets")) {
        let help = "add `secrets` to `checks.outbound`";
        reader.warn(field, "known secrets are looked for by the checker `secrets`, which runs nowhere", help);
    }
}
