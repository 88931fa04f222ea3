//! Checks on a match that a regex cannot make: checksums, structure, entropy, placeholders.

mod entropy;
mod github;
mod identity;
mod jwt;
mod network;
mod overriding;
mod payment;
mod placeholder;
mod quoted;
mod removal;
mod sending;
mod sql_payload;
mod sql_tokens;

use std::ops::Range;
use std::str::FromStr;

use super::Confirm;

/// Entropy is measured over at most so many bytes: enough to tell, and a bound on the work.
const ENTROPY_BYTES_MAX: usize = 512;

/// What a check may see of the text before a match, bytes.
pub(in crate::scan) const LOOK_BEHIND_BYTES: usize = 256;

/// What a match is shown as to the checks: the bytes themselves and what stands before them.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// Up to 256 bytes before the match, as many as the text has.
    pub before: &'a [u8],
    /// The whole match.
    pub whole: &'a [u8],
    /// The bytes to hide, within `whole`.
    pub secret: &'a [u8],
}

impl<'a> Matched<'a> {
    /// The match at `whole` in `text`, whose part `secret` is to be hidden.
    pub fn new(text: &'a [u8], whole: &Range<usize>, secret: &Range<usize>) -> Self {
        let before = &text[whole.start.saturating_sub(LOOK_BEHIND_BYTES)..whole.start];
        Matched { before, whole: &text[whole.clone()], secret: &text[secret.clone()] }
    }
}

impl Confirm {
    /// Every name that [`Confirm::from_str`] reads.
    pub const NAMES: &'static [&'static str] = &[
        "entropy:<bits>",
        "card",
        "ssn",
        "jwt",
        "github_checksum",
        "not_masked",
        "not_placeholder",
        "mixed",
        "url_password",
        "email",
        "public_ip",
        "phone_us",
        "sql_payload",
        "not_quoted",
        "not_denied",
        "sends",
        "names_instructions",
        "removes_root",
    ];

    /// How dear it is, so that cheap checks can be asked first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Confirm::Mixed | Confirm::NotQuoted | Confirm::NotDenied => 0,
            Confirm::Card | Confirm::Ssn | Confirm::PublicIp | Confirm::PhoneUs | Confirm::Email => 1,
            Confirm::Entropy(_) => 2,
            Confirm::GithubChecksum | Confirm::NotMasked | Confirm::UrlPassword => 3,
            Confirm::NotPlaceholder
            | Confirm::Jwt
            | Confirm::SqlPayload
            | Confirm::Sends
            | Confirm::NamesInstructions
            | Confirm::RemovesRoot => 4,
        }
    }

    /// Whether this check lets the match stand.
    pub fn accepts(&self, matched: &Matched<'_>) -> bool {
        let Matched { secret, whole, .. } = *matched;
        match self {
            Confirm::Entropy(bits_min) => {
                entropy::bits_per_byte(&secret[..secret.len().min(ENTROPY_BYTES_MAX)]) >= *bits_min
            }
            Confirm::Card => payment::is_card(secret),
            Confirm::Ssn => identity::is_ssn(secret),
            Confirm::Jwt => jwt::is_jwt(secret),
            Confirm::GithubChecksum => github::has_checksum(secret),
            Confirm::NotMasked => !placeholder::is_masked(secret),
            Confirm::NotPlaceholder => {
                !placeholder::is_placeholder(secret) && !placeholder::names_itself(secret, whole)
            }
            Confirm::Mixed => placeholder::is_mixed(secret),
            Confirm::UrlPassword => network::has_url_password(secret),
            Confirm::Email => network::is_email(secret),
            Confirm::PublicIp => network::is_public_ip(secret),
            Confirm::PhoneUs => identity::is_phone_us(secret),
            Confirm::NotQuoted => !quoted::is_quoted(matched),
            Confirm::NotDenied => !quoted::is_denied(matched),
            Confirm::Sends => sending::sends(matched),
            Confirm::NamesInstructions => overriding::names_instructions(matched),
            Confirm::RemovesRoot => removal::removes_root(matched),
            Confirm::SqlPayload => sql_payload::is_sql_payload(matched),
        }
    }
}

/// A name that is no check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownConfirm;

impl FromStr for Confirm {
    type Err = UnknownConfirm;

    fn from_str(text: &str) -> Result<Self, UnknownConfirm> {
        Ok(match text {
            "card" => Confirm::Card,
            "ssn" => Confirm::Ssn,
            "jwt" => Confirm::Jwt,
            "github_checksum" => Confirm::GithubChecksum,
            "not_masked" => Confirm::NotMasked,
            "not_placeholder" => Confirm::NotPlaceholder,
            "mixed" => Confirm::Mixed,
            "url_password" => Confirm::UrlPassword,
            "email" => Confirm::Email,
            "public_ip" => Confirm::PublicIp,
            "phone_us" => Confirm::PhoneUs,
            "not_quoted" => Confirm::NotQuoted,
            "not_denied" => Confirm::NotDenied,
            "sends" => Confirm::Sends,
            "names_instructions" => Confirm::NamesInstructions,
            "removes_root" => Confirm::RemovesRoot,
            "sql_payload" => Confirm::SqlPayload,
            _ => return entropy_of(text).ok_or(UnknownConfirm),
        })
    }
}

/// `entropy:3.5`; a byte has at most eight bits.
fn entropy_of(text: &str) -> Option<Confirm> {
    let bits: f64 = text.strip_prefix("entropy:")?.parse().ok()?;
    (0.0..=8.0).contains(&bits).then_some(Confirm::Entropy(bits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn whole(text: &[u8]) -> Matched<'_> {
        Matched::new(text, &(0..text.len()), &(0..text.len()))
    }

    #[test]
    fn every_name_is_read() {
        for name in Confirm::NAMES {
            let text = name.replace("<bits>", "3.5");
            assert!(text.parse::<Confirm>().is_ok(), "{text}");
        }
        assert_eq!("entropy:3.5".parse(), Ok(Confirm::Entropy(3.5)));
    }

    #[test]
    fn other_names_are_not() {
        for text in ["", "luhn", "entropy", "entropy:", "entropy:nine", "entropy:9", "entropy:NaN", "Card"] {
            assert_eq!(text.parse::<Confirm>(), Err(UnknownConfirm), "{text}");
        }
    }

    #[test]
    fn entropy_is_a_threshold() {
        assert!(Confirm::Entropy(3.0).accepts(&whole(b"q8Zr2LmX9vT4")));
        assert!(!Confirm::Entropy(3.0).accepts(&whole(b"aaaabbbbaaaa")));
    }

    #[test]
    fn hostile_input_is_refused_without_panic() {
        let inputs: [&[u8]; 6] = [b"", b"@", b"://:@", b"\xff\xfe\xff", b"..", b"----"];
        for name in Confirm::NAMES {
            let confirm: Confirm = name.replace("<bits>", "1").parse().unwrap();
            for input in inputs {
                let _ = confirm.accepts(&whole(input));
            }
        }
        assert!(!Confirm::Card.accepts(&whole(b"\xff")));
    }
}
