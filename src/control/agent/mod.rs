//! The gateway's side of the control plane: how it enrols, follows its policy server, and ships its records there. The
//! server's side of the same talk stands in `gateways.rs`, `polls.rs` and `ingest.rs` beside this folder.

mod contact;
mod enrolment;
mod follow;
mod kept;
mod reading;
mod shipping;

pub use self::enrolment::{Enrolment, enrol};
pub use self::follow::{Following, Offer, Setup};
pub use self::reading::Told;
pub use self::shipping::{Parts, Shipping};
