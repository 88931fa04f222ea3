//! Regions: once begun they are found, whatever their length; their body is walked, never kept.

use std::ops::Range;

/// What a region is made of.
#[derive(Clone, Debug)]
pub(super) struct Region {
    end: Vec<u8>,
    /// Per prefix of `end`: the length of its longest proper suffix that is a prefix, too.
    borders: Vec<usize>,
    body: Box<[bool; 256]>,
    length_max: usize,
}

/// A region whose body is being walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// Bytes of `end` that the last bytes match.
    matched: usize,
    /// First byte outside the class that only the partly matched end excuses.
    outside: Option<usize>,
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
    pub(super) fn new(end: &[u8], body: Box<[bool; 256]>, length_max: usize) -> Option<Region> {
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
        Some(Region { end: end.to_vec(), borders, body, length_max })
    }

    /// A walk whose body has not been read yet.
    pub(super) fn walk(&self) -> Walk {
        Walk { matched: 0, outside: None }
    }

    /// Walks over `text[range]`, offsets absolute to `base`; `region` is where the region starts.
    pub(super) fn read(&self, walk: &mut Walk, region: usize, text: &[u8], range: Range<usize>, base: usize) -> Walked {
        for index in range {
            let (byte, offset) = (text[index], base + index);
            while walk.matched > 0 && self.end[walk.matched] != byte {
                walk.matched = self.borders[walk.matched];
            }
            walk.matched += usize::from(self.end[walk.matched] == byte);
            if walk.matched == self.end.len() {
                return Walked::Ended(offset + 1);
            }
            if !self.body[byte as usize] {
                walk.outside.get_or_insert(offset);
            }
            // The partly matched end starts here; an outside byte before it ends the region.
            match walk.outside {
                Some(outside) if outside < offset + 1 - walk.matched => return Walked::Ended(outside),
                _ => {}
            }
            if offset + 1 - region >= self.length_max {
                return Walked::Full(offset + 1);
            }
        }
        Walked::Open
    }

    /// Where the region ends when the text ends at `length`.
    pub(super) fn at_end(&self, walk: &Walk, length: usize) -> usize {
        walk.outside.unwrap_or(length)
    }
}
