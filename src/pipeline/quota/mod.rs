//! Who may go on: rates and budgets of teams, what is shed when there is too much, and what is told the client.
//!
//! All of it is arithmetic on moments that are handed in. What teams have used lives in [`Account`]s, which stay when the
//! configuration changes.

mod account;
mod admission;
mod booked;
mod budget;
mod load;
mod price;
mod rate;

pub use account::{Account, Spent};
pub(super) use admission::charge;
pub use admission::{Admission, Place, Turned, Waiting};
pub use load::{Load, Shed};
pub(crate) use price::{Prices, counted};
