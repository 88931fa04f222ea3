//! The search for the end of a run of plain bytes inside a JSON string, eight bytes at a time.

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
