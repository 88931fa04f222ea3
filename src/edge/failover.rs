//! The tries of one exchange: which address and key each takes, and whether there is another.
//!
//! A request is sent again where nothing was done with it: no connection came about, or the provider said so (429, 503,
//! 529). Never once a byte of an answer has gone to the client.

use std::time::Duration;

use pingora_http::ResponseHeader;

use super::Shared;
use crate::domain::Clock;
use crate::pipeline::{Answered, Changed, Choice, Tried, Upstream};

/// Tries of one exchange at one address, the first included.
const TRIES_MIN: usize = 3;
/// Tries of one exchange, however many addresses and keys there are.
const TRIES_MAX: usize = 8;

/// What one exchange knows of its tries.
#[derive(Default)]
pub(super) struct Tries {
    count: usize,
    choice: Choice,
    tried: Tried,
    /// Where the next one goes, if not to the same again.
    next: Option<Choice>,
    /// Every address was left alone, for so long.
    unavailable: Option<Duration>,
}

impl Tries {
    /// Where this try goes, and its number from 0. `None`: every address is left alone.
    pub(super) fn begin(&mut self, shared: &Shared, upstream: &Upstream) -> Option<(Choice, usize)> {
        if let Some(next) = self.next.take() {
            self.choice = next;
        } else if self.count == 0 {
            match upstream.health().first(shared.clock.now()) {
                Ok(choice) => self.choice = choice,
                Err(wait) => {
                    self.unavailable = Some(wait);
                    return None;
                }
            }
        }
        self.count += 1;
        Some((self.choice, self.count - 1))
    }

    /// Where the present try goes.
    pub(super) fn choice(&self) -> Choice {
        self.choice
    }

    /// For how long every address is left alone, if that is why there is no answer.
    pub(super) fn unavailable(&self) -> Option<Duration> {
        self.unavailable
    }

    /// Whether there may be another at all.
    pub(super) fn are_left(&self, upstream: &Upstream) -> bool {
        let several = upstream.urls.len() + upstream.credentials.len();
        self.count < several.clamp(TRIES_MIN, TRIES_MAX)
    }

    /// No connection came about. Whether to try again: at another address, or the next of the same name.
    pub(super) fn unconnected(&mut self, shared: &Shared, upstream: &Upstream) -> bool {
        let left = self.are_left(upstream);
        if left && upstream.urls.len() == 1 {
            return true;
        }
        note(shared, upstream, self.choice, Answered::NotAtAll);
        left && self.turn(shared, upstream, Answered::NotAtAll)
    }

    /// Not even an address was found. Whether to try another.
    pub(super) fn unknown(&mut self, shared: &Shared, upstream: &Upstream) -> bool {
        note(shared, upstream, self.choice, Answered::NotAtAll);
        self.are_left(upstream) && self.turn(shared, upstream, Answered::NotAtAll)
    }

    /// The connection broke before an answer began.
    pub(super) fn broke(&self, shared: &Shared, upstream: &Upstream) {
        note(shared, upstream, self.choice, Answered::NotAtAll);
    }

    /// An answer begins. Whether it is dropped, and another address or key tried.
    pub(super) fn answered(&mut self, shared: &Shared, upstream: &Upstream, head: &ResponseHeader) -> bool {
        let retry_after = head.headers.get("retry-after").and_then(|it| it.to_str().ok());
        let answered = Answered::of(head.status.as_u16(), retry_after);
        note(shared, upstream, self.choice, answered);
        answered.is_safe_to_repeat() && self.are_left(upstream) && self.turn(shared, upstream, answered)
    }

    fn turn(&mut self, shared: &Shared, upstream: &Upstream, answered: Answered) -> bool {
        self.next = upstream.health().next(self.choice, answered, &mut self.tried, shared.clock.now());
        if self.next.is_some() {
            shared.metrics.failover(&upstream.name, answered.name());
        }
        self.next.is_some()
    }
}

fn note(shared: &Shared, upstream: &Upstream, choice: Choice, answered: Answered) {
    if matches!(answered, Answered::Limited(_)) && !upstream.credentials.is_empty() {
        shared.metrics.key_backoff(&upstream.name, choice.key + 1);
    }
    let changed = upstream.health().note(choice, answered, shared.clock.now());
    let (Some(changed), Some(url)) = (changed, upstream.urls.get(choice.address)) else { return };
    let address = url.to_string();
    shared.metrics.circuit(&upstream.name, &address, changed == Changed::Opened);
    match changed {
        Changed::Opened => tracing::warn!(upstream = upstream.name, address, "a provider's address is left alone"),
        Changed::Closed => tracing::info!(upstream = upstream.name, address, "a provider's address is in use again"),
    }
}
