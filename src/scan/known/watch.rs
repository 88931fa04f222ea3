//! Looks for known values in one text. What is found depends on the text alone, never on how it was cut: places are
//! judged in the order in which the values that may stand there end.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use super::Known;
use super::key::WINDOW_BYTES;
use crate::scan::engine::RuleSet;
use crate::scan::runs::Window;
use crate::scan::stream::Hit;

/// Steps that a text may cost at any time, and on top of them for each of its bytes. A step is the look at one length.
/// Text that has more beginnings of known values than that is decided coarsely: what begins like a value counts as one.
const STEPS_FREE: u64 = 1 << 19;
const STEPS_PER_BYTE: u64 = 16;
/// What it costs to digest a value, besides a step for so many bytes of it.
const DIGEST_STEPS: u64 = 64;
const DIGEST_BYTES_PER_STEP: u64 = 8;

/// A place where a value may end, were it one of this length. Ordered by that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    end: usize,
    start: usize,
    /// Index of the length, and of the one behind the last that is possible here.
    length: u32,
    until: u32,
    /// The steps are used up: found as far as the longest value would reach.
    coarse: bool,
}

/// What is remembered of one text: at most two small notes for each byte that the longest value reaches back.
#[derive(Debug, Default)]
pub(in crate::scan) struct Watch {
    due: BinaryHeap<Reverse<Due>>,
    /// Places where a value may have begun, ascending, and whether that is still open.
    open: VecDeque<(usize, bool)>,
    spent: u64,
}

/// With what, and on which rules, a text is read.
pub(in crate::scan) struct Sight<'a> {
    pub(in crate::scan) known: &'a Known,
    pub(in crate::scan) rules: &'a RuleSet,
    /// Index of the first rule of known values.
    pub(in crate::scan) rule: usize,
}

impl Watch {
    /// Forgets everything.
    pub(in crate::scan) fn reset(&mut self) {
        self.due.clear();
        self.open.clear();
        self.spent = 0;
    }

    /// Reads what stands in the window from index `from` on.
    pub(in crate::scan) fn read(&mut self, sight: &Sight<'_>, window: Window<'_>, from: usize, hits: &mut Vec<Hit>) {
        let first = from.saturating_sub(WINDOW_BYTES - 1);
        let table = &sight.known.table;
        table.beginnings(sight.known.key.head, window.text, window.base, first, |at, beginning| {
            // What would have begun before the text did is none.
            let Some(start) = (window.base + at).checked_sub(beginning.before) else { return };
            self.open.push_back((start, true));
            let Range { start: length, end: until } = beginning.lengths;
            let end = start + table.length(length).bytes;
            self.due.push(Reverse(Due { end, start, length, until, coarse: false }));
        });
        while let Some(Reverse(due)) = self.due.peek().copied().filter(|Reverse(due)| due.end <= window.end()) {
            self.due.pop();
            match self.judge(sight, due, window, hits) {
                Some(next) => self.due.push(Reverse(next)),
                None => self.close(due.start),
            }
        }
    }

    /// The text is complete: what has begun and was not found is none, unless the steps are used up.
    pub(in crate::scan) fn finish(&mut self, sight: &Sight<'_>, window: Window<'_>, hits: &mut Vec<Hit>) {
        let mut coarse: Vec<Due> = self.due.drain().map(|Reverse(due)| due).filter(|due| due.coarse).collect();
        coarse.sort_unstable();
        for due in coarse {
            report_coarsely(sight, due, due.start..window.end(), hits);
        }
        self.open.clear();
    }

    /// Offset of the first byte that a value may cover which is not yet found.
    pub(in crate::scan) fn pending(&self, known: &Known, end: usize) -> usize {
        let tail = known.table.undecided(end);
        self.open.front().map_or(tail, |(start, _)| tail.min(*start))
    }

    /// Decides one length at one place; gives what is to be decided there next.
    fn judge(&mut self, sight: &Sight<'_>, due: Due, window: Window<'_>, hits: &mut Vec<Hit>) -> Option<Due> {
        let table = &sight.known.table;
        let range = due.start..due.end;
        if due.coarse {
            report_coarsely(sight, due, range, hits);
            return None;
        }
        let next = |length: u32, coarse| Due { end: due.start + table.length(length).bytes, length, coarse, ..due };
        if self.spent > STEPS_FREE + STEPS_PER_BYTE * due.end as u64 {
            return Some(next(due.until - 1, true));
        }
        self.spent += 1;
        let value = &window.text[due.start - window.base..due.end - window.base];
        let Some(tail) = value.last_chunk::<WINDOW_BYTES>().map(|it| sight.known.key.tail.tag(it)) else { return None };
        let candidates = table.candidates(table.length(due.length));
        let from = candidates.partition_point(|it| it.tail < tail);
        let mut alike = candidates[from..].iter().take_while(|it| it.tail == tail).peekable();
        if alike.peek().is_some() {
            self.spent += DIGEST_STEPS + value.len() as u64 / DIGEST_BYTES_PER_STEP;
            let fingerprint = sight.known.key.fingerprint(value);
            // Fingerprints of one length are told apart by the digest: at most one is this.
            if let Some(found) = alike.find(|it| it.fingerprint == fingerprint) {
                report(sight, found.rule, range, hits);
            }
        }
        (due.length + 1 < due.until).then(|| next(due.length + 1, false))
    }

    fn close(&mut self, start: usize) {
        let at = self.open.partition_point(|(it, _)| *it < start);
        if let Some((_, is_open)) = self.open.get_mut(at) {
            *is_open = false;
        }
        while self.open.pop_front_if(|(_, is_open)| !*is_open).is_some() {}
    }
}

fn report_coarsely(sight: &Sight<'_>, due: Due, range: Range<usize>, hits: &mut Vec<Hit>) {
    let table = &sight.known.table;
    if let Some(any) = table.candidates(table.length(due.until - 1)).first() {
        report(sight, any.rule, range, hits);
    }
}

fn report(sight: &Sight<'_>, rule: u32, range: Range<usize>, hits: &mut Vec<Hit>) {
    let rule = sight.rule + rule as usize;
    if sight.rules.has(rule) {
        hits.push(Hit { rule, secret: range.clone(), whole: range });
    }
}
