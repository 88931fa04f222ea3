//! From findings to a verdict, and which team may use which models under which checks.

mod allowlist;
mod condition;
mod decide;
mod exception;
mod overlay;
mod quarantine;
#[cfg(test)]
mod tests;

pub use allowlist::{Allowlist, Pattern};
pub use decide::{Input, Policies, by_default};
pub use overlay::Overlay;
pub use quarantine::{Subject, Windows, counted};
