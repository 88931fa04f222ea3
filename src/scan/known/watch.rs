//! Looks for known values in one text. What is found depends on the text alone, never on how it was cut: places are
//! judged one after the other, each at every length that is possible there.

use std::collections::VecDeque;
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
/// A coarse find covers so many times the longest value, so that beginnings within it need no look.
const COARSE_LENGTHS: usize = 2;

/// A place where a value may have begun.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Indices of the next length to look at, and of the one behind the last.
    Open(u32, u32),
    /// The steps were used up here: found up to this offset, as far as there is text.
    Coarse(usize),
}

/// What is remembered of one text: a few words for each place that waits. The first one waits for no more text than the
/// longest values have.
#[derive(Debug, Default)]
pub(in crate::scan) struct Watch {
    /// Ascending.
    places: VecDeque<Place>,
    spent: u64,
    /// Up to here a coarse find covers the text, from its beginning on.
    covered: usize,
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
        self.places.clear();
        (self.spent, self.covered) = (0, 0);
    }

    /// Reads what stands in the window from index `from` on.
    pub(in crate::scan) fn read(&mut self, sight: &Sight<'_>, window: Window<'_>, from: usize, hits: &mut Vec<Hit>) {
        let first = from.saturating_sub(WINDOW_BYTES - 1);
        let (known, table) = (sight.known, &sight.known.table);
        table.beginnings(known.key.head, window.text, window.base, first, |at, beginning| {
            // What would have begun before the text did is none.
            let Some(start) = (window.base + at).checked_sub(beginning.before) else { return };
            if !self.is_covered(known, start) {
                let state = State::Open(beginning.lengths.start, beginning.lengths.end);
                self.places.push_back(Place { start, state });
            }
        });
        self.advance(sight, window, false, hits);
    }

    /// The text is complete.
    pub(in crate::scan) fn finish(&mut self, sight: &Sight<'_>, window: Window<'_>, hits: &mut Vec<Hit>) {
        self.advance(sight, window, true, hits);
    }

    /// Offset of the first byte that a value may cover which is not yet found.
    pub(in crate::scan) fn pending(&self, known: &Known, end: usize) -> usize {
        let undecided = known.table.undecided(end);
        self.places.front().map_or(undecided, |it| undecided.min(it.start))
    }

    /// Judges places as far as the text reaches. At the end of the text all are decided.
    fn advance(&mut self, sight: &Sight<'_>, window: Window<'_>, last: bool, hits: &mut Vec<Hit>) {
        while let Some(mut place) = self.places.pop_front() {
            if !self.judge(sight, &mut place, window, last, hits) {
                self.places.push_front(place);
                return;
            }
        }
    }

    /// Judges one place; false when that takes more text.
    fn judge(
        &mut self,
        sight: &Sight<'_>,
        place: &mut Place,
        window: Window<'_>,
        last: bool,
        hits: &mut Vec<Hit>,
    ) -> bool {
        let table = &sight.known.table;
        let Place { start, state } = place;
        while let State::Open(length, until) = state {
            if *length == *until || self.is_covered(sight.known, *start) {
                return true;
            }
            let end = *start + table.length(*length).bytes;
            if end > window.end() {
                return last;
            }
            if self.spent > STEPS_FREE + STEPS_PER_BYTE * *start as u64 {
                self.covered = *start + COARSE_LENGTHS * table.longest();
                *state = State::Coarse(self.covered);
            } else {
                self.look(sight, *length, *start..end, window, hits);
                *length += 1;
            }
        }
        let State::Coarse(end) = *state else { return true };
        if end <= window.end() || last {
            report(sight, table.any_rule(), *start..end.min(window.end()), hits);
            return true;
        }
        false
    }

    /// Whether a value of this length stands here.
    fn look(&mut self, sight: &Sight<'_>, length: u32, range: Range<usize>, window: Window<'_>, hits: &mut Vec<Hit>) {
        self.spent += 1;
        let value = &window.text[range.start - window.base..range.end - window.base];
        let Some(tail) = value.last_chunk::<WINDOW_BYTES>().map(|it| sight.known.key.tail.tag(it)) else { return };
        let table = &sight.known.table;
        let candidates = table.candidates(table.length(length));
        let from = candidates.partition_point(|it| it.tail < tail);
        let mut alike = candidates[from..].iter().take_while(|it| it.tail == tail).peekable();
        if alike.peek().is_none() {
            return;
        }
        self.spent += DIGEST_STEPS + value.len() as u64 / DIGEST_BYTES_PER_STEP;
        let fingerprint = sight.known.key.fingerprint(value);
        // Fingerprints of one length are told apart by the digest: at most one is this.
        if let Some(found) = alike.find(|it| it.fingerprint == fingerprint) {
            report(sight, found.rule, range, hits);
        }
    }

    /// Whether a coarse find covers all that may begin here.
    fn is_covered(&self, known: &Known, start: usize) -> bool {
        start + known.longest() <= self.covered
    }
}

fn report(sight: &Sight<'_>, rule: u32, range: Range<usize>, hits: &mut Vec<Hit>) {
    let rule = sight.rule + rule as usize;
    if sight.rules.has(rule) {
        hits.push(Hit { rule, secret: range.clone(), whole: range });
    }
}
