//! Whether an assigned value is a credential: by its name, by how it is written and by what it is made of.

use super::name::{Kind, Name};
use super::random::Makeup;
use super::syntax::is_name;
use crate::scan::validate::{Matched, placeholder};

/// Longer passwords are texts.
const PASSWORD_BYTES_MAX: usize = 128;

/// Whether the match, an assignment from a word of its name to the end of its value, gives away a password.
pub(in crate::scan) fn is_password(matched: &Matched<'_>) -> bool {
    let Matched { whole, secret, .. } = *matched;
    let quoted = whole.len().checked_sub(secret.len() + 1).is_some_and(|at| matches!(whole[at], b'"' | b'\'' | b'`'));
    looks_chosen(secret, quoted) && kind(matched) == Some(Kind::Password) && !is_something_else(matched)
}

/// The same of a key or token.
pub(in crate::scan) fn is_random_key(matched: &Matched<'_>) -> bool {
    Makeup::of(matched.secret).is_random() && kind(matched) == Some(Kind::Key) && !is_something_else(matched)
}

fn kind(matched: &Matched<'_>) -> Option<Kind> {
    Name::new(matched.before, &matched.whole[..name_bytes(matched)]).kind()
}

fn is_something_else(matched: &Matched<'_>) -> bool {
    let Matched { whole, secret, .. } = *matched;
    placeholder::is_placeholder(secret) || placeholder::names_itself(secret, whole) || is_other(secret)
}

/// The name's part behind its keyword, with further words of it: what stands before the separator.
fn name_bytes(matched: &Matched<'_>) -> usize {
    let name = &matched.whole[..matched.whole.len() - matched.secret.len()];
    let end = name.iter().position(|&byte| !is_name(byte) && byte != b' ').unwrap_or(name.len());
    let verb = [&b" is "[..], b" was ", b" as ", b" value", b" default"];
    let before_verb = |verb: &&[u8]| memchr::memmem::find(&name[..end], verb);
    verb.iter().filter_map(before_verb).min().unwrap_or(end)
}

/// Addresses, paths, dates, numbers: what is no secret whatever its name.
fn is_other(value: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    has(b"://") || has(b"::") || value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"ssh-")
}

fn looks_chosen(value: &[u8], quoted: bool) -> bool {
    let makeup = Makeup::of(value);
    if value.len() > PASSWORD_BYTES_MAX
        || value.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return false;
    }
    let chosen = makeup.letters() > 0 && (makeup.signs > 0 || makeup.digits > 0) && makeup.distinct >= 5;
    if quoted { value.len() >= 6 && chosen } else { value.len() >= 6 && chosen && !is_code(value) }
}

/// A lookup or a call in a line of code: `user.password2`, `args->token`.
fn is_code(value: &[u8]) -> bool {
    let dotted = value.contains(&b'.') && value.iter().all(|byte| is_name(*byte));
    dotted || value.ends_with(b"(") || value.windows(2).any(|pair| pair == b"->")
}
