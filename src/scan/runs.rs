//! Open candidates: per rule one that is being decided, and those behind it that wait for how it ends.
//!
//! Candidates of a rule are decided strictly in the order in which their triggers end, each from a start that is known,
//! so the outcome depends on the text alone and never on how it was cut. A rejected candidate hides nothing; a hit hides
//! the candidates that start before the end of its secret.

use std::collections::VecDeque;
use std::ops::Range;

use regex_automata::util::primitives::StateID;

use super::assignment::{self, Read};
use super::compile::{Fit, Rule, Step};
use super::place::{Marks, Surroundings};
use super::region::{Walk, Walked};
use super::stream::Hit;
use super::validate::LOOK_BEHIND_BYTES;

/// Steps that the rejected candidates of one rule may cost per byte of text, on top of `STEPS_FREE`, and likewise the
/// checks of its matches. Ordinary text stays far below, also where each line of a table holds a match that is refused;
/// text made to cost more is decided coarsely, on the side of finding.
const STEPS_PER_BYTE: u64 = 4;
/// Rules whose longest match is no longer than this cannot cost much, however dense, and are always decided exactly:
/// tables of numbers are ordinary text.
const SHORT_MATCH_BYTES: usize = 64;
/// A candidate is first read so far without being stored.
const GLANCE_BYTES: usize = 32;
/// Steps that a rule may cost at any time, so that short texts are always decided exactly.
const STEPS_FREE: u64 = 1 << 19;
/// What it costs to check a match, besides a step a byte: to find its group, to ask what confirms or excuses it.
const CHECK_STEPS: u64 = 128;
/// Once so many matches of a rule were accepted, the rest is believed without checks: a text with a thousand secrets of
/// a kind is no ordinary text, and what else looks like them is hidden, too.
const ACCEPTED_MAX: u32 = 1000;
/// No run is open.
const NONE: u32 = u32::MAX;

/// The text that is still there; offsets are absolute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    /// Offset of the first byte of `text`.
    pub(super) base: usize,
    pub(super) text: &'a [u8],
    /// Ascending offsets at which one text may end and another begin.
    pub(super) borders: &'a [usize],
    /// What is around its bytes.
    pub(super) marks: &'a Marks,
}

impl Window<'_> {
    pub(super) fn end(&self) -> usize {
        self.base + self.text.len()
    }

    /// The byte before an offset, if there is one. None stands before a border: what begins there may stand alone.
    pub(super) fn before(&self, offset: usize) -> Option<u8> {
        if !self.borders.is_empty() && self.borders.binary_search(&offset).is_ok() {
            return None;
        }
        offset.checked_sub(self.base + 1).map(|index| self.text[index])
    }
}

/// A place where a rule may match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where a match would start.
    pub(super) start: usize,
    /// Last start to try: the keyword's, when a lead stands before it.
    pub(super) start_last: usize,
}

/// What one rule remembers of a text.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// Index of its open run.
    run: u32,
    /// Candidates that start before this offset are hidden by a hit.
    hidden: usize,
    /// One more than the start of the last candidate looked at.
    seen: usize,
    /// Steps of rejected candidates.
    spent: u64,
    /// Steps of checks.
    checked: u64,
    /// Matches that checks accepted.
    accepted: u32,
}

const BLANK: Memory = Memory { run: NONE, hidden: 0, seen: 0, spent: 0, checked: 0, accepted: 0 };

/// A candidate that is being decided.
#[derive(Debug)]
struct Run {
    rule: u32,
    /// Place of its rule's memory.
    slot: usize,
    candidate: Candidate,
    /// Next byte to read.
    at: usize,
    stage: Stage,
    waiting: VecDeque<Candidate>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The automaton reads; the end of the longest match so far.
    Match(StateID, Option<usize>),
    /// An assignment is being read, from its beginning each time: it is short.
    Assignment,
    /// It was read; where its value lies, from its beginning on.
    Value(usize, usize),
    /// The region has begun.
    Body(Walk),
    /// The rule's steps are used up: found as far as a match could reach.
    Coarse,
}

/// What was read from `start` in a text that ended at `end`: rules that share a keyword ask for it in turns.
#[derive(Debug)]
struct Glanced {
    start: usize,
    end: usize,
    read: Read,
}

