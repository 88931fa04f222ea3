//! Whether rules do to their examples what they say.

use std::fmt;
use std::ops::Range;

use super::Entry;
use crate::scan::{Engine, Hit, RuleError, RuleSet, Stream};

/// An example that shows that its rule is wrong, or is wrong itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// `hits` or `misses`.
    pub key: &'static str,
    /// Index of the example in that list, from 0.
    pub index: usize,
    /// What is wrong.
    pub kind: FlawKind,
}

/// What an example showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// A hit in which the rule finds nothing.
    NotFound,
    /// A miss in which the rule finds something at these bytes.
    Found(Range<usize>),
    /// What is found depends on how the text is cut: it is otherwise when it is cut before this byte.
    Cut(usize),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, example {}: ", self.key, self.index + 1)?;
        match &self.kind {
            FlawKind::NotFound => f.write_str(
                "the rule does not find it. A match starts at a keyword and must pass `pattern`, `unless` and every \
                 `confirm`: correct these or the example",
            ),
            FlawKind::Found(span) => write!(
                f,
                "the rule finds something in it, at its bytes {} to {}. Narrow `pattern`, add an `unless` or a \
                 `confirm`, or take the example out",
                span.start, span.end
            ),
            FlawKind::Cut(at) => write!(
                f,
                "what is found changes when the text is cut before byte {at}. This is a defect of the engine, not of \
                 the rule: please report it"
            ),
        }
    }
}

/// Rules that the engine takes, to be tried on their examples.
pub struct Prover<'a> {
    entries: &'a [Entry],
}

impl<'a> Prover<'a> {
    /// # Errors
    /// The rules that the engine refuses.
    pub fn new(entries: &'a [Entry]) -> Result<Self, Vec<RuleError>> {
        Engine::new(entries.iter().map(|entry| entry.rule.clone()).collect())?;
        Ok(Prover { entries })
    }

    /// What the examples of the rule at `index` show, the rule being alone in an engine. With `cuts`, each is also read
    /// in two pieces, cut at every byte, and byte by byte: time grows with the square of an example's length.
    pub fn flaws(&self, index: usize, cuts: bool) -> Vec<Flaw> {
        let Some(entry) = self.entries.get(index) else { return Vec::new() };
        // It was accepted beside the others, so it is accepted alone.
        let Ok(engine) = Engine::new(vec![entry.rule.clone()]) else { return Vec::new() };
        let alone = Alone { rules: engine.select(|_| true), engine };
        let mut flaws = Vec::new();
        for (key, texts) in [("hits", &entry.hits), ("misses", &entry.misses)] {
            for (index, text) in texts.iter().enumerate() {
                let found = alone.found([text.as_bytes()]);
                let flaw = match found.first() {
                    None if key == "hits" => Some(FlawKind::NotFound),
                    Some(hit) if key == "misses" => Some(FlawKind::Found(hit.secret.clone())),
                    _ if cuts => alone.cut(text.as_bytes(), &found).map(FlawKind::Cut),
                    _ => None,
                };
                flaws.extend(flaw.map(|kind| Flaw { key, index, kind }));
            }
        }
        flaws
    }
}

/// An engine of one rule.
struct Alone {
    engine: Engine,
    rules: RuleSet,
}

impl Alone {
    /// The first cut that changes what is found.
    fn cut(&self, text: &[u8], expected: &[Hit]) -> Option<usize> {
        let differs = |cut: &usize| self.found([&text[..*cut], &text[*cut..]]) != expected;
        let bytewise = || self.found(text.chunks(1)) != expected;
        (1..text.len()).find(differs).or_else(|| bytewise().then_some(1))
    }

    /// What the rule finds in a text that comes in pieces, in order of place.
    fn found<'t>(&self, pieces: impl IntoIterator<Item = &'t [u8]>) -> Vec<Hit> {
        let (mut stream, mut hits) = (Stream::new(self.rules.clone()), Vec::new());
        for piece in pieces {
            stream.push(&self.engine, piece, &mut hits);
        }
        stream.finish(&self.engine, &mut hits);
        hits.sort_by_key(|hit| (hit.whole.start, hit.whole.end));
        hits
    }
}
