//! Where a leaf stands, as people write it.

use crate::wire::json::{LeafAt, NodeAt, Path, Step};

/// The path as people write it: `messages[3].content[0].text`, and `→` into JSON inside a string.
pub(super) fn path_text(leaf: &LeafAt<'_>) -> String {
    let mut text = String::new();
    write_path(leaf.path, &mut text);
    if let Some(inner) = leaf.inner {
        text.push('→');
        write_path(inner, &mut text);
    }
    text
}

/// The same for an object or list of the outer document.
pub(super) fn node_text(node: &NodeAt<'_>) -> String {
    let mut text = String::new();
    write_path(node.path, &mut text);
    text
}

fn write_path(path: &Path, text: &mut String) {
    for (depth, step) in path.steps().iter().enumerate() {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            // A key may be hostile or itself a secret: only plain names are shown.
            Step::Key(key) if key.len() <= 32 && key.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') => {
                if depth > 0 && !text.ends_with('→') {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Key(_) => text.push_str(".…"),
        }
    }
}
