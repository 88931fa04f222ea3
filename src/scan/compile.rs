//! One rule, checked when it is loaded; its automaton is built when its first candidate comes.

use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::hybrid;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind, meta};
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look, Repetition};

use super::assignment::ASSIGNMENT_BYTES_MAX;
use super::error::Mistake;
use super::keywords::KEYWORD_BYTES_MAX;
use super::place::Surroundings;
use super::region::Region;
use super::spec::{Confirm, Lead, Pattern, RuleSpec, Trigger};
use super::validate::Matched;
use crate::domain::RuleInfo;

/// Longest match of a pattern, bytes.
pub(super) const MATCH_BYTES_MAX: usize = 4096;
/// Longest lead, bytes.
const LEAD_BYTES_MAX: usize = 512;
/// Memory of one rule's automaton, bytes.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;
/// Memory to build it in, bytes; also what bounds the time spent on a pattern that explodes.
const DETERMINIZE_BYTES_MAX: usize = 128 << 10;
/// Memory of the exact pattern's machine, bytes; a pattern that needs more is refused.
const EXACT_BYTES_MAX: usize = 4 << 20;
/// States that a pattern may have without being compiled to see whether it fits: far below [`EXACT_BYTES_MAX`].
const STATES_EASY: usize = 20_000;

/// A rule that was found valid. A clone shares what is compiled when it is first needed.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) info: Arc<RuleInfo>,
    pub(super) lead: Option<LeadRun>,
    /// Whether a keyword that follows a word byte can be dropped at once.
    pub(super) boundary: bool,
    pub(super) region: Option<Region>,
    /// Whether the pattern is that of an assigned value.
    pub(super) assigned: bool,
    /// Longest match, bytes; for a region, of its begin.
    pub(super) match_bytes_max: usize,
    /// Whether a check asks what is around a match.
    pub(super) reads_place: bool,
    hir: Hir,
    matcher: Arc<OnceLock<Matcher>>,
    /// The pattern with its group, when a part of the match is to be hidden or `matcher` is only an approximation.
    exact: Lazy,
    /// Index of the group `secret`; 0 for the whole match.
    group: usize,
    unless: Option<(Hir, Lazy)>,
    confirm: Vec<Confirm>,
}

/// A regex that is compiled when it is first needed: few rules ever match. `None` where it does not fit its limit, which
/// [`check_size`] rules out.
type Lazy = Arc<OnceLock<Option<meta::Regex>>>;

/// The run of bytes before a keyword.
#[derive(Clone, Debug)]
pub(super) struct LeadRun {
    class: Box<[bool; 256]>,
    length_max: usize,
}

impl LeadRun {
    /// Length of the run that ends at the end of the text.
    pub(super) fn length(&self, text: &[u8]) -> usize {
        text.iter().rev().take(self.length_max).take_while(|&&byte| self.class[byte as usize]).count()
    }
}

/// The anchored automaton of a pattern, stepped byte by byte, so that its state can wait for more text.
#[derive(Debug)]
pub(super) struct Matcher {
    dfa: dense::DFA<Vec<u32>>,
    /// Start states after each byte, and at the start of the text.
    starts: Box<[StateID; 257]>,
    fit: Fit,
}

/// How near an automaton comes to its pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It accepts what the pattern does.
    Exact,
    /// It accepts more: repetitions lost their upper bounds.
    Wide,
    /// It accepts anything, because every better automaton would be too large.
    Blind,
}

/// What a step of a matcher came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to note.
    On,
    /// A match ends before the byte just read.
    Match,
    /// No match, or no longer one, can follow.
    Dead,
}

impl Matcher {
    fn new(hir: &Hir) -> Matcher {
        if let Some(dfa) = dense_automaton(hir, MatchKind::LeftmostFirst) {
            return Matcher::over(dfa, Fit::Exact);
        }
        for min in [u32::MAX, 1] {
            if let Some(dfa) = dense_automaton(&widened(hir, min), MatchKind::All) {
                return Matcher::over(dfa, Fit::Wide);
            }
        }
        let any = Hir::dot(Dot::AnyByte);
        let any = Hir::repetition(Repetition { min: 1, max: None, greedy: true, sub: Box::new(any) });
        #[expect(clippy::expect_used, reason = "three states fit any limit, as the tests show")]
        let dfa = dense_automaton(&any, MatchKind::All).expect("a tiny automaton");
        Matcher::over(dfa, Fit::Blind)
    }

