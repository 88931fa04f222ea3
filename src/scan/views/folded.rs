//! Characters that hide others: invisible ones and joints between literals are removed, other forms and escapes of
//! ASCII become ASCII.

use std::collections::VecDeque;
use std::ops::Range;

use super::sight::{Sight, next_suspect, sight};
use crate::scan::digits::is_word;
use crate::scan::engine::{Engine, RuleSet};
use crate::scan::scanner::Scanner;
use crate::scan::stream::Hit;

/// Text before the first such character that is read with it, bytes.
const BEFORE_BYTES: usize = 512;
/// Text behind the last one, bytes: after each of these it is looked whether a match may still be open that it belongs
/// to. Nearly always the first is enough.
const BEHIND_BYTES: [usize; 5] = [16, 64, 256, 1024, BEHIND_BYTES_MAX];
const BEHIND_BYTES_MAX: usize = 4096;
/// Folded bytes are pushed on in portions of this size, which bounds how many edits are remembered.
const PENDING_BYTES: usize = 16 << 10;
/// So many edits are remembered without asking which of them still count.
const MARKS_MANY: usize = 256;

/// One edit: from these offsets on, folded and original text run side by side again.
#[derive(Clone, Copy, Debug)]
struct Mark {
    folded: usize,
    original: usize,
    /// The byte before is a replacement, not only something removed.
    replaced: bool,
    /// It ends a word that the original text goes on with: in `%20AKIA…` the key does not stand alone.
    parts: bool,
}

/// The folded view.
#[derive(Debug)]
pub(super) struct Folded {
    rules: RuleSet,
    /// Levels of decoding that may follow this one.
    depth: usize,
    /// Reads the folded text; made when it is first needed.
    scanner: Option<Box<Scanner>>,
    /// Original bytes read.
    length: usize,
    /// Whether the scanner runs: such a character stands not far before.
    active: bool,
    /// Original bytes since the last edit.
    quiet: usize,
    /// The last original bytes since the last edit.
    before: Vec<u8>,
    /// Bytes that may begin such a character, at the end of the last piece.
    unclear: Vec<u8>,
    /// The byte before them, folded.
    previous: u8,
    marks: VecDeque<Mark>,
    /// Folded bytes not yet pushed.
    pending: Vec<u8>,
    inner: Vec<Hit>,
}

impl Folded {
    pub(super) fn new(rules: RuleSet, depth: usize) -> Folded {
        Folded {
            rules,
            depth,
            scanner: None,
            length: 0,
            active: false,
            quiet: 0,
            before: Vec::new(),
            unclear: Vec::new(),
            previous: b' ',
            marks: VecDeque::new(),
            pending: Vec::new(),
            inner: Vec::new(),
        }
    }

    pub(super) fn reset(&mut self, rules: &RuleSet) {
        self.rules.set(rules);
        (self.length, self.active, self.previous) = (0, false, b' ');
        self.before.clear();
        self.unclear.clear();
        self.pending.clear();
        self.marks.clear();
    }

    /// Offset from which on later hits may lie, but for those of edits that are yet to come.
    pub(super) fn undecided(&self, engine: &Engine) -> usize {
        match (&self.scanner, self.active) {
            (Some(scanner), true) => {
                let folded = scanner.undecided(engine, usize::MAX);
                let index = self.marks.partition_point(|mark| mark.folded < folded).saturating_sub(1);
                self.marks.get(index).map_or(0, |mark| mark.original)
            }
            _ => self.length,
        }
    }

    pub(super) fn push(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        if self.unclear.is_empty() {
            self.read(engine, text, false, hits);
        } else {
            let mut joined = std::mem::take(&mut self.unclear);
            joined.extend_from_slice(text);
            self.read(engine, &joined, false, hits);
        }
        self.flush(engine, hits);
    }

    pub(super) fn finish(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        let rest = std::mem::take(&mut self.unclear);
        self.read(engine, &rest, true, hits);
        self.close(engine, hits);
    }

    fn read(&mut self, engine: &Engine, text: &[u8], last: bool, hits: &mut Vec<Hit>) {
        let mut at = 0;
        let mut from = 0;
        let mut until = text.len();
        while let Some(found) = next_suspect(&text[at..]) {
            at += found;
            let previous = if at > from { text[at - 1] } else { self.previous };
            match sight(&text[at..], previous) {
                Sight::Unclear if !last => {
                    until = at;
                    break;
                }
                Sight::Plain | Sight::Unclear => at += 1,
                Sight::Edit(length, byte) => {
                    self.plain(engine, &text[from..at], hits);
                    self.previous = byte.unwrap_or(previous);
                    at += length;
                    from = at;
                    self.edit(length, byte, text[at - 1]);
                    if self.pending.len() >= PENDING_BYTES {
                        self.flush(engine, hits);
                    }
                }
            }
        }
        self.plain(engine, &text[from..until], hits);
        if until > from {
            self.previous = text[until - 1];
        }
        self.unclear.extend_from_slice(&text[until..]);
    }

