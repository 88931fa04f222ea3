//! What teams have used this month before this start: read again from the audit store, beside the first requests. And what
//! the process before this one has begun since, for as long as it drains.

use std::sync::Arc;
use std::time::Duration;

use airiskguard_gateway::config::{Day, File};
use airiskguard_gateway::domain::{Secret, Stamp, Tokens};
use airiskguard_gateway::pipeline::{Live, Past};
use airiskguard_gateway::sinks::Metrics;
use airiskguard_gateway::store::{self, Damage, Exchange, Row, Store, StoreError, Subject};

use crate::{configuration, records};

/// Records read at once.
const ROWS_MAX: usize = 500;
/// Between two looks at a store that is away, or has not been given yet what the journal holds for it.
const PAUSE: Duration = Duration::from_millis(500);
/// From the end of an exchange to its record in the store.
const LEAVING_TIME: Duration = Duration::from_secs(60);

/// What is being read.
struct Reading {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    /// This gateway's name in the store.
    gateway: Arc<str>,
    /// When this process began to serve: what begins from then on is counted as it happens.
    begun_ms: u64,
    /// Until when the process before this one may still record what it had under way; without one, the same.
    left_until_ms: u64,
}

/// Books what was begun this month before `begun`, on a thread of its own. Does nothing where nobody has a budget. Where
/// this process has `taken_over`, the one before it may go on with its exchanges for as long as one may take.
pub(crate) fn rebuild(
    file: &File,
    gateway: Arc<str>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    begun: Stamp,
    taken_over: bool,
) {
    let mut limits = file.teams.iter().map(|it| it.limits).chain([file.team_limits]);
    if !file.audit_enabled || !limits.any(|it| it.has_budget()) {
        return;
    }
    let target = records::target(file);
    let left = if taken_over { file.limits.total_timeout + LEAVING_TIME } else { Duration::ZERO };
    let left_until_ms = millis(begun.unix + left);
    let reading = Reading { live, metrics, gateway, begun_ms: millis(begun.unix), left_until_ms };
    let month_ms = millis(Day::of(begun.unix).month_start());
    let run = move || match records::block_on(reading.run(&target, month_ms)) {
        Ok(count) => tracing::info!(count, "budgets are counted from the records of this month"),
        Err(error) => tracing::error!("budgets begin anew: {error}"),
    };
    if let Err(error) = std::thread::Builder::new().name("budgets".into()).spawn(run) {
        tracing::error!(%error, "budgets begin anew");
    }
}

/// Books what others have begun from `begun` on and left to this process to chain. The process before this one still takes
/// requests on its connections for some seconds, which [`rebuild`] takes for this process's own.
pub(crate) fn of_others(live: Arc<Live>, metrics: Arc<Metrics>, begun: Stamp) -> impl Fn(&Subject) + Send + 'static {
    let begun_ms = millis(begun.unix);
    move |subject: &Subject| {
        if let Subject::Exchange(it) = subject
            && it.start_ms >= begun_ms
        {
            recall(&live, &metrics, it);
        }
    }
}

impl Reading {
    /// Until everything was read; how many exchanges were booked.
    async fn run(&self, target: &Secret, month_ms: u64) -> u64 {
        let store = self.open(target).await;
        let mut count = 0;
        let mut gateways = self.again(async || store.gateways().await).await;
        if !gateways.iter().any(|it| **it == *self.gateway) {
            gateways.push(self.gateway.to_string());
        }
        for gateway in gateways {
            let before = self.again(async || store.last_before(&gateway, month_ms).await).await;
            count += self.chain(&*store, &gateway, before.map_or(0, |it| it.sequence + 1)).await;
        }
        count
    }

    /// Books a gateway's chain from this number on. Of this gateway's own, up to the first record of this process: what
    /// the journal still holds arrives before it.
    async fn chain(&self, store: &dyn Store, gateway: &str, mut from: u64) -> u64 {
        let is_own = gateway == &*self.gateway;
        let mut count = 0;
        loop {
            let page = async || match store.read(gateway, from, ROWS_MAX).await {
                // What cannot be read is a matter of `audit verify`.
                Err(StoreError::Damaged(Damage { entry: Some((_, sequence)), .. })) => Ok(Err(sequence)),
                read => read.map(Ok),
            };
            let rows = match self.again(page).await {
                Ok(rows) => rows,
                Err(damaged) => {
                    from = damaged.max(from) + 1;
                    continue;
                }
            };
            let Some(last) = rows.last() else {
                if !is_own || self.nothing_is_left() {
                    return count;
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            from = last.entry.sequence + 1;
            for row in &rows {
                match self.book(row) {
                    Some(booked) => count += u64::from(booked),
                    None => return count,
                }
            }
        }
    }

    /// Whether the process before this one, if there was one, has recorded its last exchange.
    fn nothing_is_left(&self) -> bool {
        self.left_until_ms > self.begun_ms && millis(configuration::now().unix) >= self.left_until_ms
    }

    /// Whether there was something to book in it; `None` for a record behind the last that may be of use.
    fn book(&self, row: &Row) -> Option<bool> {
        let Ok(record) = row.entry.record() else { return Some(false) };
        if record.written_ms >= self.left_until_ms {
            return None;
        }
        let Subject::Exchange(it) = &record.subject else { return Some(false) };
        Some(it.start_ms < self.begun_ms && recall(&self.live, &self.metrics, it))
    }

    async fn open(&self, target: &Secret) -> Box<dyn Store> {
        self.again(async || store::open(target.expose()).await).await
    }

    /// Asks until there is an answer. A gateway starts, and counts, while its store is away.
    async fn again<T>(&self, ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
        let mut told = false;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) if !told => {
                    tracing::warn!("budgets lack what was used before this start until the store is back: {error}");
                    told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Books what a recorded exchange has used; whether there was something to book in it.
fn recall(live: &Live, metrics: &Metrics, it: &Exchange) -> bool {
    let (Some(tokens), Some(dialect)) = (it.tokens, it.dialect.as_deref()) else { return false };
    let (input, output) = (tokens.input, tokens.output);
    let past = Past {
        team: &it.team,
        dialect,
        model: it.model_answered.as_deref().or(it.model.as_deref()),
        tokens: Tokens { input, output, cache_read: tokens.cache_read, cache_write: tokens.cache_write },
        at: Duration::from_millis(it.end_ms),
    };
    live.recall(&past, configuration::now());
    metrics.recalled();
    true
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
