//! Regions: once begun they are found, whatever their length; their body is walked, never kept.
//!
//! What lists, searches, compares and logs files puts something of its own before each line: a number, a path, a time, a
//! name. Where a region says so, what is not of its body is passed over if the body goes on behind it.

use std::ops::Range;

/// Longest stretch that is passed over, bytes: a few prefixes of lines, and short lines between them.
pub(super) const GAP_BYTES_MAX: usize = 512;
/// Line breaks that such a stretch may hold: the short last line of a key, its checksum, an empty line and the end.
const GAP_BREAKS_MAX: u8 = 4;
/// Characters of base64 in a row behind which the body goes on, wherever they stand, and at the end of a line.
const RUN_CHARS: u8 = 40;
const LAST_RUN_CHARS: u8 = 16;

/// What a region is made of.
#[derive(Clone, Debug)]
pub(super) struct Region {
    end: Vec<u8>,
    /// Per prefix of `end`: the length of its longest proper suffix that is a prefix, too.
    borders: Vec<usize>,
    body: Box<[bool; 256]>,
    length_max: usize,
    /// Whether its lines may have prefixes.
    prefixed_lines: bool,
}

/// A region whose body is being walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// Bytes of `end` that the last bytes match.
    matched: usize,
    /// First byte outside the class that only the partly matched end excuses, or a body that goes on behind it.
    outside: Option<usize>,
    gap: Gap,
    heading: Heading,
}

impl Walk {
    /// Where the region ends if the end literal does not follow after all.
    pub(super) fn certain(&self) -> Option<usize> {
        self.outside
    }
}

/// What a piece of text made of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// It goes on behind this text.
    Open,
    /// It ends before this offset.
    Ended(usize),
    /// It has its full length before this offset and goes on from there.
    Full(usize),
}

impl Region {
    pub(super) fn new(end: &[u8], body: Box<[bool; 256]>, length_max: usize, prefixed_lines: bool) -> Option<Region> {
        if end.is_empty() || end.len() > 256 || !(64..=1 << 20).contains(&length_max) || length_max <= end.len() {
            return None;
        }
        let mut borders = vec![0; end.len() + 1];
        let mut length = 0;
        for index in 1..end.len() {
            while length > 0 && end[length] != end[index] {
                length = borders[length];
            }
            length += usize::from(end[length] == end[index]);
            borders[index + 1] = length;
        }
        Some(Region { end: end.to_vec(), borders, body, length_max, prefixed_lines })
    }

    /// A walk whose body has not been read yet.
    pub(super) fn walk(&self) -> Walk {
        Walk { matched: 0, outside: None, gap: Gap::default(), heading: Heading::default() }
    }

    /// So many bytes may be read before it shows that a region ended in front of them.
    pub(super) fn unsure_bytes_max(&self) -> usize {
        if self.prefixed_lines { GAP_BYTES_MAX.max(self.end.len()) } else { self.end.len() }
    }

    /// Walks over `text[range]`, offsets absolute to `base`; `region` is where the region starts.
    pub(super) fn read(&self, walk: &mut Walk, region: usize, text: &[u8], range: Range<usize>, base: usize) -> Walked {
        for index in range {
            let (byte, offset) = (text[index], base + index);
            while walk.matched > 0 && self.end[walk.matched] != byte {
                walk.matched = self.borders[walk.matched];
            }
            walk.matched += usize::from(self.end[walk.matched] == byte);
            let headed = self.prefixed_lines && walk.heading.read(byte);
            if walk.matched == self.end.len() {
                // What ends here may be the first line of the next key: behind a key that was cut off, that is read on.
                if !headed {
                    return Walked::Ended(offset + 1);
                }
                walk.matched = self.borders[walk.matched];
            }
            if !self.body[usize::from(byte)] && walk.outside.is_none() {
                (walk.outside, walk.gap) = (Some(offset), Gap::default());
            }
            if let Some(outside) = walk.outside {
                match self.passes_over(walk, outside, byte, offset) {
                    Passed::Unsure if self.prefixed_lines => continue,
                    Passed::Unsure => {}
                    Passed::Over => walk.outside = None,
                    Passed::No => return Walked::Ended(outside),
                }
            }
            if offset + 1 - region >= self.length_max {
                return Walked::Full(offset + 1);
            }
        }
        Walked::Open
    }

    /// Whether the region goes on behind the byte at `outside`, as the one at `offset` shows.
    fn passes_over(&self, walk: &mut Walk, outside: usize, byte: u8, offset: usize) -> Passed {
        match self.prefixed_lines {
            true => walk.gap.read(byte, offset + 1 - outside),
            // The partly matched end starts here; an outside byte before it ends the region.
            false if outside < offset + 1 - walk.matched => Passed::No,
            false => Passed::Unsure,
        }
    }

