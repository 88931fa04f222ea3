//! Reads `siem:`, and refuses what makes no sense together.

use super::super::mistake::Mistake;
use super::super::node::Value;
use super::super::parse::tls;
use super::super::reader::{Field, Reader, Section};
use super::super::{File, UpstreamUrl, keys, units, upstreams};
use super::{FACILITIES, FORMATS, Facility, Siem, SiemFormat, SiemFraming, SiemInclude, SiemTarget, SyslogOver};
use crate::domain::Secret;

const NAME_CHARS_MAX: usize = 64;
const INDEX_CHARS_MAX: usize = 128;
/// Receivers that one gateway feeds.
const RECEIVERS_MAX: usize = 16;
const BROKERS_MAX: usize = 16;
const FILE_BYTES_MAX: u64 = 100 << 20;

const TO: &str = "`syslog+tls://host:6514`, `syslog+tcp://`, `syslog+udp://`, `splunk+https://`, `elastic+https://`, \
                  `otlp+https://`, `https://`, `kafka://broker:9092/topic` or `file:/path`";

const INCLUDES: [(&str, SiemInclude); 2] = [("all", SiemInclude::All), ("findings", SiemInclude::Findings)];
const STREAM_FRAMINGS: [(&str, SiemFraming); 2] =
    [("octet_counting", SiemFraming::OctetCounting), ("newline", SiemFraming::Newline)];
const POST_FRAMINGS: [(&str, SiemFraming); 2] = [("lines", SiemFraming::Lines), ("array", SiemFraming::Array)];

pub(in super::super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Vec<Siem> {
    let Some(field) = top.find("siem").filter(|it| !matches!(it.node.value, Value::Null)) else { return Vec::new() };
    let items = reader.list(field).unwrap_or_default();
    if items.len() > RECEIVERS_MAX {
        let what = format!("{} receivers are more than one gateway feeds", items.len());
        reader.reject(field, what, &format!("at most {RECEIVERS_MAX} receivers"));
    }
    let mut all: Vec<Siem> = Vec::new();
    for item in items {
        let Some((name, siem)) = siem(reader, &item) else { continue };
        if all.iter().any(|it| it.name == siem.name) {
            let what = format!("there is another receiver of the name {}", reader.quote(&name));
            reader.reject(&name, what, "a name of its own for each receiver");
        }
        all.push(siem);
    }
    all
}

/// Whether there is anything to send.
pub(in super::super) fn check(reader: &mut Reader<'_>, top: &Section<'_>, file: &File) {
    if let Some(field) = top.find("siem").filter(|_| !file.siem.is_empty() && !file.audit_enabled) {
        let what = "these receivers read the audit log, and no exchange is recorded";
        reader.reject(field, what, "`audit_enabled: true`, or no `siem:`");
    }
}

/// A receiver, and the field of its name.
fn siem<'n>(reader: &mut Reader<'_>, item: &Field<'n>) -> Option<(Field<'n>, Siem)> {
    let section = reader.section(item, keys::SIEM)?;
    let mut required = |key: &str| {
        let found = section.find(key).cloned();
        if found.is_none() {
            reader.reject(item, format!("this receiver has no `{key}`"), "`name` and `to`");
        }
        found
    };
    let (name_field, to_field) = (required("name"), required("to"));
    let name = name_field.as_ref().and_then(|it| name(reader, it));
    let to = to_field.as_ref().and_then(|it| target(reader, it));
    let (name_field, to) = (name_field?, to?);
    let siem = Siem {
        name: name?,
        format: format(reader, &section, &to)?,
        token: section.find("token").and_then(|it| token(reader, it)),
        headers: section.find("headers").map(|it| upstreams::headers(reader, it)).unwrap_or_default(),
        ca_file: section.find("ca_file").and_then(|it| reader.text(it)),
        client_certificate: section.find("client_certificate").and_then(|it| tls(reader, it)),
        facility: section.find("facility").and_then(|it| facility(reader, it)).unwrap_or_default(),
        framing: framing(reader, &section, &to)?,
        index: section.find("index").and_then(|it| index(reader, it)),
        include: section.find("include").and_then(|it| reader.choice(it, &INCLUDES)).unwrap_or_default(),
        file_bytes_max: section
            .find("file_bytes_max")
            .and_then(|it| reader.size(it, 1 << 16..=1 << 40))
            .unwrap_or(FILE_BYTES_MAX),
        to,
    };
    fitting(reader, &section, &siem);
    Some((name_field, siem))
}

/// It is a part of metrics and of the name of a cursor.
fn name(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if text.len() <= NAME_CHARS_MAX && text.bytes().all(safe) {
        return Some(text);
    }
    let what = format!("{} cannot be the name of a receiver", reader.quote(field));
    reader.reject(field, what, "at most 64 letters, digits, `-`, `_` and `.`");
    None
}

