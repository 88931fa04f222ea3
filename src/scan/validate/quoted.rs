//! Whether a match is talked about: quoted, forbidden, or told of others.

use super::Matched;

/// What may open a quotation, as it ends: the ASCII quotes, `“`, `‘`, `„`, `«`, `「`, `『` and the HTML entity.
const OPENING: [&[u8]; 10] = [
    b"\"",
    b"'",
    b"`",
    "\u{201c}".as_bytes(),
    "\u{2018}".as_bytes(),
    "\u{201e}".as_bytes(),
    "\u{ab}".as_bytes(),
    "\u{300c}".as_bytes(),
    "\u{300e}".as_bytes(),
    b"&quot;",
];

/// Whether a quote stands directly before the match and closes it. A pattern takes the closing quote's first byte in.
pub(super) fn is_quoted(matched: &Matched<'_>) -> bool {
    let closes = matches!(matched.whole.last(), Some(b'"' | b'\'' | b'`' | 0xE2));
    closes && OPENING.iter().any(|quote| matched.before.ends_with(quote))
}

/// What forbids or reports what follows it, in lower case.
const DENYING: [&str; 22] = [
    "not",
    "never",
    "n't",
    "cannot",
    "without",
    "refuse to",
    "asks you to",
    "asking you to",
    "ask you to",
    "tells you to",
    "telling you to",
    "tell you to",
    "instructs you to",
    "attempts to",
    "attempt to",
    "attempting to",
    "tries to",
    "trying to",
    "try to",
    "asks to",
    "tricked to",
    "tricked into",
];
/// The longest of [`DENYING`] and the spaces behind it, bytes.
const DENYING_BYTES_MAX: usize = 24;

/// Whether the words before a match forbid it, or tell of those who ask for it.
pub(super) fn is_denied(matched: &Matched<'_>) -> bool {
    let before = matched.before.trim_ascii_end();
    let tail = before[before.len().saturating_sub(DENYING_BYTES_MAX)..].to_ascii_lowercase();
    // The word must be whole: `cannot` is one, `knot` is none.
    let stands_alone = |rest: &[u8]| rest.last().is_none_or(|byte| !byte.is_ascii_alphabetic());
    DENYING
        .iter()
        .any(|word| tail.strip_suffix(word.as_bytes()).is_some_and(|rest| *word == "n't" || stands_alone(rest)))
}

/// Words between a subject and its verb.
const ADVERBS: [&[u8]; 4] = [b"always", b"also", b"usually", b"silently"];
/// Subjects that are no nouns.
const SUBJECTS: [&[u8]; 4] = [b"they", b"we", b"i", b"which"];
/// Words in `s` that are no nouns in the plural, or call somebody.
const NO_SUBJECTS: [&[u8]; 8] =
    [b"always", b"this", b"thus", b"perhaps", b"besides", b"sometimes", b"assistants", b"agents"];
/// A shorter word in `s` is no noun in the plural.
const PLURAL_BYTES_MIN: usize = 4;

/// Whether a match, which begins with a verb, says what somebody does: `override` behind "later rules always". A capital
/// begins a sentence of its own, and more than a space another text.
pub(super) fn is_told(matched: &Matched<'_>) -> bool {
    let mut words = matched.before.rsplit(|byte| *byte == b' ');
    if !matched.whole.first().is_some_and(u8::is_ascii_lowercase) || words.next() != Some(&b""[..]) {
        return false;
    }
    let is_adverb = |word: &[u8]| ADVERBS.iter().any(|it| it.eq_ignore_ascii_case(word));
    let word = words.find(|word| !is_adverb(word)).unwrap_or_default();
    let is_any = |table: &[&[u8]]| table.iter().any(|it| it.eq_ignore_ascii_case(word));
    let plural = word.len() >= PLURAL_BYTES_MIN
        && word.iter().all(u8::is_ascii_alphabetic)
        && word.ends_with(b"s")
        && !word.ends_with(b"ss");
    is_any(&SUBJECTS) || plural && !is_any(&NO_SUBJECTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str, phrase: &str) -> bool {
        let at = text.find(phrase).map_or(0..0, |from| from..from + phrase.len());
        is_quoted(&Matched::new(text.as_bytes(), &at, &at))
    }

    #[test]
    fn quotes_on_both_sides_make_a_quotation() {
        assert!(quoted("the phrase \"drop it\" is", "drop it\""));
        assert!(quoted("the phrase `drop it` is", "drop it`"));
    }

    #[test]
    fn one_quote_does_not() {
        assert!(!quoted("then drop it\" is", "drop it\""));
        assert!(!quoted("the \"drop it now", "drop it"));
        assert!(!quoted("", ""));
    }

    #[test]
    fn what_somebody_does_is_told() {
        let told = |text: &str| {
            let at = text.to_ascii_lowercase().find("drop").map_or(0..0, |from| from..from + 4);
            is_told(&Matched::new(text.as_bytes(), &at, &at))
        };
        for text in ["later rules always drop", "manpages drop", "then they drop", "We drop"] {
            assert!(told(text), "{text}");
        }
        for text in
            ["five stars: drop", "Reviews Drop", "AI agents drop", "the rules, drop", "always drop", "access drop"]
        {
            assert!(!told(text), "{text}");
        }
    }

    #[test]
    fn what_is_forbidden_or_reported_is_not_asked_for() {
        let denied = |text: &str| {
            let at = text.find("drop").map_or(0..0, |from| from..from + 4);
            is_denied(&Matched::new(text.as_bytes(), &at, &at))
        };
        for text in ["do not drop", "Never  drop", "don't drop", "a page that tries to drop", "if it asks you to drop"]
        {
            assert!(denied(text), "{text}");
        }
        for text in ["drop", "now drop", "the knot drop", "please drop"] {
            assert!(!denied(text), "{text}");
        }
    }
}
