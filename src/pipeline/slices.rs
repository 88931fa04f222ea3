//! What a tool is called with and set up by, as real JSON: read string by string like all of a body, and once more as the
//! text it is written as. Only there stand a name and its value in members of their own, a key in an array of its lines, and
//! numbers. The same is done with JSON inside strings.

use std::ops::Range;
use std::sync::Arc;

use super::body::Reading;
use super::locate::{Located, scan_whole};
use super::past::Past;
use super::seen::Clean;
use super::tools::Tools;
use crate::domain::{Finding, Place, Secret, Source};
use crate::providers::Leaf;
use crate::scan::Hit;
use crate::wire::json::{Path, Step};

/// Longest object or list that is read so; of a longer one, those in it.
const SLICE_BYTES_MAX: usize = 16 << 10;
/// Objects and lists of one document that are read so.
const SLICES_MAX: usize = 4096;
/// Members of a tool's description that describe its input: names of passwords stand there, and no passwords.
const SCHEMA_KEYS: [&str; 3] = ["input_schema", "parameters", "function"];

/// Objects and lists to be read as text, in their order.
#[derive(Default)]
pub(super) struct Slices {
    /// The depth and the source of the outermost one that is open, and its path.
    area: Option<(usize, Source, Arc<str>)>,
    /// Where the open ones begin.
    open: Vec<usize>,
    found: Vec<Slice>,
}

struct Slice {
    range: Range<usize>,
    source: Source,
    path: Arc<str>,
    message: Option<u32>,
}

/// A hit in one of them.
#[derive(Clone, Debug)]
pub(super) struct SliceHit {
    rule: usize,
    secret: Range<usize>,
    slice: Range<usize>,
    source: Source,
    path: Arc<str>,
    message: Option<u32>,
}

impl Slices {
    /// An object or list begins at `at`. `leaf` says what a string in its place would be, `shown` how people write that.
    pub(super) fn enter(
        &mut self,
        path: &Path,
        at: usize,
        leaf: impl FnOnce() -> Leaf,
        shown: impl FnOnce() -> String,
    ) {
        if self.area.is_none() {
            let is_setting = match path.steps() {
                [Step::Key(key)] => key == "metadata",
                [Step::Key(list), Step::Index(_), Step::Key(key)] => {
                    list == "tools" && !SCHEMA_KEYS.contains(&key.as_str())
                }
                _ => false,
            };
            let source = match leaf() {
                Leaf::Text(Source::ToolInput) => Source::ToolInput,
                // Whose message it is may be said behind it.
                Leaf::Text(source) if path.last_key() == Some("input") && path.depth() > 1 => source,
                Leaf::Text(source) if is_setting => source,
                _ => return,
            };
            self.area = Some((path.depth(), source, shown().into()));
        }
        self.open.push(at);
    }

    /// One ends before `end`.
    pub(super) fn leave(&mut self, path: &Path, end: usize, message: Option<u32>) {
        let Some((depth, source, shown)) = &self.area else { return };
        let Some(start) = self.open.pop() else { return };
        if end - start <= SLICE_BYTES_MAX {
            let inside = self.found.iter().rev().take_while(|it| it.range.start >= start).count();
            self.found.truncate(self.found.len() - inside);
            if self.found.len() < SLICES_MAX {
                self.found.push(Slice { range: start..end, source: *source, path: shown.clone(), message });
            }
        }
        if path.depth() <= *depth {
            self.area = None;
        }
    }

    /// Reads them in the whole document; what holds something is not to be learned.
    pub(super) fn read(&self, raw: &[u8], reading: &Reading, past: &mut Past, tools: &mut Tools) -> Vec<SliceHit> {
        let mut found = Vec::new();
        for slice in &self.found {
            let hits = scan(&raw[slice.range.clone()], slice.source, reading);
            if !hits.is_empty() {
                past.spoil(slice.range.start);
                tools.spoil(slice.range.start);
            }
            found.extend(hits.into_iter().map(|hit| SliceHit {
                rule: hit.rule,
                secret: hit.secret,
                slice: slice.range.clone(),
                source: slice.source,
                path: slice.path.clone(),
                message: slice.message,
            }));
        }
        found
    }
}

impl SliceHit {
    /// With the raw bytes it stands in. What is no part of a string cannot be replaced by a label.
    pub(super) fn located(self, raw: &[u8], reading: &Reading) -> Located {
        let text = &raw[self.slice.clone()];
        let rule = reading.engine.rules()[self.rule].clone();
        let place = Place { message: self.message, path: self.path.as_ref().into(), line: 1 };
        let secret = String::from_utf8_lossy(&text[self.secret.clone()]).into_owned();
        let range = self.slice.start + self.secret.start..self.slice.start + self.secret.end;
        Located {
            finding: Finding { rule, source: self.source, place, span: self.secret.clone(), value: None },
            pieces: vec![range],
            sealed: !is_in_strings(text, &self.secret),
            shadowed: true,
            text: Secret::new(secret),
        }
    }
}

fn scan(slice: &[u8], source: Source, reading: &Reading) -> Vec<Hit> {
    let mut about = *b"slice-----------------";
    about[6..14].copy_from_slice(&reading.rules.number.to_le_bytes());
    about[14] = source as u8;
    let seen = reading.seen.as_ref().map(|seen| (seen, seen.digest(slice, &about)));
    if seen.is_some_and(|(seen, digest)| seen.recall(digest).is_some()) {
        return Vec::new();
    }
    // What else is written in disguise was read in its string; letters as numbers may hide a name from its value.
    let views = reading.views && memchr::memmem::find(slice, b"\\u").is_some();
    let reading = &Reading { views, ..reading.clone() };
    let mut hits = scan_whole(reading, source, &String::from_utf8_lossy(slice));
    // Code stands in the strings, which were read by themselves; with its escapes it is no code.
    hits.retain(|hit| reading.engine.rules()[hit.rule].checker.name() != "vuln");
    hits.iter_mut().for_each(|hit| hit.secret = super::locate::whole_escapes(slice, &hit.secret));
    if let (Some((seen, digest)), true) = (seen, hits.is_empty()) {
        seen.remember(digest, Clean { length: slice.len() as u64, skipped: None });
    }
    hits
}

/// Whether both ends of a stretch of JSON lie in strings.
fn is_in_strings(text: &[u8], span: &Range<usize>) -> bool {
    let (mut in_string, mut is_escaped, mut begins_in) = (false, false, false);
    for (at, byte) in text[..span.end].iter().enumerate() {
        begins_in |= at == span.start && in_string;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    begins_in && in_string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_asked_for() {
        let text = br#"{"a":"b\"c","d":12}"#;
        assert!(is_in_strings(text, &(6..10)) && is_in_strings(text, &(9..10)) && is_in_strings(text, &(2..7)));
        assert!(!is_in_strings(text, &(16..18)) && !is_in_strings(text, &(6..11)) && !is_in_strings(text, &(5..7)));
    }
}
