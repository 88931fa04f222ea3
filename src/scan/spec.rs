//! What the engine needs to know of one rule, as the catalogue or a custom rule file states it.

use crate::domain::RuleInfo;

/// A rule before it is compiled.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// Its public face.
    pub info: RuleInfo,
    /// What makes the engine look.
    pub trigger: Trigger,
    /// Bytes before the trigger that may belong to the match. Every start within their run is tried, from its first
    /// byte to the trigger, and the first that the pattern matches from is the match: checks that refuse it refuse the
    /// place, and no later start is tried.
    pub lead: Option<Lead>,
    /// What must then be there.
    pub pattern: Pattern,
    /// A match that also matches this (anywhere within the whole match) is none.
    pub unless: Option<String>,
    /// Checks on the matched secret, all of which must accept.
    pub confirm: Vec<Confirm>,
}

/// What makes the engine look at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Any of these literals, ASCII case ignored. The pattern starts at the literal (or at the lead before it).
    Keywords(Vec<String>),
    /// A run of at least so many digits, single separators (space, dot, dash, slash, parentheses, plus) allowed between.
    /// The pattern starts at any group of the run that enough digits follow, but not at the fraction behind `1.`.
    Digits(usize),
}

/// The run of bytes before a keyword that may belong to the match: the local part before an `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// A regex character class: `[A-Za-z0-9._%+-]`.
    pub class: String,
    /// Longest run that is looked at, bytes.
    pub length_max: usize,
}

/// What must stand at a triggered place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A bounded regex, anchored where the candidate starts. The group `secret` is what gets hidden; without it, all.
    Regex(String),
    /// From `begin` to `end`, with only bytes of the class `body` between; open regions are covered as far as the body goes.
    Region {
        /// Anchored at the keyword.
        begin: String,
        /// Literal that ends it, included.
        end: String,
        /// A regex character class.
        body: String,
        /// Longest region, bytes; a longer one is covered up to here and goes on as a new one.
        length_max: usize,
    },
}

/// A check on a match that a regex cannot make. What each accepts stands in `scan/validate/`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Confirm {
    /// `entropy:3.0`: Shannon entropy of the secret, bits per character, at least this.
    Entropy(f64),
    /// `card`: Luhn checksum over its digits, and a card issuer's prefix and length.
    Card,
    /// `ssn`: a social security number with a valid area, group and serial.
    Ssn,
    /// `jwt`: base64url JSON header with `alg` and JSON payload.
    Jwt,
    /// `github_checksum`: the CRC-32 suffix of GitHub's tokens.
    GithubChecksum,
    /// `not_masked`: no mask (`xxxx`, `****`, `…`), template or variable reference. For tokens that their prefix proves.
    NotMasked,
    /// `not_placeholder`: as `not_masked`, and no sample word (`changeme`, `your-key`) either. For values that only
    /// their name makes a secret.
    NotPlaceholder,
    /// `mixed`: letters and digits or signs, as passwords have and names of types and variables do not.
    Mixed,
    /// `url_password`: the password in a URL's `user:password@` is no placeholder.
    UrlPassword,
    /// `email`: a deliverable-looking address: no `example.*`, no `noreply`, a plausible top-level domain.
    Email,
    /// `public_ip`: a public, non-documentation IPv4 address.
    PublicIp,
    /// `phone_us`: a possible North American number.
    PhoneUs,
    /// `not_quoted`: no quotation: a phrase with a quote on both sides, its closing one the match's last byte, is talked
    /// about.
    NotQuoted,
    /// `not_denied`: no `not`, `never` or "tries to" directly before the match: a text that forbids something, or tells
    /// of those who ask for it, does not ask for it.
    NotDenied,
    /// `names_instructions`: the sentence that begins with the match means the assistant's instructions, in any of many
    /// languages.
    NamesInstructions,
    /// `removes_root`: the `rm` at the match takes away a whole disk, a system folder or a home.
    RemovesRoot,
    /// `sends`: the command line around the match sends what it names to another machine.
    Sends,
    /// `sql_payload`: the value around the match breaks out of its place in a statement and goes on as SQL.
    SqlPayload,
}