enum Outcome {
    Open,
    Rejected,
    /// Secret, whole, and whether the run goes on behind it.
    Hit(Range<usize>, Range<usize>, bool),
}

/// The open candidates of all rules.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Per rule: one more than the place of its memory; 0 for none. Few rules look at anything in a text.
    slots: Vec<u32>,
    memories: Vec<Memory>,
    /// The rules that have a memory.
    touched: Vec<u32>,
    open: Vec<Run>,
    spare: Vec<VecDeque<Candidate>>,
    glanced: Option<Glanced>,
}

impl Runs {
    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        for rule in self.touched.drain(..) {
            self.slots[rule as usize] = 0;
        }
        self.memories.clear();
        self.glanced = None;
        while let Some(run) = self.open.pop() {
            self.recycle(run);
        }
    }

    /// Room for so many rules.
    pub(super) fn resize(&mut self, rules: usize) {
        if self.slots.len() < rules {
            self.slots.resize(rules, 0);
        }
    }

    fn memory(&self, rule: u32) -> &Memory {
        let slot = self.slots.get(rule as usize).copied().unwrap_or(0);
        slot.checked_sub(1).map_or(&BLANK, |slot| &self.memories[slot as usize])
    }

    /// Place of a rule's memory, which is made if there is none.
    fn slot(&mut self, rule: u32) -> usize {
        let slot = &mut self.slots[rule as usize];
        if *slot == 0 {
            self.memories.push(BLANK);
            self.touched.push(rule);
            *slot = self.memories.len() as u32;
        }
        *slot as usize - 1
    }

    /// Start of the earliest open candidate.
    pub(super) fn pending(&self) -> Option<usize> {
        let starts = |run: &Run| run.waiting.iter().map(|c| c.start).min().map_or(run.start(), |w| w.min(run.start()));
        self.open.iter().map(starts).min()
    }

    /// Length of the run at the end of `before` from which a match of the rule may still begin, if its keyword follows:
    /// what the automaton refuses already can be released. 0 where it is no longer than `known`, which is cheaper.
    pub(super) fn open_lead(
        &self,
        rules: &[Rule],
        index: u32,
        before: Window<'_>,
        window: Window<'_>,
        known: usize,
    ) -> usize {
        let rule = &rules[index as usize];
        let length = rule.lead.as_ref().map_or(0, |lead| lead.length(before.text));
        if length <= known {
            return 0;
        }
        let memory = self.memory(index);
        // A rule that has used up much may soon find coarsely, from the very beginning of its lead.
        if memory.spent > memory.allowed(before.end()) / 2 {
            return length;
        }
        let is_open = |length: &usize| rejected_before_end(rule, before.end() - length, window).is_none();
        (known + 1..=length).rev().find(is_open).unwrap_or(0)
    }

    /// Where a match may begin whose keyword begins at the end of `before`, in its lead or with it.
    pub(super) fn open_start(
        &self,
        rules: &[Rule],
        index: u32,
        before: Window<'_>,
        window: Window<'_>,
    ) -> Option<usize> {
        let start = before.end();
        match self.open_lead(rules, index, before, window, 0) {
            0 => {
                let memory = self.memory(index);
                let is_open = memory.spent > memory.allowed(start) / 2
                    || rejected_before_end(&rules[index as usize], start, window).is_none();
                is_open.then_some(start)
            }
            length => Some(start - length),
        }
    }

    /// Looks at a place, as far as the text reaches.
    pub(super) fn candidate(
        &mut self,
        rules: &[Rule],
        index: u32,
        candidate: Candidate,
        window: Window<'_>,
        hits: &mut Vec<Hit>,
    ) {
        let slot = self.slot(index);
        let memory = &mut self.memories[slot];
        if candidate.start < memory.hidden
            || memory.seen == candidate.start + 1 && candidate.start == candidate.start_last
        {
            return;
        }
        memory.seen = candidate.start + 1;
        let run = memory.run;
        if run != NONE && self.drive(rules, run, window, false, hits) {
            let run = &mut self.open[run as usize];
            if candidate.start >= run.covered() {
                run.waiting.push_back(candidate);
            }
            return;
        }
        let memory = &mut self.memories[slot];
        if candidate.start < memory.hidden {
            return;
        }
        let rule = &rules[index as usize];
        // Nearly all candidates end here.
        let glance = match candidate.start == candidate.start_last {
            true if rule.assigned => assigned_at_a_glance(&mut self.glanced, candidate.start, window),
            true => rejected_at_a_glance(rule, candidate.start, window).map(Err),
            false => None,
        };
        if let Some(Err(steps)) = glance {
            memory.spent += steps;
            return;
        }
        let stage = match (memory.stage(rule, candidate.start, window), glance) {
            (Stage::Assignment, Some(Ok(value))) => value,
            (stage, _) => stage,
        };
        let mut run = Run { rule: index, slot, candidate, at: candidate.start, stage, waiting: VecDeque::new() };
        if !drive_alone(rule, &mut run, memory, window, false, hits) {
            return;
        }
        memory.run = self.open.len() as u32;
        run.waiting = self.spare.pop().unwrap_or_default();
        self.open.push(run);
    }

    /// Reads on with all open runs. At the end of the text all are decided.
    pub(super) fn advance(&mut self, rules: &[Rule], window: Window<'_>, last: bool, hits: &mut Vec<Hit>) {
        for run in (0..self.open.len() as u32).rev() {
            self.drive(rules, run, window, last, hits);
        }
    }

    /// The text may end here: matches that would end with it are matches.
    pub(super) fn border(&mut self, rules: &[Rule], end: usize) {
        for run in &mut self.open {
            if let Stage::Match(state, matched) = &mut run.stage
                && run.at == end
                && rules[run.rule as usize].matcher().at_end(*state)
            {
                *matched = Some(end);
            }
        }
    }

    /// Reads on with one run; false when it and all that waited behind it are decided.
    fn drive(&mut self, rules: &[Rule], index: u32, window: Window<'_>, last: bool, hits: &mut Vec<Hit>) -> bool {
        let run = &mut self.open[index as usize];
        let slot = run.slot;
        if drive_alone(&rules[run.rule as usize], run, &mut self.memories[slot], window, last, hits) {
            return true;
        }
        self.memories[slot].run = NONE;
        let done = self.open.swap_remove(index as usize);
        if let Some(moved) = self.open.get(index as usize) {
            self.memories[moved.slot].run = index;
        }
        self.recycle(done);
        false
    }

    fn recycle(&mut self, mut run: Run) {
        run.waiting.clear();
        if self.spare.len() < 16 {
            self.spare.push(run.waiting);
        }
    }
}