    fn over(dfa: dense::DFA<Vec<u32>>, fit: Fit) -> Matcher {
        let config = start::Config::new().anchored(Anchored::Yes);
        let mut starts = Box::new([StateID::ZERO; 257]);
        for (byte, state) in starts.iter_mut().enumerate() {
            let config = config.clone().look_behind(u8::try_from(byte).ok());
            // Anchored starts exist for every look-behind; zero is the dead state.
            *state = dfa.start_state(&config).unwrap_or(StateID::ZERO);
        }
        Matcher { dfa, starts, fit }
    }

    /// How near it comes to the pattern.
    pub(super) fn fit(&self) -> Fit {
        self.fit
    }

    /// The state before the first byte.
    pub(super) fn start(&self, before: Option<u8>) -> StateID {
        self.starts[before.map_or(256, usize::from)]
    }

    /// Reads a byte.
    #[inline(always)]
    pub(super) fn step(&self, state: &mut StateID, byte: u8) -> Step {
        *state = self.dfa.next_state(*state, byte);
        if !self.dfa.is_special_state(*state) {
            return Step::On;
        }
        if self.dfa.is_match_state(*state) {
            return Step::Match;
        }
        if self.dfa.is_dead_state(*state) || self.dfa.is_quit_state(*state) { Step::Dead } else { Step::On }
    }

    /// Whether a match ends where the text ends.
    pub(super) fn at_end(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.dfa.memory_usage()
    }
}

impl Rule {
    /// Checks a rule. What is compiled later cannot fail any more.
    pub(super) fn new(spec: &RuleSpec) -> Result<Rule, Mistake> {
        check_trigger(spec)?;
        let lead = spec.lead.as_ref().map(|lead| lead_run(lead, &spec.trigger)).transpose()?;
        let (pattern, region) = match &spec.pattern {
            Pattern::Regex(pattern) | Pattern::Assigned(pattern) => (pattern, None),
            Pattern::Region { begin, end, body, length_max, prefixed_lines } => {
                if spec.unless.is_some() || !spec.confirm.is_empty() {
                    return Err(Mistake::RegionWithChecks);
                }
                let region = Region::new(end.as_bytes(), byte_class(body)?, *length_max, *prefixed_lines);
                (begin, Some(region.ok_or(Mistake::BadRegion)?))
            }
        };
        let hir = parse(pattern)?;
        let assigned = matches!(spec.pattern, Pattern::Assigned(_));
        let pattern_bytes_max = check_lengths(&hir)?;
        let match_bytes_max = if assigned { ASSIGNMENT_BYTES_MAX } else { pattern_bytes_max };
        check_size(&hir)?;
        let unless = spec.unless.as_deref().map(parse).transpose()?;
        unless.as_ref().map_or(Ok(()), check_size)?;
        let mut confirm = spec.confirm.clone();
        confirm.sort_by_key(Confirm::rank);
        let rule = Rule {
            info: Arc::new(spec.info.clone()),
            boundary: spec.lead.is_none() && !assigned && demands_boundary(&hir),
            assigned,
            lead,
            region,
            match_bytes_max,
            reads_place: confirm.iter().any(Confirm::reads_place),
            group: if assigned { 0 } else { secret_group(&hir)? },
            hir: if assigned { whole_text(hir) } else { hir },
            matcher: Arc::default(),
            exact: Lazy::default(),
            unless: unless.map(|hir| (hir, Lazy::default())),
            confirm,
        };
        rule.check_keywords(&spec.trigger)?;
        Ok(rule)
    }

    /// A keyword that leads to no match would be a rule that silently never fires.
    fn check_keywords(&self, trigger: &Trigger) -> Result<(), Mistake> {
        let Trigger::Keywords(words) = trigger else { return Ok(()) };
        if self.lead.is_some() || self.assigned {
            return Ok(());
        }
        let length_max = words.iter().map(String::len).max().unwrap_or(0);
        let mut prefixes = Prefixes::new(&self.hir, length_max)?;
        for word in words {
            let cases = [word.clone(), word.to_ascii_lowercase(), word.to_ascii_uppercase()];
            if !cases.iter().any(|word| prefixes.has(word.as_bytes())) {
                return Err(Mistake::KeywordStartsNoMatch(word.clone()));
            }
        }
        Ok(())
    }

