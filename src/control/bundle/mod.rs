//! What gateways are told: one text in the words of `gateway.yaml`, composed of what administrators keep, signed.

mod check;
mod signing;

pub(super) use self::check::{check_provider, check_team};
pub(super) use self::signing::{is_signed, public_key, sign};
