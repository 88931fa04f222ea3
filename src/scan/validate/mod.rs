//! Checks on a match that a regex cannot make: checksums, structure, entropy, placeholders.

mod aws;
mod checksum;
mod date;
mod email;
mod encoded;
mod entropy;
mod flow;
mod iban;
mod identifier;
mod identity;
mod jwt;
pub(super) mod made_up;
mod name;
mod network;
mod overriding;
mod payment;
mod phone;
pub(super) mod placeholder;
mod published;
mod quoted;
mod removal;
mod sending;
pub(super) mod source;
mod sql_payload;
mod sql_tokens;

use std::ops::Range;
use std::str::FromStr;

use super::place::Surroundings;
use super::{Confirm, assignment};

/// Entropy is measured over at most so many bytes: enough to tell, and a bound on the work.
const ENTROPY_BYTES_MAX: usize = 512;

/// What a check may see of the text before a match, bytes.
pub(in crate::scan) const LOOK_BEHIND_BYTES: usize = 1024;

/// What a match is shown as to the checks: the bytes themselves and what stands before them.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// Up to 1024 bytes before the match, as many as the text has.
    pub before: &'a [u8],
    /// The whole match.
    pub whole: &'a [u8],
    /// The bytes to hide, within `whole`.
    pub secret: &'a [u8],
    /// What is known of the place where the match begins.
    pub around: Surroundings,
}

impl<'a> Matched<'a> {
    /// The match at `whole` in `text`, whose part `secret` is to be hidden. The text is there as a whole: what stands
    /// around the match is read from its beginning.
    pub fn new(text: &'a [u8], whole: &Range<usize>, secret: &Range<usize>) -> Self {
        Matched::seen(text, whole, secret, Surroundings::within(text, whole.start))
    }

    /// The same for a part of a text, with what is known of the place.
    pub(in crate::scan) fn seen(
        text: &'a [u8],
        whole: &Range<usize>,
        secret: &Range<usize>,
        around: Surroundings,
    ) -> Self {
        let before = &text[whole.start.saturating_sub(LOOK_BEHIND_BYTES)..whole.start];
        Matched { before, whole: &text[whole.clone()], secret: &text[secret.clone()], around }
    }
}

