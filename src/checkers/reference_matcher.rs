//! What the engine must find, said as simply as possible: every keyword occurrence, one anchored search each.
//!
//! Only for tests. It holds the whole text, knows no chunks and is slow on purpose.

use std::ops::Range;

use regex_automata::hybrid::dfa::DFA;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::{captures::Captures, syntax};
use regex_automata::{Anchored, Input};

use crate::scan::{Lead, Matched, Pattern, Read, RuleSpec, Trigger, read_assignment};

/// A rule whose regexes are compiled.
pub(super) struct Matcher {
    rule: RuleSpec,
    pattern: Regex,
    unless: Option<Regex>,
    lead: Option<(Regex, usize)>,
    body: Option<Regex>,
}

fn compile(pattern: &str) -> Regex {
    let bytes = syntax::Config::new().unicode(false).utf8(false);
    let config = Config::new().utf8_empty(false);
    Regex::builder().syntax(bytes).configure(config).build(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

impl Matcher {
    pub(super) fn new(rule: &RuleSpec) -> Self {
        let (pattern, body) = match &rule.pattern {
            Pattern::Regex(pattern) => (compile(pattern), None),
            Pattern::Assigned(pattern) => (compile(&format!(r"\A(?:{pattern})\z")), None),
            Pattern::Region { begin, body, .. } => (compile(begin), Some(compile(body))),
        };
        let lead = rule.lead.as_ref().map(|Lead { class, length_max }| (compile(class), *length_max));
        Matcher { pattern, body, lead, unless: rule.unless.as_deref().map(compile), rule: rule.clone() }
    }

    /// The bytes that each finding covers, in order.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let text = text.as_bytes();
        let mut found: Vec<Range<usize>> = Vec::new();
        for (start, keyword) in self.candidates(text) {
            // Every start within the lead's run is tried, up to the keyword, until one matches at all.
            if matches!(self.rule.pattern, Pattern::Assigned(_)) {
                let found_before = found.last().is_some_and(|last| start < last.end);
                found.extend(self.assigned(text, start).filter(|_| !found_before));
                continue;
            }
            let matches = (start..=keyword).find(|&start| self.pattern.is_match(anchored(text, start)));
            if let Some(start) = matches.filter(|start| found.last().is_none_or(|last| *start >= last.end)) {
                found.extend(self.at(text, start));
            }
        }
        found
    }

    fn assigned(&self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let Read::Value(value) = read_assignment(&text[start.saturating_sub(256)..start], &text[start..], true) else {
            return None;
        };
        let value = start + value.start..start + value.end;
        let fits = self.pattern.is_match(&text[value.clone()]);
        (fits && self.confirmed(text, &(start..value.end), &value)).then_some(value)
    }

    fn confirmed(&self, text: &[u8], whole: &Range<usize>, secret: &Range<usize>) -> bool {
        let excused = self.unless.as_ref().is_some_and(|unless| unless.is_match(&text[whole.clone()]));
        let matched = Matched::new(text, whole, secret);
        !excused && self.rule.confirm.iter().all(|it| it.accepts(&matched))
    }

    fn at(&self, text: &[u8], start: usize) -> Option<Range<usize>> {
        let mut slots: Captures = self.pattern.create_captures();
        self.pattern.search_captures(&anchored(text, start), &mut slots);
        let mut whole = slots.get_match()?.range();
        if let (Pattern::Region { end, length_max, prefixed_lines, .. }, Some(body)) = (&self.rule.pattern, &self.body)
        {
            whole.end = match prefixed_lines {
                true => prefixed_end(text, &whole, end, body, *length_max),
                false => region_end(text, &whole, end, body, *length_max),
            };
        }
        let secret = slots.get_group_by_name("secret").map_or(whole.clone(), |span| span.range());
        self.confirmed(text, &whole, &secret).then_some(secret)
    }

    /// First and last start to try at each place, in order.
    fn candidates(&self, text: &[u8]) -> Vec<(usize, usize)> {
        let triggers: Vec<usize> = match &self.rule.trigger {
            Trigger::Keywords(words) => words.iter().flat_map(|word| occurrences(text, word.as_bytes())).collect(),
            Trigger::Digits(count) => digit_groups(text, *count),
        };
        let lead = |trigger: usize| match &self.lead {
            Some((class, length_max)) => {
                let before = text[..trigger].iter().rev().take(*length_max);
                before.take_while(|byte| class.is_match(&[**byte])).count()
            }
            None => 0,
        };
        let mut starts: Vec<_> = triggers.into_iter().map(|trigger| (trigger - lead(trigger), trigger)).collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }
}

fn anchored(text: &[u8], start: usize) -> Input<'_> {
    Input::new(text).range(start..).anchored(Anchored::Yes)
}

