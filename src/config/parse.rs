//! The whole file, top to bottom. Sections of some size have files of their own.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::keys;
use super::mistake::{self, Mistake, Mistakes, Warnings};
use super::node::{self, Flaw, Node, Value};
use super::reader::{Field, Reader, Section};
use super::reference::Resolve;
use super::rules::{ReadRules, RuleMistake};
use super::{Admin, Checks, File, Limits, LogLevel, OnUnscannable, Redaction, RuleFile, Rules, Tls, units};
use super::{
    audit, control, exceptions, fronts, known, notifications, policies, prices, quarantine, rules, siem, team_limits,
    teams, upstreams,
};
use crate::domain::Checker;

/// The names of `log_level:`.
pub(super) const LOG_LEVELS: [(&str, LogLevel); 4] =
    [("debug", LogLevel::Debug), ("info", LogLevel::Info), ("warning", LogLevel::Warning), ("error", LogLevel::Error)];

/// The names of `on_unscannable:`.
pub(super) const ON_UNSCANNABLE: [(&str, OnUnscannable); 3] =
    [("block", OnUnscannable::Block), ("flag", OnUnscannable::Flag), ("allow", OnUnscannable::Allow)];

/// What a text is read with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The file's name, for messages.
    pub origin: &'a str,
    /// Answers references to the environment and to files.
    pub resolve: &'a Resolve<'a>,
    /// The checkers that exist without rule files.
    pub known_checkers: &'a [&'a str],
    /// Reads the files of `rules:`, whose checkers exist, too.
    pub read_rules: &'a ReadRules<'a>,
}

impl File {
    /// Reads a configuration with the built-in checkers, and without rule files. Warnings are dropped; [`Reading::read`] returns them.
    ///
    /// `Err` holds every mistake that was found, not only the first.
    pub fn parse(text: &str, origin: &str, resolve: &Resolve<'_>) -> Result<File, Mistakes> {
        let read_rules = |files: &[RuleFile]| match files {
            [] => Ok(Vec::new()),
            _ => Err(vec![RuleMistake { file: 0, what: "rule files are not read here".to_owned() }]),
        };
        let reading = Reading { origin, resolve, known_checkers: &Checker::BUILT_IN, read_rules: &read_rules };
        reading.read(text).map(|(file, _)| file)
    }
}

impl Reading<'_> {
    /// Reads a configuration, with what is doubtful in it beside. `Err` holds every mistake that was found.
    pub fn read(&self, text: &str) -> Result<(File, Warnings), Mistakes> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (root, flaws) = node::read(text).map_err(|flaw| self.unreadable(text, flaw))?;
        let mut reader = Reader::new(self.known_checkers, self.resolve);
        reader.hide_secrets(&root, "");
        for flaw in flaws {
            if let Some(node) = &flaw.dropped {
                reader.hide(node);
            }
            reader.mistakes.push(broken(flaw));
        }
        let rules = self.rules(&mut reader, &root);
        let brought = rules.checkers.iter().map(Checker::name);
        let checkers: Vec<&str> = self.known_checkers.iter().copied().chain(brought).collect();
        reader.checkers = &checkers;
        let file = file(&mut reader, &root, rules.clone());
        let Reader { mut mistakes, mut warnings, hidden, .. } = reader;
        mistake::illustrate(&mut mistakes, text, &hidden);
        mistake::illustrate(&mut warnings, text, &hidden);
        let origin = self.origin.to_owned();
        match file {
            Some(file) if mistakes.is_empty() => Ok((file, Warnings { origin, items: warnings })),
            _ => Err(Mistakes { origin, items: mistakes }),
        }
    }

    /// The rule files come before everything else: other settings name the checkers that they bring.
    fn rules(&self, reader: &mut Reader<'_>, root: &Node) -> Rules {
        let Value::Mapping(entries) = &root.value else { return Rules::default() };
        match entries.iter().find(|(key, node)| key.name == "rules" && !matches!(node.value, Value::Null)) {
            Some((_, node)) => {
                let field = Field { path: "rules".to_owned(), node };
                rules::read(reader, &field, self.read_rules, self.known_checkers)
            }
            None => Rules::default(),
        }
    }

    /// Text that is no tree has no settings either: which of its lines hold secrets is judged line by line.
    fn unreadable(&self, text: &str, flaw: Flaw) -> Mistakes {
        let hidden = mistake::doubtful_lines(text);
        let mut items = vec![broken(flaw)];
        mistake::illustrate(&mut items, text, &hidden);
        Mistakes { origin: self.origin.to_owned(), items }
    }
}

fn broken(flaw: Flaw) -> Mistake {
    let mut mistake = Mistake::new("", flaw.span, flaw.what);
    mistake.expected = flaw.expected;
    mistake
}

