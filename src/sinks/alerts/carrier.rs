//! What brings an alert to its receiver, and what is made of the receiver's answer.

use std::time::Duration;

use async_trait::async_trait;

use crate::sinks::Hope;
use crate::sinks::http::Reply;

use super::alert::Alert;

/// Most characters of a receiver's own word that are repeated.
const WORD_CHARS_MAX: usize = 40;

/// One way to tell somebody.
#[async_trait]
pub(super) trait Carrier: Send + Sync {
    /// Sends one alert. The receiver has it when this returns `Ok`.
    async fn send(&self, alert: &Alert, now_ms: u64) -> Result<(), Refused>;
}

/// Why an alert did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) hope: Hope,
    /// In a few words, without address, key or text of the alert.
    pub(super) what: String,
    /// How long the receiver asks to be left alone.
    pub(super) wait: Option<Duration>,
}

impl Refused {
    pub(super) fn later(what: impl Into<String>) -> Self {
        Refused { hope: Hope::Later, what: what.into(), wait: None }
    }

    pub(super) fn never(what: impl Into<String>) -> Self {
        Refused { hope: Hope::Never, what: what.into(), wait: None }
    }
}

/// The answer to a post. `word` finds the receiver's own word for what is wrong in the body.
pub(super) fn judge(
    posted: Result<Reply, String>,
    now_ms: u64,
    word: fn(&[u8]) -> Option<String>,
) -> Result<(), Refused> {
    let reply = posted.map_err(Refused::later)?;
    let Some(hope) = reply.hope() else { return Ok(()) };
    let word = word(&reply.body).filter(|it| harmless(it)).map(|it| format!(" ({it})")).unwrap_or_default();
    Err(Refused { hope, what: format!("answered {}{word}", reply.status), wait: reply.wait(now_ms) })
}

/// Foreign text that repeats what was sent, or an address, is longer than a word or looks different.
fn harmless(word: &str) -> bool {
    let plain = |it: char| it.is_ascii_lowercase() || matches!(it, '_' | '-' | ' ');
    !word.is_empty() && word.chars().count() <= WORD_CHARS_MAX && word.chars().all(plain)
}
