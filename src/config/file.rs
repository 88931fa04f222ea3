//! Every option there is, with its default. What the user typed, checked; not yet what the program runs on.

use std::sync::Arc;
use std::time::Duration;

use super::node::Span;
use super::{CircuitLimits, ControlPlane, Day, Fronts, Moment, Notifications, Price, Quarantine, Siem, TeamLimits};
use crate::domain::{Action, Checker, Direction, Fingerprint, Risk, Score, Secret, Source};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct File {
    /// `upstream:` providers by name, in the order of the file.
    pub upstreams: Vec<Upstream>,
    /// `tls:` certificate and key; plain HTTP without.
    pub tls: Option<Tls>,
    /// `checks:` the checkers that run for teams that name none.
    pub checks: Checks,
    /// `rules:` files with the company's own rules, read together with the configuration. None by default.
    pub rules: Rules,
    /// `policies:` in the order of the file.
    pub policies: Vec<Policy>,
    /// `exceptions:` findings that may pass, in the order of the file.
    pub exceptions: Vec<Exception>,
    /// `quarantine:` who is kept out after how many findings.
    pub quarantine: Quarantine,
    /// `teams:` in the order of the file; without any, everyone is the team `default`.
    pub teams: Vec<Team>,
    /// `team_limits:` what a team may use that has no `limits:` of its own.
    pub team_limits: TeamLimits,
    /// `prices:` what tokens cost, the example prices of the program last.
    pub prices: Vec<Price>,
    /// `notifications:` who is told of what was stopped; its options stand in `notifications.rs`.
    pub notifications: Notifications,
    /// `siem:` where the records of the audit log are sent, in the order of the file. None by default.
    pub siem: Vec<Siem>,
    /// `block_on_secrets:` block (not just log) when a secret is found. Default true.
    pub block_on_secrets: bool,
    /// `redact_secrets:` replace what has a span instead of blocking. Default false.
    pub redact_secrets: bool,
    /// `redaction:` how originals are replaced.
    pub redaction: Redaction,
    /// `known_secrets:` the company's own secrets, as keyed fingerprints.
    pub known_secrets: KnownSecrets,
    /// `audit_enabled:` one structured record per exchange. Default true.
    pub audit_enabled: bool,
    /// `audit:` where records are kept.
    pub audit: Audit,
    /// `open_access:` allow a configured provider key although no team is configured. Default false.
    pub open_access: bool,
    /// `on_unscannable:` what happens to content that cannot be read (media and other files, encrypted,
    /// numbers of tokens): block, flag, allow. Default allow.
    pub on_unscannable: OnUnscannable,
    /// `trusted_proxies:` and `proxy_protocol:` who stands in front. Nobody by default.
    pub fronts: Fronts,
    /// `host:` bind address. Default 0.0.0.0.
    pub host: String,
    /// `port:` bind port. Default 8080.
    pub port: u16,
    /// `log_level:` debug, info, warning or error. Default info.
    pub log_level: LogLevel,
    /// `limits:` sizes and times.
    pub limits: Limits,
    /// `admin:` the listener for metrics, health and readiness.
    pub admin: Admin,
    /// `control:` a policy server that says what this gateway runs on. None by default.
    pub control: ControlPlane,
}

impl File {
    /// Every checker that exists with this configuration.
    pub fn known_checkers(&self) -> Vec<&str> {
        Checker::BUILT_IN.into_iter().chain(self.rules.checkers.iter().map(Checker::name)).collect()
    }
}

impl Default for File {
    /// What holds where the file says nothing. It has no upstream, which a file must name.
    fn default() -> Self {
        File {
            upstreams: Vec::new(),
            tls: None,
            checks: Checks::default(),
            rules: Rules::default(),
            policies: Vec::new(),
            exceptions: Vec::new(),
            quarantine: Quarantine::default(),
            teams: Vec::new(),
            team_limits: TeamLimits::default(),
            prices: super::prices::examples(),
            notifications: Notifications::default(),
            siem: Vec::new(),
            block_on_secrets: true,
            redact_secrets: false,
            redaction: Redaction::default(),
            known_secrets: KnownSecrets::default(),
            audit_enabled: true,
            audit: Audit::default(),
            open_access: false,
            on_unscannable: OnUnscannable::Allow,
            fronts: Fronts::default(),
            host: "0.0.0.0".to_owned(),
            port: 8080,
            log_level: LogLevel::Info,
            limits: Limits::default(),
            admin: Admin::default(),
            control: ControlPlane::default(),
        }
    }
}