impl Confirm {
    /// Every name that [`Confirm::from_str`] reads.
    pub const NAMES: &'static [&'static str] = &[
        "entropy:<bits>",
        "card",
        "ssn",
        "jwt",
        "checksum",
        "aws_key_id",
        "aws_secret",
        "not_sequence",
        "basic_auth",
        "not_published",
        "not_masked",
        "not_placeholder",
        "mixed",
        "password",
        "weak_password",
        "random",
        "random_key",
        "url_password",
        "email",
        "public_ip",
        "phone_us",
        "varies",
        "flows",
        "result_ignored",
        "bare_call",
        "has_context",
        "bare_ssn",
        "phone_international",
        "phone_named",
        "iban",
        "birthday",
        "begins_word",
        "id:<scheme>",
        "sql_payload",
        "not_quoted",
        "not_denied",
        "not_told",
        "sql_joined",
        "sends",
        "names_instructions",
        "removes_root",
    ];

    /// How dear it is, so that cheap checks can be asked first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Confirm::Mixed | Confirm::BeginsWord | Confirm::NotSequence => 0,
            Confirm::Languages(_) | Confirm::BareCall | Confirm::NotQuoted | Confirm::NotDenied => 0,
            Confirm::SqlJoined | Confirm::NotTold => 0,
            Confirm::Card | Confirm::Ssn | Confirm::BareSsn | Confirm::PublicIp | Confirm::PhoneUs => 1,
            Confirm::PhoneInternational | Confirm::PhoneNamed | Confirm::Iban | Confirm::Birthday => 1,
            Confirm::Identifier(_) => 1,
            Confirm::Email | Confirm::Entropy(_) | Confirm::Code | Confirm::Quoted => 2,
            Confirm::AwsKeyId | Confirm::AwsSecret | Confirm::Checksum | Confirm::NotMasked | Confirm::UrlPassword => 3,
            Confirm::Varies | Confirm::Flows | Confirm::ResultIgnored | Confirm::HasContext => 4,
            Confirm::NotPlaceholder
            | Confirm::Jwt
            | Confirm::Password
            | Confirm::WeakPassword
            | Confirm::Random
            | Confirm::RandomKey
            | Confirm::BasicAuth
            | Confirm::SqlPayload
            | Confirm::Sends
            | Confirm::NamesInstructions
            | Confirm::RemovesRoot => 4,
            Confirm::NotPublished => 5,
        }
    }

    /// Whether it asks what is around a match, which the stream must then follow.
    pub(super) fn reads_place(&self) -> bool {
        matches!(self, Confirm::Code | Confirm::Quoted | Confirm::Languages(_))
    }

    /// Whether this check lets the match stand.
    pub fn accepts(&self, matched: &Matched<'_>) -> bool {
        let Matched { before, secret, whole, around } = *matched;
        match self {
            Confirm::Entropy(bits_min) => {
                entropy::bits_per_byte(&secret[..secret.len().min(ENTROPY_BYTES_MAX)]) >= *bits_min
            }
            Confirm::Card => payment::is_card(matched),
            Confirm::Ssn => identity::is_ssn(secret),
            Confirm::Jwt => jwt::is_jwt(secret),
            Confirm::Checksum => checksum::has_checksum(secret),
            Confirm::AwsKeyId => aws::is_key_id(secret),
            Confirm::AwsSecret => aws::is_secret_key(secret),
            Confirm::NotSequence => !made_up::counts_up(secret, made_up::TOKEN_SEQUENCE_MIN),
            Confirm::BasicAuth => encoded::is_basic_credential(secret),
            Confirm::NotPublished => !published::is_published(secret),
            Confirm::NotMasked => !placeholder::is_masked(secret),
            Confirm::NotPlaceholder => {
                !placeholder::is_placeholder(secret) && !placeholder::names_itself(secret, whole)
            }
            Confirm::Password => assignment::is_password(matched),
            Confirm::WeakPassword => assignment::is_weak_password(matched),
            Confirm::Random => assignment::is_random(matched),
            Confirm::RandomKey => assignment::is_random_key(matched),
            Confirm::Mixed => placeholder::is_mixed(secret),
            Confirm::UrlPassword => network::has_url_password(secret),
            Confirm::Email => email::is_personal(matched),
            Confirm::PublicIp => network::is_public_ip(secret),
            Confirm::Varies => flow::varies(before, secret),
            Confirm::Flows => flow::flows(before, whole),
            Confirm::BareCall => flow::is_bare_call(before),
            Confirm::ResultIgnored => flow::is_result_ignored(before),
            Confirm::HasContext => flow::has_context(before),
            Confirm::Code => around.is_code(before, whole, false),
            Confirm::Quoted => around.is_code(before, whole, true),
            Confirm::Languages(languages) => around.speaks(*languages),
            Confirm::PhoneUs => phone::is_north_american(secret),
            Confirm::BareSsn => identity::is_bare_ssn(matched),
            Confirm::PhoneInternational => phone::is_international(matched),
            Confirm::PhoneNamed => phone::is_named(matched),
            Confirm::Iban => iban::is_iban(secret),
            Confirm::Birthday => date::is_birthday(secret),
            Confirm::BeginsWord => made_up::begins_word(matched.before, whole),
            Confirm::Identifier(scheme) => identifier::is_valid(*scheme, secret),
            Confirm::NotQuoted => !quoted::is_quoted(matched),
            Confirm::NotDenied => !quoted::is_denied(matched),
            Confirm::NotTold => !quoted::is_told(matched),
            Confirm::SqlJoined => flow::is_joined(before, whole),
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
            "checksum" => Confirm::Checksum,
            "aws_key_id" => Confirm::AwsKeyId,
            "aws_secret" => Confirm::AwsSecret,
            "not_sequence" => Confirm::NotSequence,
            "basic_auth" => Confirm::BasicAuth,
            "not_published" => Confirm::NotPublished,
            "not_masked" => Confirm::NotMasked,
            "not_placeholder" => Confirm::NotPlaceholder,
            "mixed" => Confirm::Mixed,
            "password" => Confirm::Password,
            "weak_password" => Confirm::WeakPassword,
            "random" => Confirm::Random,
            "random_key" => Confirm::RandomKey,
            "url_password" => Confirm::UrlPassword,
            "email" => Confirm::Email,
            "public_ip" => Confirm::PublicIp,
            "phone_us" => Confirm::PhoneUs,
            "not_quoted" => Confirm::NotQuoted,
            "not_denied" => Confirm::NotDenied,
            "not_told" => Confirm::NotTold,
            "sql_joined" => Confirm::SqlJoined,
            "sends" => Confirm::Sends,
            "names_instructions" => Confirm::NamesInstructions,
            "removes_root" => Confirm::RemovesRoot,
            "sql_payload" => Confirm::SqlPayload,
            "varies" => Confirm::Varies,
            "flows" => Confirm::Flows,
            "bare_call" => Confirm::BareCall,
            "result_ignored" => Confirm::ResultIgnored,
            "has_context" => Confirm::HasContext,
            "bare_ssn" => Confirm::BareSsn,
            "phone_international" => Confirm::PhoneInternational,
            "phone_named" => Confirm::PhoneNamed,
            "iban" => Confirm::Iban,
            "birthday" => Confirm::Birthday,
            "begins_word" => Confirm::BeginsWord,
            _ => return entropy_of(text).or_else(|| identifier_of(text)).ok_or(UnknownConfirm),
        })
    }
}

/// `entropy:3.5`; a byte has at most eight bits.
fn entropy_of(text: &str) -> Option<Confirm> {
    let bits: f64 = text.strip_prefix("entropy:")?.parse().ok()?;
    (0.0..=8.0).contains(&bits).then_some(Confirm::Entropy(bits))
}

/// `id:pl_pesel`: a scheme of `identifier`.
fn identifier_of(text: &str) -> Option<Confirm> {
    identifier::named(text.strip_prefix("id:")?).map(Confirm::Identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> Matched<'_> {
        Matched::new(text, &(0..text.len()), &(0..text.len()))
    }

    #[test]
    fn every_name_is_read() {
        for name in Confirm::NAMES {
            let text = name.replace("<bits>", "3.5").replace("<scheme>", "pl_pesel");
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
            let confirm: Confirm = name.replace("<bits>", "1").replace("<scheme>", "it_fiscal_code").parse().unwrap();
            for input in inputs {
                let _ = confirm.accepts(&whole(input));
            }
        }
        assert!(!Confirm::Card.accepts(&whole(b"\xff")));
    }
}
