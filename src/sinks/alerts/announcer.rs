//! One channel as a consumer of the audit log: what is worth an alert, told once, in bounds, and never lost silently.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config::Channel;
use crate::sinks::{Failure, Hope, Outlet};
use crate::store::{Entry, Head, Link};

use super::alert::{Alert, Key, Occasion, Reported};
use super::carrier::Carrier;
use super::rate::{Held, Rate};
use super::text::segment;
use super::windows::{Told, Window, Windows};
use super::worth::{self, Candidate};

/// Windows that are closed in one call: the rest waits for the next.
const CLOSED_MAX: usize = 20;

/// A channel with its memory.
pub(super) struct Announcer {
    name: &'static str,
    channel: Channel,
    carrier: Box<dyn Carrier>,
    dashboard: Option<String>,
    windows: Windows,
    rate: Rate,
    /// Until when the receiver asked to be left alone, Unix milliseconds.
    quiet_until_ms: u64,
    /// The newest entry that needs no more work. A call that was cut off is repeated with entries that were told.
    handled: Option<Head>,
}

impl Announcer {
    /// A channel that has told nothing yet.
    pub(super) fn new(
        name: &'static str,
        channel: Channel,
        carrier: Box<dyn Carrier>,
        deduplicate_ms: u64,
        dashboard: Option<String>,
    ) -> Self {
        Announcer {
            name,
            channel,
            carrier,
            dashboard,
            windows: Windows::new(deduplicate_ms),
            rate: Rate::new(channel.rate_per_minute),
            quiet_until_ms: 0,
            handled: None,
        }
    }

    /// Tells of one entry, counts it, or takes no notice of it.
    async fn take(&mut self, entry: &Entry, now_ms: u64) -> Result<(), Failure> {
        let record = entry.record().map_err(|_| Failure::never("this record cannot be read"))?;
        let Some(Candidate { mut alert, keys, ends }) = worth::candidate(&record, &self.channel) else {
            return Ok(());
        };
        if let Some(ends) = ends {
            self.windows.end(ends, now_ms);
        }
        let (known, fresh): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(|it| self.windows.live(*it, now_ms));
        if fresh.is_empty() {
            self.windows.repeat(&known, record.written_ms);
            return Ok(());
        }
        if !self.rate.admits(now_ms) {
            self.windows.repeat(&known, record.written_ms);
            self.rate.hold_back(1, alert.risk, &record.gateway, now_ms);
            return Ok(());
        }
        alert.findings.retain(|it| fresh.contains(&it.key));
        worth::settle(&mut alert);
        if let Some((repeats, since_ms)) = self.windows.uncounted(&fresh, now_ms) {
            (alert.count, alert.since_ms) = (repeats + 1, Some(since_ms));
        }
        self.send(&mut alert, now_ms).await?;
        self.windows.repeat(&known, record.written_ms);
        for gone in self.windows.open(fresh, told(&alert), now_ms) {
            self.rate.hold_back(gone.repeats, gone.told.risk, &gone.told.gateway, now_ms);
        }
        Ok(())
    }

    /// Sends one message, and counts it where it arrived.
    async fn send(&mut self, alert: &mut Alert, now_ms: u64) -> Result<(), Failure> {
        if now_ms < self.quiet_until_ms {
            let seconds = (self.quiet_until_ms - now_ms).div_ceil(1000);
            return Err(Failure::later(format!("asked to be left alone for {seconds} s more")));
        }
        if let (Some(dashboard), Some(request)) = (&self.dashboard, &alert.request) {
            alert.link = Some(format!("{dashboard}/audit/{}", segment(request)));
        }
        match self.carrier.send(alert, now_ms).await {
            Ok(()) => {
                self.rate.sent(now_ms);
                Ok(())
            }
            Err(refused) => {
                if let Some(wait) = refused.wait {
                    self.quiet_until_ms = now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                }
                Err(Failure { done: 0, hope: refused.hope, what: refused.what })
            }
        }
    }

    /// Tells what was held back, as soon as there is room again.
    async fn tell_held(&mut self, now_ms: u64) -> Result<(), Failure> {
        let Some(held) = self.rate.due(now_ms).cloned() else { return Ok(()) };
        self.send_due(&mut more(&held, now_ms), now_ms).await?;
        self.rate.told();
        Ok(())
    }

    /// Tells how often things were repeated whose windows are over.
    async fn tell_repeats(&mut self, now_ms: u64) -> Result<(), Failure> {
        for _ in 0..CLOSED_MAX {
            let Some((number, window)) = self.windows.due(now_ms) else { return Ok(()) };
            if !self.rate.admits(now_ms) {
                return Ok(());
            }
            self.send_due(&mut repeated(&window), now_ms).await?;
            self.windows.close(number);
        }
        Ok(())
    }

