//! The audit log against those who would change it: every byte, every row, the order, the end.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used, clippy::expect_used)]

mod tampering;
