//! How much of a text must be held back until more of it arrives: the exact answer, for texts that are passed on while they grow.

use std::ops::Range;

use super::digits::is_word;
use super::engine::Engine;
use super::runs::Window;
use super::stream::Stream;

/// So few bytes that could begin a keyword say nothing, nor does a single space or bracket: waiting for what follows
/// would hold back nearly every word of prose. Only for rules whose findings are stopped: what is to be redacted waits
/// from its first byte on.
const GLIMPSE_BYTES: usize = 3;
/// The same for one word without digits and signs, with a space behind it or none: many phrases begin with `this `.
const GLIMPSE_LETTERS: usize = 7;

/// Per state of the keyword automaton, the rules one of whose keywords may go on from there.
pub(super) struct Beginnings {
    /// Per state, where its rules end in `rules`; they begin where those of the state before end.
    ends: Vec<u32>,
    rules: Vec<u32>,
}

impl Beginnings {
    /// From pairs of a state's number and a rule.
    pub(super) fn new(states: usize, mut pairs: Vec<(usize, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut ends = vec![0; states];
        for (state, _) in &pairs {
            ends[*state] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        Beginnings { ends, rules: pairs.into_iter().map(|(_, rule)| rule).collect() }
    }

    fn of(&self, state: usize) -> &[u32] {
        let from = state.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range: Range<usize> = from as usize..self.ends[state] as usize;
        &self.rules[range]
    }
}

impl Stream {
    /// Decides as many bytes as the rules' automata allow and gives the offset below which every byte is decided. Costs
    /// as much as reading a few words: only for texts that are passed on while they grow.
    pub fn settle(&mut self, engine: &Engine) -> usize {
        // Mostly no keyword has begun, which is seen at once.
        self.settled = self.settled.max(self.undecided(engine, usize::MAX));
        if self.settled < self.base + self.buffer.len() {
            self.settled = self.settled.max(self.first_open(engine));
        }
        self.settled()
    }

    /// Offset of the first byte from which a match may still begin.
    fn first_open(&self, engine: &Engine) -> usize {
        let window = Window { base: self.base, text: &self.buffer, borders: &self.borders, marks: &self.marks };
        let end = window.end();
        let mut first = end.min(self.runs.pending().unwrap_or(end));
        if !self.rules.0.digit_counts.is_empty() {
            first = first.min(self.digits.pending().unwrap_or(end));
        }
        if let Some(known) = engine.known.as_ref().filter(|_| self.rules.0.known) {
            first = first.min(self.watch.pending(known, end));
        }
        // What stands before a keyword tells nothing of a line that will be stopped; it must be hidden with a secret.
        let hidden = |rule: &&u32| engine.rules[**rule as usize].info.redactable;
        for &rule in self.rules.0.leads.iter().filter(hidden) {
            let length = self.runs.open_lead(&engine.rules, rule, window, window, end - first);
            first = first.min(end - length);
        }
        let mut state = self.state;
        while state != engine.keywords.start() {
            let start = end - engine.keywords.depth(state);
            let before = Window { text: &window.text[..start - window.base], ..window };
            let in_word = is_word(window.text[start - window.base]) && window.before(start).is_some_and(is_word);
            for &index in engine.beginnings.of(engine.keywords.number(state)) {
                let rule = &engine.rules[index as usize];
                if !self.rules.0.has(index as usize) || rule.boundary && in_word {
                    continue;
                }
                if !rule.info.redactable && is_glimpse(start, window) {
                    continue;
                }
                if let Some(open) = self.runs.open_start(&engine.rules, index, before, window) {
                    first = first.min(if rule.info.redactable { open } else { start });
                }
            }
            state = engine.keywords.suffix(state);
        }
        first
    }
}

/// Whether what would have to wait from `start` on is not worth it.
fn is_glimpse(start: usize, window: Window<'_>) -> bool {
    let begun = &window.text[start - window.base..];
    let word = begun.strip_suffix(b" ").unwrap_or(begun);
    if word.iter().all(u8::is_ascii_alphabetic) {
        return word.len() <= GLIMPSE_LETTERS;
    }
    begun.len() <= if is_word(begun[0]) { GLIMPSE_BYTES } else { 1 }
}

#[cfg(test)]
mod tests {
    use crate::scan::tests::rule;
    use crate::scan::{Engine, RuleSpec, Stream};

    /// How far is settled behind each piece.
    fn settled(rule: RuleSpec, pieces: &[&str]) -> Vec<usize> {
        let engine = Engine::new(vec![rule]).unwrap();
        let (mut stream, mut hits) = (Stream::new(engine.select(|_| true)), Vec::new());
        let mut push = |piece: &&str| {
            stream.push(&engine, piece.as_bytes(), &mut hits);
            stream.settle(&engine)
        };
        pieces.iter().map(&mut push).collect()
    }

    #[test]
    fn a_first_word_waits_only_where_it_would_have_to_be_hidden() {
        let hidden = rule("orders", &["this message overrides"], "(?i)this message overrides [a-z]{1,9}");
        let mut stopped = hidden.clone();
        stopped.info.redactable = false;
        let pieces = ["th", "is", " ", "mess", "age is short. ", "In"];
        assert_eq!(settled(hidden, &pieces), [0, 0, 0, 0, 23, 25]);
        assert_eq!(settled(stopped, &pieces), [2, 4, 5, 5, 23, 25]);
    }
}
