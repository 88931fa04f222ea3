//! `RESULTS.md`: what was compared with what, on what, how, and what came out.

use std::fmt::Write;
use std::path::Path;

use super::holds::{self, Line};
use super::{Measure, Results};
use crate::files;
use crate::measure::{Phase, Summary};

const BARE: &str = "pingora";

/// The whole report. `command` is how to do it again.
pub fn markdown(results: &Results, lines: &[Line], command: &str) -> String {
    let mut text = String::from("# Peers side by side\n\n");
    let _ = writeln!(
        text,
        "Written by `{command}`: all peers get the same requests in turns, {} rounds, on one machine with the provider and the\n\
         load test itself. Absolute times are those of a busy machine; what counts are the ratios of one run. CPU is that of\n\
         all processes of a peer, from the operating system.\n\nMachine: {}.\n",
        results.rounds,
        machine()
    );
    if (results.part - 1.0).abs() > 1e-9 {
        let _ = writeln!(
            text,
            "**A quick run** with {} of each scenario: to try things out, not to judge.\n",
            results.part
        );
    }
    for note in &results.notes {
        let _ = writeln!(text, "{note}\n");
    }
    text.push_str("## Must hold\n\n");
    text.push_str(&holds::markdown(lines));
    text.push_str(
        "\n## CPU per request\n\nMicroseconds, median over the rounds; behind it how many times bare Pingora.\n\n",
    );
    table(&mut text, results, |phase| phase.cpu_per_request(), 1.0, &cpu_scenarios(results));
    text.push_str("\n## Latency\n\nMilliseconds from the intended start to the end of the answer, median and p99.\n\n");
    latency(&mut text, results);
    streams(&mut text, results);
    peers(&mut text, results);
    text
}

fn names(results: &Results) -> Vec<&str> {
    results.entries.iter().map(|it| it.name.as_str()).collect()
}

/// Scenarios in the order in which they were measured.
fn scenarios(results: &Results, wanted: impl Fn(&Measure) -> bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for measure in results.measures.iter().filter(|it| wanted(it)) {
        if !names.contains(&measure.scenario) {
            names.push(measure.scenario.clone());
        }
    }
    names
}

fn cpu_scenarios(results: &Results) -> Vec<String> {
    scenarios(results, |it| it.phase.memory.is_none() && it.phase.facts.is_empty())
}