fn target(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<SiemTarget> {
    // Addresses of collectors are often the secret themselves.
    let typed = reader.typed(field);
    let path = typed.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '@', '#']));
    if path && !typed.starts_with("kafka") {
        reader.hide(field.node);
    }
    let text = reader.text(field)?;
    if let Some(path) = text.strip_prefix("file:") {
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            reader.reject(field, "this is not the whole path of a file", "`file:/path`");
            return None;
        }
        return Some(SiemTarget::File { path: path.to_owned() });
    }
    let read = match text.split_once("://") {
        None => Err("this says neither how nor where to"),
        Some((scheme, rest)) => by_scheme(scheme, rest),
    };
    match read {
        Ok(target) => {
            in_clear(reader, field, &target);
            Some(target)
        }
        Err(reason) => {
            reader.reject(field, reason, TO);
            None
        }
    }
}

fn by_scheme(scheme: &str, rest: &str) -> Result<SiemTarget, &'static str> {
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("user name and password have no place in an address; use `token:` or `headers:`");
    }
    let over_http = |scheme: &str| units::url(&format!("{scheme}://{rest}"));
    Ok(match scheme {
        "syslog+udp" => syslog(SyslogOver::Udp, rest)?,
        "syslog+tcp" => syslog(SyslogOver::Tcp, rest)?,
        "syslog+tls" => syslog(SyslogOver::Tls, rest)?,
        "kafka" => kafka(false, rest)?,
        "kafka+tls" => kafka(true, rest)?,
        "http" | "https" => {
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            if path.contains('#') || !path.bytes().all(|it| it.is_ascii_graphic()) {
                return Err("the path of the address holds something that does not belong there");
            }
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            SiemTarget::Http { origin: units::url(&format!("{scheme}://{authority}"))?, path: Secret::new(path) }
        }
        scheme => match scheme.split_once('+') {
            Some(("splunk", scheme)) => SiemTarget::Splunk(over_http(scheme)?),
            Some(("elastic", scheme)) => SiemTarget::Elastic(over_http(scheme)?),
            Some(("otlp", scheme)) => SiemTarget::Otlp(over_http(scheme)?),
            _ => return Err("no receiver is spoken to like that"),
        },
    })
}

fn syslog(over: SyslogOver, rest: &str) -> Result<SiemTarget, &'static str> {
    if rest.contains(['/', '?', '#', '@']) {
        return Err("an address of syslog is a host and a port, and nothing else");
    }
    let usual = if over == SyslogOver::Tls { 6514 } else { 514 };
    let (host, port) = units::authority_parts(rest)?;
    Ok(SiemTarget::Syslog { over, host, port: port.unwrap_or(usual) })
}

fn kafka(tls: bool, rest: &str) -> Result<SiemTarget, &'static str> {
    let (brokers, topic) = rest.split_once('/').ok_or("the topic is missing behind the brokers")?;
    let safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    if topic.is_empty() || topic.len() > 249 || !topic.bytes().all(safe) {
        return Err("a topic has letters, digits, `-`, `_` and `.`, 249 at most");
    }
    let broker = |it: &str| {
        let (host, port) = units::authority_parts(it)?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Ok(format!("{host}:{}", port.unwrap_or(9092)))
    };
    let brokers = brokers.split(',').map(broker).collect::<Result<Vec<_>, &'static str>>()?;
    if brokers.len() > BROKERS_MAX {
        return Err("16 brokers are enough to find the others");
    }
    Ok(SiemTarget::Kafka { tls, brokers, topic: topic.to_owned() })
}

fn in_clear(reader: &mut Reader<'_>, field: &Field<'_>, target: &SiemTarget) {
    let far = |url: &UpstreamUrl| !url.tls && !units::loopback(&url.host);
    let (clear, help) = match target {
        SiemTarget::Syslog { over: SyslogOver::Udp | SyslogOver::Tcp, host, .. } => {
            (!units::loopback(host), "use `syslog+tls://`, unless the network between is trusted")
        }
        SiemTarget::Splunk(url) | SiemTarget::Elastic(url) | SiemTarget::Otlp(url) => (far(url), "use `https`"),
        SiemTarget::Http { origin, .. } => (far(origin), "use `https`"),
        SiemTarget::Kafka { tls, brokers, .. } => {
            let near = |it: &String| it.rsplit_once(':').is_some_and(|(host, _)| units::loopback(host));
            (!tls && !brokers.iter().all(near), "use `kafka+tls://`, unless the network between is trusted")
        }
        SiemTarget::Syslog { .. } | SiemTarget::File { .. } => (false, ""),
    };
    if clear {
        reader.warn(field, "records go to this host in clear", help);
    }
}

