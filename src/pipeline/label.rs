//! What stands in for a secret: the seed's label, or a keyed placeholder that can be turned back.

use std::collections::HashMap;
use std::ops::Range;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::domain::Secret;

/// Placeholders remembered by one exchange; further ones are hidden all the same, but not put back.
const ORIGINALS_MAX: usize = 10_000;
/// What every label begins with.
pub(super) const OPEN: &str = "[REDACTED:";
/// Longest label of a rule, bytes.
const TYPE_BYTES_MAX: usize = 48;
/// Characters of the keyed digest.
const DIGEST_CHARS: usize = 8;
/// Longest placeholder, bytes.
pub(super) const PLACEHOLDER_BYTES_MAX: usize = OPEN.len() + TYPE_BYTES_MAX + 1 + DIGEST_CHARS + 1;
/// 32 digits without the letters that people misread.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Makes labels. With a key, the same secret always gets the same placeholder.
#[derive(Clone)]
pub(super) struct Labels {
    key: Option<[u8; 32]>,
}

impl Labels {
    /// Plain labels without a key, keyed placeholders with one.
    pub(super) fn new(key: Option<[u8; 32]>) -> Self {
        Labels { key }
    }

    /// The label for `secret`, remembered in `originals` where it is to be put back.
    pub(super) fn hide(&self, label: &str, secret: &str, originals: &mut Originals) -> String {
        let Some(key) = &self.key else { return format!("{OPEN}{label}]") };
        let placeholder = format!("{OPEN}{label}:{}]", digest(key, label, secret));
        originals.remember(&placeholder, secret);
        placeholder
    }
}

fn digest(key: &[u8; 32], label: &str, secret: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key length");
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(secret.as_bytes());
    let bytes = mac.finalize().into_bytes();
    let bits = bytes[..5].iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    (0..DIGEST_CHARS).map(|at| char::from(DIGITS[(bits >> (35 - 5 * at) & 31) as usize])).collect()
}

/// The originals of one exchange. Dies with it; nothing is stored.
#[derive(Default)]
pub(super) struct Originals {
    by_placeholder: HashMap<String, Secret>,
}

impl Originals {
    fn remember(&mut self, placeholder: &str, secret: &str) {
        if self.by_placeholder.len() < ORIGINALS_MAX {
            self.by_placeholder.entry(placeholder.into()).or_insert_with(|| Secret::new(secret.into()));
        }
    }

    /// Takes over what another exchange of the same socket remembers, as far as there is room.
    pub(super) fn join(&mut self, other: Originals) {
        for (placeholder, original) in other.by_placeholder {
            if self.by_placeholder.len() >= ORIGINALS_MAX {
                return;
            }
            self.by_placeholder.insert(placeholder, original);
        }
    }

    /// The original of a placeholder that this exchange made.
    pub(super) fn original(&self, placeholder: &str) -> Option<&Secret> {
        self.by_placeholder.get(placeholder)
    }

    /// The same, while there is room for it. `room` is how many bytes may still be put back.
    pub(super) fn spend(&self, placeholder: &str, room: &mut u64) -> Option<&Secret> {
        let original = self.original(placeholder)?;
        *room = room.checked_sub(original.expose().len() as u64)?;
        Some(original)
    }

    /// Whether there is nothing to put back.
    pub(super) fn is_empty(&self) -> bool {
        self.by_placeholder.is_empty()
    }
}

/// The next complete placeholder at or after `from`.
pub(super) fn next_placeholder(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(found) = memchr::memmem::find(text.get(at..)?, OPEN.as_bytes()) {
        let start = at + found;
        match read(&text[start..]) {
            Shape::Complete(length) => return Some(start..start + length),
            Shape::Open | Shape::Other => at = start + 1,
        }
    }
    None
}

/// Where a placeholder begins that the text's end cuts off.
pub(super) fn open_placeholder(text: &[u8]) -> Option<usize> {
    let from = text.len().saturating_sub(PLACEHOLDER_BYTES_MAX);
    memchr::memchr_iter(b'[', &text[from..]).map(|at| from + at).find(|&at| matches!(read(&text[at..]), Shape::Open))
}

enum Shape {
    Complete(usize),
    Open,
    Other,
}

/// What `text`, which begins at a bracket, is.
fn read(text: &[u8]) -> Shape {
    let opening = OPEN.as_bytes();
    if text.len() < opening.len() {
        return if opening.starts_with(text) { Shape::Open } else { Shape::Other };
    }
    if !text.starts_with(opening) {
        return Shape::Other;
    }
    let is_type = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let rest = &text[opening.len()..];
    let kind = rest.iter().take_while(|byte| is_type(byte)).count();
    if kind > TYPE_BYTES_MAX {
        return Shape::Other;
    }
    let Some((b':', rest)) = rest[kind..].split_first() else {
        return if rest.len() == kind { Shape::Open } else { Shape::Other };
    };
    let digits = rest.iter().take_while(|byte| DIGITS.contains(byte)).count();
    match rest.get(digits) {
        Some(b']') if digits == DIGEST_CHARS => Shape::Complete(opening.len() + kind + 1 + digits + 1),
        None if digits <= DIGEST_CHARS => Shape::Open,
        _ => Shape::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_key_the_label_is_the_seeds() {
        let mut originals = Originals::default();
        assert_eq!(Labels::new(None).hide("SSN", "x", &mut originals), "[REDACTED:SSN]");
        assert!(originals.is_empty());
    }

    #[test]
    fn the_same_secret_gets_the_same_placeholder_and_another_key_another_one() {
        let mut originals = Originals::default();
        let labels = Labels::new(Some([7; 32]));
        let one = labels.hide("SSN", "one", &mut originals);
        assert_eq!(one, labels.hide("SSN", "one", &mut originals));
        assert_ne!(one, labels.hide("SSN", "two", &mut originals));
        assert_ne!(one, Labels::new(Some([8; 32])).hide("SSN", "one", &mut originals));
        assert_eq!(originals.original(&one).map(Secret::expose), Some("one"));
        assert_eq!(next_placeholder(format!("a{one}b").as_bytes(), 0), Some(1..1 + one.len()));
    }

    #[test]
    fn every_proper_prefix_of_a_placeholder_is_open_and_the_whole_is_not() {
        let placeholder = Labels::new(Some([1; 32])).hide("JWT_TOKEN", "s", &mut Originals::default());
        for cut in 1..placeholder.len() {
            let text = format!("see {}", &placeholder[..cut]);
            assert_eq!(open_placeholder(text.as_bytes()), Some(4), "{text}");
        }
        assert_eq!(open_placeholder(placeholder.as_bytes()), None);
        assert_eq!(open_placeholder(b"array[0] and [REDACTED:x"), None);
    }
}
