//! Many times what the gateway can take: whether it stays up, refuses in a shape that clients know, and records all of it.

use std::path::Path;

use super::peer::Running;
use crate::client::page;
use crate::load::Stage;
use crate::measure::Phase;
use crate::provider::Provider;
use crate::run;
use crate::scenario::Scenario;

/// How often the records are counted before they are taken for missing.
const COUNTS: usize = 40;

/// The overload as one phase, with what else is to be known under `facts`:
/// `capacity_p50`, `capacity_p99` and `after_p50` (nanoseconds), `capacity_per_second`, `alive` (1 or 0), `records` and
/// `exchanges` where the gateway tells them.
pub(super) async fn measure(stage: &Stage, running: &Running, provider: &Provider, scenario: &Scenario) -> Phase {
    let before = told(running).await;
    let mut phases = run::execute(stage, Some(provider), scenario).await.into_iter();
    let (Some(capacity), Some(mut over), Some(after)) = (phases.next(), phases.next(), phases.next()) else {
        return Phase { notes: vec!["the scenario is none of saturation".into()], ..Phase::default() };
    };
    let answered = |phase: &Phase| phase.succeeded + phase.refusals();
    let exchanges = answered(&capacity) + answered(&over) + answered(&after);
    let mut fact = |name: &str, value: Option<f64>| over.facts.extend(value.map(|it| (name.to_string(), it)));
    let quantile =
        |phase: &Phase, of: fn(&crate::measure::Summary) -> u64| phase.latency.as_ref().map(|it| of(it) as f64);
    fact("capacity_per_second", Some(capacity.per_second()));
    fact("capacity_p50", quantile(&capacity, |it| it.p50));
    fact("capacity_p99", quantile(&capacity, |it| it.p99));
    fact("after_p50", quantile(&after, |it| it.p50));
    fact("after_succeeded", Some(after.succeeded as f64 / after.requests.max(1) as f64));
    fact("alive", Some(if stage.watched.alive() { 1.0 } else { 0.0 }));
    fact("answered", Some(exchanges as f64));
    if let Some(before) = before {
        let mut now = before;
        for _ in 0..COUNTS {
            now = told(running).await.unwrap_or(now);
            if now.records - before.records >= now.exchanges - before.exchanges && now.waiting == 0.0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
        fact("exchanges", Some(now.exchanges - before.exchanges));
        fact("records", Some(now.records - before.records));
        fact("lost", Some(now.lost - before.lost));
    }
    over
}

/// What the gateway's own metrics say.
#[derive(Clone, Copy, Debug)]
struct Told {
    exchanges: f64,
    records: f64,
    lost: f64,
    waiting: f64,
}

async fn told(running: &Running) -> Option<Told> {
    let text = page(running.admin, Path::new("/metrics")).await?;
    let sum = |name: &str| {
        let of = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|it| it.starts_with(['{', ' '])));
        of.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    if !text.contains("airiskguard_requests_total") {
        return None;
    }
    Some(Told {
        exchanges: sum("airiskguard_requests_total"),
        records: sum("airiskguard_audit_sequence"),
        lost: sum("airiskguard_audit_lost_total"),
        waiting: sum("airiskguard_audit_queue"),
    })
}
