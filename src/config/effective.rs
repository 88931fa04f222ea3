//! The configuration as it holds, in one line for the start log. Secrets are `***`.

use std::fmt::Write;

use super::audit::{DURABILITY, ON_FAILURE};
use super::mistake::MASK;
use super::parse::{LOG_LEVELS, ON_UNSCANNABLE};
use super::units::{duration_text, size_text};
use super::upstreams::DIALECTS;
use super::{AuditStore, CircuitLimits, Dialect, Durability, File, LogLevel, OnAuditFailure, OnUnscannable, Upstream};
use crate::domain::Checker;

impl Dialect {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        name_in(&DIALECTS, self)
    }
}

impl LogLevel {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        name_in(&LOG_LEVELS, self)
    }
}

impl OnUnscannable {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        name_in(&ON_UNSCANNABLE, self)
    }
}

impl Durability {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        name_in(&DURABILITY, self)
    }
}

impl OnAuditFailure {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        name_in(&ON_FAILURE, self)
    }
}

fn name_in<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, it)| *it == value).map_or("", |(name, _)| *name)
}

impl File {
    /// `key=value` for every setting, in one line. No secret is in it; of keys it tells how many there are.
    pub fn effective(&self) -> String {
        let mut line = format!("host={} port={} tls={}", self.host, self.port, on(self.tls.is_some()));
        // Writing to a String cannot fail.
        let _ = self.write_behaviour(&mut line);
        let _ = self.write_limits(&mut line);
        line
    }

    fn write_behaviour(&self, line: &mut String) -> std::fmt::Result {
        for it in &self.upstreams {
            write!(line, " upstream.{}={}", it.name, upstream(it))?;
        }
        write!(line, " checks.outbound={}", checkers(&self.checks.outbound))?;
        write!(line, " checks.inbound={}", checkers(&self.checks.inbound))?;
        write!(line, " rules={} policies={}", self.rules.files.len(), self.policies.len())?;
        write!(line, " exceptions={} quarantine_rules={}", self.exceptions.len(), self.quarantine.rules.len())?;
        write!(line, " known_secrets.files={}", self.known_secrets.files.len())?;
        for team in &self.teams {
            let limits: String = team.limits.set().iter().map(|(key, it)| format!(",{key}={it}")).collect();
            write!(line, " team={:?}({} keys{limits})", team.name, team.api_keys.len())?;
        }
        for (key, value) in self.team_limits.set() {
            write!(line, " team_limits.{key}={value}")?;
        }
        write!(line, " prices={}", self.prices.len())?;
        write!(line, " block_on_secrets={} redact_secrets={}", self.block_on_secrets, self.redact_secrets)?;
        write!(line, " redaction.restore={}", self.redaction.restore)?;
        let keys = [("redaction.key", &self.redaction.key), ("known_secrets.key", &self.known_secrets.key)];
        for (name, _) in keys.into_iter().filter(|(_, it)| it.is_some()) {
            write!(line, " {name}={MASK}")?;
        }
        self.write_notifications(line)?;
        for it in &self.siem {
            let (destination, format) = (it.destination(), it.format.name());
            write!(line, " siem.{}={destination:?}({format})", it.name)?;
        }
        write!(line, " audit_enabled={} open_access={}", self.audit_enabled, self.open_access)?;
        self.write_audit(line)?;
        write!(line, " on_unscannable={} log_level={}", self.on_unscannable.name(), self.log_level.name())?;
        write!(line, " admin.listen={}", self.admin.listen.as_deref().unwrap_or("off"))?;
        match &self.control.server {
            None => write!(line, " control.embedded={}", self.control.embedded),
            Some(it) => {
                let ca = if it.ca_file.is_some() { "(ca_file)" } else { "" };
                write!(line, " control.server={}{ca} control.poll={}", it.url, duration_text(it.poll))
            }
        }
    }

    fn write_audit(&self, line: &mut String) -> std::fmt::Result {
        let it = &self.audit;
        let store = match &it.store {
            None => "default".to_owned(),
            Some(AuditStore::Sqlite(path)) => format!("sqlite:{path}"),
            Some(AuditStore::Postgres(_)) => format!("postgres:{MASK}"),
        };
        write!(line, " audit.store={store} audit.directory={}", it.directory.as_deref().unwrap_or("default"))?;
        write!(line, " audit.retention_days={} audit.durability={}", it.retention_days, it.durability.name())?;
        write!(line, " audit.on_failure={} audit.full_text={}", it.on_failure.name(), it.full_text)?;
        write!(line, " audit.spool_bytes_max={}", size_text(it.spool_bytes_max))
    }

