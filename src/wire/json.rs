//! Push JSON lexer (skeleton: only what the rooms above name).

/// One step from a container to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object; the decoded key, cut at 128 bytes.
    Key(String),
    /// An element of an array.
    Index(u32),
}

/// Where the lexer stands, from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
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

    /// The last step's key, if it is a key.
    pub fn last_key(&self) -> Option<&str> {
        self.steps.len().checked_sub(1).and_then(|last| self.key(last))
    }
}
