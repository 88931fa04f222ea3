//! Whether an assigned value is a credential: by its name, by how it is written and by what it is made of.

use super::name::{Kind, Name};
use super::random::Makeup;
use super::syntax::is_name;
use crate::scan::validate::{Matched, placeholder, source};

/// Beginnings of tokens that a rule of the catalogue judges by itself.
const OWN_RULES: [&str; 44] = [
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxs-",
    "xoxe",
    "xapp-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-ant-",
    "sk-proj-",
    "sk-svcacct-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "pk_test_",
    "AKIA",
    "ASIA",
    "AIza",
    "hvs.",
    "hvb.",
    "hvr.",
    "dapi",
    "npm_",
    "pypi-",
    "hf_",
    "SG.",
    "shpat_",
    "dop_v1_",
    "lin_api_",
    "pscale_",
    "sq0csp-",
    "sq0atp-",
    "sm_pat_",
    "sm_sat_",
    "sm_aat_",
    "ya29.",
];

/// Longer passwords are texts.
const PASSWORD_BYTES_MAX: usize = 128;

/// Whether the match, an assignment from a word of its name to the end of its value, gives away a password.
pub(in crate::scan) fn is_password(matched: &Matched<'_>) -> bool {
    looks_chosen(matched.secret, is_quoted(matched))
        && kind(matched) == Some(Kind::Password)
        && !is_something_else(matched)
}

/// The same of a password that is nothing but letters, or digits: it may be a word of the program, so it must stand in quotes, or
/// close to its `=` as in environment files.
pub(in crate::scan) fn is_weak_password(matched: &Matched<'_>) -> bool {
    let Matched { whole, secret, .. } = *matched;
    let quoted = is_quoted(matched);
    let given = quoted || byte_before(matched) == Some(b'=');
    // In a list of words each follows a comma.
    let listed = whole[..whole.len() - secret.len()].contains(&b',');
    let number = quoted && is_number(secret);
    // `thisismypassword` names itself and is one all the same.
    let run_on = secret.iter().all(u8::is_ascii_lowercase) && !placeholder::is_placeholder(secret);
    let phrase = given && is_phrase(secret) && (run_on || !is_something_else(matched));
    !listed && (number || phrase) && kind(matched) == Some(Kind::Password)
}

/// The same of a secret, a key or a token.
pub(in crate::scan) fn is_random_key(matched: &Matched<'_>) -> bool {
    let makeup = Makeup::of(matched.secret);
    let chosen = makeup.signs > 0 && makeup.length >= 12 && looks_chosen(matched.secret, is_quoted(matched));
    if !makeup.is_random() && !chosen {
        return false;
    }
    let name = name(matched);
    if name.marks_request() && is_uuid(matched.secret) {
        return false;
    }
    let fits = match name.kind() {
        Some(Kind::Secret) => true,
        Some(Kind::Key) => makeup.is_random(),
        Some(Kind::UnknownKey) => makeup.is_long_random(),
        Some(Kind::Password) | None => false,
    };
    fits && !has_own_rule(matched.secret) && !is_something_else(matched)
}

/// Whether a machine made the bytes, whatever their name.
pub(in crate::scan) fn is_random(matched: &Matched<'_>) -> bool {
    Makeup::of(matched.secret).is_random() && !has_own_rule(matched.secret)
}

/// What begins so is a token of a vendor whose rule knows its whole shape: where that finds nothing, it is none.
fn has_own_rule(value: &[u8]) -> bool {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A bot of Telegram: its number, and 35 characters.
    digits > 3 && value[digits..].starts_with(b":A")
        || OWN_RULES.iter().any(|prefix| value.starts_with(prefix.as_bytes()))
}

fn is_quoted(matched: &Matched<'_>) -> bool {
    matches!(byte_before(matched), Some(b'"' | b'\'' | b'`'))
}

/// What stands right before the value.
fn byte_before(matched: &Matched<'_>) -> Option<u8> {
    matched.whole.len().checked_sub(matched.secret.len() + 1).map(|at| matched.whole[at])
}

fn kind(matched: &Matched<'_>) -> Option<Kind> {
    name(matched).kind()
}

