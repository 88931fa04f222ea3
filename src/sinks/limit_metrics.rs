//! What is counted of limits, budgets and providers that fail.

use prometheus::{Counter, CounterVec, Gauge, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::prometheus::{counters, gauge, named};
use crate::domain::Event;

/// Counters and levels of limits.
pub(super) struct LimitMetrics {
    shed: IntCounterVec,
    limited: IntCounterVec,
    slow_clients: IntCounterVec,
    tokens: IntCounterVec,
    cost: CounterVec,
    unpriced: IntCounterVec,
    failovers: IntCounterVec,
    circuits_opened: IntCounterVec,
    circuit_open: IntGaugeVec,
    key_backoffs: IntCounterVec,
    waiting: IntGauge,
    lag: Gauge,
    recalled: Counter,
}

impl LimitMetrics {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let cost = CounterVec::new(named("cost_dollars_total", "Cost of tokens by the table of prices."), &["team"])?;
        to.register(Box::new(cost.clone()))?;
        let help = "Whether an address of a provider is left alone (1).";
        let circuit_open = IntGaugeVec::new(named("circuit_open", help), &["upstream", "address"])?;
        to.register(Box::new(circuit_open.clone()))?;
        let lag = Gauge::with_opts(named("lag_seconds", "How long work that is ready waits for a thread."))?;
        to.register(Box::new(lag.clone()))?;
        let recalled: Opts = named("budget_recalled_total", "Exchanges of the past that budgets were rebuilt from.");
        let recalled = Counter::with_opts(recalled)?;
        to.register(Box::new(recalled.clone()))?;
        Ok(LimitMetrics {
            shed: counters(to, "shed_total", "Requests and connections turned away under load.", &["reason"])?,
            limited: counters(to, "limited_total", "Requests refused by a limit of the team.", &["team", "limit"])?,
            slow_clients: counters(to, "slow_clients_total", "Clients too slow to be served.", &["side"])?,
            tokens: counters(to, "tokens_total", "Tokens, as the providers count them.", &["team", "kind"])?,
            cost,
            unpriced: counters(to, "unpriced_total", "Exchanges of models without a price.", &["upstream"])?,
            failovers: counters(
                to,
                "failovers_total",
                "Requests sent to another address or key.",
                &["upstream", "reason"],
            )?,
            circuits_opened: counters(
                to,
                "circuits_opened_total",
                "How often an address was left alone.",
                &["upstream", "address"],
            )?,
            circuit_open,
            key_backoffs: counters(to, "key_backoffs_total", "How often a key was left alone.", &["upstream", "key"])?,
            waiting: gauge(to, "waiting_requests", "Requests that wait for their turn.")?,
            lag,
            recalled,
        })
    }

    pub(super) fn observe(&self, event: &Event) {
        let Some(tokens) = &event.tokens else { return };
        let team = event.team.as_str();
        let kinds = [
            ("input", tokens.input),
            ("output", tokens.output),
            ("cache_read", tokens.cache_read),
            ("cache_write", tokens.cache_write),
        ];
        for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
            self.tokens.with_label_values(&[team, kind]).inc_by(count);
        }
        match event.cost {
            Some(cost) => self.cost.with_label_values(&[team]).inc_by(cost.dollars()),
            None => self.unpriced.with_label_values(&[event.upstream.as_deref().unwrap_or("none")]).inc(),
        }
    }
}

/// What the edge counts of limits.
impl super::Metrics {
    /// A request or connection was turned away under load.
    pub fn shed(&self, reason: &str) {
        self.limits().shed.with_label_values(&[reason]).inc();
    }

    /// A request was refused by a limit of its team.
    pub fn limited(&self, team: &str, limit: &str) {
        self.limits().limited.with_label_values(&[team, limit]).inc();
    }

    /// A client was given up: it sent (`sending`) or took (`reading`) too slowly.
    pub fn slow_client(&self, side: &str) {
        self.limits().slow_clients.with_label_values(&[side]).inc();
    }

    /// A request goes to another address or with another key.
    pub fn failover(&self, upstream: &str, reason: &str) {
        self.limits().failovers.with_label_values(&[upstream, reason]).inc();
    }

    /// An address of a provider is left alone from now on, or in use again.
    pub fn circuit(&self, upstream: &str, address: &str, open: bool) {
        let labels = [upstream, address];
        self.limits().circuit_open.with_label_values(&labels).set(i64::from(open));
        if open {
            self.limits().circuits_opened.with_label_values(&labels).inc();
        }
    }

    /// A key, by its position from 1, is left alone for a while.
    pub fn key_backoff(&self, upstream: &str, key: usize) {
        self.limits().key_backoffs.with_label_values(&[upstream, &key.to_string()]).inc();
    }

    /// How many requests wait for their turn.
    pub fn waiting(&self) -> &IntGauge {
        &self.limits().waiting
    }

    /// How long work that is ready waits for a thread.
    pub fn lag(&self, seconds: f64) {
        self.limits().lag.set(seconds);
    }

    /// An exchange of the past was booked.
    pub fn recalled(&self) {
        self.limits().recalled.inc();
    }

    /// So that every metric is there before anything happened.
    #[cfg(test)]
    pub(super) fn touch_limits(&self) {
        self.shed("full");
        self.limited("a", "tokens_per_day");
        self.slow_client("sending");
        self.failover("a", "limited");
        self.circuit("a", "http://b", true);
        self.key_backoff("a", 1);
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Outcome, Tokens};
    use crate::sinks::Metrics;

    #[test]
    fn tokens_and_their_cost_are_counted() {
        let metrics = Metrics::new().unwrap();
        let mut event = crate::sinks::fixture::event(Outcome::Forwarded);
        event.tokens = Some(Tokens { input: 7, output: 5, ..Tokens::default() });
        metrics.observe(&event);
        event.cost = "0.25".parse().ok();
        metrics.observe(&event);
        metrics.touch_limits();
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"airiskguard_tokens_total{kind="input",team="backend"} 14"#,
            r#"airiskguard_cost_dollars_total{team="backend"} 0.25"#,
            r#"airiskguard_unpriced_total{upstream="anthropic"} 1"#,
            r#"airiskguard_circuit_open{address="http://b",upstream="a"} 1"#,
            r#"airiskguard_shed_total{reason="full"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
