//! Which file a tool's input writes: its name tells the language of the code beside it, in the same object.

use crate::scan::{Block, Language};
use crate::wire::json::{LeafAt, NodeAt};

/// Keys under which coding agents' tools take a file's name.
const NAME_KEYS: [&str; 6] = ["file_path", "filePath", "path", "filename", "target_file", "relative_path"];
/// Keys of text that an edit takes away.
const OLD_KEYS: [&str; 5] = ["old_string", "old_str", "oldString", "old_text", "oldText"];

/// The file that was named last, at one place of a document.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Level and depth of the object that names it, and what its name tells.
    file: Option<(usize, usize, Language)>,
}

impl Written {
    /// Whether the leaf's value is the name of a file.
    pub(super) fn is_name(leaf: &LeafAt<'_>) -> bool {
        key(leaf).is_some_and(|key| NAME_KEYS.contains(&key))
    }

    /// A file's name was read.
    pub(super) fn name(&mut self, leaf: &LeafAt<'_>, name: &str) {
        self.file = Language::of_path(name).map(|language| (leaf.level, depth(leaf), language));
    }

    /// An object or list ends: what stood in it says nothing of what follows.
    pub(super) fn leave(&mut self, node: &NodeAt<'_>) {
        let depth = node.inner.unwrap_or(node.path).depth();
        if self.file.is_some_and(|(level, named, _)| node.level < level || (node.level == level && depth < named)) {
            self.file = None;
        }
    }

    /// What the text of a leaf is, if the tool's input says so.
    pub(super) fn block(&self, leaf: &LeafAt<'_>) -> Option<Block> {
        if key(leaf).is_some_and(|key| OLD_KEYS.contains(&key)) {
            return Some(Block::Removed);
        }
        let (level, named, language) = self.file?;
        (level == leaf.level && depth(leaf) >= named).then_some(Block::Code(Some(language)))
    }
}

fn key<'a>(leaf: &LeafAt<'a>) -> Option<&'a str> {
    leaf.inner.unwrap_or(leaf.path).last_key()
}

fn depth(leaf: &LeafAt<'_>) -> usize {
    leaf.inner.unwrap_or(leaf.path).depth()
}
