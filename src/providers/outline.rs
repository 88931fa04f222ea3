//! One stream event's JSON as a flat list of its leaves, which an event's reader matches against the places it knows.

use std::ops::Range;

use super::keys::known;
use crate::wire::json::{Container, Lexer, Limits, Path, Role, Step, Visitor};

/// Nesting of an event. Deeper ones are not this dialect's.
const DEPTH_MAX: u32 = 64;

/// Leaves of an event. The longest real events (a whole answer repeated at its end) have some thousands.
const ENTRIES_MAX: usize = 1 << 16;

/// Steps of a path that are kept: no known place lies deeper.
const STEPS_MAX: usize = 12;

/// Bytes kept of a short string (types, ids, names of models).
const CAPTURED_BYTES_MAX: usize = 256;

/// Largest number up to which a double tells each from the next.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Members whose values are kept, for they tell what an event is about.
const CAPTURED: [&str; 5] = ["finish_reason", "id", "model", "status", "type"];

/// One step of a leaf's path. Keys that no reader knows are the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Key(&'static str),
    Index(u32),
}

/// A leaf, or a key that no reader knows.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    path: Range<usize>,
    value: Value,
}

impl Entry {
    /// Raw bytes of a string that is not empty, inside its quotes.
    pub(super) fn text(&self) -> Option<Range<usize>> {
        match &self.value {
            Value::Text { raw, .. } if !raw.is_empty() => Some(raw.clone()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Value {
    Text { raw: Range<usize>, captured: Option<Range<usize>> },
    Number(u64),
}

/// Why an event cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The leaves of the event read last.
#[derive(Debug)]
pub(super) struct Outline {
    lexer: Lexer,
    leaves: Leaves,
}

#[derive(Debug, Default)]
struct Leaves {
    steps: Vec<At>,
    entries: Vec<Entry>,
    captured: String,
    /// Where the captured text of the string being read begins, if it is one to capture.
    capturing: Option<usize>,
    start: usize,
    /// The keys that a reader knows of the objects that are open, and where those of each object begin.
    keys: Vec<&'static str>,
    objects: Vec<usize>,
    /// There are too many leaves, or one object has two equal keys: clients differ in which of them they keep.
    is_unreadable: bool,
}

impl Default for Outline {
    fn default() -> Self {
        Outline { lexer: Lexer::new(Limits { depth_max: DEPTH_MAX }), leaves: Leaves::default() }
    }
}

impl Outline {
    /// Reads one event in place of the last one.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        self.lexer.reset();
        self.leaves.clear();
        let read = self.lexer.push(data, &mut self.leaves);
        let whole = read.and_then(|()| self.lexer.finish(&mut self.leaves));
        if whole.is_err() || self.leaves.is_unreadable {
            self.leaves.clear();
            return Err(Unreadable);
        }
        Ok(())
    }

    /// All leaves in their order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.leaves.entries
    }

    /// Where a leaf stands.
    pub(super) fn path(&self, entry: &Entry) -> &[At] {
        self.leaves.path(entry)
    }

    /// The captured string at `path`, if it is not empty.
    pub(super) fn string(&self, path: &[At]) -> Option<&str> {
        let entry = self.entries().iter().find(|entry| self.path(entry) == path)?;
        self.captured(entry).filter(|text| !text.is_empty())
    }

    /// The captured text of a leaf.
    pub(super) fn captured(&self, entry: &Entry) -> Option<&str> {
        match &entry.value {
            Value::Text { captured: Some(range), .. } => self.leaves.captured.get(range.clone()),
            _ => None,
        }
    }

    /// The whole number at `path`.
    pub(super) fn number(&self, path: &[At]) -> Option<u64> {
        self.number_in(self.entries(), path)
    }

    /// The whole number at `path` among some of the entries.
    pub(super) fn number_in(&self, entries: &[Entry], path: &[At]) -> Option<u64> {
        match entries.iter().find(|entry| self.path(entry) == path)?.value {
            Value::Number(number) => Some(number),
            Value::Text { .. } => None,
        }
    }

    /// `entries` in runs whose paths share their first `depth` steps; shorter paths stand alone or together.
    pub(super) fn runs<'a>(&'a self, entries: &'a [Entry], depth: usize) -> impl Iterator<Item = &'a [Entry]> {
        entries.chunk_by(move |left, right| {
            let (left, right) = (self.path(left), self.path(right));
            left.iter().take(depth).eq(right.iter().take(depth))
        })
    }
}

impl Leaves {
    fn clear(&mut self) {
        self.steps.clear();
        self.entries.clear();
        self.captured.clear();
        self.capturing = None;
        self.keys.clear();
        self.objects.clear();
        self.is_unreadable = false;
    }

    fn path(&self, entry: &Entry) -> &[At] {
        self.steps.get(entry.path.clone()).unwrap_or_default()
    }

    fn add(&mut self, path: &Path, key: bool, value: Value) {
        if self.entries.len() >= ENTRIES_MAX {
            self.is_unreadable = true;
            return;
        }
        let first = self.steps.len();
        self.steps.extend(path.steps().iter().take(STEPS_MAX).map(|step| match step {
            Step::Key(key) => At::Key(known(key)),
            Step::Index(index) => At::Index(*index),
        }));
        if key {
            self.steps.push(At::Key(""));
        }
        self.entries.push(Entry { path: first..self.steps.len(), value });
    }

    /// A key of the innermost object that a reader knows.
    fn add_key(&mut self, key: &'static str) {
        let first = self.objects.last().copied().unwrap_or_default();
        self.is_unreadable |= self.keys.get(first..).is_some_and(|keys| keys.contains(&key));
        if !self.is_unreadable {
            self.keys.push(key);
        }
    }
}

impl Visitor for Leaves {
    fn enter(&mut self, _path: &Path, container: Container, _at: usize) {
        if container == Container::Object {
            self.objects.push(self.keys.len());
        }
    }

    fn leave(&mut self, _path: &Path, container: Container, _at: usize) {
        if container == Container::Object {
            self.keys.truncate(self.objects.pop().unwrap_or_default());
        }
    }

    fn string_start(&mut self, path: &Path, role: Role, start: usize) {
        self.start = start;
        let captured = match role {
            Role::Key => true,
            Role::Value => path.last_key().is_some_and(|key| CAPTURED.contains(&key)),
        };
        self.capturing = captured.then_some(self.captured.len());
    }

    fn text(&mut self, decoded: &str) {
        let Some(first) = self.capturing else { return };
        let room = CAPTURED_BYTES_MAX.saturating_sub(self.captured.len() - first);
        self.captured.push_str(decoded.get(..decoded.floor_char_boundary(room)).unwrap_or_default());
    }

    fn string_end(&mut self, path: &Path, role: Role, end: usize) {
        let raw = self.start..end;
        let captured = self.capturing.take().map(|first| first..self.captured.len());
        match (role, captured) {
            (Role::Value, captured) => self.add(path, false, Value::Text { raw, captured }),
            (Role::Key, Some(captured)) => {
                match known(self.captured.get(captured.clone()).unwrap_or_default()) {
                    "" => self.add(path, true, Value::Text { raw, captured: None }),
                    key => self.add_key(key),
                }
                self.captured.truncate(captured.start);
            }
            (Role::Key, None) => {}
        }
    }

    fn scalar(&mut self, path: &Path, raw: &[u8], _at: usize) {
        // Nobody asks for the numbers of a list, and `logprobs` have hundreds for each token.
        if let (Some(_), Some(number)) = (path.last_key(), whole_number(raw)) {
            self.add(path, false, Value::Number(number));
        }
    }
}

/// A number without a fraction, in whatever form: `1`, `1.0` and `1e0` are the same for those who read them.
fn whole_number(raw: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(raw).ok()?;
    let by_value = || digits.parse::<f64>().ok().filter(|it| it.fract() == 0.0 && (0.0..=EXACT_MAX).contains(it));
    digits.parse().ok().or_else(|| by_value().map(|it| it as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_two_equal_keys_is_unreadable() {
        let mut outline = Outline::default();
        for data in [
            r#"{"delta":{"text":"a","text":null}}"#,
            r#"{"delta":{"text":"a","t\u0065xt":"a"}}"#,
            r#"{"delta":{"text":"a"},"delta":{}}"#,
            r#"{"choices":[{"index":1.5,"delta":{},"index":0}],"id":"x"}"#,
            r#"{"x":[{"choices":[],"id":{"id":1},"choices":[]}]}"#,
        ] {
            assert_eq!(outline.read(data.as_bytes()), Err(Unreadable), "{data}");
        }
        let data = r#"{"delta":{"delta":1,"text":[{"text":"a"},{"text":"b"}]},"text":"c","own":1,"own":2}"#;
        assert_eq!(outline.read(data.as_bytes()), Ok(()));
        assert_eq!(outline.number(&[At::Key("delta"), At::Key("delta")]), Some(1));
    }

    #[test]
    fn a_whole_number_is_one_in_every_form() {
        for (raw, number) in [("1", Some(1)), ("1.0", Some(1)), ("1e0", Some(1)), ("10E-1", Some(1)), ("-0", Some(0))] {
            assert_eq!(whole_number(raw.as_bytes()), number, "{raw}");
        }
        for raw in ["-1", "1.5", "1e300", "true", "null"] {
            assert_eq!(whole_number(raw.as_bytes()), None, "{raw}");
        }
    }
}
