//! All rules compiled into one engine, and choices among them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::compile::{Fit, Rule};
use super::digits::is_word;
use super::error::{Mistake, RuleError};
use super::hints::{HINTS, Reading};
use super::hold::Beginnings;
use super::keywords::{KEYWORD_BYTES_MAX, Keywords};
use super::known::Known;
use super::place::MARKS;
use super::spec::{RuleSpec, Trigger};
use super::validate::LOOK_BEHIND_BYTES;
use crate::domain::RuleInfo;

/// A proper prefix of a keyword of a chosen rule.
pub(super) const PREFIX: u8 = 1;
/// The same, of a rule that demands a word boundary before it.
pub(super) const PREFIX_AT_BOUNDARY: u8 = 2;
/// The same, of a rule with a lead.
pub(super) const PREFIX_WITH_LEAD: u8 = 4;
/// A keyword of a chosen rule ends.
pub(super) const KEYWORD: u8 = 8;
/// A mark ends, and a chosen rule asks for the place of its matches.
pub(super) const MARK: u8 = 16;
/// A hint ends.
pub(super) const HINT: u8 = 32;

/// Checkers that look for orders to a model.
const INSTRUCTION_CHECKERS: [&str; 2] = ["security", "agent"];

/// So many bytes of a keyword are looked for; its rule sees whether the rest is there. Short keywords make a small automaton,
/// and short texts worth reading in several stretches at once.
const SOUGHT_BYTES: usize = 16;
/// Bytes that a run of digits may keep waiting: 64 digits with two separators between.
const DIGITS_BYTES_MAX: usize = 192;

/// All rules, immutable and shared.
pub struct Engine {
    pub(super) rules: Vec<Rule>,
    pub(super) keywords: Keywords,
    /// Per keyword: the rules it triggers.
    pub(super) owners: Vec<Vec<u32>>,
    /// Per keyword: its bytes that are looked for.
    pub(super) words: Vec<Vec<u8>>,
    /// Per keyword: how it hints the text around it is to be read.
    pub(super) hints: Vec<Option<Reading>>,
    /// Per state of the keyword automaton: the rules that may yet be triggered.
    pub(super) beginnings: Beginnings,
    /// Per rule: its digit count, for those triggered by digits.
    digits: Vec<Option<usize>>,
    /// Bytes of text a stream must keep.
    pub(super) keep_bytes: usize,
    /// Known values; their rules come behind all others.
    pub(super) known: Option<Known>,
    infos: Vec<Arc<RuleInfo>>,
}

/// Which rules hold for a text. Cheap to clone; belongs to the engine that made it.
#[derive(Clone)]
pub struct RuleSet(pub(super) Arc<Chosen>);

/// What a choice of rules comes to.
pub(super) struct Chosen {
    bits: Vec<u64>,
    /// Per state of the keyword automaton: `PREFIX…`, `KEYWORD`, `HINT` and `MARK`.
    pub(super) flags: Vec<u8>,
    /// Rules with a lead.
    pub(super) leads: Vec<u32>,
    /// Distinct digit counts, ascending.
    pub(super) digit_counts: Vec<usize>,
    /// Per count: the rules that ask for it.
    pub(super) digit_rules: Vec<Vec<u32>>,
    /// Whether known values are looked for.
    pub(super) known: bool,
    /// Whether a rule asks for the place of its matches.
    pub(super) reads_place: bool,
    /// Number of rules chosen.
    count: usize,
    /// Those of them that look for orders to a model, once they are asked for.
    instructions: OnceLock<RuleSet>,
}

impl Engine {
    /// Checks rules and compiles their keywords; every mistake of every rule is reported, not only the first.
    ///
    /// The automaton of a rule is built when its first candidate comes, which takes that text some ten milliseconds
    /// a rule, once; [`Engine::warm`] builds all beforehand. What is found never depends on it.
    pub fn new(specs: Vec<RuleSpec>) -> Result<Engine, Vec<RuleError>> {
        Engine::made(&[], specs, None)
    }

    /// An engine of more rules: `specs` begin with those that this one was made of, which are not checked again and whose
    /// automata both share, built or not.
    ///
    /// # Errors
    /// As for [`Engine::new`].
    pub fn extended(&self, specs: Vec<RuleSpec>, known: Option<Known>) -> Result<Engine, Vec<RuleError>> {
        Engine::made(&self.rules, specs, known)
    }