impl Memory {
    fn allowed(&self, start: usize) -> u64 {
        STEPS_FREE + STEPS_PER_BYTE * start as u64
    }

    fn stage(&self, rule: &Rule, start: usize, window: Window<'_>) -> Stage {
        if self.spent > self.allowed(start) && rule.match_bytes_max > SHORT_MATCH_BYTES {
            return Stage::Coarse;
        }
        if rule.assigned {
            return Stage::Assignment;
        }
        Stage::Match(rule.matcher().start(window.before(start)), None)
    }
}

/// Reads the assignment whose name has its keyword here.
fn read_assignment(start: usize, window: Window<'_>, last: bool) -> Read {
    let (before, text) = window.text.split_at(start - window.base);
    assignment::read(&before[before.len().saturating_sub(LOOK_BEHIND_BYTES)..], text, last)
}

/// Whether the text that is there shows that no match starts here.
fn rejected_before_end(rule: &Rule, start: usize, window: Window<'_>) -> Option<()> {
    if rule.assigned {
        return matches!(read_assignment(start, window, false), Read::No(_)).then_some(());
    }
    let mut state = rule.matcher().start(window.before(start));
    for &byte in &window.text[start - window.base..] {
        match rule.matcher().step(&mut state, byte) {
            Step::On => {}
            Step::Match => return None,
            Step::Dead => return Some(()),
        }
    }
    None
}