/// One provider endpoint.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Key under `upstream:`; also a path prefix: `/<name>/…`.
    pub name: String,
    /// `url:` scheme, host, port and an optional path prefix. http and https only.
    pub url: UpstreamUrl,
    /// `urls:` the addresses after the first, in their order; all with the same path.
    pub more_urls: Vec<UpstreamUrl>,
    /// `dialect:` defaults from the name (`anthropic`, `openai`, `azure`).
    pub dialect: Dialect,
    /// `api_key:` or `api_key_file:` the provider's key, swapped in for the gateway key.
    pub api_key: Option<Secret>,
    /// `api_keys:` the keys after the first, in their order.
    pub more_api_keys: Vec<Secret>,
    /// `circuit:` when an address is left alone.
    pub circuit: CircuitLimits,
    /// `ca_file:` PEM roots that replace the system's for this upstream.
    pub ca_file: Option<String>,
    /// `timeouts:`
    pub timeouts: UpstreamTimeouts,
    /// `headers:` set on every request to this upstream.
    pub headers: Vec<(String, Secret)>,
}

/// A parsed upstream address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port; 443 or 80 by default.
    pub port: u16,
    /// Path that every request path is appended to; no trailing slash, empty for none.
    pub path: String,
}

/// Which provider's API an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI Chat Completions, Responses and the rest.
    OpenAi,
    /// Azure OpenAI: deployment paths and `api-key`.
    Azure,
}

/// Times for one upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// `connect:` TCP and TLS. Default 10 s.
    pub connect: Duration,
    /// `read:` between two reads of an answer. Default 300 s.
    pub read: Duration,
    /// `write:` for one write. Default 30 s.
    pub write: Duration,
    /// `idle:` a pooled connection is kept. Default 55 s.
    pub idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        UpstreamTimeouts {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(300),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(55),
        }
    }
}

/// Certificate chain and key, PEM files. Reloaded when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `cert:` path.
    pub cert: String,
    /// `key:` path.
    pub key: String,
}

/// Checkers by direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    /// `outbound:` default `[secrets, compliance, agent]`.
    pub outbound: Vec<Checker>,
    /// `inbound:` default `[vuln, agent]`.
    pub inbound: Vec<Checker>,
}

impl Default for Checks {
    fn default() -> Self {
        Checks {
            outbound: ["secrets", "compliance", "agent"].map(Checker::new).to_vec(),
            inbound: ["vuln", "agent"].map(Checker::new).to_vec(),
        }
    }
}

/// The company's own rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The files, in the order of the list.
    pub files: Vec<RuleFile>,
    /// The checkers that they bring beside the built-in ones.
    pub checkers: Vec<Checker>,
}

/// A rule file, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path, as written.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// One policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// `name:` unique.
    pub name: String,
    /// `description:`
    pub description: Option<String>,
    /// `condition:` all of its keys must hold.
    pub condition: Condition,
    /// `action:`
    pub action: Action,
    /// `redact:` `false` blocks even where `redact_secrets` would turn the block into a redaction.
    pub redact: Option<bool>,
}

/// The keys of a condition; all that are present are ANDed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Condition {
    /// `checker:`
    pub checker: Option<Checker>,
    /// `risk: ">= high"` of one finding.
    pub risk: Option<Compare<Risk>>,
    /// `score: "> 0.8"` of one finding.
    pub score: Option<Compare<Score>>,
    /// `contains_flag:` a finding's type or rule id.
    pub contains_flag: Option<String>,
    /// `passed:` whether the checker found nothing.
    pub passed: Option<bool>,
    /// `overall_risk:` highest risk of all findings.
    pub overall_risk: Option<Compare<Risk>>,
    /// `overall_score:` highest score of all findings.
    pub overall_score: Option<Compare<Score>>,
    /// `checkers_above:` at least `count` checkers with a finding of that risk and score.
    pub checkers_above: Option<CheckersAbove>,
    /// `team:`
    pub team: Option<String>,
    /// `model:` with `*` as a wildcard.
    pub model: Option<String>,
    /// `direction:`
    pub direction: Option<Direction>,
    /// `rule:` id, with `*` as a wildcard.
    pub rule: Option<String>,
    /// `type:` the label.
    pub label: Option<String>,
    /// `source:`
    pub source: Option<Source>,
}

/// `checkers_above: {risk, score, count}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckersAbove {
    /// Least risk; a bare level means at least that level.
    pub risk: Option<Compare<Risk>>,
    /// Least score.
    pub score: Option<Compare<Score>>,
    /// How many checkers.
    pub count: u32,
}

