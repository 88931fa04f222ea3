//! What an answer tells of its tokens, beside its text: the same text once more in pieces, as words and as numbers. Where the
//! text is changed, it goes.

use std::ops::Range;

use crate::wire::json::{Container, Error, ErrorKind, Lexer, Limits, Path, Visitor};
use crate::wire::splice::Splices;

/// As deep as a configuration lets an answer be.
const DEPTH_MAX: u32 = 1024;

/// Has every `logprobs` in a JSON text, or in lines of them, become empty, as clients know it. What is no JSON has none.
pub(super) fn forget(json: &[u8], splices: &mut Splices) {
    if memchr::memmem::find(json, b"logprobs").is_none() && memchr::memmem::find(json, b"\\u").is_none() {
        return;
    }
    let (mut lexer, mut found) = (Lexer::new(Limits { depth_max: DEPTH_MAX }), Found::default());
    // What the lexer does not reach is no part of a document that anybody reads.
    while let Err(Error { offset, kind: ErrorKind::TrailingData }) = lexer.push(&json[found.base..], &mut found) {
        found.base += offset;
        lexer.reset();
    }
    for (range, container) in found.ranges {
        splices.replace(
            range,
            match container {
                Container::Object => "null",
                Container::Array => "[]",
            },
        );
    }
}

#[derive(Default)]
struct Found {
    /// Where the document begins.
    base: usize,
    /// Containers that are open, from the one that is looked for on.
    depth: usize,
    start: usize,
    ranges: Vec<(Range<usize>, Container)>,
}

impl Visitor for Found {
    fn enter(&mut self, path: &Path, _container: Container, at: usize) {
        if self.depth > 0 || path.last_key() == Some("logprobs") {
            self.start = if self.depth == 0 { self.base + at } else { self.start };
            self.depth += 1;
        }
    }

    fn leave(&mut self, _path: &Path, container: Container, at: usize) {
        self.depth = match self.depth {
            0 => 0,
            1 => {
                self.ranges.push((self.start..self.base + at + 1, container));
                0
            }
            depth => depth - 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_becomes_empty_and_nothing_else() {
        let json =
            br#"{"a":[{"logprobs":{"content":[{"token":"x"}]},"b":[1]},{"log\u0070robs":[[],{}]},{"logprobs":null}]}"#;
        let mut splices = Splices::new();
        forget(json, &mut splices);
        let expected = r#"{"a":[{"logprobs":null,"b":[1]},{"log\u0070robs":[]},{"logprobs":null}]}"#;
        assert_eq!(String::from_utf8(splices.apply(json).unwrap()).unwrap(), expected);
    }

    #[test]
    fn in_every_document_as_deep_as_it_may_be() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let lines = |it: &str| {
            format!("\u{feff}{{\"logprobs\":{it}}}\r\n7\n{{\"deep\":{deep},\"logprobs\":{it}}}{{\"logprobs\":{it}}}\n")
        };
        let (json, mut splices) = (lines(r#"[{"token":"x"}]"#), Splices::new());
        forget(json.as_bytes(), &mut splices);
        assert_eq!(String::from_utf8(splices.apply(json.as_bytes()).unwrap()).unwrap(), lines("[]"));
    }
}
