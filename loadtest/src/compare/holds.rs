//! What must hold, line by line: the bound, what was measured, and whether it holds.

use serde::{Deserialize, Serialize};

use super::{Ratio, Results};
use crate::measure::{Phase, Summary};

const OURS: &str = "airiskguard";
const BARE: &str = "pingora";
/// Rounding of a clock and of a histogram is no breach.
const EXACT: f64 = 1e-9;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What must hold.
    pub what: String,
    /// How much it may be.
    pub bound: String,
    /// What it was.
    pub measured: String,
    /// Whether it holds; `None` if it was not measured.
    pub holds: Option<bool>,
}

impl Line {
    fn new(what: &str, bound: &str, found: Option<(String, bool)>) -> Line {
        let (measured, holds) = match found {
            Some((measured, holds)) => (measured, Some(holds)),
            None => ("not measured".into(), None),
        };
        Line { what: what.into(), bound: bound.into(), measured, holds }
    }

    fn times(what: &str, bound: f64, ratio: Option<Ratio>) -> Line {
        let found = ratio.map(|it| (words(it), it.medians <= bound + EXACT));
        Line::new(what, &format!("≤ {bound} times"), found)
    }
}

/// Medians first, minima and the spread over the rounds behind.
fn words(ratio: Ratio) -> String {
    format!("{:.2} times (minima {:.2}; rounds {:.2} to {:.2})", ratio.medians, ratio.minima, ratio.least, ratio.most)
}

/// The whole table. `soak` is what an earlier run over half an hour came to.
pub fn table(results: &Results, soak: Option<&Phase>) -> Vec<Line> {
    let cpu = |scenario: &str, other: &str| results.ratio((OURS, scenario), (other, scenario), Phase::cpu_per_request);
    let mut lines = vec![
        Line::times("CPU per request, 64 KB first turn, against bare Pingora", 2.5, cpu("first-turn-64k", BARE)),
        Line::times("CPU per request, 128 KB first turn, against bare Pingora", 3.0, cpu("first-turn-128k", BARE)),
        Line::times(
            "CPU per request, 20th turn (history known, 4 KB new), against bare Pingora",
            1.4,
            cpu("session-turn-20", BARE),
        ),
        told("CPU per request, 64 KB of which nothing was ever sent before", cpu("first-turn-64k-new", BARE)),
    ];
    for (peer, name) in [("portkey", "Portkey"), ("litellm", "LiteLLM")] {
        for (scenario, size) in [("first-turn-64k", "64 KB"), ("first-turn-128k", "128 KB")] {
            lines.push(twentieth(&format!("CPU per request, {size}, against {name}"), cpu(scenario, peer)));
        }
    }
    lines.push(growth(results));
    let rules =
        results.ratio(("airiskguard-rules-1000", "rules"), ("airiskguard-rules-20", "rules"), Phase::cpu_per_request);
    lines.push(Line::times("CPU per request, 1,000 rules against 20", 1.25, rules));
    lines.push(first_text(results));
    lines.push(Line::times(
        "delay of tokens, p99, 1,000 streams, against bare Pingora",
        1.5,
        results.ratio((OURS, "streams-1000"), (BARE, "streams-1000"), |phase| {
            phase.delay.as_ref().map(|it| it.p99 as f64)
        }),
    ));
    lines.push(held(results));
    lines.push(stream_memory(results));
    lines.push(flat(soak));
    lines.extend(saturation(results));
    lines
}

/// What is measured without a bound.
fn told(what: &str, ratio: Option<Ratio>) -> Line {
    Line::new(what, "none", ratio.map(|it| (words(it), true)))
}

fn twentieth(what: &str, ratio: Option<Ratio>) -> Line {
    let found =
        ratio.map(|it| (format!("1/{:.1} (minima 1/{:.1})", 1.0 / it.medians, 1.0 / it.minima), it.medians <= 0.05));
    Line::new(what, "≤ 1/20", found)
}

