//! Texts with a meaning of their own: durations, sizes, addresses. Each function says what it expects when it refuses.

use core::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::{Compare, Operator, UpstreamUrl};

/// What [`duration`] reads.
pub(super) const DURATION: &str = "a duration with its unit, such as `500ms`, `10s`, `5m` or `1h`";
/// What [`size`] reads.
pub(super) const SIZE: &str = "a size in bytes, such as `65536`, `64KiB`, `32MiB` or `10MB`";

/// `500ms`, `10s`, `5m`, `1h`, `7d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        "d" => Some(Duration::from_secs(number.checked_mul(24 * 3600)?)),
        _ => None,
    }
}

/// `65536`, `64KiB`, `32MiB`, `10MB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// The text that [`duration`] reads back, in the largest unit that divides it.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        it if it % 86_400_000 == 0 => format!("{}d", it / 86_400_000),
        it if it % 3_600_000 == 0 => format!("{}h", it / 3_600_000),
        it if it % 60_000 == 0 => format!("{}m", it / 60_000),
        it if it % 1000 == 0 => format!("{}s", it / 1000),
        it => format!("{it}ms"),
    }
}

/// The text that [`size`] reads back.
pub(super) fn size_text(bytes: u64) -> String {
    match bytes {
        it if it >= 1 << 30 && it % (1 << 30) == 0 => format!("{}GiB", it >> 30),
        it if it >= 1 << 20 && it % (1 << 20) == 0 => format!("{}MiB", it >> 20),
        it if it >= 1 << 10 && it % (1 << 10) == 0 => format!("{}KiB", it >> 10),
        it => it.to_string(),
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim_start()))
}

/// `>= high`, `< 0.5`, `high`: the operator, or `bare` where none stands, and the text after it.
pub(super) fn comparison(text: &str, bare: Operator) -> (Operator, &str) {
    const OPERATORS: [(&str, Operator); 6] = [
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        (">", Operator::Above),
        ("<", Operator::Below),
    ];
    let text = text.trim();
    for (sign, operator) in OPERATORS {
        if let Some(rest) = text.strip_prefix(sign) {
            return (operator, rest.trim());
        }
    }
    (bare, text)
}

/// Whether any value from `lowest` to `highest` satisfies the comparison.
pub(super) fn possible<T: Ord>(compare: &Compare<T>, lowest: &T, highest: &T) -> bool {
    match compare.operator {
        Operator::Above => compare.value < *highest,
        Operator::Below => compare.value > *lowest,
        Operator::AtLeast | Operator::AtMost | Operator::Equal | Operator::Unequal => true,
    }
}

/// `https://host:port/prefix`. The error is a sentence without the address itself.
pub(super) fn url(text: &str) -> Result<UpstreamUrl, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("an address starts with `https://` or `http://`")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err("only `https://` and `http://` are spoken here"),
    };
    if rest.contains(['?', '#']) {
        return Err("an upstream address has no query and no fragment");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("user name and password have no place in an address; use `api_key:` or `headers:`");
    }
    let (host, port) = authority_parts(authority)?;
    let path = path.trim_end_matches('/');
    let clean = path.bytes().all(|it| it.is_ascii_graphic() && !matches!(it, b'\\' | b'"' | b'<' | b'>' | b'`'));
    if !clean || path.contains("//") || path.split('/').any(|it| it == "." || it == "..") {
        return Err("the path of the address holds something that does not belong into a path prefix");
    }
    let port = port.unwrap_or(if tls { 443 } else { 80 });
    Ok(UpstreamUrl { tls, host, port, path: path.to_owned() })
}

/// `host:port` where the port must stand.
pub(super) fn listen(text: &str) -> Result<(), &'static str> {
    match authority_parts(text)? {
        (_, Some(_)) => Ok(()),
        (_, None) => Err("the port is missing"),
    }
}

/// Host without brackets, and the port if one stands there.
pub(super) fn authority_parts(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(inside) => {
            let (address, rest) = inside.split_once(']').ok_or("the `]` of the IPv6 address is missing")?;
            address.parse::<Ipv6Addr>().map_err(|_| "what stands between `[` and `]` is not an IPv6 address")?;
            (address, rest.strip_prefix(':').or(if rest.is_empty() { None } else { Some(rest) }))
        }
        None => match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, None),
        },
    };
    if !host(name) {
        return Err("the host is not a host name or an address");
    }
    let port = match port {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|it| it.is_ascii_digit()) => Some(port),
            _ => return Err("the port is not a number from 1 to 65535"),
        },
    };
    Ok((name.to_ascii_lowercase(), port))
}

/// Whether `text` is a host name or an IP address without brackets.
pub(super) fn host(text: &str) -> bool {
    let name = |it: &str| {
        let label = it.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_'));
        label && !it.is_empty() && it.len() <= 63
    };
    // A name of digits and dots alone is a mistyped address: resolvers read it in surprising ways.
    let numeric = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    text.parse::<IpAddr>().is_ok() || (!numeric && text.len() <= 253 && text.split('.').all(name))
}

/// Whether only this machine can reach the host.
pub(super) fn loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}