    /// The automaton, built when it is first asked for.
    #[inline]
    pub(super) fn matcher(&self) -> &Matcher {
        self.matcher.get_or_init(|| Matcher::new(&self.hir))
    }

    /// Memory of the automaton, bytes; 0 while it is not built.
    pub(super) fn memory(&self) -> usize {
        self.matcher.get().map_or(0, Matcher::memory)
    }

    /// Builds all that is otherwise built when it is first needed; how near the automaton comes.
    pub(super) fn warm(&self) -> Fit {
        if self.assigned {
            self.exact();
            return Fit::Exact;
        }
        let fit = self.matcher().fit();
        if self.group != 0 || fit != Fit::Exact {
            self.exact();
        }
        if let Some((hir, regex)) = &self.unless {
            regex.get_or_init(|| build(hir, true));
        }
        fit
    }

    /// Bytes behind the start of a match that may be read before it is decided, as far as they are read again.
    pub(super) fn undecided_bytes_max(&self) -> usize {
        self.match_bytes_max + self.region.as_ref().map_or(0, Region::unsure_bytes_max)
    }

    /// Bytes before its keyword that it may look at.
    pub(super) fn lead_bytes_max(&self) -> usize {
        self.lead.as_ref().map_or(0, |lead| lead.length_max)
    }

    /// Whether a match is more than what the automaton says: a part of it is hidden, or it can be refused.
    pub(super) fn has_checks(&self) -> bool {
        self.group != 0 || self.unless.is_some() || !self.confirm.is_empty()
    }

    /// The matched secret and the whole match within `text`, both absolute to it, or `None` where a check refuses.
    /// `whole` is what the automaton saw, `around` what is known of where it begins.
    pub(super) fn confirm(
        &self,
        text: &[u8],
        whole: std::ops::Range<usize>,
        around: Surroundings,
    ) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let wide = self.matcher().fit() != Fit::Exact;
        let (secret, whole) = if wide || self.group != 0 {
            match self.find(text, whole.clone()) {
                Some(found) => found,
                None if !wide => (whole.clone(), whole),
                None => return None,
            }
        } else {
            (whole.clone(), whole)
        };
        self.accepts(&Matched::seen(text, &whole, &secret, around)).then_some((secret, whole))
    }

    /// Whether an assigned value is what the rule looks for; `whole` goes from the keyword to the end of the value.
    pub(super) fn confirms_value(
        &self,
        text: &[u8],
        whole: std::ops::Range<usize>,
        value: std::ops::Range<usize>,
        around: Surroundings,
    ) -> bool {
        let shape = self.hir.properties();
        let length = value.len();
        let fits =
            shape.minimum_len().is_none_or(|min| length >= min) && shape.maximum_len().is_none_or(|max| length <= max);
        fits && self.exact().is_some_and(|regex| regex.is_match(&text[value.clone()]))
            && self.accepts(&Matched::seen(text, &whole, &value, around))
    }

    /// The cheap checks stand first, and most of what is refused is refused by them.
    fn accepts(&self, matched: &Matched<'_>) -> bool {
        self.confirm.iter().all(|check| check.accepts(matched)) && !self.excuses(matched.whole)
    }

    fn excuses(&self, whole: &[u8]) -> bool {
        let Some((hir, regex)) = &self.unless else { return false };
        regex.get_or_init(|| build(hir, true)).as_ref().is_some_and(|unless| unless.is_match(whole))
    }

    fn exact(&self) -> Option<&meta::Regex> {
        self.exact.get_or_init(|| build(&self.hir, self.assigned || self.matcher().fit() != Fit::Exact)).as_ref()
    }

    fn find(
        &self,
        text: &[u8],
        span: std::ops::Range<usize>,
    ) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let regex = self.exact()?;
        let mut captures = regex.create_captures();
        regex.search_captures(&Input::new(text).span(span).anchored(Anchored::Yes), &mut captures);
        let whole = captures.get_group(0)?.range();
        let secret = captures.get_group(self.group).map(|span| span.range()).filter(|range| !range.is_empty());
        Some((secret.unwrap_or_else(|| whole.clone()), whole))
    }
}

/// Which words begin a match, told without the automaton of the pattern.
struct Prefixes {
    dfa: hybrid::dfa::DFA,
    cache: hybrid::dfa::Cache,
}

