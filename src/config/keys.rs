//! The spelling of every key, by section. What each means and its default stands in `file.rs`.

pub(super) const TOP: &[&str] = &[
    "upstream",
    "tls",
    "checks",
    "rules",
    "policies",
    "exceptions",
    "quarantine",
    "teams",
    "team_limits",
    "prices",
    "notifications",
    "siem",
    "block_on_secrets",
    "redact_secrets",
    "redaction",
    "known_secrets",
    "audit_enabled",
    "audit",
    "open_access",
    "on_unscannable",
    "host",
    "port",
    "log_level",
    "limits",
    "admin",
    "control",
];

pub(super) const UPSTREAM: &[&str] =
    &["url", "urls", "dialect", "api_key", "api_key_file", "api_keys", "ca_file", "timeouts", "circuit", "headers"];

pub(super) const CIRCUIT: &[&str] = &["failures_max", "open"];

pub(super) const TIMEOUTS: &[&str] = &["connect", "read", "write", "idle"];

pub(super) const TLS: &[&str] = &["cert", "key"];

pub(super) const CHECKS: &[&str] = &["outbound", "inbound"];

pub(super) const POLICY: &[&str] = &["name", "description", "condition", "action", "redact"];

pub(super) const CONDITION: &[&str] = &[
    "checker",
    "risk",
    "score",
    "contains_flag",
    "passed",
    "overall_risk",
    "overall_score",
    "checkers_above",
    "team",
    "model",
    "direction",
    "rule",
    "type",
    "source",
];

pub(super) const CHECKERS_ABOVE: &[&str] = &["risk", "score", "count"];

pub(super) const EXCEPTION: &[&str] = &["name", "reason", "expires", "scope"];

pub(super) const SCOPE: &[&str] = &["rule", "type", "checker", "fingerprint", "team", "model", "direction", "source"];

pub(super) const QUARANTINE: &[&str] = &["contact", "rules"];

pub(super) const QUARANTINE_RULE: &[&str] = &["name", "findings", "risk", "within", "per", "for"];

pub(super) const TEAM: &[&str] =
    &["api_keys", "model_allowlist", "outbound_checks", "inbound_checks", "redact_secrets", "limits"];

pub(super) const TEAM_LIMITS: &[&str] = &[
    "requests_per_minute",
    "tokens_per_minute",
    "requests_in_flight_max",
    "tokens_per_day",
    "tokens_per_month",
    "cost_per_day",
    "cost_per_month",
];

pub(super) const PRICE: &[&str] = &["model", "input", "output", "cache_read", "cache_write"];

pub(super) const NOTIFICATIONS: &[&str] = &[
    "slack",
    "webhook",
    "pagerduty",
    "pagerduty_key",
    "email",
    "deduplicate_for",
    "dead_letter_after",
    "dashboard_url",
    "proxy",
];

pub(super) const SLACK: &[&str] = &["url", "minimum_risk", "refusals", "rate_per_minute"];

pub(super) const WEBHOOK: &[&str] = &["url", "secret", "minimum_risk", "refusals", "rate_per_minute"];

pub(super) const PAGERDUTY: &[&str] = &["key", "url", "minimum_risk", "refusals", "rate_per_minute"];

pub(super) const EMAIL: &[&str] = &["smtp", "from", "to", "minimum_risk", "refusals", "rate_per_minute"];

pub(super) const SIEM: &[&str] = &[
    "name",
    "to",
    "format",
    "token",
    "headers",
    "ca_file",
    "client_certificate",
    "facility",
    "framing",
    "index",
    "include",
    "file_bytes_max",
];

pub(super) const REDACTION: &[&str] = &["restore", "key"];

pub(super) const KNOWN_SECRETS: &[&str] = &["key", "files"];

pub(super) const AUDIT: &[&str] =
    &["store", "directory", "retention_days", "durability", "on_failure", "spool_bytes_max", "full_text"];

pub(super) const LIMITS: &[&str] = &[
    "body_bytes_max",
    "response_bytes_max",
    "held_bytes_max",
    "header_bytes_max",
    "decompression_ratio_max",
    "json_depth_max",
    "findings_max",
    "connections_max",
    "connections_per_client_max",
    "requests_max",
    "queue_timeout",
    "sockets_max",
    "team_sockets_max",
    "header_timeout",
    "body_timeout",
    "body_rate_min",
    "send_timeout",
    "send_rate_min",
    "idle_timeout",
    "total_timeout",
    "socket_idle_timeout",
    "socket_timeout",
    "drain_timeout",
];

pub(super) const ADMIN: &[&str] = &["listen"];

pub(super) const CONTROL: &[&str] = &["server", "ca_file", "poll", "embedded"];

/// Every section's keys.
pub(super) const EVERY: &[&[&str]] = &[
    TOP,
    UPSTREAM,
    CIRCUIT,
    TIMEOUTS,
    TLS,
    CHECKS,
    POLICY,
    CONDITION,
    CHECKERS_ABOVE,
    EXCEPTION,
    SCOPE,
    QUARANTINE,
    QUARANTINE_RULE,
    TEAM,
    TEAM_LIMITS,
    PRICE,
    NOTIFICATIONS,
    SLACK,
    WEBHOOK,
    PAGERDUTY,
    EMAIL,
    SIEM,
    REDACTION,
    KNOWN_SECRETS,
    AUDIT,
    LIMITS,
    ADMIN,
    CONTROL,
];

/// Whether the value under `key`, itself in the section `parent`, is never shown.
pub(super) fn secret(parent: &str, key: &str) -> bool {
    match key {
        "api_key" | "api_keys" | "headers" | "notifications" | "slack" | "webhook" | "pagerduty" => true,
        "pagerduty_key" | "secret" | "smtp" | "proxy" | "token" => true,
        "key" => !matches!(parent, "tls" | "client_certificate"),
        "store" => parent == "audit",
        _ => false,
    }
}

/// First segments that name the gateway's own paths or a provider's: an upstream of that name would shadow them.
pub(super) const RESERVED_PATHS: &[&str] = &[
    "v1",
    "v1beta",
    "api",
    "health",
    "healthz",
    "readyz",
    "metrics",
    "chat",
    "completions",
    "responses",
    "embeddings",
    "models",
    "messages",
    "files",
    "batches",
];

/// Headers that belong to the connection or to the gateway, and cannot be set from the configuration.
pub(super) const RESERVED_HEADERS: &[&str] = &[
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-encoding",
    "accept-encoding",
];

/// Headers that carry a provider's credential.
pub(super) const CREDENTIAL_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key"];
