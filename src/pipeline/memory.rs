//! What was blocked a moment ago: a client that asks again without streaming gets the block, not another roll of the dice.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::Stamp;
use crate::providers::Refusal;

/// Blocks remembered at once; the oldest goes first.
const BLOCKS_MAX: usize = 10_000;
/// How long a block is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// Stopped completions by the conversation they belong to. Keyed with a key of this process; holds no text of it.
pub(super) struct Memory {
    hasher: RandomState,
    blocks: Mutex<Blocks>,
}

#[derive(Default)]
struct Blocks {
    by_conversation: HashMap<u64, (Stamp, Refusal)>,
    oldest_first: VecDeque<u64>,
}

impl Memory {
    /// Empty.
    pub(super) fn new() -> Self {
        Memory { hasher: RandomState::new(), blocks: Mutex::default() }
    }

    /// The hasher that conversation keys are made with.
    pub(super) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// The key of a conversation at its last message.
    pub(super) fn key(&self, team: &str, session: &str, last_message: u64) -> u64 {
        self.hasher.hash_one((team, session, last_message))
    }

    /// Remembers that the completion of this conversation was stopped.
    pub(super) fn remember(&self, key: u64, refusal: Refusal, now: Stamp) {
        let mut blocks = self.lock();
        if blocks.by_conversation.insert(key, (now, refusal)).is_none() {
            blocks.oldest_first.push_back(key);
        }
        while blocks.oldest_first.len() > BLOCKS_MAX {
            if let Some(oldest) = blocks.oldest_first.pop_front() {
                blocks.by_conversation.remove(&oldest);
            }
        }
    }

    /// The block of this conversation, while it is fresh.
    pub(super) fn recall(&self, key: u64, now: Stamp) -> Option<Refusal> {
        let blocks = self.lock();
        let (at, refusal) = blocks.by_conversation.get(&key)?;
        (now.since(*at) < REMEMBERED_FOR).then(|| refusal.clone())
    }

    /// A panic elsewhere must not take the memory down: its data is valid at every step.
    fn lock(&self) -> MutexGuard<'_, Blocks> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