/// `None` only when the text as a whole is no mapping; a part that is wrong is replaced by its default.
fn file(reader: &mut Reader<'_>, root: &Node, rules: Rules) -> Option<File> {
    let empty = Node { span: root.span, value: Value::Mapping(Vec::new()) };
    let node = if matches!(root.value, Value::Null) { &empty } else { root };
    let top = reader.section(&Field { path: String::new(), node }, keys::TOP)?;
    let control = control::read(reader, &top);
    let upstreams = upstreams::read(reader, &top, control.governs());
    let mut file = File { upstreams, rules, control, ..File::default() };
    file.tls = top.find("tls").and_then(|it| tls(reader, it));
    if let Some(field) = top.find("checks") {
        checks(reader, field, &mut file.checks);
    }
    file.teams = teams::read(reader, &top);
    file.team_limits = team_limits::read(reader, &top, "team_limits");
    file.prices = prices::read(reader, &top);
    file.policies = policies::read(reader, &top, &file.teams);
    file.exceptions = exceptions::read(reader, &top, &file.teams);
    file.quarantine = quarantine::read(reader, &top);
    file.known_secrets = known::read(reader, &top);
    file.notifications = notifications::read(reader, &top);
    file.siem = siem::read(reader, &top);
    if let Some(field) = top.find("redaction") {
        file.redaction = redaction(reader, field);
    }
    set_flag(reader, &top, "block_on_secrets", &mut file.block_on_secrets);
    set_flag(reader, &top, "redact_secrets", &mut file.redact_secrets);
    set_flag(reader, &top, "audit_enabled", &mut file.audit_enabled);
    file.audit = audit::read(reader, &top);
    set_flag(reader, &top, "open_access", &mut file.open_access);
    if let Some(choice) = top.find("on_unscannable").and_then(|it| reader.choice(it, &ON_UNSCANNABLE)) {
        file.on_unscannable = choice;
    }
    file.fronts = fronts::read(reader, &top);
    if let Some(host) = top.find("host").and_then(|it| host(reader, it)) {
        file.host = host;
    }
    if let Some(port) = top.find("port").and_then(|it| reader.integer(it, 0..=65_535)) {
        file.port = u16::try_from(port).unwrap_or(file.port);
    }
    if let Some(level) = top.find("log_level").and_then(|it| reader.choice(it, &LOG_LEVELS)) {
        file.log_level = level;
    }
    if let Some(field) = top.find("limits") {
        limits(reader, field, &mut file.limits);
    }
    if let Some(field) = top.find("admin") {
        file.admin = admin(reader, field);
    }
    super::coherence::check(reader, &top, &file);
    Some(file)
}

pub(super) fn set_flag(reader: &mut Reader<'_>, section: &Section<'_>, key: &str, flag: &mut bool) {
    if let Some(value) = section.find(key).and_then(|it| reader.flag(it)) {
        *flag = value;
    }
}

