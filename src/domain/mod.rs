//! The words every room speaks. No behaviour beyond what the words mean.

mod clock;
mod event;
mod finding;
mod fingerprint;
mod held;
mod identity;
mod money;
mod risk;
mod rule;
mod secret;
mod source;
mod verdict;

pub use clock::{Clock, Stamp};
pub use event::{Coverage, Event, Outcome, Skipped, Texts, Tokens};
pub use finding::{Finding, Place};
pub use fingerprint::Fingerprint;
pub use held::{Held, HeldKind};
pub use identity::{KeyId, Model, RequestId, SessionId, Team};
pub use money::Money;
pub use risk::{Risk, Score};
pub use rule::{Checker, RuleInfo};
pub use secret::Secret;
pub use source::{Direction, Source, Sources};
pub use verdict::{Action, Excepted, Verdict};
