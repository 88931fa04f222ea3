//! The engine: all rules, one pass, any chunking.

mod spec;
mod validate;

pub use spec::{Confirm, Lead, Pattern, RuleSpec, Trigger};