    fn plain(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        let mut rest = text;
        while self.active && !rest.is_empty() {
            let stop = BEHIND_BYTES.into_iter().find(|&stop| stop > self.quiet).unwrap_or(BEHIND_BYTES_MAX);
            let (near, far) = rest.split_at(rest.len().min(stop - self.quiet));
            self.length += near.len();
            self.quiet += near.len();
            self.pending.extend_from_slice(near);
            rest = far;
            if self.quiet == stop {
                self.look_behind(engine, hits);
            }
        }
        self.length += rest.len();
        let recent = &text[text.len().saturating_sub(BEFORE_BYTES)..];
        if self.before.len() + recent.len() > 4 * BEFORE_BYTES {
            let drop = self.before.len().saturating_sub(BEFORE_BYTES);
            self.before.drain(..drop);
        }
        self.before.extend_from_slice(recent);
    }

    /// Stops when no match is open that the last edit could belong to. It is asked at the same bytes of a text, however
    /// that is cut.
    fn look_behind(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        self.flush(engine, hits);
        let edit = self.marks.back().map_or(0, |mark| mark.folded);
        let is_decided = || self.scanner.as_ref().is_none_or(|scanner| scanner.undecided(engine, edit + 1) > edit);
        if self.quiet == BEHIND_BYTES_MAX || is_decided() {
            self.close(engine, hits);
        }
    }

    /// So many bytes, of which this is the last, stand for one or for nothing.
    fn edit(&mut self, length: usize, byte: Option<u8>, last: u8) {
        if !self.active {
            self.active = true;
            let (rules, depth) = (&self.rules, self.depth);
            self.scanner.get_or_insert_with(|| Box::new(Scanner::at_depth(rules.clone(), depth))).reset(rules);
            let before = &self.before[self.before.len().saturating_sub(BEFORE_BYTES)..];
            self.pending.extend_from_slice(before);
            let original = self.length - before.len();
            self.marks.push_back(Mark { folded: 0, original, replaced: false, parts: false });
        }
        self.before.clear();
        self.pending.extend(byte);
        self.length += length;
        self.quiet = 0;
        let parts = is_word(last) && byte.is_some_and(|byte| !is_word(byte));
        let folded = self.scanned() + self.pending.len();
        self.marks.push_back(Mark { folded, original: self.length, replaced: byte.is_some(), parts });
    }

    /// Folded bytes that were pushed.
    fn scanned(&self) -> usize {
        self.scanner.as_ref().map_or(0, |scanner| scanner.length())
    }

    fn flush(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        let Some(scanner) = self.scanner.as_mut().filter(|_| !self.pending.is_empty()) else { return };
        scanner.push(engine, &self.pending, &mut self.inner);
        self.pending.clear();
        self.report(hits);
        if self.marks.len() > MARKS_MANY {
            self.forget(engine);
        }
    }

    /// Forgets the marks of what is decided.
    fn forget(&mut self, engine: &Engine) {
        let Some(scanner) = &self.scanner else { return };
        // A view of the folded text may yet reach back by as much as this one does.
        let undecided = scanner.undecided(engine, usize::MAX).saturating_sub(BEFORE_BYTES);
        while self.marks.get(1).is_some_and(|mark| mark.folded < undecided) {
            self.marks.pop_front();
        }
    }

    fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if !self.active {
            return;
        }
        self.flush(engine, hits);
        if let Some(scanner) = &mut self.scanner {
            scanner.finish(engine, &mut self.inner);
        }
        self.report(hits);
        self.active = false;
        self.marks.clear();
    }

    /// Passes on the hits that an edit made: the others stand in the text as it is.
    fn report(&mut self, hits: &mut Vec<Hit>) {
        for hit in self.inner.drain(..) {
            let from = self.marks.partition_point(|mark| mark.folded < hit.whole.start);
            let edited = self.marks.iter().skip(from).take_while(|mark| mark.folded <= hit.whole.end).any(|mark| {
                match mark.folded {
                    at if at == hit.whole.start => mark.parts,
                    at if at == hit.whole.end => mark.replaced,
                    _ => true,
                }
            });
            if edited {
                let original = |range: &Range<usize>| original_range(&self.marks, range);
                hits.push(Hit { rule: hit.rule, secret: original(&hit.secret), whole: original(&hit.whole) });
            }
        }
    }
}

/// The original bytes of a folded range.
fn original_range(marks: &VecDeque<Mark>, range: &Range<usize>) -> Range<usize> {
    let at = |folded: usize| {
        let index = marks.partition_point(|mark| mark.folded <= folded).saturating_sub(1);
        marks[index].original + folded.saturating_sub(marks[index].folded)
    };
    let from = marks.partition_point(|mark| mark.folded < range.end);
    let replaced = marks.iter().skip(from).take_while(|mark| mark.folded == range.end).find(|mark| mark.replaced);
    at(range.start)..replaced.map_or_else(|| at(range.end - 1) + 1, |mark| mark.original)
}
