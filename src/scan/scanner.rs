//! A text as it stands and, where asked for, as it reads once decoded.

use super::engine::{Engine, RuleSet};
use super::place::Block;
use super::stream::{Hit, Stream};
use super::views::{Hinted, Views};

/// A [`Stream`] with [`Views`] beside it. Hits of both count offsets in the original text.
#[derive(Debug)]
pub struct Scanner {
    stream: Stream,
    views: Option<Box<Views>>,
    /// Only for the text as it stands.
    hinted: Option<Box<Hinted>>,
}

impl Scanner {
    /// A scanner for one text; with `views`, decoded forms are read, too.
    pub fn new(rules: RuleSet, views: bool) -> Scanner {
        let mut stream = Stream::new(rules.clone());
        if !views {
            return Scanner { stream, views: None, hinted: None };
        }
        stream.listen();
        let hinted = Some(Box::new(Hinted::new(rules.clone())));
        Scanner { stream, views: Some(Box::new(Views::new(rules))), hinted }
    }

    /// A scanner that reads decoded forms so many levels deep.
    pub(super) fn at_depth(rules: RuleSet, depth: usize) -> Scanner {
        let views = (depth > 0).then(|| Box::new(Views::within(rules.clone(), depth)));
        Scanner { views, stream: Stream::new(rules), hinted: None }
    }

    /// Ready for another text, with its buffers kept.
    pub fn reset(&mut self, rules: &RuleSet) {
        if let Some(views) = &mut self.views {
            views.reset(rules);
        }
        if let Some(hinted) = &mut self.hinted {
            hinted.reset(rules);
        }
        self.stream.reset(rules);
    }

    /// What the whole text is, as for [`Stream::block`]; the views do without.
    pub fn block(&mut self, block: Block) {
        self.stream.block(block);
    }

    /// Text that stands before, as for [`Stream::context`]; the views do without.
    pub fn context(&mut self, engine: &Engine, text: &[u8]) {
        self.stream.context(engine, text);
    }

    /// Reads on; appends the hits that became certain.
    pub fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        self.stream.push(engine, text, hits);
        if let Some(views) = &mut self.views {
            views.push(engine, text, hits);
        }
        if let Some(hinted) = &mut self.hinted {
            hinted.push(engine, text, self.stream.hints(), hits);
        }
    }

    /// The text is complete; appends the remaining hits.
    pub fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        self.stream.finish(engine, hits);
        if let Some(views) = &mut self.views {
            views.finish(engine, hits);
        }
        if let Some(hinted) = &mut self.hinted {
            hinted.finish(engine, hits);
        }
    }

    /// Every byte below this offset is decided by the text as it stands. With views a later hit may still cover it:
    /// they are for texts that are held until they are complete.
    pub fn settled(&self) -> usize {
        self.stream.settled()
    }

    /// Offset from which on later hits of the text and its views may lie, roughly: decoded text that only begins behind
    /// this offset is not counted. `enough` as for [`Stream::undecided`].
    pub(super) fn undecided(&self, engine: &Engine, enough: usize) -> usize {
        let plain = self.stream.undecided(engine, enough);
        self.views.as_ref().map_or(plain, |views| plain.min(views.undecided(engine)))
    }

    /// The same, as exactly as the rules allow.
    pub fn settle(&mut self, engine: &Engine) -> usize {
        self.stream.settle(engine)
    }

    /// Bytes pushed so far.
    pub fn length(&self) -> usize {
        self.stream.length()
    }
}
