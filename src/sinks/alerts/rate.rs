//! How many messages a channel takes in a minute. What is more is counted, and told in one message afterwards.

use serde_json::{Value, json};

use crate::domain::Risk;

const MINUTE_MS: u64 = 60_000;

/// The messages of one channel in this minute, and what was held back.
pub(super) struct Rate {
    per_minute: u32,
    began_ms: u64,
    sent: u32,
    held: Option<Held>,
}

/// Alerts that were too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) count: u64,
    /// When the first of them was held back, Unix milliseconds.
    pub(super) since_ms: u64,
    /// The highest of them.
    pub(super) risk: Risk,
    pub(super) gateway: String,
}

impl Rate {
    /// Nothing sent yet.
    pub(super) fn new(per_minute: u32) -> Self {
        Rate { per_minute, began_ms: 0, sent: 0, held: None }
    }

    /// Whether one more message may go out.
    pub(super) fn admits(&self, now_ms: u64) -> bool {
        self.sent < self.per_minute || self.minute_is_over(now_ms)
    }

    fn minute_is_over(&self, now_ms: u64) -> bool {
        // A clock that was set back begins a minute, too.
        now_ms < self.began_ms || now_ms - self.began_ms >= MINUTE_MS
    }

    /// Counts a message that went out.
    pub(super) fn sent(&mut self, now_ms: u64) {
        if self.minute_is_over(now_ms) {
            (self.began_ms, self.sent) = (now_ms, 0);
        }
        self.sent += 1;
    }

    /// Counts alerts that do not go out.
    pub(super) fn hold_back(&mut self, count: u64, risk: Risk, gateway: &str, now_ms: u64) {
        let fresh = || Held { count: 0, since_ms: now_ms, risk, gateway: gateway.to_owned() };
        let held = self.held.get_or_insert_with(fresh);
        held.count += count;
        held.risk = held.risk.max(risk);
    }

    /// What was held back, once there is room to tell it.
    pub(super) fn due(&self, now_ms: u64) -> Option<&Held> {
        self.held.as_ref().filter(|_| self.admits(now_ms))
    }

    /// What was held back was told.
    pub(super) fn told(&mut self) {
        self.held = None;
    }

    /// As JSON.
    pub(super) fn state(&self) -> Value {
        let held = self.held.as_ref().map(
            |it| json!({ "count": it.count, "since_ms": it.since_ms, "risk": it.risk.name(), "gateway": it.gateway }),
        );
        json!({ "began_ms": self.began_ms, "sent": self.sent, "held": held })
    }

    /// What [`Rate::state`] returned.
    pub(super) fn restore(&mut self, state: &Value) {
        let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_u64);
        self.began_ms = number(state, "began_ms").unwrap_or(0);
        self.sent = number(state, "sent").and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        self.held = state.get("held").and_then(|it| {
            Some(Held {
                count: number(it, "count")?,
                since_ms: number(it, "since_ms")?,
                risk: it.get("risk")?.as_str()?.parse().ok()?,
                gateway: it.get("gateway")?.as_str()?.to_owned(),
            })
        });
    }
}
