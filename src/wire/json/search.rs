//! Searches over raw JSON: for the end of a run of plain bytes inside a string, eight bytes at a time, of a string, of an
//! object.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// How many leading bytes of a string's content stand for themselves: no quote, no backslash, no control character.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = special_marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return index * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let tail = rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len());
    words.len() * 8 + tail
}

/// Where a string's content ends: the index of the first quote from `from` on that no backslash escapes. The content
/// begins at `content`: backslashes before it are none of its own.
pub(super) fn closing_quote(bytes: &[u8], content: usize, mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr::memchr(b'"', bytes.get(from..)?)?;
        let backslashes = bytes[content..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// The search for the end of an object, in as many calls as it takes for its bytes to arrive: each is searched once.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObjectEnd {
    searched: usize,
    /// Objects that are open.
    depth: usize,
    /// Where the content begins of the string that is open.
    string: Option<usize>,
}

impl ObjectEnd {
    /// The length of the object that `bytes` begin with, `None` while its end is not among them; they have to be those of
    /// the call before and may be more. Of what is no object, any length or none.
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            if let Some(content) = self.string {
                let Some(quote) = closing_quote(bytes, content, self.searched) else {
                    self.searched = bytes.len();
                    return None;
                };
                (self.string, self.searched) = (None, quote + 1);
            }
            let rest = bytes.get(self.searched..)?;
            let Some(next) = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}')) else {
                self.searched = bytes.len();
                return None;
            };
            self.searched += next + 1;
            match rest[next] {
                b'"' => self.string = Some(self.searched),
                b'{' => self.depth += 1,
                _ => self.depth = self.depth.saturating_sub(1),
            }
            if self.depth == 0 && self.string.is_none() {
                return Some(self.searched);
            }
        }
    }
}

/// The high bit of each special byte. Borrows can set bits above a true one, never below: the lowest is exact.
fn special_marks(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGHS
}

fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_special_byte_at_every_place() {
        for length in 0..40 {
            for byte in 0..=255u8 {
                for place in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let expected = if is_special(byte) { place } else { length };
                    assert_eq!(plain_run(&bytes), expected, "byte {byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn finds_the_end_of_an_object_however_it_arrives() {
        let object = br#"{"a":{"b}":"{\"}"},"c":["}",{}, -1.5e3],"\\":"x"}"#;
        let bytes = [object.as_slice(), b", {}]"].concat();
        for step in 1..=bytes.len() {
            let mut search = ObjectEnd::default();
            let ends = (step..bytes.len() + step).step_by(step).map(|end| end.min(bytes.len()));
            let found: Vec<_> =
                ends.map(|end| (end, search.find(&bytes[..end]))).take_while(|it| it.1.is_none()).collect();
            assert!(found.iter().all(|(end, _)| *end < object.len()), "in steps of {step}: {found:?}");
            assert_eq!(ObjectEnd::default().find(&bytes), Some(object.len()));
        }
        for never in [&b"{\"a\":{}"[..], b"{\"", b"", b"{\"}\\\""] {
            assert_eq!(ObjectEnd::default().find(never), None);
        }
    }

    #[test]
    fn takes_the_first_of_neighbours_that_borrow() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                let bytes = [first, second, 0x80, 0xff, 0x21, 0x23, 0x5d, 0x5b];
                let expected = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(8);
                assert_eq!(plain_run(&bytes), expected, "{first} {second}");
            }
        }
    }
}
