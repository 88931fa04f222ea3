//! Assignments: a name that says "secret", and the value it is given, in whatever syntax.
//!
//! One recogniser for every language and format in place of a regex for each: [`read`] knows how assignments are
//! written, [`is_password`] and
//! [`is_random_key`] what values are credentials.

mod credential;
mod listing;
mod members;
mod name;
mod random;
mod syntax;
#[cfg(test)]
mod tests;

pub(super) use credential::{is_password, is_random, is_random_key, is_weak_password};
pub(super) use syntax::ASSIGNMENT_BYTES_MAX;
pub use syntax::{Read, read};
