//! Characters that hide others: invisible ones and joints between literals are removed, other forms and escapes of
//! ASCII become ASCII.

use std::collections::VecDeque;
use std::ops::Range;

use super::sight::{Sight, next_suspect, sight};
use crate::scan::engine::{Engine, RuleSet};
use crate::scan::stream::{Hit, Stream};

/// Text before the first such character that is read with it, bytes.
const BEFORE_BYTES: usize = 512;
/// Text behind the last one, bytes.
const BEHIND_BYTES: usize = 4096;

/// Folded bytes are pushed on in portions of this size, which bounds how many edits are remembered.
const PENDING_BYTES: usize = 16 << 10;

/// One edit: from these offsets on, folded and original text run side by side again.
#[derive(Clone, Copy, Debug)]
struct Mark {
    folded: usize,
    original: usize,
    /// The byte before is a replacement, not only something removed.
    replaced: bool,
}

/// The folded view.
#[derive(Debug)]
pub(super) struct Folded {
    rules: RuleSet,
    stream: Stream,
    /// Original bytes read.
    length: usize,
    /// Whether the stream runs: such a character stands not far before.
    active: bool,
    /// Original bytes since the last edit.
    quiet: usize,
    /// The last original bytes since the last edit.
    before: Vec<u8>,
    /// Bytes that may begin such a character, at the end of the last piece.
    unclear: Vec<u8>,
    /// The byte before them.
    previous: u8,
    marks: VecDeque<Mark>,
    /// Folded bytes not yet pushed.
    pending: Vec<u8>,
    inner: Vec<Hit>,
}

impl Folded {
    pub(super) fn new(rules: RuleSet) -> Folded {
        Folded {
            stream: Stream::new(rules.clone()),
            rules,
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

    pub(super) fn reset(&mut self, rules: RuleSet) {
        self.rules = rules;
        (self.length, self.active, self.previous) = (0, false, b' ');
        self.before.clear();
        self.unclear.clear();
        self.pending.clear();
        self.marks.clear();
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
            let previous = if at > 0 { text[at - 1] } else { self.previous };
            match sight(&text[at..], previous) {
                Sight::Unclear if !last => {
                    until = at;
                    break;
                }
                Sight::Plain | Sight::Unclear => at += 1,
                Sight::Edit(length, byte) => {
                    self.plain(engine, &text[from..at], hits);
                    self.edit(length, byte);
                    at += length;
                    from = at;
                    if self.pending.len() >= PENDING_BYTES {
                        self.flush(engine, hits);
                    }
                }
            }
        }
        self.plain(engine, &text[from..until], hits);
        if until > 0 {
            self.previous = text[until - 1];
        }
        self.unclear.extend_from_slice(&text[until..]);
    }

    fn plain(&mut self, engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        let near = if self.active { text.len().min(BEHIND_BYTES - self.quiet) } else { 0 };
        let (near, far) = text.split_at(near);
        self.length += near.len();
        self.quiet += near.len();
        self.pending.extend_from_slice(near);
        if !far.is_empty() {
            self.close(engine, hits);
            self.length += far.len();
        }
        let recent = &text[text.len().saturating_sub(BEFORE_BYTES)..];
        if self.before.len() + recent.len() > 4 * BEFORE_BYTES {
            let drop = self.before.len().saturating_sub(BEFORE_BYTES);
            self.before.drain(..drop);
        }
        self.before.extend_from_slice(recent);
    }

    fn edit(&mut self, length: usize, byte: Option<u8>) {
        if !self.active {
            self.active = true;
            self.stream.reset(self.rules.clone());
            let before = &self.before[self.before.len().saturating_sub(BEFORE_BYTES)..];
            self.pending.extend_from_slice(before);
            self.marks.push_back(Mark { folded: 0, original: self.length - before.len(), replaced: false });
        }
        self.before.clear();
        self.pending.extend(byte);
        self.length += length;
        self.quiet = 0;
        let folded = self.stream.length() + self.pending.len();
        self.marks.push_back(Mark { folded, original: self.length, replaced: byte.is_some() });
    }

    fn flush(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if self.pending.is_empty() {
            return;
        }
        self.stream.push(engine, &self.pending, &mut self.inner);
        self.pending.clear();
        self.report(hits);
        while self.marks.get(1).is_some_and(|mark| mark.folded < self.stream.settled()) {
            self.marks.pop_front();
        }
    }

    fn close(&mut self, engine: &Engine, hits: &mut Vec<Hit>) {
        if !self.active {
            return;
        }
        self.flush(engine, hits);
        self.stream.finish(engine, &mut self.inner);
        self.report(hits);
        self.active = false;
        self.marks.clear();
    }

    /// Passes on the hits that an edit made: the others stand in the text as it is.
    fn report(&mut self, hits: &mut Vec<Hit>) {
        for hit in self.inner.drain(..) {
            let from = self.marks.partition_point(|mark| mark.folded <= hit.whole.start);
            let edited = self.marks.get(from).is_some_and(|mark| {
                mark.folded < hit.whole.end || (mark.folded == hit.whole.end && ends_replaced(&self.marks, from))
            });
            if edited {
                let original = |range: &Range<usize>| original_range(&self.marks, range);
                hits.push(Hit { rule: hit.rule, secret: original(&hit.secret), whole: original(&hit.whole) });
            }
        }
    }
}

/// Whether one of the edits at the same place as this one is a replacement.
fn ends_replaced(marks: &VecDeque<Mark>, from: usize) -> bool {
    marks.iter().skip(from).take_while(|mark| mark.folded == marks[from].folded).any(|mark| mark.replaced)
}

/// The original bytes of a folded range.
fn original_range(marks: &VecDeque<Mark>, range: &Range<usize>) -> Range<usize> {
    let at = |folded: usize| {
        let index = marks.partition_point(|mark| mark.folded <= folded).saturating_sub(1);
        marks[index].original + folded - marks[index].folded
    };
    let from = marks.partition_point(|mark| mark.folded < range.end);
    let replaced = marks.iter().skip(from).take_while(|mark| mark.folded == range.end).find(|mark| mark.replaced);
    at(range.start)..replaced.map_or_else(|| at(range.end - 1) + 1, |mark| mark.original)
}