/// The value that is assigned here, or the steps it took to see that none is; `None` if that takes more text.
fn assigned_at_a_glance(glanced: &mut Option<Glanced>, start: usize, window: Window<'_>) -> Option<Result<Stage, u64>> {
    let end = window.end();
    let known = glanced.take().filter(|glanced| (glanced.start, glanced.end) == (start, end));
    let read = known.map_or_else(|| read_assignment(start, window, false), |glanced| glanced.read);
    match &glanced.insert(Glanced { start, end, read }).read {
        Read::More => None,
        Read::No(bytes) => Some(Err(*bytes as u64)),
        Read::Value(value) => Some(Ok(Stage::Value(value.start, value.end))),
    }
}

/// The steps it took to see that no match starts here; `None` if that takes more than a glance.
fn rejected_at_a_glance(rule: &Rule, start: usize, window: Window<'_>) -> Option<u64> {
    let matcher = rule.matcher();
    let mut state = matcher.start(window.before(start));
    for (index, &byte) in window.text[start - window.base..].iter().take(GLANCE_BYTES).enumerate() {
        match matcher.step(&mut state, byte) {
            Step::On => {}
            Step::Match => return None,
            Step::Dead => return Some(index as u64 + 1),
        }
    }
    None
}

/// Decides a run and those that wait behind it, as far as the text reaches; true while it is open.
fn drive_alone(
    rule: &Rule,
    run: &mut Run,
    memory: &mut Memory,
    window: Window<'_>,
    last: bool,
    hits: &mut Vec<Hit>,
) -> bool {
    loop {
        match run.advance(rule, memory, window, last) {
            Outcome::Open => return true,
            Outcome::Hit(secret, whole, goes_on) => {
                memory.hidden = memory.hidden.max(secret.end);
                if !secret.is_empty() {
                    hits.push(Hit { rule: run.rule as usize, secret, whole });
                }
                if goes_on {
                    continue;
                }
            }
            Outcome::Rejected => {
                memory.spent += (run.at - run.candidate.start) as u64;
                if run.candidate.start < run.candidate.start_last && run.at <= run.candidate.start_last + 1 {
                    let candidate = Candidate { start: run.candidate.start + 1, ..run.candidate };
                    run.begin(rule, memory, candidate, window);
                    continue;
                }
            }
        }
        let next = loop {
            match run.waiting.pop_front() {
                Some(candidate) if candidate.start < memory.hidden => {}
                other => break other,
            }
        };
        match next {
            Some(candidate) => run.begin(rule, memory, candidate, window),
            None => return false,
        }
    }
}

impl Run {
    /// The next candidate takes the place of one that is decided.
    fn begin(&mut self, rule: &Rule, memory: &Memory, candidate: Candidate, window: Window<'_>) {
        self.candidate = candidate;
        self.at = candidate.start;
        self.stage = memory.stage(rule, candidate.start, window);
    }

    fn start(&self) -> usize {
        self.candidate.start
    }

    /// Offset below which the run certainly hides other candidates.
    fn covered(&self) -> usize {
        match self.stage {
            Stage::Match(..) | Stage::Assignment | Stage::Value(..) => 0,
            Stage::Body(walk) => walk.certain().unwrap_or(self.at),
            Stage::Coarse => self.at,
        }
    }

    fn advance(&mut self, rule: &Rule, memory: &mut Memory, window: Window<'_>, last: bool) -> Outcome {
        loop {
            match self.stage {
                Stage::Match(state, matched) => match self.read(rule, state, matched, window, last) {
                    None => return Outcome::Open,
                    Some(None) => return Outcome::Rejected,
                    Some(Some(end)) => match (self.decide(rule, memory, end, window), &rule.region) {
                        (Outcome::Hit(_, begin, _), Some(region)) => {
                            self.at = begin.end;
                            self.stage = Stage::Body(region.walk());
                        }
                        (outcome, _) => return outcome,
                    },
                },
                Stage::Assignment => return self.assignment(rule, memory, window, last),
                Stage::Value(from, to) => return self.value(rule, memory, window, from..to),
                Stage::Body(walk) => return self.walk(rule, walk, window, last),
                Stage::Coarse => {
                    let end = self.start() + rule.match_bytes_max;
                    self.at = end.min(window.end());
                    if self.at < end && !last {
                        return Outcome::Open;
                    }
                    let range = self.start()..self.at;
                    return Outcome::Hit(range.clone(), range, false);
                }
            }
        }
    }