    /// Sends a message that no single entry stands behind. If it is refused for good there is nothing to put aside: it
    /// is said in the log, where its count survives.
    async fn send_due(&mut self, alert: &mut Alert, now_ms: u64) -> Result<(), Failure> {
        match self.send(alert, now_ms).await {
            Err(Failure { hope: Hope::Never, what, .. }) => {
                let (channel, count) = (self.name, alert.count);
                tracing::error!(channel, what, kind = alert.kind(), count, "an alert was refused for good");
                Ok(())
            }
            other => other,
        }
    }
}

#[async_trait]
impl Outlet for Announcer {
    fn name(&self) -> &str {
        self.name
    }

    async fn deliver(&mut self, entries: &[Entry], now_ms: u64) -> Result<(), Failure> {
        let handled = |it: &Entry| self.handled == Some(it.head());
        let mut done = entries.iter().position(handled).map_or(0, |it| it + 1);
        self.tell_held(now_ms).await.map_err(|it| it.after(done))?;
        for entry in &entries[done..] {
            self.take(entry, now_ms).await.map_err(|it| it.after(done))?;
            self.handled = Some(entry.head());
            done += 1;
        }
        // Under load there may be no idle second; a failure here concerns none of these entries, and is met again.
        let _ = self.tell_repeats(now_ms).await;
        Ok(())
    }

    async fn idle(&mut self, now_ms: u64) -> Result<(), Failure> {
        if now_ms < self.quiet_until_ms {
            return Ok(());
        }
        self.tell_held(now_ms).await?;
        self.tell_repeats(now_ms).await
    }

    fn state(&self) -> Option<Value> {
        let handled = self.handled.map(|it| json!([it.sequence, it.hash.to_string()]));
        Some(json!({
            "windows": self.windows.state(),
            "rate": self.rate.state(),
            "quiet_until_ms": self.quiet_until_ms,
            "handled": handled,
        }))
    }

    fn restore(&mut self, state: Value) {
        self.windows.restore(&state["windows"]);
        self.rate.restore(&state["rate"]);
        self.quiet_until_ms = state["quiet_until_ms"].as_u64().unwrap_or(0);
        self.handled = head(&state["handled"]);
    }
}

fn head(state: &Value) -> Option<Head> {
    let hash: Link = state.get(1)?.as_str()?.parse().ok()?;
    Some(Head { sequence: state.get(0)?.as_u64()?, hash })
}

/// What is remembered of an alert until its window is over.
fn told(alert: &Alert) -> Told {
    Told {
        gateway: alert.gateway.clone(),
        team: alert.team.clone().unwrap_or_default(),
        rule: alert.findings.first().map(|it| it.rule.clone()).unwrap_or_default(),
        label: alert.name(),
        risk: alert.risk,
        score: alert.score,
        blocked: alert.blocked,
        request: alert.request.clone().unwrap_or_default(),
    }
}

fn repeated(window: &Window) -> Alert {
    let told = &window.told;
    // A window has at least one key.
    let key = window.keys.first().copied().unwrap_or_else(|| Key::new(&[]));
    let event = format!("repeated-{key}-{}", window.opened_ms);
    let occasion = Occasion::Repeated(told.label.clone());
    let mut alert = Alert::new(occasion, event, key, &told.gateway, window.last_ms, told.risk);
    (alert.count, alert.since_ms) = (window.repeats, Some(window.opened_ms));
    (alert.score, alert.blocked) = (told.score, told.blocked);
    alert.team = Some(told.team.clone()).filter(|it| !it.is_empty());
    alert.request = Some(told.request.clone()).filter(|it| !it.is_empty());
    if !told.rule.is_empty() {
        alert.findings.push(Reported {
            key,
            rule: told.rule.clone(),
            checker: told.rule.split('.').next().unwrap_or_default().to_owned(),
            label: told.label.clone(),
            risk: told.risk,
            score: told.score,
            source: String::new(),
            place: String::new(),
            direction: "",
            action: String::new(),
            count: window.repeats,
        });
    }
    alert
}

fn more(held: &Held, now_ms: u64) -> Alert {
    let key = Key::new(&["more", &held.gateway, &held.since_ms.to_string()]);
    let mut alert = Alert::new(Occasion::More, format!("more-{key}"), key, &held.gateway, now_ms, held.risk);
    (alert.count, alert.since_ms) = (held.count, Some(held.since_ms));
    alert
}
