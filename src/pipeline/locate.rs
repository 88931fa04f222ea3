//! From hits to findings with their raw bytes: decodes each leaf that was hit once more, and only those.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::body::Reading;
use super::gathered::{Gathered, LeafHit, LeafRef, SeamHit};
use super::opaque::is_unread;
use super::seen::Clean;
use crate::domain::{Finding, Place, Secret, Skipped, Source};
use crate::scan::{Block, Hit, Scanner};
use crate::wire::json;

/// A finding and the raw bytes it stands in.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) finding: Finding,
    /// Raw ranges that together are the secret; more than one where it was split over leaves.
    pub(super) pieces: Vec<Range<usize>>,
    /// Stands in signed text, which must not be edited.
    pub(super) sealed: bool,
    /// Stands in the text of JSON, whose strings were read by themselves. It counts only
    /// where they say less: see [`super::judge::Judge::settle`].
    pub(super) shadowed: bool,
    /// The secret, decoded.
    pub(super) text: Secret,
}

/// Locates everything that was gathered from `raw`.
pub(super) fn locate(raw: &[u8], reading: &Reading, gathered: &mut Gathered) -> Result<Vec<Located>, json::Error> {
    let rescans = std::mem::take(&mut gathered.rescans);
    for (leaf, reason) in &rescans {
        let text = json::decode(raw, leaf.place)?;
        match *reason == Skipped::Media && is_unread(&text) {
            true => gathered.coverage.skip(Skipped::Media, text.len() as u64),
            false => gathered.coverage.scanned_bytes += text.len() as u64,
        }
        let hits = scan_whole(reading, leaf.source, &text);
        gathered.overflow |= hits.len() > reading.hits_max;
        gathered.hits.extend(hits.into_iter().map(|hit| leaf_hit(leaf, hit)));
    }
    let mut by_leaf: BTreeMap<(usize, Option<usize>), Vec<LeafHit>> = BTreeMap::new();
    for hit in gathered.hits.drain(..) {
        by_leaf.entry((hit.place.start, hit.place.inner)).or_default().push(hit);
    }
    let mut found = Vec::new();
    for hits in by_leaf.into_values() {
        found.extend(locate_leaf(raw, reading, hits)?);
    }
    found.extend(gathered.slice_hits.drain(..).map(|hit| hit.located(raw, reading)));
    let of_rule = |it: &Located| (it.pieces.first().cloned(), Arc::as_ptr(&it.finding.rule));
    let known: HashSet<_> = match gathered.seam_hits.is_empty() {
        true => HashSet::new(),
        false => found.iter().map(of_rule).collect(),
    };
    for hit in gathered.seam_hits.drain(..) {
        let located = locate_seam(raw, reading, hit)?;
        // A name on the other side of a border may say what the text alone says, too.
        if located.pieces.len() > 1 || !known.contains(&of_rule(&located)) {
            found.push(located);
        }
    }
    found.sort_by(|one, other| in_order(one).cmp(&in_order(other)));
    Ok(found)
}

/// By place, and by rule where two rules found the same: hits become certain in an order that depends on how the text
/// arrived, and of two that weigh the same the last one names what is hidden.
fn in_order(it: &Located) -> (Option<usize>, Option<usize>, &str) {
    let piece = it.pieces.first();
    (piece.map(|it| it.start), piece.map(|it| it.end), &it.finding.rule.id)
}

/// Runs the rules of `source` over a complete text.
pub(super) fn scan_whole(reading: &Reading, source: Source, text: &str) -> Vec<Hit> {
    scan_block(reading, source, text, Block::Text)
}

/// The same for a text of which is known what it is: a file of a language, a document that could not be read. One hit more than
/// `hits_max` says that there are too many.
pub(super) fn scan_block(reading: &Reading, source: Source, text: &str, block: Block) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut scanner = Scanner::new(reading.rules.of(source).clone(), reading.views);
    if block != Block::Text {
        scanner.block(block);
    }
    scanner.push(&reading.engine, text.as_bytes(), &mut hits);
    scanner.finish(&reading.engine, &mut hits);
    hits.truncate(reading.hits_max + 1);
    hits
}

/// A finding in plain text: its pieces are ranges of the text itself.
pub(super) fn in_text(reading: &Reading, source: Source, lines: &mut Lines<'_>, hit: &Hit, path: &str) -> Located {
    let place = Place { message: None, path: path.into(), line: lines.at(hit.secret.start) };
    let rule = reading.engine.rules()[hit.rule].clone();
    Located {
        finding: Finding { rule, source, place, span: hit.secret.clone(), value: None },
        pieces: vec![hit.secret.clone()],
        sealed: false,
        shadowed: false,
        text: secret_of(lines.text, &hit.secret),
    }
}

