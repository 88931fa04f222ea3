//! What is shared by the objects of a document that are known as a whole: the search for their end, and what comes of it.

use super::seen::{Clean, Digest, Seen};
use crate::domain::Coverage;
use crate::wire::json::ObjectEnd;

/// Bytes between two objects of a list, beyond which the second is looked at only when its turn comes.
const BETWEEN_BYTES_MAX: usize = 64;

/// The search for the end of the object that comes next, in as many calls as it takes for its bytes to arrive.
#[derive(Default)]
pub(super) struct Search {
    at: usize,
    end: ObjectEnd,
}

/// The object that comes next.
pub(super) struct Found {
    pub(super) length: usize,
    pub(super) digest: Digest,
    /// What is known of it.
    pub(super) known: Option<Clean>,
}

impl Search {
    /// The object that begins at the offset `at`; `bytes` are all that are there from it on. `about`: all that decides how
    /// it is read. `before`: where it stands.
    ///
    /// What came last behind `before` is tried first, once: what has the digest of an object that was read is that object,
    /// and ends where it ended, without a search.
    pub(super) fn object(
        &mut self,
        seen: &Seen,
        before: Digest,
        about: &[u8],
        at: usize,
        bytes: &[u8],
    ) -> Option<Found> {
        if self.at != at
            && let Some(length) = seen.recall(behind(seen, before)).map(|it| it.length as usize)
            && let Some(object) = bytes.get(..length)
        {
            let digest = seen.digest(object, about);
            if let Some(known) = seen.recall(digest) {
                return Some(Found { length, digest, known: Some(known) });
            }
        }
        let length = self.length(at, bytes)?;
        let digest = seen.digest(&bytes[..length], about);
        Some(Found { length, digest, known: seen.recall(digest) })
    }

    fn length(&mut self, at: usize, bytes: &[u8]) -> Option<usize> {
        if self.at != at {
            *self = Search { at, end: ObjectEnd::default() };
        }
        let length = self.end.find(bytes);
        if length.is_some() {
            // An end that was found is not found again.
            *self = Search::default();
        }
        length
    }
}

/// An object of this length came behind `before`.
pub(super) fn remember_length(seen: &Seen, before: Digest, length: usize) {
    seen.remember(behind(seen, before), Clean { length: length as u64, skipped: None });
}

fn behind(seen: &Seen, before: Digest) -> Digest {
    seen.digest(b"", &about(b"behind  ", before))
}

/// What it is, and what it stands behind.
pub(super) fn about(what: &[u8; 8], before: Digest) -> [u8; 24] {
    let mut about = [0; 24];
    about[..8].copy_from_slice(what);
    about[8..].copy_from_slice(&before.bytes());
    about
}

/// What comes after an object of a list.
pub(super) enum After {
    /// Another one, behind so many bytes.
    Another(usize),
    /// More bytes are needed to say.
    Unknown,
    Nothing,
}

impl After {
    /// By the bytes behind it.
    pub(super) fn of(bytes: &[u8]) -> After {
        let mut comma = false;
        for (index, byte) in bytes.iter().enumerate().take(BETWEEN_BYTES_MAX) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => {}
                b',' if !comma => comma = true,
                b'{' if comma => return After::Another(index),
                _ => return After::Nothing,
            }
        }
        if bytes.len() < BETWEEN_BYTES_MAX { After::Unknown } else { After::Nothing }
    }
}

/// What is known of the object that comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Recalled {
    /// Nothing, or not enough.
    No,
    /// More bytes are needed to say.
    NotYet,
    /// It was read before, and so were those behind it.
    Yes {
        /// From its bracket to behind the last of them.
        bytes: usize,
        /// How many they are.
        elements: u32,
        /// What reading them again would add.
        coverage: Coverage,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_last_is_found_by_its_length_and_another_by_its_end() {
        let seen = Seen::new();
        let start = seen.digest(b"start", b"");
        let find = |bytes: &[u8]| Search::default().object(&seen, start, b"about", 7, bytes);
        let (one, longer) = (br#"{"a":"one"}"#, br#"{"a":"one","b":2}"#);
        for object in [&one[..], longer, one] {
            let followed = [object, b",{"].concat();
            let found = find(&followed).unwrap();
            assert_eq!((found.length, found.known), (object.len(), None));
            remember_length(&seen, start, object.len());
        }
        let digest = seen.digest(one, b"about");
        seen.remember(digest, Clean { length: 3, skipped: None });
        assert_eq!(find(one).unwrap().known, Some(Clean { length: 3, skipped: None }));
        assert_eq!(find(longer).unwrap().length, longer.len(), "it begins like no object that is known");
        assert!(find(&one[..one.len() - 1]).is_none());
        // Known bytes end where they ended without being read: that they are an object was seen before.
        let text = b"no object";
        remember_length(&seen, start, text.len());
        assert!(find(text).is_none());
        seen.remember(seen.digest(text, b"about"), Clean { length: 9, skipped: None });
        assert_eq!(find(text).unwrap().length, text.len());
    }
}
