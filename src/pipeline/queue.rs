//! The events of a stream that wait, in their order, each with the texts it carries a part of.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::block::GrowingBlock;
use super::completion::{Stop, TOO_MANY_PARTS};
use super::logprobs;
use crate::providers::Note;
use crate::wire::json;
use crate::wire::splice::Splices;
use crate::wire::sse::Frame;

/// Parts of growing texts in one event, which all events behind it have to ask for. The most that an honest one has are two
/// for each of 128 choices.
const CARRIED_MAX: usize = 512;

/// Where events go that are passed on.
pub(super) trait Outlet {
    /// Takes one whole event.
    fn put(&mut self, event: &[u8]);
}

/// Events of a stream follow one another.
impl Outlet for Vec<u8> {
    fn put(&mut self, event: &[u8]) {
        self.extend_from_slice(event);
    }
}

/// Messages of a socket stay apart.
impl Outlet for Vec<Vec<u8>> {
    fn put(&mut self, event: &[u8]) {
        self.push(event.to_vec());
    }
}

/// A part of a growing text that an event carries.
pub(super) struct Carried {
    /// Which text.
    pub(super) block: u64,
    /// Bytes of the text; empty where the event only belongs to it.
    pub(super) range: Range<usize>,
    /// Where its string begins in the event's JSON.
    pub(super) leaf: usize,
}

/// A change to one string of an event that stands complete in it.
pub(super) struct Edit {
    /// Where the string begins in the event's JSON; `None` for an event that is no JSON.
    pub(super) leaf: Option<usize>,
    /// Bytes of the decoded string.
    pub(super) span: Range<usize>,
    pub(super) with: String,
}

/// One event that waits.
pub(super) struct Queued {
    pub(super) frame: Frame,
    pub(super) note: Note,
    pub(super) carries: Vec<Carried>,
    edits: Vec<Edit>,
}

/// Events that wait. Numbered from 0 over the whole stream.
#[derive(Default)]
pub(super) struct EventQueue {
    events: VecDeque<Queued>,
    /// Number of the first event that waits.
    first: u64,
    held_bytes: u64,
}

impl EventQueue {
    /// Appends an event; its number.
    pub(super) fn push(&mut self, frame: Frame, note: Note) -> u64 {
        self.held_bytes += frame.raw().len() as u64;
        self.events.push_back(Queued { frame, note, carries: Vec::new(), edits: Vec::new() });
        self.first + self.events.len() as u64 - 1
    }

    /// The JSON of an event that waits.
    pub(super) fn data(&self, event: u64) -> &[u8] {
        self.events.get((event - self.first) as usize).map_or(&[], |queued| queued.frame.data())
    }

    /// An event carries a part of a text.
    pub(super) fn carry(&mut self, event: u64, carried: Carried) -> Result<(), Stop> {
        let Some(queued) = self.events.get_mut((event - self.first) as usize) else { return Ok(()) };
        if queued.carries.len() >= CARRIED_MAX {
            return Err(TOO_MANY_PARTS);
        }
        queued.carries.push(carried);
        Ok(())
    }

    /// Changes a string that stands complete in an event.
    pub(super) fn edit(&mut self, event: u64, edit: Edit) {
        if let Some(queued) = self.events.get_mut((event - self.first) as usize) {
            queued.edits.push(edit);
        }
    }

    /// The first event, once everything it carries is decided.
    pub(super) fn next_ready(&mut self, is_decided: impl Fn(&Carried) -> bool) -> Option<Queued> {
        let front = self.events.front()?;
        if !front.carries.iter().all(is_decided) {
            return None;
        }
        let queued = self.events.pop_front()?;
        self.first += 1;
        self.held_bytes -= queued.frame.raw().len() as u64;
        Some(queued)
    }

    /// What the first event carries.
    pub(super) fn front(&self) -> Option<&[Carried]> {
        self.events.front().map(|queued| queued.carries.as_slice())
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of events that wait.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }
}

impl Queued {
    /// Appends the event as the client is to get it: byte for byte, if nothing in it was changed.
    /// What it carried comes back.
    pub(super) fn write(
        mut self,
        blocks: &HashMap<u64, GrowingBlock>,
        out: &mut impl Outlet,
    ) -> Result<Vec<Carried>, Stop> {
        for carried in &self.carries {
            let Some(block) = blocks.get(&carried.block) else { continue };
            for (span, with) in block.cuts(&carried.range) {
                self.edits.push(Edit { leaf: Some(carried.leaf), span, with: with.to_owned() });
            }
        }
        if self.edits.is_empty() {
            out.put(self.frame.raw());
            return Ok(self.carries);
        }
        self.edits.sort_by_key(|edit| edit.leaf);
        let data = self.frame.data();
        let mut splices = Splices::new();
        for edits in self.edits.chunk_by(|left, right| left.leaf == right.leaf) {
            splice(data, edits, &mut splices).ok_or(Stop::Unreadable("an event of the answer cannot be edited"))?;
        }
        logprobs::forget(data, &mut splices);
        let edited = splices.apply(data).ok();
        let edited = edited.ok_or(Stop::Unreadable("an event of the answer cannot be edited"))?;
        out.put(&self.frame.with_data(&edited));
        Ok(self.carries)
    }
}

/// Edits of one string.
fn splice(data: &[u8], edits: &[Edit], splices: &mut Splices) -> Option<()> {
    let Some(leaf) = edits.first()?.leaf else {
        edits.iter().for_each(|edit| splices.replace(edit.span.clone(), edit.with.as_bytes()));
        return Some(());
    };
    let spans: Vec<Range<usize>> = edits.iter().map(|edit| edit.span.clone()).collect();
    let ranges = json::locate(data, json::Place::outer(leaf), &spans).ok()?;
    for (edit, range) in edits.iter().zip(ranges) {
        let mut with = Vec::new();
        json::escape(&edit.with, 1, &mut with);
        splices.replace(range, with);
    }
    Some(())
}
