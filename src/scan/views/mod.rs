//! Decoded views of a text, so that writing a secret differently does not carry it through. One level of decoding.

mod encoded;
mod folded;
mod sight;
#[cfg(test)]
mod tests;

use encoded::Encoded;
use folded::Folded;

use super::engine::{Engine, RuleSet};
use super::stream::Hit;

/// Reads what a text says once invisible characters are gone, other forms of ASCII and escapes are resolved, string
/// literals are joined, and base64 and hex are decoded. Hits count offsets in the original text; those that the text shows as it stands are left
/// to the plain stream. Memory is bounded; text without any of these costs a few passes of a byte search.
#[derive(Debug)]
pub struct Views {
    folded: Folded,
    encoded: Encoded,
}

impl Views {
    /// Views of one text.
    pub fn new(rules: RuleSet) -> Views {
        Views { folded: Folded::new(rules.clone()), encoded: Encoded::new(rules) }
    }

    /// Ready for another text, with its buffers kept.
    pub fn reset(&mut self, rules: RuleSet) {
        self.folded.reset(rules.clone());
        self.encoded.reset(rules);
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
