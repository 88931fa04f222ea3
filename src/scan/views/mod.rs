//! Decoded views of a text, so that writing a secret differently does not carry it through.

mod coding;
mod encoded;
mod folded;
mod hinted;
mod inflate;
mod letters;
mod readings;
mod references;
mod sight;
#[cfg(test)]
mod tests;

use encoded::Encoded;
use folded::Folded;
pub(super) use hinted::Hinted;

use super::engine::{Engine, RuleSet};
use super::stream::Hit;

/// Levels of decoding: base64 of base64, percent of percent, escapes in base64.
const DEPTH: usize = 2;

/// Reads what a text says once invisible characters are gone, other forms of ASCII, letters that look alike and escapes
/// are resolved, string literals are joined, and base64, base32 and hex are decoded and inflated; and what these texts
/// say in turn. Hits count offsets in the original text; those that the text shows as it stands are left to the plain
/// stream.
///
/// The work is bounded whatever the text: a byte is read by the rules at most 3 times at one level of decoding and 7
/// times at two, and where it is compressed 16 times as often. Text without any of these costs two passes of a byte search. Memory is
/// bounded, too.
#[derive(Debug)]
pub struct Views {
    folded: Folded,
    encoded: Encoded,
}

impl Views {
    /// Views of one text.
    pub fn new(rules: RuleSet) -> Views {
        Views::of(rules, DEPTH, false)
    }

    /// Views of a decoded text, so many levels deep.
    pub(super) fn within(rules: RuleSet, depth: usize) -> Views {
        Views::of(rules, depth, true)
    }

    fn of(rules: RuleSet, depth: usize, is_inner: bool) -> Views {
        Views { folded: Folded::new(rules.clone(), depth - 1), encoded: Encoded::new(rules, depth - 1, is_inner) }
    }

    /// Ready for another text, with its buffers kept.
    pub fn reset(&mut self, rules: &RuleSet) {
        self.folded.reset(rules);
        self.encoded.reset(rules);
    }

    /// Offset from which on later hits may lie.
    pub(super) fn undecided(&self, engine: &Engine) -> usize {
        self.folded.undecided(engine).min(self.encoded.undecided())
    }

    /// Reads on; appends the hits that became certain.
    pub fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        self.folded.push(engine, text, hits);
        self.encoded.push(engine, text, hits);
    }

    /// The text is complete; appends the remaining hits.
    pub fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        self.folded.finish(engine, hits);
        self.encoded.finish(engine, hits);
    }
}
