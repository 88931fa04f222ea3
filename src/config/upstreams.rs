//! `upstream:` providers in short form (an address) and in long form.

use std::fmt;
use std::time::Duration;

use super::keys;
use super::mistake::Mistake;
use super::node::Value;
use super::reader::{Entry, Field, Reader, Section};
use super::{Dialect, Upstream, UpstreamTimeouts, UpstreamUrl, units};
use crate::domain::Secret;

/// The names of `dialect:`, and the upstream names that imply them.
pub(super) const DIALECTS: [(&str, Dialect); 3] =
    [("anthropic", Dialect::Anthropic), ("openai", Dialect::OpenAi), ("azure", Dialect::Azure)];

const NAME_CHARS_MAX: usize = 64;
/// Addresses and keys of one upstream.
const MANY_MAX: usize = 16;
const ADDRESS: &str = "an address: `https://host`, with a port and a path prefix where needed";

/// When an address that fails is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitLimits {
    /// `failures_max:` in a row, after which it is left alone; 0 never does. Default 5.
    pub failures_max: u32,
    /// `open:` for how long at first; doubled up to eight times while it goes on failing. Default 5 s.
    pub open: Duration,
}

impl Default for CircuitLimits {
    fn default() -> Self {
        CircuitLimits { failures_max: 5, open: Duration::from_secs(5) }
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.tls { ("https", 443) } else { ("http", 80) };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]", self.host)?,
            false => write!(f, "{scheme}://{}", self.host)?,
        }
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// `told`: they come from elsewhere, so that the file may do without.
pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>, told: bool) -> Vec<Upstream> {
    let Some(field) = top.find("upstream") else {
        if told {
            return Vec::new();
        }
        let mistake = Mistake::new("upstream", None, "no upstream is configured");
        let help = "write `upstream:` and below it `anthropic: https://api.anthropic.com`";
        reader.mistakes.push(mistake.expected("at least one provider to forward to").help(help));
        return Vec::new();
    };
    let Some(entries) = reader.named(field) else { return Vec::new() };
    if entries.is_empty() {
        reader.reject(field, "no upstream is configured", "at least one provider: `anthropic: https://…`");
    }
    entries.iter().filter_map(|it| upstream(reader, it)).collect()
}

