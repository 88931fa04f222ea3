//! Stretches of time as the control plane counts them: Unix milliseconds.

pub(super) const MINUTE_MS: u64 = 60 * 1000;
pub(super) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;
