//! What gateways are told: one text in the words of `gateway.yaml`, composed of what administrators keep, signed.

mod check;
mod payload;
mod signing;

pub(super) use self::check::{check_provider, check_team};
pub(super) use self::payload::{Bundle, Signed, Untrusted, VERSION};
pub(super) use self::signing::{is_signed, public_key, sign};
