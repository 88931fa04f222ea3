//! What one pass over a document found out.

use std::ops::Range;

use super::slices::SliceHit;
use crate::domain::{Coverage, Skipped, Source};
use crate::wire::json::Place;

/// A hit with all that is needed to find it again in the raw bytes.
#[derive(Clone, Debug)]
pub(super) struct LeafHit {
    pub(super) rule: usize,
    pub(super) secret: Range<usize>,
    pub(super) place: Place,
    pub(super) source: Source,
    /// In signed text.
    pub(super) sealed: bool,
    /// In the text of a string that is itself valid JSON, whose inner strings were scanned, too.
    pub(super) shadowed: bool,
    pub(super) path: String,
    pub(super) message: Option<u32>,
}

/// A hit over the border of adjacent text blocks.
#[derive(Clone, Debug)]
pub(super) struct SeamHit {
    pub(super) rule: usize,
    pub(super) pieces: Vec<(Place, Range<usize>)>,
    pub(super) source: Source,
    pub(super) message: Option<u32>,
}

/// A leaf that did not prove to be opaque, or that may hold a placeholder: to be read again from the raw bytes.
#[derive(Clone, Debug)]
pub(super) struct LeafRef {
    pub(super) place: Place,
    pub(super) source: Source,
    pub(super) path: String,
    pub(super) message: Option<u32>,
    /// Under a key that names a command.
    pub(super) is_command: bool,
    /// Whether inner strings of it stand in the list on their own.
    pub(super) has_inner: bool,
}

/// Everything one pass over the document found out.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) hits: Vec<LeafHit>,
    pub(super) seam_hits: Vec<SeamHit>,
    pub(super) slice_hits: Vec<SliceHit>,
    /// Leaves that did not prove to be what they should be, and for which reason they would not have been read.
    pub(super) rescans: Vec<(LeafRef, Skipped)>,
    /// All text leaves, when asked for.
    pub(super) leaves: Option<Vec<LeafRef>>,
    pub(super) models: Vec<String>,
    pub(super) session: Option<String>,
    pub(super) streamed: bool,
    pub(super) coverage: Coverage,
    /// More hits than the limit.
    pub(super) overflow: bool,
    /// JSON inside a string goes deeper than the limit, so that escapes in it were not undone.
    pub(super) too_deep: bool,
    /// Keyed hash of the last message's text.
    pub(super) last_message: u64,
}