fn growth(results: &Results) -> Line {
    let per_byte = |phase: &Phase| Some(phase.cpu_per_request()? / phase.body_bytes_mean());
    let ratio = results.ratio((OURS, "first-turn-1m"), (OURS, "first-turn-64k-new"), per_byte);
    Line::times("CPU per byte, 1 MB against 64 KB", 1.0, ratio)
}

fn first_text(results: &Results) -> Line {
    let p99 =
        |peer| results.median(peer, "low-load-sse", |phase| phase.first_text.as_ref().map(|it| it.p99 as f64 / 1e6));
    let found = p99(OURS).zip(p99(BARE)).map(|(ours, bare)| {
        (format!("{:+.2} ms ({ours:.2} ms, bare Pingora {bare:.2} ms)", ours - bare), ours - bare < 1.0)
    });
    Line::new("time to the first token added at low load, p99, beyond bare Pingora", "< 1 ms", found)
}

fn held(results: &Results) -> Line {
    let of = |value: fn(&Summary) -> u64| {
        results.median(OURS, "streams-1000", |phase| phase.held.as_ref().map(|it| value(it) as f64))
    };
    let found = of(|it| it.p50)
        .zip(of(|it| it.p99))
        .map(|(median, p99)| (format!("median {median} (p99 {p99})"), median < 1.0));
    Line::new("bytes of ordinary text held back in streams", "median 0", found)
}

fn stream_memory(results: &Results) -> Line {
    let of = |peer| results.median(peer, "streams-1000", |phase| Some(phase.memory?.stream_bytes? as f64 / 1024.0));
    let found = of(OURS).map(|ours| {
        let bare = of(BARE).map_or(String::new(), |it| format!(" (bare Pingora {it:.0} KiB)"));
        (format!("{ours:.0} KiB{bare}"), ours <= 120.0)
    });
    Line::new("memory for each open SSE stream, 1,000 streams", "≤ 120 KiB", found)
}

/// The soak's samples stand in its facts: resident bytes after the first tenth, at the end, and after all had ended.
fn flat(soak: Option<&Phase>) -> Line {
    let found = soak.and_then(|phase| {
        let of = |name: &str| phase.facts.get(name).copied();
        let (early, late, after, begin) =
            (of("resident_early")?, of("resident_late")?, of("resident_after")?, of("resident_before")?);
        let mebibytes = |bytes: f64| bytes / f64::from(1 << 20);
        let words = format!(
            "{:.0} MiB before, {:.0} early, {:.0} late, {:.0} after",
            mebibytes(begin),
            mebibytes(early),
            mebibytes(late),
            mebibytes(after)
        );
        // Flat: no more than a tenth is added. It returns: half of what the streams took is given back.
        Some((words, late <= early * 1.1 && after <= begin + (late - begin) / 2.0))
    });
    Line::new("memory over 30 minutes with 1,000 streams (`make soak`)", "flat, returns after", found)
}

fn saturation(results: &Results) -> Vec<Line> {
    let phases: Vec<&Phase> = results
        .measures
        .iter()
        .filter(|it| it.peer == OURS && it.scenario == "saturation")
        .map(|it| &it.phase)
        .collect();
    let over = |value: &dyn Fn(&Phase) -> Option<(String, bool)>| {
        // The worst round speaks for all.
        let found: Vec<(String, bool)> = phases.iter().filter_map(|it| value(it)).collect();
        found.iter().find(|it| !it.1).or(found.first()).cloned()
    };
    let fact = |phase: &Phase, name: &str| phase.facts.get(name).copied();
    let bounded = over(&|phase| {
        let (over, before) = (phase.latency.as_ref()?.p99 as f64 / 1e6, fact(phase, "capacity_p50")? / 1e6);
        let words = format!("p99 {over:.0} ms (median {before:.1} ms at capacity), {} accepted", phase.succeeded);
        Some((words, over <= 10_000.0))
    });
    let shaped = over(&|phase| {
        let (all, shaped) = (phase.refusals(), phase.refused_shaped);
        let words = format!("{shaped} of {all} refusals, {} broken, {} not begun", phase.failures(), phase.not_begun);
        Some((words, shaped == all && phase.failures() == 0))
    });
    let alive = over(&|phase| {
        let (alive, after) = (fact(phase, "alive")?, fact(phase, "after_succeeded")?);
        Some((format!("alive, {:.1} % succeed afterwards", after * 100.0), alive > 0.0 && after > 0.999))
    });
    let recorded = over(&|phase| {
        let (records, exchanges, answered) =
            (fact(phase, "records")?, fact(phase, "exchanges")?, fact(phase, "answered")?);
        let lost = fact(phase, "lost")?;
        let words = format!("{records} records of {exchanges} exchanges ({answered} answered), {lost} lost");
        Some((words, records >= exchanges && exchanges >= answered && lost == 0.0))
    });
    vec![
        Line::new("10 times saturated: latency of accepted requests", "p99 ≤ 10 s", bounded),
        Line::new("10 times saturated: refusals shaped as the dialect has them", "all, none broken", shaped),
        Line::new("10 times saturated: the gateway stays up", "alive, works after", alive),
        Line::new("10 times saturated: audit records", "one for each exchange", recorded),
    ]
}