/// The format that is named, or the usual one of the receiver.
fn format(reader: &mut Reader<'_>, section: &Section<'_>, to: &SiemTarget) -> Option<SiemFormat> {
    let usual = match to {
        SiemTarget::Syslog { .. } => SiemFormat::Cef,
        SiemTarget::Elastic(_) => SiemFormat::Ecs,
        _ => SiemFormat::Json,
    };
    let Some(field) = section.find("format") else { return Some(usual) };
    let format = reader.choice(field, &FORMATS)?;
    let reason = match to {
        SiemTarget::Elastic(_) if !format.is_json() => "documents of Elasticsearch are JSON",
        SiemTarget::Http { .. } if !format.is_json() => "what is posted there is JSON",
        SiemTarget::Otlp(_) => "OpenTelemetry has a form of its own",
        _ => return Some(format),
    };
    let expected = if matches!(to, SiemTarget::Otlp(_)) { "no `format:`" } else { "one of json, ecs, ocsf" };
    reader.reject(field, reason, expected);
    None
}

fn framing(reader: &mut Reader<'_>, section: &Section<'_>, to: &SiemTarget) -> Option<SiemFraming> {
    let field = section.find("framing");
    let mut chosen = |choices: &[(&str, SiemFraming)]| match field {
        Some(field) => reader.choice(field, choices),
        None => Some(choices[0].1),
    };
    match to {
        SiemTarget::Syslog { over: SyslogOver::Tcp, .. } => chosen(&STREAM_FRAMINGS),
        SiemTarget::Http { .. } => chosen(&POST_FRAMINGS),
        SiemTarget::Syslog { .. } => Some(SiemFraming::OctetCounting),
        _ => Some(SiemFraming::Lines),
    }
}

fn token(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Secret> {
    let token = reader.secret(field)?;
    let typed = reader.typed(field);
    if !typed.contains("${") && !typed.starts_with("file:") {
        let help = "write `${NAME}` or `file:/path` and keep the token out of the file";
        reader.warn(field, "the receiver's token stands in this file in clear", help);
    }
    Some(token)
}

fn facility(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Facility> {
    let choices: Vec<(&str, Facility)> = (0..).zip(FACILITIES).map(|(number, name)| (name, Facility(number))).collect();
    reader.choice(field, &choices)
}

/// It becomes a part of an address.
fn index(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let text = reader.text(field)?;
    let safe = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'_' | b'.');
    let starts = text.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric());
    if starts && text.len() <= INDEX_CHARS_MAX && text.bytes().all(safe) {
        return Some(text);
    }
    let what = format!("{} cannot be the name of an index", reader.quote(field));
    reader.reject(field, what, "at most 128 of a-z, 0-9, `-`, `_` and `.`, a letter or digit first");
    None
}

/// Keys that this receiver has no use for are mistakes: whoever wrote them expects something.
fn fitting(reader: &mut Reader<'_>, section: &Section<'_>, siem: &Siem) {
    use SiemTarget::{Elastic, File, Http, Kafka, Otlp, Splunk, Syslog};
    let to = &siem.to;
    let posted = matches!(to, Splunk(_) | Elastic(_) | Otlp(_) | Http { .. });
    let tls = match to {
        Syslog { over, .. } => *over == SyslogOver::Tls,
        Splunk(url) | Elastic(url) | Otlp(url) | Http { origin: url, .. } => url.tls,
        Kafka { tls, .. } => *tls,
        File { .. } => false,
    };
    let useful = [
        ("token", posted, "a receiver over HTTP"),
        ("headers", posted, "a receiver over HTTP"),
        ("ca_file", tls, "a receiver over TLS"),
        ("client_certificate", tls, "a receiver over TLS"),
        ("facility", matches!(to, Syslog { .. }), "a receiver of syslog"),
        (
            "framing",
            matches!(to, Http { .. } | Syslog { over: SyslogOver::Tcp, .. }),
            "`syslog+tcp://`, or JSON posted to `https://`",
        ),
        ("index", matches!(to, Splunk(_) | Elastic(_)), "Splunk or Elasticsearch"),
        ("file_bytes_max", matches!(to, File { .. }), "a file"),
    ];
    for (key, _, whom) in useful.into_iter().filter(|(_, useful, _)| !useful) {
        if let Some(field) = section.find(key) {
            let what = format!("`{key}` means nothing to this receiver");
            let mistake = Mistake::new(&field.path, Some(field.node.span), what);
            reader.mistakes.push(mistake.expected(whom));
        }
    }
    let nameless = matches!(to, Splunk(_)) && siem.token.is_none() && siem.headers.is_empty();
    if let Some(field) = section.find("to").filter(|_| nameless) {
        reader.warn(field, "an event collector lets nobody in without a token", "add `token: ${SPLUNK_TOKEN}`");
    }
}
