//! `teams:` who may use which models under which checks, and the gateway keys that tell them apart.

use sha2::{Digest, Sha256};

use super::keys;
use super::mistake::Mistake;
use super::parse::checkers;
use super::reader::{Entry, Field, Reader, Section};
use super::{GatewayKey, Moment, Team};

const NAME_CHARS_MAX: usize = 64;
/// Fewer characters than this are worth a warning.
const KEY_CHARS_MIN: usize = 12;

impl GatewayKey {
    /// SHA-256 of the key.
    pub fn digest(&self) -> [u8; 32] {
        match self {
            GatewayKey::Clear(key) => Sha256::digest(key.expose().as_bytes()).into(),
            GatewayKey::Sha256 { digest, .. } => *digest,
        }
    }

    /// From when on it holds no more, if it has an end.
    pub fn until(&self) -> Option<Moment> {
        match self {
            GatewayKey::Clear(_) => None,
            GatewayKey::Sha256 { until, .. } => *until,
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>, top: &Section<'_>) -> Vec<Team> {
    let Some(field) = top.find("teams") else { return Vec::new() };
    let Some(entries) = reader.named(field) else { return Vec::new() };
    if entries.is_empty() {
        let what = "no team is configured: everyone who reaches the port is let in";
        reader.warn(field, what, "name the teams and their gateway keys, or leave `teams:` out");
    }
    let mut taken: Vec<([u8; 32], String)> = Vec::new();
    entries.iter().filter_map(|it| team(reader, it, &mut taken)).collect()
}

fn team(reader: &mut Reader<'_>, entry: &Entry<'_>, taken: &mut Vec<([u8; 32], String)>) -> Option<Team> {
    let name = entry.name;
    let safe = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b' ');
    if name.trim() != name || name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(safe) {
        let what = format!("`{}` cannot be the name of a team", entry.shown);
        let expected = "at most 64 letters, digits, spaces, `-`, `_` and `.`";
        reader.mistakes.push(Mistake::new(&entry.field.path, Some(entry.name_span), what).expected(expected));
    }
    let section = reader.section(&entry.field, keys::TEAM)?;
    let api_keys = match section.find("api_keys") {
        Some(field) => api_keys(reader, field, entry.shown, taken),
        None => Vec::new(),
    };
    let listed = section.find("api_keys").and_then(|it| match &it.node.value {
        super::node::Value::Sequence(items) => Some(items.len()),
        _ => None,
    });
    if listed.unwrap_or(0) == 0 {
        let what = format!("the team `{}` has no gateway key, so nobody can be in it", entry.shown);
        let mistake = Mistake::new(&entry.field.path, Some(entry.name_span), what);
        reader.warnings.push(mistake.help("add a key to `api_keys:`; `airiskguard-gateway keygen` makes one"));
    }
    Some(Team {
        name: name.to_owned(),
        api_keys,
        model_allowlist: section.find("model_allowlist").and_then(|it| models(reader, it)),
        outbound_checks: section.find("outbound_checks").and_then(|it| checkers(reader, it)),
        inbound_checks: section.find("inbound_checks").and_then(|it| checkers(reader, it)),
        redact_secrets: section.find("redact_secrets").and_then(|it| reader.flag(it)),
        limits: super::team_limits::read(reader, &section, "limits"),
    })
}

fn api_keys(
    reader: &mut Reader<'_>,
    field: &Field<'_>,
    team: &str,
    taken: &mut Vec<([u8; 32], String)>,
) -> Vec<GatewayKey> {
    let mut keys = Vec::new();
    for item in reader.list(field).unwrap_or_default() {
        let Some(key) = api_key(reader, &item) else { continue };
        let digest = key.digest();
        match taken.iter().find(|(it, _)| *it == digest) {
            Some((_, owner)) => {
                let what = format!("this key already belongs to the team `{owner}`");
                reader.reject(&item, what, "each gateway key once");
            }
            None => {
                taken.push((digest, team.to_owned()));
                keys.push(key);
            }
        }
    }
    keys
}

/// A gateway key in clear, or `sha256:` and 64 hex digits, which may have an end.
fn api_key(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<GatewayKey> {
    let secret = reader.secret(field)?;
    let Some(rest) = secret.expose().strip_prefix("sha256:") else {
        if secret.expose().contains(' ') {
            reader.reject(field, "this key holds a space", "a key that clients can send in a header");
            return None;
        }
        if secret.expose().len() < KEY_CHARS_MIN {
            let help = "`airiskguard-gateway keygen` makes one that cannot be guessed";
            reader.warn(field, "this gateway key is short enough to be guessed", help);
        }
        return Some(GatewayKey::Clear(secret));
    };
    let (hex, end) = rest.split_once(" until ").map_or((rest, None), |(hex, end)| (hex, Some(end)));
    let Some(digest) = digest(hex) else {
        reader.reject(field, "this digest cannot be read", "`sha256:` and 64 hex digits");
        return None;
    };
    match end.map(str::parse).transpose() {
        Ok(until) => Some(GatewayKey::Sha256 { digest, until }),
        Err(()) => {
            reader.reject(field, "the end of this key cannot be read", "`sha256:… until 2026-12-31T12:00:00Z`");
            None
        }
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(digest)
}

fn models(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Vec<String>> {
    let items = reader.list(field)?;
    if items.is_empty() {
        reader.warn(field, "no model is allowed here", "name some, or leave the key out to allow every model");
    }
    Some(items.iter().filter_map(|it| reader.text(it)).collect())
}
