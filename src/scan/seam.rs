//! Secrets split over adjacent segments: the seams between them are read as one text.
//!
//! Only so many bytes on either side of a border can belong to a straddling secret, so each segment gives its first and
//! last bytes to one stream and the middle of a long one is skipped. Each byte is read at most once, however short the
//! segments. A secret may begin or end with a segment, whatever word the next one begins with.

use std::ops::Range;

use super::engine::{Engine, RuleSet};
use super::stream::{Hit, Stream};

/// A part of a straddling secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The segment, as its caller numbered it.
    pub segment: usize,
    /// Bytes of that segment's text.
    pub range: Range<usize>,
}

/// A hit over a border: its secret crosses it, or stands on one side while the other says what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeamHit {
    /// Index into [`Engine::rules`].
    pub rule: usize,
    /// Where the secret stands, in order.
    pub pieces: Vec<Piece>,
}

/// From this offset of the stream on stands this segment, from this offset of its own on.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: usize,
    segment: usize,
    offset: usize,
}

/// Reads adjacent segments. Memory: the stream's, four windows, and a mark per segment that an open match may touch.
#[derive(Debug)]
pub struct Seam {
    rules: RuleSet,
    stream: Stream,
    window_bytes: usize,
    marks: std::collections::VecDeque<Mark>,
    segment: usize,
    length: usize,
    /// What the segment has beyond its first window, the last bytes of it at least.
    tail: Vec<u8>,
    inner: Vec<Hit>,
}

impl Seam {
    /// `window_bytes` on either side of a border are read.
    pub fn new(rules: RuleSet, window_bytes: usize) -> Seam {
        Seam {
            stream: Stream::new(rules.clone()),
            rules,
            window_bytes,
            marks: Default::default(),
            segment: 0,
            length: 0,
            tail: Vec::new(),
            inner: Vec::new(),
        }
    }

    /// A segment that directly follows the one before.
    pub fn begin_segment(&mut self, segment: usize) {
        (self.segment, self.length) = (segment, 0);
        self.tail.clear();
        self.marks.push_back(Mark { at: self.stream.length(), segment, offset: 0 });
    }

    /// The part of a segment from this offset on, with nothing before it.
    pub fn begin_within(&mut self, segment: usize, offset: usize) {
        (self.segment, self.length) = (segment, 0);
        self.tail.clear();
        self.marks.push_back(Mark { at: self.stream.length(), segment, offset });
    }