    /// `ready`: the rules of the first specs.
    fn made(ready: &[Rule], specs: Vec<RuleSpec>, known: Option<Known>) -> Result<Engine, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut rules = Vec::with_capacity(specs.len());
        let mut ids = HashSet::new();
        for (index, spec) in specs.iter().enumerate() {
            let fresh = ids.insert(spec.info.id.as_str());
            let made = match ready.get(index) {
                _ if !fresh => Err(Mistake::DuplicateId),
                Some(rule) => Ok(rule.clone()),
                None => Rule::new(spec),
            };
            match made {
                Ok(rule) => rules.push(rule),
                Err(what) => errors.push(RuleError { rule: spec.info.id.clone(), what }),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut engine = Engine::assemble(&specs, rules);
        if let Some(known) = known {
            engine.keep_bytes = engine.keep_bytes.max(known.longest() + LOOK_BEHIND_BYTES);
            engine.infos.extend(known.infos().iter().cloned().map(Arc::new));
            engine.known = Some(known);
        }
        Ok(engine)
    }

    fn assemble(specs: &[RuleSpec], rules: Vec<Rule>) -> Engine {
        let mut index_of: HashMap<Vec<u8>, usize> = HashMap::new();
        // The marks come first: their indexes are their kinds. No rule owns them, unless one has the same keyword.
        let mut words: Vec<Vec<u8>> = MARKS.iter().map(|mark| mark.as_bytes().to_vec()).collect();
        let mut owners: Vec<Vec<u32>> = vec![Vec::new(); words.len()];
        index_of.extend(words.iter().cloned().zip(0..));
        for (rule, spec) in specs.iter().enumerate() {
            let Trigger::Keywords(keywords) = &spec.trigger else { continue };
            for keyword in keywords {
                let mut folded = keyword.to_ascii_lowercase().into_bytes();
                folded.truncate(SOUGHT_BYTES);
                let index = *index_of.entry(folded.clone()).or_insert(words.len());
                if index == words.len() {
                    words.push(folded);
                    owners.push(Vec::new());
                }
                if owners[index].last() != Some(&(rule as u32)) {
                    owners[index].push(rule as u32);
                }
            }
        }
        let mut hints = vec![None; words.len()];
        for (reading, hint) in HINTS.iter().flat_map(|(reading, hints)| hints.iter().map(move |hint| (reading, hint))) {
            let folded = hint.to_ascii_lowercase().into_bytes();
            let index = *index_of.entry(folded.clone()).or_insert(words.len());
            if index == words.len() {
                words.push(folded);
                owners.push(Vec::new());
                hints.push(None);
            }
            hints[index] = Some(*reading);
        }
        let match_bytes = rules.iter().map(Rule::undecided_bytes_max).max().unwrap_or(0);
        let lead_bytes = rules.iter().map(Rule::lead_bytes_max).max().unwrap_or(0);
        let digits = specs.iter().map(|spec| match spec.trigger {
            Trigger::Digits(count) => Some(count),
            Trigger::Keywords(_) => None,
        });
        let keywords = Keywords::new(&words);
        let mut pairs = Vec::new();
        for (word, owners) in words.iter().zip(&owners) {
            let mut state = keywords.start();
            for &byte in &word[..word.len() - 1] {
                state = keywords.step(state, byte);
                pairs.extend(owners.iter().map(|&rule| (keywords.number(state), rule)));
            }
        }
        Engine {
            beginnings: Beginnings::new(keywords.states(), pairs),
            keywords,
            owners,
            words,
            hints,
            digits: digits.collect(),
            keep_bytes: match_bytes + lead_bytes + KEYWORD_BYTES_MAX + DIGITS_BYTES_MAX + LOOK_BEHIND_BYTES + 8,
            known: None,
            infos: rules.iter().map(|rule| rule.info.clone()).collect(),
            rules,
        }
    }

    /// The known values that are looked for, if any.
    pub fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// The rules in the order they were given; a [`super::Hit`] names one by its index.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.infos
    }

    /// Builds all automata that are not built yet: some seconds of work for the built-in catalogue, best done on a
    /// thread of its own while texts are scanned already. Names the rules whose automaton would be too large: they hold,
    /// but slowly, and texts with many of their keywords are decided coarsely, on the side of finding.
    pub fn warm(&self) -> Vec<RuleError> {
        self.warm_rules(|_| true)
    }

    /// The same, of the rules that one of these sets holds.
    pub fn warm_for(&self, sets: &[&RuleSet]) -> Vec<RuleError> {
        self.warm_rules(|rule| sets.iter().any(|set| set.0.has(rule)))
    }

