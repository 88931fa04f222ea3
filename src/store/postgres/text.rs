//! Text for PostgreSQL, which knows every character but U+0000. A client chooses the name of its session, and must not
//! be able to choose one that cannot be written down.

use std::borrow::Cow;

/// Begins a replaced character. JSON never holds it raw, so bodies go in as they are.
const MARK: char = '\u{1}';

/// Text that PostgreSQL takes; most is the same.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(MARK, "\u{1}1").replace('\0', "\u{1}0"))
}

/// What [`escape`] was given; `None` for what it never gives.
pub(super) fn unescape(text: String) -> Option<String> {
    if !text.contains(MARK) {
        return Some(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        plain.push(match next {
            MARK => match rest.next()? {
                '0' => '\0',
                '1' => MARK,
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_holds_no_nul() {
        for text in ["", "edge", "\0", "\u{1}", "\u{1}0", "a\0\u{1}1\0b", "名\0"] {
            let escaped = escape(text);
            assert!(!escaped.contains('\0'), "{text:?}");
            assert_eq!(unescape(escaped.clone().into_owned()).as_deref(), Some(text), "{escaped:?}");
        }
        assert!(matches!(escape("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_was_never_written_is_refused() {
        for text in ["\u{1}", "a\u{1}", "\u{1}2"] {
            assert_eq!(unescape(text.to_owned()), None, "{text:?}");
        }
    }
}
