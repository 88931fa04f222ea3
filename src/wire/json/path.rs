//! Where in a document the lexer stands: keys and indices from the root, without an allocation per key.

/// Keys are kept up to this many bytes, so that a hostile key cannot make every path heavy.
const KEY_BYTES_MAX: usize = 128;

/// One step from a container to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object; the decoded key, cut at 128 bytes.
    Key(String),
    /// An element of an array.
    Index(u32),
}

/// Where the lexer stands, from the root.
#[derive(Debug, Default)]
pub struct Path {
    steps: Vec<Step>,
    /// Emptied strings of keys that were left, to be used by the next key.
    spare: Vec<String>,
}

impl Path {
    /// Steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The key at `depth` from the root, if that step is a key.
    pub fn key(&self, depth: usize) -> Option<&str> {
        match self.steps.get(depth) {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The index at `depth` from the root, if that step is an index.
    pub fn index(&self, depth: usize) -> Option<u32> {
        match self.steps.get(depth) {
            Some(Step::Index(index)) => Some(*index),
            _ => None,
        }
    }

    /// The last step's key, if it is a key.
    pub fn last_key(&self) -> Option<&str> {
        self.steps.len().checked_sub(1).and_then(|last| self.key(last))
    }

    /// How many steps lie between the root and here.
    pub fn depth(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn push_key(&mut self, key: String) {
        self.steps.push(Step::Key(key));
    }

    pub(super) fn push_index(&mut self) {
        self.steps.push(Step::Index(0));
    }

    /// Moves on by so many elements of the array the last step belongs to.
    pub(super) fn skip_index(&mut self, elements: u32) {
        if let Some(Step::Index(index)) = self.steps.last_mut() {
            *index = index.saturating_add(elements);
        }
    }

    pub(super) fn pop(&mut self) {
        if let Some(Step::Key(key)) = self.steps.pop() {
            self.spare.push(key);
        }
    }

    pub(super) fn clear(&mut self) {
        while !self.steps.is_empty() {
            self.pop();
        }
    }

    fn spare_key(&mut self) -> String {
        let mut key = self.spare.pop().unwrap_or_default();
        key.clear();
        key
    }
}

impl Clone for Path {
    fn clone(&self) -> Self {
        Path { steps: self.steps.clone(), spare: Vec::new() }
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.steps == other.steps
    }
}

impl Eq for Path {}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Self {
        Path { steps, spare: Vec::new() }
    }
}

/// A key while its text arrives.
#[derive(Default)]
pub(super) struct GrowingKey {
    text: String,
    /// Set by the first character that did not fit: what is kept is a prefix however the text was cut.
    full: bool,
}

impl GrowingKey {
    pub(super) fn start(&mut self, path: &mut Path) {
        self.text = path.spare_key();
        self.full = false;
    }

    pub(super) fn append(&mut self, piece: &str) {
        if self.full {
            return;
        }
        let room = KEY_BYTES_MAX - self.text.len();
        if piece.len() <= room {
            self.text.push_str(piece);
        } else {
            self.text.push_str(&piece[..piece.floor_char_boundary(room)]);
            self.full = true;
        }
    }

    pub(super) fn end(&mut self, path: &mut Path) {
        path.push_key(std::mem::take(&mut self.text));
    }
}