fn upstream(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<Upstream> {
    name(reader, entry);
    let implied = DIALECTS.iter().find(|(name, _)| *name == entry.name).map(|(_, dialect)| *dialect);
    let mut upstream = Upstream {
        name: entry.name.to_owned(),
        url: UpstreamUrl { tls: true, host: String::new(), port: 443, path: String::new() },
        more_urls: Vec::new(),
        dialect: implied.unwrap_or(Dialect::OpenAi),
        api_key: None,
        more_api_keys: Vec::new(),
        circuit: CircuitLimits::default(),
        ca_file: None,
        timeouts: UpstreamTimeouts::default(),
        headers: Vec::new(),
    };
    if let Value::Scalar(_) = entry.field.node.value {
        if implied.is_none() {
            let what = format!("the name `{}` does not say which API this provider speaks", entry.shown);
            let expected = "the long form: `url: …` and `dialect:` with one of anthropic, openai, azure";
            reader.mistakes.push(Mistake::new(&entry.field.path, Some(entry.name_span), what).expected(expected));
        }
        upstream.url = url(reader, &entry.field)?;
        return Some(upstream);
    }
    let section = reader.section(&entry.field, keys::UPSTREAM)?;
    match section.find("dialect") {
        Some(field) => upstream.dialect = reader.choice(field, &DIALECTS).unwrap_or(upstream.dialect),
        None if implied.is_none() => {
            let what = format!("`{}` has no `dialect:`, and its name implies none", entry.shown);
            let mistake = Mistake::new(&entry.field.path, Some(entry.name_span), what);
            reader.mistakes.push(mistake.expected("`dialect:` with one of anthropic, openai, azure"));
        }
        None => {}
    }
    (upstream.api_key, upstream.more_api_keys) = keys_of(reader, &section);
    if let Some(field) = section.find("circuit") {
        upstream.circuit = circuit(reader, field);
    }
    upstream.ca_file = section.find("ca_file").and_then(|it| reader.text(it));
    if let Some(field) = section.find("timeouts") {
        upstream.timeouts = timeouts(reader, field);
    }
    if let Some(field) = section.find("headers") {
        upstream.headers = headers(reader, field);
    }
    let Some(field) = section.find("url").or(section.find("urls")) else {
        let mistake = Mistake::new(&entry.field.path, Some(entry.name_span), "`url:` is missing");
        reader.mistakes.push(mistake.expected(ADDRESS));
        return None;
    };
    let mut addresses = urls(reader, &section).into_iter();
    upstream.url = addresses.next()?;
    upstream.more_urls = addresses.collect();
    if upstream.ca_file.is_some() && !upstream.url.tls {
        reader.reject(field, "`ca_file:` stands beside an address without TLS", "an `https://` address");
    }
    Some(upstream)
}

/// The addresses of `url:` or `urls:`. A request is made for all of them at once, so what they share is said here.
fn urls(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<UpstreamUrl> {
    let field = match (section.find("url"), section.find("urls")) {
        (Some(_), Some(field)) => {
            reader.reject(field, "`url` and `urls` stand side by side", "one of them");
            return Vec::new();
        }
        (Some(field), None) => return url(reader, field).into_iter().collect(),
        (None, Some(field)) => field,
        (None, None) => return Vec::new(),
    };
    let items = reader.list(field).unwrap_or_default();
    if items.is_empty() || items.len() > MANY_MAX {
        reader.reject(field, "there are no addresses here, or too many", "from 1 to 16 addresses");
    }
    let mut read: Vec<UpstreamUrl> = Vec::new();
    for item in &items {
        let Some(address) = url(reader, item) else { continue };
        if read.contains(&address) {
            reader.reject(item, "this address stands here a second time", "each address once");
        } else if read.first().is_some_and(|it| it.path != address.path || it.tls != address.tls) {
            let expected = "the same scheme and path for all addresses of one upstream";
            reader.reject(item, "this address has another scheme or path than the first", expected);
        }
        read.push(address);
    }
    read
}

fn circuit(reader: &mut Reader<'_>, field: &Field<'_>) -> CircuitLimits {
    let mut circuit = CircuitLimits::default();
    let Some(section) = reader.section(field, keys::CIRCUIT) else { return circuit };
    if let Some(count) = section.find("failures_max").and_then(|it| reader.integer(it, 0..=1000)) {
        circuit.failures_max = u32::try_from(count).unwrap_or(circuit.failures_max);
    }
    let range = Duration::from_millis(10)..=Duration::from_secs(3600);
    if let Some(open) = section.find("open").and_then(|it| reader.duration(it, range)) {
        circuit.open = open;
    }
    circuit
}

/// The name is a path segment, a metric label and a part of messages.
fn name(reader: &mut Reader<'_>, entry: &Entry<'_>) {
    let name = entry.name;
    let safe = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'_' | b'.');
    let starts = name.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric());
    let mistake = |what: String| Mistake::new(&entry.field.path, Some(entry.name_span), what);
    if !starts || name.len() > NAME_CHARS_MAX || !name.bytes().all(safe) {
        let what =
            format!("`{}` cannot be the name of an upstream, because it is also a path: `/<name>/…`", entry.shown);
        let expected = "at most 64 of a-z, 0-9, `-`, `_` and `.`, a letter or digit first";
        reader.mistakes.push(mistake(what).expected(expected));
    } else if keys::RESERVED_PATHS.contains(&name) {
        let what = format!("`{name}` cannot be the name of an upstream: the path `/{name}` has a meaning of its own");
        let expected = format!("a name other than {}", keys::RESERVED_PATHS.join(", "));
        reader.mistakes.push(mistake(what).expected(expected));
    }
}

