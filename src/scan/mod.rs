//! The engine: all rules, one pass, any chunking.

mod spec;

pub use spec::{Confirm, Lead, Pattern, RuleSpec, Trigger};