/// The table as Markdown.
pub fn markdown(lines: &[Line]) -> String {
    let mut text = String::from("| what | must be | measured | holds |\n|---|---|---|---|\n");
    for line in lines {
        let holds = match line.holds {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        text.push_str(&format!("| {} | {} | {} | {holds} |\n", line.what, line.bound, line.measured));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Measure;

    fn measure(peer: &str, scenario: &str, microseconds: u64, bytes: u64) -> Measure {
        let cpu = Some(microseconds * 1_000 * 10);
        let phase = Phase { requests: 10, cpu_nanoseconds: cpu, body_bytes: bytes * 10, ..Phase::default() };
        Measure { peer: peer.into(), scenario: scenario.into(), round: 0, phase }
    }

    fn line<'a>(lines: &'a [Line], words: &str) -> &'a Line {
        lines.iter().find(|it| it.what.contains(words)).unwrap()
    }

    #[test]
    fn each_bound_is_held_against_what_was_measured() {
        let measures = vec![
            measure("airiskguard", "first-turn-64k", 250, 64_000),
            measure("pingora", "first-turn-64k", 100, 64_000),
            measure("portkey", "first-turn-64k", 6_000, 64_000),
            measure("litellm", "first-turn-64k", 4_000, 64_000),
            measure("airiskguard", "first-turn-128k", 400, 128_000),
            measure("pingora", "first-turn-128k", 110, 128_000),
            measure("airiskguard", "first-turn-64k-new", 250, 64_000),
            measure("airiskguard", "first-turn-1m", 3_000, 1_000_000),
        ];
        let lines = table(&Results { measures, ..Results::default() }, None);
        assert_eq!(line(&lines, "64 KB first turn, against bare").holds, Some(true));
        assert_eq!(line(&lines, "128 KB first turn, against bare").holds, Some(false));
        assert_eq!(line(&lines, "64 KB, against Portkey").holds, Some(true));
        assert_eq!(line(&lines, "64 KB, against LiteLLM").holds, Some(false));
        assert_eq!(line(&lines, "CPU per byte").holds, Some(true));
        assert_eq!(line(&lines, "20th turn").holds, None);
        assert_eq!(markdown(&lines).lines().count(), lines.len() + 2);
    }

    #[test]
    fn a_soak_is_flat_if_late_is_like_early_and_memory_comes_back() {
        let soak = |early: f64, late: f64, after: f64| {
            let facts = [
                ("resident_before", 20e6),
                ("resident_early", early),
                ("resident_late", late),
                ("resident_after", after),
            ];
            let facts = facts.into_iter().map(|(name, value)| (name.into(), value)).collect();
            flat(Some(&Phase { facts, ..Phase::default() })).holds
        };
        assert_eq!(soak(100e6, 105e6, 40e6), Some(true));
        assert_eq!(soak(100e6, 130e6, 40e6), Some(false));
        assert_eq!(soak(100e6, 105e6, 90e6), Some(false));
        assert_eq!(flat(None).holds, None);
    }
}