    /// Where the region ends when the text ends at `length`.
    pub(super) fn at_end(&self, walk: &Walk, length: usize) -> usize {
        walk.outside.filter(|_| !walk.gap.ends_line()).unwrap_or(length)
    }
}

/// What a byte says of a stretch that may be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Unsure,
    Over,
    No,
}

/// A stretch that is passed over if base64 goes on behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gap {
    breaks: u8,
    /// Characters of base64 in a row that the last bytes are.
    run: u8,
    /// What is among them: capitals, small letters, others.
    kinds: u8,
}

impl Gap {
    /// Reads a byte, which makes the stretch so long.
    fn read(&mut self, byte: u8, length: usize) -> Passed {
        let kind = match byte {
            b'A'..=b'Z' => 1,
            b'a'..=b'z' => 2,
            b'0'..=b'9' | b'+' => 4,
            b'/' => 0,
            _ => {
                if matches!(byte, b'\n' | b'\r' | b'\\' | b'=') && self.ends_line() {
                    return Passed::Over;
                }
                let breaks = self.breaks + u8::from(byte == b'\n');
                *self = Gap { breaks, ..Gap::default() };
                return if breaks > GAP_BREAKS_MAX || length >= GAP_BYTES_MAX { Passed::No } else { Passed::Unsure };
            }
        };
        (self.run, self.kinds) = (self.run.saturating_add(1), self.kinds | kind);
        match length {
            _ if self.run >= RUN_CHARS && self.is_mixed() => Passed::Over,
            GAP_BYTES_MAX.. => Passed::No,
            _ => Passed::Unsure,
        }
    }

    /// Whether what ends here is the last line of a body.
    fn ends_line(&self) -> bool {
        self.run >= LAST_RUN_CHARS && self.is_mixed()
    }

    /// Names, paths and hashes are not.
    fn is_mixed(&self) -> bool {
        self.kinds == 7
    }
}

/// Whether what is being read is the line that begins a block, `-----BEGIN …-----`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heading {
    dashes: u8,
    /// Bytes of `BEGIN` behind five dashes.
    matched: u8,
    begun: bool,
}

impl Heading {
    const WORD: &[u8] = b"BEGIN";
    const DASHES: u8 = 5;

    /// Whether the byte is the last one of such a line.
    fn read(&mut self, byte: u8) -> bool {
        if byte == b'-' {
            self.dashes = self.dashes.saturating_add(1);
            self.matched = 0;
            return self.dashes == Heading::DASHES && std::mem::take(&mut self.begun);
        }
        let follows = self.dashes >= Heading::DASHES || self.matched > 0;
        let fits = follows && Heading::WORD.get(usize::from(self.matched)) == Some(&byte);
        self.dashes = 0;
        self.matched = if fits { self.matched + 1 } else { 0 };
        self.begun |= usize::from(self.matched) == Heading::WORD.len();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str) -> Passed {
        let mut gap = Gap::default();
        let says = text.bytes().zip(1..).map(|(byte, length)| gap.read(byte, length));
        says.into_iter().find(|it| *it != Passed::Unsure).unwrap_or(Passed::Unsure)
    }

    #[test]
    fn base64_alone_takes_a_body_on() {
        let line = "my8Yzt9xFhW7ks/lnaUoYtxRPf5FZnpmf6BXn04jHDET";
        assert_eq!(passed(&format!("→{line}")), Passed::Over);
        assert_eq!(passed(&format!("_1 | 2024-01-01 a/b.pem:12:{line}")), Passed::Over);
        assert_eq!(passed("→m5TRnH8iv1PxIZ7b9Q=="), Passed::Over);
        assert_eq!(passed("→ab==\n12→-----"), Passed::Unsure);
        for prose in ["(see src/scan/assignment/syntax and what it says)", "→8bc4c78a9de8455c334b2b5e52b07447\n"] {
            assert_eq!(passed(prose), Passed::Unsure, "{prose}");
        }
        assert_eq!(passed(&"(\n".repeat(5)), Passed::No);
        assert_eq!(passed(&"(".repeat(GAP_BYTES_MAX)), Passed::No);
        assert_eq!(passed(&"a".repeat(GAP_BYTES_MAX)), Passed::No);
    }

    #[test]
    fn the_first_line_of_a_block_is_told_from_its_last() {
        let ends = |text: &str| {
            let mut heading = Heading::default();
            text.bytes().map(|byte| heading.read(byte)).filter(|ends| *ends).count()
        };
        assert_eq!((ends("-----BEGIN A KEY-----"), ends("x-----BEGIN-----BEGIN A-----")), (1, 2));
        for text in ["-----END A KEY-----", "---BEGIN A-----", "-----BEGI-----", "BEGIN-----", "-----BE-GIN-----"] {
            assert_eq!(ends(text), 0, "{text}");
        }
    }
}