impl Prefixes {
    /// For words of at most so many bytes.
    fn new(hir: &Hir, length_max: usize) -> Result<Prefixes, Mistake> {
        let nfa = compile(&shortened(hir, length_max), 8 * AUTOMATON_BYTES_MAX).ok_or(Mistake::TooLarge)?;
        let config = hybrid::dfa::Config::new().skip_cache_capacity_check(true);
        let dfa = hybrid::dfa::Builder::new().configure(config).build_from_nfa(nfa);
        let dfa = dfa.map_err(|error| Mistake::BadRegex(one_line(&error.to_string())))?;
        Ok(Prefixes { cache: dfa.create_cache(), dfa })
    }

    fn has(&mut self, word: &[u8]) -> bool {
        [None, Some(b'\n'), Some(b' '), Some(b'a'), Some(b'"')].into_iter().any(|before| self.alive(word, before))
    }

    fn alive(&mut self, word: &[u8], before: Option<u8>) -> bool {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        let Ok(mut state) = self.dfa.start_state(&mut self.cache, &config) else { return true };
        for &byte in word {
            match self.dfa.next_state(&mut self.cache, state, byte) {
                Ok(next) if next.is_dead() || next.is_quit() => return false,
                Ok(next) => state = next,
                // A full cache says nothing about the word.
                Err(_) => return true,
            }
        }
        true
    }
}

fn check_trigger(spec: &RuleSpec) -> Result<(), Mistake> {
    match &spec.trigger {
        Trigger::Keywords(words) if words.is_empty() => Err(Mistake::NoKeywords),
        Trigger::Keywords(words) => words.iter().try_for_each(|word| {
            let alone = spec.lead.is_some() && word.bytes().any(|byte| byte.is_ascii_punctuation());
            match word.len() {
                0 => Err(Mistake::ShortKeyword(word.clone())),
                1 if !alone => Err(Mistake::ShortKeyword(word.clone())),
                length if length > KEYWORD_BYTES_MAX => Err(Mistake::LongKeyword(word.clone())),
                _ => Ok(()),
            }
        }),
        Trigger::Digits(count) if !(2..=64).contains(count) => Err(Mistake::DigitCount(*count)),
        Trigger::Digits(_) => Ok(()),
    }
}

fn lead_run(lead: &Lead, trigger: &Trigger) -> Result<LeadRun, Mistake> {
    if !(1..=LEAD_BYTES_MAX).contains(&lead.length_max) || matches!(trigger, Trigger::Digits(_)) {
        return Err(Mistake::BadLead);
    }
    Ok(LeadRun { class: byte_class(&lead.class)?, length_max: lead.length_max })
}

/// ASCII by default, on bytes: text may be any, and one byte of look-behind must do. `(?u)` is there for who needs it.
fn parse(pattern: &str) -> Result<Hir, Mistake> {
    let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(64).build();
    let hir = parser.parse(pattern).map_err(|error| Mistake::BadRegex(one_line(&error.to_string())))?;
    let looks = hir.properties().look_set();
    if looks.contains_word_unicode() { Err(Mistake::UnicodeBoundary) } else { Ok(hir) }
}

/// The parser draws the pattern with carets; the sentence after `error:` is what a log line needs.
fn one_line(text: &str) -> String {
    let sentence = text.rsplit("error: ").next().unwrap_or(text);
    sentence.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The pattern, to match nothing less than a whole text.
fn whole_text(hir: Hir) -> Hir {
    Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)])
}

/// A regex that finds the group, or tells whether a match is excused. Without `hybrid` it is one that is told where the
/// match lies: a lazy automaton would only find that a second time.
fn build(hir: &Hir, hybrid: bool) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .hybrid(hybrid)
        .nfa_size_limit(Some(2 * EXACT_BYTES_MAX))
        .hybrid_cache_capacity(256 << 10);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

/// Refuses a pattern that [`build`] would not compile. Only one that looks large is compiled to see it.
fn check_size(hir: &Hir) -> Result<(), Mistake> {
    if states(hir) <= STATES_EASY || compile(hir, EXACT_BYTES_MAX).is_some() { Ok(()) } else { Err(Mistake::TooLarge) }
}

