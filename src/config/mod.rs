//! `gateway.yaml` as typed data: text in, [`File`] out, mistakes with line and column.

mod coherence;
mod effective;
mod explain;
mod file;
mod keys;
mod mistake;
mod node;
mod overrides;
mod parse;
mod policies;
mod reader;
mod reference;
mod rules;
mod teams;
mod units;
mod upstreams;

pub use explain::explain;
pub use file::*;
pub use mistake::{Mistake, Mistakes, Warnings};
pub use overrides::Overrides;
pub use parse::Reading;
pub use reference::{Reference, Resolve};
pub use rules::{ReadRules, RuleMistake};

#[cfg(test)]
mod tests;
