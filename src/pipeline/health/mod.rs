//! Which address and which key of a provider are worth a try, from how the last tries went.
//!
//! Nothing here asks a provider anything by itself: what is known of it comes from the exchanges it was part of.

mod backoff;
mod choice;
mod circuit;

pub use choice::{Answered, Changed, Choice, Health, Tried};
pub use circuit::CircuitState;