/// An operator and what it compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compare<T> {
    /// The operator.
    pub operator: Operator,
    /// The right-hand side.
    pub value: T,
}

impl<T: Ord> Compare<T> {
    /// Whether `left OP value` holds.
    pub fn holds(&self, left: &T) -> bool {
        match self.operator {
            Operator::AtLeast => *left >= self.value,
            Operator::AtMost => *left <= self.value,
            Operator::Above => *left > self.value,
            Operator::Below => *left < self.value,
            Operator::Equal => *left == self.value,
            Operator::Unequal => *left != self.value,
        }
    }
}

/// `>= <= > < == !=`; a bare value means `==`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

/// Findings that may pass. They stay in the record of their exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// `name:` unique.
    pub name: String,
    /// `reason:` why they may pass, and who answers for it.
    pub reason: String,
    /// `expires:` the last day, UTC, on which they may.
    pub expires: Day,
    /// `scope:` all of its keys must hold for the finding.
    pub scope: Scope,
    /// Where `expires` stands.
    pub(super) place: Span,
}

/// Which findings an exception is about. At least one of `rule`, `type`, `checker` and `fingerprint` is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// `rule:` id, with `*` as a wildcard.
    pub rule: Option<String>,
    /// `type:` the label.
    pub label: Option<String>,
    /// `checker:`
    pub checker: Option<Checker>,
    /// `fingerprint:` of the very value that was found, under `known_secrets.key`.
    pub fingerprint: Option<Fingerprint>,
    /// `team:`
    pub team: Option<String>,
    /// `model:` with `*` as a wildcard.
    pub model: Option<String>,
    /// `direction:`
    pub direction: Option<Direction>,
    /// `source:`
    pub source: Option<Source>,
}

/// One team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Key under `teams:`.
    pub name: String,
    /// `api_keys:` gateway keys, in clear or as digests.
    pub api_keys: Vec<GatewayKey>,
    /// `model_allowlist:` model names, with `*` as a wildcard; every model when absent.
    pub model_allowlist: Option<Vec<String>>,
    /// `outbound_checks:`
    pub outbound_checks: Option<Vec<Checker>>,
    /// `inbound_checks:`
    pub inbound_checks: Option<Vec<Checker>>,
    /// `redact_secrets:` overrides the global setting.
    pub redact_secrets: Option<bool>,
    /// `limits:` before `team_limits:`.
    pub limits: TeamLimits,
}

/// A gateway key as written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayKey {
    /// The key itself.
    Clear(Secret),
    /// `sha256:<64 hex digits>` of the key, and perhaps ` until 2026-12-31T12:00:00Z`.
    Sha256 {
        /// SHA-256 of the key.
        digest: [u8; 32],
        /// From this moment on it holds no more, by the gateway's own clock.
        until: Option<Moment>,
    },
}

/// How originals are replaced.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// `restore:` keyed placeholders, put back into completions. Default false.
    pub restore: bool,
    /// `key:` what placeholders are derived from; the installation's own key when absent.
    pub key: Option<Secret>,
}

/// The company's own secrets.
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets {
    /// `key:` what fingerprints are made and recognised with.
    pub key: Option<Secret>,
    /// `files:` what `airiskguard-gateway fingerprint` wrote.
    pub files: Vec<KnownFile>,
}

/// A fingerprint file. What is wrong in it is told when it is compiled.
#[derive(Clone, Debug)]
pub struct KnownFile {
    /// Its path, for messages.
    pub path: String,
    /// What stands in it.
    pub text: Arc<str>,
}

/// Where records are kept, for how long, and what happens when they cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// `store:` the database; `None`: a SQLite file in `directory`.
    pub store: Option<AuditStore>,
    /// `directory:` the gateway's own folder, for journal, keys and the default store; `None`: see the README.
    pub directory: Option<String>,
    /// `retention_days:` how long records are kept; 0 keeps them for ever. Default 30.
    pub retention_days: u32,
    /// `durability:` batched or strict. Default batched.
    pub durability: Durability,
    /// `on_failure:` what happens to requests that cannot be recorded: block or allow. Default block.
    pub on_failure: OnAuditFailure,
    /// `spool_bytes_max:` how far the store may lag behind. Default 1 GiB.
    pub spool_bytes_max: u64,
    /// `full_text:` keep what was said, redacted and encrypted. Default false.
    pub full_text: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Audit {
            store: None,
            directory: None,
            retention_days: 30,
            durability: Durability::Batched,
            on_failure: OnAuditFailure::Block,
            spool_bytes_max: 1 << 30,
            full_text: false,
        }
    }
}