/// Certificate and key, as paths of PEM files.
pub(super) fn tls(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Tls> {
    let section = reader.section(field, keys::TLS)?;
    let mut part = |key: &str| match section.find(key) {
        Some(it) => reader.text(it),
        None => {
            reader.reject(field, format!("`{key}` is missing"), "both `cert` and `key`, paths of PEM files");
            None
        }
    };
    let (cert, key) = (part("cert"), part("key"));
    Some(Tls { cert: cert?, key: key? })
}

fn checks(reader: &mut Reader<'_>, field: &Field<'_>, checks: &mut Checks) {
    let Some(section) = reader.section(field, keys::CHECKS) else { return };
    if let Some(names) = section.find("outbound").and_then(|it| checkers(reader, it)) {
        checks.outbound = names;
    }
    if let Some(names) = section.find("inbound").and_then(|it| checkers(reader, it)) {
        checks.inbound = names;
    }
}

/// A list of checkers, each once.
pub(super) fn checkers(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Vec<Checker>> {
    let items = reader.list(field)?;
    if items.is_empty() {
        reader.warn(field, "no checker runs here", "name at least one, or leave the key out for the default");
    }
    let mut names: Vec<Checker> = Vec::new();
    for item in items {
        let Some(checker) = checker(reader, &item) else { continue };
        match names.contains(&checker) {
            true => reader.reject(&item, format!("`{checker}` stands here a second time"), "each checker once"),
            false => names.push(checker),
        }
    }
    Some(names)
}

/// The name of a checker that exists.
pub(super) fn checker(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Checker> {
    let text = reader.text(field)?;
    if reader.checkers.contains(&text.as_str()) {
        return Some(Checker::new(&text));
    }
    let what = format!("there is no checker {}", reader.quote(field));
    let mistake = Mistake::new(&field.path, Some(field.node.span), what);
    reader.mistakes.push(mistake.one_of(reader.typed(field), reader.checkers));
    None
}

fn redaction(reader: &mut Reader<'_>, field: &Field<'_>) -> Redaction {
    let Some(section) = reader.section(field, keys::REDACTION) else { return Redaction::default() };
    let mut redaction = Redaction::default();
    set_flag(reader, &section, "restore", &mut redaction.restore);
    if let Some(field) = section.find("key") {
        redaction.key = reader.secret(field);
        if redaction.key.as_ref().is_some_and(|it| it.expose().len() < 16) {
            reader.reject(field, "this key can be guessed", "at least 16 characters, made by a random generator");
        }
    }
    redaction
}

/// A host name or address to bind to.
fn host(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    if units::host(&text) {
        return Some(text);
    }
    reader.reject(field, format!("{} is no address to listen on", reader.quote(field)), HOST);
    None
}

/// What `host:` expects.
pub(super) const HOST: &str = "an address or a host name, such as `0.0.0.0`, `127.0.0.1` or `::`";

fn limits(reader: &mut Reader<'_>, field: &Field<'_>, limits: &mut Limits) {
    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let Some(section) = reader.section(field, keys::LIMITS) else { return };
    let sizes: [(&str, &mut u64, RangeInclusive<u64>); 6] = [
        ("body_bytes_max", &mut limits.body_bytes_max, 1 << 10..=1 << 30),
        ("response_bytes_max", &mut limits.response_bytes_max, 1 << 10..=1 << 30),
        ("held_bytes_max", &mut limits.held_bytes_max, 1 << 20..=1 << 40),
        ("header_bytes_max", &mut limits.header_bytes_max, 1 << 10..=1 << 20),
        ("body_rate_min", &mut limits.body_rate_min, 0..=1 << 30),
        ("send_rate_min", &mut limits.send_rate_min, 1..=1 << 30),
    ];
    for (key, limit, range) in sizes {
        if let Some(value) = section.find(key).and_then(|it| reader.size(it, range)) {
            *limit = value;
        }
    }
    if let Some(value) = section.find("decompression_ratio_max").and_then(|it| reader.integer(it, 1..=100_000)) {
        limits.decompression_ratio_max = value;
    }
    let counts: [(&str, &mut u32, RangeInclusive<u64>); 7] = [
        ("json_depth_max", &mut limits.json_depth_max, 8..=1024),
        ("findings_max", &mut limits.findings_max, 1..=1_000_000),
        ("connections_max", &mut limits.connections_max, 1..=1_000_000),
        ("connections_per_client_max", &mut limits.connections_per_client_max, 1..=1_000_000),
        ("requests_max", &mut limits.requests_max, 1..=1_000_000),
        ("sockets_max", &mut limits.sockets_max, 0..=1_000_000),
        ("team_sockets_max", &mut limits.team_sockets_max, 0..=1_000_000),
    ];
    for (key, limit, range) in counts {
        if let Some(value) = section.find(key).and_then(|it| reader.integer(it, range)) {
            *limit = u32::try_from(value).unwrap_or(*limit);
        }
    }
    let times: [(&str, &mut Duration); 9] = [
        ("header_timeout", &mut limits.header_timeout),
        ("body_timeout", &mut limits.body_timeout),
        ("queue_timeout", &mut limits.queue_timeout),
        ("send_timeout", &mut limits.send_timeout),
        ("idle_timeout", &mut limits.idle_timeout),
        ("total_timeout", &mut limits.total_timeout),
        ("socket_idle_timeout", &mut limits.socket_idle_timeout),
        ("socket_timeout", &mut limits.socket_timeout),
        ("drain_timeout", &mut limits.drain_timeout),
    ];
    for (key, limit) in times {
        let least = if key == "drain_timeout" { Duration::ZERO } else { SECOND / 10 };
        if let Some(value) = section.find(key).and_then(|it| reader.duration(it, least..=DAY)) {
            *limit = value;
        }
    }
    if limits.held_bytes_max < limits.body_bytes_max {
        let at = section.find("held_bytes_max").or(section.find("body_bytes_max")).unwrap_or(field);
        let (held, body) = (units::size_text(limits.held_bytes_max), units::size_text(limits.body_bytes_max));
        let what = format!("held_bytes_max ({held}) is less than body_bytes_max ({body})");
        reader.reject(at, what, "room for at least one whole body");
    }
}

fn admin(reader: &mut Reader<'_>, field: &Field<'_>) -> Admin {
    let Some(section) = reader.section(field, keys::ADMIN) else { return Admin::default() };
    let Some(field) = section.find("listen").filter(|it| !matches!(it.node.value, Value::Null)) else {
        return Admin::default();
    };
    let Some(text) = reader.text(field) else { return Admin::default() };
    if let Err(reason) = units::listen(&text) {
        reader.reject(field, reason, "`host:port`, such as `127.0.0.1:9090`");
    }
    Admin { listen: Some(text) }
}
