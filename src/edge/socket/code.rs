//! Codes that a socket is closed with (RFC 6455, 7.4, and the IANA registry).

/// Nothing is wrong.
pub(super) const NORMAL: u16 = 1000;
/// The gateway stops, or the socket has lived long enough.
pub(super) const GOING_AWAY: u16 = 1001;
/// The frames break the protocol.
pub(super) const PROTOCOL: u16 = 1002;
/// Messages of a kind that cannot be scanned.
pub(super) const UNSUPPORTED: u16 = 1003;
/// Bytes that cannot be read.
pub(super) const INVALID: u16 = 1007;
/// The client may not go on.
pub(super) const POLICY: u16 = 1008;
/// A message over the limit.
pub(super) const TOO_BIG: u16 = 1009;
/// The other side broke off.
pub(super) const INTERNAL: u16 = 1011;
/// The gateway holds as much as it may.
pub(super) const TRY_LATER: u16 = 1013;
