//! The engine: all rules, one pass, any chunking.

mod assignment;
mod bits;
mod compile;
mod digits;
mod engine;
mod error;
mod hints;
mod hold;
mod keywords;
pub mod known;
mod place;
mod region;
mod runs;
mod scanner;
mod seam;
mod spec;
mod stream;
mod validate;
mod views;

pub use assignment::{Read, read as read_assignment};
pub use engine::{Engine, RuleSet};
pub use error::{Mistake, RuleError};
pub use known::{FingerprintKey, Known};
pub use place::{Block, Language, Languages, Surroundings};
pub use scanner::Scanner;
pub use seam::{Piece, Seam, SeamHit};
pub use spec::{Confirm, Lead, Pattern, RuleSpec, Trigger};
pub use stream::{Hit, Stream};
pub use validate::Matched;
pub use views::Views;

#[cfg(test)]
mod tests;
