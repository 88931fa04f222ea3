//! What the engine needs to know of one rule, as the catalogue or a custom rule file states it.

use super::place::Languages;
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
    /// An assignment, in whatever syntax, with the keyword anywhere in its name; the bounded regex must match the whole
    /// value, which is what gets hidden. How assignments are written stands in `scan/assignment/`.
    Assigned(String),
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
        /// Whether its lines may have prefixes, such as numbers: up to 512 bytes and 4 line breaks that are not of the class
        /// are passed over where base64 or the end follows.
        prefixed_lines: bool,
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
    /// `checksum`: the CRC-32 at the end of tokens of GitHub, npm, Grafana and Atlassian.
    Checksum,
    /// `aws_key_id`: base 32 behind the prefix, with a possible account number in it.
    AwsKeyId,
    /// `aws_secret`: letters of both cases and others, not only hex.
    AwsSecret,
    /// `not_sequence`: no twenty characters in a row that count up: the alphabet, `12345678901234567890`.
    NotSequence,
    /// `basic_auth`: base64 of `user:password`.
    BasicAuth,
    /// `not_published`: none of the keys that vendors print in their documentation and emulators.
    NotPublished,
    /// `not_masked`: no mask (`xxxx`, `****`, `…`), template or variable reference. For tokens that their prefix proves.
    NotMasked,
    /// `not_placeholder`: as `not_masked`, and no sample word (`changeme`, `your-key`) either. For values that only
    /// their name makes a secret.
    NotPlaceholder,
    /// `password`: by its name, its syntax and its makeup an assigned value is a password.
    Password,
    /// `weak_password`: the same of one of letters alone.
    WeakPassword,
    /// `random`: the secret was made by a machine: no words, no sequences, many different bytes.
    Random,
    /// `random_key`: by its name and its makeup an assigned value is a key that a machine made.
    RandomKey,
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
    /// `varies`: the secret holds a name that is no constant and was not given a literal value shortly before.
    Varies,
    /// `flows`: a name to which the line in front of the match assigns stands, as a value, in the match's last line.
    Flows,
    /// `bare_call`: a call of a function, not of a method, and not the definition of one.
    BareCall,
    /// `sql_joined`: what is put into the SQL text at the match becomes a part of it: no tag and no call in front makes
    /// parameters of the values, and the text is no message that is printed, logged or raised.
    SqlJoined,
    /// `result_ignored`: the last value of the call, in Go, is assigned to `_`.
    ResultIgnored,
    /// `has_context`: the function around, in Go, has a context or a request to take one from.
    HasContext,
    /// `place: code`: the match is code that runs, no comment, literal, removed line of a patch, or prose. The checker
    /// `vuln` asks for it unless a rule says otherwise.
    Code,
    /// `place: quoted`: as `code`, but it may stand in a literal.
    Quoted,
    /// `languages: [go]`: the fence or file is of one of these languages, or of an unknown one.
    Languages(Languages),
    /// `bare_ssn`: as `ssn`, for a number that no word says to be one.
    BareSsn,
    /// `phone_international`: `+`, a country's code and as many digits as numbers of that country have; no sum or diff.
    PhoneInternational,
    /// `phone_named`: a possible number of any country behind a word that says so; no time, date, address or sample.
    PhoneNamed,
    /// `iban`: the length of the country and the check digits of an international bank account number.
    Iban,
    /// `birthday`: a date on which somebody alive can have been born.
    Birthday,
    /// `begins_word`: the match does not begin within a word (`customerCpf` has the word `Cpf`).
    BeginsWord,
    /// `id:<scheme>`: a well-formed number of the scheme, named by its place in `validate::identifier`.
    Identifier(u8),
    /// `not_quoted`: no quotation: a phrase with a quote on both sides, its closing one the match's last byte, is talked
    /// about.
    NotQuoted,
    /// `not_denied`: no `not`, `never` or "tries to" directly before the match: a text that forbids something, or tells
    /// of those who ask for it, does not ask for it.
    NotDenied,
    /// `not_told`: no subject directly before the match, such as "they" or "later rules always": the text tells what
    /// somebody does, and asks nobody to do it.
    NotTold,
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
