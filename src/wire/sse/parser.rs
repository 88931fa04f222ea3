//! The push parser: finds where frames end. What a frame says is read when it is taken.

use std::collections::VecDeque;
use std::fmt;

use bytes::{BufMut, BytesMut};
use memchr::memchr2;

use super::Frame;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Cuts a stream into frames. As an iterator it yields those that are whole so far; `None` means more bytes are needed.
///
/// Take all frames after each push: the parser holds one frame of at most the given size and what was not taken.
pub struct Parser {
    frame_bytes_max: usize,
    /// The bytes that no frame has taken with it; first the whole frames, then the one that is growing.
    buffer: BytesMut,
    /// Lengths of the whole frames at the front of the buffer.
    whole: VecDeque<usize>,
    /// Where in the buffer the growing frame begins, its last line begins, and the search for a line end goes on.
    frame_start: usize,
    line_start: usize,
    searched: usize,
    previous: LineEnd,
    /// The last frame ended with a bare CR: an LF that follows directly ends no line.
    skips_line_feed: bool,
    is_first_line: bool,
    is_first_frame: bool,
    has_failed: bool,
}

/// How the line before the current one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    CarriageReturn,
    /// LF, CRLF, or there was no line.
    Other,
}

/// A frame has more bytes than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLarge {
    /// The limit in bytes.
    pub frame_bytes_max: usize,
}

impl Parser {
    /// A parser at the start of a stream that refuses larger frames than this.
    pub fn new(frame_bytes_max: usize) -> Self {
        Parser {
            frame_bytes_max,
            buffer: BytesMut::new(),
            whole: VecDeque::new(),
            frame_start: 0,
            line_start: 0,
            searched: 0,
            previous: LineEnd::Other,
            skips_line_feed: false,
            is_first_line: true,
            is_first_frame: true,
            has_failed: false,
        }
    }

    /// Takes the next bytes of the stream. After an error every further call returns the same error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FrameTooLarge> {
        self.buffer.put_slice(bytes);
        while !self.has_failed
            && let Some(end) = self.next_line_end()
        {
            self.end_line(end);
        }
        self.check_size(self.buffer.len());
        if self.has_failed { Err(FrameTooLarge { frame_bytes_max: self.frame_bytes_max }) } else { Ok(()) }
    }

    /// Says that no more bytes come: a blank line that ended with CR now needs no LF. Goes on to yield frames.
    pub fn finish(&mut self) -> Option<Frame> {
        if !self.has_failed && self.buffer.len() == self.searched + 1 && self.buffer[self.searched] == b'\r' {
            self.end_line(self.buffer.len());
        }
        self.next()
    }

    /// The bytes behind the last whole frame: a frame that did not end, which clients discard.
    pub fn tail(&self) -> &[u8] {
        &self.buffer[self.frame_start..]
    }

    /// Where the line that is growing ends, if that can be told.
    fn next_line_end(&mut self) -> Option<usize> {
        if self.skips_line_feed && self.line_start < self.buffer.len() {
            self.skips_line_feed = false;
            if self.buffer[self.line_start] == b'\n' {
                self.line_start += 1;
                self.searched = self.line_start;
            }
        }
        let Some(found) = memchr2(b'\r', b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let at = self.searched + found;
        if self.buffer[at] == b'\n' {
            return Some(at + 1);
        }
        if self.is_blank(at) && self.previous == LineEnd::CarriageReturn {
            // The stream ends its lines with bare CRs: waiting for an LF would hold this frame back for nothing.
            return Some(at + 1);
        }
        self.searched = at;
        match self.buffer.get(at + 1) {
            None => None,
            Some(b'\n') => Some(at + 2),
            Some(_) => Some(at + 1),
        }
    }

    fn is_blank(&self, end: usize) -> bool {
        let line = &self.buffer[self.line_start..end];
        line.is_empty() || (self.is_first_line && line == BYTE_ORDER_MARK)
    }

    /// Ends the line that is growing at `end`, behind its line break, and the frame if the line is blank.
    fn end_line(&mut self, end: usize) {
        let is_bare = self.buffer[end - 1] == b'\r';
        let is_pair = self.buffer[self.line_start..end].ends_with(b"\r\n");
        let is_blank = self.is_blank(end - if is_pair { 2 } else { 1 });
        let was_bare = self.previous == LineEnd::CarriageReturn;
        self.is_first_line = false;
        self.previous = if is_bare { LineEnd::CarriageReturn } else { LineEnd::Other };
        self.line_start = end;
        self.searched = end;
        if is_blank {
            self.check_size(end);
            if self.has_failed {
                return;
            }
            self.whole.push_back(end - self.frame_start);
            self.frame_start = end;
            self.skips_line_feed = is_bare && was_bare;
        }
    }

    fn check_size(&mut self, end: usize) {
        self.has_failed |= end - self.frame_start > self.frame_bytes_max;
    }
}

impl Iterator for Parser {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let length = self.whole.pop_front()?;
        let raw = self.buffer.split_to(length).freeze();
        self.frame_start -= length;
        self.line_start -= length;
        self.searched -= length;
        let is_first = std::mem::replace(&mut self.is_first_frame, false);
        let mark = if is_first && raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Some(Frame::read(raw, mark))
    }
}

/// How much the parser holds, not what: that may be secret.
impl fmt::Debug for Parser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Parser");
        out.field("held_bytes", &self.buffer.len()).field("whole_frames", &self.whole.len()).finish_non_exhaustive()
    }
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an event of the stream has more than {} bytes", self.frame_bytes_max)
    }
}

impl std::error::Error for FrameTooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_bytes_are_searched_once() {
        let mut parser = Parser::new(2 << 20);
        parser.push(b"data: ").expect("small");
        for _ in 0..1 << 20 {
            parser.push(b"x").expect("below the limit");
            assert_eq!(parser.searched, parser.buffer.len());
        }
        parser.push(b"\n\n").expect("below the limit");
        assert_eq!(parser.next().map(|frame| frame.data().len()), Some(1 << 20));
        assert_eq!((parser.searched, parser.buffer.len()), (0, 0));
    }
}
