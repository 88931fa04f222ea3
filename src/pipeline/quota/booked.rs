//! Which answers were booked: one that is fetched again from where the provider keeps it has used nothing more.

use std::collections::HashSet;

/// Answers that are remembered at least, of 16 bytes each; at twice as many the older half is forgotten.
const ANSWERS_MIN: usize = 32_768;

/// Digests of the ids of answers, in the order of two halves.
#[derive(Debug, Default)]
pub(super) struct Booked {
    recent: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
}

impl Booked {
    /// Whether this is the first time that an answer with this id is booked, as far as is remembered.
    pub(super) fn is_first(&mut self, id: &str) -> bool {
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
        if self.older.contains(&digest) || !self.recent.insert(digest) {
            return false;
        }
        if self.recent.len() >= ANSWERS_MIN {
            self.older = std::mem::take(&mut self.recent);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_booked_once_and_what_is_remembered_is_bounded() {
        let mut booked = Booked::default();
        assert!(booked.is_first("msg_1") && !booked.is_first("msg_1"));
        assert!((0..ANSWERS_MIN - 1).all(|it| booked.is_first(&it.to_string())));
        assert!(!booked.is_first("msg_1"), "the older half is remembered, too");
        assert!((0..3 * ANSWERS_MIN).all(|it| booked.is_first(&format!("more {it}"))));
        assert!(booked.recent.len() + booked.older.len() <= 2 * ANSWERS_MIN);
        assert!(booked.is_first("msg_1"));
    }
}
