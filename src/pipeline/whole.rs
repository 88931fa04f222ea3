//! What is shared by the objects of a document that are known as a whole: the search for their end, and what comes of it.

use crate::domain::Coverage;
use crate::wire::json::ObjectEnd;

/// The search for the end of the object that comes next, in as many calls as it takes for its bytes to arrive.
#[derive(Default)]
pub(super) struct Search {
    at: usize,
    end: ObjectEnd,
}

impl Search {
    /// The length of the object that begins at the offset `at`; `bytes` are all that are there from it on.
    pub(super) fn length(&mut self, at: usize, bytes: &[u8]) -> Option<usize> {
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
