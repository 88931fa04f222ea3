//! Addresses: IPv4 and IPv6, and URLs that carry a password.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::placeholder;

/// Whether `text` is an address that somebody can own: not private, local, reserved or kept for documentation.
pub(super) fn is_public_ip(text: &[u8]) -> bool {
    match std::str::from_utf8(text).map(str::parse::<IpAddr>) {
        Ok(Ok(IpAddr::V4(address))) => is_public_v4(address),
        Ok(Ok(IpAddr::V6(address))) => is_public_v6(address),
        _ => false,
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, fourth] = address.octets();
    let reserved = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || (first == 192 && second == 0 && third == 0)
        // Networks rather than hosts.
        || (third == 0 && fourth == 0);
    // Public resolvers stand in every tutorial, and sample addresses count up.
    let well_known = matches!(
        address.octets(),
        [8, 8, 8, 8]
            | [8, 8, 4, 4]
            | [1, 1, 1, 1]
            | [9, 9, 9, 9]
            | [1, 0, 0, 1]
            | [4, 3, 2, 1]
            | [5, 6, 7, 8]
            | [123, 45, 67, 89]
            | [1, 1 | 2, ..]
    );
    !reserved && !well_known && !matches!(address.octets(), [a, b, c, d] if a == b && b == c && c == d)
}

/// Only `2000::/3` is given out, less what documentation, benchmarks and tunnels have of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    let well_known = matches!(first, 0x2001) && matches!(second, 0x4860);
    let documentation = (first == 0x2001 && matches!(second, 0xdb8 | 0 | 2)) || (first == 0x3fff && second < 0x1000);
    (0x2000..0x4000).contains(&first) && !documentation && !well_known && address.segments()[2..] != [0; 6]
}

/// Whether the password in `scheme://user:password@host` is there and is no placeholder. The last `@` before the path
/// ends it: people paste passwords that contain one.
pub(super) fn has_url_password(url: &[u8]) -> bool {
    let Some(start) = find(url, b"://") else { return false };
    let rest = &url[start + 3..];
    let Some(at) = rest.iter().rposition(|&byte| byte == b'@') else { return false };
    let Some(colon) = rest[..at].iter().position(|&byte| byte == b':') else { return false };
    let (user, password) = (&rest[..colon], &rest[colon + 1..at]);
    !password.is_empty()
        && !placeholder::is_placeholder(password)
        && !is_expression(password)
        && !is_sample(user, password, &rest[at + 1..])
}

/// `{quote_plus(password)}`: a piece of the program that puts the address together.
fn is_expression(password: &[u8]) -> bool {
    let inner = password.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    inner.is_some_and(|inner| inner.first().is_some_and(u8::is_ascii_alphabetic))
}

/// What manuals and tests write: the first user of Oracle, `foo:bar`, and a user who is their own password on this machine.
fn is_sample(user: &[u8], password: &[u8], host: &[u8]) -> bool {
    const PAIRS: [(&[u8], &[u8]); 2] = [(b"scott", b"tiger"), (b"foo", b"bar")];
    const PASSWORDS: [&[u8]; 2] = [b"psw", b"raddpass"];
    let local = host.starts_with(b"localhost") || host.starts_with(b"127.0.0.1");
    let pair = |(name, word): &(&[u8], &[u8])| name.eq_ignore_ascii_case(user) && word.eq_ignore_ascii_case(password);
    PAIRS.iter().any(pair) || PASSWORDS.contains(&password) || local && user == password
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for address in ["81.2.69.142", "68.190.182.0", "2a02:8108:9640:1a60::4f1", "::ffff:81.2.69.142"] {
            assert!(is_public_ip(address.as_bytes()), "{address}");
        }
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.9",
            "172.16.4.4",
            "192.0.2.7",
            "203.0.113.5",
            "8.8.8.8",
            "1.2.3.4",
            "2001:db8::1",
            "::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "300.1.1.1",
            "1.2.3",
            "100.64.1.1",
        ] {
            assert!(!is_public_ip(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn passwords_in_urls() {
        assert!(has_url_password(concat!("postgresql://admin:MyP@ss", "w0rd@prod.db.company.com/app").as_bytes()));
        assert!(has_url_password(concat!("redis://:q8Zr", "2Lm@cache:6379").as_bytes()));
        for url in [
            "postgres://user:password@host/db",
            "postgres://user:${PW}@host/db",
            "postgres://user@host/db",
            "postgres://host/db",
            "mysql://u:<pw>@h",
            "postgresql://{quote_plus(user)}:{quote_plus(pw)}@{host}/app",
            "oracle://scott:tiger@db/x",
            "postgres://shop:shop@localhost:5432/shop",
            "mysql://foo:bar@db/x",
        ] {
            assert!(!has_url_password(url.as_bytes()), "{url}");
        }
    }
}
