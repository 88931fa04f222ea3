//! What is different between two texts, for people: lines with their surroundings, bounded in time and length.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use similar::{Algorithm, ChangeTag, TextDiff};

/// Lines that stand unchanged around a change.
const AROUND: usize = 3;
/// After this long the difference is shown more roughly.
const DEADLINE: Duration = Duration::from_millis(500);

/// A difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(in crate::control) struct Difference {
    /// As `diff -u` writes it; empty where both are the same.
    pub(in crate::control) unified: String,
    /// Lines that came.
    pub(in crate::control) added: usize,
    /// Lines that went.
    pub(in crate::control) removed: usize,
}

/// What is different in `after`.
pub(in crate::control) fn difference(before: &str, after: &str) -> Difference {
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(DEADLINE).diff_lines(before, after);
    let count = |tag: ChangeTag| diff.iter_all_changes().filter(|it| it.tag() == tag).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let unified = diff.unified_diff().context_radius(AROUND).header("published", "draft").to_string();
    Difference { unified, added, removed }
}

impl Difference {
    /// How much is different, where the lines themselves are nobody's business yet.
    pub(super) fn counted(&self) -> String {
        format!("+{} -{} lines", self.added, self.removed)
    }

    /// The lines themselves, for records.
    pub(super) fn shown(&self) -> String {
        format!("{}\n{}", self.counted(), self.unified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_lines_with_their_surroundings() {
        let it = difference("a\nb\nc\n", "a\nB\nc\n");
        assert_eq!((it.added, it.removed), (1, 1));
        assert_eq!(it.unified, "--- published\n+++ draft\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(difference("a\n", "a\n"), Difference::default());
    }
}