    fn warm_rules(&self, keep: impl Fn(usize) -> bool) -> Vec<RuleError> {
        let kept = self.rules.iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, rule)| rule);
        let too_large = kept.filter(|rule| rule.warm() == Fit::Blind);
        too_large.map(|rule| RuleError { rule: rule.info.id.clone(), what: Mistake::TooLarge }).collect()
    }

    /// Memory of the automata that are built, bytes.
    pub fn memory(&self) -> usize {
        self.keywords.memory() + self.rules.iter().map(Rule::memory).sum::<usize>()
    }

    /// The rules that a predicate keeps.
    pub fn select(&self, keep: impl Fn(&RuleInfo) -> bool) -> RuleSet {
        self.choose(|_, info| keep(info))
    }

    fn choose(&self, keep: impl Fn(usize, &RuleInfo) -> bool) -> RuleSet {
        let mut chosen = Chosen {
            bits: vec![0; self.infos.len().div_ceil(64)],
            flags: vec![0; self.keywords.states()],
            leads: Vec::new(),
            digit_counts: Vec::new(),
            digit_rules: Vec::new(),
            known: false,
            reads_place: false,
            count: 0,
            instructions: OnceLock::new(),
        };
        for (index, _) in self.infos.iter().enumerate().filter(|(index, info)| keep(*index, info)) {
            chosen.bits[index / 64] |= 1 << (index % 64);
            chosen.count += 1;
            match self.rules.get(index) {
                Some(rule) => {
                    chosen.reads_place |= rule.reads_place;
                    if rule.lead.is_some() {
                        chosen.leads.push(index as u32);
                    }
                }
                None => chosen.known = true,
            }
        }
        self.flag_states(&mut chosen);
        let mut counts: Vec<usize> = self.chosen_digits(&chosen).map(|(_, count)| count).collect();
        counts.sort_unstable();
        counts.dedup();
        let with = |count| self.chosen_digits(&chosen).filter(|(_, c)| *c == count).map(|(rule, _)| rule).collect();
        chosen.digit_rules = counts.iter().map(|&count| with(count)).collect();
        chosen.digit_counts = counts;
        RuleSet(Arc::new(chosen))
    }

    fn chosen_digits(&self, chosen: &Chosen) -> impl Iterator<Item = (u32, usize)> {
        let all = self.digits.iter().enumerate();
        all.filter_map(|(rule, count)| count.filter(|_| chosen.has(rule)).map(|count| (rule as u32, count)))
    }

    fn flag_states(&self, chosen: &mut Chosen) {
        for (word, owners) in self.words.iter().zip(&self.owners) {
            let mut flag = 0;
            for rule in owners.iter().map(|&rule| rule as usize).filter(|&rule| chosen.has(rule)) {
                let rule = &self.rules[rule];
                // A boundary before a byte that is no word byte means a word byte before it: left to the pattern.
                flag |= if rule.boundary && is_word(word[0]) { PREFIX_AT_BOUNDARY } else { PREFIX };
                flag |= if rule.lead.is_some() { PREFIX_WITH_LEAD } else { 0 };
            }
            let mut state = self.keywords.start();
            for (index, &byte) in word.iter().enumerate() {
                state = self.keywords.step(state, byte);
                if index + 1 < word.len() {
                    chosen.flags[self.keywords.number(state)] |= flag;
                }
            }
        }
        for state in 0..self.keywords.states() {
            let ending = self.keywords.ending(self.keywords.state(state));
            let mut owners = ending.iter().flat_map(|&word| &self.owners[word as usize]);
            if owners.any(|&rule| chosen.has(rule as usize)) {
                chosen.flags[state] |= KEYWORD;
            }
            if ending.iter().any(|&word| self.hints[word as usize].is_some()) {
                chosen.flags[state] |= HINT;
            }
            if chosen.reads_place && ending.iter().any(|&word| (word as usize) < MARKS.len()) {
                chosen.flags[state] |= MARK;
            }
        }
    }
}

impl Chosen {
    pub(super) fn has(&self, rule: usize) -> bool {
        self.bits.get(rule / 64).is_some_and(|bits| bits & (1 << (rule % 64)) != 0)
    }
}

impl RuleSet {
    /// Whether a rule, by its index, is in it.
    pub fn has(&self, rule: usize) -> bool {
        self.0.has(rule)
    }

    /// Whether no rule is in it.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// Those of the rules that look for orders to a model.
    pub(super) fn instructions(&self, engine: &Engine) -> RuleSet {
        let is_kept = |index, info: &RuleInfo| self.has(index) && INSTRUCTION_CHECKERS.contains(&info.checker.name());
        self.0.instructions.get_or_init(|| engine.choose(is_kept)).clone()
    }

    /// Becomes that choice. Mostly it is the same one, and then the count of its holders is left alone: all processors share it,
    /// and wait for each other at each short text.
    pub(super) fn set(&mut self, other: &RuleSet) {
        if !Arc::ptr_eq(&self.0, &other.0) {
            *self = other.clone();
        }
    }

    /// How many rules are in it.
    pub fn len(&self) -> usize {
        self.0.count
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleSet({} rules)", self.0.count)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({} rules, {} keywords, {} bytes)", self.rules.len(), self.words.len(), self.memory())
    }
}
