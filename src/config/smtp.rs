//! Addresses of e-mail: a server with the account there, and mailboxes.

use super::units;
use crate::domain::Secret;

/// What [`read`] reads.
pub(super) const EXPECTED: &str =
    "`smtp://user:password@host:587` (STARTTLS) or `smtps://user:password@host:465` (TLS)";
/// What [`mailbox`] takes.
pub(super) const MAILBOX: &str = "an address: `name@host` or `Name <name@host>`";
/// Longest mailbox, characters.
const MAILBOX_CHARS_MAX: usize = 320;

/// A mail server, and the account there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// Port; 587 by default, 465 with TLS from the first byte, 25 in clear.
    pub port: u16,
    /// User and password. Where they are made for programs, the user is half of the secret.
    pub account: Option<(Secret, Secret)>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// `smtps://` TLS from the first byte.
    Wrapped,
    /// `smtp://` STARTTLS, and nothing is sent without it.
    Started,
    /// `?tls=off` in clear.
    Off,
}

/// A server from its address; the error does not show it.
pub(super) fn read(text: &str) -> Result<Smtp, &'static str> {
    let (scheme, rest) =
        text.split_once("://").ok_or("the address of a mail server starts with `smtp://` or `smtps://`")?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let tls = match (scheme, query) {
        ("smtps", None) => SmtpTls::Wrapped,
        ("smtp", None) => SmtpTls::Started,
        ("smtp", Some("tls=off")) => SmtpTls::Off,
        ("smtp" | "smtps", _) => return Err("after the `?` only `tls=off` is known, and only for `smtp://`"),
        _ => return Err("the address of a mail server starts with `smtp://` or `smtps://`"),
    };
    let (account, authority) = match rest.rsplit_once('@') {
        Some((account, authority)) => (Some(account), authority),
        None => (None, rest),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('/') {
        return Err("the address of a mail server has no path");
    }
    let (host, port) = units::authority_parts(authority)?;
    let usual = match tls {
        SmtpTls::Wrapped => 465,
        SmtpTls::Started => 587,
        SmtpTls::Off => 25,
    };
    let account = match account.map(|it| it.split_once(':').ok_or("the password is missing")) {
        Some(parts) => {
            let (user, password) = parts?;
            Some((Secret::new(decode(user)?), Secret::new(decode(password)?)))
        }
        None => None,
    };
    Ok(Smtp { tls, host, port: port.unwrap_or(usual), account })
}

/// `%40` and its like, which a password needs to stand in an address.
fn decode(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "a `%` in the user or the password is not followed by two hex digits";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16)).ok_or(WRONG);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| WRONG)
}

/// Whether `text` is a mailbox. The mail library reads it again, and more strictly.
pub(super) fn mailbox(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => match rest.strip_suffix('>') {
            Some(address) => address,
            None => return false,
        },
        None => text,
    };
    let plain = |it: char| it.is_ascii_graphic() && !matches!(it, '<' | '>' | '"' | ',' | ';' | '\\' | '(' | ')');
    let Some((name, host)) = address.rsplit_once('@') else { return false };
    let fits = text.chars().count() <= MAILBOX_CHARS_MAX && !text.chars().any(char::is_control);
    fits && !name.is_empty() && name.chars().all(|it| plain(it) && it != '@') && units::host(host)
}