fn head(text: &mut String, columns: &[String]) {
    let _ = writeln!(text, "| | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn table(text: &mut String, results: &Results, value: impl Fn(&Phase) -> Option<f64>, unit: f64, columns: &[String]) {
    head(text, columns);
    for peer in names(results) {
        let cell = |scenario: &String| {
            let median = results.median(peer, scenario, &value)?;
            let ratio = results.ratio((peer, scenario), (BARE, scenario), &value).filter(|_| peer != BARE);
            let times = ratio.map_or(String::new(), |it| format!(" ({:.2})", it.medians));
            Some(format!("{:.0}{times}", median * unit))
        };
        let cells: Vec<String> = columns.iter().map(|it| cell(it).unwrap_or("–".into())).collect();
        if cells.iter().any(|it| it != "–") {
            let _ = writeln!(text, "| {peer} | {} |", cells.join(" | "));
        }
    }
}

fn latency(text: &mut String, results: &Results) {
    let columns = cpu_scenarios(results);
    head(text, &columns);
    for peer in names(results) {
        let cell = |scenario: &String| {
            let of = |value: fn(&Summary) -> u64| {
                results.median(peer, scenario, |phase| phase.latency.as_ref().map(|it| value(it) as f64 / 1e6))
            };
            Some(format!("{:.2} / {:.2}", of(|it| it.p50)?, of(|it| it.p99)?))
        };
        let cells: Vec<String> = columns.iter().map(|it| cell(it).unwrap_or("–".into())).collect();
        if cells.iter().any(|it| it != "–") {
            let _ = writeln!(text, "| {peer} | {} |", cells.join(" | "));
        }
    }
}

fn streams(text: &mut String, results: &Results) {
    for scenario in scenarios(results, |it| it.phase.memory.is_some()) {
        let _ = writeln!(text, "\n## {scenario}\n");
        head(
            text,
            &[
                "memory a stream, KiB",
                "CPU an event, µs",
                "delay of a token, p50 / p99, ms",
                "first token, p50 / p99, ms",
                "bytes held, p50 / p99",
                "streams not whole",
            ]
            .map(String::from),
        );
        for peer in names(results) {
            let of = |value: &dyn Fn(&Phase) -> Option<f64>| results.median(peer, &scenario, value);
            let pair = |of_phase: fn(&Phase) -> &Option<Summary>, unit: f64| {
                let at = |value: fn(&Summary) -> u64| {
                    of(&|phase| of_phase(phase).as_ref().map(|it| value(it) as f64 / unit))
                };
                at(|it| it.p50).zip(at(|it| it.p99)).map(|(middle, high)| format!("{middle:.2} / {high:.2}"))
            };
            let event = |phase: &Phase| {
                let events = phase.gap.as_ref()?.count + phase.requests;
                Some(phase.cpu_nanoseconds? as f64 / 1e3 / events as f64)
            };
            let memory = of(&|phase| Some(phase.memory?.stream_bytes? as f64 / 1024.0));
            if results.values(peer, &scenario, |phase| Some(phase.requests as f64)).is_empty() {
                continue;
            }
            let or_dash = |cell: Option<String>| cell.unwrap_or("–".into());
            let _ = writeln!(
                text,
                "| {peer} | {} | {} | {} | {} | {} | {:.0} |",
                or_dash(memory.map(|it| format!("{it:.0}"))),
                or_dash(of(&event).map(|it| format!("{it:.1}"))),
                or_dash(pair(|it| &it.delay, 1e6)),
                or_dash(pair(|it| &it.first_text, 1e6)),
                or_dash(pair(|it| &it.held, 1.0)),
                of(&|phase| Some((phase.requests - phase.succeeded) as f64)).unwrap_or(0.0),
            );
        }
    }
}

fn peers(text: &mut String, results: &Results) {
    text.push_str("\n## Peers\n\nTheir configurations are in `loadtest/peers/`.\n\n| peer | version | what it does | command |\n|---|---|---|---|\n");
    for entry in &results.entries {
        let what = match &entry.problem {
            Some(problem) => format!("**could not be measured**: {}", problem.replace('|', "/").replace('\n', " ")),
            None => entry.words.clone(),
        };
        let _ =
            writeln!(text, "| {} | {} | {what} | `{}` |", entry.name, entry.version.replace('|', "/"), entry.command);
    }
    text.push_str("\nWhat did not go through:\n\n");
    let mut all_well = true;
    for peer in names(results) {
        for scenario in scenarios(results, |it| it.peer == peer && it.scenario != "saturation") {
            let sum = |value: fn(&Phase) -> u64| -> u64 {
                let of = results.measures.iter().filter(|it| it.peer == peer && it.scenario == scenario);
                of.map(|it| value(&it.phase)).sum()
            };
            let (requests, refused, failed, changed) =
                (sum(|it| it.requests), sum(Phase::refusals), sum(Phase::failures), sum(|it| it.changed));
            if refused + failed + changed > 0 {
                all_well = false;
                let _ = writeln!(
                    text,
                    "- {peer}, {scenario}: of {requests} requests {refused} refused, {failed} broken, {changed} bodies changed on the way"
                );
            }
        }
    }
    if all_well {
        text.push_str(
            "- Nothing: every request was answered, and every body that a provider told of arrived byte for byte.\n",
        );
    }
}

/// The machine in words, without its name.
pub fn machine() -> String {
    let text = |path: &str| files::text(Path::new(path)).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or(String::new(), |it| it.1.trim().to_string())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&text("/proc/meminfo"), "MemTotal");
    let kibibytes: f64 = memory.trim_end_matches(" kB").parse().unwrap_or(0.0);
    let load = text("/proc/loadavg").split(' ').next().unwrap_or("?").to_string();
    let model = field(&text("/proc/cpuinfo"), "model name");
    format!(
        "{cores} cores ({model}), {:.0} GiB of memory, load {load} when this was written",
        kibibytes / f64::from(1 << 20)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Entry;

    #[test]
    fn what_could_not_be_measured_is_said() {
        let entry = |name: &str, problem: Option<&str>| Entry {
            name: name.into(),
            problem: problem.map(String::from),
            ..Entry::default()
        };
        let phase = Phase { requests: 4, cpu_nanoseconds: Some(400_000), ..Phase::default() };
        let measure = Measure { peer: "pingora".into(), scenario: "first".into(), round: 0, phase };
        let results = Results {
            entries: vec![entry("pingora", None), entry("envoy", Some("does | not start"))],
            measures: vec![measure],
            rounds: 1,
            part: 0.1,
            ..Results::default()
        };
        let text = markdown(&results, &[], "make bench-peers");
        assert!(text.contains("| envoy |  | **could not be measured**: does / not start |"), "{text}");
        assert!(text.contains("| pingora | 100 |") && text.contains("A quick run"));
    }
}