/// Findings in a path, a query or a header's value, which cannot be edited; `name` says where that is.
pub(super) fn scan_line(reading: &Reading, text: &str, name: impl Fn() -> String) -> Vec<Located> {
    let mut about = *b"line----------------";
    about[12..].copy_from_slice(&reading.rules.number.to_le_bytes());
    let seen = reading.seen.as_ref().map(|seen| (seen, seen.digest(text.as_bytes(), &about)));
    if seen.is_some_and(|(seen, digest)| seen.recall(digest).is_some()) {
        return Vec::new();
    }
    let hits = scan_whole(reading, Source::Metadata, text);
    if hits.is_empty() {
        seen.inspect(|(seen, digest)| seen.remember(*digest, Clean { length: text.len() as u64, skipped: None }));
        return Vec::new();
    }
    let (place, mut lines) = (name(), Lines::of(text));
    let mut located = |hit| in_text(reading, Source::Metadata, &mut lines, hit, &place);
    hits.iter().map(|hit| Located { sealed: true, ..located(hit) }).collect()
}

fn leaf_hit(leaf: &LeafRef, hit: Hit) -> LeafHit {
    LeafHit {
        rule: hit.rule,
        secret: hit.secret,
        place: leaf.place,
        source: leaf.source,
        sealed: false,
        shadowed: false,
        path: leaf.path.clone(),
        message: leaf.message,
    }
}

fn locate_leaf(raw: &[u8], reading: &Reading, mut hits: Vec<LeafHit>) -> Result<Vec<Located>, json::Error> {
    hits.sort_by_key(|hit| (hit.secret.start, hit.secret.end, hit.rule));
    let Some(place) = hits.first().map(|hit| hit.place) else { return Ok(Vec::new()) };
    let text = json::decode(raw, place)?;
    for hit in hits.iter_mut().filter(|hit| hit.shadowed) {
        hit.secret = whole_escapes(text.as_bytes(), &hit.secret);
    }
    let spans: Vec<Range<usize>> = hits.iter().map(|hit| hit.secret.clone()).collect();
    let ranges = json::locate(raw, place, &spans)?;
    let mut lines = Lines::of(&text);
    Ok(hits
        .into_iter()
        .zip(ranges)
        .map(|(hit, range)| {
            let place = Place { message: hit.message, path: hit.path, line: lines.at(hit.secret.start) };
            let rule = reading.engine.rules()[hit.rule].clone();
            let secret = secret_of(&text, &hit.secret);
            let finding = Finding { rule, source: hit.source, place, span: hit.secret, value: None };
            Located { finding, pieces: vec![range], sealed: hit.sealed, shadowed: hit.shadowed, text: secret }
        })
        .collect())
}

fn locate_seam(raw: &[u8], reading: &Reading, hit: SeamHit) -> Result<Located, json::Error> {
    let mut pieces = Vec::new();
    let mut joined = String::new();
    let mut line = 1;
    for (place, range) in &hit.pieces {
        let text = json::decode(raw, *place)?;
        if pieces.is_empty() {
            line = Lines::of(&text).at(range.start);
        }
        joined.push_str(text.get(range.clone()).unwrap_or_default());
        pieces.extend(json::locate(raw, *place, std::slice::from_ref(range))?);
    }
    let place = Place { message: hit.message, path: "adjacent text blocks".into(), line };
    let rule = reading.engine.rules()[hit.rule].clone();
    let span = hit.pieces.first().map_or(0..0, |(_, range)| range.clone());
    let finding = Finding { rule, source: hit.source, place, span, value: None };
    Ok(Located { finding, pieces, sealed: false, shadowed: false, text: Secret::new(joined) })
}

/// A stretch of a document's text without halves of escapes at its ends, which an edit would leave behind: the sign
/// before it goes with it, and the one that it ends with stays.
pub(super) fn whole_escapes(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let is_half = |at: usize| text[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    let start = if is_half(span.start) { span.start - 1 } else { span.start };
    let end = if is_half(span.end) { span.end - 1 } else { span.end };
    if start < end { start..end } else { span.clone() }
}

/// The lines of a text. They are counted on from the place that was asked for last, so that many places in their order
/// cost no more than the text.
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    at: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    /// At the beginning of `text`.
    pub(super) fn of(text: &'a str) -> Self {
        Lines { text, at: 0, line: 1 }
    }

    /// The line, from 1, that byte `at` stands in.
    pub(super) fn at(&mut self, at: usize) -> u32 {
        let at = at.min(self.text.len());
        let between = &self.text.as_bytes()[at.min(self.at)..at.max(self.at)];
        let breaks = memchr::memchr_iter(b'\n', between).count() as u32;
        self.line = if at < self.at { self.line - breaks } else { self.line + breaks };
        self.at = at;
        self.line
    }
}

fn secret_of(text: &str, span: &Range<usize>) -> Secret {
    Secret::new(String::from_utf8_lossy(text.as_bytes().get(span.clone()).unwrap_or_default()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_on_and_back() {
        let text = "a\nb\n\nü\nc";
        let mut lines = Lines::of(text);
        for at in [0, 1, 2, 8, 3, 4, 0, 6, 99, 5, 99] {
            let breaks = text.bytes().take(at).filter(|it| *it == b'\n').count();
            assert_eq!(lines.at(at) as usize, 1 + breaks, "{at}");
        }
    }
}
