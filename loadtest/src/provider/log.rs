//! When each token of a streamed answer left, for a client in the same process that asks how long it was held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Answers that are remembered at the same time.
const ANSWERS_MAX: usize = 100_000;

/// The logs of all streamed answers that a client has not read to the end.
#[derive(Debug)]
pub struct Logs {
    timed: bool,
    open: Mutex<HashMap<u64, Arc<Sent>>>,
}

/// What left of one answer, token by token.
#[derive(Debug, Default)]
pub struct Sent {
    /// Bytes of text up to and with a token, and when it left.
    tokens: Mutex<Vec<(usize, Instant)>>,
}

impl Logs {
    pub(super) fn new(timed: bool) -> Self {
        Logs { timed, open: Mutex::default() }
    }

    /// The log of a new answer; `None` if nobody is there to read it.
    pub(super) fn begin(&self, number: u64) -> Option<Arc<Sent>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.timed || open.len() >= ANSWERS_MAX {
            return None;
        }
        Some(open.entry(number).or_default().clone())
    }

    /// Gives the log of an answer to the client that reads it, and forgets it.
    pub fn take(&self, number: u64) -> Option<Arc<Sent>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }
}

impl Sent {
    /// A token of `bytes` bytes leaves now.
    pub(super) fn token(&self, bytes: usize) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tokens.last().map_or(0, |it| it.0);
        tokens.push((before + bytes, Instant::now()));
    }

    /// Bytes of text that have left.
    pub fn bytes(&self) -> usize {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).last().map_or(0, |it| it.0)
    }

    /// When the byte before `bytes` left: the time from which a client that has read so much was kept waiting.
    pub fn left_at(&self, bytes: usize) -> Option<Instant> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let place = tokens.partition_point(|it| it.0 < bytes);
        tokens.get(place).map(|it| it.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_left_with_the_token_it_belongs_to() {
        let sent = Sent::default();
        [4, 6, 2].into_iter().for_each(|it| sent.token(it));
        assert_eq!(sent.bytes(), 12);
        let times: Vec<Instant> = sent.tokens.lock().unwrap().iter().map(|it| it.1).collect();
        assert_eq!(sent.left_at(1), Some(times[0]));
        assert_eq!(sent.left_at(4), Some(times[0]));
        assert_eq!(sent.left_at(5), Some(times[1]));
        assert_eq!(sent.left_at(12), Some(times[2]));
        assert_eq!(sent.left_at(13), None);
    }

    #[test]
    fn a_log_is_there_once_and_only_where_it_is_read() {
        let logs = Logs::new(true);
        assert!(logs.begin(3).is_some());
        assert!(logs.take(3).is_some());
        assert!(logs.take(3).is_none());
        assert!(Logs::new(false).begin(3).is_none());
    }
}
