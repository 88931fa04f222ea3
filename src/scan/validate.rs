//! Checks on a match that a regex cannot make. Replaced at merge.

use super::Confirm;

impl Confirm {
    /// Whether the check accepts this secret, found within this whole match. Replaced at merge: accepts everything.
    pub fn accepts(&self, _secret: &[u8], _whole: &[u8]) -> bool {
        true
    }
}
