//! Scans a text outside an exchange, by the same engine and policies: for `scan`, measurements and rule tests.

use std::sync::Arc;
use std::time::Duration;

use super::body::{Reading, Sources};
use super::judge::Judge;
use super::locate::{Lines, in_text, scan_block};
use super::{Snapshot, locate::Located};
use crate::domain::{Direction, Finding, Source, Stamp, Verdict};
use crate::scan::{Block, Language};

/// What a text holds and what would be done. Spans are byte offsets into the text.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// By start of the span.
    pub findings: Vec<Finding>,
    /// The decision of the first team's policies.
    pub verdict: Verdict,
}

impl Snapshot {
    /// Scans `text` as the first team's, written by `source`. Without a time, no exception holds.
    pub fn inspect(self: &Arc<Self>, text: &str, direction: Direction, source: Source) -> Inspection {
        self.inspect_file(text, direction, source, None, Stamp { unix: Duration::MAX, ..Stamp::default() })
    }

    /// The same, of a file in a language, where that is known, at this time.
    pub fn inspect_file(
        self: &Arc<Self>,
        text: &str,
        direction: Direction,
        source: Source,
        language: Option<Language>,
        now: Stamp,
    ) -> Inspection {
        let block = language.map_or(Block::Text, |language| Block::Code(Some(language)));
        let judge = Judge { snapshot: self.clone(), team: self.teams[0].clone(), model: None, now };
        let reading = Reading {
            engine: self.engine.clone(),
            rules: judge.team.rules(direction).clone(),
            sources: Sources::Only(source),
            takes_tokens: false,
            views: direction == Direction::Outbound,
            hits_max: self.limits.findings_max as usize,
            seen: None,
        };
        let hits = scan_block(&reading, source, text, block);
        let mut lines = Lines::of(text);
        let mut located: Vec<Located> =
            hits.iter().map(|hit| in_text(&reading, source, &mut lines, hit, "text")).collect();
        located.sort_by_key(|it| (it.finding.span.start, it.finding.span.end));
        let verdict = judge.decide_located(direction, &located);
        Inspection { findings: located.into_iter().map(|it| it.finding).collect(), verdict }
    }
}
