//! Where events go, one file each; the metrics. Everything here runs behind the request, never in its way.

pub mod alerts;
mod audit_metrics;
mod certificate;
pub(crate) mod client;
mod clock;
mod config_metrics;
mod control_metrics;
#[cfg(test)]
mod fixture;
mod http;
mod ledger;
mod limit_metrics;
mod log;
mod outlet;
mod prometheus;
mod queue;
pub mod siem;

use std::time::Duration;

use crate::domain::Event;

pub use self::certificate::{Certificate, check_certificate};
pub use self::clock::{WallClock, request_id};
pub use self::control_metrics::Polled;
#[cfg(feature = "control")]
pub(crate) use self::http::cause as network_cause;
pub use self::ledger::{Archive, Following, Ledger, Reader, Scribe, Setup, Ticket, Unavailable, known_head};
pub use self::log::Log;
pub use self::outlet::{Failure, Hope, Outlet};
pub use self::prometheus::{Gauge, Metrics};
pub use self::queue::Queue;

/// Longest time one delivery to an outlet may take.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of JSON that an outlet may remember beside its cursor.
pub const STATE_BYTES_MAX: usize = 1 << 20;

/// One place that is told of every exchange. Called from one background thread, in the order exchanges ended.
pub trait Sink: Send + Sync {
    /// Takes note of one exchange. May take its time; may not panic.
    fn accept(&self, event: &Event);
}
