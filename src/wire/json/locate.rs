//! The way back from decoded text to raw bytes, through one level of escapes or two.

use std::ops::Range;

use super::unescape::{Characters, Source, Unescape, Unit};
use super::{Error, ErrorKind};

/// Where the content of a string begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Raw offset of the first byte inside the quotes of the outer string.
    pub start: usize,
    /// For a string of a document inside that string: the offset, in the decoded outer string, of the first byte
    /// inside its own quotes.
    pub inner: Option<usize>,
}

impl Place {
    /// A string of the outer document.
    pub fn outer(start: usize) -> Self {
        Place { start, inner: None }
    }

    /// How many times a text must be escaped to stand here.
    pub fn levels(self) -> usize {
        if self.inner.is_some() { 2 } else { 1 }
    }
}

/// The raw bytes that hold each decoded span of the string at `place`, in the order of the spans.
///
/// Spans count decoded bytes. A span that cuts an escape or a character covers the whole of it. The string is read
/// once, up to the end of the last span.
pub fn locate(raw: &[u8], place: Place, spans: &[Range<usize>]) -> Result<Vec<Range<usize>>, Error> {
    let outer = Unescape::new(Characters::new(raw, place.start));
    match place.inner {
        None => locate_units(outer, spans),
        Some(inner) => locate_units(enter(outer, inner)?, spans),
    }
}

/// The whole text of the string at `place`.
pub fn decode(raw: &[u8], place: Place) -> Result<String, Error> {
    let outer = Unescape::new(Characters::new(raw, place.start));
    match place.inner {
        None => collect(outer),
        Some(inner) => collect(enter(outer, inner)?),
    }
}

/// Reads up to the decoded offset where the inner string begins.
fn enter<'a>(mut outer: Unescape<Characters<'a>>, inner: usize) -> Result<Unescape<Unescape<Characters<'a>>>, Error> {
    let mut decoded = 0;
    while decoded < inner {
        decoded += outer.skip_plain(inner - decoded);
        if decoded == inner {
            break;
        }
        match outer.next() {
            Some(unit) => decoded += unit?.character.len_utf8(),
            None => return Err(Error { offset: outer.reached(), kind: ErrorKind::SpanOutside }),
        }
    }
    Ok(Unescape::new(outer))
}

fn collect(units: impl Iterator<Item = Result<Unit, Error>>) -> Result<String, Error> {
    units.map(|unit| unit.map(|unit| unit.character)).collect()
}

fn locate_units(mut units: impl Source, spans: &[Range<usize>]) -> Result<Vec<Range<usize>>, Error> {
    let mut reached = units.reached();
    let mut found = vec![reached..reached; spans.len()];
    let mut starts = sorted(spans, |span| span.start);
    let mut ends = sorted(spans, |span| span.end);
    let mut decoded = 0;
    while starts.len() > 0 || ends.len() > 0 {
        let start = starts.as_slice().first().map_or(usize::MAX, |&index| spans[index].start);
        let end = ends.as_slice().first().map_or(usize::MAX, |&index| spans[index].end);
        // Up to the byte before the next place that is looked for, for an end belongs to the character before it.
        let skipped = units.skip_plain(start.min(end).saturating_sub(decoded + 1));
        decoded += skipped;
        reached += skipped;
        let Some(unit) = units.next() else { break };
        let Unit { character, raw } = unit?;
        let next = decoded + character.len_utf8();
        while let Some(index) = next_if(&mut starts, |index| spans[index].start < next) {
            found[index].start = raw.start;
        }
        while let Some(index) = next_if(&mut ends, |index| spans[index].end <= next) {
            found[index].end = if spans[index].end <= decoded { raw.start } else { raw.end };
        }
        decoded = next;
        reached = raw.end;
    }
    let is_outside = |span: &Range<usize>| span.start > decoded || span.end > decoded || span.start > span.end;
    if spans.iter().any(is_outside) {
        return Err(Error { offset: reached, kind: ErrorKind::SpanOutside });
    }
    // What is left stands at the very end of the string.
    starts.for_each(|index| found[index].start = reached);
    ends.for_each(|index| found[index].end = reached);
    Ok(found)
}

fn sorted(spans: &[Range<usize>], key: impl Fn(&Range<usize>) -> usize) -> std::vec::IntoIter<usize> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&index| key(&spans[index]));
    order.into_iter()
}

fn next_if(order: &mut std::vec::IntoIter<usize>, take: impl Fn(usize) -> bool) -> Option<usize> {
    order.as_slice().first().is_some_and(|&index| take(index)).then(|| order.next()).flatten()
}
