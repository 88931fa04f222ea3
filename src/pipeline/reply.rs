//! An answer the gateway gives by itself.

use crate::config::Dialect;
use crate::providers::RefusalKind;

/// A refusal dressed in its dialect; `edge/respond.rs` turns kind and dialect into a status.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Why; decides the status.
    pub kind: RefusalKind,
    /// Whose shape the body has; decides the status, too.
    pub dialect: Dialect,
    /// Headers beyond content type and length, lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}
