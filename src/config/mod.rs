//! `gateway.yaml` as typed data: text in, [`File`] out, mistakes with line and column.

mod file;

pub use file::*;
