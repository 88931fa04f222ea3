//! What a run came to, as Markdown, JSON and a page that needs nothing else.

mod page;

use std::fmt::Write;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::compare::results::machine;
use crate::files;
use crate::measure::{Phase, Summary};

pub use self::page::page;

/// One run of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// What it stands for.
    pub words: String,
    /// The machine that the load came from.
    pub machine: String,
    /// What was measured.
    pub phases: Vec<Phase>,
}

impl Report {
    /// A report of these phases.
    pub fn new(name: &str, words: &str, phases: Vec<Phase>) -> Report {
        Report { name: name.into(), words: words.into(), machine: machine(), phases }
    }

    /// Writes `NAME.md`, `NAME.json` and `NAME.html` into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        files::write(&folder.join(format!("{}.md", self.name)), &self.markdown())?;
        let json = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        files::write(&folder.join(format!("{}.json", self.name)), &json)?;
        files::write(&folder.join(format!("{}.html", self.name)), &page(self))
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n\nMachine: {}.\n", self.name, self.words, self.machine);
        text.push_str("\n| | requests | a second | succeeded | refused (shaped) | failed | not begun | body, KiB | changed | CPU a request, µs |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
        for phase in &self.phases {
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {} | {} ({}) | {} | {} | {:.1} | {} | {} |",
                phase.name,
                phase.requests,
                phase.per_second(),
                phase.succeeded,
                phase.refusals(),
                phase.refused_shaped,
                phase.failures(),
                phase.not_begun,
                phase.body_bytes_mean() / 1024.0,
                phase.changed,
                phase.cpu_per_request().map_or("–".into(), |it| format!("{it:.1}")),
            );
        }
        for phase in &self.phases {
            text.push_str(&details(phase));
        }
        text
    }
}

/// The distributions of a phase, by name, with unit and divisor to that unit.
pub(crate) fn distributions(phase: &Phase) -> Vec<(&'static str, &'static str, f64, &Summary)> {
    let all = [
        ("latency", "ms", 1e6, &phase.latency),
        ("time to the first text", "ms", 1e6, &phase.first_text),
        ("first text under way", "ms", 1e6, &phase.first_delay),
        ("text under way", "ms", 1e6, &phase.delay),
        ("between two texts", "ms", 1e6, &phase.gap),
        ("held", "bytes", 1.0, &phase.held),
        ("time to a refusal", "ms", 1e6, &phase.refusal),
    ];
    all.into_iter().filter_map(|(name, unit, divisor, it)| Some((name, unit, divisor, it.as_ref()?))).collect()
}

fn details(phase: &Phase) -> String {
    let mut text = format!("\n## {}\n\n", phase.name);
    let distributions = distributions(phase);
    if !distributions.is_empty() {
        text.push_str("| | count | p50 | p90 | p99 | p99.9 | most |\n|---|---|---|---|---|---|---|\n");
    }
    for (name, unit, divisor, it) in distributions {
        let at = |value: u64| value as f64 / divisor;
        let _ = writeln!(
            text,
            "| {name}, {unit} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} |",
            it.count,
            at(it.p50),
            at(it.p90),
            at(it.p99),
            at(it.p999),
            at(it.maximum)
        );
    }
    if let Some(memory) = phase.memory {
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let stream = memory.stream_bytes.map_or("–".into(), |it| format!("{:.1} KiB", it as f64 / 1024.0));
        let _ = writeln!(
            text,
            "\nMemory: {:.1} MiB before, {:.1} MiB with the streams, {:.1} MiB after; {stream} for each stream.",
            mebibytes(memory.before_bytes),
            mebibytes(memory.during_bytes),
            mebibytes(memory.after_bytes)
        );
    }
    for (status, count) in &phase.refused {
        let _ = writeln!(text, "\nRefused with {status}: {count}.");
    }
    for (reason, count) in &phase.failed {
        let _ = writeln!(text, "\nFailed, {reason}: {count}.");
    }
    for note in &phase.notes {
        let _ = writeln!(text, "\n{note}.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Values;

    fn report() -> Report {
        let mut values = Values::default();
        (1..=1_000_u64).for_each(|it| values.add(it * 10_000));
        let phase = Phase {
            name: "first <turn>".into(),
            requests: 1_000,
            succeeded: 990,
            cpu_nanoseconds: Some(250_000_000),
            latency: values.summary(),
            seconds: 2.0,
            refused: [(529, 10)].into(),
            ..Phase::default()
        };
        Report::new("name", "words", vec![phase])
    }

    #[test]
    fn the_markdown_has_counts_percentiles_and_cost() {
        let text = report().markdown();
        assert!(text.contains("| first <turn> | 1000 | 500.0 | 990 | 10 (0) |"), "{text}");
        assert!(text.contains("| 250.0 |") && text.contains("| latency, ms | 1000 | 5.00"), "{text}");
    }

    #[test]
    fn the_page_stands_alone_and_lets_no_name_be_markup() {
        let page = page(&report());
        assert!(page.contains("<svg") && page.contains("first &lt;turn&gt;"));
        assert!(!page.contains("first <turn>") && !page.contains("src=") && !page.contains("href="));
        let opened = page.matches("<svg").count();
        assert_eq!(opened, page.matches("</svg>").count());
    }

    #[test]
    fn three_files_are_written() {
        let folder = tempfile::tempdir().unwrap();
        report().write(folder.path()).unwrap();
        for ending in ["md", "json", "html"] {
            assert!(folder.path().join(format!("name.{ending}")).metadata().unwrap().len() > 200);
        }
    }
}
