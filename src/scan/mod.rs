//! The engine: all rules, one pass, any chunking.

mod compile;
mod digits;
mod engine;
mod error;
mod keywords;
mod region;
mod runs;
mod spec;
mod stream;
mod validate;

pub use engine::{Engine, RuleSet};
pub use error::{Mistake, RuleError};
pub use spec::{Confirm, Lead, Pattern, RuleSpec, Trigger};
pub use stream::{Hit, Stream};

#[cfg(test)]
mod tests;
