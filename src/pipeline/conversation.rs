//! Which message of a conversation a text belongs to, and a keyed hash of the last one.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

use crate::wire::json::{Path, Step};

/// Keyed hash of the text of the last message that was read.
pub(super) struct Conversation {
    fresh: DefaultHasher,
    hasher: DefaultHasher,
    message: Option<u32>,
    counts: bool,
}

impl Conversation {
    pub(super) fn new(keyed: &RandomState) -> Self {
        Conversation { fresh: keyed.build_hasher(), hasher: keyed.build_hasher(), message: None, counts: false }
    }

    pub(super) fn at(&mut self, path: &Path) {
        let message = message_index(path);
        self.counts = path.key(0).is_some_and(|key| matches!(key, "messages" | "input" | "prompt"));
        if self.counts && message != self.message {
            self.message = message;
            self.hasher = self.fresh.clone();
        }
    }

    pub(super) fn push(&mut self, text: &[u8]) {
        if self.counts {
            self.hasher.write(text);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}

/// The index in the conversation: `messages[i]` or `input[i]`, also inside a batch.
pub(super) fn message_index(path: &Path) -> Option<u32> {
    let list =
        path.steps().iter().position(|it| matches!(it, Step::Key(key) if key == "messages" || key == "input"))?;
    match path.steps().get(list + 1) {
        Some(Step::Index(index)) => Some(*index),
        _ => None,
    }
}
