//! Addresses: e-mail, IPv4, and URLs that carry a password.

use std::net::Ipv4Addr;

use super::placeholder;

/// Mailboxes that nobody reads, and roles that documentation uses.
const ROLES: [&str; 12] = [
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "mailer-daemon",
    "postmaster",
    "git",
    "user",
    "username",
    "you",
    "your.email",
];
/// Domains reserved for documentation (RFC 2606), and those that stand for "some domain" in sample code.
const SAMPLE_DOMAINS: [&str; 14] = [
    "example.com",
    "example.org",
    "example.net",
    "example.edu",
    "domain.com",
    "yourdomain.com",
    "mydomain.com",
    "email.com",
    "test.com",
    "company.com",
    "localhost.localdomain",
    "users.noreply.github.com",
    "foo.com",
    "bar.com",
];
/// Last labels of names that are files, or that exist nowhere.
const NO_TOP_LEVEL: [&str; 26] = [
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "ico",
    "js",
    "ts",
    "jsx",
    "tsx",
    "css",
    "json",
    "yaml",
    "yml",
    "toml",
    "lock",
    "html",
    "service",
    "target",
    "local",
    "localhost",
    "test",
    "invalid",
    "example",
    "internal",
];

/// Whether `text` looks like an address that reaches a person.
pub(super) fn is_email(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let text = text.to_ascii_lowercase();
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let Some((_, top_level)) = domain.rsplit_once('.') else { return false };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    let dotted_well = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..") && !local.is_empty();
    let sampled = SAMPLE_DOMAINS.contains(&domain) || domain.split('.').any(|part| part == "example");
    let role = ROLES.contains(&local.split('+').next().unwrap_or_default());
    dotted_well
        && domain.split('.').all(label)
        && (2..=18).contains(&top_level.len())
        && top_level.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !NO_TOP_LEVEL.contains(&top_level)
        && !sampled
        && !role
}

/// Whether `text` is an IPv4 address that somebody can own: not private, local, reserved or kept for documentation.
pub(super) fn is_public_ip(text: &[u8]) -> bool {
    let Ok(Ok(address)) = std::str::from_utf8(text).map(str::parse::<Ipv4Addr>) else { return false };
    let [first, second, _, last] = address.octets();
    let reserved = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second));
    // Public resolvers stand in every tutorial, and network addresses in every netmask.
    let well_known =
        matches!(address.octets(), [8, 8, 8, 8] | [8, 8, 4, 4] | [1, 1, 1, 1] | [9, 9, 9, 9] | [1, 0, 0, 1]);
    !reserved && !well_known && last != 0
}

/// Whether the password in `scheme://user:password@host` is there and is no placeholder. The last `@` before the path
/// ends it: people paste passwords that contain one.
pub(super) fn has_url_password(url: &[u8]) -> bool {
    let Some(start) = find(url, b"://") else { return false };
    let rest = &url[start + 3..];
    let Some(at) = rest.iter().rposition(|&byte| byte == b'@') else { return false };
    let Some(colon) = rest[..at].iter().position(|&byte| byte == b':') else { return false };
    let password = &rest[colon + 1..at];
    !password.is_empty() && !placeholder::is_placeholder(password)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people() {
        for address in ["ada.lovelace@analytical-engines.co.uk", "j+lists@mail.host.io", "A_B@firm.de"] {
            assert!(is_email(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn addresses_of_nobody() {
        let none = [
            "ada@example.com",
            "ada@mail.example.org",
            "noreply@firm.de",
            "git@github.com",
            "icon@2x.png",
            "unit@.service",
            "getty@tty1.service",
            "a..b@firm.de",
            ".a@firm.de",
            "a@firm",
            "a@-firm.de",
            "@firm.de",
            "user@host.local",
            "a@1.2",
        ];
        for address in none {
            assert!(!is_email(address.as_bytes()), "{address}");
        }
    }

    #[test]
    fn public_addresses() {
        assert!(is_public_ip(b"81.2.69.142"));
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.9",
            "172.16.4.4",
            "192.0.2.7",
            "203.0.113.5",
            "8.8.8.8",
            "1.2.3.0",
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
        ] {
            assert!(!has_url_password(url.as_bytes()), "{url}");
        }
    }
}
