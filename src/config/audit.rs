//! `audit:` where records are kept, for how long, and what happens when they cannot be.

use super::keys;
use super::parse::set_flag;
use super::reader::{Field, Reader, Section};
use super::units;
use super::{Audit, AuditStore, Durability, File, OnAuditFailure};

/// The names of `durability:`.
pub(super) const DURABILITY: [(&str, Durability); 2] =
    [("batched", Durability::Batched), ("strict", Durability::Strict)];

/// The names of `on_failure:`.
pub(super) const ON_FAILURE: [(&str, OnAuditFailure); 2] =
    [("block", OnAuditFailure::Block), ("allow", OnAuditFailure::Allow)];

const STORE: &str = "`sqlite:PATH` or `postgres://user:password@host/database`";
const DAYS_MAX: u64 = 36_500;
const SPOOL_BYTES_MIN: u64 = 64 << 20;
const SPOOL_BYTES_MAX: u64 = 1 << 40;

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Audit {
    let mut audit = Audit::default();
    let Some(field) = top.find("audit") else { return audit };
    let Some(section) = reader.section(field, keys::AUDIT) else { return audit };
    if let Some(folder) = section.find("directory").and_then(|it| reader.text(it)) {
        audit.directory = Some(folder);
    }
    audit.store = section.find("store").and_then(|it| store(reader, it));
    if let Some(days) = section.find("retention_days").and_then(|it| reader.integer(it, 0..=DAYS_MAX)) {
        audit.retention_days = u32::try_from(days).unwrap_or(audit.retention_days);
    }
    if let Some(choice) = section.find("durability").and_then(|it| reader.choice(it, &DURABILITY)) {
        audit.durability = choice;
    }
    if let Some(choice) = section.find("on_failure").and_then(|it| reader.choice(it, &ON_FAILURE)) {
        audit.on_failure = choice;
    }
    if let Some(field) = section.find("spool_bytes_max") {
        audit.spool_bytes_max = reader.size(field, SPOOL_BYTES_MIN..=SPOOL_BYTES_MAX).unwrap_or(audit.spool_bytes_max);
    }
    set_flag(reader, &section, "full_text", &mut audit.full_text);
    audit
}

/// The address of a PostgreSQL holds a password, so that none of it is shown.
fn store(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<AuditStore> {
    let secret = reader.secret(field)?;
    let text = secret.expose();
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(['?', '#']) {
            reader.reject(field, "this names no file", STORE);
            return None;
        }
        return Some(AuditStore::Sqlite(path.to_owned()));
    }
    let rest = text.strip_prefix("postgres://").or(text.strip_prefix("postgresql://"));
    let Some(rest) = rest else {
        reader.reject(field, "this is no store for audit records", STORE);
        return None;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let is_local = host.is_empty() || host.starts_with('%') || units::loopback(host);
    if !is_local && !text.contains("sslmode=") {
        let what = "whether the connection to this database is encrypted is left to chance";
        reader.warn(field, what, "add `?sslmode=verify-full`, or `?sslmode=disable` on a network you trust");
    }
    Some(AuditStore::Postgres(secret))
}

/// Whether what is configured can do anything.
pub(super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    let Some(field) = top.find("audit") else { return };
    if !file.audit_enabled {
        reader.warn(field, "with `audit_enabled: false` this changes nothing", "leave one of them out");
    } else if file.audit.on_failure == OnAuditFailure::Allow && file.audit.durability == Durability::Strict {
        let what = "decisions are waited for, and requests go on all the same where they cannot be recorded";
        reader.warn(field, what, "write `on_failure: block`, or leave `durability` out");
    }
}
