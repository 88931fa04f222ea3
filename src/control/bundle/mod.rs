//! What gateways are told: one text in the words of `gateway.yaml`, composed of what administrators keep, signed.

mod change;
mod check;
mod compose;
mod current;
mod inputs;
mod load;
mod payload;
mod signing;
#[cfg(test)]
mod tests;

pub(super) use self::change::{check_change, faults_of, standing_in};
pub(super) use self::check::{check_provider, check_team};
pub(super) use self::current::{Bundles, State, changed, is_changed, open_for};
pub(super) use self::inputs::{Change, Inputs};
pub(super) use self::load::{Fault, sentences};
pub(super) use self::payload::{Bundle, Signed, Untrusted};
pub(super) use self::signing::{public_key, sealed, unopened};