    fn write_notifications(&self, line: &mut String) -> std::fmt::Result {
        let it = &self.notifications;
        for (_, name, channel) in it.channels() {
            let (risk, refusals, rate) = (channel.minimum_risk, channel.refusals, channel.rate_per_minute);
            write!(line, " notifications.{name}={MASK}({risk},refusals={refusals},{rate}/min)")?;
        }
        if it.channels().next().is_none() {
            return Ok(());
        }
        write!(line, " notifications.deduplicate_for={}", duration_text(it.deduplicate_for))?;
        write!(line, " notifications.dead_letter_after={}", duration_text(it.dead_letter_after))?;
        write!(line, " notifications.dashboard_url={}", it.dashboard_url.as_deref().unwrap_or("none"))?;
        write!(line, " notifications.proxy={}", if it.proxy.is_some() { MASK } else { "none" })
    }

    fn write_limits(&self, line: &mut String) -> std::fmt::Result {
        let it = &self.limits;
        let sizes = [
            ("body_bytes_max", it.body_bytes_max),
            ("response_bytes_max", it.response_bytes_max),
            ("held_bytes_max", it.held_bytes_max),
            ("header_bytes_max", it.header_bytes_max),
            ("body_rate_min", it.body_rate_min),
            ("send_rate_min", it.send_rate_min),
        ];
        let counts = [
            ("decompression_ratio_max", it.decompression_ratio_max),
            ("json_depth_max", u64::from(it.json_depth_max)),
            ("findings_max", u64::from(it.findings_max)),
            ("connections_max", u64::from(it.connections_max)),
            ("connections_per_client_max", u64::from(it.connections_per_client_max)),
            ("requests_max", u64::from(it.requests_max)),
            ("sockets_max", u64::from(it.sockets_max)),
            ("team_sockets_max", u64::from(it.team_sockets_max)),
        ];
        let times = [
            ("header_timeout", it.header_timeout),
            ("body_timeout", it.body_timeout),
            ("queue_timeout", it.queue_timeout),
            ("send_timeout", it.send_timeout),
            ("idle_timeout", it.idle_timeout),
            ("total_timeout", it.total_timeout),
            ("socket_idle_timeout", it.socket_idle_timeout),
            ("socket_timeout", it.socket_timeout),
            ("drain_timeout", it.drain_timeout),
        ];
        for (name, bytes) in sizes {
            write!(line, " limits.{name}={}", size_text(bytes))?;
        }
        for (name, count) in counts {
            write!(line, " limits.{name}={count}")?;
        }
        for (name, time) in times {
            write!(line, " limits.{name}={}", duration_text(time))?;
        }
        Ok(())
    }
}

fn on(it: bool) -> &'static str {
    if it { "on" } else { "off" }
}

fn upstream(it: &Upstream) -> String {
    let key = match (it.api_key.is_some(), it.more_api_keys.len()) {
        (false, _) => String::new(),
        (true, 0) => format!(",key={MASK}"),
        (true, more) => format!(",{} keys={MASK}", more + 1),
    };
    let more: String = it.more_urls.iter().map(|url| format!(",{url}")).collect();
    let circuit = match it.circuit {
        usual if usual == CircuitLimits::default() => String::new(),
        own => format!(",circuit={}/{}", own.failures_max, duration_text(own.open)),
    };
    let ca = if it.ca_file.is_some() { ",ca_file" } else { "" };
    let headers: String = it.headers.iter().map(|(name, _)| format!(",{name}={MASK}")).collect();
    let times = &it.timeouts;
    let [connect, read, write, idle] = [times.connect, times.read, times.write, times.idle].map(duration_text);
    let times = format!("timeouts={connect}/{read}/{write}/{idle}");
    format!("{}{more}({}{key}{ca}{headers},{times}{circuit})", it.url, it.dialect.name())
}

pub(super) fn checkers(checkers: &[Checker]) -> String {
    match checkers {
        [] => "none".to_owned(),
        checkers => checkers.iter().map(Checker::name).collect::<Vec<_>>().join(","),
    }
}
