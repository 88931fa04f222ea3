//! One frame of an event stream: its raw bytes and where in them its event name and data stand.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr2};

/// One frame: everything from behind the last blank line up to and with the next one.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    raw: Bytes,
    /// Where the lines begin: behind a byte order mark.
    lines_start: usize,
    event: Option<Range<usize>>,
    data: Data,
    is_foreign: bool,
}

/// The data of a frame.
#[derive(Clone, PartialEq, Eq)]
enum Data {
    /// The frame has no data line: comments, or only fields that say nothing by themselves.
    None,
    /// One data line: its value stands in these raw bytes of the frame.
    Line(Range<usize>),
    /// Several data lines, joined with LF.
    Joined(Bytes),
    /// All of it: a message that its transport frames by itself.
    Whole,
}

impl Frame {
    pub(super) fn read(raw: Bytes, lines_start: usize) -> Self {
        let mut event = None;
        let mut first = None;
        let mut joined = None;
        let mut is_foreign = false;
        for line in Lines::new(&raw, lines_start) {
            match (&raw[line.name], &first) {
                (b"" | b"id" | b"retry", _) => {}
                (b"event", _) => event = Some(line.value),
                (b"data", None) => first = Some(line.value),
                (b"data", Some(first)) => {
                    let joined = joined.get_or_insert_with(|| raw[Range::clone(first)].to_vec());
                    joined.push(b'\n');
                    joined.extend_from_slice(&raw[line.value]);
                }
                _ => is_foreign = true,
            }
        }
        let data = match (joined, first) {
            (Some(joined), _) => Data::Joined(joined.into()),
            (None, Some(value)) => Data::Line(value),
            (None, None) => Data::None,
        };
        Frame { raw, lines_start, event, data, is_foreign }
    }

    /// A message of a transport that frames by itself: all of it is data, and other data takes its place as it is.
    pub fn message(raw: Bytes) -> Self {
        Frame { raw, lines_start: 0, event: None, data: Data::Whole, is_foreign: false }
    }

    /// All bytes of the frame, with its comments and the blank line that ends it.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The event name, if one is given and not empty. Bytes that are not UTF-8 read as U+FFFD.
    pub fn event(&self) -> Option<Cow<'_, str>> {
        let range = self.event.clone().filter(|range| !range.is_empty())?;
        Some(String::from_utf8_lossy(&self.raw[range]))
    }

    /// Whether the frame has a data line; without one a client sees no event.
    pub fn has_data(&self) -> bool {
        self.data != Data::None
    }

    /// Whether it has a line that no stream of events has: clients pass it over, or take all of it for something else.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// The data; empty if there is none.
    pub fn data(&self) -> &[u8] {
        match &self.data {
            Data::None => &[],
            Data::Line(range) => &self.raw[range.clone()],
            Data::Joined(joined) => joined,
            Data::Whole => &self.raw,
        }
    }

    /// Where in the raw bytes the data stands, if it is one line.
    pub fn data_range(&self) -> Option<Range<usize>> {
        match &self.data {
            Data::Line(range) => Some(range.clone()),
            Data::Whole => Some(0..self.raw.len()),
            Data::None | Data::Joined(_) => None,
        }
    }

    /// The frame with other data. All other lines stay as they are; a line break in the data begins a new data line.
    pub fn with_data(&self, data: &[u8]) -> Bytes {
        if self.data == Data::Whole {
            return Bytes::copy_from_slice(data);
        }
        let mut out = BytesMut::with_capacity(self.raw.len() + data.len() + 16);
        out.put_slice(&self.raw[..self.lines_start]);
        let mut is_written = false;
        for line in Lines::new(&self.raw, self.lines_start) {
            let is_data = &self.raw[line.name.clone()] == b"data";
            let is_end = line.whole.end == self.raw.len();
            if !is_written && (is_data || is_end) {
                is_written = true;
                let has_space = !is_data || self.raw[line.name.end..].starts_with(b": ") || data.starts_with(b" ");
                let is_bare = is_data && line.name.end == line.content_end;
                put_data(&mut out, data, has_space || is_bare, &self.raw[line.content_end..line.whole.end]);
            }
            if !is_data {
                if out.ends_with(b"\r") && self.raw[line.whole.start] == b'\n' {
                    // The line between them is gone: alone the two would be one line break and not two.
                    out.put_u8(b'\n');
                }
                out.put_slice(&self.raw[line.whole]);
            }
        }
        out.freeze()
    }
}

/// How large the frame is, not what it says: that may be secret.
impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Frame");
        out.field("raw_bytes", &self.raw.len()).field("data_bytes", &self.data().len()).finish_non_exhaustive()
    }
}

fn put_data(out: &mut BytesMut, data: &[u8], has_space: bool, line_end: &[u8]) {
    let name: &[u8] = if has_space { b"data: " } else { b"data:" };
    let mut rest = data;
    loop {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        out.put_slice(name);
        out.put_slice(&rest[..end]);
        out.put_slice(line_end);
        let Some(length) = line_break(&rest[end..]) else { return };
        rest = &rest[end + length..];
    }
}

/// Where the parts of one line stand.
struct Line {
    /// With the line break.
    whole: Range<usize>,
    /// Where the line break begins.
    content_end: usize,
    /// Empty for a comment and for a blank line.
    name: Range<usize>,
    /// Without the colon and one space behind it.
    value: Range<usize>,
}

struct Lines<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn new(raw: &'a [u8], at: usize) -> Self {
        Lines { raw, at }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let start = self.at;
        let rest = self.raw.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let content = &rest[..length];
        let content_end = start + length;
        self.at = content_end + line_break(&rest[length..]).unwrap_or(0);
        let colon = memchr(b':', content).unwrap_or(length);
        let space = usize::from(content.get(colon + 1) == Some(&b' '));
        let value = content_end.min(start + colon + 1 + space)..content_end;
        Some(Line { whole: start..self.at, content_end, name: start..start + colon, value })
    }
}

/// How long the line break at the start of these bytes is.
fn line_break(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}
