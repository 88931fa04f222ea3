//! Whether a match is a quotation: words that are talked about.

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
}
