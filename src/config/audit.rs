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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<File, String> {
        let text = format!("upstream: {{anthropic: 'https://a.example'}}\n{more}\n");
        File::parse(&text, "test", &|_| Err("nothing".to_owned())).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn every_setting_reads() {
        let audit = read(
            "audit: {store: 'sqlite:/var/a.db', directory: /var/a, retention_days: 7, durability: strict,
             on_failure: allow, spool_bytes_max: 2GiB, full_text: true}",
        );
        let audit = audit.unwrap().audit;
        assert!(matches!(&audit.store, Some(AuditStore::Sqlite(path)) if path == "/var/a.db"));
        assert_eq!((audit.directory.as_deref(), audit.retention_days), (Some("/var/a"), 7));
        assert_eq!((audit.durability, audit.on_failure), (Durability::Strict, OnAuditFailure::Allow));
        assert_eq!((audit.spool_bytes_max, audit.full_text), (2 << 30, true));
        let usual = read("").unwrap().audit;
        assert_eq!((usual.retention_days, usual.durability), (30, Durability::Batched));
        assert_eq!((usual.on_failure, usual.full_text), (OnAuditFailure::Block, false));
    }

    #[test]
    fn a_store_is_a_file_or_a_postgres_and_its_password_is_never_shown() {
        for store in ["postgres://u:unseen@db.example/x?sslmode=require", "postgresql://u:unseen@localhost/x"] {
            let file = read(&format!("audit: {{store: '{store}'}}")).unwrap();
            assert!(matches!(&file.audit.store, Some(AuditStore::Postgres(url)) if url.expose() == store));
            assert!(file.effective().contains("audit.store=postgres:***") && !file.effective().contains("unseen"));
        }
        for store in ["mysql://u:unseen@db.example/x", "sqlite:", "sqlite:unseen?mode=ro", "unseen"] {
            let error = read(&format!("audit: {{store: '{store}'}}")).unwrap_err();
            assert!(error.contains("audit.store") && error.contains("sqlite:PATH"), "{error}");
            assert!(!error.contains("unseen"), "{error}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_a_mistake_with_its_place() {
        for (setting, part) in [
            ("retention_days: -1", "audit.retention_days"),
            ("durability: eventually", "batched"),
            ("on_failure: ignore", "block"),
            ("spool_bytes_max: 1MiB", "audit.spool_bytes_max"),
            ("full_text: perhaps", "audit.full_text"),
            ("retention: 3", "retention_days"),
        ] {
            let error = read(&format!("audit: {{{setting}}}")).unwrap_err();
            assert!(error.contains("test:2:") && error.contains(part), "{setting}: {error}");
        }
    }

    #[test]
    fn it_is_explained() {
        let file = read("audit: {durability: strict, retention_days: 0, full_text: true, on_failure: block}").unwrap();
        let text = super::super::explain(&file);
        for part in ["for ever", "on disk before the provider", "are refused", "redacted and encrypted"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