    fn assignment(&mut self, rule: &Rule, memory: &mut Memory, window: Window<'_>, last: bool) -> Outcome {
        let start = self.start();
        match read_assignment(start, window, last) {
            Read::More => {
                self.at = window.end();
                Outcome::Open
            }
            Read::No(bytes) => {
                self.at = start + bytes;
                Outcome::Rejected
            }
            Read::Value(value) => self.value(rule, memory, window, value),
        }
    }

    /// Checks what is assigned; the value counts from the start of the assignment.
    fn value(&mut self, rule: &Rule, memory: &mut Memory, window: Window<'_>, value: Range<usize>) -> Outcome {
        let start = self.start();
        self.at = start + value.end;
        memory.checked += CHECK_STEPS + value.end as u64;
        let from = start - window.base;
        let whole = from..from + value.end;
        let value = from + value.start..whole.end;
        let around = if rule.reads_place { window.marks.at(start) } else { Surroundings::default() };
        if !rule.confirms_value(window.text, whole, value.clone(), around) {
            return Outcome::Rejected;
        }
        memory.accepted += 1;
        Outcome::Hit(value.start + window.base..self.at, start..self.at, false)
    }

    /// Steps the automaton: `None` while more text is needed, else the end of the match, if there was one.
    fn read(
        &mut self,
        rule: &Rule,
        mut state: StateID,
        mut matched: Option<usize>,
        window: Window<'_>,
        last: bool,
    ) -> Option<Option<usize>> {
        // One byte more than the longest match: a match shows with the byte behind it.
        let stop = self.start() + rule.match_bytes_max + 1;
        let until = stop.min(window.end());
        let text = &window.text[self.at - window.base..until - window.base];
        let matcher = rule.matcher();
        for &byte in text {
            match matcher.step(&mut state, byte) {
                Step::On => {}
                Step::Match => matched = Some(self.at),
                Step::Dead => {
                    self.at += 1;
                    return Some(matched);
                }
            }
            self.at += 1;
        }
        if self.at < stop && !last {
            self.stage = Stage::Match(state, matched);
            return None;
        }
        if self.at < stop && matcher.at_end(state) {
            matched = Some(self.at);
        }
        Some(matched)
    }

    fn decide(&mut self, rule: &Rule, memory: &mut Memory, end: usize, window: Window<'_>) -> Outcome {
        let fit = rule.matcher().fit();
        if fit != Fit::Exact || rule.has_checks() {
            let tired = memory.checked > memory.allowed(self.start()) || memory.accepted >= ACCEPTED_MAX;
            if tired && fit != Fit::Blind && rule.match_bytes_max > SHORT_MATCH_BYTES {
                return Outcome::Hit(self.start()..end, self.start()..end, false);
            }
            memory.checked += CHECK_STEPS + (end - self.start()) as u64;
        }
        let base = window.base;
        let around = if rule.reads_place { window.marks.at(self.start()) } else { Surroundings::default() };
        match rule.confirm(window.text, self.start() - base..end - base, around) {
            Some((secret, whole)) => {
                memory.accepted += 1;
                let absolute = |range: Range<usize>| range.start + base..range.end + base;
                Outcome::Hit(absolute(secret), absolute(whole), false)
            }
            None => Outcome::Rejected,
        }
    }

    fn walk(&mut self, rule: &Rule, mut walk: Walk, window: Window<'_>, last: bool) -> Outcome {
        let Some(region) = &rule.region else { return Outcome::Rejected };
        let range = self.at - window.base..window.text.len();
        let start = self.start();
        let hit = |end: usize| start..end.max(start);
        match region.read(&mut walk, start, window.text, range, window.base) {
            Walked::Open if !last => {
                self.at = window.end();
                self.stage = Stage::Body(walk);
                Outcome::Open
            }
            Walked::Open => {
                let range = hit(region.at_end(&walk, window.end()));
                Outcome::Hit(range.clone(), range, false)
            }
            Walked::Ended(end) => Outcome::Hit(hit(end), hit(end), false),
            Walked::Full(end) => {
                self.at = end;
                self.candidate = Candidate { start: end, start_last: end };
                self.stage = Stage::Body(walk);
                Outcome::Hit(hit(end), hit(end), true)
            }
        }
    }
}