/// About how many states a pattern unrolls to; too many rather than too few.
fn states(hir: &Hir) -> usize {
    let sum = |subs: &[Hir]| subs.iter().fold(1, |sum: usize, sub| sum.saturating_add(states(sub)));
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => 1 + class.ranges().len() / 8,
        HirKind::Class(Class::Unicode(class)) => 1 + 4 * class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(repetition.min).max(1) as usize;
            states(&repetition.sub).saturating_add(1).saturating_mul(copies)
        }
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => sum(subs),
    }
}

/// The machine that automata are made of; `None` where it would need more memory.
fn compile(hir: &Hir, bytes_max: usize) -> Option<NFA> {
    let config =
        thompson::Config::new().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(bytes_max));
    thompson::Compiler::new().configure(config).build_from_hir(hir).ok()
}

fn check_lengths(hir: &Hir) -> Result<usize, Mistake> {
    match (hir.properties().minimum_len(), hir.properties().maximum_len()) {
        (Some(0), _) => Err(Mistake::MatchesEmpty),
        (_, None) => Err(Mistake::Unbounded),
        (_, Some(max)) if max > MATCH_BYTES_MAX => Err(Mistake::LongerThan(MATCH_BYTES_MAX)),
        (_, Some(max)) => Ok(max),
    }
}

fn secret_group(hir: &Hir) -> Result<usize, Mistake> {
    let mut group = 0;
    let mut stack = vec![hir];
    while let Some(hir) = stack.pop() {
        if let HirKind::Capture(capture) = hir.kind() {
            match capture.name.as_deref() {
                None => {}
                Some("secret") => group = capture.index as usize,
                Some(name) => return Err(Mistake::UnknownGroup(name.to_string())),
            }
        }
        stack.extend(hir.kind().subs());
    }
    Ok(group)
}

/// Whether every match must start at a word boundary before a word byte.
fn demands_boundary(hir: &Hir) -> bool {
    let prefix = hir.properties().look_set_prefix();
    prefix.contains(Look::WordAscii) || prefix.contains(Look::WordStartAscii)
}

fn byte_class(class: &str) -> Result<Box<[bool; 256]>, Mistake> {
    let hir = parse(class)?;
    let mut set = Box::new([false; 256]);
    match hir.kind() {
        HirKind::Class(Class::Bytes(bytes)) => {
            for range in bytes.ranges() {
                set[range.start() as usize..=range.end() as usize].fill(true);
            }
        }
        HirKind::Class(Class::Unicode(scalars)) if scalars.is_ascii() => {
            for range in scalars.ranges() {
                set[range.start() as usize..=range.end() as usize].fill(true);
            }
        }
        HirKind::Literal(literal) if literal.0.len() == 1 => set[literal.0[0] as usize] = true,
        _ => return Err(Mistake::BadRegex(format!("{class:?} is no class of single bytes"))),
    }
    Ok(set)
}

/// `None` where it would need more memory than a rule may use.
fn dense_automaton(hir: &Hir, kind: MatchKind) -> Option<dense::DFA<Vec<u32>>> {
    let nfa = compile(hir, 8 * AUTOMATON_BYTES_MAX)?;
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(kind)
        .accelerate(false)
        .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
        .determinize_size_limit(Some(DETERMINIZE_BYTES_MAX));
    dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()
}

/// The pattern without upper bounds on its longer repetitions, and with lower bounds of at most `min`. It accepts all
/// that the pattern does and more; the longest match is bounded by the caller.
fn widened(hir: &Hir, min: u32) -> Hir {
    rebounded(hir, min, 4)
}

/// The pattern as far as words of at most so many bytes can tell: they never count further.
fn shortened(hir: &Hir, length_max: usize) -> Hir {
    let count_max = length_max as u32 + 1;
    rebounded(hir, count_max, count_max)
}

/// Lower bounds of repetitions become at most `min`, upper bounds above `max` none.
fn rebounded(hir: &Hir, min: u32, max: u32) -> Hir {
    let all = |subs: &[Hir]| subs.iter().map(|sub| rebounded(sub, min, max)).collect::<Vec<_>>();
    match hir.kind() {
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            min: repetition.min.min(min),
            max: repetition.max.filter(|&bound| bound <= max),
            greedy: repetition.greedy,
            sub: Box::new(rebounded(&repetition.sub, min, max)),
        }),
        HirKind::Capture(capture) => rebounded(&capture.sub, min, max),
        HirKind::Concat(subs) => Hir::concat(all(subs)),
        HirKind::Alternation(subs) => Hir::alternation(all(subs)),
        _ => hir.clone(),
    }
}