/// Which database keeps the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditStore {
    /// A file.
    Sqlite(String),
    /// `postgres://…`, password included.
    Postgres(Secret),
}

/// When a record is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Within a tenth of a second: only a power failure takes what came since.
    #[default]
    Batched,
    /// The decision is on disk before the provider is contacted.
    Strict,
}

/// What happens to requests that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAuditFailure {
    /// They are refused.
    #[default]
    Block,
    /// They go on, and are counted.
    Allow,
}

/// `block | flag | allow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnscannable {
    /// Refuse the exchange.
    Block,
    /// Let it pass with a flag.
    Flag,
    /// Let it pass, counted.
    #[default]
    Allow,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// One line per exchange, starts and stops.
    #[default]
    Info,
    /// What an operator should look at.
    Warning,
    /// What is broken.
    Error,
}

/// Sizes and times. Every one is a hard bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `body_bytes_max:` of one request, decoded. Default 32 MiB.
    pub body_bytes_max: u64,
    /// `response_bytes_max:` of one held answer, decoded. Default 32 MiB.
    pub response_bytes_max: u64,
    /// `held_bytes_max:` of all exchanges together. Default 512 MiB.
    pub held_bytes_max: u64,
    /// `header_bytes_max:` of one request head. Default 64 KiB.
    pub header_bytes_max: u64,
    /// `decompression_ratio_max:` decoded over encoded bytes. Default 200.
    pub decompression_ratio_max: u64,
    /// `json_depth_max:` nesting of a request. Default 128.
    pub json_depth_max: u32,
    /// `findings_max:` of one text flow; more are a block. Default 10,000.
    pub findings_max: u32,
    /// `connections_max:` open client connections. Default 10,000.
    pub connections_max: u32,
    /// `connections_per_client_max:` of one address, or one /64 of IPv6. Default 5,000.
    pub connections_per_client_max: u32,
    /// `requests_max:` exchanges in flight. Default 10,000.
    pub requests_max: u32,
    /// `queue_timeout:` a request waits for its turn. Default 1 s.
    pub queue_timeout: Duration,
    /// `sockets_max:` open WebSocket connections. Default 1,000.
    pub sockets_max: u32,
    /// `team_sockets_max:` of them, of one team. Default 500.
    pub team_sockets_max: u32,
    /// `header_timeout:` until a request head is complete. Default 15 s.
    pub header_timeout: Duration,
    /// `body_timeout:` for the whole request body. Default 60 s.
    pub body_timeout: Duration,
    /// `body_rate_min:` bytes a second of a request body, after its first ten seconds. Default 1 KiB.
    pub body_rate_min: u64,
    /// `send_timeout:` in which a client takes what it is sent, beside the time of `send_rate_min`. Default 60 s.
    pub send_timeout: Duration,
    /// `send_rate_min:` bytes a second that a client takes at least. Default 8 KiB.
    pub send_rate_min: u64,
    /// `idle_timeout:` of a kept connection. Default 75 s.
    pub idle_timeout: Duration,
    /// `total_timeout:` of one exchange. Default 1 h.
    pub total_timeout: Duration,
    /// `socket_idle_timeout:` of a WebSocket on which nothing is asked. Default 15 min.
    pub socket_idle_timeout: Duration,
    /// `socket_timeout:` life of a WebSocket; the answer under way is finished. Default 1 h.
    pub socket_timeout: Duration,
    /// `drain_timeout:` for exchanges in flight at a stop. Default 30 s.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body_bytes_max: 32 << 20,
            response_bytes_max: 32 << 20,
            held_bytes_max: 512 << 20,
            header_bytes_max: 64 << 10,
            decompression_ratio_max: 200,
            json_depth_max: 128,
            findings_max: 10_000,
            connections_max: 10_000,
            connections_per_client_max: 5_000,
            requests_max: 10_000,
            queue_timeout: Duration::from_secs(1),
            sockets_max: 1000,
            team_sockets_max: 500,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            body_rate_min: 1 << 10,
            send_timeout: Duration::from_secs(60),
            send_rate_min: 8 << 10,
            idle_timeout: Duration::from_secs(75),
            total_timeout: Duration::from_secs(3600),
            socket_idle_timeout: Duration::from_secs(15 * 60),
            socket_timeout: Duration::from_secs(3600),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The listener for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// `listen:` `host:port`; metrics and readiness are served only when set. No default.
    pub listen: Option<String>,
}
