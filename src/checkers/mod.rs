//! Room `checkers`.
