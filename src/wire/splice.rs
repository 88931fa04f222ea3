//! Edits of raw bytes: some ranges replaced, every byte outside them untouched.

use std::fmt;
use std::ops::Range;

/// Replacements to make in one pass over the raw bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Splices {
    edits: Vec<Edit>,
}

#[derive(Clone, PartialEq, Eq)]
struct Edit {
    range: Range<usize>,
    with: Vec<u8>,
}

/// A range that does not lie inside the bytes it should be replaced in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The range.
    pub range: Range<usize>,
    /// How many bytes there are.
    pub length: usize,
}

impl Splices {
    /// No replacement.
    pub fn new() -> Self {
        Splices::default()
    }

    /// Replaces the bytes of `range`. Ranges may come in any order. Ranges that overlap become one, with the text of
    /// the one that begins first; of two that begin together, the one that was given first.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<Vec<u8>>) {
        self.edits.push(Edit { range, with: with.into() });
    }

    /// Whether nothing is to be replaced.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The bytes with all replacements made; the same bytes if there are none.
    pub fn apply(&self, raw: &[u8]) -> Result<Vec<u8>, OutOfBounds> {
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        edits.sort_by_key(|edit| edit.range.start);
        let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
        let mut out = Vec::with_capacity(raw.len() + added);
        let mut written = 0;
        for (index, edit) in edits.iter().enumerate() {
            let Range { start, end } = edit.range;
            if start > end || end > raw.len() {
                return Err(OutOfBounds { range: edit.range.clone(), length: raw.len() });
            }
            if index == 0 || start >= written {
                out.extend_from_slice(&raw[written..start]);
                out.extend_from_slice(&edit.with);
                written = end;
            } else {
                // Part of this range is gone already; the rest of it goes too, for it was to be hidden.
                written = written.max(end);
            }
        }
        out.extend_from_slice(&raw[written..]);
        Ok(out)
    }
}

/// Where bytes are replaced and by how many, not by which: what is put back may be secret.
impl fmt::Debug for Splices {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.edits.iter().map(|edit| (&edit.range, edit.with.len()))).finish()
    }
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bytes {} to {} are not inside {} bytes", self.range.start, self.range.end, self.length)
    }
}

impl std::error::Error for OutOfBounds {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn splice(raw: &str, edits: &[(Range<usize>, &str)]) -> String {
        let mut splices = Splices::new();
        for (range, with) in edits {
            splices.replace(range.clone(), *with);
        }
        String::from_utf8(splices.apply(raw.as_bytes()).expect("in bounds")).expect("UTF-8")
    }

    #[test]
    fn replaces_in_any_order() {
        assert_eq!(splice("one two three", &[(8..13, "3"), (0..3, "1")]), "1 two 3");
        assert_eq!(splice("ab", &[(1..1, "-")]), "a-b");
        assert_eq!(splice("ab", &[(0..1, "x"), (1..2, "y")]), "xy");
    }

    #[test]
    fn merges_what_overlaps_and_keeps_the_first_text() {
        assert_eq!(splice("0123456789", &[(4..8, "B"), (2..5, "A")]), "01A89");
        assert_eq!(splice("0123456789", &[(2..9, "A"), (3..4, "B")]), "01A9");
        assert_eq!(splice("0123456789", &[(2..4, "A"), (2..6, "B")]), "01A6789");
    }

    #[test]
    fn a_range_outside_is_an_error() {
        let mut splices = Splices::new();
        splices.replace(3..9, "x");
        assert_eq!(splices.apply(b"short"), Err(OutOfBounds { range: 3..9, length: 5 }));
    }

    #[test]
    fn what_is_put_in_is_not_shown() {
        let mut splices = Splices::new();
        splices.replace(3..9, "hidden");
        assert_eq!(format!("{splices:?}"), "{3..9: 6}");
    }

    proptest! {
        #[test]
        fn replacing_with_the_same_bytes_changes_nothing(
            raw in proptest::collection::vec(any::<u8>(), 0..64),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(raw.len() + 1)).collect();
            places.sort_unstable();
            let mut splices = Splices::new();
            for pair in places.chunks_exact(2).rev() {
                splices.replace(pair[0]..pair[1], raw[pair[0]..pair[1]].to_vec());
            }
            prop_assert_eq!(splices.is_empty(), places.len() < 2);
            prop_assert_eq!(splices.apply(&raw), Ok(raw));
        }
    }
}