fn url(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<UpstreamUrl> {
    // An address may hold a password, and what stands here by mistake may be a key.
    let typed = reader.typed(field);
    if typed.contains(['@', '?', ' ', '"', '\'', ',']) || !typed.starts_with("http") {
        reader.hide(field.node);
    }
    let text = reader.text(field)?;
    match units::url(&text) {
        Ok(url) => {
            if !url.tls && !units::loopback(&url.host) {
                let what = "prompts and keys go to this host in clear";
                reader.warn(field, what, "use `https://`, unless the network between is trusted");
            }
            Some(url)
        }
        Err(reason) => {
            reader.reject(field, reason, ADDRESS);
            None
        }
    }
}

/// The first key, and those after it.
fn keys_of(reader: &mut Reader<'_>, section: &Section<'_>) -> (Option<Secret>, Vec<Secret>) {
    let one = section.find("api_key").or(section.find("api_key_file"));
    match (one, section.find("api_keys")) {
        (None, None) => (None, Vec::new()),
        (Some(_), None) => (api_key(reader, section), Vec::new()),
        (Some(_), Some(several)) => {
            reader.reject(several, "`api_keys` stands beside `api_key`", "all keys under `api_keys`");
            (None, Vec::new())
        }
        (None, Some(field)) => {
            let items = reader.list(field).unwrap_or_default();
            if items.is_empty() || items.len() > MANY_MAX {
                reader.reject(field, "there are no keys here, or too many", "from 1 to 16 keys");
            }
            let mut keys = items.iter().filter_map(|it| key(reader, it));
            (keys.next(), keys.collect())
        }
    }
}

fn api_key(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Secret> {
    match (section.find("api_key"), section.find("api_key_file")) {
        (Some(_), Some(file)) => {
            reader.reject(file, "`api_key` and `api_key_file` stand side by side", "one of them");
            None
        }
        (Some(field), None) => key(reader, field),
        (None, Some(file)) => reader.secret_file(file),
        (None, None) => None,
    }
}

fn key(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Secret> {
    let secret = reader.secret(field)?;
    let typed = reader.typed(field);
    if !typed.contains("${") && !typed.starts_with("file:") {
        let help = "write `${NAME}`, `file:/path` or `api_key_file:` and keep the key out of the file";
        reader.warn(field, "the provider's key stands in this file in clear", help);
    }
    Some(secret)
}

fn timeouts(reader: &mut Reader<'_>, field: &Field<'_>) -> UpstreamTimeouts {
    let mut timeouts = UpstreamTimeouts::default();
    let Some(section) = reader.section(field, keys::TIMEOUTS) else { return timeouts };
    let range = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
    let times: [(&str, &mut Duration); 4] = [
        ("connect", &mut timeouts.connect),
        ("read", &mut timeouts.read),
        ("write", &mut timeouts.write),
        ("idle", &mut timeouts.idle),
    ];
    for (key, time) in times {
        if let Some(value) = section.find(key).and_then(|it| reader.duration(it, range.clone())) {
            *time = value;
        }
    }
    timeouts
}

/// Headers to set, each once, in lower case.
pub(super) fn headers(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<(String, Secret)> {
    let mut headers: Vec<(String, Secret)> = Vec::new();
    for Entry { name, shown, name_span, field } in reader.named(field).unwrap_or_default() {
        let token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
        let lower = name.to_ascii_lowercase();
        let refused = if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(token) {
            Some((format!("`{}` is no header name", shown), "letters, digits and `-`"))
        } else if keys::RESERVED_HEADERS.contains(&lower.as_str()) {
            Some((format!("the header `{shown}` is the gateway's own business"), "another header"))
        } else if headers.iter().any(|(it, _)| *it == lower) {
            Some((format!("the header `{shown}` stands here a second time"), "each header once, in any case"))
        } else {
            None
        };
        if let Some((what, expected)) = refused {
            reader.mistakes.push(Mistake::new(&field.path, Some(name_span), what).expected(expected));
        } else if let Some(value) = reader.secret(&field) {
            headers.push((lower, value));
        }
    }
    headers
}
