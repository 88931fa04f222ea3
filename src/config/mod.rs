//! `gateway.yaml` as typed data: text in, [`File`] out, mistakes with line and column.

mod audit;
mod authored;
mod coherence;
mod control;
mod day;
mod effective;
mod exceptions;
mod explain;
mod file;
mod fronts;
mod keys;
mod known;
mod mistake;
mod moment;
mod node;
mod notifications;
mod overrides;
mod parse;
mod policies;
mod prices;
mod quarantine;
mod reader;
mod reference;
mod restart;
mod rules;
mod siem;
mod smtp;
mod team_limits;
mod teams;
mod units;
mod upstreams;

pub use authored::Authored;
pub use control::{ControlPlane, PolicyServer};
pub use day::Day;
pub use explain::explain;
pub use file::*;
pub use fronts::Fronts;
pub use mistake::{Mistake, Mistakes, Warnings};
pub use moment::Moment;
pub use notifications::{Channel, Email, Notifications, PagerDuty, Slack, Webhook};
pub use overrides::Overrides;
pub use parse::Reading;
pub use prices::Price;
pub use quarantine::{Quarantine, QuarantineRule};
pub use reference::{Reference, Resolve};
pub use rules::{ReadRules, RuleMistake};
pub use siem::{Facility, Siem, SiemFormat, SiemFraming, SiemInclude, SiemTarget, SyslogOver};
pub use smtp::{Smtp, SmtpTls};
pub use team_limits::TeamLimits;
pub use upstreams::CircuitLimits;

#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod tests;