fn name(matched: &Matched<'_>) -> Name {
    Name::new(matched.before, &matched.whole[..name_bytes(matched)])
}

fn is_something_else(matched: &Matched<'_>) -> bool {
    let Matched { whole, secret, .. } = *matched;
    placeholder::is_placeholder(secret)
        || placeholder::names_itself(secret, whole)
        || is_other(secret)
        || source::is_source(secret, is_quoted(matched))
        || is_compared(matched)
        || is_logged_test(matched)
}

/// The other side of a comparison, which is a name unless it stands in quotes: `if secret != expected_2:`.
fn is_compared(matched: &Matched<'_>) -> bool {
    let front = matched.whole[..matched.whole.len() - matched.secret.len()].trim_ascii_end();
    !is_quoted(matched) && (front.ends_with(b"==") || front.ends_with(b"!="))
}

/// `PASS: ld-elf/pr21562b`: a line that says which test passed.
fn is_logged_test(matched: &Matched<'_>) -> bool {
    let begins_line = matched.before.last().is_none_or(|byte| *byte == b'\n');
    let names_file = matched.secret.contains(&b'/') || matched.secret.ends_with(b".exp");
    begins_line && names_file && matched.whole.starts_with(b"PASS: ")
}

/// `8-4-4-4-12` hex digits.
fn is_uuid(value: &[u8]) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| if dash(at) { *byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// The name's part behind its keyword, with further words of it: what stands before the separator.
fn name_bytes(matched: &Matched<'_>) -> usize {
    let name = &matched.whole[..matched.whole.len() - matched.secret.len()];
    let end = name.iter().position(|&byte| !is_name(byte) && byte != b' ').unwrap_or(name.len());
    let verb = [&b" is "[..], b" was ", b" value", b" default"];
    let before_verb = |verb: &&[u8]| memchr::memmem::find(&name[..end], verb);
    verb.iter().filter_map(before_verb).min().unwrap_or(end)
}

/// Addresses, paths, dates, numbers: what is no secret whatever its name.
fn is_other(value: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    let path = has(b"/") && Makeup::of(value).is_wordy();
    path || is_hash(value)
        || has(b"[:")
        || has(b"://")
        || has(b"::")
        || value.starts_with(b"/")
        || value.starts_with(b"./")
        || value.starts_with(b"ssh-")
}

/// What a database keeps of a password, which a rule of its own tells.
fn is_hash(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"*").unwrap_or_default();
    value.starts_with(b"$1$") || digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit)
}

/// Letters with digits or signs, as people choose passwords.
fn looks_chosen(value: &[u8], quoted: bool) -> bool {
    if value.len() < 6 || value.len() > PASSWORD_BYTES_MAX || !value.iter().all(u8::is_ascii_graphic) {
        return false;
    }
    // What opens with these is a selector, a variable, or the rest of a text that only ends in a name.
    if matches!(value[0], b',' | b':' | b')' | b']' | b'}' | b'.' | b'#' | b'$' | b'%' | b'{' | b'@')
        && !has_digit(value)
    {
        return false;
    }
    let makeup = Makeup::of(value);
    let chosen = makeup.letters() > 0 && (makeup.signs > 0 || makeup.digits > 0) && makeup.distinct >= 5;
    chosen && (quoted || !is_code(value))
}

fn has_digit(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit)
}

/// Digits that somebody chose: no mask of one digit.
fn is_number(value: &[u8]) -> bool {
    let digits = (6..=16).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits && Makeup::of(value).distinct > 2
}

/// Small letters alone, perhaps in a few parts: `correct-horse`.
fn is_phrase(value: &[u8]) -> bool {
    let letters = value.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b' '));
    letters && (5..=40).contains(&value.len()) && value.first().is_some_and(u8::is_ascii_lowercase)
}

/// A lookup, a call or a type in a line of code: `user.password2`, `args->token`, `*const u16`.
fn is_code(value: &[u8]) -> bool {
    let dotted = value.contains(&b'.') && value.iter().all(|byte| is_name(*byte));
    dotted
        || value.starts_with(b"*")
        || value.starts_with(b"&")
        || value.ends_with(b"(")
        || value.windows(2).any(|pair| pair == b"->" || pair == b"?.")
}
