//! The border between two texts of a stream that follow each other: a secret may be split over it. What stands before the
//! border may have gone out already; what stands behind it is held until it is settled.

use super::body::Reading;
use super::locate::Located;
use crate::domain::{Finding, Place, Secret, Source};
use crate::scan::{Engine, RuleSet, Seam, SeamHit};

/// Bytes on both sides of the border that are searched.
pub(super) const BORDER_BYTES: usize = 512;

/// The end of one text and the beginning of the next.
pub(super) struct Border {
    seam: Seam,
    before: String,
    behind: String,
    hits: Vec<SeamHit>,
    /// Bytes of the second text that no hit to come covers.
    settled: usize,
    is_done: bool,
}

impl Border {
    /// Behind a text that ends so. `rules` are those that are looked for over borders.
    pub(super) fn new(before: &str, rules: &RuleSet, engine: &Engine) -> Self {
        let before = &before[before.ceil_char_boundary(before.len().saturating_sub(BORDER_BYTES))..];
        let (mut seam, mut hits) = (Seam::new(rules.clone(), BORDER_BYTES), Vec::new());
        seam.begin_segment(0);
        seam.push(engine, before.as_bytes(), &mut hits);
        seam.end_segment(engine, &mut hits);
        seam.begin_segment(1);
        Border { seam, before: before.to_owned(), behind: String::new(), hits, settled: 0, is_done: false }
    }

    /// The next piece of the second text.
    pub(super) fn push(&mut self, engine: &Engine, text: &str) {
        if self.is_done {
            return;
        }
        let taken = &text[..text.floor_char_boundary(BORDER_BYTES - self.behind.len())];
        self.behind.push_str(taken);
        self.seam.push(engine, taken.as_bytes(), &mut self.hits);
        if taken.len() < text.len() || self.behind.len() == BORDER_BYTES {
            self.finish(engine);
        } else {
            self.settled = self.seam.settle(engine).saturating_sub(self.before.len());
        }
    }

    /// The second text is complete, or long enough.
    pub(super) fn finish(&mut self, engine: &Engine) {
        if !self.is_done {
            self.seam.finish(engine, &mut self.hits);
            self.is_done = true;
        }
    }

    /// Bytes of the second text that are decided; `None` for all.
    pub(super) fn settled(&self) -> Option<usize> {
        (!self.is_done).then_some(self.settled)
    }

    /// What was found since the last call; the pieces are those of the second text.
    pub(super) fn take(&mut self, reading: &Reading) -> Vec<Located> {
        std::mem::take(&mut self.hits).iter().map(|hit| self.located(reading, hit)).collect()
    }

    fn located(&self, reading: &Reading, hit: &SeamHit) -> Located {
        let text = |segment| if segment == 0 { &self.before } else { &self.behind };
        let pieces = || hit.pieces.iter().map(|it| (text(it.segment), it.range.clone(), it.segment));
        let joined = pieces().filter_map(|(text, range, _)| text.get(range)).collect();
        let behind: Vec<_> = pieces().filter(|it| it.2 == 1).map(|it| it.1).collect();
        let place = Place { message: None, path: "adjacent text blocks".into(), line: 1 };
        let span = behind.first().cloned().unwrap_or_default();
        let rule = reading.engine.rules()[hit.rule].clone();
        let finding = Finding { rule, source: Source::Assistant, place, span, value: None };
        Located { finding, pieces: behind, sealed: false, shadowed: false, text: Secret::new(joined) }
    }
}