    /// A piece of the segment's text.
    pub fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<SeamHit>) {
        let head = text.len().min(self.window_bytes.saturating_sub(self.length));
        let (head, rest) = text.split_at(head);
        self.length += text.len();
        self.feed(engine, head, hits);
        let rest = &rest[rest.len().saturating_sub(self.window_bytes)..];
        if self.tail.len() + rest.len() > 2 * self.window_bytes {
            let drop = self.tail.len().saturating_sub(self.window_bytes);
            self.tail.drain(..drop);
        }
        self.tail.extend_from_slice(rest);
    }

    /// The segment is complete.
    pub fn end_segment(&mut self, engine: &Engine, hits: &mut Vec<SeamHit>) {
        let mut tail = std::mem::take(&mut self.tail);
        let beyond = self.length.saturating_sub(self.window_bytes);
        if beyond > self.window_bytes {
            self.finish(engine, hits);
            tail.drain(..tail.len() - self.window_bytes);
            let offset = self.length - self.window_bytes;
            self.marks.push_back(Mark { at: 0, segment: self.segment, offset });
        }
        self.feed(engine, &tail, hits);
        self.stream.border(engine);
        tail.clear();
        self.tail = tail;
    }

    /// More of a segment of which nothing is to be skipped, behind what was pushed of it.
    pub fn follow(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<SeamHit>) {
        self.feed(engine, text, hits);
    }

    /// The segment that was followed is complete.
    pub fn end_followed(&mut self, engine: &Engine) {
        self.stream.border(engine);
    }

    /// Whether something that may be a match began before the segment that is being read.
    pub fn is_open(&self, engine: &Engine) -> bool {
        self.marks.back().is_some_and(|mark| self.stream.undecided(engine, mark.at) < mark.at)
    }

    /// Decides as much as the rules allow of what was read since the last call of `finish`: so many bytes of it.
    pub fn settle(&mut self, engine: &Engine) -> usize {
        self.stream.settle(engine)
    }

    /// What follows is not adjacent: decides what is open.
    pub fn finish(&mut self, engine: &Engine, hits: &mut Vec<SeamHit>) {
        self.stream.finish(engine, &mut self.inner);
        self.report(hits);
        self.stream.reset(&self.rules);
        self.marks.clear();
    }

    fn feed(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<SeamHit>) {
        if text.is_empty() {
            return;
        }
        self.stream.push(engine, text, &mut self.inner);
        self.report(hits);
        // No later hit starts before what is settled: of the marks below it only the last still tells a segment.
        if let (true, Some(last)) = (self.marks.len() > 1, self.marks.back()) {
            let undecided = self.stream.undecided(engine, last.at);
            while self.marks.get(1).is_some_and(|mark| mark.at <= undecided) {
                self.marks.pop_front();
            }
        }
    }

    fn report(&mut self, hits: &mut Vec<SeamHit>) {
        let mut inner = std::mem::take(&mut self.inner);
        for hit in inner.drain(..) {
            if self.crosses(&hit.whole) {
                hits.push(SeamHit { rule: hit.rule, pieces: self.pieces(&hit.secret) });
            }
        }
        self.inner = inner;
    }

    fn crosses(&self, range: &Range<usize>) -> bool {
        let behind_start = self.marks.partition_point(|mark| mark.at <= range.start);
        self.marks.get(behind_start).is_some_and(|mark| mark.at < range.end)
    }

    fn pieces(&self, secret: &Range<usize>) -> Vec<Piece> {
        let first = self.marks.partition_point(|mark| mark.at <= secret.start).saturating_sub(1);
        let mut pieces = Vec::new();
        for (index, mark) in self.marks.iter().enumerate().skip(first) {
            let until = self.marks.get(index + 1).map_or(secret.end, |next| next.at.min(secret.end));
            let from = mark.at.max(secret.start);
            if from >= secret.end {
                break;
            }
            if from < until {
                let range = from - mark.at + mark.offset..until - mark.at + mark.offset;
                pieces.push(Piece { segment: mark.segment, range });
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::tests::shapes;

    fn found(segments: &[&str], push_bytes: usize) -> Vec<(usize, Vec<(usize, String)>)> {
        let engine = Engine::new(shapes()).unwrap();
        let rules = engine.select(|rule| rule.id == "token" || rule.id == "assigned");
        let (mut seam, mut hits) = (Seam::new(rules, 64), Vec::new());
        for (index, text) in segments.iter().enumerate() {
            seam.begin_segment(index);
            for piece in text.as_bytes().chunks(push_bytes) {
                seam.push(&engine, piece, &mut hits);
            }
            seam.end_segment(&engine, &mut hits);
        }
        seam.finish(&engine, &mut hits);
        let text = |piece: Piece| (piece.segment, segments[piece.segment][piece.range].to_string());
        hits.into_iter().map(|hit| (hit.rule, hit.pieces.into_iter().map(text).collect())).collect()
    }

    fn check(segments: &[&str], expected: &[(usize, &[(usize, &str)])]) {
        for push_bytes in [1, 2, 7, 1000] {
            let hits = found(segments, push_bytes);
            let seen: Vec<(usize, Vec<(usize, &str)>)> = hits
                .iter()
                .map(|(rule, pieces)| (*rule, pieces.iter().map(|(s, t)| (*s, t.as_str())).collect()))
                .collect();
            let expected: Vec<_> = expected.iter().map(|(rule, pieces)| (*rule, pieces.to_vec())).collect();
            assert_eq!(seen, expected, "{segments:?} in pieces of {push_bytes}");
        }
    }

    #[test]
    fn a_secret_over_a_border_is_found_in_its_pieces() {
        check(&["say ak_ab", "cDE9 now"], &[(0, &[(0, "ak_ab"), (1, "cDE9")])]);
        check(&["ak_abcDE9", " ak_abcDE9"], &[]);
    }

    #[test]
    fn many_tiny_segments_make_one_text() {
        let letters: Vec<&str> = "ak_abcDE9".split("").filter(|letter| !letter.is_empty()).collect();
        let pieces: Vec<(usize, &str)> = letters.iter().copied().enumerate().collect();
        check(&letters, &[(0, &pieces)]);
        check(&["ak_", "", "abcDE9"], &[(0, &[(0, "ak_"), (2, "abcDE9")])]);
    }

    #[test]
    fn a_secret_begins_and_ends_with_segments_whatever_stands_around() {
        check(&["see", "ak_ab", "cDE9", "next"], &[(0, &[(1, "ak_ab"), (2, "cDE9")])]);
        check(
            &["see", "ak_", "ab", "c", "DE9", "next", "word"],
            &[(0, &[(1, "ak_"), (2, "ab"), (3, "c"), (4, "DE9")])],
        );
        check(&["seeak_ab", "cDE9", "next"], &[]);
        check(&["see", "ak_ab", "cDE9next"], &[]);
    }

    #[test]
    fn the_middle_of_a_long_segment_is_skipped() {
        for middle in [0, 100, 119, 120, 121, 5000] {
            let long = format!("cDE9 {} ak_ab", "- ".repeat(middle));
            let end = long.len() - 5;
            let hits = found(&["ak_ab", &long, "cDE9"], 10);
            assert_eq!(hits.len(), 2, "{middle}");
            assert_eq!(hits[1].1, [(1, long[end..].to_string()), (2, "cDE9".to_string())]);
        }
    }

    #[test]
    fn a_name_and_its_value_on_two_sides_are_one_match() {
        check(&["password = ", "hunter22"], &[(2, &[(1, "hunter22")])]);
        check(&["password", " = hunter22"], &[(2, &[(1, "hunter22")])]);
        check(&["password = hunter22", " and"], &[]);
        check(&["password = hun", "ter22"], &[(2, &[(0, "hun"), (1, "ter22")])]);
    }
}
