//! A request path cut into parts that cannot mean anything else further on: no dots, no hidden slashes, no controls.

/// Longer paths belong to no known API.
const PATH_BYTES_MAX: usize = 2048;

/// The deepest known path has seven parts (Azure's, with a doubled version).
const PARTS_MAX: usize = 12;

/// Cuts `path` at its slashes; one slash at the end is tolerated. `None` for a path that two readers could read
/// in two ways: doubled slashes, `.` and `..`, escaped slashes, backslashes, dots or controls, bytes beyond ASCII.
pub(super) fn parse(path: &str) -> Option<Vec<&str>> {
    if path.len() > PATH_BYTES_MAX {
        return None;
    }
    let inner = path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let parts: Vec<&str> = inner.split('/').take(PARTS_MAX + 1).collect();
    (parts.len() <= PARTS_MAX && parts.iter().all(|part| is_plain(part))).then_some(parts)
}

/// The parts behind any leading `v1`: clients add it to a base URL that already ends in it.
pub(super) fn without_version<'a, 'b>(mut parts: &'a [&'b str]) -> &'a [&'b str] {
    while let [first, rest @ ..] = parts
        && *first == "v1"
    {
        parts = rest;
    }
    parts
}

/// A part with its percent escapes resolved. [`parse`] has made sure that they are whole.
pub(crate) fn decoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => text.push(char::from(byte)),
            None => text.push('%'),
        }
        rest = after.get(2..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

fn is_plain(part: &str) -> bool {
    if part.is_empty() || part == "." || part == ".." {
        return false;
    }
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => matches!((bytes.next(), bytes.next()), (Some(high), Some(low)) if is_harmless_escape(high, low)),
            _ => is_path_byte(byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// The characters that RFC 3986 allows in a path part without an escape.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// An escape for a visible character that has no meaning in a path, such as the `%3A` of fine-tuned models' ids.
fn is_harmless_escape(high: u8, low: u8) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => match u8::try_from(high * 16 + low) {
            Ok(byte) => (byte.is_ascii_graphic() || byte == b' ') && !b"/\\.%?#;".contains(&byte),
            Err(_) => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_are_cut() {
        assert_eq!(parse("/v1/messages"), Some(vec!["v1", "messages"]));
        assert_eq!(parse("/v1/messages/"), Some(vec!["v1", "messages"]));
        assert_eq!(parse("/models/ft%3Agpt:a::b"), Some(vec!["models", "ft%3Agpt:a::b"]));
        assert_eq!(decoded("ft%3Agpt%20x"), "ft:gpt x");
        assert_eq!(decoded("50%"), "50%");
    }

    #[test]
    fn ambiguous_paths_are_none() {
        let odd = [
            "",
            "/",
            "//",
            "messages",
            "/v1//messages",
            "/v1/messages//",
            "/v1/../messages",
            "/v1/./messages",
            "/a/%2e%2e/b",
            "/a/%2fb",
            "/a/%2Fb",
            "/a/%5cb",
            "/a/%00",
            "/a/%0a",
            "/a/%25",
            "/a/%3f",
            "/a/%23",
            "/a/%",
            "/a/%4",
            "/a/%zz",
            "/a/%+1",
            "/a/%c3%a9",
            "/a\\b",
            "/a b",
            "/a\u{0}b",
            "/a\tb",
            "/ä",
            "/a?b",
            "/a#b",
        ];
        for path in odd {
            assert_eq!(parse(path), None, "{path:?}");
        }
        assert_eq!(parse(&format!("/{}", "a".repeat(PATH_BYTES_MAX))), None);
        assert_eq!(parse(&"/a".repeat(PARTS_MAX + 1)), None);
        assert!(parse(&"/a".repeat(PARTS_MAX)).is_some());
    }

    #[test]
    fn versions_collapse() {
        assert_eq!(without_version(&["v1", "v1", "models"]), ["models"]);
        assert_eq!(without_version(&["models", "v1"]), ["models", "v1"]);
        assert!(without_version(&["v1"]).is_empty());
    }
}