fn occurrences(text: &[u8], word: &[u8]) -> Vec<usize> {
    let windows = text.windows(word.len()).enumerate();
    windows.filter(|(_, window)| window.eq_ignore_ascii_case(word)).map(|(at, _)| at).collect()
}

/// Starts of groups of digits from which on at least `count` digits follow, with single separators (or `) `) between.
fn digit_groups(text: &[u8], count: usize) -> Vec<usize> {
    let is_word = |at: usize| text[at].is_ascii_alphanumeric() || text[at] == b'_';
    let is_fraction = |at: usize| at >= 2 && text[at - 1] == b'.' && text[at - 2].is_ascii_digit();
    let begins = |at: usize| (at == 0 || !is_word(at - 1)) && !is_fraction(at);
    let starts = (0..text.len()).filter(|&at| text[at].is_ascii_digit() && begins(at));
    starts.filter(|&at| digits_from(text, at) >= count).collect()
}

fn digits_from(text: &[u8], mut at: usize) -> usize {
    let mut digits = 0;
    let mut separators = 0;
    while let Some(&byte) = text.get(at) {
        if byte.is_ascii_digit() {
            (digits, separators) = (digits + 1, 0);
        } else {
            separators += 1;
            let paired = separators == 2 && text[at - 1] == b')';
            if !b" .-/()+".contains(&byte) || (separators > 1 && !paired) {
                break;
            }
        }
        at += 1;
    }
    digits
}

fn region_end(text: &[u8], begin: &Range<usize>, end: &str, body: &Regex, length_max: usize) -> usize {
    let limit = text.len().min(begin.start + length_max);
    let mut at = begin.end;
    while at < limit {
        if text[at..].starts_with(end.as_bytes()) {
            return at + end.len();
        }
        if !body.is_match(&[text[at]]) {
            break;
        }
        at += 1;
    }
    at
}

/// The same of a region whose lines may have prefixes.
fn prefixed_end(text: &[u8], begin: &Range<usize>, end: &str, body: &Regex, length_max: usize) -> usize {
    let mut outside = None;
    for at in begin.end..text.len() {
        let read = &text[begin.end..=at];
        if read.ends_with(end.as_bytes()) && !is_heading(read) {
            return at + 1;
        }
        if outside.is_none() && !body.is_match(&text[at..=at]) {
            outside = Some(at);
        }
        match outside {
            None if at + 1 - begin.start >= length_max => return at + 1,
            None => {}
            Some(from) => {
                let (gap, before) = (&text[from..=at], &text[from..at]);
                let ends_line = b"\n\r\\=".contains(&text[at]) && is_base64(last_run(before), 16);
                if ends_line || is_base64(last_run(gap), 40) {
                    outside = None;
                } else if gap.len() >= 512 || gap.iter().filter(|byte| **byte == b'\n').count() > 4 {
                    return from;
                }
            }
        }
    }
    outside.filter(|from| !is_base64(last_run(&text[*from..]), 16)).unwrap_or(text.len())
}

/// Whether a text ends with the line that begins a block.
fn is_heading(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let line = text.rsplit_once("-----BEGIN").map(|(_, line)| line);
    line.is_some_and(|line| line.find("-----") == Some(line.len() - 5))
}

/// The characters of base64 that a text ends with.
fn last_run(text: &[u8]) -> &[u8] {
    let is_character = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    &text[text.len() - text.iter().rev().take_while(is_character).count()..]
}

fn is_base64(run: &[u8], length_min: usize) -> bool {
    let has = |kind: fn(&u8) -> bool| run.iter().any(kind);
    run.len() >= length_min
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(|it| it.is_ascii_digit() || *it == b'+')
}

/// Whether a match of `pattern` may begin with `word`.
pub(super) fn lives_after(pattern: &str, word: &str) -> bool {
    let bytes = syntax::Config::new().unicode(false).utf8(false);
    let dfa = DFA::builder().syntax(bytes).build(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let mut cache = dfa.create_cache();
    let start = dfa.start_state_forward(&mut cache, &Input::new(word).anchored(Anchored::Yes));
    let mut state = start.unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for &byte in word.as_bytes() {
        state = dfa.next_state(&mut cache, state, byte).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
    !state.is_dead()
}
